package risk

import "plimsoll/fixedpoint"

// ReadAccount fills v with everything about an account of this shard at present prices,
// reusing v's slices; false when the account is not open here.
func (m *Machine) ReadAccount(slot uint32, v *AccountView) bool {
	a := m.accountAt(slot)
	if a == nil {
		return false
	}
	v.Account, v.Master, v.Mode, v.TimeMs = slot, a.master, a.mode, m.timeMs
	v.IsHalted = a.flags&accountHalted != 0 || m.haltAll
	f := m.evaluate(a)
	m.readDexes(a, f, v)
	m.readBalances(a, f, v)
	m.readPositions(a, f, v)
	m.readOrders(a, v)
	m.readCollaterals(a, v)
	m.readMargin(a, f, &v.Margin)
	v.Margin.Liquidation = m.liquidationView(slot, a)
	m.readSale(a, &v.Sale)
	return true
}

func exact(x i128, decimals uint8) Amount { return Amount{V: x, Decimals: decimals} }

func none(decimals uint8) Amount { return Amount{Decimals: decimals, IsNull: true} }

// readDexes fills the venue's view of each dex: margins are cut to 1e-6 per position, as
// the venue shows them.
func (m *Machine) readDexes(a *account, f *figures, v *AccountView) {
	v.Dexes = v.Dexes[:0]
	for n := range uint16(DexesMax) {
		if !f.dexes[n].isUsed || !m.dexes[n].isListed {
			continue
		}
		v.Dexes = append(v.Dexes, m.readDex(a, f, n))
	}
}

func (m *Machine) readDex(a *account, f *figures, n uint16) DexView {
	d := &f.dexes[n]
	wei := m.tokens[m.dexes[n].collateral].wei
	var crossMargin, isoMargin, crossMaintenance, signedCross, signedIso i128
	for i := int(a.positions.start); i < int(a.positions.start)+int(a.positions.count); i++ {
		key := m.positions.perp[i]
		p := &m.perps[key&^isolatedBit]
		if p.dexSlot != n || m.positions.size[i] == 0 {
			continue
		}
		signed := p.toUnits(fixedpoint.Mul64(m.positions.size[i], p.mark))
		if key&isolatedBit != 0 {
			isoMargin = isoMargin.Add(m.isolatedEquity(i, p))
			signedIso = signedIso.Add(signed)
			continue
		}
		signedCross = signedCross.Add(signed)
		crossMargin = crossMargin.Add(m.shownMargin(i, p))
		crossMaintenance = crossMaintenance.Add(m.shownMaintenance(i, p))
	}
	return DexView{
		Dex:              uint32(n),
		AccountValue:     exact(d.crossValue.Add(d.isoEquity), wei),
		TotalNtlPos:      exact(d.crossNtl.Add(d.isoNtl), wei),
		TotalRawUsd:      exact(d.crossValue.Add(d.isoEquity).Sub(signedCross).Sub(signedIso), wei),
		TotalMarginUsed:  exact(crossMargin.Add(isoMargin), wei),
		CrossValue:       exact(d.crossValue, wei),
		CrossNtlPos:      exact(d.crossNtl, wei),
		CrossRawUsd:      exact(d.crossValue.Sub(signedCross), wei),
		CrossMarginUsed:  exact(crossMargin, wei),
		CrossMaintenance: exact(crossMaintenance, wei),
		Withdrawable:     exact(m.withdrawableOf(a, d), wei),
	}
}

// shownMargin is notional/leverage cut to 1e-6, in collateral units.
func (m *Machine) shownMargin(i int, p *perp) i128 {
	return p.toUnits(notionalE6(m.positions.size[i], p.mark).DivFloor(int64(m.positions.leverage(i))))
}

// shownMaintenance is the maintenance margin cut to 1e-6, in collateral units.
func (m *Machine) shownMaintenance(i int, p *perp) i128 {
	notional := p.toUnits(notionalE6(m.positions.size[i], p.mark))
	t := p.tierOf(notional)
	units := mustFit(notional.MulInt64(t.num)).Sub(t.deduction).DivFloor(p.den)
	return p.toUnits(units.DivFloor(fixedpoint.Pow10(p.scale)))
}

// withdrawableOf returns what may leave a dex's cross book: spec 2.3, with the tenth of
// notional per position outside standard mode and over all positions in it.
func (m *Machine) withdrawableOf(a *account, d *dexFigures) i128 {
	keep := d.floored
	if a.mode == ModeStandard {
		keep = fixedpoint.MaxI128(d.initial, d.crossNtl.DivCeil(10))
	}
	return nonNegative(d.crossValue.Sub(keep).Sub(d.orderMargin))
}

// readBalances fills every token the account holds, the numeraire, outside standard mode
// the collateral of its dexes, and under portfolio margin every token that can be lent.
func (m *Machine) readBalances(a *account, f *figures, v *AccountView) {
	v.Balances = v.Balances[:0]
	main := m.tokenFiguresOf(a, f, m.numeraire)
	for slot := range m.tokenCount {
		t := &m.tokens[slot]
		b := m.balanceOf(a, uint16(slot))
		isCounted := a.mode == ModePortfolio && t.pool >= 0 || a.mode != ModeStandard && m.settlesDex(f, slot)
		if !t.isListed || b == nil && slot != m.numeraire && !isCounted {
			continue
		}
		v.Balances = append(v.Balances, m.readBalance(a, f, b, slot, &main))
	}
}

func (m *Machine) readBalance(a *account, f *figures, b *balance, slot uint32, main *tokenFigures) BalanceView {
	t := &m.tokens[slot]
	figs := *main
	if slot != m.numeraire {
		figs = m.tokenFiguresOf(a, f, slot)
	}
	w := BalanceView{
		Token: slot, HasPool: t.pool >= 0, Total: exact(figs.N, t.wei), Hold: exact(m.holdOf(a, &figs, main), t.wei),
		Supplied: exact(figs.supplied, t.wei), Borrowed: exact(figs.debt, t.wei), EntryNtl: exact(i128{}, 8),
		SupplyBasis: exact(i128{}, t.wei), BorrowBasis: exact(i128{}, t.wei),
		AfterMaint: exact(figs.afterMaintenance(), t.wei),
	}
	if b != nil {
		w.EntryNtl = exact(fixedpoint.I128(b.entryNtl), 8)
		if b.basis.Sign() > 0 {
			w.SupplyBasis.V = b.basis
		} else {
			w.BorrowBasis.V = b.basis.Neg()
		}
	}
	switch a.mode {
	case ModePortfolio:
		w.HasAfterMaint = t.pool >= 0
		w.HasSpotHold = w.Hold.V.Sign() < 0
		w.SpotHold = exact(fixedpoint.MinI128(figs.requirement, nonNegative(figs.N)), t.wei)
		w.BorrowRatio = ratioAmount(figs.debt, t.userBorrowCap)
		w.SupplyRatio = ratioAmount(figs.supplied, t.userSupplyCap)
	case ModeUnified:
		w.HasAfterMaint = slot == m.numeraire || figs.N.Sign() != 0 && m.isCollateral(slot)
	case ModeStandard, ModeNone:
	}
	return w
}

// isCollateral reports whether a listed dex settles in the token.
func (m *Machine) isCollateral(slot uint32) bool {
	for i := range m.dexes {
		if m.dexes[i].isListed && m.dexes[i].collateral == slot {
			return true
		}
	}
	return false
}

func ratioAmount(part, whole i128) Amount {
	r, _ := ratioE10(part, whole)
	return exact(r, 10)
}

// holdOf returns a token's hold (spec 1.2): requirement less capacity for the settlement
// token, the unused capacity as a negative hold for a further borrowable token, and for a
// collateral token what covers a shortfall, rounded up.
func (m *Machine) holdOf(a *account, t, main *tokenFigures) i128 {
	if a.mode == ModeStandard {
		return t.spotBuys
	}
	if a.mode != ModePortfolio || t.token == m.numeraire {
		return t.requirement.Sub(t.C)
	}
	c := &m.tokens[t.token]
	if c.isBorrowable && t.N.Sign() == 0 && t.requirement.IsZero() {
		room := m.convert(main.available(), m.numeraire, t.token, false)
		return nonNegative(fixedpoint.MinI128(t.C, room)).Neg()
	}
	hold := t.requirement
	if c.isBorrowable {
		return hold.Sub(t.C)
	}
	if short := main.requirement.Sub(main.N); c.ltvE12 > 0 && short.Sign() > 0 {
		hold = hold.Add(fixedpoint.MinI128(m.lockedFor(short, c), t.supplied))
	}
	return hold
}

// lockedFor returns the amount of collateral c whose capacity covers a shortfall of the
// numeraire, rounded up once; all there is while the price is unknown.
func (m *Machine) lockedFor(short i128, c *token) i128 {
	if c.oracleE10 == 0 {
		return c.supplyCap
	}
	num, _ := fixedpoint.Mul64(oracleOne, rateOne).MulPow10(c.wei)
	den := mustFit(fixedpoint.Mul64(c.oracleE10, c.ltvE12).MulPow10(m.tokens[m.numeraire].wei))
	return mustFit(short.MulDivCeil128(num, den))
}

// readOrders fills the resting orders in order of placement.
func (m *Machine) readOrders(a *account, v *AccountView) {
	v.Orders = v.Orders[:0]
	for slot := a.orderHead; slot != 0; slot = m.orders.at(slot).next {
		o := m.orders.at(slot)
		size, price := m.marketDecimals(o.market)
		v.Orders = append(v.Orders, OrderView{
			OrderHi: o.idHi, OrderLo: o.idLo, OrderForm: o.form, Market: o.market, TimeMs: o.timeMs,
			IsSell: o.flags&FlagSell != 0, IsReduceOnly: o.flags&FlagReduceOnly != 0, IsTrigger: o.flags&FlagTrigger != 0,
			IsTriggerMarket: o.flags&FlagTriggerMarket != 0, IsTakeProfit: o.flags&FlagTakeProfit != 0,
			Price: exact(fixedpoint.I128(o.price), price), Size: exact(fixedpoint.I128(o.size), size),
			OrigSize: exact(fixedpoint.I128(o.origSize), size), TriggerPx: exact(fixedpoint.I128(o.trigger), price),
		})
	}
}

// readMargin fills the margin figures for the settlement token that binds.
func (m *Machine) readMargin(a *account, f *figures, v *MarginView) {
	if a.mode == ModeStandard {
		m.readStandardMargin(a, f, v)
		return
	}
	t, ratio, isInfinite := m.bindingToken(a, f)
	wei := m.tokens[t.token].wei
	offset := i128{}
	mode := OffsetNone
	if a.mode == ModePortfolio {
		mode, offset = m.params.OffsetMode, m.offsetUnits(t.token)
	}
	_, value, borrowed := t.ratio(mode, offset)
	if a.mode == ModeUnified {
		value, borrowed = t.net(), i128{}
	}
	factor, lending := m.lendingHealth(a)
	*v = MarginView{
		Mode: a.mode, Health: m.healthOf(a, f), Token: t.token, Equity: exact(t.N.Add(m.collateralValue(a, t.token)), wei),
		NetBalance: exact(t.N, wei), InitialRequirement: exact(t.requirement, wei), MaintenanceMargin: exact(t.MM, wei),
		BorrowedForMaintenance: exact(borrowed, wei), CollateralCapacity: exact(t.C, wei), CollateralLiquidation: exact(t.LC, wei),
		IsolatedEquity: exact(t.isoEquity, wei), LiquidationValue: exact(value, wei),
		AvailableAfterMaint:  exact(t.afterMaintenance(), wei),
		PortfolioMarginRatio: Amount{V: ratio, Decimals: 10, IsNull: isInfinite}, RatioIsInfinite: isInfinite,
		HealthFactor: factor, LendingHealth: lending,
		Available: exact(t.available(), wei), Withdrawable: exact(nonNegative(m.freeSpot(a, t.token)), wei),
	}
}

// bindingToken returns the figures of the settlement token with the highest ratio.
func (m *Machine) bindingToken(a *account, f *figures) (worst tokenFigures, ratio i128, isInfinite bool) {
	worst = m.tokenFiguresOf(a, f, m.numeraire)
	ratio, isInfinite = m.ratioOf(a, &worst)
	for slot := range m.tokenCount {
		if slot == m.numeraire || !m.tokens[slot].isListed || !m.settles(f, slot) {
			continue
		}
		t := m.tokenFiguresOf(a, f, slot)
		if r, inf := m.ratioOf(a, &t); inf && !isInfinite || inf == isInfinite && ratio.Less(r) {
			worst, ratio, isInfinite = t, r, inf
		}
	}
	return worst, ratio, isInfinite
}

// ratioOf returns a token's margin ratio at 1e-10: PMR under portfolio margin, maintenance
// over net total under unified.
func (m *Machine) ratioOf(a *account, t *tokenFigures) (i128, bool) {
	if a.mode == ModeUnified {
		return ratioE10(t.MM, t.net())
	}
	requirement, value, _ := t.ratio(m.params.OffsetMode, m.offsetUnits(t.token))
	return ratioE10(requirement, value)
}

// accountRatio returns the highest ratio of an account, saturated when infinite.
func (m *Machine) accountRatio(a *account, f *figures) i128 {
	const infinite = 1 << 62
	if a.mode == ModeStandard {
		var worst i128
		for i := range f.usedN {
			d := &f.dexes[f.used[i]]
			r, isInfinite := ratioE10(d.crossMM, d.crossValue)
			if isInfinite {
				return fixedpoint.I128(infinite)
			}
			worst = fixedpoint.MaxI128(worst, r)
		}
		return worst
	}
	_, ratio, isInfinite := m.bindingToken(a, f)
	if isInfinite {
		return fixedpoint.I128(infinite)
	}
	return ratio
}

func (m *Machine) readStandardMargin(a *account, f *figures, v *MarginView) {
	d := f.dex(0)
	q := m.dexes[0].collateral
	ratio, isInfinite := ratioE10(d.crossMM, d.crossValue)
	for n := range uint16(DexesMax) { // the dex with the highest ratio binds, of equal ones the first
		o := &f.dexes[n]
		if !o.isUsed {
			continue
		}
		r, inf := ratioE10(o.crossMM, o.crossValue)
		if inf && !isInfinite || inf == isInfinite && ratio.Less(r) {
			d, q, ratio, isInfinite = o, m.dexes[n].collateral, r, inf
		}
	}
	wei := m.tokens[q].wei
	requirement := d.initial.Add(d.orderMargin)
	*v = MarginView{
		Mode: a.mode, Health: m.healthOf(a, f), Token: q, Equity: exact(d.crossValue.Add(d.isoEquity), wei),
		NetBalance: exact(d.crossValue, wei), InitialRequirement: exact(requirement, wei), MaintenanceMargin: exact(d.crossMM, wei),
		BorrowedForMaintenance: exact(i128{}, wei), CollateralCapacity: exact(i128{}, wei), CollateralLiquidation: exact(i128{}, wei),
		IsolatedEquity: exact(d.isoEquity, wei), LiquidationValue: exact(d.crossValue, wei),
		AvailableAfterMaint:  exact(d.crossValue.Sub(d.crossMM), wei),
		PortfolioMarginRatio: Amount{V: ratio, Decimals: 10, IsNull: isInfinite}, RatioIsInfinite: isInfinite,
		HealthFactor: none(10), Available: exact(d.crossValue.Sub(requirement), wei), Withdrawable: exact(m.withdrawableOf(a, d), wei),
	}
}

// collateralValue returns Σ supplied collateral at full weight, in units of q.
func (m *Machine) collateralValue(a *account, q uint32) i128 {
	var sum i128
	items := m.balances.of(&a.balances)
	for i := range items {
		b := &items[i]
		if b.key&dexBit == 0 && uint32(b.key) != q && b.lend.Sign() > 0 && m.tokens[b.key].ltvE12 > 0 {
			sum = sum.Add(m.convert(m.supplied(b), uint32(b.key), q, false))
		}
	}
	return sum
}

// lendingHealth returns the health factor (null without debt) and the lending state.
func (m *Machine) lendingHealth(a *account) (Amount, LendingHealth) {
	s := m.lendingSums(a)
	if s.debt.Sign() <= 0 {
		return none(10), LendingHealthy
	}
	factor, _ := ratioE10(s.capacity, s.debt)
	return exact(factor, 10), s.health()
}
