package api_test

import "testing"

// TestRulesOfMarch2023 shows that the rows of March 2023 which TestConformance leaves out
// follow from our own reply by the rules of that time, so that nothing else is wrong with
// them (ruling 19): return on equity over margin used, a liquidation price without the
// maintenance of the move itself, and no floor of a tenth of notional on what may leave.
func TestRulesOfMarch2023(t *testing.T) {
	t.Parallel()
	u := readUniverse(t)
	s := olderCaptures(t)[0]
	a := s.build(t, u).grid(0)
	d := newDesk(t, 1)
	d.must(a.listings(u)...)
	d.must(a.imported("march"))
	var got clearinghouse
	d.info(command{"type": "clearinghouseState", "user": "march"}, &got)
	want := s.capture.dexes[""]
	value, margin, maintenance := rat(got.MarginSummary.AccountValue), ratOf(0), ratOf(0)
	ours := map[string]*venuePosition{}
	for i := range got.AssetPositions {
		p := &got.AssetPositions[i].Position
		ours[p.Coin] = p
		margin = add(margin, rat(p.MarginUsed))
		maintenance = add(maintenance, quo(rat(p.PositionValue), ratOf(100)))
	}
	near := func(name, coin, text string, figure, within string) {
		t.Helper()
		if off := abs(sub(rat(text), rat(figure))); off.Cmp(rat(within)) > 0 {
			t.Errorf("%s %s = %s by the rule of 2023, the venue says %s", coin, name, text, figure)
		}
	}
	near("withdrawable", "", sub(value, margin).FloatString(6), want.Withdrawable, "0.000001")
	for i := range want.AssetPositions {
		x := &want.AssetPositions[i].Position
		p := ours[x.Coin]
		near("returnOnEquity", x.Coin, quo(rat(p.UnrealizedPnl), rat(p.MarginUsed)).FloatString(10), x.ReturnOnEquity, "0.00000001")
		size := rat(p.Szi)
		px := sub(quo(rat(p.PositionValue), abs(size)), quo(sub(value, maintenance), size))
		switch {
		case x.LiquidationPx == nil && px.Sign() > 0:
			t.Errorf("%s liquidationPx = %s, the venue says null", x.Coin, px.FloatString(8))
		case x.LiquidationPx != nil: // account value is shown at 1e-6: half of that over the size
			within := add(step(8), quo(quo(step(6), ratOf(2)), abs(size)))
			near("liquidationPx", x.Coin, px.FloatString(10), *x.LiquidationPx, within.FloatString(12))
		}
	}
}
