package risk

import "plimsoll/fixedpoint"

// leg is one side of a trade that has happened, in its market's units.
type leg struct {
	market    uint32
	delta     int64 // signed size
	price     int64
	fee       i128 // units of feeToken; negative is a rebate
	feeToken  uint32
	orderHi   uint64
	orderLo   uint64
	orderForm IDForm
	hasOrder  bool
}

// readLeg rescales a fill. A fill is refused only for unknown names, malformed numbers
// and overflow (ruling 17).
func (m *Machine) readLeg(c, head *Command, isSell bool) (leg, Reason) {
	l := leg{market: head.Market(), orderHi: c.OrderHi, orderLo: c.OrderLo, orderForm: c.OrderForm, hasOrder: c.Has(FlagOrderID)}
	if !m.isMarket(l.market) {
		return l, ReasonUnknownMarket
	}
	l.feeToken = m.feeTokenOf(c, head)
	if m.tokenAt(l.feeToken) == nil {
		return l, ReasonUnknownToken
	}
	sizeDecimals, priceDecimals := m.marketDecimals(l.market)
	var ok bool
	if l.delta, ok = rescale(head, 0, sizeDecimals); !ok || l.delta <= 0 || l.delta > SizeMax {
		return l, m.refuseField(ReasonInvalidSize, 0)
	}
	if l.price, ok = rescale(head, 1, priceDecimals); !ok || l.price <= 0 || l.price > PriceMax {
		return l, m.refuseField(ReasonInvalidPrice, 1)
	}
	if fixedpoint.I128(NotionalMax).Less(fixedpoint.Mul64(l.delta, l.price)) {
		return l, ReasonArithmeticOverflow
	}
	if c.Has(FlagFee) {
		n := 2
		if c != head {
			n = 0
		}
		if l.fee, ok = rescale128(c, n, m.tokens[l.feeToken].wei); !ok {
			return l, m.refuseField(ReasonInvalidAmount, uint8(n))
		}
	}
	if isSell {
		l.delta = -l.delta
	}
	return l, ReasonNone
}

// feeTokenOf returns the token a fee is paid in: as given, else the collateral of a perp
// and the quote of a spot market.
func (m *Machine) feeTokenOf(c, head *Command) uint32 {
	if c.Kind == KindFill && c.Token() != NoSlot {
		return c.Token()
	}
	if s := m.spotAt(head.Market()); s != nil {
		return s.quote
	}
	return m.perps[head.Market()].collateral
}

// closes reports whether a leg only takes away from a position: nothing can then grow beyond
// its limit.
func (m *Machine) closes(a *account, l *leg) bool {
	i := m.positions.find(&a.positions, uint16(l.market))
	if i < 0 {
		return false
	}
	size := m.positions.size[i]
	return size > 0 && l.delta < 0 && -l.delta <= size || size < 0 && l.delta > 0 && l.delta <= -size
}

// canFill reports whether applying a leg stays within the named limits.
func (m *Machine) canFill(a *account, l *leg) bool {
	if l.market&SpotBit != 0 {
		return true
	}
	var size, raw int64
	var isIsolated bool
	var entry i128
	if i := m.positions.find(&a.positions, uint16(l.market)); i >= 0 {
		t := &m.positions.terms[i]
		size, raw, entry, isIsolated = m.positions.size[i], t.raw, fixedpoint.I128(t.entry), m.positions.isIsolated(i)
	} else {
		_, isIsolated = m.leverageOf(a, uint16(l.market))
	}
	next := size + l.delta
	cost := fixedpoint.Mul64(l.delta, l.price)
	magnitude, _ := cost.Abs().Int128()
	reach := fixedpoint.Mul64(max(next, -next), l.price)
	limit := fixedpoint.I128(NotionalMax)
	if max(next, -next) > SizeMax || limit.Less(reach) || limit.Less(entry.Add(magnitude)) {
		return false
	}
	if !isIsolated {
		return true
	}
	p := &m.perps[l.market]
	reachUnits := p.toUnits(magnitude).Add(p.toUnits(reach)).Add(fixedpoint.I128(max(raw, -raw)))
	return reachUnits.Less(fixedpoint.I128(1 << 62))
}

// applyLeg books one side of a trade: position or balances, fee, and the order it filled.
func (m *Machine) applyLeg(a *account, slot uint32, l *leg) {
	if l.market&SpotBit != 0 {
		m.fillSpot(a, l)
	} else {
		m.recordFunding(slot, a, uint16(l.market))
		m.fillPerp(a, l)
	}
	m.tokenLedger(l.feeToken).fees = m.tokenLedger(l.feeToken).fees.Add(l.fee)
	if !l.hasOrder {
		return
	}
	at := m.orders.find(slot, l.orderHi, l.orderLo, l.orderForm)
	if at == 0 {
		return
	}
	o := m.orders.at(at)
	o.size -= max(l.delta, -l.delta)
	if o.size <= 0 {
		m.unrest(a, at)
	}
}

// fillSpot moves base and quote: what is paid rounds up, what is received rounds down.
func (m *Machine) fillSpot(a *account, l *leg) {
	s := &m.spots[l.market&^SpotBit]
	base := &m.tokens[s.base]
	amount := mustFit(fixedpoint.I128(l.delta).MulPow10(base.wei - base.sz))
	cost := m.quoteUnits(s, fixedpoint.Mul64(l.delta, l.price), true)
	m.moveEntry(a, s, amount, cost)
	m.addCash(a, s.base, amount)
	m.addCash(a, s.quote, cost.Neg())
	m.tokenLedger(s.base).clearing = m.tokenLedger(s.base).clearing.Sub(amount)
	m.tokenLedger(s.quote).clearing = m.tokenLedger(s.quote).clearing.Add(cost)
	m.addCash(a, l.feeToken, l.fee.Neg())
}

// moveEntry keeps the cost basis of a spot token: size-weighted on buys, pro rata on
// sells (floor), in quote units.
func (m *Machine) moveEntry(a *account, s *spot, amount, cost i128) {
	b := m.balanceFor(a, uint16(s.base))
	if amount.Sign() > 0 {
		if v, ok := fixedpoint.I128(b.entryNtl).Add(cost).Int64(); ok {
			b.entryNtl = v
		}
		return
	}
	total := b.cash.Add(m.supplied(b))
	left := nonNegative(total.Add(amount))
	if total.Sign() <= 0 {
		b.entryNtl = 0
		return
	}
	if v, ok := fixedpoint.I128(b.entryNtl).MulDivFloor128(left, total); ok {
		b.entryNtl, _ = v.Int64()
	}
}

// fillPerp books a perp fill: funding first, then cash, entry notional, isolated margin
// and fee.
func (m *Machine) fillPerp(a *account, l *leg) {
	p := &m.perps[l.market]
	i := m.ensurePosition(a, uint16(l.market))
	m.fundingPaid(a, i)
	old := m.positions.size[i]
	next := old + l.delta
	cost := p.toUnits(fixedpoint.Mul64(l.delta, l.price))
	t := &m.positions.terms[i]
	if m.positions.isIsolated(i) {
		m.fillIsolated(a, i, l, cost)
	} else {
		m.addRaw(a, p.dexSlot, cost.Neg())
		t = &m.positions.terms[i]
	}
	t.entry = entryAfter(t.entry, old, l)
	p.notePaid(l.price, l.price)
	m.positions.size[i] = next
	p.openLong = p.openLong.Add(fixedpoint.I128(max(next, 0) - max(old, 0)))
	ledger := m.tokenLedger(p.collateral)
	ledger.clearing = ledger.clearing.Add(cost)
	m.payFee(a, i, l)
	if next == 0 {
		m.closePosition(a, i)
	}
	m.openInterestTouched(l.market)
}

// fundingPaid settles a position's funding against the market's clearing account.
func (m *Machine) fundingPaid(a *account, i int) {
	p := &m.perps[m.positions.perp[i]&^isolatedBit]
	owed := m.settleFunding(a, i)
	ledger := m.tokenLedger(p.collateral)
	ledger.clearing = ledger.clearing.Add(owed)
}

// entryAfter returns the entry notional at 1e-6 after a leg: added on increases, pro rata
// on decreases (what is left rounds up), fresh beyond a flip.
func entryAfter(entry, old int64, l *leg) int64 {
	next := old + l.delta
	price := func(size int64) int64 {
		v, _ := notionalE6(size, l.price).Int64()
		return v
	}
	switch {
	case old == 0 || (old > 0) == (l.delta > 0):
		return entry + price(l.delta)
	case next == 0:
		return 0
	case (next > 0) != (old > 0):
		return price(next)
	default:
		left, _ := fixedpoint.MulDivCeil(entry, max(next, -next), max(old, -old))
		return left
	}
}

// fillIsolated books the cash of an isolated leg: closing releases its share of equity at
// the fill price (floor), opening moves notional/leverage (ceil) out of the cross cash.
func (m *Machine) fillIsolated(a *account, i int, l *leg, cost i128) {
	p := &m.perps[m.positions.perp[i]&^isolatedBit]
	t := &m.positions.terms[i]
	old := m.positions.size[i]
	next := old + l.delta
	raw := fixedpoint.I128(t.raw)
	var toCross i128
	opened := max(l.delta, -l.delta)
	if old != 0 && (old > 0) != (l.delta > 0) {
		closed := min(opened, max(old, -old))
		opened -= closed
		equity := raw.Add(p.toUnits(fixedpoint.Mul64(old, l.price)))
		toCross = equity
		if closed != max(old, -old) {
			toCross = mustFit(nonNegative(equity).MulDivFloor(closed, max(old, -old)))
		}
	}
	if opened > 0 && next != 0 {
		margin := p.toUnits(fixedpoint.Mul64(opened, l.price)).DivCeil(int64(m.positions.leverage(i)))
		toCross = toCross.Sub(margin)
	}
	raw = raw.Sub(cost).Sub(toCross)
	v, ok := raw.Int64()
	if !ok {
		panic("risk: BUG: isolated cash above its limit")
	}
	t.raw = v
	m.addRaw(a, p.dexSlot, toCross)
}

// payFee takes a fee from the margin that the position stands on (ruling 17).
func (m *Machine) payFee(a *account, i int, l *leg) {
	p := &m.perps[m.positions.perp[i]&^isolatedBit]
	t := &m.positions.terms[i]
	switch {
	case l.feeToken != p.collateral:
		m.addCash(a, l.feeToken, l.fee.Neg())
	case m.positions.isIsolated(i) && m.positions.size[i] != 0:
		if v, ok := fixedpoint.I128(t.raw).Sub(l.fee).Int64(); ok {
			t.raw = v
			return
		}
		m.addRaw(a, p.dexSlot, l.fee.Neg())
	default:
		m.addRaw(a, p.dexSlot, l.fee.Neg())
	}
}

// closePosition clears a flat position; the slot stays while the account chose its
// leverage.
func (m *Machine) closePosition(a *account, i int) {
	t := &m.positions.terms[i]
	if t.raw != 0 {
		p := &m.perps[m.positions.perp[i]&^isolatedBit]
		raw := fixedpoint.I128(t.raw)
		t.raw = 0
		m.addRaw(a, p.dexSlot, raw)
		t = &m.positions.terms[i]
	}
	t.entry, t.funding = 0, 0
	if !m.positions.isSet(i) {
		m.positions.drop(&a.positions, i)
	}
}

// fill books a one-sided fill.
func (m *Machine) fill(c *Command) Reason {
	a := m.accountAt(c.Account())
	if a == nil {
		return ReasonUnknownAccount
	}
	l, reason := m.readLeg(c, c, c.Has(FlagSell))
	if reason != ReasonNone {
		return reason
	}
	if !m.canFill(a, &l) {
		return ReasonArithmeticOverflow
	}
	if l.hasOrder && m.orders.find(c.Account(), l.orderHi, l.orderLo, l.orderForm) == 0 {
		m.answer.Flags |= EventUnknownOrder
	}
	if c.Has(FlagLiquidation) {
		if !m.isUnderWay(a, c.Aux) {
			m.answer.Flags |= EventUnknownLiquidation
		}
		m.filled(a, c.Aux)
	}
	m.sold(c.Account(), l.market, l.delta)
	m.applyLeg(a, c.Account(), &l)
	m.rebalance(c.Account(), a)
	return ReasonNone
}

// tradeVerdict judges the legs of a trade whose accounts this shard owns.
func (m *Machine) tradeVerdict(group []Command) Reason {
	if len(group) != 2 || group[1].Kind != KindPartSeller {
		return ReasonLimitExceeded
	}
	if !m.exists(group[0].Account()) || !m.exists(group[1].Account()) {
		return ReasonUnknownAccount
	}
	worst := ReasonNone
	for n := range group {
		l, reason := m.readLeg(&group[n], &group[0], n == 1)
		if a := m.accountAt(group[n].Account()); reason == ReasonNone && a != nil {
			if !m.canFill(a, &l) {
				reason = ReasonArithmeticOverflow
			}
			if l.hasOrder && m.orders.find(group[n].Account(), l.orderHi, l.orderLo, l.orderForm) == 0 {
				m.answer.Flags |= EventUnknownOrder
			}
			if c := &group[n]; c.Has(FlagLiquidation) && !m.isUnderWay(a, c.Aux) {
				m.answer.Flags |= EventUnknownLiquidation
			}
		}
		if reason != ReasonNone && (worst == ReasonNone || reason < worst) {
			worst = reason
		}
	}
	return worst
}

// tradePrepare books the legs of a trade whose accounts this shard owns, then asks pools.
func (m *Machine) tradePrepare(group []Command) []Request {
	requests := m.wishBuf[:0]
	for n := range group {
		slot := group[n].Account()
		if a := m.accountAt(slot); a != nil {
			if l, reason := m.readLeg(&group[n], &group[0], n == 1); reason == ReasonNone {
				m.touch(slot)
				if group[n].Has(FlagLiquidation) {
					m.filled(a, group[n].Aux)
				}
				m.sold(slot, l.market, l.delta)
				m.applyLeg(a, slot, &l)
			}
		}
	}
	for n := range group {
		slot := group[n].Account()
		if n == 1 && slot == group[0].Account() {
			break
		}
		if a := m.accountAt(slot); a != nil {
			requests = m.wishes(slot, a, m.evaluate(a), uint32(n), requests)
			m.join(slot)
		}
	}
	m.wishBuf = requests
	return requests
}
