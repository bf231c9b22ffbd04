package risk

import (
	"testing"

	"plimsoll/fixedpoint"
	"plimsoll/internal/invariant"
)

func TestDistanceIsThePercentLeftRoundedDown(t *testing.T) {
	t.Parallel()
	wide := i128{Hi: 1 << 40} // beyond 64 bits
	for _, c := range []struct {
		requirement, value i128
		want               int
	}{
		{fixedpoint.I128(0), fixedpoint.I128(5), TotalsDistances},
		{fixedpoint.I128(0), fixedpoint.I128(-5), TotalsDistances},
		{fixedpoint.I128(1), fixedpoint.I128(0), -1},
		{fixedpoint.I128(1), fixedpoint.I128(-7), -1},
		{fixedpoint.I128(101), fixedpoint.I128(100), -1},
		{fixedpoint.I128(100), fixedpoint.I128(100), 0},
		{fixedpoint.I128(9901), fixedpoint.I128(10_000), 0},
		{fixedpoint.I128(99), fixedpoint.I128(100), 1},
		{fixedpoint.I128(95), fixedpoint.I128(100), 5},
		{fixedpoint.I128(1), fixedpoint.I128(100), 99},
		{fixedpoint.I128(1), fixedpoint.I128(1 << 62), 99},
		{fixedpoint.I128(1 << 61), fixedpoint.I128(1 << 62), 50},
		{wide, wide, 0},
		{wide, wide.Add(wide), 50},
		{fixedpoint.I128(1), wide, 99},
		{wide.Add(fixedpoint.I128(1)), wide, -1},
	} {
		if got := distance(c.requirement, c.value); got != c.want {
			t.Errorf("distance(%v, %v) = %d, want %d", c.requirement, c.value, got, c.want)
		}
	}
}

func TestLargestHoldersComeInOrderWhateverOrderTheyCameIn(t *testing.T) {
	t.Parallel()
	var up, down MarketTotals
	const count = 3 * TotalsLargest
	for n := range uint32(count) {
		h := func(account uint32) *Holding {
			return &Holding{Account: account, Size: 1, Notional: fixedpoint.I128(int64(account / 2))} // pairs of equals
		}
		up.hold(h(n))
		down.hold(h(count - 1 - n))
	}
	if up != down || up.LargestCount != TotalsLargest {
		t.Errorf("got %+v one way and %+v the other", up.Largest, down.Largest)
	}
	for i, h := range up.Largest {
		if want := uint32(count - 2 - 2*(i/2) + i%2); h.Account != want {
			t.Errorf("place %d holds account %d, want %d", i, h.Account, want)
		}
	}
}

func TestSlicesOfTotalsAllocateNothing(t *testing.T) {
	if invariant.Enabled {
		t.Skip("checks allocate")
	}
	d := newDesk(t)
	d.standard()
	d.quick = true
	d.prices("BTC", "100000", "ETH", "2500", "HYPE", "40", "NEAR", "4", "t:UBTC", "100000")
	for i, mode := range []Mode{ModeStandard, ModeUnified, ModePortfolio} {
		a := d.open([]string{"s", "u", "p"}[i], mode)
		d.must(d.fund(KindDeposit, a, "USDC", "1000000"))
		d.must(d.fillOf(a, "BTC", "1", "4"))
	}
	var v TotalsView
	d.m.BeginTotals(&v, 2)
	for !d.m.TotalsStep(1) {
		continue
	}
	passes := 0
	n := testing.AllocsPerRun(20, func() {
		d.m.BeginTotals(&v, 2)
		for !d.m.TotalsStep(1) {
			continue
		}
		passes++
	})
	if n > 3 { // tokens, markets and nearest of the view; no more for its slices
		t.Errorf("a pass allocates %v times, want 3", n)
	}
	if v.Accounts != 3 || v.Positions != 3 || len(v.Nearest) != 2 {
		t.Errorf("after %d passes: %+v", passes, v)
	}
}
