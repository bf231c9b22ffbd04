package api

import (
	"cmp"
	"net"
	"time"

	"github.com/valyala/fasthttp"

	"plimsoll/internal/engine"
	"plimsoll/risk"
)

// stream is one reader of GET /v1/events: a goroutine that copies events out of the engine's
// history, writes them to the socket, and sleeps until the herald wakes it. It holds nobody
// up. A reader that does not keep up is dropped, with the cursor to resume from as the last
// thing it is sent, while the events behind it are still there.
type stream struct {
	server *Server
	reader *engine.EventReader
	filter eventFilter
	wake   chan struct{} // holds one token; the herald's
	gone   chan struct{} // closed when the peer has hung up
	holder *apiToken     // whose it is, where tokens are needed
	conn   net.Conn

	at        eventCursor // the last event sent or left out
	isLines   bool        // else server-sent events
	isChunked bool        // else, for HTTP/1.0, the end of the connection is the end of the body
	isFresh   bool        // no cursor was given
	isSkipped bool        // events were left out since the last id sent

	events     []risk.Event
	out        []byte    // what is written next
	sentAt     time.Time // when something was last written
	deadline   time.Time // when the write deadline was last set
	caughtUpAt time.Time // when nothing was left to read; zero: never yet
	beatEvery  time.Duration
	lagMax     time.Duration
}

func newStream(s *Server, reader *engine.EventReader, at eventCursor, filter eventFilter) *stream {
	return &stream{
		server: s, reader: reader, at: at, filter: filter, wake: make(chan struct{}, 1), gone: make(chan struct{}),
		beatEvery: cmp.Or(s.listeners.beatEvery, eventHeartbeat), lagMax: cmp.Or(s.listeners.lagMax, eventLagMax),
	}
}

// header sets the header of the reply and returns its bytes.
func (t *stream) header(ctx *fasthttp.RequestCtx) []byte {
	t.server.stamp(ctx, t.at.seq)
	t.isChunked = ctx.Request.Header.IsHTTP11()
	h := &ctx.Response.Header
	ctx.SetContentType("text/event-stream")
	if t.isLines {
		ctx.SetContentType("application/x-ndjson")
	}
	h.Set("Cache-Control", "no-store")
	h.SetConnectionClose()
	if t.isChunked {
		h.SetContentLength(-1)
	} else {
		h.SetContentLength(-2) // up to the end of the connection
	}
	return append([]byte(nil), h.Header()...)
}

// run writes events until the reader goes, does not keep up, or the server shuts down.
func (t *stream) run(conn net.Conn, head []byte) {
	t.conn, t.events = conn, make([]risk.Event, eventsPerPoll)
	t.server.listeners.add(t.server, t)
	go t.watch()
	defer func() {
		t.server.listeners.remove(t.server, t)
		_ = conn.SetReadDeadline(time.Now()) // ends watch
		<-t.gone
	}()
	t.out = append(t.out[:0], head...)
	if !t.write() {
		return
	}
	if t.isFresh && !t.isLines { // a browser that loses us before the first event comes back with this id
		t.begin()
		t.beat()
		if !t.send() {
			return
		}
	}
	timer := time.NewTimer(t.beatEvery)
	defer timer.Stop()
	for t.step() {
		timer.Reset(max(time.Millisecond, t.beatEvery-time.Since(t.sentAt)))
		select {
		case <-t.wake:
		case <-timer.C:
		case <-t.server.closing:
		case <-t.gone:
			return
		}
	}
}

// step sends what there is; false ends the stream.
func (t *stream) step() bool {
	for {
		isClosing := t.server.isClosing() // looked at first: what was published before is sent
		count, err := t.reader.Read(t.events)
		t.begin()
		switch {
		case err != nil:
			t.server.meter.dropped.Add(1)
			t.end(codeHistoryGone, "the events that follow this cursor were overwritten before you read them: read the accounts, "+
				"then follow from their seq")
			return false
		case t.server.isRevoked(t.holder):
			t.end(codeUnauthorized, "the token that this stream was opened with has been taken away")
			return false
		case count > 0:
			t.append(t.events[:count])
		case isClosing:
			t.end(codeShuttingDown, "the server is about to stop: resume from this cursor when it is back")
			return false
		}
		if len(t.out) == t.framing() && time.Since(t.sentAt) >= t.beatEvery {
			t.beat()
		}
		if !t.send() {
			return false
		}
		if count < len(t.events) {
			t.caughtUpAt = t.sentAt
		}
		if count == 0 {
			return true
		}
		if t.isLate() {
			t.begin()
			t.server.meter.dropped.Add(1)
			t.end(codeTooSlow, "you do not keep up with the events: resume from this cursor, soon")
			return false
		}
	}
}

// isLate reports whether the reader once kept up and for some time has not: one that begins
// far back is not late, nor one that a single tick has told very much.
func (t *stream) isLate() bool {
	return t.reader.IsFallingBehind() && time.Since(t.caughtUpAt) > t.lagMax
}

// append appends events to what is sent next, and moves the cursor.
func (t *stream) append(events []risk.Event) {
	for i := range events {
		e := &events[i]
		t.at = eventCursor{e.Seq, e.N}
		if t.isSkipped = !t.filter.passes(e); t.isSkipped {
			continue
		}
		if t.isLines {
			t.out = append(appendEvent(t.out, e, t.server.dir), '\n')
			continue
		}
		t.out = append(t.at.appendID(append(t.out, "id: "...)), "\nevent: "...)
		t.out = append(append(t.out, e.Kind.String()...), "\ndata: "...)
		t.out = append(appendEvent(t.out, e, t.server.dir), "\n\n"...)
	}
}

// beat appends a heartbeat. A server-sent one carries the id, so that the reader's cursor
// moves on although it is shown nothing; a line is empty, with a line of type cursor before
// it where events were left out.
func (t *stream) beat() {
	if !t.isLines {
		t.out = append(t.at.appendID(append(t.out, ":\nid: "...)), "\n\n"...)
	} else {
		if t.isSkipped {
			t.out = append(t.appendPlace(t.out, "cursor"), "}\n"...)
		}
		t.out = append(t.out, '\n')
	}
	t.isSkipped = false
}

// end sends why the stream ends, and the cursor to resume from.
func (t *stream) end(code, message string) {
	if !t.isLines {
		t.out = append(t.out, ": "...)
	}
	t.out = appendTextField(t.appendPlace(t.out, "end"), "code", code)
	t.out = appendTextField(t.out, "message", message)
	t.out = append(t.out, "}\n"...)
	if !t.isLines {
		t.out = append(t.out, '\n')
	}
	t.close()
	if t.isChunked {
		t.out = append(t.out, "0\r\n\r\n"...)
	}
	_ = t.conn.SetWriteDeadline(time.Now().Add(eventEndTimeout))
	_, _ = t.conn.Write(t.out) // a reader that is gone needs no reason
}

// appendPlace opens an object with the cursor and a type.
func (t *stream) appendPlace(dst []byte, kind string) []byte {
	dst = appendUintField(append(dst, '{'), "seq", t.at.seq)
	return appendTextField(appendUintField(dst, "n", uint64(t.at.n)), "type", kind)
}

// chunkHead is the size of a chunk of HTTP/1.1, filled in by close. It holds 16 MiB, and a
// batch of events stays far below.
const chunkHead = "000000\r\n"

var _ [1<<24 - 1024*eventsPerPoll]byte // an event is never longer than that

// framing returns the bytes of out that come before the body.
func (t *stream) framing() int {
	if t.isChunked {
		return len(chunkHead)
	}
	return 0
}

// begin starts a piece of the body.
func (t *stream) begin() {
	t.out = append(t.out[:0], chunkHead[:t.framing()]...)
}

// close ends it.
func (t *stream) close() {
	if !t.isChunked {
		return
	}
	const digits = "0123456789abcdef"
	size := len(t.out) - len(chunkHead)
	for i := len(chunkHead) - 3; i >= 0; i, size = i-1, size>>4 {
		t.out[i] = digits[size&15]
	}
	t.out = append(t.out, "\r\n"...)
}

// send writes the piece begun, if there is anything in it.
func (t *stream) send() bool {
	if len(t.out) == t.framing() {
		return true
	}
	t.close()
	return t.write()
}

// write writes out. A reader that takes nothing for the write timeout has stopped reading: it
// cannot be told either.
func (t *stream) write() bool {
	t.sentAt = time.Now()
	switch {
	case t.server.isClosing():
		_ = t.conn.SetWriteDeadline(t.sentAt.Add(eventEndTimeout))
	case t.sentAt.Sub(t.deadline) > deadlineSlack:
		t.deadline = t.sentAt
		_ = t.conn.SetWriteDeadline(t.sentAt.Add(t.server.limits.Write))
	}
	_, err := t.conn.Write(t.out)
	return err == nil
}

// watch notices when the peer hangs up. What it sends is of no interest: a stream is the last
// reply of its connection.
func (t *stream) watch() {
	defer close(t.gone)
	var b [64]byte
	for {
		if _, err := t.conn.Read(b[:]); err != nil {
			return
		}
	}
}

func (s *Server) isClosing() bool {
	select {
	case <-s.closing:
		return true
	default:
		return false
	}
}
