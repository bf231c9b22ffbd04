package api

import (
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"plimsoll/internal/engine"
	"plimsoll/risk"
)

// newWallHouse is newHouse by the wall clock, whose hands the test holds, on one thread: a
// read that does not return keeps everything else in ingress.
func newWallHouse(t *testing.T) *house {
	t.Helper()
	cfg := engine.DefaultConfig()
	cfg.AccountsMax, cfg.Clock, cfg.Threads = 1<<12, engine.ClockWall, 1
	cfg.Now = func() int64 { return 1_790_091_100_000 }
	e, err := engine.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	e.Start()
	listen, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, engine: e, listen: listen, client: &http.Client{Transport: &http.Transport{}}}
	h.server = NewServer(&Config{
		Engine: e, Directory: NewDirectory(cfg.AccountsMax), Shards: 1, ClientsMax: cfg.ClientsMax, Version: "test",
	})
	go func() { _ = h.server.Serve(h.listen) }()
	t.Cleanup(func() {
		h.client.CloseIdleConnections()
		_ = h.server.Shutdown(t.Context())
		e.Close()
	})
	return h
}

// TestTicksOfTwoCallersThatWaitAreOne: while the engine is busy with something else two
// feeds send prices. What each is told is what has become of its own tick.
func TestTicksOfTwoCallersThatWaitAreOne(t *testing.T) {
	h := newWallHouse(t)
	h.furnish()
	inside, leave, left := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(left)
		_, _ = h.engine.Read(0, func(*risk.Machine) {
			close(inside)
			<-leave
		})
	}()
	<-inside
	type answer struct {
		status int
		body   string
	}
	bodies := []string{
		`{"type":"prices","marks":{"BTC":"61000","HYPE":"41"}}`,
		`{"type":"prices","marks":{"BTC":"62000"}}`,
		`{"type":"prices","marks":{"BTC":"1","NOPE":"1"}}`, // refused alone, whatever it stands between
		`{"type":"prices","marks":{"BTC":"63000"}}`,
		`{"type":"prices","marks":{"HYPE":"42"}}`,
	}
	answers := make([]chan answer, len(bodies))
	for i, body := range bodies {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.url()+"/v1/commands", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		answers[i] = make(chan answer, 1)
		go func() {
			status, reply := h.send(req)
			answers[i] <- answer{status, reply}
		}()
		for end := time.Now().Add(5 * time.Second); h.engine.Status().IngressDepth <= i; {
			if time.Now().After(end) {
				t.Fatalf("tick %d has not arrived", i)
			}
			time.Sleep(time.Millisecond)
		}
	}
	close(leave)
	<-left
	var got [5]answer
	for i := range got {
		got[i] = <-answers[i]
	}
	for _, pair := range [][2]int{{0, 1}, {3, 4}} {
		a, b := got[pair[0]], got[pair[1]]
		if a.status != 200 || a != b || !strings.Contains(a.body, `"ok":true`) || !strings.Contains(a.body, `"conflated":true`) {
			t.Errorf("ticks %v are answered %+v and %+v", pair, a, b)
		}
	}
	if bad := got[2]; bad.status != 422 || !strings.Contains(bad.body, `"marks.NOPE"`) || strings.Contains(bad.body, "conflated") {
		t.Errorf("the bad tick is answered %+v", bad)
	}
	mids := h.info(`{"type":"metaAndAssetCtxs"}`)
	if !strings.Contains(mids, `"markPx":"63000.0"`) || !strings.Contains(mids, `"markPx":"42.0"`) {
		t.Errorf("marks are not the newest: %s", mids)
	}
	if status := h.get("/v1/status"); !strings.Contains(status, `"conflated_ticks":2,"conflated_prices":1,`) {
		t.Errorf("status: %s", status)
	}
}
