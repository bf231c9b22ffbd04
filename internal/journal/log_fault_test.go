package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
	"github.com/hashicorp/raft-wal/segment"
	"golang.org/x/sys/unix"

	"plimsoll/internal/journal/journaltest"
)

const (
	testSegmentSize = 6000 // bytes: a run fills several
)

// logRun writes frames to the log store under raft, guard and raft-wal on a disk with faults,
// and knows what it was told is durable.
type logRun struct {
	rng   *rand.Rand
	disk  *journaltest.Disk
	first uint64   // entries before it were cut off, on purpose
	tried uint64   // so may be the entries before it: the power went meanwhile
	data  [][]byte // of entry i+1; behind acked, what may or may not be there
	acked uint64   // last entry that the log said is durable
	batch uint64   // entry before the last batch that was acknowledged
	chain Chain    // behind the last of data

	isWhole bool // nothing is cut off
	isLying bool // syncs do nothing
	isOpen  bool // the guard is off: its checks at open and at read are left out
	damaged int  // times the log was refused
	opened  []*wal.WAL
}

// close ends raft-wal's goroutines, however the run ended.
func (r *logRun) close() {
	for _, opened := range r.opened {
		_ = opened.Close() // once more, mostly
	}
}

// logStore is what Open builds below raft.
type logStore struct {
	meta  *metaStore
	high  *highwater
	guard *guard
	last  uint64
}

func (r *logRun) open() (s *logStore, err error) {
	const dir = "d/wal"
	if err := errors.Join(r.disk.MkdirAll("d"), r.disk.MkdirAll(dir)); err != nil {
		return nil, err
	}
	s = &logStore{}
	if s.high, err = openHighwater(r.disk, "d"); err != nil {
		return nil, err
	}
	if s.meta, err = openMeta(r.disk, dir); err != nil {
		return nil, err
	}
	if !r.isOpen {
		if s.last, _, err = recoverTail(r.disk, dir, s.meta, SnapshotMeta{}, s.high); err != nil {
			return nil, err
		}
	}
	opened, err := wal.Open(dir, wal.WithMetaStore(s.meta), wal.WithSegmentSize(testSegmentSize),
		wal.WithSegmentFiler(segment.NewFiler(dir, r.disk)), wal.WithLogger(newLogger(discardLog())))
	if errors.Is(err, wal.ErrCorrupt) {
		return nil, &DamageError{File: dir, Offset: noOffset, What: "the log cannot be opened", Err: err}
	}
	if err != nil {
		return nil, err
	}
	r.opened = append(r.opened, opened)
	keep := func() uint64 { return 1 << 60 }
	s.guard = &guard{wal: opened, files: r.disk, dir: dir, meta: s.meta, fault: func(int, error) {}, keep: keep}
	last, err := opened.LastIndex()
	if !r.isOpen && err == nil && last != 0 && last != s.last {
		err = fmt.Errorf("raft-wal ends with entry %d, the guard with %d", last, s.last)
	}
	s.last = last
	return s, err
}

// settle waits for a segment being closed in the background, so that a seed repeats itself.
func (s *logStore) settle() { _ = s.guard.wal.DeleteRange(1<<60, 1<<60) }

// check reads all that the log holds. What was acknowledged must be there, byte for byte;
// what was not, too, when it is there. lostOK allows the last batch to be gone.
func (r *logRun) check(s *logStore, lostOK bool) error {
	switch {
	case s.last == 0 && lostOK && r.batch < r.first:
		return nil // the last batch was all that was not cut off
	case s.last < r.acked && !(lostOK && s.last >= r.batch):
		return fmt.Errorf("entry %d was acknowledged and the log ends with entry %d", r.acked, s.last)
	case s.last > uint64(len(r.data)):
		return fmt.Errorf("the log ends with entry %d, and %d were written", s.last, len(r.data))
	}
	first, err := s.guard.FirstIndex()
	if err != nil {
		return err
	}
	if s.last > 0 {
		if first < r.first || first > max(r.first, r.tried) {
			return fmt.Errorf("the log begins with entry %d, not %d", first, r.first)
		}
		r.first = first
	}
	for index := r.first; index <= s.last; index++ {
		var l raft.Log
		if r.isOpen {
			err = s.guard.wal.GetLog(index, &l)
		} else {
			err = s.guard.GetLog(index, &l)
		}
		if err != nil {
			return err
		}
		if !bytes.Equal(l.Data, r.data[index-1]) {
			return fmt.Errorf("WRONG DATA in entry %d", index)
		}
	}
	return nil
}

// scan compares what Scan reads with what was written.
func (r *logRun) scan(lostOK bool) error {
	next, want := uint64(0), r.acked
	if lostOK {
		want = r.batch
	}
	report, err := scan(r.disk, "d", func(p Place, h *Header, body []byte) error {
		if next == 0 {
			next = p.Index
		}
		if p.Index != next || p.Index > uint64(len(r.data)) {
			return fmt.Errorf("scan: entry %d, want %d", p.Index, next)
		}
		next++
		if got := AppendFrame(nil, h, body); !bytes.Equal(got, r.data[p.Index-1]) {
			return fmt.Errorf("scan: WRONG DATA in entry %d", p.Index)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if report.End.Index < want && want >= r.first {
		return fmt.Errorf("scan: ends with entry %d, %d was acknowledged: %+v", report.End.Index, want, report)
	}
	return nil
}

// write appends batches of frames until a fault or until enough.
func (r *logRun) write(s *logStore, batches int) error {
	r.data = r.data[:s.last]
	r.chain = Chain{}
	if s.last > 0 {
		h, _, err := ParseFrame(r.data[s.last-1])
		if err != nil {
			return err
		}
		r.chain = Chain{Number: h.Number, Seq: h.LastSeq, Link: h.Link()}
	}
	acked := r.chain.Seq
	for range batches {
		var logs []*raft.Log
		for range 1 + r.rng.IntN(4) {
			r.data = append(r.data, r.frame(acked))
			logs = append(logs, &raft.Log{
				Index: uint64(len(r.data)), Term: 1, Data: r.data[len(r.data)-1], AppendedAt: time.Unix(0, 0),
			})
		}
		before := r.acked
		err := s.guard.StoreLogs(logs)
		s.settle()
		if err != nil {
			return nil //nolint:nilerr // the fault that was asked for
		}
		r.batch, r.acked = before, uint64(len(r.data))
		if r.rng.IntN(3) > 0 { // else: frames were in flight when this one was acknowledged
			acked = r.chain.Seq
		}
		if s.high.advance(r.acked, r.chain.Seq) != nil {
			return nil //nolint:nilerr // the fault that was asked for
		}
		if !r.isWhole && r.rng.IntN(12) == 0 && r.acked > r.first+3 {
			to := r.first + r.rng.Uint64N(r.acked-r.first-2)
			r.tried = to + 1
			if s.guard.DeleteRange(r.first, to) != nil {
				return nil //nolint:nilerr // the fault that was asked for
			}
			s.settle()
			r.first = r.tried
		}
	}
	return nil
}

// frame builds the next frame of the chain.
func (r *logRun) frame(acked uint64) []byte {
	body := make([]byte, 8*(1+r.rng.IntN(60)))
	for i := 0; i < len(body); i += 8 {
		binary.LittleEndian.PutUint64(body[i:], r.rng.Uint64())
	}
	h := Header{
		Number: r.chain.Number + 1, FirstSeq: r.chain.Seq + 1, LastSeq: r.chain.Seq + uint64(len(body)/8),
		Count: uint32(len(body) / 8), RecordSize: 8, AckedSeq: acked, Prev: r.chain.Link,
	}
	frame := AppendFrame(nil, &h, body)
	r.chain = Chain{Number: h.Number, Seq: h.LastSeq, Link: h.Link()}
	return frame
}

// run lives through some faults and ends with a flipped bit. Any error but a *DamageError
// where a bit was flipped or a sync was a lie is a fault of the log.
func (r *logRun) run() error {
	defer r.close()
	r.first = 1
	for range 2 + r.rng.IntN(5) {
		r.disk.LieAboutSyncs(r.isLying)
		r.arm()
		s, err := r.open()
		if err == nil {
			err = r.write(s, 1+r.rng.IntN(15))
		} else if errors.Is(err, journaltest.ErrOff) || errors.Is(err, journaltest.ErrIO) || isNoSpace(err) {
			err = nil
		}
		if err != nil {
			return err
		}
		r.halt(s, r.rng.IntN(3) > 0 || r.disk.IsOff())
		if err := r.scan(false); err != nil {
			return err
		}
		s, err = r.open()
		if err == nil {
			err = r.check(s, false)
		}
		if err != nil {
			return err
		}
		// Raft commits what it finds, and the fsm marks it.
		if r.data, r.acked = r.data[:s.last], s.last; s.last > 0 {
			if err := s.high.advance(s.last, 0); err != nil {
				return err
			}
		}
		r.halt(s, false)
	}
	return r.flip()
}

// arm asks for at most one kind of fault.
func (r *logRun) arm() {
	switch r.rng.IntN(6) {
	case 0, 1:
		r.disk.CutPowerAfter(r.rng.IntN(60))
	case 2:
		r.disk.FailSyncsAfter(r.rng.IntN(20))
	case 3:
		r.disk.FailWritesAfter(r.rng.IntN(20))
	case 4:
		r.disk.SetSpace(int64(r.rng.IntN(30_000)))
	}
}

// halt ends the process, and with it the machine when isCut.
func (r *logRun) halt(s *logStore, isCut bool) {
	if s != nil {
		_ = s.guard.wal.Close() // of a disk that may be off
	}
	if isCut {
		r.disk.CutPower()
		r.disk.Restart()
		return
	}
	r.disk.Repair()
}

// flip flips one bit of the log, which must be refused or make no difference. After a power
// cut the last batch may count as torn: only its own checksum knows of it.
func (r *logRun) flip() error {
	isCut := r.rng.IntN(2) == 0
	if isCut {
		r.disk.CutPower()
		r.disk.Restart()
	}
	names, err := r.disk.ListDir("d/wal")
	if err != nil {
		return err
	}
	var logs []string
	for _, name := range names {
		if strings.HasSuffix(name, ".wal") || !r.isOpen {
			logs = append(logs, name)
		}
	}
	name := logs[r.rng.IntN(len(logs))]
	size := min(int64(len(bytes.TrimRight(r.disk.Bytes("d/wal", name), "\x00"))), 2*testSegmentSize)
	if size == 0 {
		return nil
	}
	bit := r.rng.Int64N(size * 8)
	if err := r.disk.Flip("d/wal", name, bit); err != nil {
		return err
	}
	if err := r.scan(isCut); err != nil && (r.isOpen || !isDamage(err)) && !r.isOpen {
		return fmt.Errorf("bit %d of %s: %w", bit, name, err)
	}
	s, err := r.open()
	if err == nil {
		err = r.check(s, isCut)
		r.halt(s, false)
	}
	if isDamage(err) {
		r.damaged++
		return nil
	}
	if err != nil {
		return fmt.Errorf("bit %d of byte %d of %s flipped (power cut: %t): %w", bit%8, bit/8, name, isCut, err)
	}
	return nil
}

var (
	faultSeed  = flag.Uint64("faultseed", 0, "first seed of the fault tests")
	faultCount = flag.Int("faultseeds", 600, "seeds of the fault tests")
)

func TestLogFaults(t *testing.T) {
	damaged := 0
	for seed := *faultSeed; seed < *faultSeed+uint64(*faultCount); seed++ {
		run := logRun{rng: rand.New(rand.NewPCG(seed, 3)), disk: journaltest.New(seed)}
		if err := run.run(); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		damaged += run.damaged
	}
	if damaged < *faultCount/3 {
		t.Errorf("%d of %d flipped bits were refused: the faults are not what they should be", damaged, *faultCount)
	}
}

// TestLogFaultsWithoutGuard is the negative control: raft-wal alone must be seen to hand out
// wrong data.
func TestLogFaultsWithoutGuard(t *testing.T) {
	wrong := 0
	for seed := range uint64(100) {
		run := logRun{rng: rand.New(rand.NewPCG(seed, 3)), disk: journaltest.New(seed), isOpen: true}
		if err := run.run(); err != nil && strings.Contains(err.Error(), "WRONG DATA") {
			wrong++
		}
	}
	if wrong == 0 {
		t.Error("no wrong data without the guard: the test sees nothing")
	}
}

// TestLogFaultsSeeLies is the other: a disk that lies about syncs must be seen to lose
// what was acknowledged.
func TestLogFaultsSeeLies(t *testing.T) {
	lost := 0
	for seed := range uint64(100) {
		run := logRun{rng: rand.New(rand.NewPCG(seed, 3)), disk: journaltest.New(seed), isLying: true}
		if run.run() != nil {
			lost++
		}
	}
	if lost < 50 {
		t.Errorf("a disk that lies about syncs was noticed in %d of 100 runs", lost)
	}
}

// TestScanNamesThePlace flips a bit in the middle of an entry and wants its file and offset.
func TestScanNamesThePlace(t *testing.T) {
	r := logRun{rng: rand.New(rand.NewPCG(1, 3)), disk: journaltest.New(1), first: 1, isWhole: true}
	defer r.close()
	s, err := r.open()
	if err == nil {
		err = r.write(s, 40)
	}
	if err != nil {
		t.Fatal(err)
	}
	var places []Place
	report, err := scan(r.disk, "d", func(p Place, h *Header, body []byte) error {
		places = append(places, p)
		return nil
	})
	if err != nil || report.Segments < 3 || report.Frames < 40 || report.Last != r.chain || report.Torn != "" {
		t.Fatalf("%+v, %v", report, err)
	}
	for _, place := range places {
		bit := (place.Offset + 60) * 8
		if err := r.disk.Flip("d/wal", filepath.Base(place.File), bit); err != nil {
			t.Fatal(err)
		}
		_, err := scan(r.disk, "d", func(Place, *Header, []byte) error { return nil })
		damage := (*DamageError)(nil)
		if !errors.As(err, &damage) || damage.File != place.File || damage.Offset != place.Offset {
			t.Fatalf("damage in %+v: %v", place, err)
		}
		if err := r.disk.Flip("d/wal", filepath.Base(place.File), bit); err != nil {
			t.Fatal(err)
		}
	}
}

func discardLog() *slog.Logger { return slog.New(slog.DiscardHandler) }

func isNoSpace(err error) bool { return errors.Is(err, unix.ENOSPC) }

func testRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 3)) }
