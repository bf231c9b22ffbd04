package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// startDeadline bounds how long a test waits for a daemon.
const startDeadline = 30 * time.Second

var urlInLog = regexp.MustCompile(`http://127\.0\.0\.1:\d+`)

// get returns the status and the body of a route.
func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	reply, err := http.Get(url) //nolint:noctx // a test of our own server
	if err != nil {
		return 0, err.Error()
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply.StatusCode, string(text)
}

// awaitReady waits until a daemon that writes its URL to log is ready, and returns the URL.
func awaitReady(t *testing.T, log *output) string {
	t.Helper()
	for end := time.Now().Add(startDeadline); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if url := urlInLog.FindString(log.String()); url != "" {
			if status, _ := get(t, url+"/readyz"); status == http.StatusOK {
				return url
			}
		}
	}
	t.Fatalf("not ready within %s; log: %s", startDeadline, log.String())
	return ""
}

// serving is a daemon of a test.
type serving struct {
	url  string
	log  *output
	stop context.CancelFunc
	code chan int
}

// serveInTest runs plimsoll serve until stop is called.
func serveInTest(t *testing.T, args ...string) *serving {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	s := &serving{log: &output{}, stop: cancel, code: make(chan int, 1)}
	args = append([]string{"serve", "--listen", "127.0.0.1:0", "--data", "none", "--accounts-max", "1000"}, args...)
	go func() {
		s.code <- run(ctx, &process{args: args, stdout: io.Discard, stderr: s.log, lookupEnv: environment(nil)})
	}()
	s.url = awaitReady(t, s.log)
	return s
}

// end stops the daemon and returns its exit code.
func (s *serving) end(t *testing.T) int {
	t.Helper()
	s.stop()
	select {
	case code := <-s.code:
		return code
	case <-time.After(startDeadline):
		t.Fatalf("does not stop; log: %s", s.log.String())
		return -1
	}
}

func TestServeStopsCleanlyOnSIGTERM(t *testing.T) { // not parallel: the signal is the process's
	ctx, stop := signal.NotifyContext(t.Context(), syscall.SIGTERM)
	defer stop()
	var log output
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, &process{
			args: []string{"serve", "--listen", "127.0.0.1:0", "--data", "none", "--log-format", "json"}, stdout: io.Discard, stderr: &log,
			lookupEnv: environment(nil),
		})
	}()
	url := awaitReady(t, &log)
	if status, body := get(t, url+"/v1/status"); status != http.StatusOK || !strings.Contains(body, `"nothing_is_kept":true`) {
		t.Errorf("/v1/status answers %d %s, want nothing_is_kept", status, body)
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case code := <-done:
		if code != exitDone {
			t.Errorf("exit code %d, want %d", code, exitDone)
		}
	case <-time.After(startDeadline):
		t.Fatal("does not stop on SIGTERM")
	}
	for _, want := range []string{"NOTHING IS KEPT", `"draining"`, `"stopped"`, `"shards"`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %s: %s", want, log.String())
		}
	}
	if status, _ := get(t, url+"/healthz"); status != 0 {
		t.Errorf("still answers %d after it stopped", status)
	}
}

func TestServeTakesCommandsAndAnswersInfo(t *testing.T) {
	t.Parallel()
	s := serveInTest(t, "--shards", "2", "--clock", "commands")
	for _, c := range []struct{ path, body, want string }{
		{"/v1/commands", `{"type":"open_account","account":"alice","mode":"portfolio"}`, `"ok":true`},
		{"/v1/commands", `{"type":"deposit","account":"alice","token":"UBTC","amount":"1"}`, `"ok":true`},
		{"/v1/commands", `{"type":"deposit","account":"alice","token":"USDC","amount":"5000"}`, `"ok":true`},
		{"/v1/commands", `{"type":"order","account":"alice","market":"BTC","side":"sell","size":"0.1","price":"70000","order_id":"1"}`, `"ok":true`},
		{"/info", `{"type":"clearinghouseState","user":"alice"}`, `"marginSummary"`},
		{"/info", `{"type":"meta"}`, `"HYPE"`},
	} {
		reply, err := http.Post(s.url+c.path, "application/json", strings.NewReader(c.body)) //nolint:noctx // as above
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(reply.Body)
		reply.Body.Close()
		if err != nil || reply.StatusCode != http.StatusOK || !strings.Contains(string(body), c.want) {
			t.Errorf("%s answers %d %s (%v), want %s", c.body, reply.StatusCode, body, err, c.want)
		}
	}
	if code := s.end(t); code != exitDone {
		t.Errorf("exit code %d, want %d", code, exitDone)
	}
}

func TestServeWithoutMarkets(t *testing.T) {
	t.Parallel()
	s := serveInTest(t, "--universe", "none")
	if status, body := get(t, s.url+"/v1/perps"); status != http.StatusOK || !strings.Contains(body, `"perps":[]`) {
		t.Errorf("/v1/perps answers %d %s, want none", status, body)
	}
	if code := s.end(t); code != exitDone {
		t.Errorf("exit code %d, want %d", code, exitDone)
	}
}

func TestServeWithAUniverseFile(t *testing.T) {
	t.Parallel()
	// The venue's own reply, as --universe takes it.
	var capture struct {
		Response json.RawMessage `json:"response"`
	}
	readJSON(t, captureMain, &capture)
	file := filepath.Join(t.TempDir(), "universe.json")
	if err := os.WriteFile(file, capture.Response, 0o600); err != nil {
		t.Fatal(err)
	}
	s := serveInTest(t, "--universe", file)
	_, body := get(t, s.url+"/v1/perps")
	if got, want := strings.Count(body, `"perp":"`), 228; got != want {
		t.Errorf("%d perps are listed, want the %d of the file", got, want)
	}
	if code := s.end(t); code != exitDone {
		t.Errorf("exit code %d, want %d", code, exitDone)
	}
}

func TestServeOnATakenPort(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // as above
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, verb := range []string{"serve", "demo"} {
		code, _, stderr := execute(t.Context(), nil, verb, "--listen", taken.Addr().String())
		if code != exitListen || !strings.Contains(stderr, "cannot listen") {
			t.Errorf("%s: exit code %d, want %d; stderr %q", verb, code, exitListen, stderr)
		}
	}
}
