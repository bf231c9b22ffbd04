package journal

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"os"
	"strings"
	"testing"

	"github.com/hashicorp/raft-wal/types"
	"pgregory.net/rapid"
)

func goldenFrame() (Header, []byte) {
	h := Header{
		Number: 7, FirstSeq: 1001, LastSeq: 1003, Count: 3, RecordSize: 16, TimeMs: 1700000000123, AckedSeq: 990, HashSeq: 512,
		StateHash: Hash{1, 2, 3, 15: 0xfe}, Prev: Hash{0xaa, 15: 0xbb},
	}
	return h, bytes.Repeat([]byte("0123456789abcdef"), 3)
}

// TestFrameFormat holds format version 1, byte for byte.
func TestFrameFormat(t *testing.T) {
	const path = "testdata/frame-v1.hex"
	h, body := goldenFrame()
	frame := AppendFrame(nil, &h, body)
	if *update {
		if err := os.WriteFile(path, []byte(hex.Dump(frame)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.Dump(frame); got != string(want) {
		t.Errorf("frame:\n%s\nwant:\n%s", got, want)
	}
	back, backBody, err := ParseFrame(frame)
	if err != nil || back != h || !bytes.Equal(backBody, body) {
		t.Errorf("parsed %+v, %v; want %+v", back, err, h)
	}
	if h.Link() != hashOf(frame[:HeaderSize]) {
		t.Error("Link is not the hash of the encoded header")
	}
}

func TestEveryDamagedByteIsSeen(t *testing.T) {
	h, body := goldenFrame()
	frame := AppendFrame(nil, &h, body)
	for at := range frame {
		for bit := range 8 {
			frame[at] ^= 1 << bit
			_, _, err := ParseFrame(frame)
			if damage := (*DamageError)(nil); !errors.As(err, &damage) {
				t.Fatalf("bit %d of byte %d: %v", bit, at, err)
			}
			frame[at] ^= 1 << bit
		}
	}
	for length := range frame {
		if _, _, err := ParseFrame(frame[:length]); err == nil {
			t.Fatalf("%d bytes of it parsed", length)
		}
	}
}

func TestNewerFormatIsNamed(t *testing.T) {
	h, body := goldenFrame()
	frame := AppendFrame(nil, &h, body)
	binary.LittleEndian.PutUint16(frame[atVersion:], FormatVersion+1)
	binary.LittleEndian.PutUint32(frame[atCRC:], crc32.Checksum(frame[:atCRC], castagnoli))
	_, _, err := ParseFrame(frame)
	if err == nil || !strings.Contains(err.Error(), "version 2") || !strings.Contains(err.Error(), "newer program") {
		t.Errorf("%v", err)
	}
}

func TestAppendFrameDoesNotAllocate(t *testing.T) {
	h, body := goldenFrame()
	dst := make([]byte, 0, HeaderSize+len(body))
	if n := testing.AllocsPerRun(100, func() { AppendFrame(dst, &h, body) }); n != 0 {
		t.Errorf("%.0f allocations", n)
	}
}

func TestChain(t *testing.T) {
	var c Chain
	build := func(at Chain, seqs uint64) Header {
		h := Header{Number: at.Number + 1, FirstSeq: at.Seq + 1, LastSeq: at.Seq + seqs, Count: 1, RecordSize: 8, Prev: at.Link}
		AppendFrame(nil, &h, make([]byte, 8))
		return h
	}
	one := build(c, 3)
	if ok, err := c.Next(&one); !ok || err != nil || c.Seq != 3 || c.Number != 1 {
		t.Fatalf("first: %t, %v, %+v", ok, err, c)
	}
	after := c
	two := build(c, 2)
	if ok, err := c.Next(&two); !ok || err != nil {
		t.Fatalf("second: %t, %v", ok, err)
	}
	for name, h := range map[string]Header{"again": two, "earlier": one, "of a former leader": build(after, 5)} {
		before := c
		if ok, err := c.Next(&h); ok || err != nil || c != before {
			t.Errorf("%s: %t, %v", name, ok, err)
		}
	}
	other := build(c, 1)
	other.Prev = Hash{9}
	if ok, err := c.Next(&other); ok || err != nil {
		t.Errorf("behind another frame: %t, %v", ok, err)
	}
	gap, jump := build(Chain{Number: 3, Seq: 5}, 1), build(c, 1)
	jump.FirstSeq++
	for name, h := range map[string]Header{"frame missing": gap, "command missing": jump} {
		if ok, err := c.Next(&h); ok || err == nil {
			t.Errorf("%s: %t, %v", name, ok, err)
		}
	}
}

func TestFramesComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := Header{
			Number: rapid.Uint64().Draw(t, "number"), FirstSeq: rapid.Uint64().Draw(t, "first"), LastSeq: rapid.Uint64().Draw(t, "last"),
			TimeMs: rapid.Int64().Draw(t, "time"), AckedSeq: rapid.Uint64().Draw(t, "acked"), HashSeq: rapid.Uint64().Draw(t, "hashSeq"),
		}
		body := rapid.SliceOfN(rapid.Byte(), 0, 500).Draw(t, "body")
		frame := AppendFrame(nil, &h, body)
		back, backBody, err := ParseFrame(frame)
		if err != nil || back != h || !bytes.Equal(body, backBody) || back.Link() != h.Link() {
			t.Fatalf("%+v came back as %+v, %v", h, back, err)
		}
	})
}

// FuzzParseFrame: what parses is what AppendFrame writes.
func FuzzParseFrame(f *testing.F) {
	h, body := goldenFrame()
	f.Add(AppendFrame(nil, &h, body))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		h, body, err := ParseFrame(b)
		if err == nil && !bytes.Equal(AppendFrame(nil, &h, body), b) {
			t.Errorf("%+v is encoded otherwise", h)
		}
	})
}

// FuzzWalkTail: no bytes make the look at a segment panic or end outside of it.
func FuzzWalkTail(f *testing.F) {
	f.Add(make([]byte, segmentHeaderSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		state, _ := walkTail(b, types.SegmentInfo{BaseIndex: 1}, 0)
		if state.end < 0 || state.end > state.dataEnd || state.dataEnd > int64(len(b)) {
			t.Errorf("%+v in %d bytes", state, len(b))
		}
	})
}
