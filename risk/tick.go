package risk

import "plimsoll/fixedpoint"

// pricesVerdict tests every price of a tick; a tick is atomic, so one bad price refuses
// all of it. The refused number is record x 4 + index, at most 255.
func (m *Machine) pricesVerdict(group []Command) Reason {
	for g := range group {
		c := &group[g]
		if c.Kind != KindPrices || c.Mode > 4 {
			return ReasonLimitExceeded
		}
		for i := range int(c.Mode) {
			field := uint8(min(4*g+i, 255))
			if !m.priceNameKnown(c, i) {
				m.answer.Field = field
				if c.PriceKindAt(i) == PriceTokenOracle {
					return ReasonUnknownToken
				}
				return ReasonUnknownMarket
			}
			if v, ok := m.priceAt(c, i); !ok || v <= 0 {
				return m.refuseField(ReasonInvalidPrice, field)
			}
		}
	}
	return ReasonNone
}

func (m *Machine) priceNameKnown(c *Command, i int) bool {
	switch c.PriceKindAt(i) {
	case PriceTokenOracle:
		return m.tokenAt(c.Ref[i]) != nil
	case PriceSpot:
		return m.spotAt(c.Ref[i]) != nil
	default:
		return c.Ref[i]&SpotBit == 0 && m.perpAt(c.Ref[i]) != nil
	}
}

// priceAt rescales price i of a record to where it is held.
func (m *Machine) priceAt(c *Command, i int) (int64, bool) {
	decimals, limit := uint8(oracleE), int64(OraclePriceMax)
	switch c.PriceKindAt(i) {
	case PriceMark:
		decimals, limit = m.perps[c.Ref[i]].priceDecimals(), PriceMax
	case PriceSpot:
		decimals, limit = m.spotPriceDecimals(m.spotAt(c.Ref[i])), PriceMax
	case PriceOracle, PriceTokenOracle:
	}
	v, ok := rescale(c, i, decimals)
	if !ok || v > limit {
		return v, false
	}
	_, ok = fixedpoint.Rescale(v, decimals, oracleE) // every price may enter an oracle price
	return v, ok
}

// setPrices writes a tick that pricesVerdict passed.
func (m *Machine) setPrices(group []Command) {
	for g := range group {
		c := &group[g]
		for i := range int(c.Mode) {
			v, _ := m.priceAt(c, i)
			switch slot := c.Ref[i]; c.PriceKindAt(i) {
			case PriceMark:
				p := &m.perps[slot]
				p.mark, p.markTimeMs = v, m.timeMs
				m.refreshPerp(slot)
			case PriceOracle:
				m.perps[slot].oracleE10 = v
			case PriceSpot:
				m.spots[slot&^SpotBit].px = v
			case PriceTokenOracle:
				m.tokens[slot].givenE10 = v
			}
		}
	}
	m.repriceAll()
}

// pricesPrepare writes a tick, tells the accounts whose band changed, and asks pools for
// the portfolio accounts whose perp equity fell below a dex's maintenance margin (margin
// sharing, spec 1.3).
func (m *Machine) pricesPrepare(group []Command) []Request {
	m.setPrices(group)
	m.openPass()
	requests := m.wishBuf[:0]
	for local := range m.hot {
		h := &m.hot[local]
		slot := uint32(local)*m.cfg.Shards + m.cfg.Shard
		switch h.kind() {
		case hotNone, hotIdle:
			continue
		case hotStandard, hotUnified:
			if equity, notional, maintenance, odd := m.hotCross(h); odd == 0 && m.isClear(h, equity, notional, maintenance) {
				m.tell(slot, HealthHealthy)
				continue
			}
			if f := m.hotMargin(h); f.isFast {
				m.tell(slot, m.bandSimple(h, &f))
				continue
			}
		case hotLend:
			equity, notional, maintenance, odd := m.hotCross(h)
			if _, isClear := m.isClearLend(h, local, equity, notional, maintenance); odd == 0 && isClear {
				m.tell(slot, HealthHealthy)
				continue
			}
			f := m.hotMargin(h)
			net := f.equityE12.DivFloor(m.sweepSubUnit).Add(m.lendValue(local))
			if m.isSafeLend(h, &f, local, net) {
				m.tell(slot, HealthHealthy)
				continue
			}
		case hotFull:
		}
		a := &m.accounts[local]
		f := m.lookAt(slot, a)
		if a.mode == ModePortfolio && sharesMargin(f) {
			m.touch(slot)
			requests = m.wishes(slot, a, f, 0, requests)
			m.join(slot)
			continue
		}
		m.tell(slot, m.healthOf(a, f))
	}
	m.wishBuf = requests
	return requests
}

// lookAt evaluates an account exactly, settling first what an import left open.
func (m *Machine) lookAt(slot uint32, a *account) *figures {
	if a.flags&accountUnvalued != 0 {
		if f := m.valueImport(slot, a); f.unpriced {
			return f
		}
		m.refreshHot(slot)
	}
	return m.evaluate(a)
}

// sharesMargin reports whether a dex's cross equity is below its maintenance margin.
func sharesMargin(f *figures) bool {
	for i := range f.usedN {
		d := &f.dexes[f.used[i]]
		if d.crossMM.Sign() > 0 && d.crossValue.Less(d.crossMM) {
			return true
		}
	}
	return false
}

// funding adds one hourly payment to each named perp: rate x oracle per size unit, rounded
// down, at 1e-12 (longs pay when positive). Accounts pay when they are next touched.
func (m *Machine) funding(group []Command) Reason {
	for g := range group {
		c := &group[g]
		if c.Kind != KindFunding || c.Mode > 4 {
			return ReasonLimitExceeded
		}
		for i := range int(c.Mode) {
			field := uint8(min(4*g+i, 255))
			p := m.perpAt(c.Ref[i])
			if p == nil {
				m.answer.Field = field
				return ReasonUnknownMarket
			}
			if p.oracleE10 == 0 {
				m.answer.Field = field
				return ReasonPriceMissing
			}
			rate, ok := rescale(c, i, 12)
			if !ok || p.fundingCap > 0 && max(rate, -rate) > p.fundingCap {
				return m.refuseField(ReasonInvalidAmount, field)
			}
			if _, ok = fundingStep(p, rate); !ok {
				return ReasonArithmeticOverflow
			}
		}
	}
	for g := range group {
		for i := range int(group[g].Mode) {
			p := &m.perps[group[g].Ref[i]]
			rate, _ := rescale(&group[g], i, 12)
			p.cumE12, _ = fundingStep(p, rate)
			p.rateE12 = rate
			m.refreshPerp(group[g].Ref[i])
			m.emitOnce(Event{
				Kind: EventFunding, Phase: phaseGlobal, Market: group[g].Ref[i], Token: NoSlot, Amount: fixedpoint.I128(rate), Decimals: 12,
			})
		}
	}
	return ReasonNone
}

// fundingStep returns the cumulative funding after one payment.
func fundingStep(p *perp, rateE12 int64) (int64, bool) {
	step, ok := fixedpoint.MulDivFloor(p.oracleE10, rateE12, fixedpoint.Pow10(10+p.sz))
	next := p.cumE12 + step
	return next, ok && max(next, -next) < 1<<60
}
