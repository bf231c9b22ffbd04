package journal

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/hashicorp/raft"
)

// Layout of a snapshot file, little-endian, docs/JOURNAL.md:
//
//	header | chunk … chunk | manifest (JSON) | footer
const (
	snapshotHeaderSize = 16 // magic [8], version u32, crc32c u32 of the 12 bytes before
	snapshotFooterSize = 32 // offset u64, length u32, crc32c u32 of the manifest, version u32, crc32c u32, magic [8]
	chunkHeaderSize    = 16 // kind u8, flags u8, shard u16, raw length u32, stored length u32, crc32c u32

	snapshotMagic       = "PLIMSNAP"
	snapshotFooterMagic = "PANSMILP"

	chunkFlagZstd = 1 // the payload is one zstd frame
	chunkFlags    = chunkFlagZstd

	manifestBytesMax = 256 << 20
)

const (
	doRestoreSnapshot = "restore the file from a backup, or delete it: the snapshot before it and the log are used then"
	doNewerProgram    = "start the version of the program that wrote it, or a newer one"
)

// manifest is the JSON before the footer. Every byte before it is under its BLAKE3 hash.
type manifest struct {
	Meta   SnapshotMeta     `json:"meta"`
	Raft   snapshotRaft     `json:"raft"`
	Blake3 string           `json:"blake3"` // hex, of the header and all chunks
	Chunks []chunkPlacement `json:"chunks"`
}

// snapshotRaft is what raft wants to read back beside the index and the term.
type snapshotRaft struct {
	Version            raft.SnapshotVersion `json:"version"`
	ConfigurationIndex uint64               `json:"configuration_index"`
	Configuration      raft.Configuration   `json:"configuration"`
}

// chunkPlacement is a line of the chunk table.
type chunkPlacement struct {
	Offset int64  `json:"offset"` // of the chunk's header in the file
	Bytes  int64  `json:"bytes"`  // with the header
	Kind   uint8  `json:"kind"`
	Shard  uint16 `json:"shard"`
}

// chunkHeader stands before each chunk's payload.
type chunkHeader struct {
	kind, flags uint8
	shard       uint16
	raw, stored uint32 // bytes of the payload before and after compression
	crc         uint32 // of the header's 12 bytes before it and the stored payload
}

func appendSnapshotHeader(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, snapshotMagic...)
	dst = binary.LittleEndian.AppendUint32(dst, SnapshotVersion)
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
}

func checkSnapshotHeader(file string, b []byte) error {
	if string(b[:8]) != snapshotMagic {
		return &DamageError{File: file, What: "this is not a snapshot: wrong magic", Do: doRestoreSnapshot}
	}
	if crc32.Checksum(b[:12], castagnoli) != binary.LittleEndian.Uint32(b[12:]) {
		return &DamageError{File: file, Offset: 12, What: "the header's checksum is wrong", Do: doRestoreSnapshot}
	}
	return checkSnapshotVersion(file, 8, binary.LittleEndian.Uint32(b[8:]))
}

func checkSnapshotVersion(file string, offset int64, version uint32) error {
	if version == 0 || version > SnapshotVersion {
		what := fmt.Sprintf("format version %d; this program reads up to %d", version, SnapshotVersion)
		return &DamageError{File: file, Offset: offset, What: what, Do: doNewerProgram}
	}
	return nil
}

// appendChunkHeader encodes h with the checksum that it and the stored payload give.
func appendChunkHeader(dst []byte, h chunkHeader, stored []byte) []byte {
	start := len(dst)
	dst = append(dst, h.kind, h.flags)
	dst = binary.LittleEndian.AppendUint16(dst, h.shard)
	dst = binary.LittleEndian.AppendUint32(dst, h.raw)
	dst = binary.LittleEndian.AppendUint32(dst, h.stored)
	crc := crc32.Update(crc32.Checksum(dst[start:], castagnoli), castagnoli, stored)
	return binary.LittleEndian.AppendUint32(dst, crc)
}

func parseChunkHeader(b []byte) chunkHeader {
	return chunkHeader{
		kind: b[0], flags: b[1], shard: binary.LittleEndian.Uint16(b[2:]),
		raw: binary.LittleEndian.Uint32(b[4:]), stored: binary.LittleEndian.Uint32(b[8:]),
		crc: binary.LittleEndian.Uint32(b[12:]),
	}
}

// checkChunk checks a whole chunk, header and payload, against its line of the table.
func checkChunk(b []byte, at chunkPlacement) (chunkHeader, error) {
	h := parseChunkHeader(b)
	switch crc := crc32.Update(crc32.Checksum(b[:12], castagnoli), castagnoli, b[chunkHeaderSize:]); {
	case crc != h.crc:
		return h, fmt.Errorf("the chunk's checksum is %08x, its bytes give %08x", h.crc, crc)
	case int64(h.stored)+chunkHeaderSize != at.Bytes || h.kind != at.Kind || h.shard != at.Shard:
		return h, errors.New("the chunk's header and the manifest disagree")
	case h.flags&^chunkFlags != 0:
		return h, fmt.Errorf("unknown flags %#x", h.flags)
	case h.raw > ChunkBytesMax || h.flags&chunkFlagZstd == 0 && h.raw != h.stored:
		return h, fmt.Errorf("lengths %d and %d cannot be", h.raw, h.stored)
	}
	return h, nil
}

// appendManifest encodes m and the footer that finds it at offset.
func appendManifest(dst []byte, m *manifest, offset int64) ([]byte, error) {
	encoded, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	if len(encoded) > manifestBytesMax {
		return nil, fmt.Errorf("a manifest of %d bytes is larger than %d", len(encoded), manifestBytesMax)
	}
	dst = append(dst, encoded...)
	start := len(dst)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(offset))       //nolint:gosec // an offset is not negative
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(encoded))) //nolint:gosec // limited above
	dst = binary.LittleEndian.AppendUint32(dst, crc32.Checksum(encoded, castagnoli))
	dst = binary.LittleEndian.AppendUint32(dst, SnapshotVersion)
	dst = binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
	return append(dst, snapshotFooterMagic...), nil
}

// snapshotFooter is the last thing in the file and the first that is read.
type snapshotFooter struct {
	offset int64 // of the manifest
	length int64 // of the manifest, bytes
	crc    uint32
}

func parseSnapshotFooter(file string, b []byte, size int64) (snapshotFooter, error) {
	at := size - snapshotFooterSize
	if string(b[24:]) != snapshotFooterMagic || crc32.Checksum(b[:20], castagnoli) != binary.LittleEndian.Uint32(b[20:]) {
		return snapshotFooter{}, &DamageError{
			File: file, Offset: at, What: "the footer is damaged or cut off", Do: doRestoreSnapshot,
		}
	}
	if err := checkSnapshotVersion(file, at+16, binary.LittleEndian.Uint32(b[16:])); err != nil {
		return snapshotFooter{}, err
	}
	f := snapshotFooter{
		offset: int64(binary.LittleEndian.Uint64(b)), //nolint:gosec // compared below
		length: int64(binary.LittleEndian.Uint32(b[8:])),
		crc:    binary.LittleEndian.Uint32(b[12:]),
	}
	if f.offset < snapshotHeaderSize || f.length > manifestBytesMax || f.offset > at || f.offset+f.length != at {
		return snapshotFooter{}, &DamageError{
			File: file, Offset: at, What: "the footer points outside the file", Do: doRestoreSnapshot,
		}
	}
	return f, nil
}

// parseManifest decodes the manifest and checks that the chunk table covers the file from
// the header to the manifest without a gap.
func parseManifest(file string, b []byte, f snapshotFooter) (*manifest, error) {
	damage := func(what string, err error) error {
		return &DamageError{File: file, Offset: f.offset, What: what, Do: doRestoreSnapshot, Err: err}
	}
	if crc32.Checksum(b, castagnoli) != f.crc {
		return nil, damage("the manifest's checksum is wrong", nil)
	}
	m := &manifest{}
	if err := json.Unmarshal(b, m); err != nil {
		return nil, damage("the manifest cannot be read", err)
	}
	if len(m.Chunks) > chunksMax {
		return nil, damage(fmt.Sprintf("%d chunks are more than %d", len(m.Chunks), chunksMax), nil)
	}
	next := int64(snapshotHeaderSize)
	for _, c := range m.Chunks {
		if c.Offset != next || c.Bytes < chunkHeaderSize || c.Bytes > chunkHeaderSize+ChunkBytesMax {
			return nil, damage(fmt.Sprintf("the chunk table breaks at offset %d", next), nil)
		}
		next += c.Bytes
	}
	if next != f.offset {
		return nil, damage(fmt.Sprintf("the chunk table ends at offset %d", next), nil)
	}
	return m, nil
}
