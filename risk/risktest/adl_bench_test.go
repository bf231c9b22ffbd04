package risktest

import (
	"runtime"
	"slices"
	"testing"
	"time"

	"plimsoll/risk"
)

// adlWaves is how many ticks of BenchmarkADL find a thousand deficits each before the crowd is
// opened anew. Each takes two dollars of a hundred off the price.
const adlWaves = 8

// BenchmarkADL measures one tick in which a thousand accounts (one in forty at most) cannot bear
// their loss, and all are closed against a market of which two accounts in five hold the other
// side: from the price to the last event, ranking, allocation and 2,000 bookings included. In
// `settled` bands have come to rest before; in `aside` a crash has put bounds aside that nobody has
// looked up, so that no band is relied upon; in `portfolio` the other side are portfolio accounts whose
// cash the pool has no room for: the slowest to look at, and all are, since their bounds stand close.
func BenchmarkADL(b *testing.B) {
	b.Run("settled", func(b *testing.B) { benchmarkADL(b, risk.ModeStandard, false) })
	b.Run("portfolio", func(b *testing.B) { benchmarkADL(b, risk.ModePortfolio, false) })
	b.Run("aside", func(b *testing.B) { benchmarkADL(b, risk.ModeStandard, true) })
}

func benchmarkADL(b *testing.B, mode risk.Mode, isAside bool) {
	var c *crowd
	var took []time.Duration
	wave, accounts := adlWaves, crowdSize()
	few := min(1000, accounts/40)
	for b.Loop() {
		b.StopTimer()
		if wave == adlWaves {
			wave, c = 0, newCrowd(b, accounts)
			c.fillWaves(few, mode)
			runtime.GC()
		}
		c.settle()
		if wave++; isAside {
			c.s.Machines[0].SetSweepAbove(1)
		}
		b.StartTimer()
		began := time.Now()
		events := c.tick(c.price - int64(wave)*2000)
		took = append(took, time.Since(began))
		if n := countOf(events, risk.EventADL); n != int(few) {
			b.Fatalf("wave %d: %d accounts are deleveraged, want %d", wave, n, few)
		}
	}
	slices.Sort(took)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	b.ReportMetric(ms(took[0]), "ms/least")
	b.ReportMetric(ms(took[len(took)/2]), "ms/p50")
	b.ReportMetric(ms(took[len(took)-1]), "ms/most")
}

func countOf(events []risk.Event, kind risk.EventKind) (n int) {
	for i := range events {
		if events[i].Kind == kind {
			n++
		}
	}
	return n
}

// fillWaves opens few accounts for each wave that will be short of ten dollars in it, and all
// others: two in five short, with what the others have, in the mode given.
func (c *crowd) fillWaves(few uint32, mode risk.Mode) {
	thin := c.accounts / few
	for n := range c.accounts {
		slot, wave := n+2, n%thin
		switch {
		case wave < adlWaves && n/thin < few:
			c.open(slot, risk.ModeStandard, 200*int64(wave+1)-10)
			c.hold(slot, 1)
		case n%5 < 2:
			c.open(slot, mode, c.money(n))
			c.hold(slot, -1)
		default:
			c.open(slot, risk.ModeStandard, 2000+c.money(n))
			c.hold(slot, 1)
		}
	}
}
