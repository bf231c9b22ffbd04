package journal

import (
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/raft"
)

// fsm takes the committed entries from raft, one batch after the other on one goroutine.
type fsm struct {
	handler Handler
	high    *highwater
	guard   *guard
	fault   func(code int, err error)
	recycle func([]byte)

	ownFrom  atomic.Uint64 // frames behind this one were appended by this process
	seq      atomic.Uint64 // last durable
	number   atomic.Uint64 // of its frame
	bytes    atomic.Uint64 // of frames since the last snapshot
	wake     atomic.Pointer[func()]
	failure  atomic.Pointer[error] // the first error of a replay
	frames   uint64                // replayed; raft's goroutine's own, like commands
	commands uint64

	mu    sync.Mutex
	chain Chain
}

var (
	_ raft.BatchingFSM = (*fsm)(nil)
	_ raft.FSM         = (*fsm)(nil)
)

func newFSM(h Handler) *fsm {
	f := &fsm{handler: h}
	f.ownFrom.Store(math.MaxUint64)
	return f
}

// place returns where the log stands.
func (f *fsm) place() Chain {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.chain
}

// start puts the log behind a snapshot.
func (f *fsm) start(at Chain) {
	f.mu.Lock()
	f.chain = at
	f.mu.Unlock()
	f.seq.Store(at.Seq)
	f.number.Store(at.Number)
}

// Apply is ApplyBatch for one entry.
func (f *fsm) Apply(l *raft.Log) any { return f.ApplyBatch([]*raft.Log{l})[0] }

// ApplyBatch takes committed entries in order. What this process did not append is replayed;
// of all, Durable moves once.
func (f *fsm) ApplyBatch(logs []*raft.Log) []any {
	defer f.guard.ahead.leave(logs)
	before := f.place()
	at := before
	verified, stop := f.verify(logs)
	defer stop()
	for _, l := range logs {
		if l.Type != raft.LogCommand || f.failure.Load() != nil || f.guard.isDead.Load() {
			continue
		}
		if err := f.take(&at, l, verified); err != nil {
			err = fmt.Errorf("log entry %d: %w", l.Index, err)
			f.failure.CompareAndSwap(nil, &err)
			if f.guard.isRunning.Load() {
				f.fault(ExitStorageFault, err)
			}
			break
		}
	}
	responses := make([]any, len(logs))
	if at.Number == before.Number || f.guard.isDead.Load() {
		return responses
	}
	index := logs[len(logs)-1].Index
	if f.guard.timed(timedHighwater, "write the high-water mark", func() error { return f.high.advance(index, at.Seq) }) != nil {
		return responses
	}
	f.mu.Lock()
	f.chain = at
	f.mu.Unlock()
	f.number.Store(at.Number)
	f.seq.Store(at.Seq)
	if wake := f.wake.Load(); wake != nil {
		(*wake)()
	}
	for _, l := range logs {
		if l.Type == raft.LogCommand && at.Number > f.ownFrom.Load() {
			f.recycle(l.Data)
		}
	}
	return responses
}

// take moves the chain over one frame, the next of those verified if there are such.
func (f *fsm) take(at *Chain, l *raft.Log, verified <-chan verifiedFrame) error {
	h, _, err := parseHeader(l.Data)
	if err != nil {
		return err
	}
	isOwn := h.Number > f.ownFrom.Load()
	var body []byte
	if !isOwn {
		if verified != nil {
			frame := <-verified
			h, body, err = frame.header, frame.body, frame.err
		} else {
			h, body, err = ParseFrame(l.Data)
		}
		if err != nil {
			return err
		}
	}
	accept, err := at.Next(&h)
	if err != nil || !accept {
		return err
	}
	f.bytes.Add(uint64(len(l.Data)))
	if isOwn {
		return nil
	}
	f.frames++
	f.commands += uint64(h.Count)
	return f.handler.Replay(&h, body)
}

// Snapshot captures the state between two frames.
func (f *fsm) Snapshot() (raft.FSMSnapshot, error) {
	if failure := f.failure.Load(); failure != nil {
		return nil, *failure
	}
	at := f.place()
	source, err := f.handler.Snapshot(at)
	if err != nil {
		return nil, err
	}
	return &fsmSnapshot{source: source, at: at, fsm: f, bytes: f.bytes.Load()}, nil
}

// Restore is raft's way to hand over a snapshot from another node; Open takes those on disk.
func (f *fsm) Restore(source io.ReadCloser) error {
	return errors.Join(errors.New("journal: BUG: a group of one receives no snapshots"), source.Close())
}

// fsmSnapshot is one snapshot on its way to disk.
type fsmSnapshot struct {
	source SnapshotSource
	fsm    *fsm
	at     Chain
	bytes  uint64 // of frames before it
}

// Persist writes the snapshot while frames go on.
func (s *fsmSnapshot) Persist(to raft.SnapshotSink) error {
	sink, ok := to.(*snapshotSink)
	if !ok {
		return fmt.Errorf("journal: BUG: a snapshot goes to a %T", to)
	}
	w, err := sink.writer()
	if err != nil {
		return err
	}
	meta, err := s.source.WriteTo(w)
	if err != nil {
		return err
	}
	meta.Chain, meta.Seq = s.at, s.at.Seq
	sink.finish(meta)
	if err := sink.Close(); err != nil {
		return err
	}
	s.fsm.bytes.Add(-s.bytes)
	return nil
}

// Release lets go of what Snapshot captured.
func (s *fsmSnapshot) Release() { s.source.Release() }
