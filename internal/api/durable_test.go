package api

import (
	"encoding/json"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"plimsoll/internal/engine"
	"plimsoll/internal/journal"
)

// newDurableHouse recovers a house from a data directory; it stands until stop.
func newDurableHouse(t *testing.T, dir string, shards int) (h *house, stop func()) {
	t.Helper()
	cfg := engine.DefaultConfig()
	cfg.Shards, cfg.AccountsMax, cfg.Clock = shards, 1<<12, engine.ClockCommands
	names := NewDirectory(cfg.AccountsMax)
	o := journal.DefaultOptions(dir)
	o.FreeLowBytes = 1
	e, _, err := engine.Recover(cfg, o, names)
	if err != nil {
		t.Fatal(err)
	}
	e.Start()
	listen, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h = &house{t: t, engine: e, listen: listen, client: &http.Client{Transport: &http.Transport{}}}
	h.server = NewServer(&Config{
		Engine: e, Directory: names, Shards: shards, ClientsMax: cfg.ClientsMax, Version: "test", FreeLowBytes: o.FreeLowBytes,
	})
	go func() { _ = h.server.Serve(listen) }()
	return h, func() {
		h.client.CloseIdleConnections()
		_ = h.server.Shutdown(t.Context())
		e.Close()
	}
}

// TestHouseComesBack: a snapshot in the middle, a restart on another number of shards, and
// everybody is known under the old names and numbers.
func TestHouseComesBack(t *testing.T) {
	dir := t.TempDir()
	h, stop := newDurableHouse(t, dir, 1)
	h.furnish()
	for _, client := range []string{"desk-1", "desk-2"} {
		if status, reply := h.as(client, depositOne); status != 200 {
			t.Fatalf("%s: %d %s", client, status, reply)
		}
	}
	status, reply, _ := h.do("POST", "/v1/snapshot", "", "")
	var taken struct {
		Seq, Accounts uint64
		File          string
		StateHash     string `json:"state_hash"`
	}
	if err := json.Unmarshal([]byte(reply), &taken); err != nil || status != 200 || taken.Seq != 29 || taken.Accounts != 3 ||
		taken.File == "" || len(taken.StateHash) != 32 {
		t.Fatalf("%d %s (%v)", status, reply, err)
	}
	if got := h.get("/v1/status"); !strings.Contains(got, `"state_hash":"`+taken.StateHash+`"`) {
		t.Errorf("the snapshot has hash %s: %s", taken.StateHash, got)
	}
	if code, late := h.as("desk-3", depositOne); code != 200 {
		t.Fatalf("%d %s", code, late)
	}
	h.must(`{"type":"open_account","account":"sub-2","mode":"standard","master":"` + alice + `"}`)
	paths := []string{"/v1/accounts/" + alice, "/v1/accounts/sub-2", "/v1/spots", "/v1/perps", "/v1/tokens", "/v1/accounts"}
	var before []string
	for _, path := range paths {
		before = append(before, h.get(path))
	}
	const subAccounts = `{"type":"subAccounts","user":"` + alice + `"}`
	subs, clients := h.info(subAccounts), h.machineClients()
	_, first := h.as("desk-2", depositOne)
	stop()

	h, stop = newDurableHouse(t, dir, 3)
	defer stop()
	for i, path := range paths {
		if got := h.get(path); got != before[i] {
			t.Errorf("GET %s\n%s\nwas %s", path, got, before[i])
		}
	}
	if got := h.info(subAccounts); got != subs || len(h.server.dir.Subs(h.server.dir.Account([]byte(alice)))) != 2 {
		t.Errorf("sub accounts are %s, were %s", got, subs)
	}
	if got := h.machineClients(); !slices.Equal(got, clients) {
		t.Errorf("clients are %q, were %q", got, clients)
	}
	w := watch(t, h)
	for _, client := range []string{"desk-1", "desk-2", "desk-3"} {
		if status, reply := h.as(client, depositOne); status != 200 || !strings.Contains(reply, `"duplicate":true`) {
			t.Errorf("%s: %d %s, want a duplicate", client, status, reply)
		}
	}
	if _, again := h.as("desk-2", depositOne); again != first {
		t.Errorf("the repeat answers %s, before the restart %s", again, first)
	}
	if w.opens != 0 || w.foreign != 0 {
		t.Errorf("%d known clients opened again, %d commands before them", w.opens, w.foreign)
	}
	if got := h.get("/v1/status"); !strings.Contains(got, `"snapshot_seq":29,`) || !strings.Contains(got, `"last_seq":32,`) ||
		strings.Contains(got, `"last_snapshot":null`) || !strings.Contains(got, `"nothing_is_kept":false`) {
		t.Errorf("status: %s", got)
	}
	h.must(`{"type":"fill","account":"`+bobby+`","market":"@107","side":"buy","size":"1","price":"40"}`,
		`{"type":"open_account","account":"carol","mode":"unified"}`)
}
