package engine

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"

	"plimsoll/fixedpoint"
	"plimsoll/internal/journal"
	"plimsoll/ringbuf"
	"plimsoll/risk"
)

// Journal keeps frames of whole groups in order; *journal.Log is one. Its methods are
// called from one place at a time and do not block.
//
// It may also have Space() (free uint64, isLow bool), with which Submit turns commands
// away while the disk is nearly full, Term() uint64, and Close() error, which Close calls.
type Journal interface {
	// Start is called once, before the first Append. The journal calls wake whenever
	// Durable has something new to say; any goroutine may call it.
	Start(wake func())
	// Append takes over one frame: it has copied or encoded it when it returns, and has
	// filled h.Number. The body is records of risk.CommandSize bytes whose tickets are 0.
	Append(h *journal.Header, body []byte) error
	// Durable returns the last Seq of the last frame that is kept for good.
	Durable() (seq uint64, err error)
}

// NoJournal keeps nothing: what is appended counts as durable at once.
type NoJournal struct{}

// Start does nothing.
func (NoJournal) Start(func()) {}

// Append does nothing.
func (NoJournal) Append(*journal.Header, []byte) error { return nil }

// Durable is never asked: what is sequenced is durable.
func (NoJournal) Durable() (uint64, error) { return 0, nil }

// frameInFlight is a frame that the journal has and the shards have not yet.
type frameInFlight struct {
	size        int    // records in the ring, markers included
	seq         uint64 // last Seq in it or before it
	appendedNs  int64  // when it was appended, by the tracer
	isHashPoint bool
}

// mark is a marker that the journaler puts into the order between two frames.
type mark struct {
	after int // records at the head of the ring that go before it
	kind  risk.Kind
	aux   uint64
}

// journaler moves groups from the sequencer to the broadcast ring as they become
// durable. A frame is what has arrived since the last one, up to frameMax records; while
// one is being synced the next is built, up to a number of frames in flight. The records
// stay in the sequencer's ring until then.
//
// Behind a frame it puts the markers that belong there: of a hash point, after which all
// shards hash their state, and of a snapshot.
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
	hashEvery uint64 // distance of the hash points, in frames

	header   journal.Header // of the frame under construction
	body     []byte         // and its records
	flight   []frameInFlight
	marks    []mark // markers to come, by place
	appended int    // records at the head of the ring that the journal has
	ready    int    // of those, records that are durable
	seq      uint64 // last Seq appended
	settled  uint64 // last Seq that is ready
	injected uint64 // markers put in; see isDrained

	snapshot *atomic.Pointer[capture] // the one asked for last, by whoever takes it
	marked   uint64                   // number of the last one whose marker is placed
	collect  func(slot int, seq uint64) (fixedpoint.Hash128, bool)
	hashSeq  uint64         // hash point whose hash is awaited; 0 = none
	released *atomic.Uint64 // last Seq that egress let out

	durable  atomic.Uint64 // last Seq durable; pairs with Status
	counters *counters
	tracer   *tracer
	tickets  *ticketTable // traces of
	fail     func(error)
	failed   bool
}

func newJournaler(in *ringbuf.SPSC[risk.Command], out *ringbuf.Broadcast[risk.Command], counters *counters,
	cfg *Config, fail func(error),
) *journaler {
	j := &journaler{
		in: in, out: out, journal: cfg.Journal, keeps: in != nil, frameMax: cfg.FrameMax,
		flightMax: cfg.FramesInFlight, pollMax: cfg.PollMax, hashEvery: journal.HashEvery, fail: fail, counters: counters,
	}
	if j.keeps {
		j.body = make([]byte, 0, max(cfg.FrameMax, cfg.GroupMax)*risk.CommandSize)
		j.flight = make([]frameInFlight, 0, cfg.FramesInFlight)
	}
	if cfg.hashEvery > 0 {
		j.hashEvery = cfg.hashEvery
	}
	return j
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
	size := j.build(available)
	isHashPoint, appendedNs := false, int64(0)
	if len(j.body) > 0 {
		appendedNs = j.traceAppended() // what Append takes is the journal's
		j.takeHash()
		if err := j.journal.Append(&j.header, j.body); err != nil {
			j.stop(fmt.Errorf("engine: append frame up to seq %d: %w", j.seq, err))
			return 1
		}
		j.counters.add(CounterFrames, 1)
		if isHashPoint = j.header.Number%j.hashEvery == 0 && j.hashSeq == 0; isHashPoint {
			j.hashSeq = j.seq
		}
	}
	j.appended += size
	j.flight = append(j.flight, frameInFlight{size: size, seq: j.seq, appendedNs: appendedNs, isHashPoint: isHashPoint})
	return size
}

// build encodes the records of the next frame, and returns how many of the ring it takes.
func (j *journaler) build(available int) (size int) {
	j.body = j.body[:0]
	j.header = journal.Header{FirstSeq: j.seq + 1, RecordSize: risk.CommandSize, AckedSeq: j.released.Load()}
	for at := j.appended; at < available; {
		head := j.in.Peek(at)
		group := int(head.GroupLeft) + 1
		if size > 0 && size+group > j.frameMax {
			break
		}
		if !isMarker(head) {
			for i := range group {
				j.body = risk.AppendCommand(j.body, j.in.Peek(at+i))
				binary.LittleEndian.PutUint32(j.body[len(j.body)-risk.CommandSize+ticketOffset:], 0)
			}
			j.header.Count += uint32(group) //nolint:gosec // a group fits its frame
			j.seq, j.header.TimeMs = head.Seq, head.TimeMs
		}
		at += group
		size += group
	}
	j.header.LastSeq = j.seq
	return size
}

// ticketOffset is where a record has its ticket: who waits for the answer is not kept.
const ticketOffset = 108

// takeHash gives the next frame the state hash of the last hash point, once it is there.
func (j *journaler) takeHash() {
	if j.hashSeq == 0 {
		return
	}
	if hash, ok := j.collect(shareHashPoint, j.hashSeq); ok {
		j.header.HashSeq, j.header.StateHash = j.hashSeq, hashBytes(hash)
		j.hashSeq = 0
	}
}

// settle takes the frames that have become durable out of flight. A snapshot is asked for
// while Durable stands at its place, so that looking for it after Durable never misses it.
func (j *journaler) settle() (work int) {
	if len(j.flight) == 0 && !j.isSnapshotAsked() {
		return 0
	}
	durable, err := j.journal.Durable()
	if err != nil {
		j.stop(fmt.Errorf("engine: sync journal after seq %d: %w", durable, err))
		return 1
	}
	work = j.markSnapshot()
	nowNs := int64(0)
	for len(j.flight) > 0 && j.flight[0].seq <= durable {
		f := j.flight[0]
		if nowNs == 0 {
			nowNs = j.tracer.now()
		}
		j.traceSettled(nowNs)
		work += f.size
		j.ready += f.size
		j.settled = f.seq
		j.flight = append(j.flight[:0], j.flight[1:]...)
		if f.isHashPoint {
			j.marks = append(j.marks, mark{after: j.ready, kind: kindHash, aux: f.seq})
		}
		work += j.markSnapshot()
	}
	return work
}

// isSnapshotAsked reports whether a snapshot waits for its marker.
func (j *journaler) isSnapshotAsked() bool {
	c := j.snapshot.Load()
	return c != nil && c.number != j.marked
}

// markSnapshot places the marker of a snapshot, once all before it is ready.
func (j *journaler) markSnapshot() (work int) {
	c := j.snapshot.Load()
	if c == nil || c.number == j.marked || j.settled < c.chain.Seq {
		return 0
	}
	if j.settled > c.chain.Seq {
		panic(fmt.Sprintf("engine: BUG: snapshot after seq %d asked for after seq %d", c.chain.Seq, j.settled))
	}
	j.marked = c.number
	j.marks = append(j.marks, mark{after: j.ready, kind: kindSnapshot, aux: c.number})
	return 1
}

// pass moves up to ready records to the broadcast ring, groups whole, and the markers
// between them.
func (j *journaler) pass(ready int) (work int) {
	moved, written, shown := 0, 0, 0 // records taken, records written, records of moved released
	seq := uint64(0)
	flush := func() {
		j.out.Publish(written)
		j.in.Release(moved - shown)
		work += written
		written, shown = 0, moved
	}
	for range j.pollMax {
		if written >= flushEvery {
			flush()
		}
		if len(j.marks) > 0 && j.marks[0].after == moved {
			if j.out.Claim(written+1) <= written {
				break
			}
			*j.out.Slot(written) = risk.Command{Kind: j.marks[0].kind, Aux: j.marks[0].aux}
			written++
			j.injected++
			j.marks = append(j.marks[:0], j.marks[1:]...)
			continue
		}
		if moved >= ready {
			break
		}
		head := j.in.Peek(moved - shown)
		size := int(head.GroupLeft) + 1
		if j.out.Claim(written+size) < written+size {
			break
		}
		for i := range size {
			*j.out.Slot(written + i) = *j.in.Peek(moved - shown + i)
		}
		if !isMarker(head) {
			seq = head.Seq
			if head.Ticket&ticketTraced != 0 {
				j.traceDurable(head.Ticket)
			}
		}
		written += size
		moved += size
	}
	if written > 0 {
		flush()
	}
	if j.appended > 0 {
		j.appended -= moved
		j.ready -= moved
	}
	for i := range j.marks {
		j.marks[i].after -= moved
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

// hashBytes writes a state hash as a header has it: as it is printed, high word first.
func hashBytes(h fixedpoint.Hash128) (b journal.Hash) {
	binary.BigEndian.PutUint64(b[:], h.Hi)
	binary.BigEndian.PutUint64(b[8:], h.Lo)
	return b
}
