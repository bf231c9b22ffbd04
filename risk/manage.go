package risk

import "plimsoll/fixedpoint"

// theOrder finds the account and resting order a command names.
func (m *Machine) theOrder(c *Command) (*account, uint32, Reason) {
	a := m.accountAt(c.Account())
	if a == nil {
		return nil, 0, ReasonUnknownAccount
	}
	slot := m.orders.find(c.Account(), c.OrderHi, c.OrderLo, c.OrderForm)
	if slot == 0 {
		return a, 0, ReasonUnknownOrder
	}
	return a, slot, ReasonNone
}

// cancel takes an order off and releases what it held.
func (m *Machine) cancel(c *Command) Reason {
	a, slot, reason := m.theOrder(c)
	if reason != ReasonNone {
		return reason
	}
	m.release(a, slot)
	m.rebalance(c.Account(), a)
	return ReasonNone
}

// release unrests an order and tells of it.
func (m *Machine) release(a *account, slot uint32) {
	o := m.orders.at(slot)
	size, _ := m.marketDecimals(o.market)
	m.emit(Event{
		Kind: EventOrderReleased, Phase: phaseOrders, Rank: uint64(o.account), Account: o.account, Market: o.market, Token: NoSlot,
		OrderHi: o.idHi, OrderLo: o.idLo, OrderForm: o.form, Amount: fixedpoint.I128(o.size), Decimals: size,
	})
	m.unrest(a, slot)
}

// cancelAll takes all orders of an account off, or those of one market.
func (m *Machine) cancelAll(c *Command) Reason {
	a := m.accountAt(c.Account())
	if a == nil {
		return ReasonUnknownAccount
	}
	if c.Has(FlagMarket) && !m.isMarket(c.Market()) {
		return ReasonUnknownMarket
	}
	for slot := a.orderHead; slot != 0; {
		next := m.orders.at(slot).next
		if !c.Has(FlagMarket) || m.orders.at(slot).market == c.Market() {
			m.release(a, slot)
		}
		slot = next
	}
	m.rebalance(c.Account(), a)
	return ReasonNone
}

// modify changes the size or price of a resting order, tested as if it were new.
func (m *Machine) modify(c *Command) Reason {
	a, slot, reason := m.theOrder(c)
	if reason != ReasonNone {
		return reason
	}
	old := *m.orders.at(slot)
	next := old
	sizeDecimals, priceDecimals := m.marketDecimals(old.market)
	var ok bool
	if c.Has(FlagSecond) {
		if next.size, ok = rescale(c, 0, sizeDecimals); !ok || next.size <= 0 || next.size > SizeMax {
			return m.refuseField(ReasonInvalidSize, 0)
		}
		next.origSize = next.size
	}
	if c.Has(FlagThird) {
		if next.price, ok = rescale(c, 1, priceDecimals); !ok || next.price <= 0 || next.price > PriceMax {
			return m.refuseField(ReasonInvalidPrice, 1)
		}
	}
	if fixedpoint.I128(NotionalMax).Less(fixedpoint.Mul64(next.size, next.price)) {
		return m.refuseField(ReasonLimitExceeded, 0)
	}
	if next.size > old.size {
		if reason = m.isHaltedFor(a, old.market); reason != ReasonNone && old.flags&FlagReduceOnly == 0 {
			return reason
		}
	}
	return m.replace(c.Account(), a, slot, old, next)
}

// trigger activates a stop: from now on it holds margin like any order.
func (m *Machine) trigger(c *Command) Reason {
	a, slot, reason := m.theOrder(c)
	if reason != ReasonNone {
		return reason
	}
	old := *m.orders.at(slot)
	if old.flags&FlagTrigger == 0 {
		return ReasonUnknownOrder
	}
	next := old
	next.flags &^= FlagTrigger
	return m.replace(c.Account(), a, slot, old, next)
}

// replace takes an order off, tries its new form as a new order and puts the old one
// back in its place when that is refused.
func (m *Machine) replace(owner uint32, a *account, slot uint32, old, next order) Reason {
	m.unrest(a, slot)
	reason := m.tryOrder(a, &next)
	if reason != ReasonNone {
		m.restore(a, old)
		return reason
	}
	moved := m.orders.find(owner, old.idHi, old.idLo, old.form)
	m.unlink(a, moved)
	m.linkBetween(a, moved, old.prev, old.next)
	m.rebalance(owner, a)
	return ReasonNone
}

// restore puts an order back where it stood.
func (m *Machine) restore(a *account, old order) {
	slot := m.orders.add(&old)
	a.count(&old, 1)
	m.linkBetween(a, slot, old.prev, old.next)
}

// unlink takes an order out of its account's list without forgetting it.
func (m *Machine) unlink(a *account, slot uint32) {
	o := m.orders.at(slot)
	if o.prev != 0 {
		m.orders.at(o.prev).next = o.next
	} else {
		a.orderHead = o.next
	}
	if o.next != 0 {
		m.orders.at(o.next).prev = o.prev
	} else {
		a.orderTail = o.prev
	}
}

// linkBetween puts an order between two neighbours of its account's list.
func (m *Machine) linkBetween(a *account, slot, prev, next uint32) {
	m.orders.at(slot).prev, m.orders.at(slot).next = prev, next
	if prev != 0 {
		m.orders.at(prev).next = slot
	} else {
		a.orderHead = slot
	}
	if next != 0 {
		m.orders.at(next).prev = slot
	} else {
		a.orderTail = slot
	}
}

// setLeverage sets leverage and margin mode of a perp. It may be raised freely; lowering
// under a position needs margin, switching modes needs no position.
func (m *Machine) setLeverage(c *Command) Reason {
	a := m.accountAt(c.Account())
	if a == nil {
		return ReasonUnknownAccount
	}
	p := m.perpAt(c.Market())
	if p == nil {
		return ReasonUnknownMarket
	}
	if c.Leverage == 0 || c.Leverage > p.maxLeverage() {
		m.weighed(RuleInitialMargin, fixedpoint.I128(int64(c.Leverage)), fixedpoint.I128(int64(p.maxLeverage())), 0)
		return ReasonLeverageTooHigh
	}
	if !c.Has(FlagIsolated) && p.mode != MarginNormal {
		return ReasonMarginModeNotAllowed
	}
	slot := uint16(c.Market())
	isNew := m.positions.find(&a.positions, slot) < 0
	i := m.ensurePosition(a, slot)
	size, was, wasIsolated, wasSet := m.positions.size[i], m.positions.leverage(i), m.positions.isIsolated(i), m.positions.isSet(i)
	if size != 0 && wasIsolated != c.Has(FlagIsolated) {
		return ReasonMarginModeNotAllowed
	}
	m.positions.setLeverage(i, c.Leverage, c.Has(FlagIsolated), true)
	if reason := m.leverageCovered(a, i, p, was); reason != ReasonNone {
		m.positions.setLeverage(i, was, wasIsolated, wasSet)
		if isNew {
			m.positions.drop(&a.positions, i)
			m.refreshHot(c.Account()) // the block may have moved to make room
		}
		return reason
	}
	m.rebalance(c.Account(), a)
	return ReasonNone
}

// leverageCovered tests that lower leverage still finds its margin, and that the tier of
// an open position allows it.
func (m *Machine) leverageCovered(a *account, i int, p *perp, was uint16) Reason {
	size, leverage := m.positions.size[i], m.positions.leverage(i)
	notional := p.toUnits(notionalE6(size, p.mark))
	if bound, isBounded := p.boundFor(leverage); isBounded && bound.Less(notional) {
		return ReasonTierLimit
	}
	if leverage >= was || size == 0 && a.orderHead == 0 {
		return ReasonNone
	}
	initial := notional.DivCeil(int64(leverage))
	if m.positions.isIsolated(i) {
		if size != 0 && m.isolatedEquity(i, p).Less(initial) {
			return ReasonInsufficientMargin
		}
	}
	f := m.evaluate(a)
	if a.mode == ModeStandard {
		d := f.dex(p.dexSlot)
		if d.crossValue.Less(d.initial.Add(d.orderMargin)) {
			return ReasonInsufficientMargin
		}
		return ReasonNone
	}
	figs := m.tokenFiguresOf(a, f, p.collateral)
	if figs.available().Sign() < 0 {
		return ReasonInsufficientMargin
	}
	return ReasonNone
}

// isolatedMargin moves cash between an isolated position and the cross book.
func (m *Machine) isolatedMargin(c *Command) Reason {
	a := m.accountAt(c.Account())
	if a == nil {
		return ReasonUnknownAccount
	}
	p := m.perpAt(c.Market())
	if p == nil {
		return ReasonUnknownMarket
	}
	v, ok := rescale128(c, 0, 6+p.scale)
	if small, fits := v.Int64(); !ok || v.IsZero() || !fits || max(small, -small) > 1<<61 {
		return m.refuseField(ReasonInvalidAmount, 0)
	}
	i := m.positions.find(&a.positions, uint16(c.Market()))
	if i < 0 || m.positions.size[i] == 0 || !m.positions.isIsolated(i) {
		return ReasonMarginModeNotAllowed
	}
	raw, fits := fixedpoint.I128(m.positions.terms[i].raw).Add(v).Int64()
	if !fits {
		return ReasonArithmeticOverflow
	}
	if reason := m.isolatedMove(a, i, p, v); reason != ReasonNone {
		return reason
	}
	m.positions.terms[i].raw = raw
	m.addRaw(a, p.dexSlot, v.Neg())
	m.rebalance(c.Account(), a)
	return ReasonNone
}

// isolatedMove tests that v may move into (v > 0) or out of an isolated position.
func (m *Machine) isolatedMove(a *account, i int, p *perp, v i128) Reason {
	f := m.evaluate(a)
	wei := 6 + p.scale
	if v.Sign() > 0 {
		var free i128
		if a.mode == ModeStandard {
			d := f.dex(p.dexSlot)
			free = d.crossValue.Sub(d.initial).Sub(d.orderMargin)
		} else {
			t := m.tokenFiguresOf(a, f, p.collateral)
			free = t.available()
		}
		m.weighed(RuleInitialMargin, v, nonNegative(free), wei)
		if free.Less(v) {
			return ReasonInsufficientMargin
		}
		return ReasonNone
	}
	if p.mode == MarginStrictIsolated {
		return ReasonMarginModeNotAllowed
	}
	notional := p.toUnits(notionalE6(m.positions.size[i], p.mark))
	keep := fixedpoint.MaxI128(notional.DivCeil(int64(m.positions.leverage(i))), notional.DivCeil(10))
	free := m.isolatedEquity(i, p).Sub(keep)
	m.weighed(RuleTransferMargin, v.Neg(), nonNegative(free), wei)
	if p.mark == 0 {
		return ReasonPriceMissing
	}
	if m.isOld(p.markTimeMs, p.maxAgeMs) {
		return ReasonPriceStale
	}
	if free.Less(v.Neg()) {
		return ReasonInsufficientMargin
	}
	return ReasonNone
}

// setMode changes how an account is margined: refused with open positions, orders, or
// debt (decision 8.21).
func (m *Machine) setMode(c *Command) Reason {
	a := m.accountAt(c.Account())
	if a == nil {
		return ReasonUnknownAccount
	}
	if c.Mode < uint8(ModeStandard) || c.Mode > uint8(ModePortfolio) {
		return ReasonModeChangeBlocked
	}
	if a.orderCount > 0 {
		return ReasonModeChangeBlocked
	}
	for i := int(a.positions.start); i < int(a.positions.start)+int(a.positions.count); i++ {
		if m.positions.size[i] != 0 {
			return ReasonModeChangeBlocked
		}
	}
	for _, b := range m.balances.of(&a.balances) {
		if b.lend.Sign() < 0 || b.cash.Sign() < 0 {
			return ReasonModeChangeBlocked
		}
	}
	if a.raw.Sign() < 0 {
		return ReasonModeChangeBlocked
	}
	a.mode = Mode(c.Mode)
	m.emit(Event{
		Kind: EventModeChanged, Phase: phaseOrders, Rank: uint64(c.Account()), Account: c.Account(),
		Market: NoSlot, Token: NoSlot, Amount: fixedpoint.I128(int64(c.Mode)),
	})
	m.rebalance(c.Account(), a)
	return ReasonNone
}

// halt stops or resumes increases of an account, a market, or everything.
func (m *Machine) halt(c *Command) Reason {
	isHalt := c.Kind == KindHalt
	kind := EventResumed
	if isHalt {
		kind = EventHalted
	}
	switch {
	case c.Has(FlagAccount):
		if !m.exists(c.Account()) {
			return ReasonUnknownAccount
		}
		if a := m.accountAt(c.Account()); a != nil {
			m.touch(c.Account())
			a.flags &^= accountHalted
			if isHalt {
				a.flags |= accountHalted
			}
			m.emit(Event{
				Kind: kind, Phase: phaseOrders, Rank: uint64(c.Account()), Account: c.Account(), Market: NoSlot, Token: NoSlot,
			})
		}
		return ReasonNone
	case c.Has(FlagMarket):
		if !m.isMarket(c.Market()) {
			return ReasonUnknownMarket
		}
		if c.Market()&SpotBit != 0 {
			m.spots[c.Market()&^SpotBit].isHalted = isHalt
		} else {
			m.perps[c.Market()].isHalted = isHalt
		}
		m.emitOnce(Event{Kind: kind, Phase: phaseGlobal, Market: c.Market(), Token: NoSlot})
		return ReasonNone
	case c.Has(FlagAll):
		m.haltAll = isHalt
		m.emitOnce(Event{Kind: kind, Phase: phaseGlobal, Market: NoSlot, Token: NoSlot})
		return ReasonNone
	}
	return ReasonUnknownMarket
}
