package engine

import (
	"fmt"
	"runtime"

	"plimsoll/risk"
)

// HistoryError is an ErrHistory that says what is still kept.
type HistoryError struct {
	OldestSeq uint64 // every event of it and of what comes later is kept; it is reached from OldestSeq - 1
}

// Error says that events are gone, and which are not.
func (e *HistoryError) Error() string {
	return fmt.Sprintf("%v: the oldest seq kept is %d", ErrHistory, e.OldestSeq)
}

// Unwrap returns ErrHistory.
func (e *HistoryError) Unwrap() error { return ErrHistory }

func (e *Engine) historyGone() error { return &HistoryError{OldestSeq: e.egress.history.oldestSeq()} }

// EventReader reads the public events in order, from a place on. It copies: it holds nobody
// up, and a reader that is too slow finds its events gone. One goroutine uses it.
type EventReader struct {
	engine      *Engine
	next        uint64 // index of the next event
	hasCaughtUp bool   // it once had read all there was
}

// EventsFrom returns a reader of the events that follow event n of seq; n = 2^32 - 1 stands
// for all of seq. A HistoryError says that some in between are no longer kept.
func (e *Engine) EventsFrom(seq uint64, n uint32) (*EventReader, error) {
	first, isWhole := e.egress.history.seek(seq, n)
	if !isWhole {
		return nil, e.historyGone()
	}
	return &EventReader{engine: e, next: first}, nil
}

// Read fills dst with the next events and returns how many: 0 when there are none yet. A
// HistoryError says that they were overwritten before they were read. A Seq becomes visible
// whole, but may be split between two calls.
func (r *EventReader) Read(dst []risk.Event) (count int, err error) {
	count, isWhole := r.engine.egress.history.read(r.next, dst)
	if !isWhole {
		return 0, r.engine.historyGone()
	}
	r.next += uint64(count)
	r.hasCaughtUp = r.hasCaughtUp || count < len(dst)
	return count, nil
}

// IsFallingBehind reports whether a reader that had once read all there was has three
// quarters of what is kept before it: it is not going to keep up, and what it has not read
// is still there.
func (r *EventReader) IsFallingBehind() bool {
	h := r.engine.egress.history
	return r.hasCaughtUp && h.published.Load()-r.next > uint64(len(h.blocks))*blockEvents/4*3
}

// AwaitEvents blocks until other than `seen` events are published, or NudgeEvents is called,
// and returns how many are. One goroutine at a time may call it: whoever has many readers
// wakes them from there, because egress must not.
func (e *Engine) AwaitEvents(seen uint64) uint64 {
	const yields = 8 // under load the rest of a batch comes meanwhile, and egress need not wake anybody
	h := e.egress.history
	for idle := 0; !h.isNews(seen); idle++ {
		if idle < yields {
			runtime.Gosched()
			continue
		}
		h.waker.Prepare()
		if h.isNews(seen) { // the last look: see ringbuf.Waker
			h.waker.Cancel()
			break
		}
		h.waker.Park() // a wake-up may be for what was seen already
	}
	h.isNudged.Store(false)
	return h.published.Load()
}

// isNews reports whether whoever has seen so many events is not to wait.
func (h *history) isNews(seen uint64) bool { return h.published.Load() != seen || h.isNudged.Load() }

// NudgeEvents has AwaitEvents return, the one under way or else the next. Any goroutine may
// call it.
func (e *Engine) NudgeEvents() {
	e.egress.history.isNudged.Store(true)
	e.egress.history.waker.Wake()
}
