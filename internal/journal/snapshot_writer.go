package journal

import (
	"encoding/hex"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/raft-wal/types"
	"github.com/klauspost/compress/zstd"
	"github.com/zeebo/blake3"
)

const (
	writeBufferSize = 64 << 10  // bytes gathered before they are written: 30 us in the kernel, on a core that the log wants too
	syncEvery       = 1 << 20   // bytes written between two syncs of a file that is no starter
	compressAbove   = 256       // bytes; below, a zstd frame gains nothing
	compressSample  = 32 << 10  // bytes that are tried before a larger chunk is compressed
	zstdWindow      = 256 << 10 // bytes; records of one kind look alike within it
	dullChunks      = 31        // of a kind that are stored as they are, after one that gained nothing
	gainTenths      = 9         // a compressed chunk is kept if it has at most this many tenths of its size
)

// SnapshotWriter takes the chunks of one snapshot. Its Chunk may be called by several
// goroutines at once.
type SnapshotWriter struct {
	zstd *zstd.Encoder
	bufs sync.Pool          // *[]byte, for compressed chunks
	dull [256]atomic.Uint32 // by kind: chunks that are not tried, since the last one tried gained nothing

	mu     sync.Mutex // below: one chunk after the other goes into the file
	file   types.WritableFile
	hash   *blake3.Hasher
	buf    []byte
	offset int64 // of buf in the file
	synced int64 // bytes of the file that are durable, of a file that is no starter
	chunks []chunkPlacement
	err    error // the first; nothing is written after it

	canStart bool // until startWriting fails
}

func newSnapshotWriter(file types.WritableFile) (*SnapshotWriter, error) {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(false),
		zstd.WithWindowSize(zstdWindow), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, err
	}
	w := &SnapshotWriter{file: file, zstd: encoder, hash: blake3.New(), buf: make([]byte, 0, writeBufferSize), canStart: true}
	w.bufs.New = func() any { return new([]byte) }
	w.buf = appendSnapshotHeader(w.buf)
	return w, nil
}

// Chunk writes one chunk of at most ChunkBytesMax bytes. It compresses on the caller's
// goroutine, where that gains a tenth; payload is the caller's again when it returns.
func (w *SnapshotWriter) Chunk(kind uint8, shard uint16, payload []byte) error {
	if len(payload) > ChunkBytesMax {
		return fmt.Errorf("journal: a chunk of %d bytes is larger than %d", len(payload), ChunkBytesMax)
	}
	pooled, _ := w.bufs.Get().(*[]byte)
	defer w.bufs.Put(pooled)
	h := chunkHeader{kind: kind, shard: shard, raw: uint32(len(payload))} //nolint:gosec // limited above
	stored := payload
	if w.isWorthTrying(kind) && w.gains(payload, pooled) {
		*pooled = w.zstd.EncodeAll(payload, (*pooled)[:0])
		if isGain(len(*pooled), len(payload)) {
			stored, h.flags = *pooled, chunkFlagZstd
		} else {
			w.dull[kind].Store(dullChunks)
		}
	}
	h.stored = uint32(len(stored)) //nolint:gosec // no longer than the payload
	var header [chunkHeaderSize]byte
	return w.append(appendChunkHeader(header[:0], h, stored), stored, h)
}

// isWorthTrying reports whether chunks of a kind may gain: packed accounts rarely do.
func (w *SnapshotWriter) isWorthTrying(kind uint8) bool {
	left := w.dull[kind].Load()
	if left > 0 {
		w.dull[kind].Store(left - 1)
	}
	return left == 0
}

// gains reports whether payload is worth compressing, by a sample of it.
func (w *SnapshotWriter) gains(payload []byte, pooled *[]byte) bool {
	switch size := len(payload); {
	case size < compressAbove:
		return false
	case size <= 2*compressSample:
		return true
	}
	*pooled = w.zstd.EncodeAll(payload[:compressSample], (*pooled)[:0])
	return isGain(len(*pooled), compressSample)
}

func isGain(stored, raw int) bool { return stored*10 <= raw*gainTenths }

func (w *SnapshotWriter) append(header, stored []byte, h chunkHeader) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.err != nil:
		return w.err
	case len(w.chunks) == chunksMax:
		w.err = fmt.Errorf("journal: a snapshot holds at most %d chunks", chunksMax)
		return w.err
	}
	w.chunks = append(w.chunks, chunkPlacement{
		Offset: w.offset + int64(len(w.buf)), Bytes: int64(len(header) + len(stored)), Kind: h.kind, Shard: h.shard,
	})
	if len(w.buf)+len(header)+len(stored) > writeBufferSize {
		w.flush()
	}
	w.buf = append(w.buf, header...)
	if len(stored) < writeBufferSize/2 {
		w.buf = append(w.buf, stored...)
		return w.err
	}
	w.flush()
	w.write(stored)
	return w.err
}

func (w *SnapshotWriter) flush() {
	w.write(w.buf)
	w.buf = w.buf[:0]
}

// write hashes b and puts it at the end of the file.
func (w *SnapshotWriter) write(b []byte) {
	if w.err != nil || len(b) == 0 {
		return
	}
	_, _ = w.hash.Write(b) // never fails
	if _, err := w.file.WriteAt(b, w.offset); err != nil {
		w.err = fmt.Errorf("journal: write snapshot at offset %d: %w", w.offset, err)
		return
	}
	begun := w.offset
	w.offset += int64(len(b))
	if file, ok := w.file.(starter); ok && w.canStart {
		// Not every file system can; that is no fault, the disk gets its bytes later then.
		w.canStart = file.startWriting(begun, int64(len(b))) == nil
		return
	}
	if w.offset-w.synced < syncEvery {
		return
	}
	if err := w.file.Sync(); err != nil {
		w.err = fmt.Errorf("journal: sync snapshot: %w", err)
	}
	w.synced = w.offset
}

// finish writes the manifest and the footer and syncs the file; size is its length in bytes.
func (w *SnapshotWriter) finish(meta SnapshotMeta, raftMeta snapshotRaft) (size int64, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flush()
	if w.err != nil {
		return 0, w.err
	}
	meta.Version = SnapshotVersion
	m := &manifest{Meta: meta, Raft: raftMeta, Blake3: hex.EncodeToString(w.hash.Sum(nil)), Chunks: w.chunks}
	tail, err := appendManifest(nil, m, w.offset)
	if err != nil {
		w.err = fmt.Errorf("journal: encode snapshot manifest: %w", err)
		return 0, w.err
	}
	w.write(tail)
	if w.err != nil {
		return 0, w.err
	}
	if err := w.file.Sync(); err != nil {
		w.err = fmt.Errorf("journal: sync snapshot: %w", err)
	}
	return w.offset, w.err
}
