package risk

import (
	"fmt"
	"testing"
	"time"

	"plimsoll/fixedpoint"
)

// BenchmarkHour measures the hour of a full house: the funding command of all perps, the clock
// command with a new hour, and the first tick behind them, by bands and by sweep. No account is
// touched by the first two.
func BenchmarkHour(b *testing.B) {
	for _, accounts := range []uint32{100_000, 1_000_000} {
		for _, detect := range []Detect{DetectBands, DetectSweep} {
			name := map[Detect]string{DetectBands: "bands", DetectSweep: "sweep"}[detect]
			b.Run(fmt.Sprintf("%s/accounts=%d", name, accounts), func(b *testing.B) { benchHour(b, accounts, detect) })
		}
	}
}

// hourDesk is a house of standard accounts of four positions each.
func hourDesk(b *testing.B, accounts uint32, detect Detect) *desk {
	b.Helper()
	d := newDesk(b)
	d.quick = true
	d.m = New(Config{Shards: 1, AccountsMax: accounts + 8, Detect: detect})
	d.standard()
	d.time = 1_000_000_000_000
	d.must(Command{Kind: KindClock})
	d.prices("BTC", "100000", "o:BTC", "100000", "ETH", "4000", "o:ETH", "4000", "HYPE", "40", "o:HYPE", "40", "NEAR", "3", "o:NEAR", "3")
	for slot := range accounts {
		c := Command{Kind: KindOpenAccount, Mode: uint8(ModeStandard)}
		var name [9]byte
		for i := range name {
			name[i] = 'a' + byte(slot>>(4*i)&15)
		}
		c.SetName(name[:])
		c.Ref = [4]uint32{slot, NoAccount, 0, 0}
		d.must(c)
		fund := Command{Kind: KindDeposit}
		fund.Ref = [4]uint32{slot, 0, 0, 0}
		fund.SetNum(0, 100_000+int64(slot%50_000), 0)
		d.must(fund)
		for i, perp := range []string{"BTC", "ETH", "HYPE", "NEAR"} {
			fill := Command{Kind: KindFill}
			fill.Ref = [4]uint32{slot, 0, d.perps[perp], NoSlot}
			if (slot+uint32(i))%2 == 0 {
				fill.Flags = FlagSell
			}
			fill.SetNum(0, []int64{1, 20, 2_000, 20_000}[i], 0)
			fill.SetNum(1, []int64{100_000, 4_000, 40, 3}[i], 0)
			d.must(fill)
		}
	}
	for d.m.HasBandWork() && d.m.BandStep(10_000) {
	}
	return d
}

func benchHour(b *testing.B, accounts uint32, detect Detect) {
	d := hourDesk(b, accounts, detect)
	rates := Command{Kind: KindFunding}
	for i, perp := range []string{"BTC", "ETH", "HYPE", "NEAR"} {
		rates.SetPrice(i, PriceMark, d.perps[perp], 12_500_000, 12)
	}
	var funding, clock, first, plain, bands time.Duration
	timed := func(sum *time.Duration, f func()) {
		start := time.Now()
		f()
		*sum += time.Since(start)
	}
	px := int64(1_000_000)
	tick := func() {
		px ^= 1
		c := Command{Kind: KindPrices}
		c.SetPrice(0, PriceMark, d.perps["BTC"], px, 1)
		d.must(c)
	}
	tick()
	for d.m.HasBandWork() && d.m.BandStep(10_000) {
	}
	for b.Loop() {
		timed(&plain, tick)
		d.time += hourMs
		timed(&funding, func() { d.must(rates) })
		timed(&clock, func() { d.must(Command{Kind: KindClock}) })
		timed(&first, tick)
		timed(&bands, func() {
			for d.m.HasBandWork() && d.m.BandStep(256) {
			}
		})
	}
	n := float64(b.N)
	for name, sum := range map[string]time.Duration{"plain-tick-ns": plain, "funding-ns": funding, "clock-ns": clock, "first-tick-ns": first, "band-steps-ns": bands} {
		b.ReportMetric(float64(sum)/n, name)
	}
	b.ReportMetric(0, "ns/op")
	if got := d.m.cumOf(d.perps["BTC"]); got.IsZero() {
		b.Error("nothing was paid")
	}
}

// cumOf returns the cumulative funding of a perp.
func (m *Machine) cumOf(slot uint32) i128 { return fixedpoint.I128(m.perps[slot].cumE12) }
