package journal

import (
	"errors"
	"testing"
)

// countingFile counts how it is asked to bring bytes to the disk.
type countingFile struct {
	*osFile
	starts, started, syncs int64
	err                    error // of startWriting
}

func (f *countingFile) startWriting(offset, size int64) error {
	if f.err == nil && f.started != offset {
		return errors.New("bytes were left out")
	}
	f.starts, f.started = f.starts+1, offset+size
	return f.err
}

func (f *countingFile) Sync() error {
	f.syncs++
	return f.osFile.Sync()
}

// TestSnapshotWritesInSmallPieces writes 8 MiB of chunks: each piece is started on its way, and
// only the end is synced. A file system that cannot start has a sync for every megabyte.
func TestSnapshotWritesInSmallPieces(t *testing.T) {
	const size, chunk = 8 << 20, 48 << 10
	for _, err := range []error{nil, errors.ErrUnsupported} {
		file, openErr := OSFiles{}.Create(t.TempDir(), "file", 0)
		if openErr != nil {
			t.Fatal(openErr)
		}
		t.Cleanup(func() { _ = file.Close() })
		f := &countingFile{osFile: file.(*osFile), err: err}
		w, openErr := newSnapshotWriter(f)
		if openErr != nil {
			t.Fatal(openErr)
		}
		for range size / chunk {
			if err := w.append(make([]byte, chunkHeaderSize), make([]byte, chunk), chunkHeader{}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := w.finish(SnapshotMeta{}, snapshotRaft{}); err != nil {
			t.Fatal(err)
		}
		switch {
		case err == nil && (f.syncs != 1 || f.starts < size/(2*writeBufferSize) || f.started < size/chunk*chunk):
			t.Errorf("%d syncs, %d pieces up to %d; want 1 sync and all bytes in pieces of %d", f.syncs, f.starts, f.started, writeBufferSize)
		case err != nil && (f.starts != 1 || f.syncs < size/syncEvery-1):
			t.Errorf("a file that cannot start: %d syncs after %d tries, want one for every %d bytes after 1", f.syncs, f.starts, syncEvery)
		}
	}
}
