package risk

import "plimsoll/fixedpoint"

// readPositions fills positions by dex, then perp slot.
func (m *Machine) readPositions(a *account, f *figures, v *AccountView) {
	v.Positions = v.Positions[:0]
	for n := range uint16(DexesMax) {
		if !m.dexes[n].isListed {
			continue
		}
		for i := int(a.positions.start); i < int(a.positions.start)+int(a.positions.count); i++ {
			if m.perps[m.positions.perp[i]&^isolatedBit].dexSlot == n {
				v.Positions = append(v.Positions, m.readPosition(a, f, i))
			}
		}
	}
}

func (m *Machine) readPosition(a *account, f *figures, i int) PositionView {
	key := m.positions.perp[i]
	p, t, size := &m.perps[key&^isolatedBit], &m.positions.terms[i], m.positions.size[i]
	wei := 6 + p.scale
	notional := p.toUnits(notionalE6(size, p.mark))
	signed, entry := notional, fixedpoint.I128(t.entry)
	if size < 0 {
		signed, entry = signed.Neg(), entry.Neg()
	}
	pnl := signed.Sub(p.toUnits(entry))
	pending := fixedpoint.Mul64(size, p.cumE12).Sub(fixedpoint.Mul64(size, t.cumE12)).DivCeil(p.subUnit())
	paid := pending.Add(fixedpoint.I128(t.funding))
	v := PositionView{
		Perp: uint32(key &^ isolatedBit), Dex: uint32(p.dexSlot), IsIsolated: m.positions.isIsolated(i),
		Leverage:    m.positions.leverage(i),
		MaxLeverage: p.maxLeverage(), Size: exact(fixedpoint.I128(size), p.sz), EntryNotional: exact(fixedpoint.I128(t.entry), 6),
		EntryPx: none(p.priceDecimals()), PositionValue: exact(notional, wei), UnrealizedPnl: exact(pnl, wei),
		ReturnOnEquity: exact(i128{}, 10), LiquidationPx: none(10), TriggerPx: none(10), RawUsd: exact(i128{}, wei),
		MaintenanceMargin: exact(p.maintenance(notional), wei), FundingAllTime: exact(paid, wei),
		FundingSinceOpen: exact(paid, wei), FundingSinceChange: exact(pending, wei),
	}
	if m.positions.isIsolated(i) {
		v.RawUsd = exact(fixedpoint.I128(t.raw).Sub(pending), wei)
		v.MarginUsed = exact(m.isolatedEquity(i, p), wei)
	} else {
		v.MarginUsed = exact(m.shownMargin(i, p), wei)
	}
	if size == 0 {
		return v
	}
	held := fixedpoint.I128(max(size, -size))
	if px, ok := divHalfEven(fixedpoint.I128(t.entry), fixedpoint.I128(1), held); ok {
		v.EntryPx = exact(px, p.priceDecimals())
	}
	if t.entry > 0 {
		wide := mustFit(pnl.MulInt64(int64(m.positions.leverage(i))))
		if r, ok := divHalfEven(wide, fixedpoint.I128(ratioOne), p.toUnits(fixedpoint.I128(t.entry))); ok {
			v.ReturnOnEquity = exact(r, 10)
		}
	}
	v.LiquidationPx, v.TriggerPx = m.criticalPrices(a, f, i, p, notional)
	return v
}

// line is the equation a critical price solves: alpha·MM(P) = beta·equity(P) + fixed,
// alpha and beta at 1/100; equity(P) = equity at price zero + side·size·P.
type line struct {
	alpha, beta int64
	equityZero  i128 // Nc less the signed value of the position
	otherMM     i128
	fixed       i128 // in hundredths: 100·γ
}

// criticalPrices returns the venue's liquidation price (available after maintenance = 0,
// spec 2.4) and the price at which the account's own trigger is reached; null at or below
// zero, or when no price reaches it.
func (m *Machine) criticalPrices(a *account, f *figures, i int, p *perp, notional i128) (venue, trigger Amount) {
	signed := notional
	if m.positions.size[i] < 0 {
		signed = signed.Neg()
	}
	own := p.maintenance(notional)
	l := line{alpha: 100, beta: 100}
	switch {
	case m.positions.isIsolated(i):
		l.equityZero = m.isolatedEquity(i, p).Sub(signed)
	case a.mode == ModeStandard:
		d := &f.dexes[p.dexSlot]
		l.equityZero, l.otherMM = d.crossValue.Sub(signed), d.crossMM.Sub(own)
	default:
		t := m.tokenFiguresOf(a, f, p.collateral)
		l.equityZero, l.otherMM = t.net().Sub(signed), t.MM.Sub(own)
		l.fixed = mustFit(t.LC.MulInt64(100))
		venue, _ = m.solve(&l, i, p)
		if a.mode == ModePortfolio {
			return venue, m.triggerPrice(&l, &t, i, p)
		}
		return venue, venue
	}
	venue, _ = m.solve(&l, i, p)
	return venue, venue
}

// triggerPrice solves PMR = 0.95, R = 0.95 (Nc + B + LC), on the branch that holds at the
// solution: B is zero or not, and a floored offset stands in for MM or not. In hundredths:
//
//	B = 0          100 MM = 95 Nc + 95 LC - 100 added
//	B = 0, floor        0 = 95 Nc + 95 LC - 100 offset
//	B > 0          105 MM = 100 Nc + 95 LC - 100 added
//	B > 0, floor     5 MM = 100 Nc + 95 LC - 100 offset
func (m *Machine) triggerPrice(l *line, t *tokenFigures, i int, p *perp) Amount {
	offset := m.offsetUnits(t.token)
	for branch := range 4 {
		isShort, isFloored := branch&1 == 1, branch&2 == 2
		if isFloored && m.params.OffsetMode != OffsetFloor {
			break
		}
		e := *l
		e.alpha, e.beta, e.fixed = 100, 95, mustFit(t.LC.MulInt64(95))
		if isShort {
			e.alpha, e.beta = 105, 100
		}
		if isFloored {
			e.alpha -= 100
		}
		if isFloored || m.params.OffsetMode == OffsetAdd {
			e.fixed = e.fixed.Sub(mustFit(offset.MulInt64(100)))
		}
		px, notional := m.solve(&e, i, p)
		if px.IsNull {
			continue
		}
		mm := p.maintenance(notional).Add(l.otherMM)
		if m.positions.size[i] < 0 {
			notional = notional.Neg()
		}
		holds := l.equityZero.Add(notional).Less(mm) == isShort
		if m.params.OffsetMode == OffsetFloor {
			holds = holds && mm.Less(offset) == isFloored
		}
		if holds {
			return px
		}
	}
	return none(10)
}

// solve finds the price, at 1e-10 half even, at which a line holds with the tier that
// applies there, and the notional at it; each tier's candidate counts only where its
// notional lies in the tier.
func (m *Machine) solve(l *line, i int, p *perp) (px Amount, notional i128) {
	size, side := m.positions.size[i], int64(1)
	if size < 0 {
		size, side = -size, -1
	}
	base := mustFit(l.equityZero.MulInt64(l.beta)).Add(l.fixed).Sub(mustFit(l.otherMM.MulInt64(l.alpha)))
	for n := range int(p.tierCount) {
		t := &p.tiers[n]
		slope := l.alpha*t.num - l.beta*side*p.den
		if slope == 0 {
			continue
		}
		num := mustFit(base.MulInt64(p.den)).Add(mustFit(t.deduction.MulInt64(l.alpha)))
		if slope < 0 {
			num, slope = num.Neg(), -slope
		}
		notional = num.DivFloor(slope)
		if notional.Less(t.lower) || n+1 < int(p.tierCount) && !notional.Less(p.tiers[n+1].lower) {
			continue
		}
		return priceOf(num, slope, size, p), notional
	}
	return none(10), i128{}
}

// priceOf returns num/slope units of notional per size as a price at 1e-10.
func priceOf(num i128, slope, size int64, p *perp) Amount {
	if num.Sign() <= 0 {
		return none(10)
	}
	scale, _ := fixedpoint.I128(1).MulPow10(10 + p.sz)
	den, ok := mustFit(fixedpoint.I128(size).MulInt64(slope)).MulPow10(6 + p.scale)
	if !ok {
		return none(10)
	}
	px, ok := divHalfEven(num, scale, den)
	if !ok || px.IsZero() {
		return none(10)
	}
	return exact(px, 10)
}

// ReadActiveAsset fills what an account may trade of a perp (spec 2.1): size by free
// margin, the far side counting twice the position's margin, bounded by the margin tier;
// the amount is that of the whole size steps. An account that nobody opened has leverage and
// nothing to trade with; false when the perp is not listed.
func (m *Machine) ReadActiveAsset(slot, perpSlot uint32, v *ActiveAssetView) bool {
	a, p := m.accountAt(slot), m.perpAt(perpSlot)
	if p == nil {
		return false
	}
	*v = ActiveAssetView{
		Perp: perpSlot, Leverage: min(p.maxLeverage(), leverageDefaultMax), IsIsolated: p.mode != MarginNormal,
		MarkPx: exact(fixedpoint.I128(p.mark), p.priceDecimals()), RawUsd: exact(i128{}, 6+p.scale),
	}
	v.MarkPx.IsNull = p.mark == 0
	if a == nil {
		return true
	}
	f := m.evaluate(a)
	leverage, isIsolated := m.leverageOf(a, uint16(perpSlot))
	v.Leverage, v.IsIsolated = leverage, isIsolated
	if i := m.positions.find(&a.positions, uint16(perpSlot)); i >= 0 && m.positions.size[i] != 0 {
		v.RawUsd = m.readPosition(a, f, i).RawUsd
	}
	if p.mark == 0 {
		return true
	}
	free, whole := m.freeMargin(a, f, p)
	var size int64
	var margin, equity i128
	if i := m.positions.find(&a.positions, uint16(perpSlot)); i >= 0 && m.positions.size[i] != 0 {
		size = m.positions.size[i]
		margin = p.toUnits(notionalE6(size, p.mark)).DivFloor(int64(leverage))
		equity = m.isolatedEquity(i, p)
	}
	for side := range 2 {
		isAgainst := size != 0 && (size > 0) == (side == 1)
		extra, closing := i128{}, int64(0)
		from := free
		switch {
		case isAgainst && isIsolated:
			from, closing = whole.Add(equity), max(size, -size)
		case isAgainst:
			extra = margin.Add(margin)
		}
		sizeFree := m.sizeFor(p, nonNegative(from.Add(extra)), leverage).Add(fixedpoint.I128(closing))
		v.AvailableToTrade[side] = exact(m.marginFor(p, sizeFree, leverage), 6)
		held := fixedpoint.I128(max(size, -size))
		if bound, isBounded := p.boundFor(leverage); isBounded {
			reach := m.sizeFor(p, bound, 1)
			if isAgainst {
				reach = reach.Add(held)
			} else {
				reach = nonNegative(reach.Sub(held))
			}
			sizeFree = fixedpoint.MinI128(sizeFree, reach)
		}
		v.MaxTradeSizes[side] = exact(sizeFree, p.sz)
	}
	return true
}

// freeMargin returns net margin less initial margins and unbuffered order margin, and the
// same before orders.
func (m *Machine) freeMargin(a *account, f *figures, p *perp) (free, whole i128) {
	if a.mode == ModeStandard {
		d := f.dex(p.dexSlot)
		whole = d.crossValue.Sub(d.initial)
		return whole.Sub(d.orderMargin), whole
	}
	t := m.tokenFiguresOf(a, f, p.collateral)
	whole = t.net()
	var orders i128
	for i := range f.usedN {
		if d := &f.dexes[f.used[i]]; m.dexes[f.used[i]].collateral == p.collateral {
			whole = whole.Sub(d.initial)
			orders = orders.Add(d.orderMargin)
		}
	}
	return whole.Sub(orders), whole
}

// sizeFor returns margin x leverage / mark in size units, rounded down.
func (m *Machine) sizeFor(p *perp, margin i128, leverage uint16) i128 {
	return mustFit(margin.MulDivFloor(int64(leverage), p.mark)).DivFloor(fixedpoint.Pow10(p.scale))
}

// marginFor returns size x mark / leverage at 1e-6, rounded down.
func (m *Machine) marginFor(p *perp, size i128, leverage uint16) i128 {
	return mustFit(size.MulDivFloor(p.mark, int64(leverage)))
}
