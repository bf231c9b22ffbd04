package ringbuf

import (
	"slices"
	"testing"
	"time"
)

// pairsMin is how many pairs a ratio is the median of. Both of a pair run within some
// milliseconds of each other, so the machine's moods (other guests, near and far cores) fall
// on both alike; absolute figures move by a factor of two, ratios by a few per cent.
const pairsMin = 11

// beside runs ours and a reference in turn and reports the median of their ratios in wall
// time, as x-ref: 0.5 is twice as fast as the reference. Each run moves itemCount items. The
// order changes from pair to pair, so that neither always runs in the other's wake.
func beside(b *testing.B, itemCount int, ours, reference func()) {
	b.Helper()
	var ratios, oursNs, referenceNs []float64
	for range b.N {
		for pair := range pairsMin {
			var o, r float64
			if pair%2 == 0 {
				o, r = elapsedNs(ours), elapsedNs(reference)
			} else {
				r, o = elapsedNs(reference), elapsedNs(ours)
			}
			ratios = append(ratios, o/r)
			oursNs, referenceNs = append(oursNs, o), append(referenceNs, r)
		}
	}
	b.ReportMetric(quantile(ratios, 0.5), "x-ref")
	b.ReportMetric(quantile(oursNs, 0.5)/float64(itemCount), "ns/item")
	b.ReportMetric(quantile(referenceNs, 0.5)/float64(itemCount), "ref-ns/item")
	b.ReportMetric(0, "ns/op") // An op is a whole set of pairs: its time says nothing.
}

func elapsedNs(f func()) float64 {
	start := time.Now()
	f()
	return float64(time.Since(start).Nanoseconds())
}

// quantile returns the q-quantile of values, which it sorts.
func quantile(values []float64, q float64) float64 {
	slices.Sort(values)
	return values[int(q*float64(len(values)-1))]
}
