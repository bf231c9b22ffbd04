package engine

import (
	"hash/maphash"
	"sync/atomic"

	"plimsoll/ringbuf"
	"plimsoll/risk"
)

// Kinds above every command: markers that ride the order without a Seq. They never reach
// a journal or a machine, so their numbers belong to this room alone.
const (
	kindMarkers  risk.Kind = 250
	kindSnapshot risk.Kind = 251 // the state here is to be captured; Aux is the number of the capture
	kindHash     risk.Kind = 252 // the state here is to be hashed; Aux is the Seq before it
	kindRepeat   risk.Kind = 253 // repeat of an id; Aux is the place of the first in its client's window
	kindReadAll  risk.Kind = 254 // read of every shard
	kindRead     risk.Kind = 255 // read of the shard that owns Account
)

func isMarker(c *risk.Command) bool { return c.Kind >= kindMarkers }

// flushEvery is how many groups a stage may work off before it shows what it has done. A
// cursor that others read costs 6 ns to store, and a batch of 256 moves a dozen of them.
const flushEvery = 32

// outlet is where the sequencer writes: the ring of the journaler, or straight the order
// when nothing is kept. Records written are seen after flush.
type outlet struct {
	ring    *ringbuf.SPSC[risk.Command]
	order   *ringbuf.Broadcast[risk.Command] // nil if ring is not
	written int                              // records not yet shown
	place   uint64                           // records ever written
}

// claim returns whether n records have room.
func (o *outlet) claim(n int) bool {
	if o.order != nil {
		return o.order.Claim(o.written+n) == o.written+n
	}
	return o.ring.Claim(o.written+n) == o.written+n
}

// slot returns the next slot of those claimed.
func (o *outlet) slot() *risk.Command {
	i := o.written
	o.written++
	o.place++
	if o.order != nil {
		return o.order.Slot(i)
	}
	return o.ring.Slot(i)
}

// flush shows what is written.
func (o *outlet) flush() {
	if o.order != nil {
		o.order.Publish(o.written)
	} else {
		o.ring.Publish(o.written)
	}
	o.written = 0
}

// sequencer gives every group its place and time. It is the only one to whom a clock says
// anything that shows in the order.
type sequencer struct {
	in      *ringbuf.MPSC[risk.Command]
	out     outlet
	pollMax int
	taken   int  // records passed on and not yet released
	isDry   bool // the last Poll left nothing in ingress

	clock ClockMode
	now   func() int64
	timeline
	accrueMs int64 // engine time between two clock commands; 0 = none are put in
	seq      uint64
	windows  []atomic.Pointer[idWindow] // by client, made with its first id; pairs with prefetch
	idWindow int
	seed     maphash.Seed

	isMidBatch bool // a group of the batch at the head of ingress has its place

	conflator *conflator
	isReplay  bool          // records carry Seq and time: recovery, before Start
	sequenced atomic.Uint64 // last Seq given; pairs with Status
	counters  *counters
	tracer    *tracer
	tickets   *ticketTable // traces of
}

func newSequencer(in *ringbuf.MPSC[risk.Command], out outlet, c *conflator, counters *counters, cfg *Config) *sequencer {
	return &sequencer{
		in: in, out: out, pollMax: cfg.PollMax, clock: cfg.Clock, now: cfg.Now, timeline: timeline{stepMs: cfg.ClockStepMsMax},
		accrueMs: cfg.AccrueMs, windows: make([]atomic.Pointer[idWindow], cfg.ClientsMax), idWindow: cfg.IDWindow,
		seed: maphash.MakeSeed(), conflator: c, counters: counters,
	}
}

// Poll moves groups from ingress to the journaler. The clock is read once: all groups of
// one Poll were there when it was.
func (q *sequencer) Poll() (work int) {
	nowMs, shown := int64(0), 0 // groups shown
	q.isDry = false
	for work < q.pollMax {
		if q.in.Available(q.taken+1) == q.taken {
			q.isDry = true
			break
		}
		size := int(q.in.Peek(q.taken).GroupLeft) + 1
		if size > 1 && q.in.Available(q.taken+size) < q.taken+size {
			break // the rest of the group is about to be published
		}
		if work == 0 && q.clock == ClockWall && !q.isReplay {
			nowMs = q.now()
		}
		groups, records := q.sequence(size, nowMs)
		if groups == 0 {
			break
		}
		q.taken += records
		if work += groups; work-shown >= flushEvery {
			q.flush()
			shown = work
		}
	}
	if work > 0 {
		q.counters.add(CounterSequenced, uint64(work))
	}
	if q.out.written > 0 {
		q.flush()
		return max(work, 1) // a clock command alone is work: somebody has to take it
	}
	return work
}

// flush shows what was passed on, and gives its places in ingress back.
func (q *sequencer) flush() {
	q.out.flush()
	q.in.Release(q.taken)
	q.taken = 0
	q.sequenced.Store(q.seq)
}

// sequence passes the group at the head of ingress on, and reports how many groups and
// records of ingress that took: more than one where ticks are merged, none when there is no
// room.
func (q *sequencer) sequence(size int, nowMs int64) (groups, records int) {
	head := q.in.Peek(q.taken)
	if head.Seq == batchHead {
		q.isMidBatch = false
	}
	if head.Kind == risk.KindPrices && head.IDForm == risk.FormNone && q.conflator.isOn && !q.isReplay {
		return q.sequenceTick(head, size, nowMs)
	}
	if !q.sequenceOne(head, size, nowMs) {
		return 0, 0
	}
	return 1, size
}

// sequenceOne passes one group on as it is.
func (q *sequencer) sequenceOne(head *risk.Command, size int, nowMs int64) bool {
	if isMarker(head) {
		return q.pass(head)
	}
	if head.IDForm == risk.FormNone {
		return q.stamp(head, nil, size, nowMs)
	}
	w := q.window(head.Client)
	if place, ok := w.find(idOf(head)); ok {
		return q.pass(&risk.Command{Kind: kindRepeat, Client: head.Client, Ticket: head.Ticket, Aux: place})
	}
	if !q.stamp(head, nil, size, nowMs) {
		return false
	}
	w.add(idOf(head))
	return true
}

// pass moves one marker on.
func (q *sequencer) pass(marker *risk.Command) bool {
	if !q.out.claim(1) {
		return false
	}
	*q.out.slot() = *marker
	return true
}

// stamp gives a group the next Seq and its time, and moves it on whole: merged, or what
// stands at the head of ingress. Before a group that is the first for accrueMs it puts in a
// clock command of its own.
func (q *sequencer) stamp(head *risk.Command, merged []risk.Command, size int, nowMs int64) bool {
	timeMs, isStep := head.TimeMs, q.isReplay && q.isStep(head.TimeMs)
	if !q.isReplay {
		timeMs, isStep = q.timeOf(head, nowMs)
		if isStep && q.isClockDue(head, timeMs) && !q.tick(timeMs) {
			return false
		}
	}
	if !q.out.claim(size) {
		return false
	}
	q.seq++
	for i := range size {
		slot := q.out.slot()
		if merged != nil {
			*slot = merged[i]
		} else {
			*slot = *q.in.Peek(q.taken + i)
		}
		slot.Seq, slot.TimeMs = q.seq, timeMs
		slot.Client, slot.Ticket = head.Client, head.Ticket
	}
	if head.Ticket&ticketTraced != 0 {
		q.traceSequenced(head.Ticket)
	}
	q.isMidBatch = true
	if isListing(head.Kind) {
		q.conflator.listedSeq = q.seq
	}
	if isStep {
		q.moved(head, timeMs)
	}
	return true
}

// timeOf returns the engine time of a group: the latest of the last, the clock and what
// the command says. A command that says too much gets what it says, for the machine to
// refuse, and is no step: otherwise one slip of a key would end engine time for all.
func (q *sequencer) timeOf(head *risk.Command, nowMs int64) (timeMs int64, isStep bool) {
	timeMs = max(q.lastMs, nowMs)
	if timeMs != 0 && head.TimeMs > timeMs && head.TimeMs-timeMs > q.stepMs {
		return head.TimeMs, false
	}
	return max(timeMs, head.TimeMs), true
}

// isClockDue reports whether a clock command must come before a group. By the wall clock
// it may wait for the end of a batch, whose places are consecutive; by commands it may
// not, because batches must not show in the state.
func (q *sequencer) isClockDue(head *risk.Command, timeMs int64) bool {
	return q.accrueMs > 0 && q.clockMs > 0 && timeMs-q.clockMs >= q.accrueMs && head.Kind != risk.KindClock &&
		(q.clock == ClockCommands || head.Ticket == 0 || !q.isMidBatch)
}

// isClockLate reports whether a clock command waits for the end of the batch of a group.
func (q *sequencer) isClockLate(head *risk.Command, nowMs int64) bool {
	timeMs, isStep := q.timeOf(head, nowMs)
	return isStep && q.accrueMs > 0 && q.clockMs > 0 && timeMs-q.clockMs >= q.accrueMs
}

// tick puts in a clock command that nobody waits for.
func (q *sequencer) tick(timeMs int64) bool {
	c := risk.Command{Kind: risk.KindClock, Seq: q.seq + 1, TimeMs: timeMs}
	if !q.pass(&c) {
		return false
	}
	q.seq++
	q.moved(&c, timeMs)
	q.counters.add(CounterClocks, 1)
	return true
}

// prefetch asks for what sequence will want of a group, from the goroutine of a caller.
func (q *sequencer) prefetch(head *risk.Command) {
	if head.IDForm == risk.FormNone {
		return
	}
	if w := q.windows[head.Client].Load(); w != nil {
		w.prefetch(idOf(head))
	}
}

// window returns the id window of a client; ingress has checked its number.
func (q *sequencer) window(client uint16) *idWindow {
	w := q.windows[client].Load()
	if w == nil {
		w = newIDWindow(q.idWindow, q.seed)
		q.windows[client].Store(w)
	}
	return w
}
