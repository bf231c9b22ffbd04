package main

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"plimsoll/internal/engine"
	"plimsoll/internal/journal"
)

// While the state is recovered the daemon says that it lives and that it is not ready.
func TestWhatIsAnsweredBeforeRecoveryIsOver(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a test of our own server
	if err != nil {
		t.Fatal(err)
	}
	cfg := engine.DefaultConfig()
	d := newDaemon(&cfg, listener, nil)
	d.listen()
	if status, body := get(t, d.url()+"/healthz"); status != http.StatusOK {
		t.Errorf("/healthz answers %d %s", status, body)
	}
	if status, body := get(t, d.url()+"/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, "recovering") {
		t.Errorf("/readyz answers %d %s", status, body)
	}
	reply, err := http.Post(d.url()+"/v1/commands", "application/json", strings.NewReader(`{"type":"clock","time":1}`)) //nolint:noctx // as above
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	if body, err := io.ReadAll(reply.Body); err != nil || reply.StatusCode != http.StatusServiceUnavailable || !strings.Contains(string(body), `"not_ready"`) {
		t.Errorf("a command answers %d %s %v", reply.StatusCode, body, err)
	}
	if err := d.stop(); err != nil {
		t.Error(err)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new")
	cfg := engine.DefaultConfig()
	first, isNew, err := checkSettings(dir, &cfg)
	if err != nil || !isNew {
		t.Fatalf("a new directory: %v, new %v", err, isNew)
	}
	path := filepath.Join(dir, settingsName)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if again, isNew, err := checkSettings(dir, &cfg); err != nil || isNew || again.AccountsMax != first.AccountsMax {
		t.Errorf("again: %+v, new %v, %v", again, isNew, err)
	}
	var damage *journal.DamageError
	for at := range text {
		for bit := range 8 {
			bad := append([]byte{}, text...)
			bad[at] ^= 1 << bit
			if err := os.WriteFile(path, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := readSettings(dir)
			isSame := err == nil && s.AccountsMax == first.AccountsMax && s.ClientsMax == first.ClientsMax && s.IDWindow == first.IDWindow
			if !isSame && err == nil {
				t.Errorf("bit %d of byte %d goes unseen: %+v", bit, at, s)
			}
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "wal"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, _, err := checkSettings(dir, &cfg); !errors.As(err, &damage) {
		t.Errorf("a journal without settings: %v, want damage", err)
	}
}

// TestSettingsThatChange holds that a journal is not replayed by an engine that would refuse
// other commands.
func TestSettingsThatChange(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	d := upReal(t, dir)
	was := d.status(t)
	d.kill()
	other := startReal(t, nil, dir, "--accounts-max", "20000")
	if code, isUp := other.awaitUp(t); isUp || code != exitFault || !strings.Contains(other.log.String(), "accounts-max") {
		t.Errorf("other settings after a crash: up %v, code %d, log: %s", isUp, code, shortLog(other.log.String()))
	}
	other.kill()
	if code := upReal(t, dir).end(t); code != exitDone {
		t.Errorf("exit code %d", code)
	}
	larger := upReal(t, dir, "--accounts-max", "20000")
	if s := larger.status(t); s != was {
		t.Errorf("other settings after a clean stop: %+v, was %+v", s, was)
	}
	larger.kill()
}
