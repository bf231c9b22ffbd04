package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"path/filepath"

	"github.com/hashicorp/raft"
	"github.com/hashicorp/raft-wal/types"
)

// Layout of a segment of raft-wal 0.4, little-endian (its segment package documents it):
// a header of 32 bytes, then blocks of 8 bytes of header and a payload padded to 8: entries,
// at the end of a sealed segment the index, and after each batch a commit, whose checksum is
// over all since the commit before. Zeros follow the last one.
const (
	// The header: magic u32, 3 zero bytes, version u8, base index u64, id u64, codec u64.
	segmentMagic     = 0x58eb6b0d
	segmentVersionAt = 7
	segmentVersion   = 0
	segmentCodec     = 1 // raft-wal's BinaryCodec

	blockHeaderSize = 8 // type u8, 3 zero bytes, payload length or checksum u32
	blockEnd        = 0 // nothing was written here yet
	blockEntry      = 1
	blockIndex      = 2
	blockCommit     = 3

	entryTimeSizeMin = 15 // bytes of the time at the end of an entry, which we do not read
)

// entryAt is an entry block in a segment.
type entryAt struct {
	offset  int // of the block
	payload []byte
}

// walkEnd says where and why a walk over a segment ended.
type walkEnd struct {
	offset   int    // where the first batch that is not whole begins
	entries  uint64 // in the whole batches
	reason   string // why no batch is whole there; empty at the clean end
	isSealed bool   // the index follows
	isPassed bool   // a whole batch follows the one that is not: the fault is no torn tail
}

// walkSegment calls fn for each entry of the whole batches of a segment, in order.
func walkSegment(data []byte, fn func(number uint64, at entryAt) error) (walkEnd, error) {
	end, err := walkBatches(data, fn)
	if err == nil && end.reason != "" && !end.isPassed {
		end.isPassed = isBatchBehind(data, end.offset)
	}
	return end, err
}

// isBatchBehind looks for a whole batch behind one whose blocks cannot be followed to its end.
// An interrupted write leaves none: it is one batch, and nothing was behind it before.
func isBatchBehind(data []byte, from int) bool {
	for at := max(from, segmentHeaderSize); at+blockHeaderSize <= len(data); at += blockHeaderSize {
		if isBlock(data[at:], blockCommit) && isBatch(data, at+blockHeaderSize) {
			return true
		}
	}
	return false
}

func isBlock(b []byte, kind byte) bool { return b[0] == kind && b[1] == 0 && b[2] == 0 && b[3] == 0 }

// isBatch reports whether a batch begins at begin and is whole.
func isBatch(data []byte, begin int) bool {
	for at := begin; at+blockHeaderSize <= len(data); {
		value := binary.LittleEndian.Uint32(data[at+4:])
		switch {
		case isBlock(data[at:], blockCommit):
			return at > begin && crc32.Checksum(data[begin:at], castagnoli) == value
		case !isBlock(data[at:], blockEntry) && !isBlock(data[at:], blockIndex):
			return false
		}
		at += blockHeaderSize + (int(value)+blockHeaderSize-1)/blockHeaderSize*blockHeaderSize
	}
	return false
}

func walkBatches(data []byte, fn func(number uint64, at entryAt) error) (walkEnd, error) {
	end := walkEnd{}
	var batch []entryAt
	batchStart, isSealing := 0, false
	for at := segmentHeaderSize; at+blockHeaderSize <= len(data); {
		kind, value := data[at], binary.LittleEndian.Uint32(data[at+4:])
		isOdd := data[at+1] != 0 || data[at+2] != 0 || data[at+3] != 0
		size := int(value)
		switch {
		case kind == blockEnd && value == 0 && !isOdd:
			if at != batchStart && (at != segmentHeaderSize || batchStart != 0) {
				return end.torn("a batch without its end"), nil
			}
			return end, nil
		case kind == blockEnd || kind > blockCommit || isOdd:
			return end.torn("no block begins here"), nil
		case kind != blockCommit && size > len(data)-at-blockHeaderSize:
			return end.torn("a block that is longer than the file"), nil
		case kind == blockEntry:
			batch = append(batch, entryAt{offset: at, payload: data[at+blockHeaderSize : at+blockHeaderSize+size]})
		case kind == blockIndex:
			isSealing = true
		case crc32.Checksum(data[batchStart:at], castagnoli) != value:
			end = end.torn("the checksum of the batch is wrong")
			batch, batchStart, size = batch[:0], at+blockHeaderSize, 0
		default:
			size, batchStart = 0, at+blockHeaderSize
			if end.reason != "" {
				end.isPassed = true
				return end, nil
			}
			for i := range batch {
				if err := fn(end.entries, batch[i]); err != nil {
					return end, err
				}
				end.entries++
			}
			end.offset, batch = batchStart, batch[:0]
			if isSealing {
				end.isSealed = true
				return end, nil
			}
		}
		at += blockHeaderSize + (size+blockHeaderSize-1)/blockHeaderSize*blockHeaderSize
	}
	if len(batch) > 0 {
		return end.torn("a batch without its end"), nil
	}
	return end, nil
}

// torn keeps the first reason.
func (e walkEnd) torn(reason string) walkEnd {
	if e.reason == "" {
		e.reason = reason
	}
	return e
}

// checkWholeHeader compares the start of a segment with what the meta file says of it.
func checkWholeHeader(data []byte, info types.SegmentInfo) error {
	switch {
	case len(data) < segmentHeaderSize:
		return errors.New("the segment is cut off")
	case binary.LittleEndian.Uint32(data) != segmentMagic || data[4] != 0 || data[5] != 0 || data[6] != 0:
		return errors.New("this is not a segment of the log: wrong magic")
	case data[segmentVersionAt] != segmentVersion:
		return fmt.Errorf("segment format version %d, this program reads %d", data[segmentVersionAt], segmentVersion)
	case binary.LittleEndian.Uint64(data[8:]) != info.BaseIndex || binary.LittleEndian.Uint64(data[16:]) != info.ID ||
		binary.LittleEndian.Uint64(data[24:]) != segmentCodec:
		return errors.New("the segment's header is not that of its name")
	}
	return nil
}

// decodeEntry decodes what raft-wal's codec wrote: index, term and type as varints, data and
// extensions with their lengths before them, a time. Data shares b's memory.
func decodeEntry(b []byte) (l raft.Log, err error) {
	d := entryDecoder{b: b}
	l.Index, l.Term = d.uvarint(), d.uvarint()
	kind := d.uvarint()
	l.Data, l.Extensions = d.bytes(), d.bytes()
	if d.isShort || kind > uint64(^raft.LogType(0)) || len(d.b) < entryTimeSizeMin {
		return raft.Log{}, errors.New("the entry cannot be decoded")
	}
	l.Type = raft.LogType(kind)
	return l, nil
}

type entryDecoder struct {
	b       []byte
	isShort bool
}

func (d *entryDecoder) uvarint() uint64 {
	value, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.isShort, d.b = true, nil
		return 0
	}
	d.b = d.b[n:]
	return value
}

func (d *entryDecoder) bytes() []byte {
	size := d.uvarint()
	if size > uint64(len(d.b)) {
		d.isShort, d.b = true, nil
		return nil
	}
	b := d.b[:size]
	d.b = d.b[size:]
	return b
}

// checkEntry decodes an entry and verifies the guard's checksum.
func checkEntry(payload []byte, index uint64) (raft.Log, error) {
	l, err := decodeEntry(payload)
	switch {
	case err != nil:
		return l, err
	case l.Index != index:
		return l, fmt.Errorf("entry %d stands where %d should", l.Index, index)
	case len(l.Extensions) != crcSize || binary.LittleEndian.Uint32(l.Extensions) != entryCRC(&l):
		return l, fmt.Errorf("the checksum of entry %d is wrong", index)
	}
	return l, nil
}

// readInto reads a file into buf, which it grows. A file that grows meanwhile is read as
// long as it was.
func readInto(file types.ReadableFile, size int64, buf []byte) ([]byte, error) {
	if int64(cap(buf)) < size {
		buf = make([]byte, size)
	}
	n, err := file.ReadAt(buf[:size], 0)
	if err == io.EOF {
		err = nil
	}
	return buf[:n], err
}

// rewriteTail makes the last whole batch of a segment, which ends at end, durable: it may have
// been written by a process that did not live, or whose sync failed, and then it is in memory
// only. It is written again because a failed sync leaves pages marked as clean.
func rewriteTail(files Files, dir, name string, end int64) error {
	if end == 0 {
		return nil
	}
	file, err := files.OpenWriter(dir, name)
	if err != nil {
		return fmt.Errorf("journal: open segment: %w", err)
	}
	data, err := readInto(file, end, nil)
	if err == nil {
		begin := int64(lastBatch(data))
		if _, err = file.WriteAt(data[begin:], begin); err == nil {
			err = file.Sync()
		}
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("journal: write the end of %s again: %w", name, err)
	}
	return nil
}

// lastBatch returns where the last batch of whole batches begins.
func lastBatch(data []byte) (begin int) {
	for at := segmentHeaderSize; at+blockHeaderSize < len(data); {
		size := int(binary.LittleEndian.Uint32(data[at+4:]))
		if data[at] == blockCommit {
			begin, size = at+blockHeaderSize, 0
		}
		at += blockHeaderSize + (size+blockHeaderSize-1)/blockHeaderSize*blockHeaderSize
	}
	return begin
}

func segmentPath(dir string, info types.SegmentInfo) string {
	return filepath.Join(dir, segmentName(info))
}
