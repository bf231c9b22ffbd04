package risktest

import (
	"plimsoll/fixedpoint"
	"plimsoll/risk"
)

// crashListings lists what the crash trades.
func crashListings() (groups [][]risk.Command) {
	const many = 1 << 33 // of whole tokens: no cap binds
	for n, t := range []listedToken{
		{"USDC", 0, 8, 2, true, 0, [4]int64{many, many, many, many}, risk.NoSlot, million},
		{"HYPE", 150, 8, 2, false, 65, [4]int64{many, 0, many, 0}, risk.NoSlot, 0},
		{"BTC", 197, 8, 5, false, 50, [4]int64{many, 0, many, 0}, risk.NoSlot, 0},
	} {
		groups = append(groups, tokenGroupOf(&t, n, 100))
	}
	for n := range crashMarkets {
		groups = append(groups, perpGroupOf(&crashMarkets[n].perp, n))
	}
	spot := risk.Command{Kind: risk.KindListSpot}
	spot.Ref = [4]uint32{0, 107, risk.SpotBit, 1}
	return append(groups, []risk.Command{spot, nameRecord("HYPE/USDC")})
}

// report prints the totals, and checks what must be true when the crash is over: no equity of an
// account is below zero, the ledger is exact, positions are balanced, all sets stand the same.
func (c *crash) report() {
	t := c.t
	deficit, under, net := c.deficit()
	text := func(v fixedpoint.Int128) string { return grouped(risk.Amount{V: v, Decimals: 8}) }
	whole := func(v int64) string { return grouped(risk.Amount{V: fixedpoint.I128(v)}) }
	t.Logf("%d accounts: %d liquidations began, %d ended, %d under way", c.accounts, c.started, c.ended, under)
	t.Logf("to the book %s dollars, %d positions to the liquidator, %s deleveraged in %d parts", whole(c.filled), c.takeovers,
		whole(c.adl), c.deleveraged)
	t.Logf("losses: buffer %s, liquidator %s, those closed against %s (%d times); deficit left %s", text(c.buffer), text(c.backstop),
		text(c.shared), c.closedAgainst, text(deficit))
	t.Logf("the busiest command began %d liquidations in %v", c.busiestStarted, c.busiest)
	if deficit.Sign() != 0 {
		t.Errorf("a deficit of %s is left", text(deficit))
	}
	for n, size := range net {
		if !size.IsZero() {
			t.Errorf("%s: long and short differ by %v", crashMarkets[n].perp.name, size)
		}
	}
	if c.started == 0 || c.takeovers == 0 || c.deleveraged == 0 || c.filled == 0 {
		t.Error("something of a crash did not happen")
	}
	want := c.sets[0].StateHash()
	for _, set := range c.sets {
		var external, held []fixedpoint.Int128
		for _, m := range set.Machines {
			for i, id := range m.ReadIdentities() {
				if i == len(external) {
					external, held = append(external, fixedpoint.Int128{}), append(held, fixedpoint.Int128{})
				}
				external[i], held[i] = external[i].Add(id.External), held[i].Add(id.Held)
			}
		}
		for i := range external {
			if external[i] != held[i] {
				t.Errorf("token %d: %v came in, %v is held", i, external[i], held[i])
			}
		}
		if set.StateHash() != want {
			t.Errorf("%d shards stand elsewhere", len(set.Machines))
		}
	}
}

// deficit adds up equities below zero: of a dex in standard mode, an isolated position, the whole
// account else; counts liquidations under way; and sums positions.
func (c *crash) deficit() (sum fixedpoint.Int128, under int, net []fixedpoint.Int128) {
	net = make([]fixedpoint.Int128, len(crashMarkets))
	var v risk.AccountView
	for slot := range c.accounts + crashFirst {
		if !c.sets[0].ReadAccount(slot, &v) {
			continue
		}
		if v.Margin.Health >= risk.HealthLiquidatable {
			under++
		}
		left := v.Margin.NetBalance.V
		if v.Mode == risk.ModeStandard {
			left = v.Dexes[0].CrossValue.V
		}
		if v.Mode == risk.ModePortfolio {
			left = left.Add(v.Margin.CollateralLiquidation.V)
		}
		for _, p := range v.Positions {
			if p.Size.V.Sign() == 0 {
				continue
			}
			net[p.Perp] = net[p.Perp].Add(p.Size.V)
			if p.IsIsolated && p.MarginUsed.V.Sign() < 0 {
				sum = sum.Add(p.MarginUsed.V)
			}
		}
		if left.Sign() < 0 {
			sum = sum.Add(left)
		}
	}
	return sum, under, net
}
