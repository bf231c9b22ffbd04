package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The crash tests run the real binary in a process of its own, because what is tested is
// what is left when a process is gone.

var realBinary struct {
	once sync.Once
	dir  string
	path string
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if realBinary.dir != "" {
		_ = os.RemoveAll(realBinary.dir)
	}
	os.Exit(code)
}

// builtBinary builds plimsoll once and returns its path.
func builtBinary(t *testing.T) string {
	t.Helper()
	realBinary.once.Do(func() {
		if realBinary.dir, realBinary.err = os.MkdirTemp("", "plimsoll-crash"); realBinary.err != nil {
			return
		}
		realBinary.path = filepath.Join(realBinary.dir, "plimsoll")
		out, err := exec.Command("go", "build", "-o", realBinary.path, ".").CombinedOutput() //nolint:noctx // go test has its own deadline
		if err != nil {
			realBinary.err = fmt.Errorf("go build: %w: %s", err, out)
		}
	})
	if realBinary.err != nil {
		t.Fatal(realBinary.err)
	}
	return realBinary.path
}

// process of the real binary.
type realDaemon struct {
	url  string
	log  *output
	cmd  *exec.Cmd
	done chan struct{} // closed when the process is gone and code is set
	code int
}

// startReal starts serve on a data directory; it does not wait. wrap is a command that runs
// the binary, or nothing.
func startReal(t *testing.T, wrap []string, dir string, args ...string) *realDaemon {
	t.Helper()
	line := append(append([]string{}, wrap...), builtBinary(t), "serve", "--listen", "127.0.0.1:0", "--data", dir,
		"--accounts-max", "10000", "--shards", "2", "--free-low-mb", "16")
	line = append(line, args...)
	d := &realDaemon{log: &output{}, done: make(chan struct{}), cmd: exec.Command(line[0], line[1:]...)} //nolint:noctx,gosec // ended by kill
	d.cmd.Stderr, d.cmd.Stdout = d.log, d.log
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a tracer and what it traces end together
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = d.cmd.Wait()
		d.code = d.cmd.ProcessState.ExitCode()
		close(d.done)
	}()
	t.Cleanup(func() { d.kill() })
	return d
}

// awaitUp waits until the daemon is ready, or returns the exit code of a process that ended.
func (d *realDaemon) awaitUp(t *testing.T) (code int, isUp bool) {
	t.Helper()
	for end := time.Now().Add(startDeadline); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		select {
		case <-d.done:
			return d.code, false
		default:
		}
		if d.url = urlInLog.FindString(d.log.String()); d.url != "" {
			if status, _ := get(t, d.url+"/readyz"); status == http.StatusOK {
				return 0, true
			}
		}
	}
	t.Fatalf("neither ready nor ended within %s; log: %s", startDeadline, d.log.String())
	return 0, false
}

// upReal starts serve and fails the test when it does not become ready.
func upReal(t *testing.T, dir string, args ...string) *realDaemon {
	t.Helper()
	d := startReal(t, nil, dir, args...)
	if code, isUp := d.awaitUp(t); !isUp {
		t.Fatalf("ended with code %d instead of becoming ready; log: %s", code, d.log.String())
	}
	return d
}

// kill sends SIGKILL and waits until the process is gone.
func (d *realDaemon) kill() {
	_ = syscall.Kill(-d.cmd.Process.Pid, syscall.SIGKILL)
	<-d.done
}

// end sends SIGTERM and returns the exit code.
func (d *realDaemon) end(t *testing.T) int {
	t.Helper()
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
	return d.awaitEnd(t)
}

// awaitEnd waits until the process is gone by itself.
func (d *realDaemon) awaitEnd(t *testing.T) int {
	t.Helper()
	select {
	case <-d.done:
		return d.code
	case <-time.After(startDeadline):
		t.Fatalf("does not end; log: %s", d.log.String())
		return -1
	}
}

// realStatus is what the tests read of GET /v1/status.
type realStatus struct {
	Seq       uint64 `json:"seq"`
	StateHash string `json:"state_hash"`
}

func (d *realDaemon) status(t *testing.T) (s realStatus) {
	t.Helper()
	code, body := get(t, d.url+"/v1/status")
	if code != http.StatusOK || json.Unmarshal([]byte(body), &s) != nil || s.StateHash == "" {
		t.Fatalf("/v1/status answers %d %s", code, body)
	}
	return s
}

// runReal runs a verb of the real binary to its end.
func runReal(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, faults bytes.Buffer
	cmd := exec.Command(builtBinary(t), args...) //nolint:noctx,gosec // every verb ends by itself
	cmd.Stdout, cmd.Stderr = &out, &faults
	err := cmd.Run()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), faults.String()
}

// replayReal replays a data directory in a process of its own.
func replayReal(t *testing.T, dir string, args ...string) (r replayResult) {
	t.Helper()
	code, stdout, stderr := runReal(t, append([]string{"replay", dir, "--json"}, args...)...)
	if code != exitDone {
		t.Fatalf("replay %v: exit code %d: %s", args, code, stderr)
	}
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatalf("replay prints %q: %v", stdout, err)
	}
	return r
}

// post sends one body for a client; status 0 means that there was no whole answer.
func post(client *http.Client, url, name string, body []byte) (status int, reply []byte) {
	request, err := http.NewRequest(http.MethodPost, url+"/v1/commands", bytes.NewReader(body)) //nolint:noctx // the client has a time-out
	if err != nil {
		return 0, []byte(err.Error())
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Plimsoll-Client", name)
	answer, err := client.Do(request)
	if err != nil {
		return 0, []byte(err.Error())
	}
	defer answer.Body.Close()
	reply, err = io.ReadAll(answer.Body)
	if err != nil {
		return 0, []byte(err.Error())
	}
	return answer.StatusCode, reply
}

// copyTree copies a data directory of a dead process.
func copyTree(t *testing.T, from string) (to string) {
	t.Helper()
	to = filepath.Join(t.TempDir(), "copy")
	if out, err := exec.Command("cp", "-a", "--sparse=always", from, to).CombinedOutput(); err != nil { //nolint:noctx // short
		t.Fatalf("cp: %v: %s", err, out)
	}
	return to
}

// shortLog returns the end of a log for a message.
func shortLog(text string) string {
	const keep = 600
	text = strings.TrimSpace(text)
	if len(text) > keep {
		return "…" + text[len(text)-keep:]
	}
	return text
}
