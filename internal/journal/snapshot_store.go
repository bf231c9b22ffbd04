package journal

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

const (
	snapshotSuffix = ".snap"
	tmpSuffix      = ".tmp" // after snapshotSuffix: not published
)

// snapshotStore keeps the snapshots of a data directory, one file each. It is the
// raft.SnapshotStore: an ID is a file's name, and a file's bytes are what raft ships.
type snapshotStore struct {
	files Files
	dir   string // the folder of the snapshots
	keep  int    // newest valid ones, at least 1
	nowMs func() int64

	mu       sync.Mutex
	kept     []storedSnapshot // newest first
	rejected []error          // why which file was passed over, for the report
}

// storedSnapshot is a file whose manifest is sound.
type storedSnapshot struct {
	name string
	info SnapshotInfo
	raft snapshotRaft
}

// newSnapshotStore opens the folder of snapshots in dataDir, which it makes if need be, and
// removes what a crash left unpublished.
func newSnapshotStore(files Files, dataDir string, keep int) (*snapshotStore, error) {
	s := &snapshotStore{
		files: files, dir: filepath.Join(dataDir, snapshotDir), keep: max(1, keep),
		nowMs: func() int64 { return time.Now().UnixMilli() },
	}
	if err := files.MkdirAll(s.dir); err != nil {
		return nil, fmt.Errorf("journal: make the folder of snapshots: %w", err)
	}
	names, err := files.ListDir(s.dir)
	if err != nil {
		return nil, fmt.Errorf("journal: list snapshots: %w", err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, snapshotSuffix+tmpSuffix) {
			if err := files.Delete(s.dir, name); err != nil {
				return nil, fmt.Errorf("journal: remove an unfinished snapshot: %w", err)
			}
		}
	}
	s.kept, s.rejected, err = readSnapshots(files, s.dir)
	return s, err
}

// readSnapshots reads all manifests, newest first, and says what it passed over and why.
func readSnapshots(files Files, dir string) (sound []storedSnapshot, rejected []error, err error) {
	names, err := files.ListDir(dir)
	if err != nil {
		return nil, nil, fmt.Errorf("journal: list snapshots: %w", err)
	}
	for _, name := range names {
		if !strings.HasSuffix(name, snapshotSuffix) {
			continue
		}
		r, err := openSnapshot(files, dir, name)
		if damage := (*DamageError)(nil); errors.As(err, &damage) || errors.Is(err, os.ErrNotExist) {
			rejected = append(rejected, err)
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		info := SnapshotInfo{File: r.path, Bytes: r.size, SnapshotMeta: r.Meta()}
		sound = append(sound, storedSnapshot{name: name, info: info, raft: r.manifest.Raft})
		if err := r.Close(); err != nil {
			return nil, nil, fmt.Errorf("journal: close snapshot: %w", err)
		}
	}
	slices.SortFunc(sound, newestFirst)
	return sound, rejected, nil
}

func newestFirst(a, b storedSnapshot) int {
	return cmp.Or(cmp.Compare(b.info.RaftIndex, a.info.RaftIndex), cmp.Compare(b.info.RaftTerm, a.info.RaftTerm),
		cmp.Compare(b.name, a.name))
}

// ListSnapshots lists the snapshots of a data directory, newest first, without those whose
// manifest is damaged. It needs no lock and changes nothing.
func ListSnapshots(dir string) ([]SnapshotInfo, error) {
	sound, _, err := readSnapshots(OSFiles{}, filepath.Join(dir, snapshotDir))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return infosOf(sound), err
}

func infosOf(stored []storedSnapshot) []SnapshotInfo {
	infos := make([]SnapshotInfo, len(stored))
	for i := range stored {
		infos[i] = stored[i].info
	}
	return infos
}

// Infos returns the snapshots kept, newest first.
func (s *snapshotStore) Infos() []SnapshotInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	return infosOf(s.kept)
}

// Rejected returns why which files were passed over.
func (s *snapshotStore) Rejected() []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.rejected)
}

// oldestIndex returns the raft index of the oldest snapshot kept, 0 when there is none: the
// log must not be cut above it, so that it can stand in for a newer one that is damaged.
func (s *snapshotStore) oldestIndex() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.kept) == 0 {
		return 0
	}
	return s.kept[len(s.kept)-1].info.RaftIndex
}

// List lists the snapshots whose manifest is sound, newest first.
func (s *snapshotStore) List() ([]*raft.SnapshotMeta, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	metas := make([]*raft.SnapshotMeta, len(s.kept))
	for i := range s.kept {
		metas[i] = s.kept[i].raftMeta()
	}
	return metas, nil
}

func (s *storedSnapshot) raftMeta() *raft.SnapshotMeta {
	return &raft.SnapshotMeta{
		Version: s.raft.Version, ID: s.name, Index: s.info.RaftIndex, Term: s.info.RaftTerm,
		Configuration: s.raft.Configuration, ConfigurationIndex: s.raft.ConfigurationIndex, Size: s.info.Bytes,
	}
}

// Open opens a snapshot after it has verified every byte of it: what a restore begins, it can
// end, and raft goes on to the older one at an error. The stream it returns is the file's
// bytes; snapshotReaderOf finds the reader in it.
func (s *snapshotStore) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	s.mu.Lock()
	i := slices.IndexFunc(s.kept, func(stored storedSnapshot) bool { return stored.name == id })
	if i < 0 {
		s.mu.Unlock()
		return nil, nil, fmt.Errorf("journal: no snapshot %s: %w", id, os.ErrNotExist)
	}
	stored := s.kept[i]
	s.mu.Unlock()
	r, err := openSnapshot(s.files, s.dir, id)
	if err == nil {
		if err = r.Verify(runtime.GOMAXPROCS(0)); err != nil {
			err = errors.Join(err, r.Close())
		}
	}
	if err != nil {
		s.reject(id, err)
		return nil, nil, err
	}
	return stored.raftMeta(), &snapshotStream{reader: r, bytes: io.NewSectionReader(r.file, 0, r.size)}, nil
}

// reject passes a snapshot over from now on. The file stays, for whoever wants to look at it.
func (s *snapshotStore) reject(name string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rejected = append(s.rejected, err)
	s.kept = slices.DeleteFunc(s.kept, func(stored storedSnapshot) bool { return stored.name == name })
}

// snapshotStream is what raft reads when it ships a snapshot.
type snapshotStream struct {
	reader *SnapshotReader
	bytes  *io.SectionReader
}

func (s *snapshotStream) Read(p []byte) (int, error) { return s.bytes.Read(p) }
func (s *snapshotStream) Close() error               { return s.reader.Close() }

// snapshotReaderOf finds the reader in what raft hands to FSM.Restore, which may be wrapped.
func snapshotReaderOf(source io.ReadCloser) (*SnapshotReader, error) {
	for {
		switch at := source.(type) {
		case *snapshotStream:
			return at.reader, nil
		case raft.ReadCloserWrapper:
			source = at.WrappedReadCloser()
		default:
			return nil, fmt.Errorf("journal: a snapshot comes as %T, not from this store", source)
		}
	}
}

// Create begins a snapshot of the state after the log entry (index, term).
func (s *snapshotStore) Create(version raft.SnapshotVersion, index, term uint64, configuration raft.Configuration,
	configurationIndex uint64, _ raft.Transport,
) (raft.SnapshotSink, error) {
	begun := time.Now()
	name := ""
	for ms := s.nowMs(); name == "" || s.isTaken(name); ms++ {
		name = fmt.Sprintf("%020d-%010d-%013d%s", index, term, ms, snapshotSuffix)
	}
	file, err := s.files.Create(s.dir, name+tmpSuffix, 0)
	if err != nil {
		return nil, fmt.Errorf("journal: create snapshot: %w", err)
	}
	return &snapshotSink{
		store: s, name: name, file: file, begun: begun,
		meta: SnapshotMeta{RaftIndex: index, RaftTerm: term},
		raft: snapshotRaft{Version: version, ConfigurationIndex: configurationIndex, Configuration: configuration},
	}, nil
}

func (s *snapshotStore) isTaken(name string) bool {
	_, err := s.files.Size(s.dir, name)
	_, tmpErr := s.files.Size(s.dir, name+tmpSuffix)
	return err == nil || tmpErr == nil
}

// publish gives the finished file its name and removes what is no longer kept.
func (s *snapshotStore) publish(stored storedSnapshot) error {
	if err := s.files.Rename(s.dir, stored.name+tmpSuffix, stored.name); err != nil {
		return fmt.Errorf("journal: publish snapshot: %w", err)
	}
	if err := s.files.SyncDir(s.dir); err != nil {
		return fmt.Errorf("journal: publish snapshot: sync folder: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept = append(s.kept, stored)
	slices.SortFunc(s.kept, newestFirst)
	for len(s.kept) > s.keep {
		last := s.kept[len(s.kept)-1]
		if err := s.files.Delete(s.dir, last.name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("journal: remove an old snapshot: %w", err)
		}
		s.kept = s.kept[:len(s.kept)-1]
	}
	return nil
}
