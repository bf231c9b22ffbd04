package main

import (
	"bytes"
	"context"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// output is a writer that a verb and a test share.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// environment looks names up in a map.
func environment(vars map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		value, ok := vars[name]
		return value, ok
	}
}

// execute runs the binary's main with arguments and returns what it wrote.
func execute(ctx context.Context, vars map[string]string, args ...string) (code int, stdout, stderr string) {
	var out, faults output
	code = run(ctx, &process{args: args, stdout: &out, stderr: &faults, lookupEnv: environment(vars)})
	return code, out.String(), faults.String()
}

func TestExitCodesAndWhereTheTextGoes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name           string
		vars           map[string]string
		args           string
		code           int
		stdout, stderr string // what must be in there; "" = nothing at all
	}{
		{name: "no verb", code: exitUsage, stderr: "Usage: plimsoll VERB"},
		{name: "unknown verb", args: "sevre", code: exitUsage, stderr: `there is no verb "sevre"`},
		{name: "help", args: "--help", code: exitDone, stdout: "Exit codes: 0 done, 1 runtime fault, 2 usage, 3 data damaged, 4 cannot listen, 70 storage fault"},
		{name: "help as a verb", args: "help", code: exitDone, stdout: "run the daemon"},
		{name: "version", args: "version", code: exitDone, stdout: "plimsoll " + release},
		{name: "version with an argument", args: "version now", code: exitUsage, stderr: `unexpected argument "now"`},
		{name: "help of serve", args: "serve --help", code: exitDone, stdout: "PLIMSOLL_ACCOUNTS_MAX"},
		{name: "help of demo", args: "demo -h", code: exitDone, stdout: "PLIMSOLL_TICK_MS"},
		{name: "help of replay", args: "replay --help", code: exitDone, stdout: "Usage: plimsoll replay DIR [flags]"},
		{name: "help of restore", args: "restore --help", code: exitDone, stdout: "Usage: plimsoll restore BACKUP DIR [flags]"},
		{name: "replay of nothing", args: "replay", code: exitUsage, stderr: "DIR is missing"},
		{name: "replay of too much", args: "replay a b", code: exitUsage, stderr: `unexpected argument "b"`},
		{name: "replay of no directory", args: "replay /nowhere --seq 3", code: exitFault, stderr: "no such file"},
		{name: "inspect of another directory", args: "inspect .", code: exitFault, stderr: "is no data directory"},
		{name: "verify of another directory", args: "verify .", code: exitFault, stderr: "is no data directory"},
		{name: "backup of another directory", args: "backup . x", code: exitFault, stderr: "is no data directory"},
		{name: "restore of another directory", args: "restore . x", code: exitFault, stderr: "is no backup"},
		{name: "no time", args: "serve --snapshot-every soon", code: exitUsage, stderr: "invalid value"},
		{name: "no limit", args: "serve --hang-limit 0s", code: exitUsage, stderr: "--hang-limit is 0s"},
		{name: "no snapshots", args: "serve --snapshots-kept 0", code: exitUsage, stderr: "--snapshots-kept is 0"},
		{name: "unknown flag", args: "serve --lisen x", code: exitUsage, stderr: "Usage: plimsoll serve [--listen HOST:PORT]"},
		{name: "flag without value", args: "demo --accounts", code: exitUsage, stderr: "flag needs an argument"},
		{name: "no number", args: "demo --accounts many", code: exitUsage, stderr: "invalid value"},
		{name: "negative accounts", args: "demo --accounts -1", code: exitUsage, stderr: "--accounts is -1"},
		{name: "bad number in the environment", vars: map[string]string{"PLIMSOLL_SHARDS": "two"}, args: "serve", code: exitUsage, stderr: `PLIMSOLL_SHARDS="two"`},
		{name: "unknown clock", args: "serve --clock sun", code: exitUsage, stderr: "--clock is wall or commands"},
		{name: "unknown detection", args: "serve --detect smell", code: exitUsage, stderr: "--detect is bands or sweep"},
		{name: "unknown detection in the environment", vars: map[string]string{"PLIMSOLL_DETECT": "no"}, args: "replay .", code: exitUsage, stderr: "--detect is bands or sweep"},
		{name: "unknown detection of verify", args: "verify . --detect x", code: exitUsage, stderr: "--detect is bands or sweep"},
		{name: "odd ring", args: "serve --ingress-slots 5000", code: exitUsage, stderr: "IngressSlots is 5000, want a power of two"},
		{name: "key without certificate", args: "serve --tls-key x", code: exitUsage, stderr: "--tls-cert and --tls-key go together"},
		{name: "client CA without certificate", args: "serve --tls-client-ca x", code: exitUsage, stderr: "--tls-client-ca needs --tls-cert"},
		{name: "no such certificate", args: "serve --tls-cert /nowhere --tls-key /nowhere", code: exitUsage, stderr: "TLS: certificate /nowhere"},
		{name: "old TLS", args: "serve --tls-min 1.0", code: exitUsage, stderr: "--tls-min is 1.2 or 1.3"},
		{name: "no such tokens", args: "serve --auth-file /nowhere", code: exitUsage, stderr: "--auth-file: stat /nowhere"},
		{name: "burst without a rate", args: "serve --token-burst 3", code: exitUsage, stderr: "--token-burst needs --token-rate"},
		{name: "negative rate", args: "serve --token-rate -3", code: exitUsage, stderr: "--token-rate, --token-burst are -3, 0"},
		{name: "no room for a body", args: "serve --body-max 1", code: exitUsage, stderr: "--body-max is 1, want 4096"},
		{name: "no audit log", args: "serve --data none --listen 127.0.0.1:0 --audit-log /nowhere/x", code: exitUsage, stderr: "--audit-log: open /nowhere/x"},
		{name: "two faults at once", args: "serve --clock sun --read-timeout 0s", code: exitUsage, stderr: "--read-timeout is 0s"},
		{name: "token without a name", args: "token", code: exitUsage, stderr: "NAME is missing"},
		{name: "token with a bad name", args: "token a/b", code: exitUsage, stderr: "the name is"},
		{name: "token with a bad scope", args: "token a --scopes all", code: exitUsage, stderr: "no scope"},
		{name: "token with a bad rate", args: "token a --rate -1 --burst 3", code: exitUsage, stderr: "plimsoll token"},
		{name: "token appended nowhere", args: "token a --append /nowhere/x", code: exitFault, stderr: "no such file"},
		{name: "no such universe", args: "serve --universe /nowhere.json", code: exitUsage, stderr: "--universe"},
		{name: "every interface", args: "serve --listen :0", code: exitListen, stderr: "not loopback"},
		{name: "another interface", args: "serve --listen 0.0.0.0:0", code: exitListen, stderr: "no TLS"},
		{name: "no port", args: "serve --listen localhost", code: exitListen, stderr: "missing port"},
		{name: "demo elsewhere", args: "demo --listen 10.0.0.1:0", code: exitListen, stderr: "not loopback"},
	} {
		code, stdout, stderr := execute(t.Context(), c.vars, strings.Fields(c.args)...)
		if code != c.code {
			t.Errorf("%s: exit code %d, want %d; stderr %q", c.name, code, c.code, stderr)
		}
		if !strings.Contains(stdout, c.stdout) || c.stdout == "" && stdout != "" {
			t.Errorf("%s: stdout %q, want %q in it", c.name, stdout, c.stdout)
		}
		if !strings.Contains(stderr, c.stderr) || c.stderr == "" && stderr != "" {
			t.Errorf("%s: stderr %q, want %q in it", c.name, stderr, c.stderr)
		}
	}
}

// headInHelp is the first line of a flag in the help of a verb.
var headInHelp = regexp.MustCompile(`(?m)^  --([a-z0-9-]+)( \S+)?   \(default (.+); (PLIMSOLL_[A-Z0-9_]+)\)$\n      (.+)\n      Why change it: (.+)$`)

// TestEveryFlagSaysItsDefaultAndWhyToChangeIt looks at the help of each verb, and whether the
// variable that it names reaches the flag: a switch, a number or a time refuses nonsense in it.
func TestEveryFlagSaysItsDefaultAndWhyToChangeIt(t *testing.T) {
	t.Parallel()
	for _, v := range verbs() {
		code, help, stderr := execute(t.Context(), nil, v.name, "--help")
		if code != exitDone || stderr != "" || !strings.HasPrefix(help, "Usage: plimsoll "+v.name) {
			t.Errorf("%s --help: %d %q %q", v.name, code, help, stderr)
		}
		heads := headInHelp.FindAllStringSubmatch(help, -1)
		if got := strings.Count(help, "\n  --"); got != len(heads) {
			t.Errorf("%s: %d flags, of which %d say default, variable and reason:\n%s", v.name, got, len(heads), help)
		}
		for _, h := range heads {
			name, variable := h[1], h[4]
			if want := "PLIMSOLL_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_")); variable != want {
				t.Errorf("%s: --%s is set by %s, want %s", v.name, name, variable, want)
			}
			for _, sentence := range h[5:] {
				if len(sentence) < len("A word.") || !strings.HasSuffix(sentence, ".") {
					t.Errorf("%s: --%s says %q, want a sentence", v.name, name, sentence)
				}
			}
			if !slices.Contains([]string{"", "N", "S", "K", "MS", "MB", "BYTES", "TIME"}, strings.TrimSpace(h[2])) {
				continue // a text, of which any will do for now: see below
			}
			code, _, stderr := execute(t.Context(), map[string]string{variable: "nonsense"}, v.name)
			if code != exitUsage || !strings.Contains(stderr, variable+`="nonsense"`) {
				t.Errorf("%s with %s=nonsense: %d %q, want usage", v.name, variable, code, stderr)
			}
		}
	}
}

func TestEveryFlagCanBeGivenByTheEnvironment(t *testing.T) {
	t.Parallel()
	serving, _ := newServeFlags()
	demoing, _ := newDemoFlags()
	making, _ := newTokenFlags()
	for _, f := range []*flags{serving, demoing, making} {
		vars := map[string]string{}
		for i := range f.order {
			o := &f.order[i]
			switch _, isBool := f.set.Lookup(o.name).Value.(interface{ IsBoolFlag() bool }); {
			case isBool:
				vars[o.envName()] = "true"
			case o.arg == "TIME":
				vars[o.envName()] = "7m0s"
			default:
				vars[o.envName()] = "7"
			}
		}
		args := []string{"NAME"}[:len(f.names)]
		if err := f.parse(args, environment(vars)); err != nil {
			t.Fatal(err)
		}
		for i := range f.order {
			o := &f.order[i]
			if got, want := f.set.Lookup(o.name).Value.String(), vars[o.envName()]; got != want || f.source(o.name) != "environment" {
				t.Errorf("%s: --%s is %q from %s, want %q from %s", f.verb, o.name, got, f.source(o.name), want, o.envName())
			}
		}
	}
}

// TestServeHasTheFlagsOfTheContract holds the names that scripts are written with.
func TestServeHasTheFlagsOfTheContract(t *testing.T) {
	t.Parallel()
	f, _ := newServeFlags()
	for _, name := range []string{
		"listen", "data", "shards", "clock", "universe", "detect", "auth-file", "tls-cert", "tls-key", "tls-client-ca", "insecure",
	} {
		if f.set.Lookup(name) == nil {
			t.Errorf("serve has no --%s", name)
		}
	}
}

func TestCommandLineWinsOverEnvironment(t *testing.T) {
	t.Parallel()
	vars := map[string]string{"PLIMSOLL_LISTEN": "127.0.0.1:1", "PLIMSOLL_ACCOUNTS_MAX": "77", "PLIMSOLL_INSECURE": "true"}
	f, o := newServeFlags()
	if err := f.parse([]string{"--listen", "127.0.0.1:2"}, environment(vars)); err != nil {
		t.Fatal(err)
	}
	if o.listen != "127.0.0.1:2" || o.accountsMax != 77 || !o.insecure {
		t.Errorf("listen %s, accounts-max %d, insecure %v; want 127.0.0.1:2, 77, true", o.listen, o.accountsMax, o.insecure)
	}
}
