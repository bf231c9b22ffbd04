package journaltest

import (
	"errors"
	"io"
	"io/fs"
	"slices"

	"golang.org/x/sys/unix"
)

// file is an open file. It dies with the power.
type file struct {
	disk       *Disk
	node       *inode
	dir        string
	life       uint64
	isWritable bool
	isEntered  bool // its folder was synced since it was opened
}

func (f *file) check() error {
	if f.disk.isOff || f.life != f.disk.cuts {
		return ErrOff
	}
	return nil
}

// ReadAt reads as os.File does.
func (f *file) ReadAt(p []byte, offset int64) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if err := f.check(); err != nil {
		return 0, err
	}
	if offset >= int64(len(f.node.bytes)) {
		return 0, io.EOF
	}
	n := copy(p, f.node.bytes[offset:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// WriteAt writes; the bytes are on their way until Sync.
func (f *file) WriteAt(p []byte, offset int64) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	switch err := f.check(); {
	case err != nil:
		return 0, err
	case !f.isWritable:
		return 0, fs.ErrPermission
	}
	d := f.disk
	isLast, err := d.count()
	if err != nil {
		return 0, err
	}
	if d.writesLeft == 0 {
		n := d.rng.IntN(len(p) + 1)
		f.node.write(p[:n], offset)
		return n, ErrIO
	}
	if d.writesLeft > 0 {
		d.writesLeft--
	}
	if grown := offset + int64(len(p)) - int64(len(f.node.bytes)); grown > 0 && !d.take(grown) {
		n := max(0, int64(len(p))-grown)
		f.node.write(p[:n], offset)
		return int(n), unix.ENOSPC
	}
	if isLast {
		f.node.write(p[:d.rng.IntN(len(p)+1)], offset)
		return 0, ErrOff
	}
	f.node.write(p, offset)
	return len(p), nil
}

// write does a write at once and remembers that it is not durable.
func (n *inode) write(p []byte, offset int64) {
	if len(p) == 0 {
		return
	}
	w := write{offset: offset, bytes: slices.Clone(p)}
	n.bytes = w.apply(n.bytes)
	n.pending = append(n.pending, w)
}

func (w write) apply(b []byte) []byte {
	if grown := int(w.offset) + len(w.bytes) - len(b); grown > 0 {
		b = append(b, make([]byte, grown)...)
	}
	copy(b[w.offset:], w.bytes)
	return b
}

// Sync makes the file's bytes durable, and at the first time its name, as journal.OSFiles does.
func (f *file) Sync() error {
	f.disk.mu.Lock()
	if err := f.check(); err != nil {
		f.disk.mu.Unlock()
		return err
	}
	isDone, err := f.disk.sync()
	switch {
	case isDone:
		f.node.settle()
	case errors.Is(err, ErrIO):
		f.node.durable = f.disk.land(f.node.durable, f.node.pending)
		f.node.pending = nil
	}
	isEntered := f.isEntered
	f.disk.mu.Unlock()
	if err != nil || isEntered {
		return err
	}
	if err := f.disk.SyncDir(f.dir); err != nil {
		return err
	}
	f.isEntered = true
	return nil
}

// settle makes durable what was written.
func (n *inode) settle() {
	for _, w := range n.pending {
		n.durable = w.apply(n.durable)
	}
	if grown := len(n.bytes) - len(n.durable); grown > 0 {
		n.durable = append(n.durable, make([]byte, grown)...)
	}
	n.pending = nil
}

// Close closes the handle; it makes nothing durable.
func (f *file) Close() error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	return f.check()
}
