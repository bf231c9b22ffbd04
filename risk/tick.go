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
			} else if reason := m.bandVerdict(c.PriceKindAt(i), c.Ref[i], v, m.heldDecimals(c, i), field); reason != ReasonNone {
				return reason
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
	return heldPrice(c, i, m.heldDecimals(c, i))
}

// heldDecimals returns the decimals that price i of a record is held with.
func (m *Machine) heldDecimals(c *Command, i int) uint8 {
	switch c.PriceKindAt(i) {
	case PriceMark:
		return m.perps[c.Ref[i]].priceDecimals()
	case PriceSpot:
		return m.spotPriceDecimals(m.spotAt(c.Ref[i]))
	default:
		return oracleE
	}
}

// setPrices writes a tick that pricesVerdict passed, and wakes those whose bound it passes.
func (m *Machine) setPrices(group []Command) {
	m.movedPrices = m.movedPrices[:0]
	for g := range group {
		c := &group[g]
		for i := range int(c.Mode) {
			v, _ := m.priceAt(c, i)
			m.setPrice(c.PriceKindAt(i), c.Ref[i], v)
		}
	}
	if m.isRepriceDue {
		m.isRepriceDue = false
		m.repriceAll()
	}
	m.findFresh()
}

// setPrice writes one price and derives what hangs on it.
func (m *Machine) setPrice(kind PriceKind, slot uint32, v int64) {
	switch kind {
	case PriceMark:
		p := &m.perps[slot]
		if p.movedSeq != m.seq {
			p.markBefore, p.movedSeq = p.mark, m.seq
		}
		m.movedPrices = append(m.movedPrices, movedPrice{slot, p.mark})
		isFirst := p.mark == 0
		p.mark, p.markTimeMs = v, m.timeMs
		if isFirst {
			m.openCumRoom(slot) // nobody has a band with this price yet
		}
		m.refreshPerp(slot)
		m.perpMoved(slot)
		m.repriceFed(slot)
	case PriceOracle:
		m.perps[slot].oracleE10, m.perps[slot].oracleTimeMs = v, m.timeMs
		m.repriceFed(slot)
	case PriceSpot:
		s := &m.spots[slot&^SpotBit]
		s.px, s.timeMs = v, m.timeMs
		if m.tokens[s.base].spot == slot&^SpotBit {
			m.reprice(s.base)
		}
	case PriceTokenOracle:
		m.tokens[slot].givenE10, m.tokens[slot].timeMs = v, m.timeMs
		m.isRepriceDue = m.isRepriceDue || slot == m.numeraire // it enters every price of a perp
		m.reprice(slot)
	}
}

// pricesPrepare writes a tick, tells the accounts whose status changed, and asks pools for
// the portfolio accounts whose perp equity fell below a dex's maintenance margin (margin
// sharing, spec 1.3). It looks at the accounts that are awake, or at all of them: those that
// keep their band have nothing to tell.
func (m *Machine) pricesPrepare(group []Command) []Request {
	m.setPrices(group)
	m.openPass()
	m.countTick()
	b := &m.bands
	requests := m.wishBuf[:0]
	if m.mustSweep() {
		b.stats.Sweeps++
		requests = m.passTick(requests)
		m.tellFigures()
		m.wishBuf = m.appendDue(requests)
		b.credit = len(m.hot)/sweptPerBand + m.pass.looks/looksPerBand
		return m.wishBuf
	}
	const near, far = 4, 10
	awake := b.sortAwake()
	for i, local := range awake { // looking may wake others: never as of this tick
		if i+far < len(awake) {
			m.prefetchHot(awake[i+far])
		}
		if i+near < len(awake) {
			m.prefetchLook(awake[i+near])
		}
		requests = m.look(local, requests)
	}
	b.stats.Woken += uint64(len(awake))
	b.credit = len(awake)
	m.tellFigures()
	m.wishBuf = m.appendDue(requests)
	return m.wishBuf
}

// look evaluates one account at present prices, tells what changed, and appends what it asks
// of the pools.
func (m *Machine) look(local uint32, requests []Request) []Request {
	h := &m.hot[local]
	slot := local*m.cfg.Shards + m.cfg.Shard
	if h.kind() <= hotIdle {
		return requests
	}
	if s, ok := m.quickStatus(local, h); ok {
		if s != h.status() {
			m.tell(slot, s, nil)
		}
		return requests
	}
	a := &m.accounts[local]
	f := m.lookAt(slot, a)
	s := m.statusOf(a, f)
	if s&statusSharing != 0 {
		m.touch(slot)
		m.watch(slot, s)
		requests = m.wishes(slot, a, f, 0, requests)
		m.join(slot)
		return requests
	}
	m.tell(slot, s, f)
	return requests
}

// quickStatus returns an account's status from its hot columns, exactly; false when they do
// not do.
func (m *Machine) quickStatus(local uint32, h *hotAccount) (status, bool) {
	switch h.kind() {
	case hotStandard, hotUnified:
		if f := m.hotMargin(local); f.isFast {
			return m.standingSimple(h, &f), true
		}
	case hotLend:
		f := m.hotMargin(local)
		net := f.equityE12.DivFloor(m.sweepSubUnit).Add(m.lendValue(local))
		if m.isSafeLend(h, &f, local, net) {
			return m.lentStatus(local), true
		}
		return m.standingLend(h, &f, local, net)
	case hotNone, hotIdle, hotFull:
	}
	return 0, false
}

// lentStatus returns the status of a healthy account of kind hotLend: its debt may be past a
// line of its own.
func (m *Machine) lentStatus(local uint32) status {
	s := status(HealthHealthy)
	if m.lent[local] < 0 {
		s |= status(m.lendingOf(&m.accounts[local])) << lendingShift
	}
	return s
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
			m.noteFunding(group[g].Ref[i])
			m.refreshPerp(group[g].Ref[i])
			m.perpMoved(group[g].Ref[i])
			m.fundingMoved(group[g].Ref[i])
			m.emitOnce(Event{
				Kind: EventFunding, Phase: phaseGlobal, Market: group[g].Ref[i], Token: NoSlot, Amount: fixedpoint.I128(rate), Decimals: 12,
			})
		}
	}
	m.keepEpoch()
	return ReasonNone
}

// fundingStep returns the cumulative funding after one payment.
func fundingStep(p *perp, rateE12 int64) (int64, bool) {
	step, ok := fixedpoint.MulDivFloor(p.oracleE10, rateE12, fixedpoint.Pow10(10+p.sz))
	next := p.cumE12 + step
	return next, ok && max(next, -next) < 1<<60
}
