package risktest

import (
	"plimsoll/risk"
)

// ReadAccount fills v with everything the readers of an account see; false where the
// account is not open.
func (o *Oracle) ReadAccount(slot uint32, v *risk.AccountView) bool {
	a := o.accounts[slot]
	if a == nil {
		return false
	}
	*v = risk.AccountView{Account: slot, Master: a.master, Mode: a.mode, IsHalted: a.isHalted || o.haltAll, TimeMs: o.TimeMs}
	for _, d := range o.books(a) {
		if d.isUsed {
			v.Dexes = append(v.Dexes, o.dexView(a, d))
		}
	}
	for _, slot := range keys(o.tokens) {
		t := o.tokens[slot]
		isLendable := a.mode == risk.ModePortfolio && t.pool != nil
		isBooked := a.mode != risk.ModeStandard && o.figures(a, t).isUsed
		if a.balances[slot] != nil || slot == o.numeraire || isLendable || isBooked {
			v.Balances = append(v.Balances, o.balanceView(a, t))
		}
	}
	for _, dexSlot := range keys(o.dexes) {
		for _, slot := range keys(a.positions) {
			if x := a.positions[slot]; x.perp.dex.slot == dexSlot {
				v.Positions = append(v.Positions, o.positionView(a, x))
			}
		}
	}
	for _, r := range a.orders {
		v.Orders = append(v.Orders, r.view())
	}
	v.Margin = o.marginView(a)
	v.Collaterals = o.collateralViews(a)
	return true
}

func (r *order) view() risk.OrderView {
	sz, px := r.decimals()
	return risk.OrderView{
		OrderHi: r.idHi, OrderLo: r.idLo, OrderForm: r.form, Market: r.market, TimeMs: r.timeMs,
		IsSell: r.flags&risk.FlagSell != 0, IsReduceOnly: r.flags&risk.FlagReduceOnly != 0,
		IsTrigger: r.flags&risk.FlagTrigger != 0, IsTriggerMarket: r.flags&risk.FlagTriggerMarket != 0,
		IsTakeProfit: r.flags&risk.FlagTakeProfit != 0, Price: amount(r.price, px), Size: amount(r.size, sz),
		OrigSize: amount(r.original, sz), TriggerPx: amount(r.trigger, px),
	}
}

// shown cuts an exact fraction of a unit to 1e-6 of the collateral, as the venue shows it.
func (p *perp) shown(num, den whole) whole { return p.units(divFloor(num, p.units(den))) }

// withdrawable is MODEL.md §2.4.
func (d *book) withdrawable(mode risk.Mode) whole {
	keep := d.floored
	if mode == risk.ModeStandard {
		keep = most(d.initial, divCeil(d.notional, of(10)))
	}
	return above(sub(sub(d.value, keep), d.orders))
}

func (o *Oracle) dexView(a *account, d *book) risk.DexView {
	wei := d.dex.collateral.wei
	margin, maintenance, cross, iso := of(0), of(0), of(0), of(0)
	for _, slot := range keys(a.positions) {
		x := a.positions[slot]
		switch {
		case x.perp.dex != d.dex || x.size.Sign() == 0:
		case x.isIsolated:
			iso = add(iso, x.signed())
		default:
			cross = add(cross, x.signed())
			margin = add(margin, x.perp.shown(x.notional(), of(x.leverage)))
			maintenance = add(maintenance, x.perp.shown(x.perp.maintenanceOf(x.notional())))
		}
	}
	all := add(d.value, d.isolated)
	return risk.DexView{
		Dex: d.dex.slot, AccountValue: amount(all, wei), TotalNtlPos: amount(add(d.notional, d.isoNotional), wei),
		TotalRawUsd: amount(sub(sub(all, cross), iso), wei), TotalMarginUsed: amount(add(margin, d.isolated), wei),
		CrossValue: amount(d.value, wei), CrossNtlPos: amount(d.notional, wei), CrossRawUsd: amount(sub(d.value, cross), wei),
		CrossMarginUsed: amount(margin, wei), CrossMaintenance: amount(maintenance, wei),
		Withdrawable: amount(d.withdrawable(a.mode), wei),
	}
}

// ratio prints num/den at 10 decimals, half even; zero where den is zero.
func ratio(num, den whole) risk.Amount {
	if den.Sign() == 0 {
		return amount(of(0), 10)
	}
	return amount(divHalfEven(scaled(num, 10), den), 10)
}

func (o *Oracle) balanceView(a *account, t *token) risk.BalanceView {
	f, b := o.figures(a, t), a.balances[t.slot]
	v := risk.BalanceView{
		Token: t.slot, HasPool: t.pool != nil, Total: amount(f.net, t.wei), Hold: amount(o.hold(a, f), t.wei),
		Supplied: amount(f.supplied, t.wei), Borrowed: amount(f.debt, t.wei), EntryNtl: amount(of(0), 8),
		SupplyBasis: amount(of(0), t.wei), BorrowBasis: amount(of(0), t.wei), AfterMaint: amount(f.afterMaintenance(), t.wei),
	}
	if b != nil {
		v.EntryNtl = amount(b.entry, 8)
		v.SupplyBasis, v.BorrowBasis = amount(above(b.basis), t.wei), amount(above(negate(b.basis)), t.wei)
	}
	switch a.mode {
	case risk.ModePortfolio:
		v.HasAfterMaint = t.pool != nil
		v.HasSpotHold = v.Hold.V.Sign() < 0
		v.SpotHold = amount(least(f.requirement, above(f.net)), t.wei)
		v.BorrowRatio, v.SupplyRatio = ratio(f.debt, t.userBorCap), ratio(f.supplied, t.userSupplyCap)
	case risk.ModeUnified:
		v.HasAfterMaint = t.slot == o.numeraire || f.net.Sign() != 0 && o.isCollateral(t)
	}
	return v
}

// isCollateral reports whether a listed dex settles in t.
func (o *Oracle) isCollateral(t *token) bool {
	for _, d := range o.dexes {
		if d.collateral == t {
			return true
		}
	}
	return false
}

// hold is MODEL.md §3 and §4.
func (o *Oracle) hold(a *account, f *figures) whole {
	switch {
	case a.mode == risk.ModeStandard:
		return f.held
	case a.mode == risk.ModeUnified:
		return f.requirement
	case f.t.slot == o.numeraire:
		return sub(f.requirement, f.capacity)
	}
	usd := o.figures(a, o.tokens[o.numeraire])
	if f.t.isBorrowable {
		if f.net.Sign() != 0 || f.requirement.Sign() != 0 {
			return sub(f.requirement, f.capacity)
		}
		room := divFloor(worth(usd.available(), usd.t, f.t))
		return negate(above(least(f.capacity, room)))
	}
	short := above(sub(usd.requirement, usd.net))
	if f.t.ltv.Sign() == 0 || short.Sign() == 0 {
		return f.requirement
	}
	if f.t.px.Sign() == 0 { // no price covers anything
		return add(f.requirement, f.supplied)
	}
	num, den := worth(short, usd.t, f.t)
	locked := divCeil(scaled(num, 12), times(den, f.t.ltv))
	return add(f.requirement, least(locked, f.supplied))
}

// settles reports whether a token is judged: the numeraire, what can be borrowed, and the
// collateral of the dexes used.
func (o *Oracle) settles(f *figures) bool {
	return f.t.slot == o.numeraire || f.t.isBorrowable || f.isUsed
}

// exceeds compares two ratios as they print: of those that print the same none is higher.
// R > 0 over a denominator at or below zero is infinite.
func (f *figures) exceeds(g *figures) bool {
	if f.isInfinite() || g.isInfinite() {
		return f.isInfinite() && !g.isInfinite()
	}
	return g.ratio().V.Less(f.ratio().V)
}

func (f *figures) isInfinite() bool { return f.margin.Sign() > 0 && f.denominator.Sign() <= 0 }

func (f *figures) ratio() risk.Amount {
	switch {
	case f.isInfinite():
		return null(10)
	case f.margin.Sign() <= 0:
		return amount(of(0), 10)
	}
	return ratio(f.margin, f.denominator)
}

// judged returns the figures of every settlement token, the numeraire first.
func (o *Oracle) judged(a *account) []*figures {
	list := []*figures{o.figures(a, o.tokens[o.numeraire])}
	for _, slot := range keys(o.tokens) {
		if f := o.figures(a, o.tokens[slot]); slot != o.numeraire && o.settles(f) {
			list = append(list, f)
		}
	}
	return list
}

func (o *Oracle) marginView(a *account) risk.MarginView {
	if a.mode == risk.ModeStandard {
		return o.standardMargin(a)
	}
	list := o.judged(a)
	f := list[0]
	for _, g := range list[1:] {
		if g.exceeds(f) {
			f = g
		}
	}
	wei := f.t.wei
	factor, lending := o.lendingHealth(a)
	equity := f.net
	for _, slot := range keys(a.balances) {
		if c := o.tokens[slot]; c != f.t && c.ltv.Sign() > 0 {
			equity = add(equity, divFloor(worth(c.supplied(a.balances[slot]), c, f.t)))
		}
	}
	return risk.MarginView{
		Mode: a.mode, Health: o.health(a, list), Token: f.t.slot, Equity: amount(equity, wei), NetBalance: amount(f.net, wei),
		InitialRequirement: amount(f.requirement, wei), MaintenanceMargin: amount(f.maintenance, wei),
		BorrowedForMaintenance: amount(f.borrowed, wei), CollateralCapacity: amount(f.capacity, wei),
		CollateralLiquidation: amount(f.liquidation, wei), IsolatedEquity: amount(f.isolated, wei),
		LiquidationValue: amount(f.denominator, wei), AvailableAfterMaint: amount(f.afterMaintenance(), wei),
		PortfolioMarginRatio: f.ratio(), RatioIsInfinite: f.isInfinite(), HealthFactor: factor, LendingHealth: lending,
		Available: amount(f.available(), wei), Withdrawable: amount(above(sub(f.net, f.requirement)), wei),
	}
}

// standardMargin shows the dex with the highest ratio; of equal ones the first.
func (o *Oracle) standardMargin(a *account) risk.MarginView {
	var best *book
	var top *figures
	for _, d := range o.books(a) {
		f := &figures{margin: d.maintenance, denominator: d.value}
		if best == nil || f.exceeds(top) {
			best, top = d, f
		}
	}
	wei := best.dex.collateral.wei
	requirement := add(best.initial, best.orders)
	zero := amount(of(0), wei)
	return risk.MarginView{
		Mode: a.mode, Health: o.health(a, nil), Token: best.dex.collateral.slot, Equity: amount(add(best.value, best.isolated), wei),
		NetBalance: amount(best.value, wei), InitialRequirement: amount(requirement, wei),
		MaintenanceMargin: amount(best.maintenance, wei), BorrowedForMaintenance: zero, CollateralCapacity: zero,
		CollateralLiquidation: zero, IsolatedEquity: amount(best.isolated, wei), LiquidationValue: amount(best.value, wei),
		AvailableAfterMaint: amount(sub(best.value, best.maintenance), wei), PortfolioMarginRatio: top.ratio(),
		RatioIsInfinite: top.isInfinite(), HealthFactor: null(10), Available: amount(sub(best.value, requirement), wei),
		Withdrawable: amount(best.withdrawable(a.mode), wei),
	}
}

// lendingHealth is the health factor and the state of the borrow book (spec 8.18).
func (o *Oracle) lendingHealth(a *account) (risk.Amount, risk.LendingHealth) {
	usd, one := o.tokens[o.numeraire], pow10(12)
	debt, capacity, partial, full := of(0), of(0), of(0), of(0)
	for _, slot := range keys(a.balances) {
		t, b := o.tokens[slot], a.balances[slot]
		debt = add(debt, divCeil(worth(t.debt(b), t, usd)))
		if t.ltv.Sign() > 0 {
			v := divFloor(worth(t.supplied(b), t, usd))
			capacity = add(capacity, weighed(v, t.ltv, one))
			partial = add(partial, weighed(v, add(one, t.ltv), times(of(2), one)))
			full = add(full, weighed(v, add(times(of(2), one), t.ltv), times(of(3), one)))
		}
	}
	switch {
	case debt.Sign() == 0:
		return null(10), risk.LendingHealthy
	case isLess(full, debt):
		return ratio(capacity, debt), risk.LendingBackstopLiquidatable
	case isLess(partial, debt):
		return ratio(capacity, debt), risk.LendingMarketLiquidatable
	case isLess(capacity, debt):
		return ratio(capacity, debt), risk.LendingAtRisk
	}
	return ratio(capacity, debt), risk.LendingHealthy
}

// health is the band of MODEL.md §7: the worst over tokens, dexes and isolated positions.
func (o *Oracle) health(a *account, judged []*figures) risk.Health {
	worst := risk.HealthNone
	for _, d := range o.books(a) {
		switch {
		case d.isBackstop:
			worst = max(worst, risk.HealthBackstop)
		case d.isShort:
			worst = max(worst, risk.HealthLiquidatable)
		case d.isoNotional.Sign() > 0:
			worst = max(worst, risk.HealthHealthy)
		}
		if a.mode == risk.ModeStandard {
			worst = max(worst, crossHealth(d.value, d.maintenance, sub(sub(d.value, d.initial), d.orders)))
		}
	}
	for _, f := range judged {
		switch {
		case a.mode == risk.ModePortfolio:
			worst = max(worst, f.portfolioHealth())
		case f.isUsed:
			worst = max(worst, crossHealth(f.core(), f.maintenance, f.available()))
		}
	}
	return worst
}

// crossHealth bands equity against maintenance and the headroom over the requirement.
func crossHealth(equity, mm, headroom whole) risk.Health {
	switch {
	case mm.Sign() == 0 && headroom.Sign() >= 0:
		return risk.HealthNone
	case isBelowTwoThirds(equity, mm):
		return risk.HealthBackstop
	case isLess(equity, mm):
		return risk.HealthLiquidatable
	case headroom.Sign() < 0:
		return risk.HealthAtRisk
	}
	return risk.HealthHealthy
}

// portfolioHealth bands one settlement token: PMR > 0.95 is past the line.
func (f *figures) portfolioHealth() risk.Health {
	switch {
	case f.margin.Sign() == 0:
		return risk.HealthNone
	case f.maintenance.Sign() > 0 && isBelowTwoThirds(add(f.core(), f.liquidation), f.maintenance):
		return risk.HealthBackstop
	case f.isInfinite() || isLess(times(f.denominator, of(95)), times(f.margin, of(100))):
		return risk.HealthLiquidatable
	case f.available().Sign() < 0:
		return risk.HealthAtRisk
	}
	return risk.HealthHealthy
}
