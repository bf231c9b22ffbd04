package risk

import "plimsoll/fixedpoint"

// importAccount loads an account whole, as it stands elsewhere, without rebalancing. All
// parts are tested before anything is written.
func (m *Machine) importAccount(group []Command) Reason {
	head := &group[0]
	if m.exists(head.Account()) {
		return ReasonAccountExists
	}
	for i := 1; i < len(group); i++ {
		if reason := m.importPartVerdict(group, &group[i]); reason != ReasonNone {
			return reason
		}
		if isRepeated(group[1:i], &group[i]) {
			return ReasonLimitExceeded // one row for a token, a dex and a perp
		}
	}
	if reason := m.openAccount(head); reason != ReasonNone {
		return reason
	}
	a := m.accountAt(head.Account())
	if a == nil {
		return ReasonNone
	}
	for i := 1; i < len(group); i++ {
		if group[i].Kind != KindPartBalance {
			m.importPart(head.Account(), a, &group[i])
		}
	}
	for i := 1; i < len(group); i++ { // totals last: they are net of what dexes hold
		if group[i].Kind == KindPartBalance {
			m.importBalance(a, &group[i])
		}
	}
	m.settled(head.Account(), a, m.evaluate(a))
	return ReasonNone
}

// isRepeated reports whether a part names the token, dex or perp of an earlier one.
func isRepeated(earlier []Command, c *Command) bool {
	for i := range earlier {
		o := &earlier[i]
		if o.Kind != c.Kind || c.Kind == KindPartOrder {
			continue
		}
		if c.Kind == KindPartBalance && o.Token() == c.Token() || c.Kind != KindPartBalance && o.Market() == c.Market() {
			return true
		}
	}
	return false
}

// importPartVerdict tests one part of an import.
func (m *Machine) importPartVerdict(group []Command, c *Command) Reason {
	switch c.Kind { //nolint:exhaustive // parts of an import only
	case KindPartBalance:
		return m.balancePartVerdict(c)
	case KindPartWallet:
		if c.Market() >= DexesMax || !m.dexes[c.Market()].isListed {
			return ReasonUnknownDex
		}
		if _, ok := rescale128(c, 0, m.tokens[m.dexes[c.Market()].collateral].wei); !ok {
			return m.refuseField(ReasonInvalidAmount, 0)
		}
		return ReasonNone
	case KindPartPosition:
		return m.positionPartVerdict(c)
	case KindPartOrder:
		return m.orderPartVerdict(group, c)
	default:
		return ReasonLimitExceeded
	}
}

func (m *Machine) balancePartVerdict(c *Command) Reason {
	t := m.tokenAt(c.Token())
	if t == nil {
		return ReasonUnknownToken
	}
	for i := range 3 {
		v, ok := rescale128(c, i, t.wei)
		if !ok || i > 0 && v.Sign() < 0 || i > 0 && v.Sign() > 0 && t.pool < 0 {
			return m.refuseField(ReasonInvalidAmount, uint8(i))
		}
	}
	if _, ok := rescale(c, 3, 8); !ok {
		return m.refuseField(ReasonInvalidAmount, 3)
	}
	return ReasonNone
}

func (m *Machine) positionPartVerdict(c *Command) Reason {
	p := m.perpAt(c.Market())
	if p == nil {
		return ReasonUnknownMarket
	}
	size, ok := rescale(c, 0, p.sz)
	if !ok || max(size, -size) > SizeMax {
		return m.refuseField(ReasonInvalidSize, 0)
	}
	if entry, ok := rescale(c, 1, 6); !ok || entry < 0 {
		return m.refuseField(ReasonInvalidAmount, 1)
	}
	wei := 6 + p.scale
	for _, i := range [2]int{2, 3} {
		if _, ok := rescale(c, i, wei); !ok {
			return m.refuseField(ReasonInvalidAmount, uint8(i))
		}
	}
	switch {
	case c.Leverage == 0 || c.Leverage > p.maxLeverage():
		return ReasonLeverageTooHigh
	case !c.Has(FlagIsolated) && p.mode != MarginNormal:
		return ReasonMarginModeNotAllowed
	case fixedpoint.I128(NotionalMax).Less(notionalE6(size, max(p.mark, 1))):
		return ReasonArithmeticOverflow
	}
	return ReasonNone
}

func (m *Machine) orderPartVerdict(group []Command, c *Command) Reason {
	if !m.isMarket(c.Market()) {
		return ReasonUnknownMarket
	}
	for i := range group {
		o := &group[i]
		if o != c && o.Kind == KindPartOrder && o.OrderHi == c.OrderHi && o.OrderLo == c.OrderLo && o.OrderForm == c.OrderForm {
			return ReasonDuplicateOrderID
		}
	}
	_, reason := m.readImportedOrder(c)
	return reason
}

func (m *Machine) readImportedOrder(c *Command) (order, Reason) {
	o := order{
		idHi: c.OrderHi, idLo: c.OrderLo, form: c.OrderForm, market: c.Market(), timeMs: m.timeMs,
		flags: c.Flags & (FlagSell | FlagReduceOnly | FlagTrigger | FlagTriggerMarket | FlagTakeProfit),
	}
	sizeDecimals, priceDecimals := m.marketDecimals(c.Market())
	var ok bool
	if o.size, ok = rescale(c, 0, sizeDecimals); !ok || o.size <= 0 || o.size > SizeMax {
		return o, m.refuseField(ReasonInvalidSize, 0)
	}
	if o.price, ok = rescale(c, 1, priceDecimals); !ok || o.price <= 0 || o.price > PriceMax {
		return o, m.refuseField(ReasonInvalidPrice, 1)
	}
	if o.trigger, ok = rescale(c, 2, priceDecimals); !ok || o.trigger < 0 || o.trigger > PriceMax {
		return o, m.refuseField(ReasonInvalidPrice, 2)
	}
	o.origSize = o.size
	if c.Has(FlagSecond) {
		if o.origSize, ok = rescale(c, 3, sizeDecimals); !ok || o.origSize < o.size || o.origSize > SizeMax {
			return o, m.refuseField(ReasonInvalidSize, 3)
		}
	}
	if fixedpoint.I128(NotionalMax).Less(fixedpoint.Mul64(o.origSize, o.price)) {
		return o, ReasonArithmeticOverflow
	}
	return o, ReasonNone
}

// importPart writes a wallet, position or order.
func (m *Machine) importPart(slot uint32, a *account, c *Command) {
	switch c.Kind { //nolint:exhaustive // balances come later
	case KindPartWallet:
		v, _ := rescale128(c, 0, m.tokens[m.dexes[c.Market()].collateral].wei)
		m.addRaw(a, uint16(c.Market()), v)
		m.external(m.dexes[c.Market()].collateral, v)
	case KindPartPosition:
		m.importPosition(a, c)
	case KindPartOrder:
		o, _ := m.readImportedOrder(c)
		o.account = slot
		m.rest(a, &o)
	default:
	}
}

func (m *Machine) importPosition(a *account, c *Command) {
	p := &m.perps[c.Market()]
	i := m.ensurePosition(a, uint16(c.Market()))
	t := &m.positions.terms[i]
	size, _ := rescale(c, 0, p.sz)
	entry, _ := rescale(c, 1, 6)
	raw, _ := rescale(c, 2, 6+p.scale)
	funding, _ := rescale(c, 3, 6+p.scale)
	old := m.positions.size[i]
	*t = positionTerms{cumE12: p.cumE12, entry: entry, funding: funding}
	p.noteEntry(size, entry)
	m.positions.setLeverage(i, c.Leverage, c.Has(FlagIsolated), true)
	if c.Has(FlagIsolated) {
		t.raw = raw
		m.external(p.collateral, fixedpoint.I128(raw))
	}
	m.positions.size[i] = size
	p.openLong = p.openLong.Add(fixedpoint.I128(max(size, 0) - max(old, 0)))
	m.openInterestTouched(c.Market())
}

// importBalance writes a token so that the account's total is the one given: outside
// standard mode the total includes what the dexes settled in the token are worth.
func (m *Machine) importBalance(a *account, c *Command) {
	q := c.Token()
	t := &m.tokens[q]
	total, _ := rescale128(c, 0, t.wei)
	supplied, _ := rescale128(c, 1, t.wei)
	borrowed, _ := rescale128(c, 2, t.wei)
	f := m.evaluate(a)
	b := m.balanceFor(a, uint16(q))
	cash := total
	switch figs := m.tokenFiguresOf(a, f, q); {
	case a.mode == ModeStandard:
	case f.unpriced:
		a.flags |= accountUnvalued
	default:
		cash = cash.Sub(figs.perpValue)
	}
	b.cash = b.cash.Add(cash)
	b.entryNtl, _ = rescale(c, 3, 8)
	m.external(q, cash)
	switch net := supplied.Sub(borrowed); net.Sign() { // an account owes or lends, not both
	case 1:
		m.supplyIn(b, net)
	case -1:
		m.borrowOut(b, net.Neg())
	}
}

// valueImport takes what the dexes are worth out of the totals of an account that was
// imported before all its perps had marks, at the first tick that prices them all.
func (m *Machine) valueImport(slot uint32, a *account) *figures {
	f := m.evaluate(a)
	if f.unpriced {
		return f
	}
	m.touch(slot)
	a.flags &^= accountUnvalued
	items := m.balances.of(&a.balances)
	for i := range items {
		if b := &items[i]; b.key&dexBit == 0 && m.settlesDex(f, uint32(b.key)) {
			figs := m.tokenFiguresOf(a, f, uint32(b.key))
			b.cash = b.cash.Sub(figs.perpValue)
			m.external(uint32(b.key), figs.perpValue.Neg())
		}
	}
	return f
}
