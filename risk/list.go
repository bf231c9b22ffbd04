package risk

import "plimsoll/fixedpoint"

// listPart returns the first part of a kind within a group, or nil.
func listPart(group []Command, kind Kind, mode uint8) *Command {
	for i := 1; i < len(group); i++ {
		if group[i].Kind == kind && (kind != KindPartName || group[i].Mode == mode) {
			return &group[i]
		}
	}
	return nil
}

// nameOf returns the name that a listing group carries.
func nameOf(group []Command, mode uint8) string {
	part := listPart(group, KindPartName, mode)
	if part == nil {
		return ""
	}
	var buf [NameMax]byte
	return string(part.AppendName(buf[:0]))
}

// listToken adds or changes a token and its pool. Names stay once listed: the hashes of
// accounts are keyed by them.
func (m *Machine) listToken(group []Command) Reason {
	c := &group[0]
	slot := c.Token()
	if slot >= TokensMax {
		return ReasonLimitExceeded
	}
	old := &m.tokens[slot]
	t := token{
		isListed: true, isBorrowable: c.Has(FlagBorrowable), index: c.Other(), wei: c.Mode, sz: uint8(min(c.Leverage, 255)),
		pool: -1, oraclePerp: c.Market(), spot: NoSlot, tokenID: c.Aux, name: nameOf(group, 0), fullName: nameOf(group, 1),
	}
	if c.Leverage == SzDecimalsKept {
		t.sz = min(szDecimalsDefault, t.wei)
		if old.isListed {
			t.sz = old.sz
		}
	}
	if old.isListed {
		t.pool, t.spot, t.givenE10, t.oracleE10 = old.pool, old.spot, old.givenE10, old.oracleE10
		t.timeMs, t.isStale = old.timeMs, old.isStale
		if t.wei != old.wei || t.sz != old.sz || t.index != old.index || t.name != old.name {
			return ReasonInvalidListing
		}
	}
	if t.wei > TokenDecimalsMax || t.sz > min(t.wei, 8) || t.name == "" || m.tokenIndexTaken(slot, t.index) {
		return ReasonInvalidListing
	}
	if reason := m.readTokenTerms(group, &t); reason != ReasonNone {
		return reason
	}
	if t.pool < 0 && (t.isBorrowable || t.ltvE12 > 0 || t.supplyCap.Sign() > 0) {
		if len(m.pools) >= PoolsMax {
			return ReasonLimitExceeded
		}
		t.pool = int16(len(m.pools))
		m.addPool(newPool(slot, m.timeMs))
	}
	if t.index == 0 {
		m.numeraire, t.oracleE10 = slot, oracleOne
	}
	t.nameHash = hashName(t.name)
	if old.isListed {
		m.rebandAll()
	}
	*old = t
	m.tokenCount = max(m.tokenCount, slot+1)
	m.reprice(slot)
	return ReasonNone
}

// tokenIndexTaken reports whether another slot carries the venue index.
func (m *Machine) tokenIndexTaken(slot, idx uint32) bool {
	for i := range m.tokenCount {
		if i != slot && m.tokens[i].isListed && m.tokens[i].index == idx {
			return true
		}
	}
	return false
}

// readTokenTerms reads caps, rates and weights.
func (m *Machine) readTokenTerms(group []Command, t *token) Reason {
	c := &group[0]
	caps := [4]*i128{&t.supplyCap, &t.borrowCap, &t.userSupplyCap, &t.userBorrowCap}
	for i, p := range caps {
		v, ok := rescale128(c, i, t.wei)
		if !ok || v.Sign() < 0 {
			return m.refuseField(ReasonInvalidAmount, uint8(i))
		}
		*p = v
	}
	rates := listPart(group, KindPartRates, 0)
	limits := listPart(group, KindPartLimits, 0)
	if rates == nil || limits == nil {
		return ReasonInvalidListing
	}
	terms := [4]*int64{&t.ltvE12, &t.rateBaseE12, &t.rateSlopeE12, &t.rateKinkE12}
	for i, p := range terms {
		v, ok := rescale(rates, i, 12)
		if !ok || v < 0 || v > rateMax {
			return m.refuseField(ReasonInvalidAmount, FieldRates+uint8(i))
		}
		*p = v
	}
	reserve, ok := rescale(limits, 0, 12)
	if !ok || reserve < 0 || reserve > rateOne || t.ltvE12 > rateOne || t.rateKinkE12 > rateOne {
		return ReasonInvalidListing
	}
	t.reserveE12 = reserve
	if t.takeoverWidth, ok = rescale128(limits, 1, 8); !ok {
		return m.refuseField(ReasonInvalidAmount, FieldLimits+1)
	}
	return m.readGuard(limits, 2, FieldLimits+2, &t.guard)
}

// listDex adds or changes a perp dex. The main one may have been listed nameless by a perp.
func (m *Machine) listDex(group []Command) Reason {
	c := &group[0]
	slot := c.Market()
	if slot >= DexesMax {
		return ReasonLimitExceeded
	}
	t := m.tokenAt(c.Token())
	if t == nil {
		return ReasonUnknownToken
	}
	if t.wei < WeiDecimalsMin || t.wei > WeiDecimalsMax {
		return ReasonInvalidListing
	}
	d := &m.dexes[slot]
	name := nameOf(group, 0)
	if d.isListed && (d.collateral != c.Token() || slot != 0 && d.name != name) {
		return ReasonInvalidListing
	}
	*d = dex{isListed: true, index: c.Other(), collateral: c.Token(), name: name, nameHash: hashName(name)}
	return ReasonNone
}

// listPerp adds or changes a perpetual. Size decimals, dex and collateral are fixed once
// listed; tiers, caps and margin mode may change under open positions.
func (m *Machine) listPerp(group []Command) Reason {
	c := &group[0]
	slot, dexSlot := c.Market(), uint32(c.Wallets[0])
	if slot >= PerpsMax || dexSlot >= DexesMax {
		return ReasonLimitExceeded
	}
	t := m.tokenAt(c.Token())
	switch {
	case t == nil:
		return ReasonUnknownToken
	case t.wei < WeiDecimalsMin || t.wei > WeiDecimalsMax, c.Leverage > SzDecimalsMax, c.Mode > uint8(MarginStrictIsolated):
		return ReasonInvalidListing
	case dexSlot != 0 && !m.dexes[dexSlot].isListed:
		return ReasonUnknownDex
	case m.dexes[dexSlot].isListed && m.dexes[dexSlot].collateral != c.Token():
		return ReasonInvalidListing
	}
	p, name := m.perps[slot], nameOf(group, 0)
	if p.isListed && (uint16(p.sz) != c.Leverage || p.collateral != c.Token() || uint32(p.dexSlot) != dexSlot || p.name != name) {
		return ReasonInvalidListing
	}
	if !p.isListed {
		p.pool = -1
	}
	p.isListed, p.index, p.name, p.mode = true, c.Other(), name, MarginMode(c.Mode)
	p.nameHash = hashName(name)
	p.sz, p.collateral, p.dexSlot, p.scale = uint8(c.Leverage), c.Token(), uint16(dexSlot), t.wei-6
	var ok bool
	if p.fundingCap, ok = rescale(c, 0, 12); !ok || p.fundingCap < 0 {
		return m.refuseField(ReasonInvalidAmount, 0)
	}
	if p.openCap, ok = rescale(c, 1, p.sz); !ok || p.openCap < 0 {
		return m.refuseField(ReasonInvalidSize, 1)
	}
	var g guard
	if reason := m.readGuard(c, 2, 2, &g); reason != ReasonNone {
		return reason
	}
	p.maxAgeMs, p.bandE12 = g.maxAgeMs, g.bandE12
	if reason := readTiers(group, &p, t.wei); reason != ReasonNone {
		return reason
	}
	if reason := m.capOpenInterest(&p); reason != ReasonNone {
		return reason
	}
	if m.perps[slot].isListed {
		m.rebandAll()
		m.pass.isStale = true
	}
	m.perps[slot] = p
	m.refreshPerp(slot)
	m.perpMoved(slot)
	m.openCumRoom(slot)
	m.perpCount = max(m.perpCount, slot+1)
	if !m.dexes[dexSlot].isListed {
		m.dexes[dexSlot] = dex{isListed: true, collateral: c.Token(), nameHash: hashName("")}
	}
	return ReasonNone
}

// readTiers builds the tier table of a listing.
func readTiers(group []Command, p *perp, wei uint8) Reason {
	p.tierCount, p.den = 0, 1
	for g := 1; g < len(group); g++ {
		if group[g].Kind != KindPartTiers {
			continue
		}
		for i := range int(min(group[g].Mode, 4)) {
			lower, ok := rescale128(&group[g], i, wei)
			if !ok {
				lower = fixedpoint.I128(-1) // no bound that a tier can have
			}
			if reason := p.addTier(lower, group[g].Ref[i]); reason != ReasonNone {
				return reason
			}
		}
	}
	return p.closeTiers()
}

// addTier appends a tier, which starts above the one before and allows less.
func (p *perp) addTier(lower i128, leverage uint32) Reason {
	if p.tierCount == TiersMax {
		return ReasonLimitExceeded
	}
	isFirst := p.tierCount == 0
	if leverage == 0 || leverage > LeverageMax || isFirst != lower.IsZero() || lower.Sign() < 0 {
		return ReasonInvalidListing
	}
	if !isFirst {
		last := &p.tiers[p.tierCount-1]
		if !last.lower.Less(lower) || uint32(last.maxLeverage) <= leverage {
			return ReasonInvalidListing
		}
	}
	p.tiers[p.tierCount] = tier{lower: lower, maxLeverage: uint16(leverage)}
	p.tierCount++
	p.den = lcm(p.den, 2*int64(leverage))
	if p.den > 1_000_000_000 {
		return ReasonLimitExceeded
	}
	return ReasonNone
}

// closeTiers derives the terms of a tier table over one common denominator.
func (p *perp) closeTiers() Reason {
	if p.tierCount == 0 {
		return ReasonInvalidListing
	}
	for i := range int(p.tierCount) {
		t := &p.tiers[i]
		t.num = p.den / (2 * int64(t.maxLeverage))
		if i > 0 {
			step, ok := t.lower.MulInt64(t.num - p.tiers[i-1].num)
			if !ok {
				return ReasonArithmeticOverflow
			}
			t.deduction = p.tiers[i-1].deduction.Add(step)
		}
	}
	return ReasonNone
}

func lcm(a, b int64) int64 {
	x, y := a, b
	for y != 0 {
		x, y = y, x%y
	}
	return a / x * b
}

// listSpot adds or changes a spot market.
func (m *Machine) listSpot(group []Command) Reason {
	c := &group[0]
	slot := c.Market() &^ SpotBit
	if slot >= SpotsMax || c.Market()&SpotBit == 0 {
		return ReasonLimitExceeded
	}
	base, quote := m.tokenAt(c.Token()), m.tokenAt(c.Ref[RefAccount])
	if base == nil || quote == nil {
		return ReasonUnknownToken
	}
	s := &m.spots[slot]
	if s.isListed && (s.base != c.Token() || s.quote != c.Ref[RefAccount]) || c.Token() == c.Ref[RefAccount] {
		return ReasonInvalidListing
	}
	g := s.guard
	if reason := m.readGuard(c, 2, 2, &g); reason != ReasonNone {
		return reason
	}
	*s = spot{
		isListed: true, isHalted: s.isHalted, index: c.Other(), base: c.Token(), quote: c.Ref[RefAccount], px: s.px,
		name: nameOf(group, 0), guard: g,
	}
	if s.quote == m.numeraire && base.spot == NoSlot {
		base.spot = slot
	}
	m.spotCount = max(m.spotCount, slot+1)
	m.isRepriceDue = true
	return ReasonNone
}

// reprice derives the borrow oracle price of a token from the inputs known (spec 1.1,
// decision 8.19): a token oracle price given stands by itself; else the median of spot,
// perp mark and perp oracle, the latter two divided by the dollar price of the numeraire
// (floor); of two the mean (floor), of one that one, of none the last value.
func (m *Machine) reprice(slot uint32) {
	was := m.tokens[slot].oracleE10
	m.deriveOracle(slot)
	if m.tokens[slot].oracleE10 != was {
		if m.isTick {
			m.movedPrices = append(m.movedPrices, movedPrice{slot | SpotBit, was})
		}
		m.tokenMoved(slot)
	}
}

func (m *Machine) deriveOracle(slot uint32) {
	t := &m.tokens[slot]
	if slot == m.numeraire {
		t.oracleE10 = oracleOne
		return
	}
	if t.givenE10 > 0 {
		t.oracleE10 = t.givenE10
		return
	}
	in, n := m.oracleInputs(t)
	switch n {
	case 1:
		t.oracleE10 = in[0]
	case 2:
		t.oracleE10 = in[0]/2 + in[1]/2 + (in[0] & in[1] & 1)
	case 3:
		t.oracleE10 = max(min(in[0], in[1]), min(max(in[0], in[1]), in[2]))
	}
}

// linkFeeds lists the tokens whose borrow oracle price each perp enters.
func (m *Machine) linkFeeds() {
	clear(m.firstFed[:])
	for slot := range m.tokenCount {
		t := &m.tokens[slot]
		if t.nextFed = 0; t.isListed && t.oraclePerp < PerpsMax {
			t.nextFed, m.firstFed[t.oraclePerp] = m.firstFed[t.oraclePerp], slot+1
		}
	}
}

// repriceFed derives the borrow oracle prices that a perp enters.
func (m *Machine) repriceFed(perpSlot uint32) {
	for at := m.firstFed[perpSlot]; at != 0; at = m.tokens[at-1].nextFed {
		m.reprice(at - 1)
	}
}

// repriceAll derives every token's borrow oracle price.
func (m *Machine) repriceAll() {
	for i := range m.tokenCount {
		if m.tokens[i].isListed {
			m.reprice(i)
		}
	}
}
