package api

import (
	"bufio"
	"bytes"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"plimsoll/risk"
)

// eventCursor is the place of the last event a stream has sent.
type eventCursor struct {
	seq uint64
	n   uint32
}

// afterAll is an event number after every event of a Seq.
const afterAll = 1<<32 - 1

// events answers GET /v1/events: as server-sent events, or as lines for a reader that
// accepts those. Each stream polls the engine's history; a slow reader holds nobody up.
func (s *Server) events(ctx *fasthttp.RequestCtx) {
	at, fault := s.eventStart(ctx)
	if fault == nil {
		_, err := s.engine.EventsAfter(at.seq, at.n, nil)
		if err != nil {
			fault = &Error{
				Status: http.StatusGone, Code: codeHistoryGone, Field: "after",
				Message: "events after this place are no longer kept: read the accounts, then follow from their seq",
			}
		}
	}
	if fault == nil && s.streams.Add(1) > eventStreamsMax {
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
	isLines := bytes.Contains(ctx.Request.Header.Peek("Accept"), []byte("application/x-ndjson"))
	s.stamp(ctx, at.seq)
	ctx.SetContentType("text/event-stream")
	if isLines {
		ctx.SetContentType("application/x-ndjson")
	}
	ctx.Response.Header.Set("Cache-Control", "no-store")
	conn := ctx.Conn()
	ctx.SetBodyStreamWriter(func(w *bufio.Writer) {
		defer s.streams.Add(-1)
		s.stream(w, conn, at, isLines)
	})
}

// eventStart returns where a stream starts: after Last-Event-ID, after ?after=SEQ, or now.
func (s *Server) eventStart(ctx *fasthttp.RequestCtx) (at eventCursor, fault *Error) {
	if id := ctx.Request.Header.Peek("Last-Event-ID"); len(id) > 0 {
		seqText, nText, _ := bytes.Cut(id, []byte("."))
		seq, err := strconv.ParseUint(string(seqText), 10, 64)
		n, err2 := strconv.ParseUint(string(nText), 10, 32)
		if err != nil || err2 != nil {
			return at, &Error{
				Status: http.StatusBadRequest, Code: codeInvalidID, Field: "Last-Event-ID",
				Message: "an event id is seq.n, not " + quoted(id),
			}
		}
		return eventCursor{seq: seq, n: uint32(n)}, nil
	}
	text := ctx.QueryArgs().Peek("after")
	if len(text) == 0 {
		seq, err := s.engine.Read(0, func(*risk.Machine) {})
		if err != nil {
			return at, unavailable(err)
		}
		return eventCursor{seq: seq, n: afterAll}, nil
	}
	seq, err := strconv.ParseUint(string(text), 10, 64)
	if err != nil {
		return at, &Error{
			Status: http.StatusBadRequest, Code: codeInvalidNumber, Field: "after",
			Message: "after is a seq, not " + quoted(text),
		}
	}
	return eventCursor{seq: seq, n: afterAll}, nil
}

// stream writes events until the reader goes, falls out of the history, or we shut down.
// The write timeout of a connection counts from each batch, not from the request.
func (s *Server) stream(w *bufio.Writer, conn net.Conn, at eventCursor, isLines bool) {
	events := make([]risk.Event, 0, eventsPerPoll)
	var line []byte
	lastWrite := time.Now()
	for !s.isClosing() {
		var err error
		if events, err = s.engine.EventsAfter(at.seq, at.n, events[:0]); err != nil {
			gone := &Error{Code: codeHistoryGone, Message: "the reader was too slow for the history kept"}
			_, _ = w.Write(append(appendError(line[:0], gone), '\n'))
			_ = w.Flush()
			return
		}
		if len(events) > 0 || time.Since(lastWrite) > eventHeartbeat {
			_ = conn.SetWriteDeadline(time.Now().Add(writeTimeout))
		}
		for i := range events {
			e := &events[i]
			at = eventCursor{seq: e.Seq, n: e.N}
			line = s.appendStreamed(line[:0], e, isLines)
			if _, err := w.Write(line); err != nil {
				return
			}
		}
		if len(events) == 0 && time.Since(lastWrite) > eventHeartbeat {
			if _, err := w.WriteString(heartbeat(isLines)); err != nil {
				return
			}
		} else if len(events) == 0 {
			time.Sleep(eventPollPause)
			continue
		}
		if w.Flush() != nil {
			return
		}
		lastWrite = time.Now()
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

// heartbeat is an empty line, or a comment of server-sent events.
func heartbeat(isLines bool) string {
	if isLines {
		return "\n"
	}
	return ":\n\n"
}

func (s *Server) appendStreamed(dst []byte, e *risk.Event, isLines bool) []byte {
	if isLines {
		return append(appendEvent(dst, e, s.dir), '\n')
	}
	dst = strconv.AppendUint(append(dst, "id: "...), e.Seq, 10)
	dst = strconv.AppendUint(append(dst, '.'), uint64(e.N), 10)
	dst = append(append(dst, "\nevent: "...), e.Kind.String()...)
	dst = append(dst, "\ndata: "...)
	return append(appendEvent(dst, e, s.dir), "\n\n"...)
}
