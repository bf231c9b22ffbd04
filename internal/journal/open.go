package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
	"github.com/hashicorp/raft-wal/segment"
)

const (
	electionTimeout = 50 * time.Millisecond // nobody else stands
	leaseTimeout    = 25 * time.Millisecond
	commitTimeout   = 5 * time.Millisecond
	snapshotNever   = 1 << 62 // raft takes none by itself
	firstTerm       = 1
)

// Open takes the data directory, restores the newest sound snapshot, replays what was committed behind it
// and returns when the log is ready for the next frame. Its error is ErrLocked, a
// *DamageError, what the handler returned, or the system's.
func Open(o Options, h Handler) (*Log, Report, error) {
	begun := time.Now()
	l := &Log{o: o.withDefaults(), fsm: newFSM(h), failed: make(chan struct{}), stop: make(chan struct{})}
	report, err := l.open(h)
	if err != nil {
		close(l.stop)
		l.watchers.Wait()
		return nil, report, errors.Join(err, l.release())
	}
	l.next = l.fsm.place()
	l.fsm.ownFrom.Store(l.next.Number)
	l.guard.isRunning.Store(true)
	report.Frames, report.Commands, report.LastSeq = l.fsm.frames, l.fsm.commands, l.next.Seq
	report.Seconds = time.Since(begun).Seconds()
	for _, watch := range []func(){l.watchSpace, l.watchLead} {
		l.watchers.Go(watch)
	}
	return l, report, nil
}

func (l *Log) open(h Handler) (report Report, err error) {
	files, dir := l.o.files, filepath.Join(l.o.Dir, walDir)
	if err := files.MkdirAll(dir); err != nil {
		return report, fmt.Errorf("journal: make %s: %w", dir, err)
	}
	if l.lock, err = lockDir(l.o.Dir); err != nil {
		return report, err
	}
	if l.high, err = openHighwater(files, l.o.Dir); err != nil {
		return report, err
	}
	if l.meta, err = openMeta(files, dir); err != nil {
		return report, err
	}
	if l.store, err = newSnapshotStore(files, l.o.Dir, l.o.SnapshotsKept); err != nil {
		return report, err
	}
	l.space.files, l.space.dir, l.space.low = files, l.o.Dir, l.o.FreeLowBytes
	if err := l.space.look(); err != nil {
		return report, err
	}
	stream, at, err := l.newestSnapshot()
	if err != nil {
		return report, err
	}
	if stream != nil {
		defer func() { err = errors.Join(err, stream.Close()) }()
	}
	last, report, err := recoverTail(files, dir, l.meta, at.SnapshotMeta, l.high)
	if err != nil {
		return report, err
	}
	if err := l.openWAL(dir); err != nil {
		return report, err
	}
	if err := l.fitLog(last, at.RaftIndex, &report); err != nil {
		return report, err
	}
	if stream != nil {
		report.SnapshotFile, report.SnapshotSeq = at.File, at.Seq
		reader, err := snapshotReaderOf(stream)
		if err == nil {
			err = h.Restore(reader)
		}
		if err != nil {
			return report, fmt.Errorf("journal: restore %s: %w", at.File, err)
		}
		l.fsm.start(at.Chain)
	}
	return report, l.startRaft()
}

// newestSnapshot opens the newest snapshot of which every byte is sound; nil when there is none.
func (l *Log) newestSnapshot() (stream io.ReadCloser, info SnapshotInfo, err error) {
	metas, err := l.store.List()
	if err != nil {
		return nil, info, err
	}
	for _, meta := range metas {
		_, stream, err := l.store.Open(meta.ID)
		if damage := (*DamageError)(nil); err != nil && !errors.As(err, &damage) {
			return nil, info, err
		}
		if err == nil {
			info = l.store.Infos()[0] // Open has put the damaged ones aside
			l.warnRejected()
			return stream, info, nil
		}
	}
	l.warnRejected()
	return nil, info, nil
}

func (l *Log) warnRejected() {
	for _, why := range l.store.Rejected() {
		l.o.Log.Warn("a snapshot is damaged and not used", "error", why)
	}
}

func (l *Log) openWAL(dir string) error {
	logger := newLogger(l.o.Log)
	opened, err := wal.Open(dir, wal.WithMetaStore(l.meta), wal.WithSegmentSize(l.o.SegmentBytes),
		wal.WithSegmentFiler(segment.NewFiler(dir, l.o.files)), wal.WithLogger(logger))
	if damage := (*DamageError)(nil); errors.As(err, &damage) {
		return err
	}
	if errors.Is(err, wal.ErrCorrupt) || errors.Is(err, os.ErrNotExist) || errors.Is(err, io.EOF) {
		return &DamageError{File: dir, Offset: noOffset, What: "the log cannot be opened", Do: doRestore, Err: err}
	}
	if err != nil {
		return fmt.Errorf("journal: open %s: %w", dir, err)
	}
	l.wal = opened
	l.guard = &guard{
		wal: opened, files: l.o.files, dir: dir, meta: l.meta, fault: l.fault, keep: l.keepFrom, ahead: newReadAhead(l.stop),
	}
	l.fsm.guard, l.fsm.high, l.fsm.fault, l.fsm.recycle = l.guard, l.high, l.fault, l.recycle
	l.watchers.Go(l.watchHangs)
	return nil
}

// keepFrom returns the log entry up to which the log may be cut: that of the oldest of the
// snapshots to be kept, as a newer one can turn out damaged.
func (l *Log) keepFrom() uint64 {
	infos := l.store.Infos()
	if len(infos) < l.o.SnapshotsKept {
		return 0
	}
	return infos[l.o.SnapshotsKept-1].RaftIndex
}

// fitLog compares the log's ends with the snapshot. A log that ends before the snapshot has lost only
// what the snapshot holds, and is begun anew behind it.
func (l *Log) fitLog(last, snapshotIndex uint64, report *Report) error {
	first, err := l.wal.FirstIndex()
	if err != nil {
		return err
	}
	walLast, err := l.wal.LastIndex()
	if err != nil {
		return err
	}
	at := &DamageError{File: filepath.Join(l.o.Dir, walDir), Offset: noOffset, Do: doRestore}
	switch {
	case walLast != 0 && walLast != last:
		at.What = fmt.Sprintf("the log ends with entry %d, its last segment with entry %d", walLast, last)
		return at
	case first > snapshotIndex+1:
		at.What = fmt.Sprintf("the log begins with entry %d and no sound snapshot reaches up to it", first)
		at.Err = errors.Join(l.store.Rejected()...)
		return at
	case walLast == 0 && snapshotIndex == 0 && len(l.store.Rejected()) > 0:
		at.What, at.Err = "the log is empty and no snapshot is sound", errors.Join(l.store.Rejected()...)
		return at
	case walLast != 0 && walLast < snapshotIndex:
		report.CutReason = fmt.Sprintf("the log ends with entry %d, the snapshot holds all up to %d", walLast, snapshotIndex)
		return l.wal.DeleteRange(first, walLast)
	}
	return nil
}

// startRaft starts a group of one and waits until all that is in the log has been applied.
func (l *Log) startRaft() (err error) {
	if err := l.bootstrap(); err != nil {
		return err
	}
	address := raft.ServerAddress(serverID)
	_, l.trans = raft.NewInmemTransport(address)
	c := raft.DefaultConfig()
	c.LocalID = serverID
	c.HeartbeatTimeout, c.ElectionTimeout = electionTimeout, electionTimeout
	c.LeaderLeaseTimeout, c.CommitTimeout = leaseTimeout, commitTimeout
	c.BatchApplyCh, c.MaxAppendEntries = true, inFlightMax
	c.SnapshotThreshold, c.SnapshotInterval = snapshotNever, snapshotNever
	c.TrailingLogs = l.o.TrailingFrames
	c.NoSnapshotRestoreOnStart, c.NoLegacyTelemetry = true, true
	c.Logger = newLogger(l.o.Log)
	if err := l.newRaft(c); err != nil {
		return err
	}
	for leads := false; !leads; {
		select {
		case leads = <-l.raft.LeaderCh():
		case <-l.failed:
			return *l.err.Load()
		}
	}
	if err := l.raft.Barrier(0).Error(); err != nil {
		if fault := l.err.Load(); fault != nil {
			err = *fault
		}
		return fmt.Errorf("journal: replay: %w", err)
	}
	if failure := l.fsm.failure.Load(); failure != nil {
		return *failure
	}
	return nil
}

// newRaft makes raft, which reads the whole log and panics at what it cannot read.
func (l *Log) newRaft(c *raft.Config) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("journal: raft: %v", fault)
		}
		if damage := l.guard.damage.Load(); damage != nil {
			err = damage
		}
	}()
	last, err := l.guard.LastIndex()
	if err != nil {
		return err
	}
	first := uint64(1)
	if infos := l.store.Infos(); len(infos) > 0 {
		first = infos[0].RaftIndex + 1
	}
	l.guard.surveyLog(first, last)
	l.raft, err = raft.NewRaft(c, l.fsm, l.guard, l.guard, l.store, l.trans)
	return err
}

// bootstrap writes who is in the group, as the first entry of an empty log, unless a snapshot says it.
// Raft's term is at least that of the snapshot, also when the snapshot is all there is.
func (l *Log) bootstrap() error {
	last, err := l.guard.LastIndex()
	if err != nil || last > 0 {
		return err
	}
	least, infos := uint64(firstTerm), l.store.Infos()
	if len(infos) > 0 {
		least = infos[0].RaftTerm
	}
	const key = "CurrentTerm" // raft's name for it
	term, err := l.guard.GetUint64([]byte(key))
	if err != nil {
		return err
	}
	if term < least {
		term = least
		if err := l.guard.SetUint64([]byte(key), term); err != nil {
			return err
		}
	}
	if len(infos) > 0 {
		return nil
	}
	self := raft.Server{Suffrage: raft.Voter, ID: serverID, Address: serverID}
	group := raft.Configuration{Servers: []raft.Server{self}}
	return l.guard.StoreLog(&raft.Log{
		Index: 1, Term: term, Type: raft.LogConfiguration, Data: raft.EncodeConfiguration(group), AppendedAt: time.Now(),
	})
}

// newLogger returns a logger for raft that passes warnings and errors on to log.
func newLogger(log *slog.Logger) hclog.Logger {
	logger := hclog.NewInterceptLogger(&hclog.LoggerOptions{Output: io.Discard, Level: hclog.Off})
	logger.RegisterSink(slogSink{log})
	return logger
}

// electionNews is what raft warns of at every start of a group of one: nobody leads it yet.
const electionNews = "heartbeat timeout reached, starting election"

type slogSink struct{ log *slog.Logger }

// Accept takes one line of raft's.
func (s slogSink) Accept(name string, level hclog.Level, message string, args ...any) {
	if level < hclog.Warn || message == electionNews {
		return
	}
	s.log.Log(context.Background(), slog.LevelWarn, "raft: "+message, append(args, "part", name)...)
}
