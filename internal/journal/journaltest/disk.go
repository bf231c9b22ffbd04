package journaltest

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"

	"github.com/hashicorp/raft-wal/types"
	"golang.org/x/sys/unix"
)

// Errors that the disk gives, beside fs.ErrNotExist, fs.ErrExist and ENOSPC.
var (
	ErrOff = errors.New("journaltest: the power is off")
	ErrIO  = unix.EIO
)

// Disk is a disk in memory. It may be used by several goroutines; its faults then depend on
// their order.
type Disk struct {
	mu      sync.Mutex
	rng     *rand.Rand
	folders map[string]*folder
	cuts    uint64 // power cuts so far: a handle of an earlier life is dead
	isOff   bool
	opsLeft int // changing operations until the power goes; negative = stays on
	ops     int // changing operations so far

	syncsLeft  int // syncs until one fails; negative = none fails
	writesLeft int // writes until one fails; negative = none fails
	isLying    bool
	space      int64 // bytes that may still be allocated; negative = no limit
}

// folder is a directory: what a program sees, and what a crash would leave.
type folder struct {
	names   map[string]*inode
	durable map[string]*inode
	pending []change // since the last sync of the folder
}

// change is one unsynced change of a folder's names: old goes, name stands for node.
type change struct {
	old, name string
	node      *inode
}

// inode is a file's bytes: what a program sees, what a crash leaves for sure, and the writes
// of which a crash leaves any part.
type inode struct {
	bytes   []byte
	durable []byte
	pending []write
}

type write struct {
	offset int64
	bytes  []byte
}

// New returns an empty disk that is on and has no faults yet.
func New(seed uint64) *Disk {
	return &Disk{
		rng:     rand.New(rand.NewPCG(seed, seed)), //nolint:gosec // a test wants to repeat it
		folders: map[string]*folder{}, opsLeft: -1, syncsLeft: -1, writesLeft: -1, space: -1,
	}
}

// count counts a changing operation; it says how the operation ends. isLast means that the
// power goes within it: it may be done in part.
func (d *Disk) count() (isLast bool, err error) {
	if d.isOff {
		return false, ErrOff
	}
	d.ops++
	if d.opsLeft < 0 {
		return false, nil
	}
	if d.opsLeft == 0 {
		d.isOff = true
		return true, nil
	}
	d.opsLeft--
	return false, nil
}

func (d *Disk) find(dir, name string) (*folder, *inode, error) {
	if d.isOff {
		return nil, nil, ErrOff
	}
	f := d.folders[filepath.Clean(dir)]
	if f == nil {
		return nil, nil, fmt.Errorf("journaltest: folder %s: %w", dir, fs.ErrNotExist)
	}
	node := f.names[name]
	if node == nil {
		return f, nil, fmt.Errorf("journaltest: %s: %w", filepath.Join(dir, name), fs.ErrNotExist)
	}
	return f, node, nil
}

// ListDir lists the names in dir, sorted.
func (d *Disk) ListDir(dir string) ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f, _, err := d.find(dir, "")
	if f == nil {
		return nil, err
	}
	names := make([]string, 0, len(f.names))
	for name := range f.names {
		names = append(names, name)
	}
	slices.Sort(names)
	return names, nil
}

// Create makes a file of size zero bytes. Its name is durable after its first Sync or SyncDir.
func (d *Disk) Create(dir, name string, size uint64) (types.WritableFile, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f, node, err := d.find(dir, name)
	switch {
	case f == nil:
		return nil, err
	case node != nil:
		return nil, fmt.Errorf("journaltest: %s: %w", filepath.Join(dir, name), fs.ErrExist)
	}
	isLast, err := d.count()
	if err != nil {
		return nil, err
	}
	if !d.take(int64(size)) { //nolint:gosec // sizes of tests are small
		return nil, unix.ENOSPC
	}
	node = &inode{bytes: make([]byte, size)}
	f.change(change{name: name, node: node})
	if isLast {
		return nil, ErrOff
	}
	return &file{disk: d, node: node, dir: dir, life: d.cuts, isWritable: true}, nil
}

// change does a change at once and remembers that it is not durable.
func (f *folder) change(c change) {
	c.apply(f.names)
	f.pending = append(f.pending, c)
}

func (c change) apply(names map[string]*inode) {
	if c.old != "" {
		delete(names, c.old)
	}
	if c.name != "" {
		names[c.name] = c.node
	}
}

// take takes space; it reports whether there was enough.
func (d *Disk) take(bytes int64) bool {
	if d.space < 0 {
		return true
	}
	if bytes > d.space {
		return false
	}
	d.space -= bytes
	return true
}

// Delete removes a name and syncs the folder.
func (d *Disk) Delete(dir, name string) error {
	d.mu.Lock()
	f, node, err := d.find(dir, name)
	if node == nil {
		d.mu.Unlock()
		return err
	}
	isLast, err := d.count()
	if err == nil {
		f.change(change{old: name})
		if isLast {
			err = ErrOff
		}
	}
	d.mu.Unlock()
	if err != nil {
		return err
	}
	return d.SyncDir(dir)
}

// OpenReader opens a file for reading.
func (d *Disk) OpenReader(dir, name string) (types.ReadableFile, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, node, err := d.find(dir, name)
	if err != nil {
		return nil, err
	}
	return &file{disk: d, node: node, dir: dir, life: d.cuts}, nil
}

// OpenWriter opens a file for reading and writing.
func (d *Disk) OpenWriter(dir, name string) (types.WritableFile, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, node, err := d.find(dir, name)
	if err != nil {
		return nil, err
	}
	return &file{disk: d, node: node, dir: dir, life: d.cuts, isWritable: true}, nil
}

// MkdirAll makes a folder, durably.
func (d *Disk) MkdirAll(dir string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.isOff {
		return ErrOff
	}
	dir = filepath.Clean(dir)
	if d.folders[dir] == nil {
		d.folders[dir] = &folder{names: map[string]*inode{}, durable: map[string]*inode{}}
	}
	return nil
}

// Rename puts dir/from in the place of dir/to.
func (d *Disk) Rename(dir, from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	f, node, err := d.find(dir, from)
	if err != nil {
		return err
	}
	isLast, err := d.count()
	if err != nil {
		return err
	}
	f.change(change{old: from, name: to, node: node})
	if isLast {
		return ErrOff
	}
	return nil
}

// SyncDir makes the names in dir durable.
func (d *Disk) SyncDir(dir string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	f, _, err := d.find(dir, "")
	if f == nil {
		return err
	}
	isDone, err := d.sync()
	if isDone {
		for _, c := range f.pending {
			c.apply(f.durable)
		}
		f.pending = nil
	}
	return err
}

// sync counts a sync; isDone says whether it does what it is asked for.
func (d *Disk) sync() (isDone bool, err error) {
	isLast, err := d.count()
	switch {
	case err != nil:
		return false, err
	case isLast:
		return d.rng.IntN(2) == 0, ErrOff
	case d.syncsLeft == 0:
		return false, ErrIO
	case d.syncsLeft > 0:
		d.syncsLeft--
	}
	return !d.isLying, nil
}

// Size returns a file's length in bytes.
func (d *Disk) Size(dir, name string) (int64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, node, err := d.find(dir, name)
	if err != nil {
		return 0, err
	}
	return int64(len(node.bytes)), nil
}

// Free returns the space left, 1 TiB when there is no limit.
func (d *Disk) Free(string) (uint64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.space < 0 {
		return 1 << 40, nil
	}
	return uint64(d.space), nil
}
