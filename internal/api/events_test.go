package api

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"plimsoll/internal/engine"
	"plimsoll/risk"
)

// smallSockets is a listener whose connections hold little: a reader that does not read is
// noticed after some KiB.
type smallSockets struct{ net.Listener }

func (l smallSockets) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(4 << 10)
	}
	return c, err
}

// newEventHouse is newHouse with a history of so many events and quick heartbeats.
func newEventHouse(t testing.TB, shards, history int) *house {
	t.Helper()
	cfg := engine.DefaultConfig()
	cfg.Shards, cfg.AccountsMax, cfg.Clock, cfg.EventHistory = shards, 1<<12, engine.ClockCommands, history
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
		Engine: e, Directory: NewDirectory(cfg.AccountsMax), Shards: shards, ClientsMax: cfg.ClientsMax, Version: "test",
	})
	h.server.listeners.beatEvery = 20 * time.Millisecond
	go func() { _ = h.server.Serve(smallSockets{listen}) }()
	t.Cleanup(func() {
		h.client.CloseIdleConnections()
		_ = h.server.Shutdown(t.Context())
		e.Close()
	})
	h.must(
		`{"type":"clock","time":1790091087693}`, token("USDC", 0, 8, "0", ""),
		`{"type":"list_dex","dex":"","index":0,"collateral_token":"USDC"}`,
		`{"type":"list_perp","perp":"BTC","index":0,"dex":"","sz_decimals":5,"collateral_token":"USDC","tiers":[{"lower_bound":"0","max_leverage":40}],"margin_mode":"normal","funding_cap":"0.04"}`,
		`{"type":"prices","marks":{"BTC":"60000"},"oracles":{"BTC":"60000"}}`,
	)
	return h
}

// crowd opens accounts that a tick to 51000 puts at risk, all of them, and one to 60000 saves.
func (h *house) crowd(accounts int) {
	h.t.Helper()
	for i := range accounts {
		h.must(fmt.Sprintf(`{"type":"open_account","account":"crowd-%d","mode":"standard"}`, i),
			fmt.Sprintf(`{"type":"deposit","account":"crowd-%d","token":"USDC","amount":"1000"}`, i),
			fmt.Sprintf(`{"type":"fill","account":"crowd-%d","market":"BTC","side":"buy","size":"0.1","price":"60000"}`, i))
	}
}

func (h *house) tick(price int) {
	h.t.Helper()
	h.must(fmt.Sprintf(`{"type":"prices","marks":{"BTC":"%d"}}`, price))
}

// halts sends commands with one event each.
func (h *house) halts(commands int) {
	h.t.Helper()
	var lines []string
	for i := range commands {
		lines = append(lines, fmt.Sprintf(`{"type":%q,"market":"BTC"}`, []string{"halt", "resume"}[i%2]))
		if len(lines) == 1000 || i == commands-1 {
			h.must(lines...)
			lines = lines[:0]
		}
	}
}

// subscriber reads a stream line by line.
type subscriber struct {
	t     testing.TB
	resp  *http.Response
	lines *bufio.Reader
}

func (h *house) subscribe(path, accept, lastID string) *subscriber {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), http.MethodGet, h.url()+path, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Accept", accept)
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	resp, err := h.client.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	s := &subscriber{t: h.t, resp: resp, lines: bufio.NewReader(resp.Body)}
	h.t.Cleanup(s.close)
	return s
}

func (s *subscriber) close() { _ = s.resp.Body.Close() }

func (s *subscriber) line() string {
	s.t.Helper()
	line, err := s.lines.ReadString('\n')
	if err != nil {
		s.t.Fatalf("after %q: %v", line, err)
	}
	return strings.TrimSuffix(line, "\n")
}

// next returns the next line that is no heartbeat.
func (s *subscriber) next() string {
	s.t.Helper()
	for {
		if line := s.line(); line != "" {
			return line
		}
	}
}

// take returns the next events as lines.
func (s *subscriber) take(count int) (lines []string) {
	s.t.Helper()
	for range count {
		lines = append(lines, s.next())
	}
	return lines
}

// placed is what all lines have.
type placed struct {
	Seq       uint64
	N         uint32
	Type      string
	Code      string
	OldestSeq uint64 `json:"oldest_seq"`
}

func placeOf(t testing.TB, line string) (p placed) {
	t.Helper()
	if err := json.Unmarshal([]byte(line), &p); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return p
}

const (
	asLines = "application/x-ndjson"
	asSSE   = "text/event-stream"
)

// TestStreamsResumeAtEveryEvent: from each cursor, also inside a Seq, exactly the rest comes,
// in both forms.
func TestStreamsResumeAtEveryEvent(t *testing.T) {
	h := newEventHouse(t, 2, 1<<12)
	h.crowd(4)
	h.tick(51000)
	h.tick(60000)
	const total = 4 + 4 + 4 // idle to healthy, at risk, and back
	all := h.subscribe("/v1/events?after=0", asLines, "").take(total)
	last := placeOf(t, all[total-1])
	if last.N != 4 {
		t.Fatalf("the last tick told %d: %s", last.N, all[total-1])
	}
	for i, line := range all {
		p := placeOf(t, line)
		id := fmt.Sprintf("%d.%d", p.Seq, p.N)
		for _, s := range []*subscriber{
			h.subscribe("/v1/events", asLines, id),
			h.subscribe("/v1/events?after=0", asLines, id), // a browser repeats the query
			h.subscribe("/v1/events?after="+id, asLines, ""),
		} {
			for _, want := range all[i+1:] {
				if got := s.next(); got != want {
					t.Fatalf("after %s: %s, want %s", id, got, want)
				}
			}
			if got := s.line(); got != "" {
				t.Errorf("after %s and the rest: %s, want a heartbeat", id, got)
			}
			s.close()
		}
		s := h.subscribe("/v1/events", asSSE, id)
		for _, want := range all[i+1:] {
			w := placeOf(t, want)
			for _, field := range []string{fmt.Sprintf("id: %d.%d", w.Seq, w.N), "event: " + w.Type, "data: " + want, ""} {
				if got := s.line(); got != field {
					t.Fatalf("after %s: %q, want %q", id, got, field)
				}
			}
		}
		for _, field := range []string{":", fmt.Sprintf("id: %d.%d", last.Seq, last.N), ""} {
			if got := s.line(); got != field {
				t.Errorf("heartbeat after %s: %q, want %q", id, got, field)
			}
		}
		s.close()
	}
	whole := h.subscribe(fmt.Sprintf("/v1/events?after=%d", last.Seq-1), asLines, "")
	if got := whole.next(); got != all[total-4] {
		t.Errorf("after all of seq %d: %s, want %s", last.Seq-1, got, all[total-4])
	}
}

func TestStreamWithoutACursorBeginsNow(t *testing.T) {
	h := newEventHouse(t, 1, 1<<12)
	h.halts(3)
	lines := h.subscribe("/v1/events", asLines, "")
	sse := h.subscribe("/v1/events", asSSE, "")
	seq := lines.resp.Header.Get("X-Plimsoll-Seq")
	for _, want := range []string{":", "id: " + seq + ".4294967295", ""} {
		if got := sse.line(); got != want {
			t.Errorf("first of a stream from now: %q, want %q", got, want)
		}
	}
	h.must(`{"type":"resume","market":"BTC"}`)
	got := placeOf(t, lines.next())
	if strconv.FormatUint(got.Seq-1, 10) != seq || got.N != 1 || got.Type != "resumed" {
		t.Errorf("got %+v, want the event after seq %s", got, seq)
	}
}

func TestCursorsOutsideOfTheHistoryAreRefused(t *testing.T) {
	h := newEventHouse(t, 1, 1024)
	h.halts(3000)
	status, reply, header := h.do("GET", "/v1/events?after=10", "", "")
	var gone struct {
		Error struct {
			Code, Field, Limit string
			OldestSeq          uint64 `json:"oldest_seq"`
		}
	}
	if err := json.Unmarshal([]byte(reply), &gone); err != nil || status != http.StatusGone || gone.Error.Code != codeHistoryGone ||
		gone.Error.Field != "after" || gone.Error.Limit != fmt.Sprintf("oldest_seq=%d", gone.Error.OldestSeq) || header.Get("X-Plimsoll-Seq") == "" {
		t.Fatalf("%d %s (%v)", status, reply, err)
	}
	s := h.subscribe(fmt.Sprintf("/v1/events?after=%d", gone.Error.OldestSeq-1), asLines, "")
	if p := placeOf(t, s.next()); p.Seq != gone.Error.OldestSeq || p.N != 1 {
		t.Errorf("from the oldest seq, %d, comes %+v", gone.Error.OldestSeq, p)
	}
	if status, reply, _ = h.do("GET", fmt.Sprintf("/v1/events?after=%d", gone.Error.OldestSeq-2), "", ""); status != http.StatusGone {
		t.Errorf("from before the oldest seq: %d %s", status, reply)
	}
	for _, c := range []struct {
		path, id, code string
		status         int
	}{
		{"/v1/events?after=3006", "", codeCursorAhead, 409},
		{"/v1/events", "3006.1", codeCursorAhead, 409},
		{"/v1/events?after=-1", "", codeInvalidNumber, 400},
		{"/v1/events?after=3000.x", "", codeInvalidNumber, 400},
		{"/v1/events", "3000", codeInvalidID, 400},
		{"/v1/events", "3000.1.1", codeInvalidID, 400},
		{"/v1/events?types=halted,nonsense", "", codeInvalidValue, 400},
		{"/v1/events?types=result", "", codeInvalidValue, 400},
		{"/v1/events?account=nobody", "", codeUnknownAccount, 404},
	} {
		s := h.subscribe(c.path, asSSE, c.id)
		body, err := io.ReadAll(s.resp.Body)
		if s.resp.StatusCode != c.status || !strings.Contains(string(body), `"code":"`+c.code+`"`) {
			t.Errorf("%s %s: %d %s (%v), want %d %s", c.path, c.id, s.resp.StatusCode, body, err, c.status, c.code)
		}
	}
	if got := h.server.streams.Load(); got > 1 {
		t.Errorf("%d streams are counted, want the one that is open", got)
	}
}

func TestFilteredStreamsShowTheirOwnAndMoveOn(t *testing.T) {
	h := newEventHouse(t, 2, 1<<12)
	h.crowd(3)
	h.halts(1)
	h.tick(51000)
	_, _, header := h.do("GET", "/healthz", "", "")
	last := header.Get("X-Plimsoll-Seq")
	one := h.subscribe("/v1/events?after=0&account=crowd-1&types=health_changed,halted", asLines, "")
	for _, want := range []string{
		`{"seq":11,"n":1,"type":"health_changed","time":1790091087693,"account":"crowd-1","from":"idle","to":"healthy","token":"USDC","liquidation_value":"1000.0","requirement":"75.0","ratio":"0.075"}`,
		`{"seq":` + last + `,"n":2,"type":"health_changed","time":1790091087693,"account":"crowd-1","from":"healthy","to":"at_risk",` +
			`"token":"USDC","liquidation_value":"100.0","requirement":"63.75","ratio":"0.6375","ratio_before":"0.075"}`,
		`{"seq":` + last + `,"n":3,"type":"cursor"}`, // over crowd-2, which it is not shown
		"", "",
	} {
		if got := one.line(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	sse := h.subscribe("/v1/events?after=0&types=funding,resumed", asSSE, "")
	for _, want := range []string{":", "id: " + last + ".3", ""} {
		if got := sse.line(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	h.halts(2)
	for line := ""; line != "event: resumed"; line = sse.line() {
		if strings.HasPrefix(line, "data:") || line != "" && strings.HasPrefix(line, "event:") {
			t.Errorf("got %q, want the event that resumes", line)
		}
	}
}

// TestSlowReaderIsDroppedWithItsCursor: a reader that reads nothing holds nobody up, and what
// it finds when it reads at last is every event in order up to a line that names the cursor.
func TestSlowReaderIsDroppedWithItsCursor(t *testing.T) {
	for _, c := range []struct {
		name   string
		lagMax time.Duration
		code   string
	}{
		{"while its events are there", time.Nanosecond, codeTooSlow},
		{"when they are gone", time.Hour, codeHistoryGone},
	} {
		h := newEventHouse(t, 1, 4096)
		h.server.listeners.lagMax = c.lagMax
		nc, err := net.Dial("tcp", h.listen.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_ = nc.(*net.TCPConn).SetReadBuffer(4 << 10)
		_, _ = io.WriteString(nc, "GET /v1/events?after=0 HTTP/1.1\r\nHost: x\r\nAccept: application/x-ndjson\r\n\r\n")
		awaitStreams(t, h, 1)
		done := make(chan struct{})
		go func() { h.halts(2000); close(done) }()
		for halted := 2000; ; halted += 1000 {
			select {
			case <-done:
			case <-time.After(20 * time.Second):
				t.Fatalf("%s: a reader holds the engine up", c.name)
			}
			if halted >= 30_000 {
				break
			}
			done = make(chan struct{})
			go func() { h.halts(1000); close(done) }()
			time.Sleep(time.Millisecond)
		}
		resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
		if err != nil {
			t.Fatal(err)
		}
		last, ended := placed{Seq: 5}, placed{}
		scanner := bufio.NewScanner(resp.Body)
		for scanner.Scan() {
			if scanner.Text() == "" {
				continue
			}
			p := placeOf(t, scanner.Text())
			if p.Type == "end" {
				ended = p
				continue
			}
			if p.Seq != last.Seq+1 || ended.Type != "" {
				t.Fatalf("%s: %s after %d", c.name, scanner.Text(), last.Seq)
			}
			last = p
		}
		if scanner.Err() != nil || ended.Code != c.code || ended.Seq != last.Seq || ended.N != 1 {
			t.Errorf("%s: ends with %+v after %+v (%v), want %s and this cursor", c.name, ended, last, scanner.Err(), c.code)
		}
		nc.Close()
		awaitStreams(t, h, 0)
	}
}

// awaitStreams waits until so many streams are open and run.
func awaitStreams(t testing.TB, h *house, want int32) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		h.server.listeners.mu.Lock()
		running := int32(len(h.server.listeners.streams))
		h.server.listeners.mu.Unlock()
		if running == want && h.server.streams.Load() == want {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d streams run, want %d", running, want)
		}
	}
}

func TestStreamsAreFreedWhenReadersHangUp(t *testing.T) {
	h := newEventHouse(t, 1, 1024)
	h.server.listeners.beatEvery = time.Hour
	var open []*subscriber
	for range eventStreamsMax {
		open = append(open, h.subscribe("/v1/events", asLines, ""))
	}
	awaitStreams(t, h, eventStreamsMax)
	status, reply, header := h.do("GET", "/v1/events", "", "")
	if status != http.StatusTooManyRequests || !strings.Contains(reply, codeTooManyStreams) || !strings.Contains(reply, limitStreams) ||
		header.Get("Retry-After") == "" {
		t.Errorf("one stream too many: %d %s", status, reply)
	}
	h.halts(1)
	for i, s := range open {
		if got := s.next(); !strings.Contains(got, "halted") {
			t.Errorf("stream %d: %s", i, got)
		}
		s.close()
	}
	awaitStreams(t, h, 0)
	h.subscribe("/v1/events", asLines, "").close()
}

// TestShutdownEndsStreams: what was acknowledged is sent, then the end and its cursor; a
// reader that does not read holds the shutdown up for a second at most.
func TestShutdownEndsStreams(t *testing.T) {
	h := newEventHouse(t, 1, 1<<16)
	lines, sse := h.subscribe("/v1/events", asLines, ""), h.subscribe("/v1/events", asSSE, "")
	nc, err := net.Dial("tcp", h.listen.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_, _ = io.WriteString(nc, "GET /v1/events?after=0 HTTP/1.1\r\nHost: x\r\n\r\n")
	awaitStreams(t, h, 3)
	h.halts(20_000)
	texts := make(chan string, 2)
	for _, s := range []*subscriber{lines, sse} {
		go func() {
			text, err := io.ReadAll(s.lines)
			texts <- fmt.Sprintf("%s%v", text[max(0, len(text)-400):], err)
		}()
	}
	h.client.CloseIdleConnections()
	begin := time.Now()
	if err := h.server.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took > 4*eventEndTimeout {
		t.Errorf("a reader held the shutdown up for %v", took)
	}
	for range 2 {
		text := <-texts
		end := `{"seq":20005,"n":1,"type":"end","code":"shutting_down",`
		if !strings.HasSuffix(text, "<nil>") || !strings.Contains(text, `{"seq":20005,"n":1,"type":"resumed"`) || !strings.Contains(text, end) {
			t.Errorf("ends with %s, want the last event and %s", text, end)
		}
	}
	awaitStreams(t, h, 0)
}

func TestStreamsInOtherForms(t *testing.T) {
	h := newEventHouse(t, 1, 1024)
	h.halts(2)
	nc, err := net.Dial("tcp", h.listen.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_, _ = io.WriteString(nc, "GET /v1/events?after=0 HTTP/1.0\r\nAccept: application/x-ndjson\r\n\r\n")
	r := bufio.NewReader(nc)
	var head, line string
	for head = ""; !strings.HasSuffix(head, "\r\n\r\n"); head += line {
		if line, err = r.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	if line, err = r.ReadString('\n'); err != nil || strings.Contains(head, "chunked") || !strings.HasPrefix(line, `{"seq":6,`) {
		t.Errorf("HTTP/1.0: %s%s (%v)", head, line, err)
	}
	status, body, header := h.do("HEAD", "/v1/events?after=0", "", "")
	if status != 200 || body != "" || header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("HEAD: %d %q %v", status, body, header)
	}
	nc.Close()
	awaitStreams(t, h, 0)
}

// sink is a connection that takes everything at once.
type sink struct {
	net.Conn
	bytes atomic.Int64
}

func (s *sink) Write(p []byte) (int, error) {
	s.bytes.Add(int64(len(p)))
	return len(p), nil
}

func (s *sink) SetWriteDeadline(time.Time) error { return nil }

func TestEventsAreWrittenWithoutAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	h := newEventHouse(t, 1, 1024)
	h.crowd(4)
	for _, isLines := range []bool{true, false} {
		s := newStream(h.server, nil, eventCursor{}, eventFilter{})
		s.conn, s.isLines, s.isChunked, s.events = &sink{}, isLines, true, make([]risk.Event, eventsPerPoll)
		reader, err := h.engine.EventsFrom(0, afterAll)
		if err != nil {
			t.Fatal(err)
		}
		count, err := reader.Read(s.events)
		if err != nil || count != 4 {
			t.Fatalf("%d events: %v", count, err)
		}
		n := testing.AllocsPerRun(100, func() {
			s.begin()
			s.append(s.events[:count])
			s.beat()
			if !s.send() {
				t.Error("not sent")
			}
		})
		if n != 0 {
			t.Errorf("lines %v: %v allocations a batch, want 0", isLines, n)
		}
	}
}
