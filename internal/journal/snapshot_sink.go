package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/hashicorp/raft"
	"github.com/hashicorp/raft-wal/types"
)

// snapshotSink is a snapshot on its way into the store. Who takes one asks for the writer,
// and says with finish what was written; who receives one from another node writes the bytes
// of its file. Either way nothing is visible before Close has made it durable.
type snapshotSink struct {
	store *snapshotStore
	name  string
	file  types.WritableFile
	begun time.Time
	meta  SnapshotMeta
	raft  snapshotRaft

	w        *SnapshotWriter
	isWhole  bool  // finish was called
	received int64 // bytes by Write
	isDone   bool
	info     SnapshotInfo
}

var _ raft.SnapshotSink = (*snapshotSink)(nil)

// ID returns the name that the file will have.
func (s *snapshotSink) ID() string { return s.name }

// writer returns the writer of the chunks.
func (s *snapshotSink) writer() (*SnapshotWriter, error) {
	if s.w != nil {
		return s.w, nil
	}
	w, err := newSnapshotWriter(s.file)
	s.w = w
	return w, err
}

// finish says what the chunks hold; the place in raft's log is the store's to fill in.
func (s *snapshotSink) finish(meta SnapshotMeta) {
	meta.RaftIndex, meta.RaftTerm = s.meta.RaftIndex, s.meta.RaftTerm
	if meta.TakenUnixMs == 0 {
		meta.TakenUnixMs = s.store.nowMs()
	}
	s.meta, s.isWhole = meta, true
}

// Write takes bytes of a snapshot file that comes from another node.
func (s *snapshotSink) Write(p []byte) (int, error) {
	if s.w != nil {
		return 0, errors.New("journal: BUG: a snapshot is either received or written")
	}
	n, err := s.file.WriteAt(p, s.received)
	s.received += int64(n)
	if err != nil {
		return n, fmt.Errorf("journal: write received snapshot: %w", err)
	}
	return n, nil
}

// Close makes the snapshot durable and publishes it. On an error nothing is published.
func (s *snapshotSink) Close() error {
	if s.isDone {
		return nil
	}
	size, err := s.seal()
	if err != nil {
		return errors.Join(err, s.Cancel())
	}
	s.isDone = true
	if err := s.file.Close(); err != nil {
		return errors.Join(fmt.Errorf("journal: close snapshot: %w", err), s.remove())
	}
	s.meta.Version = SnapshotVersion
	s.info = SnapshotInfo{SnapshotMeta: s.meta, Bytes: size, Seconds: time.Since(s.begun).Seconds()}
	s.info.File = filepath.Join(s.store.dir, s.name)
	return s.store.publish(storedSnapshot{name: s.name, info: s.info, raft: s.raft})
}

// seal makes the bytes durable under the name of an unfinished file.
func (s *snapshotSink) seal() (size int64, err error) {
	switch {
	case s.isWhole && s.w != nil:
		return s.w.finish(s.meta, s.raft)
	case s.w != nil || s.received == 0:
		return 0, errors.New("journal: a snapshot was closed before it was whole")
	}
	if err := s.file.Sync(); err != nil {
		return 0, fmt.Errorf("journal: sync received snapshot: %w", err)
	}
	r, err := openSnapshot(s.store.files, s.store.dir, s.name+tmpSuffix)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if err := r.Verify(runtime.GOMAXPROCS(0)); err != nil {
		return 0, err
	}
	meta := r.Meta()
	if meta.RaftIndex != s.meta.RaftIndex || meta.RaftTerm != s.meta.RaftTerm {
		return 0, fmt.Errorf("journal: received a snapshot of log entry %d (term %d), not %d (term %d)",
			meta.RaftIndex, meta.RaftTerm, s.meta.RaftIndex, s.meta.RaftTerm)
	}
	s.meta = meta
	return s.received, nil
}

// Cancel gives the snapshot up and removes what was written.
func (s *snapshotSink) Cancel() error {
	if s.isDone {
		return nil
	}
	s.isDone = true
	return errors.Join(s.file.Close(), s.remove())
}

func (s *snapshotSink) remove() error {
	err := s.store.files.Delete(s.store.dir, s.name+tmpSuffix)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
