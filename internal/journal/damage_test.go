package journal

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const damageFrames = 150

// damageDir returns a directory as a kill leaves it: three full segments and a part, a
// snapshot and frames behind it, nothing closed.
func damageDir(t testing.TB) string {
	t.Helper()
	o, _ := testOptions(t, t.TempDir())
	o.SegmentBytes = 16 << 10
	l, _, _ := mustOpen(t, o)
	for seq := uint64(1); seq <= damageFrames; seq++ {
		write(t, l, seq) // a batch each
		if seq == damageFrames/3 {
			if _, err := l.Snapshot(); err != nil {
				t.Fatal(err)
			}
		}
	}
	killed := copyDir(t, o.Dir)
	mustClose(t, l)
	return killed
}

func walFiles(t testing.TB, dir string) (paths []string) {
	t.Helper()
	for _, pattern := range []string{"wal/*.wal", "wal/meta", highwaterName} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, found...)
	}
	return paths
}

func openDamaged(t *testing.T, dir, what string) (repaired bool) {
	t.Helper()
	o, fatal := testOptions(t, dir)
	o.SegmentBytes = 16 << 10
	b := &book{}
	l, report, err := Open(o, b)
	damage := (*DamageError)(nil)
	switch {
	case err == nil:
		defer mustClose(t, l)
		if report.LastSeq != damageFrames || b.seq != damageFrames || b.sum != expected(damageFrames) {
			t.Errorf("%s: opened with %d of %d commands, or with others: %+v", what, b.seq, damageFrames, report)
		}
		write(t, l, damageFrames+1)
		return true
	case !errors.As(err, &damage):
		t.Errorf("%s: not a DamageError: %v", what, err)
	case damage.File == "" || damage.Do == "" || damage.What == "":
		t.Errorf("%s: the error does not say where or what to do: %v", what, err)
	}
	if len(fatal.all()) > 0 {
		t.Errorf("%s: fatal while opening: %v", what, fatal.errs)
	}
	return false
}

func TestKillWithoutCloseLosesNothing(t *testing.T) {
	if !openDamaged(t, damageDir(t), "killed") {
		t.Error("not opened")
	}
}

// TestAnyFlippedBit flips one bit, in the parts that hold something, of every file.
func TestAnyFlippedBit(t *testing.T) {
	const perFile, headBytes = 14, 6
	base := damageDir(t)
	random := rand.New(rand.NewPCG(3, 5))
	for _, path := range walFiles(t, base) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		used := len(strings.TrimRight(string(data), "\x00"))
		name, _ := filepath.Rel(base, path)
		var offsets []int64
		for range headBytes {
			offsets = append(offsets, random.Int64N(64))
		}
		for range perFile {
			offsets = append(offsets, random.Int64N(int64(used)))
		}
		offsets = append(offsets, int64(used)-1, int64(len(data))-1)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			repaired := 0
			for _, at := range offsets {
				mask := byte(1) << (at % 8)
				dir := copyDir(t, base)
				flip(t, filepath.Join(dir, name), at, mask)
				if openDamaged(t, dir, fmt.Sprintf("%s at %d mask %#x", name, at, mask)) {
					repaired++
				} else if openDamaged(t, dir, name+", again") {
					t.Errorf("%s at %d: refused and then opened", name, at)
				}
			}
			t.Logf("%d flips: %d repaired, %d refused", len(offsets), repaired, len(offsets)-repaired)
		})
	}
}

func TestLostFilesAreDamage(t *testing.T) {
	base := damageDir(t)
	for _, path := range walFiles(t, base) {
		name, _ := filepath.Rel(base, path)
		if name == highwaterName {
			continue // a backup has none
		}
		dir := copyDir(t, base)
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		// The first segment ends before the snapshot, but its entries are still listed.
		if openDamaged(t, dir, "without "+name) {
			t.Errorf("opened without %s", name)
		}
	}
}

func tailOf(t testing.TB, dir string) string {
	t.Helper()
	found, _ := filepath.Glob(filepath.Join(dir, walDir, "*.wal"))
	return found[len(found)-1]
}

func TestTornTailIsCutAndReported(t *testing.T) {
	dir := damageDir(t)
	path := tailOf(t, dir)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	used := len(strings.TrimRight(string(data), "\x00"))
	used = (used + 7) &^ 7
	// Half of a batch that looks like the start of the one before it, then noise.
	copy(data[used:], data[used-300:used-100])
	if err := os.WriteFile(path, data, fileMode); err != nil {
		t.Fatal(err)
	}
	o, _ := testOptions(t, dir)
	o.SegmentBytes = 16 << 10
	l, report, _ := mustOpen(t, o)
	if report.BytesCut == 0 || report.CutReason == "" || report.LastSeq != damageFrames {
		t.Errorf("%+v", report)
	}
	write(t, l, damageFrames+5)
	mustClose(t, l)
	l, report, _ = mustOpen(t, o)
	if report.BytesCut != 0 || report.LastSeq != damageFrames+5 {
		t.Errorf("after the cut: %+v", report)
	}
	mustClose(t, l)
}

// TestLostBatchWithoutHighwater damages a batch in the last segment after a power loss took the high-water
// mark: a later frame says that it was acknowledged.
func TestLostBatchWithoutHighwater(t *testing.T) {
	dir := damageDir(t)
	if err := os.Remove(filepath.Join(dir, highwaterName)); err != nil {
		t.Fatal(err)
	}
	flip(t, tailOf(t, dir), 900, 4)
	if openDamaged(t, dir, "batch in the tail") {
		t.Error("opened")
	}
}

// TestFullSegmentThatWasNotClosed kills between the batch that fills a segment and the list
// that says so, which raft-wal alone could never write to again.
func TestFullSegmentThatWasNotClosed(t *testing.T) {
	o, _ := testOptions(t, t.TempDir())
	o.SegmentBytes = 16 << 10
	l, _, _ := mustOpen(t, o)
	before, seq := "", uint64(0)
	for ; segments(l) == 1; seq++ {
		write(t, l, seq+1)
		if seq == 10 {
			before = copyDir(t, o.Dir)
		}
		for hasIndex(t, l) {
			time.Sleep(time.Millisecond) // until the list of segments says so, too
		}
	}
	killed := copyDir(t, o.Dir)
	mustClose(t, l)
	names, _ := filepath.Glob(filepath.Join(killed, walDir, "*.wal"))
	for _, name := range names[1:] {
		_ = os.Remove(name)
	}
	meta, err := os.ReadFile(filepath.Join(before, walDir, metaName))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(killed, walDir, metaName), meta, fileMode); err != nil {
		t.Fatal(err)
	}
	o.Dir = killed
	l, report, _ := mustOpen(t, o)
	if report.LastSeq != seq {
		t.Errorf("%d of %d came back", report.LastSeq, seq)
	}
	write(t, l, seq+10)
	mustClose(t, l)
	l, report, _ = mustOpen(t, o)
	if report.LastSeq != seq+10 {
		t.Errorf("%d of %d came back", report.LastSeq, seq+10)
	}
	mustClose(t, l)
}

func segments(l *Log) int {
	l.meta.mu.Lock()
	defer l.meta.mu.Unlock()
	return len(l.meta.content.State.Segments)
}

// hasIndex reports whether the first segment has its index already.
func hasIndex(t testing.TB, l *Log) bool {
	t.Helper()
	info, found := l.meta.tail()
	if !found || info.BaseIndex != 1 {
		return false
	}
	data, err := readWhole(l.o.files, filepath.Join(l.o.Dir, walDir), segmentName(info))
	if err != nil {
		return false
	}
	state, _ := walkTail(data, info, 0)
	return state.indexStart != 0
}
