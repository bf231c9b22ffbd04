package api

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"

	"plimsoll/fixedpoint"
	"plimsoll/internal/engine"
	"plimsoll/internal/journal"
	"plimsoll/risk"
)

// journaled is an engine that keeps a journal on a disk of our choice.
type journaled struct {
	instant
	status engine.Status
	info   journal.SnapshotInfo
	err    error
}

func (j *journaled) Status() engine.Status { return j.status }

func (j *journaled) Snapshot() (journal.SnapshotInfo, error) { return j.info, j.err }

// ask has a server answer one request without a network.
func ask(s *Server, method, path string) (status int, reply string, ctx *fasthttp.RequestCtx) {
	ctx = new(fasthttp.RequestCtx)
	ctx.Request.Header.SetMethod(method)
	ctx.Request.SetRequestURI(path)
	s.Handle(ctx)
	return ctx.Response.StatusCode(), string(ctx.Response.Body()), ctx
}

func serverOver(e Engine) *Server {
	return NewServer(&Config{Engine: e, Directory: testDirectory(), Shards: 1, ClientsMax: 64, Version: "test"})
}

func takenSnapshot() journal.SnapshotInfo {
	return journal.SnapshotInfo{
		File: "data/snapshots/7.snap", Bytes: 1234, Seconds: 0.25,
		SnapshotMeta: journal.SnapshotMeta{
			Seq: 7, TimeMs: 1790091087693, StateHash: strings.Repeat("ab", 16), Accounts: 3, Shards: 2, TakenUnixMs: 1790091087700,
		},
	}
}

func TestSnapshotAnswersWhatItWrote(t *testing.T) {
	status, reply, ctx := ask(serverOver(&journaled{info: takenSnapshot()}), "POST", "/v1/snapshot")
	const want = `{"seq":7,"file":"data/snapshots/7.snap","bytes":1234,"seconds":0.250,` +
		`"state_hash":"abababababababababababababababab","accounts":3,"time":1790091087693,"taken":1790091087700,"shards":2}`
	if status != 200 || reply != want || string(ctx.Response.Header.Peek("X-Plimsoll-Seq")) != "7" {
		t.Errorf("%d %s\nwant %s", status, reply, want)
	}
}

func TestSnapshotThatCannotBeTakenSaysWhy(t *testing.T) {
	for _, c := range []struct {
		method string
		engine *journaled
		status int
		code   string
	}{
		{"POST", &journaled{status: engine.Status{NothingIsKept: true}}, 409, codeNoJournal},
		{"POST", &journaled{err: journal.ErrSnapshotRunning}, 409, codeSnapshotRunning},
		{"POST", &journaled{err: engine.ErrClosed}, 503, codeUnavailable},
		{"POST", &journaled{err: errors.New("a broken disk")}, 503, codeUnavailable},
		{"GET", &journaled{}, 405, codeMethodNotAllowed},
	} {
		status, reply, ctx := ask(serverOver(c.engine), c.method, "/v1/snapshot")
		if status != c.status || !strings.Contains(reply, `"code":"`+c.code+`"`) {
			t.Errorf("%s: %d %s, want %d %s", c.method, status, reply, c.status, c.code)
		}
		if hasRetry := len(ctx.Response.Header.Peek("Retry-After")) > 0; hasRetry != (c.status == 503) {
			t.Errorf("%s: Retry-After is there: %v", c.code, hasRetry)
		}
	}
}

func TestHouseWithoutAJournalTakesNoSnapshot(t *testing.T) {
	h := newHouse(t, 1)
	status, reply, _ := h.do("POST", "/v1/snapshot", "", "")
	if status != 409 || !strings.Contains(reply, codeNoJournal) || !strings.Contains(reply, "--data none") {
		t.Errorf("%d %s", status, reply)
	}
}

// TestServerListensBeforeTheEngineIsThere: until recovery is over the process is alive, not
// ready, and says so to everybody.
func TestServerListensBeforeTheEngineIsThere(t *testing.T) {
	h := newHouse(t, 1)
	dir := NewDirectory(1 << 12)
	s := NewServer(&Config{Directory: dir, Shards: 1, ClientsMax: 64, Version: "test"})
	listen, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.Serve(listen) }()
	t.Cleanup(func() { _ = s.Shutdown(t.Context()) })
	early := &house{t: t, client: h.client, listen: listen}

	for _, c := range []struct{ method, path string }{
		{"GET", "/readyz"},
		{"GET", "/v1/status"},
		{"GET", "/v1/accounts/bob"},
		{"POST", "/v1/commands"},
		{"POST", "/v1/snapshot"},
		{"POST", "/info"},
		{"GET", "/v1/events"},
		{"GET", "/v1/pools/USDC"},
	} {
		status, reply, header := early.do(c.method, c.path, "application/json", "")
		if status != 503 || !strings.Contains(reply, `"code":"not_ready"`) || !strings.Contains(reply, "recovery") ||
			header.Get("Retry-After") == "" {
			t.Errorf("%s %s: %d %s, want 503 not_ready", c.method, c.path, status, reply)
		}
	}
	if status, _, _ := early.do("GET", "/healthz", "", ""); status != http.StatusOK {
		t.Errorf("/healthz: %d", status)
	}
	s.Open(h.engine)
	for _, path := range []string{"/readyz", "/healthz", "/v1/status"} {
		if status, reply, _ := early.do("GET", path, "", ""); status != http.StatusOK {
			t.Errorf("GET %s: %d %s", path, status, reply)
		}
	}
}

func TestReadinessTellsItsReason(t *testing.T) {
	reason := errors.New("draining: the daemon is about to stop")
	s := NewServer(&Config{
		Engine: &journaled{}, Directory: testDirectory(), Shards: 1, ClientsMax: 64, Ready: func() error { return reason },
	})
	if status, reply, _ := ask(s, "GET", "/readyz"); status != 503 || !strings.Contains(reply, reason.Error()) || !json.Valid([]byte(reply)) {
		t.Errorf("%d %s", status, reply)
	}
	if status, reply, _ := ask(s, "GET", "/healthz"); status != 200 || reply != "ok\n" {
		t.Errorf("%d %s", status, reply)
	}
	reason = nil
	if status, reply, _ := ask(s, "GET", "/readyz"); status != 200 {
		t.Errorf("%d %s", status, reply)
	}
}

func TestFullDiskIsReadOnly(t *testing.T) {
	e := &fullDisk{journaled{status: engine.Status{ReadOnly: true}}}
	s := NewServer(&Config{
		Engine: e, Directory: testDirectory(), Shards: 1, ClientsMax: 64, FreeLowBytes: 512 << 20,
	})
	for _, client := range []string{"", "desk"} {
		ctx := orderRequest()
		ctx.Request.Header.Set(clientHeader, client)
		s.Handle(ctx)
		reply := string(ctx.Response.Body())
		if ctx.Response.StatusCode() != 503 || !strings.Contains(reply, `"code":"read_only"`) ||
			!strings.Contains(reply, "100 MiB") || !strings.Contains(reply, `"limit":"free_low_bytes=536870912"`) ||
			string(ctx.Response.Header.Peek("Retry-After")) != "1" {
			t.Errorf("%d %s", ctx.Response.StatusCode(), reply)
		}
	}
	if _, isOpen := s.dir.Client([]byte("desk")); isOpen {
		t.Error("a client that the journal has not is open")
	}
	if status, _, _ := ask(s, "GET", "/readyz"); status != 200 {
		t.Errorf("/readyz: %d, want 200: reads go on", status)
	}
}

// fullDisk is an engine whose journal has no room.
type fullDisk struct{ journaled }

func (fullDisk) Submit([]risk.Command, []engine.Result) error { return engine.ErrReadOnly }

func (fullDisk) Space() (free uint64, isLow bool) { return 100 << 20, true }

func (fullDisk) StateHash() (hash fixedpoint.Hash128, seq uint64, err error) {
	return fixedpoint.Hash128{Hi: 1, Lo: 2}, 9, nil
}

func TestStatusTellsOfTheJournal(t *testing.T) {
	info := takenSnapshot()
	e := &fullDisk{journaled{status: engine.Status{
		Sequenced: 9, Durable: 9, Applied: []uint64{9, 9}, ReadOnly: true, Term: 3, LastSnapshot: &info, SequenceDepth: 4,
		Recovery: engine.Recovery{Report: journal.Report{
			SnapshotFile: "7.snap", SnapshotSeq: 7, Frames: 2, Commands: 2, LastSeq: 9, BytesCut: 100,
			CutReason: "a torn \"batch\"", HashChecked: 7, Seconds: 1.5,
		}},
	}}}
	_, reply, _ := ask(serverOver(e), "GET", "/v1/status")
	for _, want := range []string{
		`"role":"leader","term":3,"sequenced":9,"durable":9,"applied":[9,9],"state_hash":"00000000000000010000000000000002"`,
		`"read_only":true,"free_bytes":104857600`, `"last_snapshot":{"seq":7,"file":"data/snapshots/7.snap",`,
		`"recovery":{"snapshot_file":"7.snap","snapshot_seq":7,"frames":2,"commands":2,"last_seq":9,"bytes_cut":100,` +
			`"cut_reason":"a torn \"batch\"","hash_checked_seq":7,"seconds":1.500}`,
	} {
		if !strings.Contains(reply, want) || !json.Valid([]byte(reply)) {
			t.Errorf("%s\nwants %s", reply, want)
		}
	}
	e.status = engine.Status{NothingIsKept: true}
	_, reply, _ = ask(serverOver(e), "GET", "/v1/status")
	for _, want := range []string{`"term":1,`, `"last_snapshot":null`, `"recovery":null`, `"read_only":false`} {
		if !strings.Contains(reply, want) || !json.Valid([]byte(reply)) {
			t.Errorf("%s\nwants %s", reply, want)
		}
	}
}
