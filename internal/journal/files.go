package journal

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/hashicorp/raft-wal/types"
	"golang.org/x/sys/unix"
)

const (
	fileMode = 0o640 // of every file of a data directory
	dirMode  = 0o750 // of the data directory and the folders in it
)

// Files is the one way from this room to a disk: the log's segments, the meta and highwater
// slots and the snapshots all go through it, so that a test can put faults under all of them.
// Its first five methods are those that raft-wal asks for. Paths are of the host; dir and
// name are joined with a separator.
type Files interface {
	types.VFS // ListDir, Create, Delete, OpenReader, OpenWriter

	// MkdirAll makes dir and what is missing above it, and makes the new entries durable.
	MkdirAll(dir string) error
	// Rename puts a file in another's place at once; it is durable after SyncDir.
	Rename(dir, from, to string) error
	// SyncDir makes durable which names dir holds.
	SyncDir(dir string) error
	// Size returns how long a file is, in bytes; an error that wraps os.ErrNotExist when there is none.
	Size(dir, name string) (bytes int64, err error)
	// Free returns the space that an unprivileged writer still has in dir, in bytes.
	Free(dir string) (bytes uint64, err error)
}

// OSFiles is the real file system.
type OSFiles struct{}

var _ Files = OSFiles{}

// ListDir returns the names of the files in dir, sorted; folders are left out.
func (OSFiles) ListDir(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(entries))
	for _, entry := range entries {
		if !entry.IsDir() {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}

// Create makes a file that must not exist yet and reserves size bytes for it, which then read
// as zeros. A file system that cannot reserve only sets the length.
func (OSFiles) Create(dir, name string, size uint64) (types.WritableFile, error) {
	if size > math.MaxInt32 {
		return nil, fmt.Errorf("journal: create %s: %d bytes are more than a segment may hold", name, size)
	}
	file, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_EXCL|os.O_RDWR, fileMode)
	if err != nil {
		return nil, err
	}
	if err := reserve(file, int64(size)); err != nil {
		return nil, errors.Join(fmt.Errorf("journal: reserve %d bytes for %s: %w", size, file.Name(), err),
			file.Close(), os.Remove(file.Name()))
	}
	return &osFile{File: file, dir: dir}, nil
}

func reserve(file *os.File, size int64) error {
	if size == 0 {
		return nil
	}
	err := unix.Fallocate(int(file.Fd()), 0, 0, size) //nolint:gosec // a descriptor fits an int
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return file.Truncate(size)
	}
	return err
}

// Delete removes a file and makes that durable.
func (f OSFiles) Delete(dir, name string) error {
	if err := os.Remove(filepath.Join(dir, name)); err != nil {
		return err
	}
	return f.SyncDir(dir)
}

// OpenReader opens a file for reading.
func (OSFiles) OpenReader(dir, name string) (types.ReadableFile, error) {
	return os.Open(filepath.Join(dir, name))
}

// OpenWriter opens a file that exists for reading and writing.
func (OSFiles) OpenWriter(dir, name string) (types.WritableFile, error) {
	file, err := os.OpenFile(filepath.Join(dir, name), os.O_RDWR, fileMode)
	if err != nil {
		return nil, err
	}
	return &osFile{File: file, dir: dir}, nil
}

// MkdirAll makes dir and what is missing above it, and makes the new entries durable.
func (f OSFiles) MkdirAll(dir string) error {
	_, err := os.Stat(dir)
	if err == nil {
		return nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := f.MkdirAll(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, dirMode); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return f.SyncDir(parent)
}

// Rename puts dir/from in the place of dir/to; it is durable after SyncDir.
func (OSFiles) Rename(dir, from, to string) error {
	return os.Rename(filepath.Join(dir, from), filepath.Join(dir, to))
}

// SyncDir makes durable which names dir holds.
func (OSFiles) SyncDir(dir string) error {
	file, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}

// Size returns how long a file is, in bytes.
func (OSFiles) Size(dir, name string) (bytes int64, err error) {
	info, err := os.Stat(filepath.Join(dir, name))
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// Free returns the space that an unprivileged writer still has in dir, in bytes.
func (OSFiles) Free(dir string) (bytes uint64, err error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(dir, &stat); err != nil {
		return 0, fmt.Errorf("journal: ask %s for its free space: %w", dir, err)
	}
	return stat.Bavail * uint64(stat.Bsize), nil //nolint:gosec // a block size is positive
}

// osFile is a file whose first Sync also makes its name durable: whoever opened it for
// writing cannot know whether the one who created it got that far.
type osFile struct {
	*os.File
	dir       string
	isEntered atomic.Bool
}

// Sync makes the file's bytes, and what is needed to find them, durable.
func (f *osFile) Sync() error {
	if err := unix.Fdatasync(int(f.Fd())); err != nil { //nolint:gosec // a descriptor fits an int
		return fmt.Errorf("journal: sync %s: %w", f.Name(), err)
	}
	if f.isEntered.Load() {
		return nil
	}
	if err := (OSFiles{}).SyncDir(f.dir); err != nil {
		return fmt.Errorf("journal: sync %s: %w", f.dir, err)
	}
	f.isEntered.Store(true)
	return nil
}
