package journal

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

func TestCommittedFramesComeBack(t *testing.T) {
	o, fatal := testOptions(t, t.TempDir())
	l, report, _ := mustOpen(t, o)
	if report.LastSeq != 0 || report.Frames != 0 {
		t.Fatalf("an empty log reports %+v", report)
	}
	var woken atomic.Int64
	l.Start(func() { woken.Add(1) })
	write(t, l, 100)
	if woken.Load() == 0 {
		t.Error("wake was not called")
	}
	chain, term := l.Chain(), l.Term()
	mustClose(t, l)
	for round := range 3 {
		l, report, b := mustOpen(t, o)
		if report.Frames != uint64(100+round) || report.Commands != report.Frames || report.BytesCut != 0 || b.restored != 0 {
			t.Errorf("round %d: %+v", round, report)
		}
		if round == 0 && l.Chain() != chain {
			t.Errorf("the chain is %+v after a restart and was %+v", l.Chain(), chain)
		}
		if l.Term() <= term {
			t.Errorf("term %d after %d", l.Term(), term)
		}
		write(t, l, uint64(101+round))
		mustClose(t, l)
		if err := l.Append(&Header{}, nil); !errors.Is(err, ErrClosed) {
			t.Errorf("Append after Close: %v", err)
		}
	}
	if len(fatal.all()) != 0 {
		t.Errorf("fatal: %v", fatal.errs)
	}
}

func TestCloseCommitsWhatWasAppended(t *testing.T) {
	o, _ := testOptions(t, t.TempDir())
	l, _, _ := mustOpen(t, o)
	add(t, l, 200)
	mustClose(t, l)
	l, report, _ := mustOpen(t, o)
	defer mustClose(t, l)
	if report.LastSeq != 200 {
		t.Errorf("%d of 200 came back", report.LastSeq)
	}
}

func TestAppendRefusesWhatCannotFollow(t *testing.T) {
	o, _ := testOptions(t, t.TempDir())
	l, _, _ := mustOpen(t, o)
	defer mustClose(t, l)
	for name, h := range map[string]Header{
		"gap":    {FirstSeq: 2, LastSeq: 2, Count: 1, RecordSize: testRecordSize},
		"behind": {FirstSeq: 1, LastSeq: 0, Count: 1, RecordSize: testRecordSize},
		"length": {FirstSeq: 1, LastSeq: 1, Count: 2, RecordSize: testRecordSize},
	} {
		if err := l.Append(&h, bodyOf(1)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if err := l.Append(&Header{FirstSeq: 1, LastSeq: 1}, make([]byte, FrameBytesMax)); err == nil {
		t.Error("a frame too long was accepted")
	}
	write(t, l, 3)
}

func TestSegmentsRotateAndAreCut(t *testing.T) {
	o, _ := testOptions(t, t.TempDir())
	o.SegmentBytes = 32 << 10
	l, _, _ := mustOpen(t, o)
	write(t, l, 600)
	if _, err := l.Snapshot(); err != nil {
		t.Fatal(err)
	}
	if first, _ := l.guard.FirstIndex(); first != 1 {
		t.Errorf("the log was cut up to %d behind the only snapshot", first)
	}
	write(t, l, 1200)
	info, err := l.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	older := l.Snapshots()[1]
	if first, _ := l.guard.FirstIndex(); first != older.RaftIndex+1 {
		t.Errorf("the log begins with %d, the older snapshot ends with %d", first, older.RaftIndex)
	}
	if info.Seq != 1200 || older.Seq != 600 || info.Chain != l.Chain() || l.BytesSinceSnapshot() != 0 {
		t.Errorf("snapshots %+v, %+v; %d bytes since", info, older, l.BytesSinceSnapshot())
	}
	write(t, l, 1300)
	mustClose(t, l)

	l, report, b := mustOpen(t, o)
	if b.restored != 1 || report.SnapshotSeq != 1200 || report.Frames != 100 || report.LastSeq != 1300 {
		t.Errorf("%+v", report)
	}
	mustClose(t, l)

	// The newest snapshot is damaged: the older one and the log stand in for it.
	flip(t, info.File, info.Bytes/2, 1)
	l, report, _ = mustOpen(t, o)
	if report.SnapshotSeq != 600 || report.LastSeq != 1300 || report.Frames != 700 {
		t.Errorf("%+v", report)
	}
	mustClose(t, l)

	// Both are: nothing reaches up to the log.
	flip(t, older.File, older.Bytes/2, 1)
	_, _, err = Open(o, &book{})
	damage := (*DamageError)(nil)
	if !errors.As(err, &damage) || !strings.Contains(err.Error(), "snapshot") {
		t.Errorf("both snapshots damaged: %v", err)
	}
}

// TestStartFromSnapshotAlone does what a DamageError advises.
func TestStartFromSnapshotAlone(t *testing.T) {
	o, _ := testOptions(t, t.TempDir())
	for seq := uint64(100); seq <= 300; seq += 100 { // several terms
		l, _, _ := mustOpen(t, o)
		write(t, l, seq)
		mustClose(t, l)
	}
	l, _, _ := mustOpen(t, o)
	info, err := l.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	term := l.Term()
	write(t, l, 310)
	mustClose(t, l)
	o.Dir = t.TempDir()
	if err := os.CopyFS(filepath.Join(o.Dir, snapshotDir), os.DirFS(filepath.Dir(info.File))); err != nil {
		t.Fatal(err)
	}
	l, report, _ := mustOpen(t, o)
	if report.LastSeq != 300 || l.Chain() != info.Chain || l.Term() <= term {
		t.Errorf("%+v, chain %+v, term %d after %d", report, l.Chain(), l.Term(), term)
	}
	write(t, l, 350)
	mustClose(t, l)
	l, report, _ = mustOpen(t, o)
	if report.LastSeq != 350 || report.Frames != 50 {
		t.Errorf("%+v", report)
	}
	mustClose(t, l)
}

// TestLogThatEndsBeforeTheSnapshot loses the end of the log, all of which is in the snapshot.
func TestLogThatEndsBeforeTheSnapshot(t *testing.T) {
	o, _ := testOptions(t, t.TempDir())
	l, _, _ := mustOpen(t, o)
	write(t, l, 50)
	before := copyDir(t, o.Dir)
	write(t, l, 100)
	info, err := l.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	mustClose(t, l)
	if err := os.Remove(filepath.Join(before, highwaterName)); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(before, snapshotDir), os.DirFS(filepath.Dir(info.File))); err != nil {
		t.Fatal(err)
	}
	o.Dir = before
	l, report, _ := mustOpen(t, o)
	if report.LastSeq != 100 || report.CutReason == "" {
		t.Errorf("%+v", report)
	}
	write(t, l, 120)
	mustClose(t, l)
	l, report, _ = mustOpen(t, o)
	if report.LastSeq != 120 || report.Frames != 20 {
		t.Errorf("%+v", report)
	}
	mustClose(t, l)
}

func TestOneSnapshotAtATime(t *testing.T) {
	o, _ := testOptions(t, t.TempDir())
	l, _, _ := mustOpen(t, o)
	defer mustClose(t, l)
	write(t, l, 1)
	l.isTaking.Store(true)
	if _, err := l.Snapshot(); !errors.Is(err, ErrSnapshotRunning) {
		t.Errorf("a second snapshot: %v", err)
	}
	l.isTaking.Store(false)
	if _, err := l.Snapshot(); err != nil {
		t.Error(err)
	}
}

func TestReplayErrorEndsOpen(t *testing.T) {
	o, _ := testOptions(t, t.TempDir())
	l, _, _ := mustOpen(t, o)
	write(t, l, 10)
	mustClose(t, l)
	_, _, err := Open(o, failing{&book{}})
	if !errors.Is(err, errDiverged) {
		t.Errorf("Open: %v", err)
	}
	l, _, _ = mustOpen(t, o)
	mustClose(t, l)
}

var errDiverged = errors.New("diverged")

type failing struct{ *book }

func (f failing) Replay(h *Header, body []byte) error {
	if h.LastSeq == 5 {
		return errDiverged
	}
	return f.book.Replay(h, body)
}

func TestSixteenFramesInFlight(t *testing.T) {
	o, _ := testOptions(t, t.TempDir())
	o.SegmentBytes = 256 << 10
	l, _, _ := mustOpen(t, o)
	const last = 4000
	for seq := uint64(16); seq <= last; seq++ {
		add(t, l, seq)
		settle(t, l, seq-15)
	}
	settle(t, l, last)
	mustClose(t, l)
	l, report, _ := mustOpen(t, o)
	if report.LastSeq != last {
		t.Errorf("%d frames came back", report.LastSeq)
	}
	mustClose(t, l)
}

// flip inverts bits of one byte.
func flip(t testing.TB, path string, at int64, mask byte) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var b [1]byte
	if _, err := file.ReadAt(b[:], at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= mask
	if _, err := file.WriteAt(b[:], at); err != nil {
		t.Fatal(err)
	}
}

func copyDir(t testing.TB, from string) (to string) {
	t.Helper()
	to = filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}
