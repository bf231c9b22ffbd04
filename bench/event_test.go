package bench

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httputil"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"plimsoll/internal/api"
)

const (
	tickEvery       = 5 * time.Millisecond // of a measured tick; an echo in the middle between
	eventTicks      = 4_000                // measured
	eventTicksWarm  = 200                  // before, not counted
	loadConnections = 10
	loadRate        = 10_000 // commands a second over all connections, one a request
	spinBefore      = 200 * time.Microsecond
	lateMost        = 10 * time.Second // then no more ticks are sent
)

// BenchmarkTickToEvent is the way of a price: from the moment it is to be sent to HTTP ingress
// to the moment its health_changed has been read from the event stream, over loopback, in one
// process, nothing journaled. A million accounts, of which each tick crosses exactly one, there
// and back; beside it ten connections send 10,000 orders and cancels a second, one a request.
// Ticks and orders have a timetable that waits for nobody: a time counts from when its request
// was due, so that a stall is charged to all it delays.
//
//	p50-us, p99-us, p99.9-us   due to event
//	ack-p99-us                 due to the tick's own answer
//	echo-p50-us, echo-p99-us   the same request to a bare echo server, between the ticks: what the
//	                           machine and its load allow
//	late-p99-us                how late ticks were sent: the part of all these that is the sender's
//	order-p99-us               due to answer of the background load
//	load/s                     orders and cancels answered a second
//	conflated                  ticks merged into the next one under pressure; they tell nothing
func BenchmarkTickToEvent(b *testing.B) {
	accounts := million
	if testing.Short() {
		accounts = 10_000
	}
	for _, mode := range eachMode() {
		s := &heldShape{accounts: accounts, mode: mode, poised: []int{1}, nearPpm: 5_000}
		b.Run(s.String(), func(b *testing.B) { tickToEvent(b, s) })
	}
}

func tickToEvent(b *testing.B, s *heldShape) {
	b.Helper()
	v := newLiveVenue(b, s)
	body := func(halves int64) []byte {
		return fmt.Appendf(nil, `{"type":"prices","marks":{%q:"%s"}}`, perpName(mostHeld), priceText(fallen(halves)))
	}
	// Padded to one length, so that a caller can swap them in place.
	down, up := body(2*poisedBp(0)+2), body(2*poisedBp(0))
	width := max(len(down), len(up))
	bodies := [2][]byte{padded(down, width), padded(up, width)}
	count := eventTicks
	if testing.Short() {
		count = 200
	}
	edit := func(body []byte, _, turn int) { copy(body, bodies[turn%2]) }
	ticker := newFleet(b, v.api, 1, "/v1/commands", kindJSON, bodies[0], edit)[0]
	echo := newFleet(b, v.echo, 1, "/", kindJSON, bodies[0], edit)[0]
	fleet{ticker}.send(b, 2) // to where the measured ticks begin
	stream := v.listen(b)
	load := v.startLoad(b)
	runtime.GC()
	t := newTimetable(count + eventTicksWarm)
	t.run(b, ticker, echo)
	load.stop(b)
	events := stream.take(b, t)
	for b.Loop() { // the timetable is as long as it is
	}
	t.report(b, events)
	load.report(b)
	b.ReportMetric(0, "ns/op")
}

func priceText(mark int64) string {
	return strconv.FormatInt(mark/10, 10) + "." + strconv.FormatInt(mark%10, 10)
}

func padded(body []byte, width int) []byte {
	return append(body, bytes.Repeat([]byte{' '}, width-len(body))...)
}

// liveVenue is a served engine with a crowd, and a bare echo server.
type liveVenue struct {
	w         *crowd
	api, echo net.Addr
}

func newLiveVenue(b *testing.B, s *heldShape) *liveVenue {
	b.Helper()
	v := &liveVenue{w: drawHeld(s)}
	e := newEngine(b, v.w, 1)
	load(b, e, v.w)
	server := api.NewServer(&api.Config{
		Engine: e, Directory: newDirectory(b, v.w), Shards: 1, ClientsMax: 64, Version: "bench", Ready: func() error { return nil },
	})
	v.api = serve(b, server.Serve, server.Shutdown)
	bare := &fasthttp.Server{Handler: func(ctx *fasthttp.RequestCtx) { ctx.SetBody(ctx.PostBody()) }, CloseOnShutdown: true}
	v.echo = serve(b, bare.Serve, bare.ShutdownWithContext)
	return v
}

// waitUntil returns at a moment, as exactly as a goroutine can: a timer wakes up to a tenth of
// a millisecond late, so the last part is spent yielding.
func waitUntil(due time.Time) {
	if left := time.Until(due); left > spinBefore {
		time.Sleep(left - spinBefore)
	}
	for time.Now().Before(due) {
		runtime.Gosched()
	}
}

// timetable is when ticks were due, sent and answered, and at which Seq.
type timetable struct {
	due             []time.Time
	late, ack, echo []time.Duration
	seq             []uint64
	isConflated     []bool
}

func newTimetable(ticks int) *timetable {
	return &timetable{
		due: make([]time.Time, 0, ticks), late: make([]time.Duration, 0, ticks), ack: make([]time.Duration, 0, ticks),
		echo: make([]time.Duration, 0, ticks), seq: make([]uint64, 0, ticks), isConflated: make([]bool, 0, ticks),
	}
}

// run sends all ticks when they are due, and an echo between each two.
func (t *timetable) run(b *testing.B, ticker, echo *caller) {
	b.Helper()
	began := time.Now().Add(10 * time.Millisecond)
	for n := range cap(t.due) {
		due := began.Add(time.Duration(n) * tickEvery)
		waitUntil(due)
		sent := time.Now()
		if sent.Sub(due) > lateMost && n > 2*eventTicksWarm {
			return // it cannot keep up; what was measured says by how much
		}
		if err := ticker.once(); err != nil {
			b.Fatal(err)
		}
		t.due, t.late, t.ack = append(t.due, due), append(t.late, sent.Sub(due)), append(t.ack, time.Since(due))
		seq, err := seqOf(ticker.reply)
		if err != nil {
			b.Fatal(err)
		}
		isConflated := bytes.Contains(ticker.reply, []byte(`"conflated":true`))
		t.seq, t.isConflated = append(t.seq, seq), append(t.isConflated, isConflated)
		due = due.Add(tickEvery / 2)
		waitUntil(due)
		if err := echo.once(); err != nil {
			b.Fatal(err)
		}
		t.echo = append(t.echo, time.Since(due))
	}
}

// seqOf returns the first seq named in a JSON text.
func seqOf(text []byte) (uint64, error) {
	_, digits, isThere := bytes.Cut(text, []byte(`"seq":`))
	end := bytes.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' })
	if !isThere || end < 0 {
		return 0, fmt.Errorf("no seq in %.200s", text)
	}
	return strconv.ParseUint(string(digits[:end]), 10, 64)
}

// report joins ticks with their events by Seq: every tick that was not conflated has one.
func (t *timetable) report(b *testing.B, events map[uint64]time.Time) {
	b.Helper()
	var took []time.Duration
	conflated := 0
	for n := eventTicksWarm; n < len(t.due); n++ { // those before it warm up
		at, isTold := events[t.seq[n]]
		switch {
		case isTold:
			took = append(took, at.Sub(t.due[n]))
		case t.isConflated[n]:
			conflated++
		default:
			b.Fatalf("tick %d at seq %d told no event", n, t.seq[n])
		}
	}
	reportMicros(b, "p50-us", took, 0.5)
	reportMicros(b, "p99-us", took, 0.99)
	reportMicros(b, "p99.9-us", took, 0.999)
	reportMicros(b, "ack-p99-us", t.ack[eventTicksWarm:], 0.99)
	reportMicros(b, "echo-p50-us", t.echo[eventTicksWarm:], 0.5)
	reportMicros(b, "echo-p99-us", t.echo[eventTicksWarm:], 0.99)
	reportMicros(b, "late-p99-us", t.late[eventTicksWarm:], 0.99)
	b.ReportMetric(float64(conflated), "conflated")
	b.ReportMetric(float64(len(took)), "ticks")
}

func reportMicros(b *testing.B, name string, took []time.Duration, part float64) {
	b.Helper()
	b.ReportMetric(float64(quantile(took, part).Nanoseconds())/1000, name)
}

// eventStream reads the venue's events.
type eventStream struct {
	conn   net.Conn
	last   atomic.Uint64 // Seq of the newest health_changed
	seqs   []uint64
	at     []time.Time
	fault  error
	closed chan struct{}
}

// listen opens the event stream and reads every line as soon as it comes.
func (v *liveVenue) listen(b *testing.B) *eventStream {
	b.Helper()
	conn, err := net.Dial("tcp", v.api.String())
	if err != nil {
		b.Fatal(err)
	}
	s := &eventStream{conn: conn, closed: make(chan struct{})}
	b.Cleanup(func() { conn.Close() })
	const request = "GET /v1/events HTTP/1.1\r\nHost: bench\r\nAccept: application/x-ndjson\r\n\r\n"
	if _, err := io.WriteString(conn, request); err != nil {
		b.Fatal(err)
	}
	reader := bufio.NewReaderSize(conn, 1<<16)
	status, err := reader.ReadString('\n')
	if err != nil || !strings.Contains(status, " 200 ") {
		b.Fatalf("event stream: %q, %v", status, err)
	}
	for line := status; line != "\r\n"; {
		if line, err = reader.ReadString('\n'); err != nil {
			b.Fatal(err)
		}
	}
	go s.read(bufio.NewReader(httputil.NewChunkedReader(reader)))
	return s
}

func (s *eventStream) read(reader *bufio.Reader) {
	defer close(s.closed)
	for {
		line, err := reader.ReadSlice('\n')
		now := time.Now()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				s.fault = err
			}
			return
		}
		if !bytes.Contains(line, []byte(`"health_changed"`)) {
			continue
		}
		seq, err := seqOf(line)
		if err != nil {
			s.fault = err
			return
		}
		s.seqs, s.at = append(s.seqs, seq), append(s.at, now)
		s.last.Store(seq)
	}
}

// take waits for the last tick's event, closes the stream and returns when the first event of
// each Seq came.
func (s *eventStream) take(b *testing.B, t *timetable) map[uint64]time.Time {
	b.Helper()
	for deadline := time.Now().Add(5 * time.Second); s.last.Load() < t.seq[len(t.seq)-1] && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	s.conn.Close()
	<-s.closed
	if s.fault != nil {
		b.Fatal(s.fault)
	}
	events := make(map[uint64]time.Time, len(s.seqs))
	for i, seq := range s.seqs {
		if _, isTwice := events[seq]; isTwice {
			b.Fatalf("seq %d told two accounts, want one", seq)
		}
		events[seq] = s.at[i]
	}
	return events
}
