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
	kindMarkers risk.Kind = 250
	kindRepeat  risk.Kind = 253 // repeat of an id; Aux is the place of the first in its client's window
	kindReadAll risk.Kind = 254 // read of every shard
	kindRead    risk.Kind = 255 // read of the shard that owns Account
)

func isMarker(c *risk.Command) bool { return c.Kind >= kindMarkers }

// sequencer gives every group its place and time. It is the only reader of the clock.
type sequencer struct {
	in      *ringbuf.MPSC[risk.Command]
	out     *ringbuf.SPSC[risk.Command]
	pollMax int

	clock    ClockMode
	now      func() int64
	lastMs   int64  // engine time of the last group; 0 = no time yet
	stepMs   int64  // a longer step is the machine's to refuse; it does not move lastMs
	accrueMs int64  // engine time between two clock commands; 0 = none are put in
	clockMs  int64  // engine time of the last clock command
	batch    uint32 // ticket of the group before
	seq      uint64
	windows  []*idWindow // by client, made with its first id
	idWindow int
	seed     maphash.Seed

	isReplay  bool          // records carry Seq and time: recovery, before Start
	sequenced atomic.Uint64 // last Seq given; pairs with Status
	counters  *counters
}

func newSequencer(in *ringbuf.MPSC[risk.Command], out *ringbuf.SPSC[risk.Command], counters *counters,
	cfg *Config,
) *sequencer {
	return &sequencer{
		in: in, out: out, pollMax: cfg.PollMax, clock: cfg.Clock, now: cfg.Now, stepMs: cfg.ClockStepMsMax,
		accrueMs: cfg.AccrueMs, windows: make([]*idWindow, cfg.ClientsMax), idWindow: cfg.IDWindow,
		seed: maphash.MakeSeed(), counters: counters,
	}
}

// Poll moves groups from ingress to the journaler. The clock is read once: all groups of
// one Poll were there when it was.
func (q *sequencer) Poll() (work int) {
	nowMs := int64(0)
	for work < q.pollMax {
		ready := q.in.Available(1)
		if ready == 0 {
			break
		}
		size := int(q.in.Peek(0).GroupLeft) + 1
		if size > 1 && q.in.Available(size) < size {
			break // the rest of the group is about to be published
		}
		if work == 0 && q.clock == ClockWall && !q.isReplay {
			nowMs = q.now()
		}
		if !q.sequence(size, nowMs) {
			break
		}
		q.in.Release(size)
		work++
	}
	if work > 0 {
		q.counters.add(CounterSequenced, uint64(work))
	}
	return work
}

// sequence passes the group at the head of ingress on; false when there is no room.
func (q *sequencer) sequence(size int, nowMs int64) bool {
	head := q.in.Peek(0)
	if isMarker(head) {
		return q.pass(head)
	}
	if head.IDForm == risk.FormNone {
		return q.stamp(head, size, nowMs)
	}
	w := q.window(head.Client)
	if place, ok := w.find(idOf(head)); ok {
		return q.pass(&risk.Command{Kind: kindRepeat, Client: head.Client, Ticket: head.Ticket, Aux: place})
	}
	if !q.stamp(head, size, nowMs) {
		return false
	}
	w.add(idOf(head))
	return true
}

// pass moves one marker on.
func (q *sequencer) pass(marker *risk.Command) bool {
	if q.out.Claim(1) < 1 {
		return false
	}
	*q.out.Slot(0) = *marker
	q.out.Publish(1)
	return true
}

// stamp gives a group the next Seq and its time, and moves it on whole. Before a group
// that is the first for accrueMs it puts in a clock command of its own.
func (q *sequencer) stamp(head *risk.Command, size int, nowMs int64) bool {
	timeMs, isStep := head.TimeMs, true
	if !q.isReplay {
		timeMs, isStep = q.timeOf(head, nowMs)
		if isStep && q.isClockDue(head, timeMs) && !q.tick(timeMs) {
			return false
		}
	}
	if q.out.Claim(size) < size {
		return false
	}
	q.seq++
	for i := range size {
		slot := q.out.Slot(i)
		*slot = *q.in.Peek(i)
		slot.Seq, slot.TimeMs = q.seq, timeMs
		slot.Client, slot.Ticket = head.Client, head.Ticket
	}
	q.out.Publish(size)
	q.batch = head.Ticket
	if isStep {
		q.moved(head, timeMs)
	}
	q.sequenced.Store(q.seq)
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

// moved notes that engine time is now timeMs. The machine's limit for a step is a
// parameter: it is followed here, so that both judge alike.
func (q *sequencer) moved(head *risk.Command, timeMs int64) {
	q.lastMs = max(q.lastMs, timeMs)
	if head.Kind == risk.KindClock || q.clockMs == 0 {
		q.clockMs = timeMs
	}
	if head.Kind == risk.KindSetParameters && head.Aux&risk.ParamMaxClockStep != 0 && head.Num[0] > 0 {
		q.stepMs = head.Num[0]
	}
}

// isClockDue reports whether a clock command must come before a group. By the wall clock
// it may wait for the end of a batch, whose places are consecutive; by commands it may
// not, because batches must not show in the state.
func (q *sequencer) isClockDue(head *risk.Command, timeMs int64) bool {
	return q.accrueMs > 0 && q.clockMs > 0 && timeMs-q.clockMs >= q.accrueMs && head.Kind != risk.KindClock &&
		(q.clock == ClockCommands || head.Ticket == 0 || head.Ticket != q.batch)
}

// tick puts in a clock command that nobody waits for.
func (q *sequencer) tick(timeMs int64) bool {
	c := risk.Command{Kind: risk.KindClock, Seq: q.seq + 1, TimeMs: timeMs}
	if !q.pass(&c) {
		return false
	}
	q.seq++
	q.batch = 0
	q.moved(&c, timeMs)
	q.counters.add(CounterClocks, 1)
	return true
}

// window returns the id window of a client; ingress has checked its number.
func (q *sequencer) window(client uint16) *idWindow {
	w := q.windows[client]
	if w == nil {
		w = newIDWindow(q.idWindow, q.seed)
		q.windows[client] = w
	}
	return w
}
