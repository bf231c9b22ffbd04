package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strconv"
	"time"
)

// Events returns every event that follows a cursor, in order, each once, for as long as ctx
// lasts: connections come and go behind it. The loop ends after an error: a *GapError when
// events are missing, an *Error when the daemon refuses the stream, or that of ctx.
func (c *Client) Events(ctx context.Context, after Cursor, filter Filter) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		s := &stream{client: c, at: after, filter: filter, yield: yield}
		p := pauses{min: c.options.PauseMin, max: c.options.PauseMax}
		for {
			err := s.connect(ctx)
			switch {
			case s.isOver:
				return
			case ctx.Err() != nil:
				yield(Event{}, ctx.Err())
				return
			}
			var gap *GapError
			var answer *Error
			if errors.As(err, &gap) || errors.As(err, &answer) && !answer.isPassing() {
				yield(Event{}, err)
				return
			}
			if s.isAlive {
				p.reset()
			}
			if p.wait(ctx, answer) != nil {
				yield(Event{}, ctx.Err())
				return
			}
		}
	}
}

// stream is one loop over Events.
type stream struct {
	client  *Client
	at      Cursor // the last event handed out, or left out by the filter
	filter  Filter
	yield   func(Event, error) bool
	isOver  bool // the loop has ended
	isAlive bool // the last connection brought something
}

// lineMax bounds a line of the stream, in bytes.
const lineMax = 1 << 20

// connect opens a connection at the cursor and hands events out until it ends.
func (s *stream) connect(ctx context.Context) error {
	s.isAlive = false
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(s.client.options.HeartbeatMax, func() { cancel(errSilence) })
	defer silence.Stop()
	r := &request{method: http.MethodGet, path: "/v1/events" + s.filter.query(), accept: "application/x-ndjson"}
	if !s.at.isNow() {
		r.lastEventID = s.at.String()
	}
	resp, err := s.client.send(ctx, r)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		body, err := io.ReadAll(io.LimitReader(resp.Body, bodyMax))
		if err != nil {
			return fmt.Errorf("client: read the reply: %w", err)
		}
		return s.refused(errorOf(resp, body))
	}
	if s.at.isNow() { // if it ends before the first event, the next connection begins here
		seq, err := strconv.ParseUint(resp.Header.Get("X-Plimsoll-Seq"), 10, 64)
		if err != nil {
			return fmt.Errorf("client: events without X-Plimsoll-Seq: %w", err)
		}
		s.at = After(seq)
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(make([]byte, 0, 16<<10), lineMax)
	for lines.Scan() {
		silence.Stop() // what the loop does with an event takes as long as it takes
		s.isAlive = true
		if line := bytes.TrimSpace(lines.Bytes()); len(line) > 0 { // an empty one is a heartbeat
			if err := s.take(line); err != nil || s.isOver {
				return err
			}
		}
		silence.Reset(s.client.options.HeartbeatMax)
	}
	return fmt.Errorf("client: events: %w", errors.Join(lines.Err(), context.Cause(ctx)))
}

var (
	errSilence = errors.New("no heartbeat")
	errEnded   = errors.New("client: the daemon has ended the stream")
)

// refused says why a stream was not opened: a cursor that the daemon cannot follow is a gap.
func (s *stream) refused(e *Error) error {
	if e.Status == http.StatusGone || e.Status == http.StatusConflict {
		return &GapError{After: s.at, OldestSeq: e.OldestSeq, Err: e}
	}
	return e
}

// take hands one line out.
func (s *stream) take(line []byte) error {
	var e Event
	if err := json.Unmarshal(line, &e); err != nil {
		return fmt.Errorf("client: %.100q is no event: %w", line, err) // a line cut off: the next connection has it whole
	}
	at := e.Cursor()
	isEnd := e.Type == "end"
	switch {
	case isEnd || e.Type == "cursor": // over what the filter left out
		if s.at.isBefore(at) {
			s.at = at
		}
		if isEnd {
			return errEnded
		}
		return nil
	case !s.at.isBefore(at):
		return nil // a repeat
	case s.filter.isEmpty() && !s.at.mayPrecede(at):
		return &GapError{After: s.at, Next: at}
	}
	e.Raw = bytes.Clone(line)
	s.at = at
	s.isOver = !s.yield(e, nil)
	return nil
}
