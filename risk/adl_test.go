package risk

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
)

// deleveraged returns the accounts that the last group has deleveraged, in order.
func (d *desk) deleveraged() (slots []uint32) {
	for _, e := range d.m.Events() {
		if e.Kind == EventADL {
			slots = append(slots, e.Account)
		}
	}
	return slots
}

// TestWhoIsPutAsideIsDeleveraged has a tick take the bound of the account that comes first out of
// the wheel of another price, among too many to be looked up one by one. By its bound in the market
// that is deleveraged it would be far behind: its loss elsewhere has put it first.
func TestWhoIsPutAsideIsDeleveraged(t *testing.T) {
	d := newDesk(t)
	d.standard()
	d.time = 1_750_000_000_000
	d.must(Command{Kind: KindClock, TimeMs: d.time})
	d.prices("BTC", "100000", "ETH", "2500", "HYPE", "40", "t:UBTC", "100000", "t:HYPE", "40")
	hold := func(name, money, btc, eth string) uint32 {
		a := d.open(name, ModeStandard)
		c := d.fund(KindDeposit, a, "USDC", money)
		c.Wallets[0] = uint16(WalletPerp)
		d.must(c)
		if btc != "" {
			d.must(d.fillOf(a, "BTC", btc, "100000"))
		}
		if eth != "" {
			d.must(d.fillOf(a, "ETH", eth, "2500"))
		}
		return a
	}
	hold("thin", "6000", "1", "")
	for n := range 2 * rankBatch { // 6.3 of their value stands behind a short that is 12 % from its line
		hold(fmt.Sprintf("near%d", n), "6000", "-1", "")
	}
	first := hold("first", "30000", "-1", "40") // 12.5, with a line in bitcoin of 20 %, as it thinks
	for n := range 4 {
		hold(fmt.Sprintf("other%d", n), "12000", "", "40")
	}
	d.settleBands()
	d.m.SetSweepAbove(1)
	d.prices("ETH", "1700", "BTC", "90000")
	if len(d.m.bands.owed) == 0 {
		t.Fatal("nothing was put aside")
	}
	if got := d.deleveraged(); len(got) != 1 || got[0] != first {
		t.Errorf("deleveraged %v, want only account %d", got, first)
	}
	if !d.m.AuditRankings() {
		t.Error("a ranking leaves somebody out")
	}
}

// TestARankingKnowsWhatItsGroupHasChanged has the liquidator take an isolated position, in the same
// tick, off the account that comes first in another market.
func TestARankingKnowsWhatItsGroupHasChanged(t *testing.T) {
	d := newDesk(t)
	d.standard()
	d.time = 1_750_000_000_000
	d.must(Command{Kind: KindClock, TimeMs: d.time})
	d.prices("BTC", "100000", "ETH", "2500", "HYPE", "40", "t:UBTC", "100000", "t:HYPE", "40")
	open := func(name, money string) uint32 {
		a := d.open(name, ModeStandard)
		c := d.fund(KindDeposit, a, "USDC", money)
		c.Wallets[0] = uint16(WalletPerp)
		d.must(c)
		return a
	}
	set := Command{Kind: KindSetParameters, Aux: ParamBackstopAccount}
	set.Ref[0] = open("bank", "10000000")
	d.must(set)
	first, second, thin := open("first", "20000"), open("second", "50000"), open("thin", "6000")
	d.m.perps[d.perps["BTC"]].mode = MarginNoCross // isolated, and gone when it is closed
	d.must(d.fillOf(first, "BTC", "1", "100000"))
	d.must(d.fillOf(first, "ETH", "-40", "2500"))
	d.must(d.fillOf(second, "ETH", "-40", "2500"))
	d.must(d.fillOf(thin, "ETH", "40", "2500"))
	d.prices("BTC", "95500", "ETH", "2300")
	if got := d.deleveraged(); len(got) != 1 || got[0] != first {
		t.Errorf("deleveraged %v, want only account %d", got, first)
	}
}

// TestRankingsFollowPrices holds the rankings of all markets against an exact look at everybody,
// while prices wander, some beyond twice their anchor, accounts trade, order and isolate, bands are
// behind, and crashes put buckets aside.
func TestRankingsFollowPrices(t *testing.T) {
	d := banded(t, 240)
	r := rand.New(rand.NewPCG(6, 7))
	starts := [2]int{100_000, 2500}
	marks := starts
	ahead, aside := 0, 0
	for n := range 900 {
		for i, start := range starts {
			marks[i] = max(start/3, min(3*start, marks[i]*(980+r.IntN(42))/1000))
		}
		d.prices("BTC", strconv.Itoa(marks[0]), "ETH", strconv.Itoa(marks[1]))
		a := uint32(r.IntN(240))
		switch r.IntN(6) {
		case 0:
			if n < 300 {
				break // until then all have paid the same
			}
			d.do(d.fillOf(a, "BTC", []string{"0.1", "-0.1", "0.00003", "-0.00007"}[r.IntN(4)], strconv.Itoa(marks[0])))
		case 1:
			d.do(d.orderOf(a, "ETH", "0.01", "2000"))
		case 2:
			d.do(d.leverage(a, "ETH", 5, true))
		case 3:
			d.m.SetSweepAbove([]int{1, 10, 1000}[r.IntN(3)])
		}
		d.m.BandStep(r.IntN(200))
		if len(d.m.bands.owed) > 0 {
			aside++
		}
		if !d.m.AuditRankings() {
			t.Fatalf("tick %d: a ranking leaves somebody out", n)
		}
		ahead += d.countAhead("BTC", n%2 == 0)
	}
	if ahead < 1000 || aside < 10 {
		t.Fatalf("%d accounts were found behind, buckets were put aside %d times: too little was tested", ahead, aside)
	}
}

// countAhead ranks one account of a market's side, and returns how many holders its hot columns put
// behind it.
func (d *desk) countAhead(market string, isLong bool) (count int) {
	d.m.openRankings()
	d.m.rankSide(d.perps[market], isLong, i128{Lo: 1})
	for local := range d.m.hot {
		h := &d.m.hot[local]
		held := d.m.heldAhead(uint32(local), h, d.m.positions.size[h.start], d.m.positions.perp[h.start])
		if held == heldBehind && d.m.holds(uint32(local), d.perps[market], isLong) >= 0 {
			count++
		}
	}
	return count
}

// TestRankingAllocatesNothing ranks again what was ranked before, by bands and by all accounts.
func TestRankingAllocatesNothing(t *testing.T) {
	d := banded(t, 60)
	rank := func() {
		d.m.openRankings()
		for key := range uint32(4) {
			d.m.rankSide(key>>1, key&1 == 1, i128{Lo: 200_000})
		}
	}
	for _, isBroken := range []bool{false, true} {
		d.m.bands.epoch.isBroken = isBroken
		rank()
		if n := testing.AllocsPerRun(20, rank); n != 0 {
			t.Errorf("broken bands %v: %v allocations a ranking, want 0", isBroken, n)
		}
	}
}
