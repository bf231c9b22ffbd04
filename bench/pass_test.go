package bench

import (
	"runtime"
	"testing"

	"plimsoll/risk"
)

const million = 1_000_000

// venueNs is what dYdX v4 takes for the risk of one account of four positions, in nanoseconds:
// the least measured of its Go code (GetRiskForSubaccount with IsLiquidatable, 7.1 to 8.6 us,
// 100,000 accounts, on a machine like this one). It is not run here.
const venueNs = 7_100

// BenchmarkPass goes over a million accounts on one core.
//
// of=sums is the exact pass: equity, notional, maintenance margin and health band of every
// account at present prices (Machine.ReadSums). of=tick is a KindPrices group of all 192
// marks on a machine without bands: prices written, every account looked at, those whose
// status changed told, margin shared; the marks swing by 0.2 % between samples. x-venue is
// how many accounts it judges while dYdX v4 judges one (venueNs).
//
// The reference sums the words of arrays as large as what the pass reads of an account:
//
//	both        24 bytes   hot columns: cash less rounding, need, start, count, kind, told
//	            32         sizes, 4 x 8
//	             8         perps, 4 x 2
//	sums        16         cash at 1e-12
//	             8         lent or owed numeraire
//	portfolio    8         the same, of ticks
//
// that is 64 bytes of a tick, 72 under portfolio margin, and 88 of sums. What is read of perps
// (1.5 and 6 KB in all) is counted for neither. With near=5% one account in twenty is below its
// initial requirement and is looked at exactly; what that reads is not counted. With
// layout=shuffled the accounts' blocks of positions lie in random order.
func BenchmarkPass(b *testing.B) {
	shapes := []shape{{accounts: million, mode: risk.ModeUnified, isShuffled: true}}
	for _, mode := range eachMode() {
		shapes = append(shapes, shape{accounts: million, mode: mode}, shape{accounts: million, mode: mode, near: 20})
	}
	for _, s := range shapes {
		b.Run(s.String(), func(b *testing.B) {
			w := draw(s)
			m := newMachineThat(b, w, risk.DetectSweep)
			sums, tick := newPlainRead(w, 3, 4, 1, 2, 1), newPlainRead(w, 3, 4, 1)
			if s.mode == risk.ModePortfolio {
				tick = newPlainRead(w, 3, 4, 1, 1)
			}
			runtime.GC() // what the crowd was made from
			b.Run("of=sums", func(b *testing.B) { sumsPass(b, w, m, sums) })
			b.Run("of=tick", func(b *testing.B) { tickPass(b, w, m, tick) })
		})
	}
}

func sumsPass(b *testing.B, w *crowd, m *risk.Machine, read *plainRead) {
	b.Helper()
	now := marks(3)
	machineTaker(b, m)(tick(now))
	var sums risk.Sums
	p := pairs{items: w.accounts, reference: read.sum}
	p.ours = func() {
		sums = risk.Sums{}
		m.ReadSums(&sums)
	}
	p.run(b)
	w.check(b, &sums, now)
	b.ReportMetric(100*float64(sums.Bands[risk.HealthHealthy])/float64(w.accounts), "%-healthy")
	b.ReportMetric(venueNs/median(p.oursNs), "x-venue")
}

func tickPass(b *testing.B, w *crowd, m *risk.Machine, read *plainRead) {
	b.Helper()
	take := machineTaker(b, m)
	swing := [2][]int64{marks(0), marks(2)}
	groups := [2][]risk.Command{tick(swing[0]), tick(swing[1])}
	ticks, told := 0, 0
	p := pairs{items: w.accounts, reference: read.sum}
	p.ours = func() {
		ticks++
		take(groups[ticks%2])
		told += len(m.Events()) - 1
	}
	p.run(b)
	var sums risk.Sums
	m.ReadSums(&sums)
	w.check(b, &sums, swing[ticks%2])
	b.ReportMetric(float64(told)/float64(ticks), "events/tick")
	b.ReportMetric(venueNs/median(p.oursNs), "x-venue")
}

// BenchmarkFullEvaluation is the exact pass over accounts that cannot take the short way: each
// has resting orders. It is what an order check evaluates, without the check. The reference
// reads as many bytes as the short way would.
func BenchmarkFullEvaluation(b *testing.B) {
	for _, mode := range eachMode() {
		for _, orders := range []int{1, 8} {
			s := shape{accounts: 100_000, mode: mode, orders: orders}
			b.Run(s.String(), func(b *testing.B) {
				w := draw(s)
				sumsPass(b, w, newMachine(b, w), newPlainRead(w, 3, 4, 1, 2, 1))
			})
		}
	}
}

// plainRead is the reference of a pass: arrays of the bytes it reads, summed as fast as plain
// Go sums.
type plainRead struct{ columns [][]uint64 }

// newPlainRead makes a column of so many words an account for each of words.
func newPlainRead(w *crowd, words ...int) *plainRead {
	r := &plainRead{}
	for _, n := range words {
		column := make([]uint64, n*w.accounts)
		for i := range column {
			column[i] = uint64(i)
		}
		r.columns = append(r.columns, column)
	}
	return r
}

func (r *plainRead) sum() {
	for _, column := range r.columns {
		sink += sumWords(column)
	}
}

// sumWords adds with eight independent sums, so that it waits for memory and not for itself.
func sumWords(words []uint64) uint64 {
	var s0, s1, s2, s3, s4, s5, s6, s7 uint64
	for ; len(words) >= 8; words = words[8:] {
		s0, s1, s2, s3 = s0+words[0], s1+words[1], s2+words[2], s3+words[3]
		s4, s5, s6, s7 = s4+words[4], s5+words[5], s6+words[6], s7+words[7]
	}
	for _, v := range words {
		s0 += v
	}
	return s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7
}
