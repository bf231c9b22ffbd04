package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
)

// What the watchdog times. Two of a kind never run at once.
const (
	timedStore = iota
	timedCut
	timedStable
	timedHighwater
	timedKinds
)

const (
	crcSize     = 4  // bytes in raft.Log.Extensions
	entryPrefix = 17 // index, term and type under the checksum
)

var errDead = errors.New("journal: the log has failed and takes nothing more")

// guard stands between raft and raft-wal, which verifies no checksum when it reads, and
// whose errors raft survives. Every entry carries a checksum that is verified at every read;
// after a failed write nothing more is written.
type guard struct {
	wal   *wal.WAL
	files Files
	dir   string // of the segments
	meta  *metaStore
	fault func(code int, err error)
	keep  func() uint64 // the log must not be cut above this entry

	survey    survey // before raft runs: the goroutine that makes it
	ahead     readAhead
	isDead    atomic.Bool
	isRunning atomic.Bool // Open has returned: damage is a fault now
	damage    atomic.Pointer[DamageError]
	begun     [timedKinds]atomic.Int64 // Unix nanoseconds; 0 = nothing runs
}

var (
	_ raft.LogStore          = (*guard)(nil)
	_ raft.MonotonicLogStore = (*guard)(nil)
	_ raft.StableStore       = (*guard)(nil)
)

// timed runs one write. An error is the end of the log.
func (g *guard) timed(kind int, what string, write func() error) error {
	if g.isDead.Load() {
		return errDead
	}
	g.begun[kind].Store(time.Now().UnixNano())
	err := write()
	g.begun[kind].Store(0)
	if err != nil {
		err = fmt.Errorf("journal: %s: %w", what, err)
		g.isDead.Store(true)
		g.fault(ExitStorageFault, err)
	}
	return err
}

// slowest returns the write that has been running longest.
func (g *guard) slowest() (what string, took time.Duration) {
	whats := [timedKinds]string{"a write to the log", "a cut of the log", "a write of raft's state", "a write of the high-water mark"}
	now := time.Now().UnixNano()
	for kind := range g.begun {
		begun := g.begun[kind].Load()
		if ran := time.Duration(now - begun); begun != 0 && ran > took {
			what, took = whats[kind], ran
		}
	}
	return what, took
}

// entryCRC is over everything in an entry that raft acts on.
func entryCRC(l *raft.Log) uint32 {
	var b [entryPrefix]byte
	binary.LittleEndian.PutUint64(b[:], l.Index)
	binary.LittleEndian.PutUint64(b[8:], l.Term)
	b[16] = byte(l.Type)
	return crc32.Update(crc32.Checksum(b[:], castagnoli), castagnoli, l.Data)
}

// IsMonotonic says that entries follow each other without gaps.
func (g *guard) IsMonotonic() bool { return true }

// FirstIndex returns the index of the first entry, 0 when there is none.
func (g *guard) FirstIndex() (uint64, error) { return g.wal.FirstIndex() }

// LastIndex returns the index of the last entry, 0 when there is none.
func (g *guard) LastIndex() (uint64, error) { return g.wal.LastIndex() }

// StoreLog stores one entry durably.
func (g *guard) StoreLog(l *raft.Log) error { return g.StoreLogs([]*raft.Log{l}) }

// StoreLogs stores entries durably, each with its checksum.
func (g *guard) StoreLogs(logs []*raft.Log) error {
	crcs := make([]byte, crcSize*len(logs))
	for i, l := range logs {
		l.Extensions = crcs[i*crcSize : (i+1)*crcSize : (i+1)*crcSize]
		binary.LittleEndian.PutUint32(l.Extensions, entryCRC(l))
	}
	return g.timed(timedStore, "append to the log", func() error { return g.wal.StoreLogs(logs) })
}

// DeleteRange removes entries at either end. At the front it leaves what the snapshots need.
func (g *guard) DeleteRange(from, to uint64) error {
	first, err := g.wal.FirstIndex()
	if err != nil {
		return err
	}
	if from <= first {
		to = min(to, g.keep())
	}
	if from > to {
		return nil
	}
	return g.timed(timedCut, "cut the log", func() error { return g.wal.DeleteRange(from, to) })
}

// GetLog reads one entry and verifies it.
func (g *guard) GetLog(index uint64, l *raft.Log) error {
	if g.survey.show(index, l) {
		return nil
	}
	err := g.read(index, l)
	if err == nil && l.Type == raft.LogCommand && g.survey.isOver() && !g.isRunning.Load() {
		g.ahead.enter()
	}
	if err != nil && !errors.Is(err, raft.ErrLogNotFound) {
		err = g.damaged(index, err)
	}
	return err
}

// read is GetLog, and does not say where an entry stands that cannot be read.
func (g *guard) read(index uint64, l *raft.Log) (err error) {
	defer func() {
		if fault := recover(); fault != nil { // raft-wal's decoder trusts its lengths
			err = fmt.Errorf("decode: %v", fault)
		}
	}()
	*l = raft.Log{}
	if err := g.wal.GetLog(index, l); err != nil {
		return err
	}
	switch {
	case l.Index != index:
		return fmt.Errorf("entry %d stands there", l.Index)
	case len(l.Extensions) != crcSize || binary.LittleEndian.Uint32(l.Extensions) != entryCRC(l):
		return errors.New("its checksum is wrong")
	}
	return nil
}

// damaged says where an entry stands that cannot be read.
func (g *guard) damaged(index uint64, err error) error {
	damage := &DamageError{File: g.dir, Offset: noOffset, What: fmt.Sprintf("log entry %d", index), Do: doRestore, Err: err}
	if info, found := g.meta.segmentOf(index); found {
		damage.File = filepath.Join(g.dir, segmentName(info))
		damage.Offset = entryOffset(g.files, g.dir, info, index)
	}
	g.damage.CompareAndSwap(nil, damage)
	if g.isRunning.Load() {
		g.isDead.Store(true)
		g.fault(ExitStorageFault, damage)
	}
	return damage
}

// Get returns a value of raft's own.
func (g *guard) Get(key []byte) ([]byte, error) { return g.wal.Get(key) }

// GetUint64 returns a number of raft's own, 0 when there is none.
func (g *guard) GetUint64(key []byte) (uint64, error) { return g.wal.GetUint64(key) }

// Set keeps a value of raft's own. Raft panics at an error; the fault has been reported then
// and nothing is acknowledged after it, so none is returned.
func (g *guard) Set(key, value []byte) error {
	_ = g.timed(timedStable, "keep raft's state", func() error { return g.wal.Set(key, value) })
	return nil
}

// SetUint64 is Set for a number.
func (g *guard) SetUint64(key []byte, value uint64) error {
	_ = g.timed(timedStable, "keep raft's state", func() error { return g.wal.SetUint64(key, value) })
	return nil
}
