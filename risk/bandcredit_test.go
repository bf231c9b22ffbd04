package risk

import (
	"math/rand/v2"
	"strconv"
	"testing"
)

// TestBandsComeToRestUnderTicks has a crash put all bands aside, then ticks without a pause: what
// each earns must be enough for bands to come back, while prices go on waking accounts.
func TestBandsComeToRestUnderTicks(t *testing.T) {
	const accounts, ticks, steady = 60, 300, 100
	d := banded(t, accounts)
	d.m.SetSweepAbove(accounts / 12)
	r := rand.New(rand.NewPCG(5, 6))
	btc, eth := 700_000, 17_500 // tenths
	tick := func() {
		d.m.CatchUpBands()
		btc += r.IntN(401) - 200
		eth += r.IntN(11) - 5
		d.prices("BTC", strconv.Itoa(btc/10)+"."+strconv.Itoa(btc%10), "ETH", strconv.Itoa(eth/10)+"."+strconv.Itoa(eth%10))
	}
	tick()
	if d.m.bands.isReliable() {
		t.Fatal("the crash put nothing aside: the test tests nothing")
	}
	for range ticks - steady {
		tick()
	}
	sweeps, woken := d.m.BandStats().Sweeps, d.m.BandStats().Woken
	for range steady {
		tick()
	}
	s := d.m.BandStats()
	if got := s.Sweeps - sweeps; got > 0 {
		t.Errorf("%d of the last %d ticks swept, want none; %d of %d accounts are awake", got, steady, s.Awake, accounts)
	}
	if got := (s.Woken - woken) / steady; got > accounts/20 {
		t.Errorf("a tick looks at %d of %d accounts, want at most %d", got, accounts, accounts/20)
	}
	if s.Popped == 0 {
		t.Error("no price passed a bound: the test tests nothing")
	}
	if d.m.bands.credit > int(accounts) {
		t.Errorf("%d accounts are earned and not spent", d.m.bands.credit)
	}
}
