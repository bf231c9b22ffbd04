package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/raft-wal/types"
)

const (
	segmentHeaderSize = 32
	indexEntrySize    = 4  // of an entry in the index block
	entryHeadMax      = 64 // bytes within which an entry's data begins
)

// tailState is what the segment that was written last holds.
type tailState struct {
	end        int64  // behind the last whole batch
	dataEnd    int64  // behind the last byte that is not zero
	last       uint64 // log entry in the last whole batch; the one before the segment when there is none
	indexStart uint64 // of the index frame when the segment is full, else 0
	why        string // what is wrong at end, when dataEnd is behind it
	isWrong    bool   // the bytes at end were acknowledged: damage
}

// walkTail finds the end of the last batch whose checksum is good, and whether what follows
// is the remains of one write or damage in what was acknowledged and is in no snapshot: a
// later frame says which.
func walkTail(data []byte, info types.SegmentInfo, snapshotSeq uint64) (tailState, error) {
	lastSeq := snapshotSeq
	walk, err := walkSegment(data, func(_ uint64, at entryAt) error {
		if h, found := headerIn(at.payload); found {
			lastSeq = max(lastSeq, h.LastSeq)
		}
		return nil
	})
	state := tailState{
		end: int64(walk.offset), dataEnd: int64(len(bytes.TrimRight(data, "\x00"))),
		last: info.BaseIndex - 1 + walk.entries, why: orEnd(walk.reason),
	}
	state.dataEnd = max(state.dataEnd, state.end)
	if walk.isSealed {
		index := (indexEntrySize*int64(walk.entries) + blockHeaderSize - 1) &^ (blockHeaderSize - 1) //nolint:gosec // a segment's
		state.indexStart = uint64(state.end - blockHeaderSize - index)                               //nolint:gosec // as above
	}
	state.isWrong = walk.isPassed || acknowledges(data[state.end:state.dataEnd], lastSeq)
	if err == nil && state.end > 0 {
		err = checkWholeHeader(data, info)
	}
	return state, err
}

// headerIn finds the frame header in an entry.
func headerIn(entry []byte) (Header, bool) {
	magic := binary.LittleEndian.AppendUint32(nil, frameMagic)
	at := bytes.Index(entry[:min(len(entry), entryHeadMax)], magic)
	if at < 0 {
		return Header{}, false
	}
	h, _, err := parseHeader(entry[at:])
	return h, err == nil
}

// acknowledges reports whether a frame in rest was built when commands behind lastSeq, which
// are in rest or lost with it, had been committed. Without lastSeq the first frame in rest counts.
func acknowledges(rest []byte, lastSeq uint64) bool {
	magic := binary.LittleEndian.AppendUint32(nil, frameMagic)
	for {
		at := bytes.Index(rest, magic)
		if at < 0 {
			return false
		}
		rest = rest[at:]
		if h, _, err := parseHeader(rest); err == nil {
			if lastSeq == 0 {
				lastSeq = h.FirstSeq - 1
			}
			if h.AckedSeq > lastSeq {
				return true
			}
		}
		rest = rest[len(magic):]
	}
}

// recoverTail looks at the segment that was written last before raft-wal does, which would
// take any damage in it for an interrupted write: what was acknowledged and is gone is
// damage, what never was is cut off with zeros. A segment that is full and was not closed,
// which raft-wal could not write to, is closed. It returns the last log entry.
func recoverTail(
	files Files, dir string, meta *metaStore, snapshot SnapshotMeta, high *highwater,
) (last uint64, r Report, err error) {
	info, found := meta.tail()
	name := segmentName(info)
	state := tailState{last: max(info.BaseIndex, 1) - 1}
	if found {
		data, err := readWhole(files, dir, name)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return 0, r, fmt.Errorf("journal: read segment: %w", err)
		}
		if err == nil {
			if state, err = walkTail(data, info, snapshot.Seq); err != nil {
				return 0, r, &DamageError{File: filepath.Join(dir, name), What: "the segment's header is wrong", Do: doRestore, Err: err}
			}
		}
	}
	at := &DamageError{File: filepath.Join(dir, name), Offset: state.end, Do: doRestore}
	if !found {
		at.File, at.Offset = meta.path, noOffset
	}
	switch {
	case max(state.last, snapshot.RaftIndex) < high.index:
		at.What = fmt.Sprintf("the log ends with entry %d, but entry %d, command %d, was committed", state.last, high.index, high.seq)
		if state.dataEnd > state.end {
			at.What += ": " + state.why
		}
		return 0, r, at
	case state.isWrong:
		at.What = state.why + ", and a later frame says that it was committed"
		return 0, r, at
	}
	if state.dataEnd > state.end {
		r.BytesCut, r.CutReason = state.dataEnd-state.end, "interrupted write: "+state.why
		if err := zero(files, dir, name, state.end, state.dataEnd); err != nil {
			return 0, r, fmt.Errorf("journal: cut %s: %w", name, err)
		}
	}
	if err := rewriteTail(files, dir, name, state.end); err != nil {
		return 0, r, err
	}
	if state.indexStart != 0 {
		err = closeFull(meta, state)
	}
	return state.last, r, err
}

func readWhole(files Files, dir, name string) ([]byte, error) {
	size, err := files.Size(dir, name)
	if err != nil {
		return nil, err
	}
	file, err := files.OpenReader(dir, name)
	if err != nil {
		return nil, err
	}
	data := make([]byte, size)
	n, err := file.ReadAt(data, 0)
	if err == io.EOF {
		err = nil
	}
	return data[:n], errors.Join(err, file.Close())
}

func zero(files Files, dir, name string, from, to int64) error {
	file, err := files.OpenWriter(dir, name)
	if err != nil {
		return err
	}
	_, err = file.WriteAt(make([]byte, to-from), from)
	return errors.Join(err, file.Sync(), file.Close())
}

// closeFull does what raft-wal does after it has filled a segment, and what a crash in
// between left undone: the list says that it is full and names the next one, which raft-wal makes.
func closeFull(meta *metaStore, full tailState) error {
	state, err := meta.Load("")
	if err != nil {
		return err
	}
	n := len(state.Segments)
	segments := append(make([]types.SegmentInfo, 0, n+1), state.Segments...)
	now := time.Now()
	old := &segments[n-1]
	old.SealTime, old.MaxIndex, old.IndexStart = now, full.last, full.indexStart
	next := types.SegmentInfo{
		ID: state.NextSegmentID, BaseIndex: full.last + 1, MinIndex: full.last + 1,
		Codec: old.Codec, CreateTime: now, SizeLimit: old.SizeLimit,
	}
	return meta.CommitState(types.PersistentState{NextSegmentID: state.NextSegmentID + 1, Segments: append(segments, next)})
}

// entryOffset finds an entry in a segment; noOffset when it cannot be found.
func entryOffset(files Files, dir string, info types.SegmentInfo, index uint64) int64 {
	data, err := readWhole(files, dir, segmentName(info))
	if err != nil {
		return noOffset
	}
	at := int64(segmentHeaderSize)
	for entry := info.BaseIndex; at+blockHeaderSize <= int64(len(data)); {
		size := int64(binary.LittleEndian.Uint32(data[at+4:]))
		switch kind := data[at]; {
		case kind == blockEntry && entry == index, kind < blockEntry || kind > blockCommit:
			return at // it, or the place where the way to it breaks
		case kind == blockEntry:
			entry++
		case kind == blockCommit:
			size = 0
		}
		at += blockHeaderSize + (size+blockHeaderSize-1)&^(blockHeaderSize-1)
	}
	return noOffset
}
