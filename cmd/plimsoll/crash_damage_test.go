package main

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// damagePerFile is how many bits are flipped in each file, beside the first and the last byte
// that hold something.
const damagePerFile = 5

// damage is one thing done to one file.
type damage struct {
	file string // below the data directory
	what string
	do   func(path string) error
}

// TestDamage flips bits in and truncates every file of a data directory, each on a copy. A
// daemon on the copy comes up with all it acknowledged, or ends with code 3 and says where.
func TestDamage(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	desks := newDesks(2, 7)
	d := upReal(t, dir, "--snapshot-every", "100ms")
	loadAndKill(t, d, desks, 350*time.Millisecond, func() {})
	d.kill()
	d = upReal(t, dir, "--snapshot-every", "0")
	loadAndKill(t, d, desks, 100*time.Millisecond, func() {})
	was := d.status(t)
	d.kill()

	faults := damages(t, dir)
	repaired, refused := 0, 0
	for i, x := range faults {
		if testing.Short() && i%5 != 0 {
			continue
		}
		there := copyTree(t, dir)
		if err := x.do(filepath.Join(there, x.file)); err != nil {
			t.Fatal(err)
		}
		// Nothing of a snapshot may go unseen by verify, whether a start would use it or not.
		if strings.HasSuffix(x.file, ".snap") {
			if code, _, stderr := runReal(t, "verify", there); code != exitDamage || !strings.Contains(stderr, filepath.Base(x.file)) {
				t.Errorf("%s of %s: verify ends with code %d: %s", x.what, x.file, code, shortLog(stderr))
			}
		}
		c := startReal(t, nil, there, "--snapshot-every", "0")
		code, isUp := c.awaitUp(t)
		switch {
		case isUp:
			repaired++
			if s := c.status(t); s != was {
				t.Errorf("%s of %s: LOST: up with %+v, acknowledged %+v; %s", x.what, x.file, s, was, recoveryLine(c.log.String()))
			}
			for _, k := range desks {
				if _, err := k.recheck(c.url, recheckBatch); err != nil {
					t.Errorf("%s of %s: %v", x.what, x.file, err)
				}
			}
		case code == exitDamage && strings.Contains(c.log.String(), there):
			refused++
		default:
			t.Errorf("%s of %s: exit code %d, want %d and a file named; log: %s", x.what, x.file, code, exitDamage, shortLog(c.log.String()))
		}
		c.kill()
		_ = os.RemoveAll(there)
	}
	t.Logf("%d faults: %d without effect or repaired, %d refused with code %d", repaired+refused, repaired, refused, exitDamage)
}

// damages lists what is done to the files of dir.
func damages(t *testing.T, dir string) (all []damage) {
	t.Helper()
	rng := rand.New(rand.NewPCG(3, 3))
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		used := len(strings.TrimRight(string(text), "\x00"))
		if used == 0 {
			return nil
		}
		for _, at := range append([]int{0, used - 1}, places(rng, used)...) {
			all = append(all, damage{name, fmt.Sprintf("a bit at byte %d of %d", at, used), flip(int64(at), byte(1)<<rng.IntN(8))})
		}
		for _, size := range []int64{0, int64(used / 2), int64(used - 1)} {
			all = append(all, damage{name, fmt.Sprintf("truncation to %d of %d", size, used), func(path string) error { return os.Truncate(path, size) }})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func places(rng *rand.Rand, used int) (at []int) {
	for range damagePerFile {
		at = append(at, rng.IntN(used))
	}
	return at
}

// flip inverts a bit of a file.
func flip(at int64, bit byte) func(path string) error {
	return func(path string) error {
		file, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		defer file.Close()
		var b [1]byte
		if _, err := file.ReadAt(b[:], at); err != nil {
			return err
		}
		b[0] ^= bit
		_, err = file.WriteAt(b[:], at)
		return err
	}
}
