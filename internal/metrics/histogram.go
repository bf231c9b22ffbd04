package metrics

import (
	"math/bits"
	"sync/atomic"
)

const (
	subBits     = 6  // buckets of an octave, as a power of two
	valueBits   = 36 // values end at 2^36 ns, 68 s; longer ones count as that
	bucketCount = (valueBits - subBits + 1) << subBits

	// ValueMax is the longest duration that is told apart from longer ones, in ns.
	ValueMax = 1<<valueBits - 1
)

// Histogram counts durations in ns. Any goroutine may record and any may take a snapshot;
// recording costs two uncontended atomic additions. The zero value is empty and ready. It
// takes 16 KB, of which only the lines in use are touched.
type Histogram struct {
	counts [bucketCount]atomic.Uint64
	sum    atomic.Uint64 // ns
}

// bucketOf returns the bucket of a value of at most ValueMax.
func bucketOf(v uint64) int {
	shift := max(0, bits.Len64(v)-1-subBits)
	return shift<<subBits + int(v>>shift) //nolint:gosec // below bucketCount
}

// lowest returns the least value of a bucket.
func lowest(bucket int) uint64 {
	shift := max(0, bucket>>subBits-1)
	return uint64(bucket-shift<<subBits) << shift //nolint:gosec // not negative
}

// Record counts a duration as often as times says. One below zero, which a clock that two
// cores disagree on can give, counts as zero.
func (h *Histogram) Record(ns int64, times uint64) {
	v := uint64(min(max(ns, 0), ValueMax)) //nolint:gosec // within 36 bits
	h.counts[bucketOf(v)].Add(times)
	h.sum.Add(v * times)
}

// Snapshot is a copy of one histogram, or the sum of several. Its figures are not of one
// instant where somebody records meanwhile; none is ever lost or counted twice.
type Snapshot struct {
	Count  uint64 // durations recorded
	SumNs  uint64 // and their sum, exact but for what was clamped
	counts [bucketCount]uint64
}

// AddTo adds what a histogram holds to a snapshot.
func (h *Histogram) AddTo(s *Snapshot) {
	for i := range h.counts {
		if n := h.counts[i].Load(); n > 0 {
			s.counts[i] += n
			s.Count += n
		}
	}
	s.SumNs += h.sum.Load()
}

// Sub takes away an older snapshot of the same histograms: what is left came since.
func (s *Snapshot) Sub(older *Snapshot) {
	for i, n := range &older.counts {
		s.counts[i] -= n
	}
	s.Count -= older.Count
	s.SumNs -= older.SumNs
}

// Quantile returns the duration in ns that a part of all, in millionths, does not pass: the
// upper end of the bucket in which it lies, so too long by 1/64 at most. 0 of an empty one.
func (s *Snapshot) Quantile(millionths uint64) int64 {
	const million = 1_000_000
	hi, lo := bits.Mul64(s.Count, min(millionths, million))
	rank, rest := bits.Div64(hi, lo, million)
	if rest > 0 || rank == 0 {
		rank++ // the nearest rank, counted from one
	}
	for i, n := range &s.counts {
		if rank <= n {
			return int64(lowest(i+1)) - 1 //nolint:gosec // within 37 bits
		}
		rank -= n
	}
	return 0
}

// atMost returns how many durations are at most so long; those in the bucket that the bound
// cuts count where the bucket ends.
func (s *Snapshot) atMost(bound uint64, from int) (count uint64, next int) {
	for next = from; next < bucketCount && lowest(next+1)-1 <= bound; next++ {
		count += s.counts[next]
	}
	return count, next
}
