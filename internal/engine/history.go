package engine

import (
	"sort"
	"sync/atomic"

	"plimsoll/ringbuf"
	"plimsoll/risk"
)

// blockEvents is how many events one block of the history holds.
const blockEvents = 512

// block is a piece of the history. Its events up to the published count do not change
// while a reader has it pinned.
type block struct {
	first  atomic.Uint64 // index of events[0] + 1; 0 = being recycled
	pins   atomic.Int64  // readers that are copying
	events [blockEvents]risk.Event
}

// history keeps the last public events in memory: one writer, egress, which never waits;
// any number of readers, which copy.
//
// The writer announces a recycled block by first = 0 and then looks at pins; a reader
// pins and then looks at first. So either the reader sees that the block is going, or
// the writer sees the pin and takes a fresh block instead, leaving the old one to its
// reader and the collector.
type history struct {
	blocks    []atomic.Pointer[block] // ring: events of index i are in blocks[i / blockEvents mod len]
	published atomic.Uint64           // events readers may see; written by egress only
	_         [cacheLine]byte

	floor    uint64         // events up to this Seq, or the first of them, were never here. Fixed before use
	waker    *ringbuf.Waker // of whoever waits for events, one goroutine: see AwaitEvents
	isNudged atomic.Bool    // and it shall not wait; pairs: NudgeEvents with AwaitEvents

	count uint64 // events appended; egress only
	whole uint64 // of those, events of a Seq that has no more; egress only
	tail  *block // block of the last event; egress only
}

func newHistory(events int) *history {
	return &history{blocks: make([]atomic.Pointer[block], events/blockEvents), waker: ringbuf.NewWaker()}
}

// append adds an event that readers see after the next seal and publish, as event n of its Seq.
func (h *history) append(e *risk.Event, n uint32) {
	if h.count%blockEvents == 0 {
		h.tail = h.fresh()
	}
	slot := &h.tail.events[h.count%blockEvents]
	*slot = *e
	slot.N = n
	h.count++
}

// fresh puts the block for the next events into the ring.
func (h *history) fresh() *block {
	slot := &h.blocks[h.count/blockEvents%uint64(len(h.blocks))]
	b := slot.Load()
	if b != nil {
		b.first.Store(0)
		if b.pins.Load() != 0 {
			b = nil
		}
	}
	if b == nil {
		b = &block{}
		slot.Store(b)
	}
	b.first.Store(h.count + 1)
	return b
}

// seal says that the events appended so far are all of their Seq.
func (h *history) seal() { h.whole = h.count }

// publish shows readers the events sealed so far: a Seq becomes visible whole. However many
// readers there are, it wakes one goroutine at most, and that only if it sleeps.
func (h *history) publish() {
	if h.whole != h.published.Load() {
		h.published.Store(h.whole)
		h.waker.Wake()
	}
}

// pin returns the block with event index i held in place, or nil when the event is no
// longer kept. The caller unpins with pins.Add(-1).
func (h *history) pin(i uint64) *block {
	b := h.blocks[i/blockEvents%uint64(len(h.blocks))].Load()
	if b == nil {
		return nil
	}
	b.pins.Add(1)
	if b.first.Load() != i-i%blockEvents+1 {
		b.pins.Add(-1)
		return nil
	}
	return b
}

// isAfter reports whether event i comes after n in seq. Events no longer kept count as
// before, so that a search ends at the oldest that is.
func (h *history) isAfter(i, seq uint64, n uint32) bool {
	b := h.pin(i)
	if b == nil {
		return false
	}
	e := &b.events[i%blockEvents]
	after := e.Seq > seq || e.Seq == seq && e.N > n
	b.pins.Add(-1)
	return after
}

// isKept reports whether event i is still there and not after n in seq: then nothing
// between it and the next is missing.
func (h *history) isKept(i, seq uint64, n uint32) bool {
	b := h.pin(i)
	if b == nil {
		return false
	}
	e := &b.events[i%blockEvents]
	isBefore := e.Seq < seq || e.Seq == seq && e.N <= n
	b.pins.Add(-1)
	return isBefore
}

// seek returns the index of the first event that follows event n of seq. isWhole is false
// when events in between are no longer kept: the reader must start over.
func (h *history) seek(seq uint64, n uint32) (first uint64, isWhole bool) {
	published := h.published.Load()
	oldest := h.oldest(published)
	first = oldest + uint64(sort.Search(int(published-oldest), func(i int) bool {
		return h.isAfter(oldest+uint64(i), seq, n)
	}))
	switch {
	case first > 0 && h.isKept(first-1, seq, n), first < published && h.adjoins(first, seq, n):
		return first, true
	case first > 0:
		return first, false
	default:
		return 0, seq > h.floor || seq == h.floor && (n == afterAll || h.floor == 0)
	}
}

// afterAll is an event number after every event of a Seq.
const afterAll = 1<<32 - 1

// adjoins reports whether no event can stand between event n of seq and event i.
func (h *history) adjoins(i, seq uint64, n uint32) bool {
	b := h.pin(i)
	if b == nil {
		return false
	}
	e := &b.events[i%blockEvents]
	isNext := e.Seq == seq && e.N == n+1 || e.N == 1 && n == afterAll && e.Seq == seq+1
	b.pins.Add(-1)
	return isNext
}

// read fills dst with the events from index first on, oldest first, and returns how many.
// isWhole is false when the writer has overtaken the reader.
func (h *history) read(first uint64, dst []risk.Event) (count int, isWhole bool) {
	published := h.published.Load()
	for i := first; i < published && count < len(dst); {
		b := h.pin(i)
		if b == nil {
			return 0, false
		}
		copied := copy(dst[count:], b.events[i%blockEvents:min(blockEvents, i%blockEvents+published-i)])
		b.pins.Add(-1)
		count += copied
		i += uint64(copied)
	}
	return count, true
}

// after fills dst with the events that follow event n of seq: seek and read.
func (h *history) after(seq uint64, n uint32, dst []risk.Event) (count int, isWhole bool) {
	first, isWhole := h.seek(seq, n)
	if !isWhole {
		return 0, false
	}
	return h.read(first, dst)
}

// oldestSeq returns the least Seq from which on every event is kept.
func (h *history) oldestSeq() uint64 {
	for {
		published := h.published.Load()
		oldest := h.oldest(published)
		if oldest == 0 {
			return h.floor + 1
		}
		b := h.pin(oldest)
		if b == nil {
			continue // the writer went on meanwhile
		}
		e := &b.events[oldest%blockEvents]
		seq, isWhole := e.Seq, e.N == 1
		b.pins.Add(-1)
		if isWhole {
			return seq
		}
		return seq + 1
	}
}

// oldest returns the index of the oldest event surely kept: one block less than the ring
// holds, since the writer may be recycling that one.
func (h *history) oldest(published uint64) uint64 {
	whole := published - published%blockEvents
	span := uint64(len(h.blocks)-1) * blockEvents
	if whole <= span {
		return 0
	}
	return whole - span
}
