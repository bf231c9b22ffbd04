package journal

import (
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"

	"github.com/zeebo/blake3"
)

const (
	// FormatVersion is the version of the frame format that this program writes. It reads no
	// newer one.
	FormatVersion = 1
	// HeaderSize is the length of an encoded Header, in bytes: that of one record.
	HeaderSize = 128
	// HashEvery is the distance of the hash points, in frames: after a frame whose number it
	// divides, the state is hashed.
	HashEvery = 1024
	// FrameBytesMax is the most an encoded frame may hold, in bytes, header and body.
	FrameBytesMax = 1 << 20

	frameMagic = 0x4d534c50 // "PLSM"
)

// Offsets in an encoded header, little endian. What is not listed is zero.
const (
	atMagic      = 0   // u32
	atVersion    = 4   // u16
	atNumber     = 8   // u64
	atFirstSeq   = 16  // u64
	atLastSeq    = 24  // u64
	atCount      = 32  // u32
	atRecordSize = 36  // u32
	atTimeMs     = 40  // i64
	atAckedSeq   = 48  // u64
	atHashSeq    = 56  // u64
	atStateHash  = 64  // [16]
	atPrev       = 80  // [16]
	atBodyHash   = 96  // [16]
	atBodyLen    = 112 // u32
	atZero       = 116 // 8 bytes, must be zero
	atCRC        = 124 // u32, CRC32C of all before it
)

// Hash is the first 128 bits of a BLAKE3 hash.
type Hash [16]byte

// IsZero reports whether no hash was given.
func (h Hash) IsZero() bool { return h == Hash{} }

// String returns the hash in hex.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText writes the hash in hex, for JSON.
func (h Hash) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText reads what MarshalText wrote.
func (h *Hash) UnmarshalText(text []byte) error {
	if hex.DecodedLen(len(text)) != len(h) {
		return hex.ErrLength
	}
	_, err := hex.Decode(h[:], text)
	return err
}

// Header describes the records of one frame. Frames are what the log is made of: a batch of
// records in order that is written, synced and committed as one.
type Header struct {
	Version    uint16 // of the format; AppendFrame writes FormatVersion
	Number     uint64 // of the frame, from 1
	FirstSeq   uint64 // of the first record
	LastSeq    uint64 // of the last record; records that share a Seq never span frames
	Count      uint32 // records in the body
	RecordSize uint32 // bytes of one record; when 0, AppendFrame makes each byte of the body a record
	TimeMs     int64  // of the last record, Unix milliseconds of engine time
	AckedSeq   uint64 // last Seq that was committed when the frame was built
	HashSeq    uint64 // Seq after which StateHash was taken
	StateHash  Hash   // zero = none given
	Prev       Hash   // Link of the frame before
	BodyHash   Hash   // of the body; AppendFrame fills it
}

// castagnoli is made here and never written again.
var castagnoli = crc32.MakeTable(crc32.Castagnoli) //nolint:gochecknoglobals // a read-only table

// hashOf returns the first 128 bits of the BLAKE3 hash of b.
func hashOf(b []byte) Hash {
	sum := blake3.Sum256(b)
	return Hash(sum[:len(Hash{})])
}

// AppendFrame appends the encoded frame to dst and fills h.Version and h.BodyHash. The body must be
// h.Count records long, or it cannot be parsed. It does not allocate when dst has room for
// HeaderSize + len(body) bytes more.
func AppendFrame(dst []byte, h *Header, body []byte) []byte {
	if h.RecordSize == 0 {
		h.RecordSize, h.Count = 1, uint32(len(body)) //nolint:gosec // bodies are limited by FrameBytesMax
	}
	h.Version, h.BodyHash = FormatVersion, hashOf(body)
	dst = h.appendTo(dst, uint32(len(body))) //nolint:gosec // bodies are limited by FrameBytesMax
	return append(dst, body...)
}

func (h *Header) appendTo(dst []byte, bodyLen uint32) []byte {
	start := len(dst)
	dst = append(dst, make([]byte, HeaderSize)...) // the compiler makes no slice for it
	b := dst[start:]
	binary.LittleEndian.PutUint32(b[atMagic:], frameMagic)
	binary.LittleEndian.PutUint16(b[atVersion:], h.Version)
	binary.LittleEndian.PutUint64(b[atNumber:], h.Number)
	binary.LittleEndian.PutUint64(b[atFirstSeq:], h.FirstSeq)
	binary.LittleEndian.PutUint64(b[atLastSeq:], h.LastSeq)
	binary.LittleEndian.PutUint32(b[atCount:], h.Count)
	binary.LittleEndian.PutUint32(b[atRecordSize:], h.RecordSize)
	binary.LittleEndian.PutUint64(b[atTimeMs:], uint64(h.TimeMs)) //nolint:gosec // the same 64 bits
	binary.LittleEndian.PutUint64(b[atAckedSeq:], h.AckedSeq)
	binary.LittleEndian.PutUint64(b[atHashSeq:], h.HashSeq)
	copy(b[atStateHash:], h.StateHash[:])
	copy(b[atPrev:], h.Prev[:])
	copy(b[atBodyHash:], h.BodyHash[:])
	binary.LittleEndian.PutUint32(b[atBodyLen:], bodyLen)
	binary.LittleEndian.PutUint32(b[atCRC:], crc32.Checksum(b[:atCRC], castagnoli))
	return dst
}

// ParseFrame decodes and verifies one frame, which b must hold exactly. The body shares b's memory.
// The error is a *DamageError whose Offset counts from the start of b.
func ParseFrame(b []byte) (h Header, body []byte, err error) {
	h, bodyLen, err := parseHeader(b)
	if err != nil {
		return Header{}, nil, err
	}
	body = b[HeaderSize:]
	if uint64(len(body)) != uint64(bodyLen) {
		return Header{}, nil, damaged(atBodyLen, "the frame's body is %d bytes long and should be %d", len(body), bodyLen)
	}
	if hashOf(body) != h.BodyHash {
		return Header{}, nil, damaged(HeaderSize, "the body of frame %d does not have the hash in its header", h.Number)
	}
	return h, body, nil
}

// parseHeader decodes and verifies the header at the start of b; more may follow.
func parseHeader(b []byte) (h Header, bodyLen uint32, err error) {
	if len(b) < HeaderSize {
		return h, 0, damaged(0, "%d bytes are too few for a frame", len(b))
	}
	if binary.LittleEndian.Uint32(b[atMagic:]) != frameMagic {
		return h, 0, damaged(atMagic, "this is not a frame")
	}
	h.Version = binary.LittleEndian.Uint16(b[atVersion:])
	if sum := crc32.Checksum(b[:atCRC], castagnoli); sum != binary.LittleEndian.Uint32(b[atCRC:]) {
		return h, 0, damaged(0, "the checksum of the frame's header is wrong")
	}
	if h.Version > FormatVersion {
		e := damaged(atVersion, "the frame has format version %d, this program reads up to %d", h.Version, FormatVersion)
		e.Do = "it was written by a newer program: start that one"
		return h, 0, e
	}
	if h.Version == 0 || binary.LittleEndian.Uint64(b[atZero:]) != 0 || binary.LittleEndian.Uint16(b[atVersion+2:]) != 0 {
		return h, 0, damaged(atVersion, "bytes of the frame's header that must be zero are not, or its version is 0")
	}
	h.Number = binary.LittleEndian.Uint64(b[atNumber:])
	h.FirstSeq = binary.LittleEndian.Uint64(b[atFirstSeq:])
	h.LastSeq = binary.LittleEndian.Uint64(b[atLastSeq:])
	h.Count = binary.LittleEndian.Uint32(b[atCount:])
	h.RecordSize = binary.LittleEndian.Uint32(b[atRecordSize:])
	h.TimeMs = int64(binary.LittleEndian.Uint64(b[atTimeMs:])) //nolint:gosec // the same 64 bits
	h.AckedSeq = binary.LittleEndian.Uint64(b[atAckedSeq:])
	h.HashSeq = binary.LittleEndian.Uint64(b[atHashSeq:])
	h.StateHash = Hash(b[atStateHash:])
	h.Prev = Hash(b[atPrev:])
	h.BodyHash = Hash(b[atBodyHash:])
	bodyLen = binary.LittleEndian.Uint32(b[atBodyLen:])
	if bodyLen > FrameBytesMax-HeaderSize {
		return h, 0, damaged(atBodyLen, "a body of %d bytes is longer than a frame may be", bodyLen)
	}
	if uint64(h.Count)*uint64(h.RecordSize) != uint64(bodyLen) {
		return h, 0, damaged(atCount, "%d records of %d bytes do not make a body of %d", h.Count, h.RecordSize, bodyLen)
	}
	return h, bodyLen, nil
}
