package engine

import (
	"errors"
	"fmt"
	"slices"

	"plimsoll/fixedpoint"
	"plimsoll/internal/journal"
	"plimsoll/risk"
)

// ErrDiverged says that this process did not reach the state that the journal says was
// reached: nothing it would answer can be trusted.
var ErrDiverged = errors.New("engine: diverged from the journal")

// Names is the memory of names beside the machines: what the api keeps. nil keeps none.
type Names interface {
	// Observe learns from an accepted group in replay; false says that it contradicts what
	// is known.
	Observe(group []risk.Command) bool
	// AppendSnapshot appends the piece at from and returns where the next one starts, below 0
	// after the last. It runs while names are given out; it starts from 0.
	AppendSnapshot(dst []byte, from int) (out []byte, next int)
	// RestoreSnapshot takes a piece back; they come in any order.
	RestoreSnapshot(chunk []byte) error
}

// Recovery is what Recover found.
type Recovery struct{ journal.Report }

// Recover opens the journal in a directory and brings an engine to the state that it
// holds: from the newest good snapshot, in parallel, then frame by frame. Wherever a frame
// or the snapshot says what the state hash is, it is compared. cfg.Journal is not looked
// at. The engine is not started; Close closes the journal.
func Recover(cfg Config, o journal.Options, names Names) (*Engine, Recovery, error) {
	cfg.Journal = noLog{}
	e, err := New(cfg)
	if err != nil {
		return nil, Recovery{}, err
	}
	r := newReplayer(e, names)
	log, report, err := journal.Open(o, r)
	report.HashChecked = r.checked
	if err != nil {
		return nil, Recovery{report}, fmt.Errorf("engine: recover: %w", err)
	}
	e.recovery = Recovery{report}
	e.useJournal(log)
	if infos := log.Snapshots(); len(infos) > 0 {
		e.lastSnapshot.Store(&infos[0])
	}
	return e, e.recovery, nil
}

// noLog stands in until the log is open.
type noLog struct{}

func (noLog) Start(func())                         { panic("engine: BUG: no log yet") }
func (noLog) Append(*journal.Header, []byte) error { panic("engine: BUG: no log yet") }
func (noLog) Durable() (uint64, error)             { panic("engine: BUG: no log yet") }

// hashPoint is a state hash that replay reached.
type hashPoint struct {
	seq  uint64
	hash journal.Hash
}

// pointsKept is how many hash points replay remembers. The writer passes hash points over
// until it has given the hash of the last; one that comes later than this goes unchecked.
const pointsKept = 64

// replayer is the journal's handler: the engine as its log makes it.
type replayer struct {
	e       *Engine
	names   Names
	records []risk.Command
	points  []hashPoint // newest last
	checked uint64      // last Seq whose hash was compared
}

func newReplayer(e *Engine, names Names) *replayer { return &replayer{e: e, names: names} }

// Snapshot starts a snapshot as of where the log stands.
func (r *replayer) Snapshot(chain journal.Chain) (journal.SnapshotSource, error) {
	c, err := r.e.beginSnapshot(chain, r.names)
	if err != nil {
		return nil, err // not c: a nil pointer in an interface is no nil
	}
	return c, nil
}

// Replay applies a frame, and compares state hashes.
func (r *replayer) Replay(h *journal.Header, body []byte) error {
	if err := r.decode(h, body); err != nil {
		return err
	}
	if err := r.compare(h); err != nil {
		return err
	}
	if err := r.e.Replay(r.records); err != nil {
		return fmt.Errorf("engine: frame %d: %w", h.Number, err)
	}
	if err := r.observe(r.e.egress.reasons); err != nil {
		return err
	}
	if r.e.egress.seq != h.LastSeq {
		return fmt.Errorf("engine: frame %d ends at seq %d, its header says %d", h.Number, r.e.egress.seq, h.LastSeq)
	}
	if h.Number%r.e.journaler.hashEvery == 0 {
		if len(r.points) == pointsKept {
			r.points = append(r.points[:0], r.points[1:]...)
		}
		r.points = append(r.points, hashPoint{h.LastSeq, hashBytes(r.e.replayHash())})
	}
	return nil
}

// decode reads the records of a frame.
func (r *replayer) decode(h *journal.Header, body []byte) error {
	if h.RecordSize != risk.CommandSize || len(body) != int(h.Count)*risk.CommandSize {
		return fmt.Errorf("engine: frame %d has records of %d bytes, this version reads %d", h.Number, h.RecordSize, risk.CommandSize)
	}
	r.records = slices.Grow(r.records[:0], int(h.Count))[:h.Count]
	for i := range r.records {
		risk.DecodeCommand(body[i*risk.CommandSize:], &r.records[i])
	}
	return nil
}

// compare holds the hash in a header against the one reached. One from before the
// snapshot is not known here.
func (r *replayer) compare(h *journal.Header) error {
	if h.StateHash.IsZero() {
		return nil
	}
	for _, p := range r.points {
		if p.seq != h.HashSeq {
			continue
		}
		if p.hash != h.StateHash {
			return fmt.Errorf("%w: state hash after seq %d is %v, frame %d says %v", ErrDiverged, p.seq, p.hash, h.Number, h.StateHash)
		}
		r.checked = p.seq
	}
	return nil
}

// observe tells the names of the accepted groups.
func (r *replayer) observe(reasons []risk.Reason) error {
	if r.names == nil {
		return nil
	}
	at := 0
	for _, reason := range reasons {
		size := int(r.records[at].GroupLeft) + 1
		if reason == risk.ReasonNone && !r.names.Observe(r.records[at:at+size]) {
			return fmt.Errorf("engine: seq %d gives a name or a slot that is taken", r.records[at].Seq)
		}
		at += size
	}
	return nil
}

// stand notes that all stages stand after a Seq that they did not bring there themselves.
func (e *Engine) stand(seq uint64) {
	e.sequencer.seq = seq
	e.sequencer.sequenced.Store(seq)
	e.journaler.seq, e.journaler.settled = seq, seq
	e.journaler.durable.Store(seq)
	e.egress.seq = seq
	e.egress.released.Store(seq)
	for _, s := range e.shards {
		s.seq = seq
		s.applied.store(seq)
	}
}

// reached returns the state hash as the stages stand.
func (e *Engine) reached() fixedpoint.Hash128 {
	hash := e.egress.idHash
	for _, s := range e.shards {
		hash = hash.Add(s.m.StateHash())
	}
	return hash
}
