package journaltest

import (
	"bytes"
	"errors"
	"io/fs"
	"testing"

	"golang.org/x/sys/unix"
)

// written makes a file with durable bytes and bytes on their way.
func written(t *testing.T, d *Disk) {
	t.Helper()
	if err := d.MkdirAll("d"); err != nil {
		t.Fatal(err)
	}
	f, err := d.Create("d", "a", 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt(bytes.Repeat([]byte{1}, 4096), 0)
	if err = errors.Join(err, f.Sync()); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(bytes.Repeat([]byte{2}, 4096), 4096); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Create("d", "b", 0); err != nil {
		t.Fatal(err)
	}
}

// TestRestartKeepsWhatWasSynced wants, over the seeds, every fate of the rest: lost, whole
// and torn; and the name that was not synced both there and gone.
func TestRestartKeepsWhatWasSynced(t *testing.T) {
	var lost, whole, torn, there, gone int
	for seed := range uint64(100) {
		d := New(seed)
		written(t, d)
		d.CutPower()
		if _, err := d.OpenReader("d", "a"); !errors.Is(err, ErrOff) {
			t.Fatalf("the power is off: %v", err)
		}
		d.Restart()
		got := d.Bytes("d", "a")
		if len(got) < 4096 || !bytes.Equal(got[:4096], bytes.Repeat([]byte{1}, 4096)) {
			t.Fatalf("seed %d: what was synced is not there", seed)
		}
		switch count := bytes.Count(got, []byte{2}); count {
		case 0:
			lost++
		case 4096:
			whole++
		default:
			torn++
		}
		if _, err := d.Size("d", "b"); err == nil {
			there++
		} else if errors.Is(err, fs.ErrNotExist) {
			gone++
		}
	}
	if lost == 0 || whole == 0 || torn == 0 || there == 0 || gone == 0 || there+gone != 100 {
		t.Errorf("lost %d, whole %d, torn %d, name there %d, gone %d", lost, whole, torn, there, gone)
	}
}

func TestSeedRepeatsItself(t *testing.T) {
	left := func() []byte {
		d := New(7)
		written(t, d)
		d.CutPower()
		d.Restart()
		return d.Bytes("d", "a")
	}
	if !bytes.Equal(left(), left()) {
		t.Error("the same seed left different bytes")
	}
}

func TestFaultsAreGiven(t *testing.T) {
	d := New(1)
	written(t, d)
	f, err := d.OpenWriter("d", "a")
	if err != nil {
		t.Fatal(err)
	}
	d.FailSyncsAfter(0)
	if err := f.Sync(); !errors.Is(err, ErrIO) {
		t.Errorf("sync: %v", err)
	}
	d.Repair()
	d.FailWritesAfter(0)
	if _, err := f.WriteAt([]byte{1}, 0); !errors.Is(err, ErrIO) {
		t.Errorf("write: %v", err)
	}
	d.Repair()
	d.SetSpace(10)
	if n, err := f.WriteAt(make([]byte, 100), 8192); !errors.Is(err, unix.ENOSPC) || n != 0 {
		t.Errorf("full: %d, %v", n, err)
	}
	if free, _ := d.Free("d"); free != 10 {
		t.Errorf("free %d", free)
	}
	d.Repair()
	if err := d.Flip("d", "a", 3); err != nil || d.Bytes("d", "a")[0] != 1^8 {
		t.Errorf("flip: %v", err)
	}
	d.CutPowerAfter(1)
	if err := d.Rename("d", "a", "c"); err != nil {
		t.Errorf("before the cut: %v", err)
	}
	if err := d.Rename("d", "c", "a"); !errors.Is(err, ErrOff) || !d.IsOff() {
		t.Errorf("at the cut: %v", err)
	}
	d.Restart()
	if _, err := f.ReadAt(make([]byte, 1), 0); !errors.Is(err, ErrOff) {
		t.Errorf("a handle from before the cut: %v", err)
	}
}
