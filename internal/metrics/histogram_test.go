package metrics

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
)

func TestEveryValueHasItsBucket(t *testing.T) {
	last := -1
	for _, v := range []uint64{0, 1, 63, 64, 127, 128, 129, 130, 1 << 20, 1<<20 + 1<<14, ValueMax} {
		b := bucketOf(v)
		if b < last || b >= bucketCount {
			t.Errorf("%d lies in bucket %d after %d", v, b, last)
		}
		if low, next := lowest(b), lowest(b+1); v < low || v >= next || next-low > max(1, low>>subBits) {
			t.Errorf("%d lies in bucket %d, which is %d to %d", v, b, low, next-1)
		}
		last = b
	}
	for b := range bucketCount {
		if got := bucketOf(lowest(b)); got != b {
			t.Errorf("the least value of bucket %d lies in %d", b, got)
		}
	}
	if bucketOf(ValueMax) != bucketCount-1 {
		t.Errorf("the greatest value lies in bucket %d of %d", bucketOf(ValueMax), bucketCount)
	}
}

// TestHistogramAgreesWithASortedList draws durations over nine decades, with weights.
func TestHistogramAgreesWithASortedList(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 20 {
		var h Histogram
		var all []uint64
		var sum uint64
		for range 3000 {
			v := random.Uint64N(1 << (1 + random.IntN(valueBits)))
			times := 1 + random.Uint64N(3)
			h.Record(int64(v), times)
			for range times {
				all = append(all, v)
			}
			sum += v * times
		}
		slices.Sort(all)
		var s Snapshot
		h.AddTo(&s)
		if s.Count != uint64(len(all)) || s.SumNs != sum {
			t.Fatalf("round %d: count %d, sum %d, want %d, %d", round, s.Count, s.SumNs, len(all), sum)
		}
		for _, part := range []uint64{0, 1, 250_000, 500_000, 900_000, 990_000, 999_000, 999_900, 1_000_000} {
			rank := max(1, (part*uint64(len(all))+999_999)/1_000_000)
			exact := all[rank-1]
			if got := uint64(s.Quantile(part)); got < exact || got > exact+exact>>subBits {
				t.Errorf("round %d: quantile %d is %d, want %d to %d", round, part, got, exact, exact+exact>>subBits)
			}
		}
		checkBounds(t, &s, all)
	}
}

// checkBounds compares the cumulative counts that are shown with the list.
func checkBounds(t *testing.T, s *Snapshot, sorted []uint64) {
	t.Helper()
	var count uint64
	at := 0
	for _, bound := range Bounds() {
		var more uint64
		more, at = s.atMost(bound, at)
		count += more
		most, _ := slices.BinarySearch(sorted, bound+1)
		least, _ := slices.BinarySearch(sorted, bound-bound>>subBits)
		if count < uint64(least) || count > uint64(most) {
			t.Errorf("%d durations are at most %d ns, want %d to %d", count, bound, least, most)
		}
	}
}

func TestSubLeavesWhatCameSince(t *testing.T) {
	var h Histogram
	h.Record(1000, 5)
	var old, now Snapshot
	h.AddTo(&old)
	h.Record(2_000_000, 3)
	h.AddTo(&now)
	now.Sub(&old)
	if now.Count != 3 || now.SumNs != 6_000_000 || now.Quantile(1) < 2_000_000 {
		t.Errorf("%d left, %d ns, least %d", now.Count, now.SumNs, now.Quantile(1))
	}
}

func TestDurationsOutOfRangeAreClamped(t *testing.T) {
	var h Histogram
	h.Record(-5, 1)
	h.Record(1<<50, 1)
	var s Snapshot
	h.AddTo(&s)
	if s.counts[0] != 1 || s.counts[bucketCount-1] != 1 || s.Count != 2 {
		t.Errorf("%d at zero, %d at the end", s.counts[0], s.counts[bucketCount-1])
	}
	if (&Snapshot{}).Quantile(500_000) != 0 {
		t.Error("an empty snapshot has a median")
	}
}

func TestManyGoroutinesLoseNothing(t *testing.T) {
	var h Histogram
	var group sync.WaitGroup
	const each, writers = 5000, 4
	for w := range writers {
		group.Go(func() {
			for i := range each {
				h.Record(int64(i*(w+1)), 1)
			}
		})
	}
	group.Wait()
	var s Snapshot
	h.AddTo(&s)
	if s.Count != each*writers {
		t.Errorf("%d of %d counted", s.Count, each*writers)
	}
}

func BenchmarkRecord(b *testing.B) {
	var h Histogram
	for i := range b.N {
		h.Record(int64(i)&0xfffff, 1)
	}
}

func BenchmarkAddTo(b *testing.B) {
	var h Histogram
	for i := range 100_000 {
		h.Record(int64(i), 1)
	}
	var s Snapshot
	for range b.N {
		h.AddTo(&s)
	}
}
