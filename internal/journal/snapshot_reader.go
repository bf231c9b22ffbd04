package journal

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/raft-wal/types"
	"github.com/klauspost/compress/zstd"
	"github.com/zeebo/blake3"
)

const hashBlock = 1 << 20 // bytes that the hash of the whole reads at once

// SnapshotReader reads a published snapshot.
type SnapshotReader struct {
	path       string
	size       int64 // of the file, bytes
	file       types.ReadableFile
	manifest   *manifest
	dataEnd    int64                         // offset of the manifest: what the hash covers ends there
	zstd       func() (*zstd.Decoder, error) // made at the first compressed chunk
	isVerified bool                          // the hash of the whole was compared by verify
}

// OpenSnapshot opens a snapshot file and checks its header, manifest and footer; Each checks
// the rest. A *DamageError says what is wrong with it.
func OpenSnapshot(path string) (*SnapshotReader, error) {
	return openSnapshot(OSFiles{}, filepath.Dir(path), filepath.Base(path))
}

func openSnapshot(files Files, dir, name string) (*SnapshotReader, error) {
	path := filepath.Join(dir, name)
	size, err := files.Size(dir, name)
	if err != nil {
		return nil, fmt.Errorf("journal: open snapshot: %w", err)
	}
	file, err := files.OpenReader(dir, name)
	if err != nil {
		return nil, fmt.Errorf("journal: open snapshot: %w", err)
	}
	r := &SnapshotReader{path: path, file: file, size: size}
	if err := r.readManifest(); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	r.zstd = sync.OnceValues(func() (*zstd.Decoder, error) {
		// Zero: as many goroutines may decode at once as there are processors.
		return zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(ChunkBytesMax))
	})
	return r, nil
}

func (r *SnapshotReader) readManifest() error {
	if r.size < snapshotHeaderSize+snapshotFooterSize {
		return &DamageError{File: r.path, Offset: r.size, What: "the file is cut off", Do: doRestoreSnapshot}
	}
	var head [snapshotHeaderSize]byte
	if err := r.readAt(head[:], 0); err != nil {
		return err
	}
	if err := checkSnapshotHeader(r.path, head[:]); err != nil {
		return err
	}
	var foot [snapshotFooterSize]byte
	if err := r.readAt(foot[:], r.size-snapshotFooterSize); err != nil {
		return err
	}
	footer, err := parseSnapshotFooter(r.path, foot[:], r.size)
	if err != nil {
		return err
	}
	encoded := make([]byte, footer.length)
	if err := r.readAt(encoded, footer.offset); err != nil {
		return err
	}
	r.dataEnd = footer.offset
	r.manifest, err = parseManifest(r.path, encoded, footer)
	return err
}

// readAt fills b; a file that ends before is damaged, any other failure is the disk's.
func (r *SnapshotReader) readAt(b []byte, offset int64) error {
	n, err := r.file.ReadAt(b, offset)
	switch {
	case n == len(b):
		return nil
	case err == io.EOF:
		return &DamageError{File: r.path, Offset: offset, What: "the file is cut off", Do: doRestoreSnapshot}
	}
	return fmt.Errorf("journal: read %s at offset %d: %w", r.path, offset, err)
}

// Meta returns what the manifest says.
func (r *SnapshotReader) Meta() SnapshotMeta { return r.manifest.Meta }

// Chunks returns the number of chunks.
func (r *SnapshotReader) Chunks() int { return len(r.manifest.Chunks) }

// Close releases the file. No Each may be running.
func (r *SnapshotReader) Close() error { return r.file.Close() }

// Each calls fn for every chunk, by up to workers goroutines at once; worker is below
// workers. Chunks are begun in the order of the file and end in any. Every chunk's checksum
// is verified before fn sees it, the hash of the whole by the time Each returns; the first
// error ends it, a *DamageError when the file is at fault.
func (r *SnapshotReader) Each(workers int, fn func(worker int, c Chunk) error) error {
	workers = max(1, min(workers, len(r.manifest.Chunks)))
	var (
		next   atomic.Int64
		ended  atomic.Bool
		once   sync.Once
		group  sync.WaitGroup
		failed error
	)
	end := func(err error) {
		if err != nil {
			once.Do(func() { failed = err })
			ended.Store(true)
		}
	}
	if !r.isVerified {
		group.Go(func() { end(r.compareHash(&ended)) })
	}
	for worker := range workers {
		group.Go(func() {
			var stored, raw []byte
			for !ended.Load() {
				i := int(next.Add(1)) - 1
				if i >= len(r.manifest.Chunks) {
					return
				}
				var c Chunk
				var err error
				c, stored, raw, err = r.chunk(r.manifest.Chunks[i], stored, raw)
				if err == nil {
					err = fn(worker, c)
				}
				end(err)
			}
		})
	}
	group.Wait()
	return failed
}

// chunk reads and checks one chunk into the two buffers, which it returns grown.
func (r *SnapshotReader) chunk(at chunkPlacement, stored, raw []byte) (c Chunk, _, _ []byte, err error) {
	if int64(cap(stored)) < at.Bytes {
		stored = make([]byte, at.Bytes)
	}
	stored = stored[:at.Bytes]
	if err := r.readAt(stored, at.Offset); err != nil {
		return c, stored, raw, err
	}
	h, err := checkChunk(stored, at)
	if err != nil {
		return c, stored, raw, r.damage(at.Offset, err)
	}
	c = Chunk{Kind: h.kind, Shard: h.shard, Payload: stored[chunkHeaderSize:]}
	if h.flags&chunkFlagZstd == 0 {
		return c, stored, raw, nil
	}
	decoder, err := r.zstd()
	if err != nil {
		return c, stored, raw, err
	}
	raw, err = decoder.DecodeAll(c.Payload, raw[:0])
	if err == nil && len(raw) != int(h.raw) {
		err = fmt.Errorf("%d bytes after decompression, not %d", len(raw), h.raw)
	}
	if err != nil {
		return c, stored, raw, r.damage(at.Offset, err)
	}
	c.Payload = raw
	return c, stored, raw, nil
}

func (r *SnapshotReader) damage(offset int64, err error) error {
	return &DamageError{File: r.path, Offset: offset, What: "the snapshot is damaged", Do: doRestoreSnapshot, Err: err}
}

// compareHash compares the BLAKE3 hash of all that stands before the manifest.
func (r *SnapshotReader) compareHash(ended *atomic.Bool) error {
	hash := blake3.New()
	block := make([]byte, hashBlock)
	for at := int64(0); at < r.dataEnd; at += hashBlock {
		if ended.Load() {
			return nil
		}
		block := block[:min(hashBlock, r.dataEnd-at)]
		if err := r.readAt(block, at); err != nil {
			return err
		}
		_, _ = hash.Write(block) // never fails
	}
	if sum := hex.EncodeToString(hash.Sum(nil)); sum != r.manifest.Blake3 {
		return r.damage(0, fmt.Errorf("BLAKE3 of the chunks is %s, the manifest says %s", sum, r.manifest.Blake3))
	}
	return nil
}

// Verify checks every byte of the file: each chunk with what is compressed in it, and the
// hash of the whole.
func (r *SnapshotReader) Verify(workers int) error {
	if err := r.Each(workers, func(int, Chunk) error { return nil }); err != nil {
		return err
	}
	r.isVerified = true
	return nil
}
