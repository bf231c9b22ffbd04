package api

import (
	"bytes"
	"errors"
	"net"
	"net/http"
	"strconv"

	"github.com/valyala/fasthttp"

	"plimsoll/internal/engine"
	"plimsoll/risk"
)

// eventCursor is the place of an event: its Seq, and its number in it from 1.
type eventCursor struct {
	seq uint64
	n   uint32
}

// afterAll is an event number after every event of a Seq.
const afterAll = 1<<32 - 1

// appendID writes a cursor as event ids are written: seq.n.
func (c eventCursor) appendID(dst []byte) []byte {
	dst = strconv.AppendUint(dst, c.seq, 10)
	return strconv.AppendUint(append(dst, '.'), uint64(c.n), 10)
}

// events answers GET /v1/events: as server-sent events, or as lines for a reader that
// accepts those. Cursor, filters and limits are judged here; then the connection is a
// stream's (events_stream.go).
//
//	?after=SEQ          what follows all of SEQ; SEQ.N: what follows event N of it
//	Last-Event-ID: S.N  the same, and goes before ?after, which a browser repeats as it was
//	neither             what follows the last command acknowledged
//	?account=NAME       events of this account alone
//	?types=A,B          events of these types alone
func (s *Server) events(ctx *fasthttp.RequestCtx, holder *apiToken) {
	at, isFresh, fault := s.eventStart(ctx)
	var filter eventFilter
	if fault == nil {
		filter, fault = s.eventFilter(ctx)
	}
	var reader *engine.EventReader
	if fault == nil {
		var err error
		var gone *engine.HistoryError
		if reader, err = s.engine.EventsFrom(at.seq, at.n); errors.As(err, &gone) {
			s.reply(ctx, http.StatusGone, appendGone(nil, at, gone.OldestSeq), s.lastSeq.Load())
			return
		}
	}
	isHead := ctx.IsHead()
	if fault == nil && !isHead && s.streams.Add(1) > eventStreamsMax {
		s.streams.Add(-1)
		fault = &Error{
			Status: http.StatusTooManyRequests, Code: codeTooManyStreams, Limit: limitStreams,
			Message: "too many event streams are open; close one",
		}
	}
	if fault != nil {
		s.fail(ctx, fault)
		return
	}
	t := newStream(s, reader, at, filter)
	t.isLines = bytes.Contains(ctx.Request.Header.Peek("Accept"), []byte("application/x-ndjson"))
	t.isFresh, t.holder = isFresh, holder
	head := t.header(ctx)
	if isHead {
		return
	}
	ctx.HijackSetNoResponse(true)
	ctx.Hijack(func(nc net.Conn) {
		defer s.streams.Add(-1)
		t.run(socketOf(nc), head)
	})
}

// eventStart returns where a stream starts. isFresh: no cursor was given.
func (s *Server) eventStart(ctx *fasthttp.RequestCtx) (at eventCursor, isFresh bool, fault *Error) {
	now, err := s.engine.Read(0, func(*risk.Machine) {})
	if err != nil {
		return at, false, unavailable(err)
	}
	field := "Last-Event-ID"
	text := ctx.Request.Header.Peek(field)
	code, form := codeInvalidID, "an event id is seq.n, not "
	isWhole := false
	if len(text) == 0 {
		field, code, form, isWhole = "after", codeInvalidNumber, "after is a seq or seq.n, not ", true
		text = ctx.QueryArgs().Peek(field)
	}
	if len(text) == 0 {
		return eventCursor{now, afterAll}, true, nil
	}
	at, ok := parseCursor(text, isWhole)
	switch {
	case !ok:
		fault = &Error{Status: http.StatusBadRequest, Code: code, Field: field, Message: form + quoted(text)}
	case at.seq > now:
		fault = &Error{
			Status: http.StatusConflict, Code: codeCursorAhead, Field: field, Limit: "last_seq=" + strconv.FormatUint(now, 10),
			Message: "seq " + strconv.FormatUint(at.seq, 10) + " has not been reached: this is another history than the one " +
				"the cursor is from; read the accounts, then follow from their seq",
		}
	}
	return at, false, fault
}

// parseCursor reads seq.n, or seq alone, which stands for all of it, if that is allowed.
func parseCursor(text []byte, isWholeAllowed bool) (at eventCursor, ok bool) {
	seqText, nText, isFull := bytes.Cut(text, []byte("."))
	seq, err := strconv.ParseUint(string(seqText), 10, 64)
	if err != nil || !isFull && !isWholeAllowed {
		return at, false
	}
	if !isFull {
		return eventCursor{seq, afterAll}, true
	}
	n, err := strconv.ParseUint(string(nText), 10, 32)
	return eventCursor{seq, uint32(n)}, err == nil //nolint:gosec // parsed as 32 bits
}

// appendGone writes why a stream cannot start at a cursor, and where it can.
func appendGone(dst []byte, at eventCursor, oldest uint64) []byte {
	text := "events after " + string(at.appendID(nil)) + " are no longer kept, the oldest seq kept is " +
		strconv.FormatUint(oldest, 10) + ": read the accounts, then follow from their seq"
	dst = append(dst, `{"error":`...)
	dst = appendErrorBody(dst, codeHistoryGone, text, "after", "oldest_seq="+strconv.FormatUint(oldest, 10))
	dst = appendUintField(dst[:len(dst)-1], "oldest_seq", oldest)
	return append(dst, '}', '}')
}

// eventFilter says which events a stream carries.
type eventFilter struct {
	types      uint64 // bit k for kind k; 0 = all
	account    uint32
	hasAccount bool
}

var _ = [1]struct{}{}[risk.EventADL/64] // a bit for each kind

func (f *eventFilter) passes(e *risk.Event) bool {
	return (f.types == 0 || f.types>>e.Kind&1 != 0) && (!f.hasAccount || f.account == e.Account)
}

// eventFilter reads ?account and ?types.
func (s *Server) eventFilter(ctx *fasthttp.RequestCtx) (f eventFilter, fault *Error) {
	if name := ctx.QueryArgs().Peek("account"); len(name) > 0 {
		f.account, f.hasAccount = s.dir.Account(name), true
		if f.account == risk.NoAccount {
			return f, &Error{
				Status: http.StatusNotFound, Code: codeUnknownAccount, Field: "account",
				Message: "no account " + quoted(name) + " is open",
			}
		}
	}
	for types := ctx.QueryArgs().Peek("types"); len(types) > 0; {
		var name []byte
		name, types, _ = bytes.Cut(types, []byte(","))
		kind, ok := eventKind(name)
		if !ok {
			return f, &Error{
				Status: http.StatusBadRequest, Code: codeInvalidValue, Field: "types",
				Message: "there is no event type " + quoted(name) + "; types are separated by commas",
			}
		}
		f.types |= 1 << kind
	}
	return f, nil
}

// eventKind returns the kind of a public event type.
func eventKind(name []byte) (kind risk.EventKind, ok bool) {
	for k := risk.EventResult + 1; k.String() != risk.EventNone.String(); k++ {
		if k.String() == string(name) {
			return k, true
		}
	}
	return risk.EventNone, false
}

// socketOf returns what a hijacked connection stands on: its own deadlines are over, and
// what fasthttp has read ahead is of no request that we would answer.
func socketOf(nc net.Conn) net.Conn {
	if u, ok := nc.(interface{ UnsafeConn() net.Conn }); ok {
		nc = u.UnsafeConn()
	}
	if c, ok := nc.(*conn); ok {
		nc = c.Conn
	}
	return nc
}

// AppendEvent appends an event as a line of GET /v1/events has it, without the line's end.
func AppendEvent(dst []byte, e *risk.Event, dir *Directory) []byte { return appendEvent(dst, e, dir) }
