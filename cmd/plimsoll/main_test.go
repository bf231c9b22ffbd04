package main

import (
	"bytes"
	"context"
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

func TestEveryFlagSaysItsDefaultAndWhyToChangeIt(t *testing.T) {
	t.Parallel()
	serving, _ := newServeFlags()
	demoing, _ := newDemoFlags()
	for _, f := range []*flags{serving, demoing} {
		var help bytes.Buffer
		f.printHelp(&help)
		for i := range f.order {
			o := &f.order[i]
			head := "--" + o.name + " "
			if !strings.Contains(help.String(), head) || !strings.Contains(help.String(), "; "+o.envName()+")") {
				t.Errorf("%s: help lacks %q or %q", f.verb, head, o.envName())
			}
			if o.what == "" || o.why == "" || !strings.HasSuffix(o.what, ".") || !strings.HasSuffix(o.why, ".") {
				t.Errorf("%s: --%s says %q and %q: two sentences are wanted", f.verb, o.name, o.what, o.why)
			}
		}
		if got, want := strings.Count(help.String(), "Why change it:"), len(f.order); got != want {
			t.Errorf("%s: %d reasons for %d flags", f.verb, got, want)
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
