package journal

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/raft-wal/segment"
	"github.com/hashicorp/raft-wal/types"
)

// metaSlotBytes limits the list of segments: about a thousand of them.
const metaSlotBytes = 256 << 10

// metaContent is what the meta file holds, as JSON.
type metaContent struct {
	State  types.PersistentState `json:"state"`  // which segments there are
	Stable map[string][]byte     `json:"stable"` // raft's term and vote
}

// metaStore is raft-wal's meta store: a slot file instead of a database, as it holds a list
// of segments and three values of raft, and is written a few times an hour.
type metaStore struct {
	slots *slotFile
	path  string

	mu      sync.Mutex // over all below; a write keeps it until the value is durable
	content metaContent
	failed  error // of a write: nothing is written after it
}

var _ types.MetaStore = (*metaStore)(nil)

// openMeta opens the meta file in the folder of the log. What the folder holds and the file
// does not know is damage: raft-wal would delete it.
func openMeta(files Files, dir string) (*metaStore, error) {
	slots, value, err := openSlots(files, dir, metaName, metaSlotBytes)
	if err != nil {
		return nil, err
	}
	m := &metaStore{slots: slots, path: filepath.Join(dir, metaName)}
	if value != nil {
		err = json.Unmarshal(value, &m.content)
	}
	if err == nil {
		err = m.checkSegments(files, dir)
	}
	if err == nil && value != nil {
		// A slot may be damaged, or in memory only when the process that wrote it failed.
		err = slots.settle(value)
	}
	if err != nil {
		_ = slots.file.Close() // the first error says more
		return nil, err
	}
	return m, nil
}

func (m *metaStore) checkSegments(files Files, dir string) error {
	names, err := files.ListDir(dir)
	if err != nil {
		return fmt.Errorf("journal: list segments: %w", err)
	}
	for _, name := range names {
		if !strings.HasSuffix(name, ".wal") {
			continue
		}
		var base, id uint64
		if _, err := fmt.Sscanf(name, "%020d-%016x.wal", &base, &id); err != nil {
			path := filepath.Join(dir, name)
			return &DamageError{File: path, Offset: noOffset, What: "this is no name of a segment", Do: doRestore, Err: err}
		}
		if id >= m.content.State.NextSegmentID {
			what := fmt.Sprintf("the list of segments is lost or old: it does not know %s", name)
			return &DamageError{File: m.path, Offset: noOffset, What: what, Do: doRestore}
		}
	}
	return nil
}

// Load returns the list of segments.
func (m *metaStore) Load(string) (types.PersistentState, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.content.State, nil
}

// CommitState replaces the list of segments.
func (m *metaStore) CommitState(state types.PersistentState) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	state.Segments = slices.Clone(state.Segments)
	return m.commit(metaContent{State: state, Stable: m.content.Stable})
}

// GetStable returns a value of raft, nil when there is none.
func (m *metaStore) GetStable(key []byte) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.content.Stable[string(key)]), nil
}

// SetStable replaces a value of raft.
func (m *metaStore) SetStable(key, value []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	stable := maps.Clone(m.content.Stable)
	if stable == nil {
		stable = map[string][]byte{}
	}
	stable[string(key)] = slices.Clone(value)
	return m.commit(metaContent{State: m.content.State, Stable: stable})
}

func (m *metaStore) commit(content metaContent) error {
	encoded, err := json.Marshal(content)
	if err != nil {
		return fmt.Errorf("journal: encode %s: %w", m.path, err)
	}
	if m.failed != nil {
		return m.failed // raft-wal goes on after a failure; the other slot may be the only whole one now
	}
	if err := m.slots.writeBoth(encoded); err != nil {
		m.failed = fmt.Errorf("journal: write %s: %w", m.path, err)
		return m.failed
	}
	m.content = content
	return nil
}

// segmentOf returns the segment that holds a log entry.
func (m *metaStore) segmentOf(index uint64) (info types.SegmentInfo, found bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, at := range m.content.State.Segments {
		if at.BaseIndex <= index {
			info, found = at, true
		}
	}
	return info, found
}

// tail returns the segment that is being written.
func (m *metaStore) tail() (info types.SegmentInfo, found bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := len(m.content.State.Segments)
	if n == 0 || !m.content.State.Segments[n-1].SealTime.IsZero() {
		return info, false
	}
	return m.content.State.Segments[n-1], true
}

// Close releases the file.
func (m *metaStore) Close() error { return m.slots.file.Close() }

func segmentName(info types.SegmentInfo) string { return segment.FileName(info) }
