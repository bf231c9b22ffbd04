package risk

import (
	"plimsoll/fixedpoint"
	"plimsoll/internal/invariant"
)

// refuseField notes which number of the record was refused.
func (m *Machine) refuseField(reason Reason, field uint8) Reason {
	m.answer.Field, m.answer.Rule = field, RuleField
	return reason
}

// weighed notes required and available for the answer.
func (m *Machine) weighed(rule Rule, required, available i128, decimals uint8) {
	m.answer.Rule, m.answer.Decimals, m.answer.Flags = rule, decimals, m.answer.Flags|EventHasAmounts
	m.answer.Amount, m.answer.Amount2 = required, available
}

// isHaltedFor returns why a market or account takes no increase.
func (m *Machine) isHaltedFor(a *account, market uint32) Reason {
	switch {
	case a.flags&accountHalted != 0 || m.haltAll:
		return ReasonAccountHalted
	case m.marketHalted(market):
		return ReasonMarketHalted
	default:
		return ReasonNone
	}
}

func (m *Machine) marketHalted(market uint32) bool {
	if market&SpotBit != 0 {
		return m.spots[market&^SpotBit].isHalted
	}
	return m.perps[market].isHalted
}

// order checks a new order before trade and rests it, or refuses it.
func (m *Machine) order(c *Command) Reason {
	a := m.accountAt(c.Account())
	if a == nil {
		return ReasonUnknownAccount
	}
	if m.orders.find(c.Account(), c.OrderHi, c.OrderLo, c.OrderForm) != 0 {
		return ReasonDuplicateOrderID
	}
	if !m.isMarket(c.Market()) {
		return ReasonUnknownMarket
	}
	o, reason := m.readOrder(c)
	if reason == ReasonNone && a.orderCount >= OrdersPerAccountMax {
		reason = ReasonLimitExceeded
	}
	if reason != ReasonNone {
		return reason
	}
	return m.tryOrder(a, &o)
}

// readOrder rescales an order record to its market; halts are tested before numbers.
func (m *Machine) readOrder(c *Command) (order, Reason) {
	o := order{
		idHi: c.OrderHi, idLo: c.OrderLo, form: c.OrderForm, account: c.Account(), market: c.Market(), timeMs: m.timeMs,
		flags: c.Flags & (FlagSell | FlagReduceOnly | FlagTrigger | FlagTriggerMarket | FlagTakeProfit),
	}
	a := m.accountAt(c.Account())
	if reason := m.isHaltedFor(a, c.Market()); reason != ReasonNone && !c.Has(FlagReduceOnly) {
		return o, reason
	}
	if m.liquidationOf(a) != nil && !c.Has(FlagReduceOnly) {
		return o, ReasonAccountInLiquidation
	}
	sizeDecimals, priceDecimals := m.marketDecimals(c.Market())
	var ok bool
	if o.size, ok = rescale(c, 0, sizeDecimals); !ok || o.size <= 0 || o.size > SizeMax {
		return o, m.refuseField(ReasonInvalidSize, 0)
	}
	if o.price, ok = rescale(c, 1, priceDecimals); !ok || o.price <= 0 || o.price > PriceMax {
		return o, m.refuseField(ReasonInvalidPrice, 1)
	}
	if c.Has(FlagTrigger) {
		if o.trigger, ok = rescale(c, 2, priceDecimals); !ok || o.trigger <= 0 || o.trigger > PriceMax {
			return o, m.refuseField(ReasonInvalidPrice, 2)
		}
	}
	if fixedpoint.I128(NotionalMax).Less(fixedpoint.Mul64(o.size, o.price)) {
		return o, m.refuseField(ReasonLimitExceeded, 0)
	}
	o.origSize = o.size
	return o, ReasonNone
}

// marketDecimals returns the decimals of a market's sizes and prices.
func (m *Machine) marketDecimals(market uint32) (size, price uint8) {
	if s := m.spotAt(market); s != nil {
		return m.tokens[s.base].sz, m.spotPriceDecimals(s)
	}
	p := &m.perps[market]
	return p.sz, p.priceDecimals()
}

// tryOrder tests an order against prices, limits and margin, and rests it when it holds.
func (m *Machine) tryOrder(a *account, o *order) Reason {
	if o.market&SpotBit != 0 {
		return m.trySpotOrder(a, o)
	}
	p := &m.perps[o.market]
	if reason := m.priceUsable(p); reason != ReasonNone {
		return reason
	}
	if p.openCap > 0 && o.flags&FlagReduceOnly == 0 {
		if reason := m.openInterestAllows(a, p, o); reason != ReasonNone {
			return reason
		}
	}
	i := m.positions.find(&a.positions, uint16(o.market))
	if reason := m.perpLimits(a, p, o, i); reason != ReasonNone {
		return reason
	}
	f := m.evaluate(a)
	q := p.collateral
	d := f.dex(p.dexSlot)
	before, beforeOrders := d.target(), d.orderMargin
	slot := m.rest(a, o)
	m.addLast(a, f, m.orders.at(slot), i)
	if invariant.Enabled {
		m.checkLast(a, f, d)
	}
	required := d.target().Sub(before)
	if a.mode == ModeStandard {
		required = d.orderMargin.Sub(beforeOrders)
	}
	return m.judge(a, slot, f, q, d, required)
}

// priceUsable reports whether a perp's mark is known and fresh.
func (m *Machine) priceUsable(p *perp) Reason {
	switch {
	case p.mark == 0:
		return ReasonPriceMissing
	case m.isOld(p.markTimeMs, p.maxAgeMs):
		return ReasonPriceStale
	default:
		return ReasonNone
	}
}

// perpLimits tests reduce-only and the margin tier of an order in the market of position i of
// its account, -1 where it has none.
func (m *Machine) perpLimits(a *account, p *perp, o *order, i int) Reason {
	leverage, size := p.leverageDefault(), int64(0)
	if i >= 0 {
		leverage, size = m.positions.leverage(i), m.positions.size[i]
	}
	isSell := o.flags&FlagSell != 0
	if o.flags&FlagReduceOnly != 0 {
		if size == 0 || (size > 0) != isSell || o.size > max(size, -size) {
			m.weighed(RuleReduceOnly, fixedpoint.I128(o.size), fixedpoint.I128(max(size, -size)), p.sz)
			return ReasonReduceOnlyWouldIncrease
		}
		return ReasonNone
	}
	bound, isBounded := p.boundFor(leverage)
	if !isBounded || o.flags&FlagTrigger != 0 {
		return ReasonNone
	}
	next := fixedpoint.I128(size)
	if isSell {
		next = next.Sub(fixedpoint.I128(o.size))
	} else {
		next = next.Add(fixedpoint.I128(o.size))
	}
	next = m.addSameSide(a, o, isSell, next)
	reach, ok := next.Abs().Int128()
	if !ok || (next.Sign() < 0) != isSell {
		return ReasonNone
	}
	notional, ok := reach.MulInt64(p.mark)
	if !ok || fixedpoint.I128(NotionalMax).Less(notional) {
		return ReasonLimitExceeded
	}
	if bound.Less(p.toUnits(notional)) {
		m.weighed(RuleInitialMargin, p.toUnits(notional), bound, 6+p.scale)
		return ReasonTierLimit
	}
	return ReasonNone
}

// addSameSide adds the resting orders of the same perp and side to a reached size.
func (m *Machine) addSameSide(a *account, o *order, isSell bool, next i128) i128 {
	for slot := a.orderHead; slot != 0; slot = m.orders.at(slot).next {
		r := m.orders.at(slot)
		if r.market != o.market || !r.isHolding() || (r.flags&FlagSell != 0) != isSell {
			continue
		}
		if r.idHi == o.idHi && r.idLo == o.idLo && r.form == o.form {
			continue
		}
		if isSell {
			next = next.Sub(fixedpoint.I128(r.size))
		} else {
			next = next.Add(fixedpoint.I128(r.size))
		}
	}
	return next
}

// judge keeps a resting order when the account's available margin stays at or above zero
// or the order needs nothing; else takes it off again.
func (m *Machine) judge(a *account, slot uint32, f *figures, q uint32, d *dexFigures, required i128) Reason {
	wei := m.tokens[q].wei
	if a.mode == ModeStandard {
		free := d.crossValue.Sub(d.initial).Sub(d.orderMargin)
		m.weighed(RuleInitialMargin, required, free.Add(required), wei)
		if required.Sign() > 0 && free.Sign() < 0 {
			m.unrest(a, slot)
			return ReasonInsufficientMargin
		}
		return ReasonNone
	}
	var t tokenFigures
	m.sumToken(a, f, q, &t)
	m.weighed(RuleInitialMargin, required, t.available().Add(required), wei)
	if required.Sign() <= 0 {
		return ReasonNone
	}
	reason := ReasonNone
	switch {
	case f.unpriced:
		reason = ReasonPriceMissing
	case m.readsStaleToken(a):
		reason = ReasonPriceStale
	case t.available().Sign() < 0:
		reason = ReasonInsufficientMargin
		if a.mode == ModePortfolio && m.isCapBound(q, &t) {
			reason = ReasonUserBorrowCap
		}
	case a.mode == ModePortfolio:
		reason = m.fundable(a, f, &t)
	}
	if reason != ReasonNone {
		m.unrest(a, slot)
	}
	return reason
}

// isCapBound reports whether, without the user borrow cap, the capacity would cover.
func (m *Machine) isCapBound(q uint32, t *tokenFigures) bool {
	return m.tokens[q].isBorrowable && t.C.Cmp(m.tokens[q].userBorrowCap) == 0 && t.C.Sign() > 0
}

// fundable tests that the pool can give what the account would have to take from it to
// meet its requirement: own supply first, then debt.
func (m *Machine) fundable(a *account, f *figures, x *tokenFigures) Reason {
	q := x.token
	t := &m.tokens[q]
	supplied, debt := x.supplied, x.debt
	need := x.spotBuys.Add(m.perpTargetGap(f, q)).Sub(m.cashOf(a, q))
	if need.Sign() <= 0 {
		return ReasonNone
	}
	if t.pool < 0 {
		return ReasonInsufficientBalance
	}
	take := fixedpoint.MinI128(need, supplied)
	if m.cashOfPool(t.pool).Less(take) {
		return ReasonPoolIlliquid
	}
	borrow := need.Sub(take)
	if borrow.Sign() <= 0 {
		return ReasonNone
	}
	sums := m.pools[t.pool].sumsOf(m.totalsOf(int(t.pool)))
	switch {
	case !t.isBorrowable:
		return ReasonInsufficientBalance
	case t.userBorrowCap.Less(debt.Add(borrow)):
		return ReasonUserBorrowCap
	case t.borrowCap.Less(sums.debt.Add(borrow)):
		return ReasonBorrowCap
	case sums.cash.Less(take.Add(borrow)):
		return ReasonPoolIlliquid
	}
	return ReasonNone
}

// perpTargetGap returns Σ target - cross value over the dexes settled in q: what topping
// them all up would take, after pulling what others hold in excess.
func (m *Machine) perpTargetGap(f *figures, q uint32) i128 {
	var gap i128
	for i := range f.usedN {
		d := &f.dexes[f.used[i]]
		if m.dexes[f.used[i]].collateral == q {
			gap = gap.Add(d.target()).Sub(d.crossValue)
		}
	}
	return gap
}

// trySpotOrder tests a spot order. Portfolio accounts may borrow what they pay with;
// others must hold it free.
func (m *Machine) trySpotOrder(a *account, o *order) Reason {
	if o.flags&FlagReduceOnly != 0 {
		return ReasonReduceOnlyWouldIncrease
	}
	if s := m.spotAt(o.market); s.px > 0 && m.isOld(s.timeMs, s.maxAgeMs) {
		return ReasonPriceStale
	}
	if !o.isHolding() {
		m.rest(a, o)
		return ReasonNone
	}
	q, hold := m.spotHold(o)
	wei := m.tokens[q].wei
	free := m.freeSpot(a, q)
	m.weighed(RuleSpotBalance, hold, nonNegative(free), wei)
	if a.mode != ModePortfolio || !m.tokens[q].isBorrowable && m.tokens[q].ltvE12 == 0 {
		if free.Less(hold) {
			return ReasonInsufficientBalance
		}
		m.rest(a, o)
		return ReasonNone
	}
	if o.flags&FlagSell != 0 && free.Less(hold) && !m.tokens[q].isBorrowable {
		return ReasonInsufficientBalance
	}
	slot := m.rest(a, o)
	f := m.evaluate(a)
	reason := m.portfolioCovers(a, f, q, hold)
	if reason != ReasonNone {
		m.unrest(a, slot)
	}
	return reason
}

// portfolioCovers tests a portfolio account after a change that takes hold of token q:
// every settlement token must stay available, and the pool must be able to give.
func (m *Machine) portfolioCovers(a *account, f *figures, q uint32, hold i128) Reason {
	if m.readsStaleToken(a) {
		return ReasonPriceStale
	}
	if m.settles(f, q) {
		t := m.tokenFiguresOf(a, f, q)
		m.weighed(RuleBorrowCapacity, hold, nonNegative(t.available().Add(hold)), m.tokens[q].wei)
		if t.available().Sign() < 0 {
			if m.isCapBound(q, &t) {
				return ReasonUserBorrowCap
			}
			return ReasonInsufficientMargin
		}
	}
	if q != m.numeraire && !m.coversWithout(a, f, q, hold) {
		return ReasonInsufficientMargin
	}
	t := m.tokenFiguresOf(a, f, q)
	return m.fundable(a, f, &t)
}

// coversWithout reports whether the account still covers its numeraire requirement once
// hold of collateral q no longer counts as supplied.
func (m *Machine) coversWithout(a *account, f *figures, q uint32, hold i128) bool {
	t := m.tokenFiguresOf(a, f, m.numeraire)
	c := &m.tokens[q]
	if c.ltvE12 == 0 {
		return t.available().Sign() >= 0
	}
	b := m.balanceOf(a, uint16(q))
	if b == nil {
		return t.available().Sign() >= 0
	}
	taken := fixedpoint.MinI128(nonNegative(hold.Sub(nonNegative(b.cash))), m.supplied(b))
	counted := fixedpoint.MinI128(m.supplied(b), c.userSupplyCap)
	left := fixedpoint.MinI128(m.supplied(b).Sub(taken), c.userSupplyCap)
	lost := weigh(m.convert(counted, uint32(b.key), m.numeraire, true), c.ltvE12, rateOne).
		Sub(weigh(m.convert(left, uint32(b.key), m.numeraire, false), c.ltvE12, rateOne))
	return t.available().Sub(lost).Sign() >= 0
}

// freeSpot returns what an account can pay of a token: standard accounts their spot
// balance, others their net balance less what perps require, both less spot holds.
func (m *Machine) freeSpot(a *account, q uint32) i128 {
	var free i128
	if b := m.balanceOf(a, uint16(q)); b != nil {
		free = b.cash.Add(m.supplied(b)).Sub(m.debt(b))
	}
	free = free.Sub(m.spotHeld(a, q))
	if a.mode == ModeStandard {
		return free
	}
	f := m.evaluate(a)
	return free.Sub(m.perpTargetGap(f, q))
}
