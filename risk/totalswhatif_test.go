package risk

import (
	"fmt"
	"reflect"
	"testing"
)

// whatIf takes a pass in slices under a shock.
func whatIf(m *Machine, shock Shock) *TotalsView {
	var v TotalsView
	m.BeginWhatIf(&v, 5, shock)
	for !m.TotalsStep(1) {
		continue
	}
	return &v
}

// shockDesk has accounts of every mode with positions in two markets and collateral.
func shockDesk(t *testing.T) *desk {
	t.Helper()
	d := newDesk(t)
	d.standard()
	d.quick = true
	d.lent("lender", "1000000")
	d.prices("BTC", "100000", "ETH", "2500", "HYPE", "40", "NEAR", "4", "t:UBTC", "100000")
	for i, mode := range []Mode{ModeStandard, ModeUnified, ModePortfolio} {
		for n, size := range []string{"1", "2", "-2"} {
			a := d.open(fmt.Sprintf("%d-%d", i, n), mode)
			d.must(d.fund(KindDeposit, a, "USDC", "30000"))
			d.must(d.fillOf(a, "BTC", size, "100000"))
			d.must(d.fillOf(a, "ETH", "3", "2500"))
		}
	}
	a := d.open("carry", ModePortfolio)
	d.must(d.fund(KindDeposit, a, "UBTC", "1"))
	d.must(d.fillOf(a, "BTC", "-1", "100000"))
	return d
}

// TestAShockCountsWhatTheTickWouldLeave compares a pass under a shock with a plain pass over
// the same accounts after a tick to those prices.
func TestAShockCountsWhatTheTickWouldLeave(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		market string
		moveE8 int64
		prices []string
	}{
		{"BTC", -15_000_000, []string{"BTC", "85000", "t:UBTC", "85000"}},
		{"BTC", 15_000_000, []string{"BTC", "115000", "t:UBTC", "115000"}},
		{"ETH", -50_000_000, []string{"ETH", "1250"}},
		{"", -16_000_000, []string{"BTC", "84000", "ETH", "2100", "HYPE", "33.6", "NEAR", "3.36", "t:UBTC", "84000"}},
		{"", 0, nil},
	} {
		d := shockDesk(t)
		d.m.cfg.Detect = DetectSweep
		shock := Shock{NoSlot, c.moveE8}
		if c.market != "" {
			shock.Market = d.market(c.market)
		}
		hash := d.m.StateHash()
		got := whatIf(d.m, shock)
		if d.m.StateHash() != hash || got.WhatIf == nil {
			t.Fatalf("%s %d: a shock changed the state", c.market, c.moveE8)
		}
		var before, after TotalsView
		count := func(v *TotalsView) {
			d.m.BeginTotals(v, 5)
			for !d.m.TotalsStep(100) {
				continue
			}
		}
		count(&before)
		w := got.WhatIf
		got.WhatIf = nil
		if !reflect.DeepEqual(got, &before) {
			t.Errorf("%s %d: what stands was counted as\n%+v\nwant\n%+v", c.market, c.moveE8, got, before)
		}
		d.m.isScratch = true // no liquidation begins: what the prices alone do
		if len(c.prices) > 0 {
			d.prices(c.prices...)
		}
		count(&after)
		if w.Health != after.Health || w.Equity != after.Equity || w.Negative != after.Negative {
			t.Errorf("%s %d: got %v %v %d, want %v %v %d", c.market, c.moveE8, w.Health, w.Equity, w.Negative,
				after.Health, after.Equity, after.Negative)
		}
		checkChanges(t, w, &before, &after)
	}
}

// checkChanges adds the changes up to what stood before and after.
func checkChanges(t *testing.T, w *WhatIf, before, after *TotalsView) {
	t.Helper()
	var from, to [HealthCount]uint64
	var notional i128
	crossed := uint64(0)
	for i := range w.Changes {
		for j := range w.Changes[i] {
			x := w.Changes[i][j]
			from[i], to[j] = from[i]+x.Accounts, to[j]+x.Accounts
			notional = notional.Add(x.Notional)
			if Health(j).IsPast() && !Health(i).IsPast() {
				crossed += x.Accounts
			}
		}
	}
	if from != before.Health || to != after.Health || notional != before.Notional {
		t.Errorf("%v: changes from %v to %v over %v, want %v, %v, %v", w.Shock, from, to, notional,
			before.Health, after.Health, before.Notional)
	}
	if want := min(crossed, TotalsLargest); w.LargestCount != int(want) {
		t.Errorf("%v: %d named, want %d", w.Shock, w.LargestCount, want)
	}
	if w.Shock.MoveE8 < -5_000_000 && w.Shock.Market != 1 && crossed == 0 {
		t.Errorf("%v: nobody crossed: the test shows nothing", w.Shock)
	}
}

func TestHeatAddsUpToHealthAndDistance(t *testing.T) {
	t.Parallel()
	d := shockDesk(t)
	v := whatIf(d.m, Shock{NoSlot, -1})
	for health, row := range v.Heat {
		var accounts uint64
		for _, x := range row {
			accounts += x.Accounts
		}
		if accounts != v.Health[health] {
			t.Errorf("%v: %d in the row, want %d", Health(health), accounts, v.Health[health])
		}
	}
	for n := range TotalsDistances + 2 {
		var sum Exposure
		for i := range v.Heat {
			sum.add(v.Heat[i][n])
		}
		want := v.Unexposed
		switch {
		case n < TotalsDistances:
			want = v.Distances[n]
		case n == HeatBeyond:
			want = v.Beyond
		}
		if sum != want {
			t.Errorf("step %d: %+v, want %+v", n, sum, want)
		}
	}
}

func TestShockedPricesKeepTheirLimits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ price, limit, moveE8, want int64 }{
		{0, 100, 5, 0},
		{100, 1000, 0, 100},
		{100, 1000, -ShockDownMax, 1},
		{100, 1000, -50_000_000, 50},
		{99, 1000, -50_000_000, 49},
		{100, 1000, ShockUpMax, 1000},
		{90, 1000, ShockUpMax, 990},
		{1 << 62, 1 << 61, ShockUpMax, 1 << 62}, // a derived price may stand above
		{OraclePriceMax, OraclePriceMax, ShockUpMax, OraclePriceMax},
	} {
		if got := (Shock{MoveE8: c.moveE8}).of(c.price, c.limit); got != c.want {
			t.Errorf("%d moved by %d is %d, want %d", c.price, c.moveE8, got, c.want)
		}
	}
}
