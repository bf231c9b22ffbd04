package journal

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/raft"
	"github.com/hashicorp/raft-wal/types"
)

// openAttempts is how often a scan starts anew because the log was cut under it.
const openAttempts = 10

// Place is where a frame stands on disk.
type Place struct {
	File   string // path of the segment
	Offset int64  // of the entry's block in it, bytes
	Index  uint64 // raft's
	Term   uint64 // raft's
}

// ScanReport says what a scan saw.
type ScanReport struct {
	Segments int    // files read
	Entries  uint64 // log entries, raft's own among them
	Frames   uint64 // entries that are frames and follow the chain
	Stale    uint64 // frames that every replica drops
	Commands uint64 // records in the frames counted
	Bytes    uint64 // of the entries
	First    Chain  // where the chain stood before the first frame
	Last     Chain  // and after the last
	End      Place  // where the log ends; Index and Term are the last entry's
	Torn     string // why what follows End is no whole batch; empty when nothing follows
}

// Scan reads the log of a data directory without its lock and without changing it; the
// directory may be in use. It calls fn for each frame of the chain, in order, and ends where
// what is committed ends. The body is valid until fn returns. A *DamageError names the file
// and the offset.
func Scan(dir string, fn func(p Place, h *Header, body []byte) error) (ScanReport, error) {
	return scan(OSFiles{}, dir, fn)
}

func scan(files Files, dataDir string, fn func(p Place, h *Header, body []byte) error) (ScanReport, error) {
	s := &scanner{dir: filepath.Join(dataDir, walDir), fn: fn}
	committed, err := readHighwater(files, dataDir) // before the log: on a live directory it moves on
	if err != nil {
		return s.report, err
	}
	segments, err := openSegments(files, s.dir)
	if err != nil {
		return s.report, err
	}
	defer func() {
		for _, segment := range segments {
			_ = segment.file.Close() // opened for reading
		}
	}()
	for i, segment := range segments {
		if i > 0 && segment.info.BaseIndex != s.report.End.Index+1 {
			return s.report, s.damage(segment.info, noOffset,
				fmt.Errorf("it begins with entry %d after entry %d", segment.info.BaseIndex, s.report.End.Index))
		}
		if err := s.read(segment); err != nil {
			return s.report, err
		}
		if err := s.segment(segment.info, s.buf); err != nil {
			return s.report, err
		}
	}
	return s.report, s.compareEnd(files, dataDir, committed, segments)
}

// compareEnd compares the log's end with the high-water mark and the newest snapshot, either
// of which may know of entries that are gone.
func (s *scanner) compareEnd(files Files, dataDir string, committed uint64, segments []openSegment) error {
	last := s.report.End.Index
	if committed <= last || len(segments) == 0 {
		return nil
	}
	sound, _, err := readSnapshots(files, filepath.Join(dataDir, snapshotDir))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if len(sound) > 0 && sound[0].info.RaftIndex >= committed {
		return nil // what is gone is in the snapshot
	}
	err = fmt.Errorf("entry %d was committed and the log ends with entry %d", committed, last)
	if s.report.Torn != "" {
		err = fmt.Errorf("%w: %s", err, s.report.Torn)
	}
	return s.damage(segments[len(segments)-1].info, s.tornAt, err)
}

// scanner goes over the entries of a log.
type scanner struct {
	dir     string
	fn      func(p Place, h *Header, body []byte) error
	chain   Chain
	isBegun bool // a frame was seen
	buf     []byte
	isAcked bool  // what is not whole in the tail was acknowledged, as a frame behind it says
	tornAt  int64 // the block that is not whole
	report  ScanReport
}

// read reads a segment into the buffer. The tail of a live log may be written meanwhile, and
// pages read before that stand beside others read after it; what looks like damage is read again.
func (s *scanner) read(segment openSegment) (err error) {
	for attempt := 1; ; attempt++ {
		s.buf, err = readInto(segment.file, segment.size, s.buf)
		if err != nil {
			return fmt.Errorf("journal: read %s: %w", segmentPath(s.dir, segment.info), err)
		}
		if s.isAcked = false; !segment.info.SealTime.IsZero() {
			return nil
		}
		state, _ := walkTail(s.buf, segment.info, s.report.Last.Seq) // the header is checked with the entries
		s.isAcked = state.isWrong
		end, _ := walkSegment(s.buf, func(uint64, entryAt) error { return nil })
		if !s.isAcked && !end.isPassed || attempt == openAttempts {
			return nil
		}
	}
}

func (s *scanner) damage(info types.SegmentInfo, offset int64, err error) error {
	return &DamageError{File: segmentPath(s.dir, info), Offset: offset, What: "the log is damaged", Do: doRestore, Err: err}
}

// segment goes over one segment. One that is not sealed may end with what a crash, or the
// writer at work, left half done.
func (s *scanner) segment(info types.SegmentInfo, data []byte) error {
	isTail := info.SealTime.IsZero()
	s.report.Segments++
	end, err := walkSegment(data, func(number uint64, at entryAt) error {
		if number == 0 {
			if err := checkWholeHeader(data, info); err != nil {
				return s.damage(info, 0, err)
			}
		}
		index := info.BaseIndex + number
		if index < info.MinIndex || !isTail && index > info.MaxIndex {
			return nil // cut off at either end, and the file not rewritten for it
		}
		return s.entry(info, index, at)
	})
	switch {
	case err != nil:
		return err
	case end.isPassed || s.isAcked:
		err := fmt.Errorf("%s, and what follows says that it was acknowledged", orEnd(end.reason))
		return s.damage(info, s.precise(info, data, end), err)
	case !isTail && (!end.isSealed || info.BaseIndex+end.entries <= info.MaxIndex):
		err := fmt.Errorf("%s, after %d entries", orEnd(end.reason), end.entries)
		return s.damage(info, s.precise(info, data, end), err)
	}
	s.report.End.File, s.report.End.Offset = segmentPath(s.dir, info), int64(end.offset)
	s.report.Torn, s.tornAt = end.reason, int64(end.offset)
	if end.reason != "" {
		s.tornAt = s.precise(info, data, end)
	}
	return nil
}

func orEnd(reason string) string {
	if reason == "" {
		return "the entries end"
	}
	return reason
}

// precise finds the entry at fault in the batch that is not whole; when all entries are good,
// the batch's start is named.
func (s *scanner) precise(info types.SegmentInfo, data []byte, end walkEnd) int64 {
	index := info.BaseIndex + end.entries
	for at := max(end.offset, segmentHeaderSize); at+blockHeaderSize <= len(data) && data[at] == blockEntry; index++ {
		size := int(binary.LittleEndian.Uint32(data[at+4:]))
		if size > len(data)-at-blockHeaderSize {
			return int64(at)
		}
		if _, err := checkEntry(data[at+blockHeaderSize:at+blockHeaderSize+size], index); err != nil {
			return int64(at)
		}
		at += blockHeaderSize + (size+blockHeaderSize-1)/blockHeaderSize*blockHeaderSize
	}
	return int64(end.offset)
}

// entry verifies one entry and hands on the frame in it.
func (s *scanner) entry(info types.SegmentInfo, index uint64, at entryAt) error {
	l, err := checkEntry(at.payload, index)
	if err != nil {
		return s.damage(info, int64(at.offset), err)
	}
	s.report.Entries++
	s.report.Bytes += uint64(len(at.payload))
	s.report.End.Index, s.report.End.Term = l.Index, l.Term
	if l.Type != raft.LogCommand {
		return nil
	}
	h, body, err := ParseFrame(l.Data)
	if err != nil {
		return s.damage(info, int64(at.offset), err)
	}
	if !s.isBegun {
		s.isBegun = true
		if h.Number > 1 { // the log was cut at the front
			s.chain = Chain{Number: h.Number - 1, Seq: h.FirstSeq - 1, Link: h.Prev}
		}
		s.report.First, s.report.Last = s.chain, s.chain
	}
	isNext, err := s.chain.Next(&h)
	if err != nil {
		return s.damage(info, int64(at.offset), err)
	}
	if !isNext {
		s.report.Stale++
		return nil
	}
	s.report.Frames++
	s.report.Commands += uint64(h.Count)
	s.report.Last = s.chain
	place := Place{File: segmentPath(s.dir, info), Offset: int64(at.offset), Index: l.Index, Term: l.Term}
	return s.fn(place, &h, body)
}

// openSegment is a segment that stays readable though the log may be cut meanwhile.
type openSegment struct {
	info types.SegmentInfo
	file types.ReadableFile
	size int64 // bytes
}

// openSegments opens all segments of a log at once. Where one is missing because the log was
// just cut, it begins anew.
func openSegments(files Files, dir string) ([]openSegment, error) {
	for attempt := 1; ; attempt++ {
		infos, err := readSegmentList(files, dir)
		if err != nil {
			return nil, err
		}
		opened := make([]openSegment, 0, len(infos))
		missing := -1
		for i, info := range infos {
			segment, err := openOne(files, dir, info)
			if errors.Is(err, os.ErrNotExist) {
				if info.SealTime.IsZero() {
					break // its name was made known before the file was made
				}
				missing = i
				break
			}
			if err != nil {
				return nil, errors.Join(err, closeAll(opened))
			}
			opened = append(opened, segment)
		}
		if missing < 0 {
			return opened, nil
		}
		_ = closeAll(opened) // opened for reading
		if attempt == openAttempts {
			return nil, &DamageError{
				File: segmentPath(dir, infos[missing]), Offset: noOffset, What: "a segment of the log is missing", Do: doRestore,
			}
		}
	}
}

func openOne(files Files, dir string, info types.SegmentInfo) (openSegment, error) {
	file, err := files.OpenReader(dir, segmentName(info))
	if err != nil {
		return openSegment{}, fmt.Errorf("journal: open segment: %w", err)
	}
	size, err := files.Size(dir, segmentName(info))
	if err != nil {
		return openSegment{}, errors.Join(fmt.Errorf("journal: open segment: %w", err), file.Close())
	}
	return openSegment{info: info, file: file, size: size}, nil
}

func closeAll(segments []openSegment) error {
	var err error
	for _, segment := range segments {
		err = errors.Join(err, segment.file.Close())
	}
	return err
}

// readSegmentList reads the meta file without opening it for writing.
func readSegmentList(files Files, dir string) ([]types.SegmentInfo, error) {
	value, err := readSlots(files, dir, metaName, metaSlotBytes)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, metaName)
	if value == nil {
		names, err := files.ListDir(dir)
		if err != nil {
			return nil, fmt.Errorf("journal: list segments: %w", err)
		}
		if slices.ContainsFunc(names, func(name string) bool { return strings.HasSuffix(name, ".wal") }) {
			return nil, &DamageError{File: path, Offset: noOffset, What: "the list of segments is lost", Do: doRestore}
		}
		return nil, nil
	}
	var content metaContent
	if err := json.Unmarshal(value, &content); err != nil {
		return nil, &DamageError{File: path, Offset: noOffset, What: "the list of segments", Do: doRestore, Err: err}
	}
	return content.State.Segments, nil
}

// readHighwater returns the raft index that was committed at least.
func readHighwater(files Files, dataDir string) (index uint64, err error) {
	value, err := readSlots(files, dataDir, highwaterName, highwaterSlotBytes)
	if err != nil || len(value) != highwaterSize {
		return 0, err
	}
	return binary.LittleEndian.Uint64(value), nil
}

// readOnly is a file that only slotFile's reading half is used of.
type readOnly struct{ types.ReadableFile }

func (readOnly) WriteAt([]byte, int64) (int, error) { return 0, os.ErrPermission }
func (readOnly) Sync() error                        { return os.ErrPermission }

// readSlots returns the newest whole value of a slot file, nil when there is none.
func readSlots(files Files, dir, name string, slotBytes int) ([]byte, error) {
	file, err := files.OpenReader(dir, name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("journal: open %s: %w", name, err)
	}
	s := &slotFile{file: readOnly{file}, slotBytes: slotBytes}
	var newest []byte
	for slot := range slotCount {
		number, content, err := s.read(slot)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("journal: read %s: %w", name, err), file.Close())
		}
		if content != nil && (newest == nil || number > s.number) {
			s.number, newest = number, content
		}
	}
	return newest, file.Close()
}
