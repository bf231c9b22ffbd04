package journal

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"plimsoll/internal/journal/journaltest"
)

// TestSnapshotFaults takes snapshots on a disk with faults, cuts the power and looks at what
// is left: what was published is there byte for byte, or refused; what was not is there
// whole or not at all.
func TestSnapshotFaults(t *testing.T) {
	published, refused := 0, 0
	for seed := *faultSeed; seed < *faultSeed+uint64(*faultCount); seed++ {
		run := snapshotRun{rng: rand.New(rand.NewPCG(seed, 2)), disk: journaltest.New(seed)}
		if err := run.run(); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		published += run.published
		refused += run.refused
	}
	if published < *faultCount || refused == 0 {
		t.Errorf("%d published, %d refused: the faults are not what they should be", published, refused)
	}
}

type snapshotRun struct {
	rng       *rand.Rand
	disk      *journaltest.Disk
	isLying   bool
	last      uint64 // index of the last snapshot whose Close said that it is there
	published int
	refused   int
}

func (r *snapshotRun) run() error {
	for index := uint64(1); index < 12; {
		store, err := newSnapshotStore(r.disk, "d", 2)
		if err != nil {
			return err
		}
		r.disk.LieAboutSyncs(r.isLying)
		index, err = r.write(store, index)
		if err != nil {
			return err
		}
		r.disk.CutPower()
		r.disk.Restart()
		isFlipped, err := r.flip()
		if err == nil {
			err = r.check(index, isFlipped)
		}
		if err != nil {
			return err
		}
		if isFlipped {
			return nil
		}
	}
	return nil
}

// write takes snapshots until a fault or until enough; it returns the next index to use.
func (r *snapshotRun) write(store *snapshotStore, index uint64) (uint64, error) {
	switch r.rng.IntN(5) {
	case 0:
		r.disk.CutPowerAfter(r.rng.IntN(40))
	case 1:
		r.disk.FailSyncsAfter(r.rng.IntN(8))
	case 2:
		r.disk.FailWritesAfter(r.rng.IntN(8))
	case 3:
		r.disk.SetSpace(int64(r.rng.IntN(40_000)))
	}
	for range 1 + r.rng.IntN(4) {
		_, err := take(store, index, testChunks(index, 8))
		index++
		if err != nil {
			return index, nil //nolint:nilerr // the fault that was asked for
		}
		r.last = index - 1
		r.published++
		if infos := store.Infos(); len(infos) > 2 || infos[0].RaftIndex != r.last {
			return index, fmt.Errorf("kept %v", infos)
		}
	}
	return index, nil
}

func (r *snapshotRun) flip() (bool, error) {
	infos, err := newSnapshotStore(r.disk, "d", 2)
	if err != nil || len(infos.kept) == 0 || r.rng.IntN(4) > 0 {
		return false, err
	}
	newest := infos.kept[0]
	return true, r.disk.Flip("d/snapshots", newest.name, r.rng.Int64N(newest.info.Bytes*8))
}

// check wants the newest snapshot to be the last published or one that was being published,
// byte for byte; after a flipped bit in it, the one before, and the reason told.
func (r *snapshotRun) check(next uint64, isFlipped bool) error {
	store, err := newSnapshotStore(r.disk, "d", 2)
	if err != nil {
		return err
	}
	got, err := restore(store)
	rejected := store.Rejected()
	if isFlipped != (len(rejected) > 0) {
		return fmt.Errorf("bit flipped: %t, rejected: %v", isFlipped, rejected)
	}
	for _, reason := range rejected {
		if !isDamage(reason) {
			return fmt.Errorf("rejected without damage: %w", reason)
		}
		r.refused++
	}
	if err != nil {
		if r.last == 0 || isFlipped {
			return nil
		}
		return fmt.Errorf("snapshot %d was published and is not there: %w", r.last, err)
	}
	newest := store.Infos()[0]
	if newest.RaftIndex < r.last && !isFlipped || newest.RaftIndex >= next {
		return fmt.Errorf("snapshot %d was published, %d is there", r.last, newest.RaftIndex)
	}
	return sameChunks(got, testChunks(newest.RaftIndex, 8))
}

// TestSnapshotFaultsSeeLies is the negative control: on a disk that lies about syncs, the
// test above must find snapshots missing.
func TestSnapshotFaultsSeeLies(t *testing.T) {
	for seed := range uint64(20) {
		run := snapshotRun{rng: rand.New(rand.NewPCG(seed, 2)), disk: journaltest.New(seed), isLying: true}
		if run.run() != nil {
			return
		}
	}
	t.Error("a disk that lies about syncs went unnoticed")
}

func FuzzOpenSnapshot(f *testing.F) {
	disk := journaltest.New(1)
	store := newTestStore(f, disk, "d", 1)
	if _, err := take(store, 1, testChunks(3, 4)); err != nil {
		f.Fatal(err)
	}
	f.Add(disk.Bytes("d/snapshots", filepath.Base(store.Infos()[0].File)))
	f.Fuzz(func(t *testing.T, data []byte) {
		disk := journaltest.New(1)
		if err := errors.Join(disk.MkdirAll("d"), put(disk, "d", "a.snap", data)); err != nil {
			t.Fatal(err)
		}
		r, err := openSnapshot(disk, "d", "a.snap")
		if err == nil {
			err = errors.Join(r.Verify(2), r.Close())
		}
		if err != nil && !isDamage(err) {
			t.Fatal(err)
		}
	})
}

// BenchmarkSnapshotWrite publishes 200 MB on the real disk, of which half compresses.
func BenchmarkSnapshotWrite(b *testing.B) {
	store := newTestStore(b, OSFiles{}, b.TempDir(), 1)
	chunks := benchmarkChunks()
	b.SetBytes(benchmarkBytes)
	for index := uint64(1); b.Loop(); index++ {
		if _, err := take(store, index, chunks); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSnapshotRead reads it with two workers, all checksums verified.
func BenchmarkSnapshotRead(b *testing.B) {
	store := newTestStore(b, OSFiles{}, b.TempDir(), 1)
	if _, err := take(store, 1, benchmarkChunks()); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(benchmarkBytes)
	for b.Loop() {
		r, err := OpenSnapshot(store.Infos()[0].File)
		if err == nil {
			err = errors.Join(r.Each(2, func(int, Chunk) error { return nil }), r.Close())
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

const benchmarkBytes = 200 << 20

// benchmarkChunks draws 800 chunks of 256 KiB, of small numbers in half of them.
func benchmarkChunks() []Chunk {
	rng := rand.New(rand.NewPCG(1, 1))
	chunks := make([]Chunk, benchmarkBytes>>18)
	for i := range chunks {
		payload := make([]byte, 1<<18)
		for j := range payload {
			payload[j] = byte(rng.Uint32())
			if i%2 == 0 {
				payload[j] &= 0x11
			}
		}
		chunks[i] = Chunk{Kind: 1, Payload: payload}
	}
	return chunks
}
