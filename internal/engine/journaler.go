package engine

import (
	"fmt"
	"sync/atomic"

	"plimsoll/ringbuf"
	"plimsoll/risk"
)

// Journal keeps frames of whole groups in order. Its methods are called from one place
// at a time and do not block.
type Journal interface {
	// Start is called once, before the first Append. The journal calls wake whenever
	// Durable has something new to say; any goroutine may call it.
	Start(wake func())
	// Append takes over one frame: it has copied or encoded it when it returns. Tickets
	// in it are 0.
	Append(frame []risk.Command) error
	// Durable returns the last Seq of the last frame that is kept for good.
	Durable() (seq uint64, err error)
}

// NoJournal keeps nothing: what is appended counts as durable at once.
type NoJournal struct{}

// Start does nothing.
func (NoJournal) Start(func()) {}

// Append does nothing.
func (NoJournal) Append([]risk.Command) error { return nil }

// Durable is never asked: what is sequenced is durable.
func (NoJournal) Durable() (uint64, error) { return 0, nil }

// frameInFlight is a frame that the journal has and the shards have not yet.
type frameInFlight struct {
	size int    // records in the ring, markers included
	seq  uint64 // last Seq in it or before it
}

// journaler moves groups from the sequencer to the broadcast ring as they become
// durable. A frame is what has arrived since the last one, up to frameMax records; while
// one is being synced the next is built, up to a number of frames in flight. The records
// stay in the sequencer's ring until then, so nothing is copied twice.
//
// Without a journal it has nothing to do: the sequencer writes to the broadcast ring
// itself, which saves an order 128 bytes of copying and three cursors.
type journaler struct {
	in        *ringbuf.SPSC[risk.Command]
	out       *ringbuf.Broadcast[risk.Command]
	journal   Journal
	keeps     bool // false: in is nil
	isReplay  bool // frames pass straight through in recovery, before Start: the journal has them
	frameMax  int
	flightMax int
	pollMax   int

	frame    []risk.Command // the frame under construction
	flight   []frameInFlight
	appended int    // records at the head of the ring that the journal has
	ready    int    // of those, records that are durable
	seq      uint64 // last Seq appended

	durable  atomic.Uint64 // last Seq durable; pairs with Status
	counters *counters
	fail     func(error)
	failed   bool
}

func newJournaler(in *ringbuf.SPSC[risk.Command], out *ringbuf.Broadcast[risk.Command], counters *counters,
	cfg *Config, fail func(error),
) *journaler {
	return &journaler{
		in: in, out: out, journal: cfg.Journal, keeps: in != nil, frameMax: cfg.FrameMax,
		flightMax: cfg.FramesInFlight, pollMax: cfg.PollMax, fail: fail, counters: counters,
		frame: make([]risk.Command, 0, max(cfg.FrameMax, cfg.GroupMax)), flight: make([]frameInFlight, 0, cfg.FramesInFlight),
	}
}

// Poll appends what has arrived and passes on what is durable.
func (j *journaler) Poll() (work int) {
	if !j.keeps {
		return 0
	}
	if j.isReplay {
		return j.pass(j.in.Available())
	}
	if j.failed {
		return 0
	}
	work = j.append() + j.settle()
	return work + j.pass(j.ready)
}

// append builds one frame of whole groups and hands it to the journal.
func (j *journaler) append() (work int) {
	available := j.in.Available()
	if available == j.appended {
		available = j.in.Available() // the first may be an old view, the second is not
	}
	if len(j.flight) == j.flightMax || available == j.appended {
		return 0
	}
	j.frame = j.frame[:0]
	size := 0
	for at := j.appended; at < available; {
		head := j.in.Peek(at)
		group := int(head.GroupLeft) + 1
		if size > 0 && size+group > j.frameMax {
			break
		}
		for i := range group {
			if c := j.in.Peek(at + i); !isMarker(c) {
				j.frame = append(j.frame, *c)
				j.frame[len(j.frame)-1].Ticket = 0
				j.seq = c.Seq
			}
		}
		at += group
		size += group
	}
	if len(j.frame) > 0 {
		if err := j.journal.Append(j.frame); err != nil {
			j.stop(fmt.Errorf("engine: append frame up to seq %d: %w", j.seq, err))
			return 1
		}
		j.counters.add(CounterFrames, 1)
	}
	j.appended += size
	j.flight = append(j.flight, frameInFlight{size: size, seq: j.seq})
	return size
}

// settle takes the frames that have become durable out of flight.
func (j *journaler) settle() (work int) {
	if len(j.flight) == 0 {
		return 0
	}
	durable, err := j.journal.Durable()
	if err != nil {
		j.stop(fmt.Errorf("engine: sync journal after seq %d: %w", durable, err))
		return 1
	}
	for len(j.flight) > 0 && j.flight[0].seq <= durable {
		work += j.flight[0].size
		j.ready += j.flight[0].size
		j.flight = append(j.flight[:0], j.flight[1:]...)
	}
	return work
}

// pass moves up to ready records to the broadcast ring, groups whole.
func (j *journaler) pass(ready int) (work int) {
	seq := uint64(0)
	for groups := 0; groups < j.pollMax && work < ready; groups++ {
		head := j.in.Peek(0)
		size := int(head.GroupLeft) + 1
		if j.out.Claim(size) < size {
			break
		}
		for i := range size {
			*j.out.Slot(i) = *j.in.Peek(i)
		}
		if !isMarker(head) {
			seq = head.Seq
		}
		j.out.Publish(size)
		j.in.Release(size)
		work += size
	}
	if j.appended > 0 {
		j.appended -= work
		j.ready -= work
	}
	if seq > 0 {
		j.durable.Store(seq)
	}
	return work
}

// stop gives up: after a journal fault nothing more becomes durable, so nothing more is
// acknowledged.
func (j *journaler) stop(err error) {
	j.failed = true
	j.fail(err)
}
