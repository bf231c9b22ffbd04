package journal

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
)

const (
	freeLowDefault        = 512 << 20 // bytes
	hangLimitDefault      = 10 * time.Second
	segmentBytesDefault   = 64 << 20
	snapshotsKeptDefault  = 2
	trailingFramesDefault = 65536

	inFlightMax = 256 // frames appended and not yet committed
	serverID    = "1" // of this node in its group of one
)

// Names in a data directory.
const (
	walDir        = "wal"       // the log's segments and their meta file
	metaName      = "meta"      // in walDir
	snapshotDir   = "snapshots" // the snapshots
	highwaterName = "highwater"
	lockName      = "lock"
)

// Options say where a log is kept and how.
type Options struct {
	Dir            string        // the data directory; made when missing
	FreeLowBytes   uint64        // free space below which Space says that it is low
	HangLimit      time.Duration // a write that takes longer ends the process
	SegmentBytes   int           // of one file of the log, reserved when it is made
	SnapshotsKept  int           // the log is cut behind the oldest of these
	TrailingFrames uint64        // left in the log at least when it is cut
	// Fatal is called once, when the disk has refused a write (ExitStorageFault) or does not
	// come back from one (ExitStorageHangs). What the disk then holds is unknown, so it must not return; a
	// test's may, and Durable gives the error from then on.
	Fatal func(code int, err error)
	Log   *slog.Logger

	files Files // nil = OSFiles
}

// DefaultOptions returns the options of a production log in dir.
func DefaultOptions(dir string) Options {
	return Options{
		Dir:            dir,
		FreeLowBytes:   freeLowDefault,
		HangLimit:      hangLimitDefault,
		SegmentBytes:   segmentBytesDefault,
		SnapshotsKept:  snapshotsKeptDefault,
		TrailingFrames: trailingFramesDefault,
		Fatal:          func(code int, _ error) { os.Exit(code) },
		Log:            slog.Default(),
	}
}

// withDefaults fills what was left zero.
func (o Options) withDefaults() Options {
	d := DefaultOptions(o.Dir)
	if o.FreeLowBytes == 0 {
		o.FreeLowBytes = d.FreeLowBytes
	}
	if o.HangLimit == 0 {
		o.HangLimit = d.HangLimit
	}
	if o.SegmentBytes == 0 {
		o.SegmentBytes = d.SegmentBytes
	}
	if o.SnapshotsKept == 0 {
		o.SnapshotsKept = d.SnapshotsKept
	}
	if o.Fatal == nil {
		o.Fatal = d.Fatal
	}
	if o.Log == nil {
		o.Log = d.Log
	}
	if o.files == nil {
		o.files = OSFiles{}
	}
	return o
}

// Handler is the state that the log's frames make. Open calls it from its own goroutines,
// one call at a time.
type Handler interface {
	// Restore takes the state from a snapshot, whose every checksum is good. It is called at most
	// once, before any Replay.
	Restore(r *SnapshotReader) error
	// Replay applies a committed frame that this process did not append. Header and body are
	// its own for good. An error ends Open.
	Replay(h *Header, body []byte) error
	// Snapshot is called between two frames, with where the log stands: Durable does not move
	// until it has returned, which must be at once.
	Snapshot(chain Chain) (SnapshotSource, error)
}

// SnapshotSource writes the state as of the place where Handler.Snapshot was called, while
// frames go on. Release is called at the end in any case.
type SnapshotSource interface {
	WriteTo(w *SnapshotWriter) (SnapshotMeta, error)
	Release()
}

// Report says what Open found.
type Report struct {
	SnapshotFile string  // path; empty when it started from an empty state
	SnapshotSeq  uint64  // last Seq in it
	Frames       uint64  // replayed
	Commands     uint64  // records in them
	LastSeq      uint64  // of the log
	BytesCut     int64   // remains of a write that was never committed
	CutReason    string  // why they were cut
	HashChecked  uint64  // last Seq whose state hash was compared; the handler's owner fills it
	Seconds      float64 //nolint:forbidigo // wall time, for people
}

var errLostLead = errors.New("journal: raft has let go of the log")

// Log is an open log. Append is for one goroutine; all else may be called by any.
type Log struct {
	o     Options
	lock  *dirLock
	meta  *metaStore
	wal   *wal.WAL
	guard *guard
	store *snapshotStore
	high  *highwater
	space spaceWatch
	trans *raft.InmemTransport
	raft  *raft.Raft
	fsm   *fsm

	next     Chain // behind the frame that was appended last; the appender's own
	buffers  sync.Pool
	isTaking atomic.Bool // a snapshot
	isClosed atomic.Bool
	err      atomic.Pointer[error] // the fault that ended it
	failed   chan struct{}         // closed when err is set
	stop     chan struct{}         // closed by Close
	watchers sync.WaitGroup
}

// fault ends the log: the first one is reported, once.
func (l *Log) fault(code int, err error) {
	if !l.err.CompareAndSwap(nil, &err) {
		return
	}
	l.guard.isDead.Store(true)
	close(l.failed)
	l.o.Log.Error("the log has failed", "dir", l.o.Dir, "exit", code, "error", err)
	if wake := l.fsm.wake.Load(); wake != nil {
		(*wake)()
	}
	l.o.Fatal(code, err)
}

// Start has wake called, from a goroutine of the log's, whenever what Durable returns has changed.
func (l *Log) Start(wake func()) { l.fsm.wake.Store(&wake) }

// Append writes a frame behind the last one; it is committed when Durable has reached its
// LastSeq. It fills h.Number, h.Prev, h.Version and h.BodyHash, and raises h.AckedSeq to what is durable. It copies
// body and never waits for the disk: ErrInFlight says that too many frames do.
func (l *Log) Append(h *Header, body []byte) error {
	if err := l.err.Load(); err != nil {
		return *err
	}
	switch {
	case l.isClosed.Load():
		return ErrClosed
	case l.next.Number-l.fsm.number.Load() >= inFlightMax:
		return ErrInFlight
	case h.FirstSeq != l.next.Seq+1 || h.LastSeq < h.FirstSeq:
		return fmt.Errorf("journal: BUG: commands %d to %d cannot follow command %d", h.FirstSeq, h.LastSeq, l.next.Seq)
	case HeaderSize+len(body) > FrameBytesMax || h.RecordSize != 0 && uint64(h.Count)*uint64(h.RecordSize) != uint64(len(body)):
		return fmt.Errorf("journal: BUG: %d records of %d bytes in a body of %d", h.Count, h.RecordSize, len(body))
	}
	h.Number, h.Prev = l.next.Number+1, l.next.Link
	h.AckedSeq = max(h.AckedSeq, l.fsm.seq.Load())
	buf := AppendFrame(l.buffer(HeaderSize+len(body)), h, body)
	l.next = Chain{Number: h.Number, Seq: h.LastSeq, Link: hashOf(buf[:HeaderSize])}
	l.raft.ApplyLog(raft.Log{Data: buf}, 0) // its channel has room for inFlightMax; the outcome comes to the fsm
	return nil
}

func (l *Log) buffer(size int) []byte {
	if pooled, ok := l.buffers.Get().(*[]byte); ok && cap(*pooled) >= size {
		return (*pooled)[:0]
	}
	return make([]byte, 0, size)
}

func (l *Log) recycle(b []byte) { l.buffers.Put(&b) }

// Durable returns the LastSeq of the last committed frame, and the fault that ended the log.
func (l *Log) Durable() (seq uint64, err error) {
	if fault := l.err.Load(); fault != nil {
		err = *fault
	}
	return l.fsm.seq.Load(), err
}

// Space returns the free bytes on the disk, as of a tenth of a second ago, and whether they are
// few. They stay so until a tenth more than Options.FreeLowBytes is free.
func (l *Log) Space() (free uint64, isLow bool) { return l.space.free.Load(), l.space.isLow.Load() }

// Chain returns where the committed log stands.
func (l *Log) Chain() Chain { return l.fsm.place() }

// Term returns raft's term: each start of the process begins one.
func (l *Log) Term() uint64 { return l.raft.CurrentTerm() }

// BytesSinceSnapshot returns the bytes of the frames that a start would have to replay.
func (l *Log) BytesSinceSnapshot() uint64 { return l.fsm.bytes.Load() }

// Snapshots returns the snapshots kept, newest first.
func (l *Log) Snapshots() []SnapshotInfo { return l.store.Infos() }

// Snapshot takes a snapshot of the state as of now, publishes it and cuts the log. It
// returns when that is done; frames go on meanwhile.
func (l *Log) Snapshot() (SnapshotInfo, error) {
	if err := l.err.Load(); err != nil {
		return SnapshotInfo{}, *err
	}
	if l.isClosed.Load() {
		return SnapshotInfo{}, ErrClosed
	}
	if !l.isTaking.CompareAndSwap(false, true) {
		return SnapshotInfo{}, ErrSnapshotRunning
	}
	defer l.isTaking.Store(false)
	if err := l.raft.Snapshot().Error(); err != nil {
		return SnapshotInfo{}, fmt.Errorf("journal: take a snapshot: %w", err)
	}
	return l.store.Infos()[0], nil
}

// Close waits until what was appended is committed, or the log has failed, and lets go of
// the directory.
func (l *Log) Close() error {
	if l.isClosed.Swap(true) {
		return nil
	}
	if l.err.Load() == nil {
		_ = l.raft.Barrier(0).Error() // it fails only with the log
	}
	close(l.stop)
	l.watchers.Wait()
	return l.release()
}

// release closes what is open, last first.
func (l *Log) release() error {
	var errs []error
	if l.raft != nil {
		errs = append(errs, l.raft.Shutdown().Error())
	}
	if l.trans != nil {
		errs = append(errs, l.trans.Close())
	}
	if l.wal != nil {
		errs = append(errs, l.wal.Close()) // closes meta
	} else if l.meta != nil {
		errs = append(errs, l.meta.Close())
	}
	if l.high != nil {
		errs = append(errs, l.high.Close())
	}
	if l.lock != nil {
		errs = append(errs, l.lock.release())
	}
	return errors.Join(errs...)
}
