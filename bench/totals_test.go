package bench

import (
	"slices"
	"testing"
	"time"

	"plimsoll/risk"
)

// BenchmarkTotals is the pass behind /v1/totals and accounts?order=risk over a million
// accounts of four positions, with the 100 nearest: exact figures of every account, taken
// in slices of as many accounts as an idle shard takes between two groups. A hold is one slice:
// what a command may have to wait, on a busy host with what the host takes meanwhile; begin is
// what the marker itself costs: the copy of prices, terms and indices.
func BenchmarkTotals(b *testing.B) {
	const nearest = 100
	for _, mode := range eachMode() {
		for _, near := range []int{0, 20} {
			s := shape{accounts: million, mode: mode, near: near}
			b.Run(s.String(), func(b *testing.B) {
				w := draw(s)
				m := newMachine(b, w)
				now := marks(3)
				machineTaker(b, m)(tick(now))
				var v risk.TotalsView
				var begin time.Duration
				var holds []time.Duration
				b.ResetTimer()
				for range b.N {
					at := time.Now()
					m.BeginTotals(&v, nearest)
					begin = time.Since(at)
					holds = totalsSlices(m, holds)
				}
				b.StopTimer()
				slices.Sort(holds)
				checkTotals(b, w, m, &v)
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*w.accounts), "ns/account")
				b.ReportMetric(micros(begin), "begin-µs")
				b.ReportMetric(micros(holds[len(holds)/2]), "median-hold-µs")
				b.ReportMetric(micros(holds[len(holds)-1-len(holds)/1000]), "p99.9-hold-µs")
				b.ReportMetric(micros(holds[len(holds)-1]), "longest-hold-µs")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

// totalsSlices takes a pass to its end and notes how long each slice took.
func totalsSlices(m *risk.Machine, holds []time.Duration) []time.Duration {
	const slice = 64 // accounts: engine.totalsIdle
	for isEnd := false; !isEnd; {
		at := time.Now()
		isEnd = m.TotalsStep(slice)
		holds = append(holds, time.Since(at))
	}
	return holds
}

// checkTotals compares a pass with the bare exact one.
func checkTotals(b *testing.B, w *crowd, m *risk.Machine, v *risk.TotalsView) {
	b.Helper()
	var sums risk.Sums
	m.ReadSums(&sums)
	v.SortNearest()
	switch {
	case v.Accounts != uint64(w.accounts) || v.Health != sums.Bands:
		b.Errorf("%d accounts in bands %v, want %d in %v", v.Accounts, v.Health, w.accounts, sums.Bands)
	case v.Notional != sums.Notional || v.Maintenance != sums.Maintenance:
		b.Errorf("notional %v and maintenance %v, want %v and %v", v.Notional, v.Maintenance, sums.Notional, sums.Maintenance)
	case len(v.Nearest) == 0 || v.Nearest[0].RatioE10.Less(v.Nearest[len(v.Nearest)-1].RatioE10):
		b.Error("the nearest accounts are out of order")
	}
}
