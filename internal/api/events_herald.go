package api

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// listeners are the open streams. While there are any, one goroutine, the herald, waits for
// events and wakes them all: the engine wakes it and nobody else, however many streams there
// are. An event reaches an idle socket over two wake-ups, without a timer.
type listeners struct {
	mu          sync.Mutex
	streams     []*stream
	isHeralding bool // the goroutine runs

	beatEvery time.Duration // 0 = eventHeartbeat; tests have less time
	lagMax    time.Duration // 0 = eventLagMax
}

// Under load every stream writes once a round, which costs some 10 us of a core. A round
// takes that long for each stream at least, so that streams never take more than half a core
// from the pipeline: with few of them it is less than the events of one batch are apart.
const (
	streamRoundCost  = 20 * time.Microsecond
	streamsUnlimited = 8 // so many may write as soon as they can
)

func (l *listeners) add(s *Server, t *stream) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.streams = append(l.streams, t)
	if !l.isHeralding {
		l.isHeralding = true
		go s.herald()
	}
}

func (l *listeners) remove(s *Server, t *stream) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.Index(l.streams, t); i >= 0 {
		l.streams = slices.Delete(l.streams, i, i+1)
	}
	if len(l.streams) == 0 {
		s.engine.NudgeEvents() // the herald goes home
	}
}

// rouse wakes every stream that sleeps; none ends the herald.
func (l *listeners) rouse() (streams int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range l.streams {
		select {
		case t.wake <- struct{}{}:
		default: // it was told already
		}
	}
	l.isHeralding = len(l.streams) > 0
	return len(l.streams)
}

// herald wakes the streams whenever events are published, until there are no streams.
func (s *Server) herald() {
	for seen := uint64(0); ; {
		seen = s.engine.AwaitEvents(seen)
		streams := s.listeners.rouse()
		if streams == 0 {
			return
		}
		if streams > streamsUnlimited {
			time.Sleep(time.Duration(streams) * streamRoundCost)
		}
	}
}

// endStreams has no stream wait long for its reader any more. It follows the close of
// s.closing, which wakes those that sleep.
func (s *Server) endStreams() {
	s.listeners.mu.Lock()
	defer s.listeners.mu.Unlock()
	for _, t := range s.listeners.streams {
		_ = t.conn.SetWriteDeadline(time.Now().Add(eventEndTimeout))
	}
}

// awaitStreams returns when all streams have ended: they are no requests to fasthttp.
func (s *Server) awaitStreams(ctx context.Context) error {
	for s.streams.Load() > 0 {
		select {
		case <-ctx.Done():
			return fmt.Errorf("api: %d event streams have not ended: %w", s.streams.Load(), ctx.Err())
		case <-time.After(time.Millisecond):
		}
	}
	return nil
}
