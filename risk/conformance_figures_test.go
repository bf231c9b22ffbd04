package risk

import (
	"math/big"

	"plimsoll/fixedpoint"
)

// i128FromNum returns number 0 of a record.
func i128FromNum(c *Command) fixedpoint.Int128 { return fixedpoint.I128(c.Num[0]) }

// within is 1e-9 of a scale: what is asked of every figure.
func within(scale *big.Rat) *big.Rat {
	return new(big.Rat).Mul(new(big.Rat).Abs(scale), tenTo(-9))
}

// check holds one figure against the captured one. It may differ by slack, one unit of the
// tenth decimal, and for margins by the venue's cut.
func (f *fed) check(name, coin string, got Amount, want string, isScaleFree bool, slack *big.Rat) {
	f.t.Helper()
	if f.c.given == coin+" "+name {
		return
	}
	ours := bigRat(text(got))
	if !isScaleFree {
		ours.Mul(ours, tenTo(-f.c.power))
	}
	off := new(big.Rat).Sub(ours, bigRat(want))
	allowed := new(big.Rat).Add(slack, tenTo(-10))
	if off.Abs(off).Cmp(allowed) > 0 {
		f.t.Errorf("%s: %s %s = %s, the venue says %s: off by %s, allowed %s", f.c.file, coin, name, ours.FloatString(12), want,
			off.FloatString(14), allowed.FloatString(14))
	}
	r := f.reachedOf(name)
	r.rows++
	if w := bigRat(want); w.Sign() != 0 {
		off.Quo(off, w.Abs(w))
	}
	if off.Cmp(tenTo(-9)) <= 0 {
		r.fine++
	}
	if r.worst.Cmp(off) < 0 {
		r.worst, r.at = off, f.c.file+" "+coin
	}
}

func (f *fed) reachedOf(name string) *reachedBy {
	if f.reached[name] == nil {
		f.reached[name] = &reachedBy{worst: new(big.Rat)}
	}
	return f.reached[name]
}

// cut is what the venue takes off by cutting n margins at 1e-6 before its scale.
func (f *fed) cut(n int, plus *big.Rat) *big.Rat {
	unit := tenTo(-6)
	if f.c.cutScale != nil {
		unit.Mul(unit, f.c.cutScale)
	}
	return unit.Add(unit.Mul(unit, new(big.Rat).SetInt64(int64(n))), plus)
}

// sizeBlur is half a unit of the last digit of a captured size and of the step it is fed at.
func (f *fed) sizeBlur(coin string) *big.Rat {
	unit := new(big.Rat).Add(tenTo(-10), tenTo(-f.c.power-int(f.perps[coin].size)))
	return unit.Mul(unit, big.NewRat(1, 2))
}

// valueBlur is what that amounts to over the positions of a dex: the captured values were
// computed from sizes with more digits.
func (f *fed) valueBlur(x *capturedDex) *big.Rat {
	sum := new(big.Rat)
	for i := range x.AssetPositions {
		p := &x.AssetPositions[i].Position
		sum.Add(sum, new(big.Rat).Mul(f.sizeBlur(p.Coin), bigRat(f.mark(p))))
	}
	return sum
}

func (f *fed) checkDexes() {
	f.t.Helper()
	if f.c.isPart { // the account's own figures are what the filler was made from
		return
	}
	for i := range f.view.Dexes {
		v := &f.view.Dexes[i]
		name := ""
		if v.Dex > 0 {
			name = f.m.dexes[v.Dex].name
		}
		x := f.account.Dexes[name]
		all, cross, n := &x.MarginSummary, &x.CrossMarginSummary, len(x.AssetPositions)
		// Equity is a difference of sums as large as the notional.
		slack := new(big.Rat).Add(within(bigRat(all.TotalNtlPos)), f.valueBlur(x))
		f.check("accountValue", name, v.AccountValue, all.AccountValue, false, slack)
		f.check("totalNtlPos", name, v.TotalNtlPos, all.TotalNtlPos, false, slack)
		f.check("totalRawUsd", name, v.TotalRawUsd, all.TotalRawUsd, false, slack)
		f.check("totalMarginUsed", name, v.TotalMarginUsed, all.TotalMarginUsed, false, f.cut(n, slack))
		f.check("cross accountValue", name, v.CrossValue, cross.AccountValue, false, slack)
		f.check("cross totalNtlPos", name, v.CrossNtlPos, cross.TotalNtlPos, false, slack)
		f.check("cross totalRawUsd", name, v.CrossRawUsd, cross.TotalRawUsd, false, slack)
		f.check("cross totalMarginUsed", name, v.CrossMarginUsed, cross.TotalMarginUsed, false, f.cut(n, slack))
		f.check("crossMaintenanceMarginUsed", name, v.CrossMaintenance, x.CrossMaintenanceMarginUsed, false, f.cut(n, slack))
		if !f.c.noOrders {
			f.check("withdrawable", name, v.Withdrawable, x.Withdrawable, false, f.cut(n, slack))
		}
	}
}

func (f *fed) checkPositions() {
	f.t.Helper()
	views := map[string]*PositionView{}
	for i := range f.view.Positions {
		views[f.m.perps[f.view.Positions[i].Perp].name] = &f.view.Positions[i]
	}
	for _, x := range f.account.Dexes {
		for i := range x.AssetPositions {
			f.checkPosition(&x.AssetPositions[i].Position, views[x.AssetPositions[i].Position.Coin])
		}
	}
}

func (f *fed) checkPosition(x *capturedPosition, v *PositionView) {
	f.t.Helper()
	rel := f.sizeBlur(x.Coin)
	rel.Quo(rel, new(big.Rat).Abs(bigRat(x.Szi)))
	if rel.Cmp(tenTo(-9)) < 0 {
		rel = tenTo(-9)
	}
	of := func(amount string) *big.Rat { return new(big.Rat).Mul(rel, new(big.Rat).Abs(bigRat(amount))) }
	value := of(x.PositionValue)
	f.check("positionValue", x.Coin, v.PositionValue, x.PositionValue, false, value)
	f.check("unrealizedPnl", x.Coin, v.UnrealizedPnl, x.UnrealizedPnl, false, value)
	roe := new(big.Rat).Mul(rel, new(big.Rat).SetInt64(int64(x.Leverage.Value)))
	f.check("returnOnEquity", x.Coin, v.ReturnOnEquity, x.ReturnOnEquity, true, roe)
	if v.IsIsolated {
		f.check("rawUsd", x.Coin, v.RawUsd, x.Leverage.RawUsd, false, within(bigRat(x.Leverage.RawUsd)))
		f.check("marginUsed", x.Coin, v.MarginUsed, x.MarginUsed, false, value)
	} else {
		f.check("marginUsed", x.Coin, v.MarginUsed, x.MarginUsed, false, f.cut(1, value))
	}
	switch {
	case (x.LiquidationPx == nil) != v.LiquidationPx.IsNull:
		f.t.Errorf("%s: %s liquidationPx is null: %v here, %v at the venue", f.c.file, x.Coin, v.LiquidationPx.IsNull, x.LiquidationPx == nil)
	case x.LiquidationPx == nil:
		r := f.reachedOf("liquidationPx null")
		r.rows, r.fine = r.rows+1, r.fine+1
	default:
		// Margin available over size is what the price moves by: it counts as well as the mark.
		far := new(big.Rat).Add(bigRat(f.mark(x)), bigRat(*x.LiquidationPx))
		f.check("liquidationPx", x.Coin, v.LiquidationPx, *x.LiquidationPx, true, far.Mul(far, rel))
	}
}

func (f *fed) checkSpot() {
	f.t.Helper()
	// An order of HYPE is fed to a step of 0.01, which at its prices is below one dollar.
	steps := new(big.Rat).Mul(tenTo(-f.c.power), new(big.Rat).SetInt64(int64(len(f.account.OpenOrders))))
	for _, b := range f.account.Spot.Balances {
		slot, ok := f.tokens[b.Coin]
		if !ok {
			continue
		}
		for i := range f.view.Balances {
			v := &f.view.Balances[i]
			if v.Token != slot {
				continue
			}
			f.check("total", b.Coin, v.Total, b.Total, false, within(bigRat(b.Total)))
			if b.Supplied != "" {
				f.check("supplied", b.Coin, v.Supplied, b.Supplied, false, within(bigRat(b.Supplied)))
			}
			if !f.c.noOrders {
				f.check("hold", b.Coin, v.Hold, b.Hold, false, f.cut(1, new(big.Rat).Add(steps, within(bigRat(b.Hold)))))
			}
			if b.SpotHold != "" {
				f.check("spotHold", b.Coin, v.SpotHold, b.SpotHold, false, f.cut(1, new(big.Rat).Add(steps, within(bigRat(b.SpotHold)))))
			}
		}
	}
	blur := new(big.Rat)
	for _, x := range f.account.Dexes {
		blur.Add(blur, f.valueBlur(x))
	}
	for _, pair := range f.account.Spot.TokenToAvailableAfterMaintenance {
		for i := range f.view.Balances {
			v := &f.view.Balances[i]
			if float64(f.m.tokens[v.Token].index) == pair[0].(float64) {
				want := pair[1].(string)
				f.check("availableAfterMaintenance", f.m.tokens[v.Token].name, v.AfterMaint, want, false,
					f.cut(1, new(big.Rat).Add(blur, within(bigRat(want)))))
			}
		}
	}
	if want := f.account.Spot.PortfolioMarginRatio; want != "" {
		f.check("portfolioMarginRatio", "", f.view.Margin.PortfolioMarginRatio, want, true, within(bigRat(want)))
	}
}
