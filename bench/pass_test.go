package bench

import (
	"runtime"
	"testing"

	"plimsoll/risk"
)

const million = 1_000_000

// BenchmarkPass goes over a million accounts on one core.
//
// of=sums is the exact pass: equity, notional, maintenance margin and health band of every
// account at present prices (Machine.ReadSums). of=tick is a KindPrices group of all 192
// marks: prices written, every account looked at, those whose band changed told, margin
// shared; the marks swing by 0.2 % between samples.
//
// The reference sums the words of arrays as large as what the pass reads of an account:
//
//	all modes   24 bytes   hot columns: fixed equity (16), start, count, kind, step
//	            32         sizes, 4 x 8
//	             8         perps, 4 x 2
//	portfolio   64         the account, whose span leads to the balance
//	            64         the balance: lent or owed numeraire
//
// that is 64 bytes, 192 under portfolio margin. The perps' lines (64 bytes each) are counted
// for neither. With near=5% one account in twenty is below its initial requirement and takes
// the full evaluation; what that reads is not counted. With layout=shuffled the accounts'
// blocks of positions lie in random order.
func BenchmarkPass(b *testing.B) {
	shapes := []shape{{accounts: million, mode: risk.ModeUnified, isShuffled: true}}
	for _, mode := range eachMode() {
		shapes = append(shapes, shape{accounts: million, mode: mode}, shape{accounts: million, mode: mode, near: 20})
	}
	for _, s := range shapes {
		b.Run(s.String(), func(b *testing.B) {
			w := draw(s)
			m := newMachine(b, w)
			read := newPlainRead(w)
			runtime.GC() // what the crowd was made from
			b.Run("of=sums", func(b *testing.B) { sumsPass(b, w, m, read) })
			b.Run("of=tick", func(b *testing.B) { tickPass(b, w, m, read) })
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
				sumsPass(b, w, newMachine(b, w), newPlainRead(w))
			})
		}
	}
}

// plainRead is the reference of a pass: arrays of the bytes it reads, summed as fast as plain
// Go sums.
type plainRead struct{ columns [][]uint64 }

func newPlainRead(w *crowd) *plainRead {
	words := []int{3, 4, 1} // hot columns, sizes, perps
	if w.mode == risk.ModePortfolio {
		words = append(words, 8, 8) // account, balance
	}
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
