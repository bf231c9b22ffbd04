package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The tests of this file run the real binary, because signals, exit codes and the environment
// are a process's own. Codes 70 and 71 are in crash_disk_test.go, more of 3 in crash_damage_test.go.

// startEnv starts serve with an environment; it does not wait.
func startEnv(t *testing.T, env []string, args ...string) *realDaemon {
	t.Helper()
	args = append([]string{"serve", "--listen", "127.0.0.1:0", "--universe", "none", "--accounts-max", "1000"}, args...)
	d := &realDaemon{log: &output{}, done: make(chan struct{}), cmd: exec.Command(builtBinary(t), args...)} //nolint:noctx,gosec // ended by kill
	d.cmd.Stderr, d.cmd.Stdout = d.log, d.log
	d.cmd.Env = append(os.Environ(), env...)
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = d.cmd.Wait()
		d.code = d.cmd.ProcessState.ExitCode()
		close(d.done)
	}()
	t.Cleanup(d.kill)
	return d
}

// address is where a daemon listens.
func (d *realDaemon) address() string {
	_, address, _ := strings.Cut(d.url, "//")
	return address
}

// awaitLog waits until the log has a text.
func (d *realDaemon) awaitLog(t *testing.T, text string) {
	t.Helper()
	for end := time.Now().Add(startDeadline); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if strings.Contains(d.log.String(), text) {
			return
		}
	}
	t.Fatalf("the log never says %q: %s", text, shortLog(d.log.String()))
}

func (d *realDaemon) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := d.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

const openAlice = `{"type":"open_account","account":"alice","mode":"portfolio"}`

// halfSent opens a connection and sends a command but for its end.
func (d *realDaemon) halfSent(t *testing.T) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", d.address()) //nolint:noctx // loopback
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	const tail = 5
	_, err = fmt.Fprintf(nc, "POST /v1/commands HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		len(openAlice), openAlice[:len(openAlice)-tail])
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond) // the daemon has begun to read it
	return nc
}

func TestSIGTERMFinishesWhatIsInFlight(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	d := startEnv(t, nil, "--data", dir)
	if _, isUp := d.awaitUp(t); !isUp {
		t.Fatal(d.log.String())
	}
	nc := d.halfSent(t)
	d.signal(t, syscall.SIGTERM)
	d.awaitLog(t, "draining")
	time.Sleep(50 * time.Millisecond)
	if late, err := net.Dial("tcp", d.address()); err == nil { //nolint:noctx // loopback
		_ = late.SetReadDeadline(time.Now().Add(startDeadline))
		if n, _ := late.Read(make([]byte, 1)); n > 0 {
			t.Error("a connection is served after SIGTERM")
		}
		_ = late.Close()
	}
	if _, err := nc.Write([]byte(openAlice[len(openAlice)-5:])); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
	if err != nil {
		t.Fatalf("the command in flight is not answered: %v; log: %s", err, shortLog(d.log.String()))
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil || resp.StatusCode != http.StatusOK || !bytes.Contains(body, []byte(`"ok":true`)) || !resp.Close {
		t.Errorf("the command in flight: %d %s (%v), closing %v", resp.StatusCode, body, err, resp.Close)
	}
	if code := d.awaitEnd(t); code != exitDone {
		t.Errorf("exit code %d, want %d; log: %s", code, exitDone, shortLog(d.log.String()))
	}
	again := startEnv(t, nil, "--data", dir, "--log-format", "json")
	if _, isUp := again.awaitUp(t); !isUp {
		t.Fatal(again.log.String())
	}
	if status, body := get(t, again.url+"/v1/accounts/alice"); status != http.StatusOK {
		t.Errorf("what was in flight is gone: %d %s", status, body)
	}
	if log := again.log.String(); !strings.Contains(log, `"frames":0,`) || strings.Contains(log, `"snapshot":"none"`) {
		t.Errorf("no snapshot was taken at the end: %s", shortLog(log))
	}
	if code := again.end(t); code != exitDone {
		t.Errorf("exit code %d, want %d", code, exitDone)
	}
}

func TestASecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	d := startEnv(t, nil, "--data", "none")
	if _, isUp := d.awaitUp(t); !isUp {
		t.Fatal(d.log.String())
	}
	d.halfSent(t) // and never more: without a second signal this would take drainMax
	d.signal(t, syscall.SIGTERM)
	d.awaitLog(t, "draining")
	began := time.Now()
	d.signal(t, syscall.SIGTERM)
	if code := d.awaitEnd(t); code != exitFault || time.Since(began) > drainMax/2 {
		t.Errorf("exit code %d after %s, want %d at once; log: %s", code, time.Since(began), exitFault, shortLog(d.log.String()))
	}
}

func TestEveryEndHasItsCode(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // loopback
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := t.TempDir()
	damaged, newer, busy := filepath.Join(dir, "damaged"), filepath.Join(dir, "newer"), filepath.Join(dir, "busy")
	_, o := newServeFlags()
	if err := o.check(); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{damaged, newer} {
		if err := settingsOf(&o.cfg).write(d); err != nil {
			t.Fatal(err)
		}
	}
	writeText(t, filepath.Join(damaged, settingsName), `{"version":1,"accounts_max":7}`)
	writeText(t, filepath.Join(newer, settingsName), `{"version":99}`)
	tokens := filepath.Join(dir, "tokens")
	writeText(t, tokens, "desk read plim_this_is_no_hash\n")
	holder := startEnv(t, nil, "--data", busy)
	if _, isUp := holder.awaitUp(t); !isUp {
		t.Fatal(holder.log.String())
	}
	for _, c := range []struct {
		name, want string
		code       int
		env, args  []string
	}{
		{name: "wrong flag", code: exitUsage, want: "--clock is", args: []string{"--clock", "sun"}},
		{name: "wrong variable", code: exitUsage, want: "PLIMSOLL_SHARDS", env: []string{"PLIMSOLL_SHARDS=x"}},
		{name: "wrong tokens", code: exitUsage, want: "line 1", args: []string{"--auth-file", tokens}},
		{name: "wrong certificate", code: exitUsage, want: "TLS", args: []string{"--tls-cert", tokens, "--tls-key", tokens}},
		{name: "port taken", code: exitListen, want: "cannot listen", args: []string{"--listen", taken.Addr().String()}},
		{name: "not loopback", code: exitListen, want: "not loopback", env: []string{"PLIMSOLL_LISTEN="}, args: []string{"--listen", "0.0.0.0:0"}},
		{name: "damaged settings", code: exitDamage, want: "checksum", args: []string{"--data", damaged}},
		{name: "a newer version's data", code: exitDamage, want: "newer than this program", args: []string{"--data", newer}},
		{name: "data in use", code: exitFault, want: "stop the other one", args: []string{"--data", busy}},
	} {
		d := startEnv(t, c.env, append([]string{"--data", "none"}, c.args...)...)
		if code := d.awaitEnd(t); code != c.code || !strings.Contains(d.log.String(), c.want) {
			t.Errorf("%s: exit code %d, want %d and %q; log: %s", c.name, code, c.code, c.want, shortLog(d.log.String()))
		}
	}
	if code := holder.end(t); code != exitDone {
		t.Errorf("SIGTERM: exit code %d, want %d", code, exitDone)
	}
}

var httpsInLog = regexp.MustCompile(`https://127\.0\.0\.1:\d+`)

// asks sends a request with a token over a connection of its own.
func asks(t *testing.T, pool *x509.CertPool, secret, method, url, body string) int {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}}
	req, err := http.NewRequest(method, url, strings.NewReader(body)) //nolint:noctx // loopback
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	resp, err := client.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

func TestSIGHUPReadsTokensAndCertificatesAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tokens, audit := filepath.Join(dir, "tokens"), filepath.Join(dir, "audit.jsonl")
	first := selfSigned(t, dir, 2)
	old := makeToken(t, tokens, "old", "read,admin")
	d := startEnv(t, nil, "--data", "none", "--auth-file", tokens, "--audit-log", audit,
		"--tls-cert", filepath.Join(dir, "cert.pem"), "--tls-key", filepath.Join(dir, "key.pem"))
	d.awaitLog(t, "msg=ready")
	url := httpsInLog.FindString(d.log.String())
	pool := x509.NewCertPool()
	pool.AddCert(first)
	halt := `{"type":"halt","all":true}`
	if status := asks(t, pool, old, "GET", url+"/v1/status", ""); status != http.StatusOK {
		t.Fatalf("status %d; log: %s", status, shortLog(d.log.String()))
	}
	if status := asks(t, pool, old, "POST", url+"/v1/commands", halt); status != http.StatusOK {
		t.Errorf("halt: %d", status)
	}

	if err := os.Rename(audit, audit+".1"); err != nil { // as logrotate does
		t.Fatal(err)
	}
	if err := os.Remove(tokens); err != nil {
		t.Fatal(err)
	}
	fresh := makeToken(t, tokens, "fresh", "read,admin")
	second := selfSigned(t, dir, 3)
	pool.AddCert(second)
	d.signal(t, syscall.SIGHUP)
	for end := time.Now().Add(startDeadline); ; time.Sleep(5 * time.Millisecond) {
		if asks(t, pool, fresh, "POST", url+"/v1/commands", halt) == http.StatusOK {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the new token is not known; log: %s", shortLog(d.log.String()))
		}
	}
	if status := asks(t, pool, old, "GET", url+"/v1/status", ""); status != http.StatusUnauthorized {
		t.Errorf("the old token: %d, want 401", status)
	}
	onlyFirst := x509.NewCertPool()
	onlyFirst.AddCert(first)
	if status := asks(t, onlyFirst, fresh, "GET", url+"/healthz", ""); status != 0 {
		t.Errorf("the first certificate is still shown: %d", status)
	}
	writeText(t, tokens, "half a li")
	d.signal(t, syscall.SIGHUP)
	d.awaitLog(t, "the tokens stay as they were")
	if status := asks(t, pool, fresh, "GET", url+"/v1/status", ""); status != http.StatusOK {
		t.Errorf("after a file that is wrong: %d, want the former tokens", status)
	}
	if code := d.end(t); code != exitDone {
		t.Errorf("exit code %d; log: %s", code, shortLog(d.log.String()))
	}
	for _, c := range []struct{ file, name string }{{audit + ".1", "old"}, {audit, "fresh"}} {
		text, err := os.ReadFile(c.file)
		if err != nil {
			t.Fatal(err)
		}
		line, _, _ := bytes.Cut(text, []byte("\n"))
		var x struct{ Token, Type, Outcome string }
		for l := range bytes.Lines(text) {
			if bytes.Contains(l, []byte(`"halt"`)) {
				line = l
			}
		}
		if err := json.Unmarshal(line, &x); err != nil || x.Token != c.name || x.Type != "halt" || x.Outcome != "ok" {
			t.Errorf("%s: %v %s", c.file, err, text)
		}
	}
	if log := d.log.String(); strings.Contains(log, old) || strings.Contains(log, fresh) {
		t.Error("a token is in the log")
	}
}

func TestTheServiceManagerIsTold(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "plim") // the name of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	d := startEnv(t, []string{"NOTIFY_SOCKET=" + socket, "WATCHDOG_USEC=100000"}, "--data", "none")
	next := func(want string) {
		t.Helper()
		_ = manager.SetReadDeadline(time.Now().Add(startDeadline))
		for buffer := make([]byte, 1024); ; {
			n, err := manager.Read(buffer)
			if err != nil {
				t.Fatalf("%q is not told: %v; log: %s", want, err, shortLog(d.log.String()))
			}
			if strings.HasPrefix(string(buffer[:n]), want) {
				return
			}
		}
	}
	next("STATUS=recovering")
	next("READY=1\nSTATUS=ready")
	next("WATCHDOG=1")
	next("WATCHDOG=1")
	d.signal(t, syscall.SIGHUP)
	next("RELOADING=1")
	next("READY=1")
	next("WATCHDOG=1")
	d.signal(t, syscall.SIGSTOP) // what hangs says nothing
	time.Sleep(200 * time.Millisecond)
	for buffer := make([]byte, 1024); ; { // what it said before
		_ = manager.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
		if _, err := manager.Read(buffer); err != nil {
			break
		}
	}
	_ = manager.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	if n, err := manager.Read(make([]byte, 1024)); err == nil {
		t.Errorf("%d bytes from a process that stands still", n)
	}
	d.signal(t, syscall.SIGCONT)
	next("WATCHDOG=1")
	d.signal(t, syscall.SIGTERM)
	next("STOPPING=1")
	if code := d.awaitEnd(t); code != exitDone {
		t.Errorf("exit code %d; log: %s", code, shortLog(d.log.String()))
	}
}
