package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"plimsoll/bench"
)

// benchInTest runs plimsoll bench with few accounts and no warm-up.
func benchInTest(t *testing.T, log *output, args ...string) (code int, stdout string) {
	t.Helper()
	var out output
	args = append([]string{"bench", "--accounts", "50", "--markets", "5", "--positions", "2", "--warm-up", "0s"}, args...)
	code = run(t.Context(), &process{args: args, stdout: &out, stderr: log, lookupEnv: environment(nil)})
	return code, out.String()
}

// TestStoppedDaemonShowsInOpenLoopLatency stops the real daemon for a second in the middle of a
// run. Two connections wait for it: among 3,000 service times they are beyond p99.9, so that a
// tool which measures those alone tells nothing. Counted from when each request was due, the
// thousand that came due meanwhile tell it all.
func TestStoppedDaemonShowsInOpenLoopLatency(t *testing.T) {
	t.Parallel()
	const stop = time.Second
	d := upReal(t, dataNone)
	path := filepath.Join(t.TempDir(), "stall.json")
	var log output
	stopped := make(chan error, 1)
	go func() {
		for !strings.Contains(log.String(), " 1.0s") { // a second of the run is over
			time.Sleep(5 * time.Millisecond)
		}
		err := d.cmd.Process.Signal(syscall.SIGSTOP)
		time.Sleep(stop)
		if err == nil {
			err = d.cmd.Process.Signal(syscall.SIGCONT)
		}
		stopped <- err
	}()
	code, stdout := benchInTest(t, &log, "--url", d.url, "--rate", "1000", "--for", "3s", "--connections", "2", "--json", path)
	if code != exitDone {
		t.Fatalf("exit code %d: %s %s", code, stdout, log.String())
	}
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	r, err := bench.ReadReport(path)
	if err != nil {
		t.Fatal(err)
	}
	x := &r.Runs[0]
	if x.Answered != 3000 || x.Errors+x.Unsent != 0 {
		t.Fatalf("%d answered, %d errors, %d unsent; want 3000 answered", x.Answered, x.Errors, x.Unsent)
	}
	if p999 := time.Duration(x.Latency.P999); p999 < stop*9/10 {
		t.Errorf("p99.9 from the intended start is %s, want about %s", p999, stop)
	}
	if p90 := time.Duration(x.Latency.P90); p90 < stop/2 {
		t.Errorf("p90 is %s: a third of the requests were due while the daemon stood still", p90)
	}
	if p999 := time.Duration(x.Service.P999); p999 > stop/2 {
		t.Errorf("p99.9 of the service time is %s: it should hide the stop", p999)
	}
}

// TestBenchWritesEveryForm runs a daemon in this process, journaled, and looks at the files.
func TestBenchWritesEveryForm(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	var log output
	code, stdout := benchInTest(t, &log, "--rate", "300", "--for", "300ms", "--connections", "4", "--mix", "order=2,read=1",
		"--data", at("data"), "--json", at("a.json"), "--html", at("a.html"), "--hgrm", at("a.hgrm"), "--echo")
	if code != exitDone {
		t.Fatalf("exit code %d: %s %s", code, stdout, log.String())
	}
	for _, want := range []string{"order latency", "read latency", "echo, open loop", "journal: ", "0 errors"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("the text lacks %q:\n%s", want, stdout)
		}
	}
	for _, name := range []string{"a.json", "a.html", "a.hgrm", "a-service.hgrm", "a-order.hgrm", "a-echo.hgrm"} {
		if info, err := os.Stat(at(name)); err != nil || info.Size() < 500 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	r, err := bench.ReadReport(at("a.json"))
	if err != nil {
		t.Fatal(err)
	}
	if r.Journal == nil || r.Journal.Frames == 0 || r.Flags["mix"] != "order=2,read=1" || r.Machine.Cores == 0 || r.Load.Daemon == "" {
		t.Errorf("journal %+v, flags %v, machine %+v, daemon %q", r.Journal, r.Flags, r.Machine, r.Load.Daemon)
	}
	if _, isThere := r.Flags["token"]; isThere {
		t.Error("the token is in the report")
	}
	if code, stdout, stderr := execute(t.Context(), nil, "bench", "--compare", at("a.json"), at("a.json"), "--fail"); code != exitDone ||
		!strings.Contains(stdout, "0 of ") {
		t.Errorf("compared with itself: %d %s %s", code, stdout, stderr)
	}
	r.Runs[0].Kinds[0].Latency.P99 *= 2
	text, err := r.JSON()
	if err == nil {
		err = os.WriteFile(at("b.json"), text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]int{"": exitDone, "--fail": exitFault, "--fail --threshold 150": exitDone} {
		line := append([]string{"bench", "--compare", at("a.json"), at("b.json")}, strings.Fields(args)...)
		if code, stdout, stderr := execute(t.Context(), nil, line...); code != want {
			t.Errorf("%q: exit code %d, want %d: %s %s", args, code, want, stdout, stderr)
		}
	}
}

// TestBenchSpeaksTLSWithAToken loads a daemon that wants both.
func TestBenchSpeaksTLSWithAToken(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tokens := filepath.Join(dir, "tokens")
	selfSigned(t, dir, 1)
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	secret := makeToken(t, tokens, "bench", "admin,feed,trade,read")
	d := startEnv(t, nil, "--data", dataNone, "--auth-file", tokens, "--tls-cert", cert, "--tls-key", key)
	d.awaitLog(t, "msg=ready")
	url := httpsInLog.FindString(d.log.String())
	var log output
	line := []string{"--url", url, "--tls-ca", cert, "--rate", "200", "--for", "300ms", "--connections", "4", "--mix", "order=1,prices=1,read=1"}
	if code, _ := benchInTest(t, &log, line...); code != exitFault || !strings.Contains(log.String(), "401") {
		t.Errorf("without a token: exit code %d: %s", code, log.String())
	}
	if code, stdout := benchInTest(t, &log, append(line, "--token", secret)...); code != exitDone {
		t.Errorf("with a token: exit code %d: %s %s", code, stdout, log.String())
	}
	if strings.Contains(log.String(), secret) {
		t.Error("the token is in what is told")
	}
}

func TestBenchRefusesWrongUsage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "settings.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{
		"--rate 0":                          "--rate",
		"--mix orders":                      "--mix",
		"--format xml":                      "format is",
		"--mode cash":                       "mode is",
		"--accounts 0":                      "accounts is 0",
		"--batch 5000":                      "batch is 5000",
		"--url ftp://x":                     "the URL is",
		"--url http://127.0.0.1:1 --data x": "--data is for",
		"--tls-ca x":                        "are for --url",
		"--data " + dir:                     "is not empty",
		"--compare a.json":                  "B.json is missing",
		"a.json":                            "unexpected argument",
		"--for 0s":                          "times are",
	} {
		code, _, stderr := execute(t.Context(), nil, append([]string{"bench"}, strings.Fields(args)...)...)
		if code != exitUsage || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit code %d, %.200s; want usage with %q", args, code, stderr, want)
		}
	}
	if code, _, stderr := execute(t.Context(), nil, "bench", "--compare", "/nowhere", "/nowhere"); code != exitFault {
		t.Errorf("files that are not there: %d %s", code, stderr)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if code, _, stderr := execute(ctx, nil, "bench", "--url", "http://127.0.0.1:1"); code != exitFault || !strings.Contains(stderr, "set up") {
		t.Errorf("nobody there: %d %s", code, stderr)
	}
}

// TestAlarmWakesInTime: within half a millisecond for most of the times, where time.Sleep of an
// idle process takes one.
func TestAlarmWakesInTime(t *testing.T) {
	a, err := newAlarm()
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	const beats, long = 200, 100 * time.Microsecond
	began := time.Now()
	for range beats {
		if err := a.Sleep(long); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(began); took < beats*long {
		t.Errorf("%d sleeps of %s took %s", beats, long, took)
	} else {
		t.Logf("%d sleeps of %s took %s", beats, long, took)
	}
}
