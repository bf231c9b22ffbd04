package journal

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"plimsoll/internal/journal/journaltest"
)

// TestScanWhileTheLogIsInUse scans again and again while frames are appended, segments
// rotate and snapshots cut the log: a scan sees at least what was durable when it began.
func TestScanWhileTheLogIsInUse(t *testing.T) {
	const frames = 3000
	o, _ := testOptions(t, t.TempDir())
	o.SegmentBytes = 32 << 10
	l, _, _ := mustOpen(t, o)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for seq := uint64(1); seq <= frames; {
			h := Header{FirstSeq: seq, LastSeq: seq, Count: 1, RecordSize: testRecordSize}
			switch err := l.Append(&h, bodyOf(seq)); {
			case errors.Is(err, ErrInFlight):
				time.Sleep(time.Millisecond)
				continue
			case err != nil:
				t.Errorf("Append: %v", err)
				return
			}
			if seq%700 == 0 {
				if _, err := l.Snapshot(); err != nil {
					t.Errorf("Snapshot: %v", err)
					return
				}
			}
			seq++
		}
	}()
	scans := 0
	for isDone := false; !isDone; scans++ {
		select {
		case <-done:
			isDone = true
		default:
		}
		durable, _ := l.Durable()
		report, err := Scan(o.Dir, func(_ Place, h *Header, body []byte) error {
			if string(body) != string(bodyOf(h.FirstSeq)) {
				return errors.New("wrong data")
			}
			return nil
		})
		if err != nil {
			t.Fatalf("scan %d: %+v: %v", scans, report, err)
		}
		if report.Frames > 0 && report.Last.Seq < durable {
			t.Fatalf("scan %d saw up to command %d, %d was durable: %+v", scans, report.Last.Seq, durable, report)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	report, err := Scan(o.Dir, func(Place, *Header, []byte) error { return nil })
	if err != nil || report.Last.Seq != frames || report.First.Seq == 0 || scans < 3 {
		t.Errorf("after %d scans: %+v, %v", scans, report, err)
	}
}

func TestScanOfNothing(t *testing.T) {
	dir := t.TempDir()
	if _, err := Scan(dir, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no log: %v", err)
	}
	if err := os.MkdirAll(filepath.Join(dir, walDir), dirMode); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, walDir, "00000000000000000001-0000000000000000.wal"), nil, fileMode); err != nil {
		t.Fatal(err)
	}
	if _, err := Scan(dir, nil); !isDamage(err) {
		t.Errorf("segments without their list: %v", err)
	}
}

func TestOSFiles(t *testing.T) {
	files, root := OSFiles{}, t.TempDir()
	dir := filepath.Join(root, "a", "b")
	if err := errors.Join(files.MkdirAll(dir), files.MkdirAll(dir)); err != nil {
		t.Fatal(err)
	}
	file, err := files.Create(dir, "x", 1<<16)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := files.Create(dir, "x", 0); !errors.Is(err, os.ErrExist) {
		t.Errorf("created twice: %v", err)
	}
	if _, err := file.WriteAt([]byte("hello"), 100); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(file.Sync(), file.Sync(), file.Close()); err != nil {
		t.Fatal(err)
	}
	if size, err := files.Size(dir, "x"); size != 1<<16 || err != nil {
		t.Errorf("size %d, %v", size, err)
	}
	if err := errors.Join(files.Rename(dir, "x", "y"), files.SyncDir(dir)); err != nil {
		t.Fatal(err)
	}
	if names, err := files.ListDir(dir); err != nil || len(names) != 1 || names[0] != "y" {
		t.Errorf("%v, %v", names, err)
	}
	if names, err := files.ListDir(root); err != nil || len(names) != 0 {
		t.Errorf("folders are listed: %v, %v", names, err)
	}
	if free, err := files.Free(dir); free == 0 || err != nil {
		t.Errorf("free %d, %v", free, err)
	}
	if err := files.Delete(dir, "y"); err != nil {
		t.Error(err)
	}
	for what, err := range map[string]error{
		"size":   second(files.Size(dir, "y")),
		"reader": second(files.OpenReader(dir, "y")),
		"writer": second(files.OpenWriter(dir, "y")),
		"delete": files.Delete(dir, "y"),
	} {
		if !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s of a file that is not there: %v", what, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// FuzzWalkSegment feeds damaged segments to the reader, which may refuse them but not fall.
func FuzzWalkSegment(f *testing.F) {
	r := logRun{rng: testRand(1), disk: journaltest.New(1), first: 1, isWhole: true}
	defer r.close()
	s, err := r.open()
	if err == nil {
		err = r.write(s, 6)
	}
	if err != nil {
		f.Fatal(err)
	}
	info, _ := s.meta.tail()
	f.Add(r.disk.Bytes("d/wal", segmentName(info)))
	f.Fuzz(func(_ *testing.T, data []byte) {
		scanner := &scanner{dir: "d", fn: func(Place, *Header, []byte) error { return nil }}
		_ = scanner.segment(info, data)
		lastBatch(data)
	})
}
