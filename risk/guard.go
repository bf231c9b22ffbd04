package risk

import "plimsoll/fixedpoint"

// PriceClass says what a price may be used for.
type PriceClass uint8

// Price classes. Only a fresh price lets risk be taken on and accounts be liquidated.
const (
	PriceFresh   PriceClass = iota // everything
	PriceStale                     // older than its listing allows: no new risk, nobody is liquidated on it
	PriceHalted                    // its market is halted: the same, and no order that increases
	PriceMissing                   // never given
	priceClassCount
)

var priceClassNames = [priceClassCount]string{"fresh", "stale", "halted", "missing"}

// String returns the class as the HTTP contract spells it.
func (c PriceClass) String() string {
	if c < priceClassCount {
		return priceClassNames[c]
	}
	return "missing"
}

// guard is what a listing says about a price, and what is known of it (MODEL.md §13).
type guard struct {
	maxAgeMs int64 // an older price is stale; 0 = none ever is
	bandE12  int64 // share of the last price that a fresh one may be away from it, 1e-12; 0 = any
	timeMs   int64 // engine time at which the price was given
	isStale  bool  // price_stale is told, price_fresh not yet
}

// isOld reports whether a price given at timeMs is stale.
func (m *Machine) isOld(timeMs, maxAgeMs int64) bool {
	return maxAgeMs > 0 && m.timeMs-timeMs > maxAgeMs
}

// readGuard reads max_price_age from number age of a record and price_band from the one
// behind it. A band needs an age: without one a price that left the band would never be taken
// again.
func (m *Machine) readGuard(c *Command, age int, field uint8, g *guard) Reason {
	g.maxAgeMs = max(c.Num[age], 0)
	var ok bool
	if g.bandE12, ok = rescale(c, age+1, 12); !ok || g.bandE12 < 0 || g.bandE12 > rateOne {
		return m.refuseField(ReasonInvalidAmount, field+1)
	}
	if g.bandE12 > 0 && g.maxAgeMs == 0 {
		return m.refuseField(ReasonInvalidListing, field)
	}
	return ReasonNone
}

// perpClass returns the class of a perp's mark.
func (m *Machine) perpClass(p *perp) PriceClass {
	switch {
	case p.mark == 0:
		return PriceMissing
	case p.isHalted || m.haltAll:
		return PriceHalted
	case m.isOld(p.markTimeMs, p.maxAgeMs):
		return PriceStale
	default:
		return PriceFresh
	}
}

// spotClass returns the class of a spot market's price.
func (m *Machine) spotClass(s *spot) PriceClass {
	switch {
	case s.px == 0:
		return PriceMissing
	case s.isHalted || m.haltAll:
		return PriceHalted
	case m.isOld(s.timeMs, s.maxAgeMs):
		return PriceStale
	default:
		return PriceFresh
	}
}

// tokenClass returns the class of a token's borrow oracle price: stale when the price given
// for it is, or, where it is derived, when no input of it is fresh any more (decision 8.19).
func (m *Machine) tokenClass(slot uint32) PriceClass {
	t := &m.tokens[slot]
	switch {
	case slot == m.numeraire:
		return PriceFresh // one of itself
	case t.oracleE10 == 0:
		return PriceMissing
	case t.maxAgeMs == 0:
		return PriceFresh
	case t.givenE10 > 0:
		if m.isOld(t.timeMs, t.maxAgeMs) {
			return PriceStale
		}
		return PriceFresh
	}
	if _, n := m.oracleInputs(t); n == 0 {
		return PriceStale
	}
	return PriceFresh
}

// oracleInputs returns the fresh inputs of a token's derived borrow oracle price: spot, perp
// mark and perp oracle, the latter two divided by the dollar price of the numeraire (floor).
// Of a token with a max_price_age no older input counts.
func (m *Machine) oracleInputs(t *token) (in [3]int64, n int) {
	if t.spot != NoSlot && m.spots[t.spot].px > 0 && !m.isOld(m.spots[t.spot].timeMs, t.maxAgeMs) {
		if v, ok := fixedpoint.Rescale(m.spots[t.spot].px, m.spotPriceDecimals(&m.spots[t.spot]), oracleE); ok {
			in[n] = v
			n++
		}
	}
	p := m.perpAt(t.oraclePerp)
	if p == nil {
		return in, n
	}
	k := int64(oracleOne)
	if q := &m.tokens[m.numeraire]; q.givenE10 > 0 {
		if t.maxAgeMs > 0 && m.isOld(q.timeMs, q.maxAgeMs) {
			return in, n // what a dollar is worth is not known: no price in dollars counts
		}
		k = q.givenE10
	}
	if v, ok := fixedpoint.Rescale(p.mark, p.priceDecimals(), oracleE); ok && p.mark > 0 && !m.isOld(p.markTimeMs, t.maxAgeMs) {
		if v, ok = fixedpoint.MulDivFloor(v, oracleOne, k); ok {
			in[n] = v
			n++
		}
	}
	if p.oracleE10 > 0 && !m.isOld(p.oracleTimeMs, t.maxAgeMs) {
		if v, ok := fixedpoint.MulDivFloor(p.oracleE10, oracleOne, k); ok {
			in[n] = v
			n++
		}
	}
	return in, n
}

// deviates reports whether a price is outside the band around the one it follows, and the
// nearest price that is not. A price that is not there or stale bounds nothing, so a band
// holds a feed up for max_price_age at most.
func (m *Machine) deviates(g guard, last, next int64) (limit int64, isOut bool) {
	if g.bandE12 == 0 || last == 0 || m.isOld(g.timeMs, g.maxAgeMs) {
		return 0, false
	}
	room, ok := fixedpoint.MulDivFloor(last, g.bandE12, rateOne)
	if !ok {
		panic("risk: BUG: price band above 64 bits")
	}
	switch {
	case next > last+room:
		return last + room, true
	case next < last-room:
		return last - room, true
	default:
		return 0, false
	}
}

// guardOf returns the guard of a price and the price that is held.
func (m *Machine) guardOf(kind PriceKind, slot uint32) (g guard, last int64) {
	switch kind {
	case PriceMark:
		p := &m.perps[slot]
		return guard{maxAgeMs: p.maxAgeMs, bandE12: p.bandE12, timeMs: p.markTimeMs}, p.mark
	case PriceOracle:
		p := &m.perps[slot]
		return guard{maxAgeMs: p.maxAgeMs, bandE12: p.bandE12, timeMs: p.oracleTimeMs}, p.oracleE10
	case PriceSpot:
		s := &m.spots[slot&^SpotBit]
		return s.guard, s.px
	default:
		t := &m.tokens[slot]
		return t.guard, t.givenE10
	}
}

// bandVerdict tests one price of a tick against the band of its listing.
func (m *Machine) bandVerdict(kind PriceKind, slot uint32, v int64, decimals, field uint8) Reason {
	g, last := m.guardOf(kind, slot)
	limit, isOut := m.deviates(g, last, v)
	if !isOut {
		return ReasonNone
	}
	m.weighed(RulePriceBand, fixedpoint.I128(v), fixedpoint.I128(limit), decimals)
	m.answer.Field = field
	return ReasonInvalidPrice
}

// findStale tells, at clock commands, which prices have become stale since they were last
// given. A tick tells what is fresh again.
func (m *Machine) findStale() {
	if m.isScratch {
		return // what-if shares the listings: it must not write what is told
	}
	for slot := range m.perpCount {
		if p := &m.perps[slot]; p.isListed && (p.maxAgeMs > 0 || p.isStale) {
			m.tellStale(&p.isStale, p.mark > 0 && m.isOld(p.markTimeMs, p.maxAgeMs), priceEvent{
				market: slot, token: NoSlot, price: p.mark, decimals: p.priceDecimals(), timeMs: p.markTimeMs,
			})
		}
	}
	for i := range m.spotCount {
		if s := &m.spots[i]; s.isListed && (s.maxAgeMs > 0 || s.isStale) {
			m.tellStale(&s.isStale, s.px > 0 && m.isOld(s.timeMs, s.maxAgeMs), priceEvent{
				market: i | SpotBit, token: NoSlot, price: s.px, decimals: m.spotPriceDecimals(s), timeMs: s.timeMs,
			})
		}
	}
	for slot := range m.tokenCount {
		if t := &m.tokens[slot]; t.isListed && (t.maxAgeMs > 0 || t.isStale) {
			m.tellStale(&t.isStale, m.isTokenOld(slot), priceEvent{
				market: NoSlot, token: slot, price: t.oracleE10, decimals: oracleE, timeMs: t.timeMs,
			})
		}
	}
}

// isTokenOld reports whether a token's price is stale; that of the numeraire is what a dollar
// is worth in it.
func (m *Machine) isTokenOld(slot uint32) bool {
	if t := &m.tokens[slot]; slot == m.numeraire {
		return t.givenE10 > 0 && m.isOld(t.timeMs, t.maxAgeMs)
	}
	return m.tokenClass(slot) == PriceStale
}

// priceEvent is what price_stale and price_fresh tell.
type priceEvent struct {
	market, token uint32
	price         int64
	decimals      uint8
	timeMs        int64 // at which the price was given; 0 for a derived one
}

// tellStale keeps and tells whether a price is stale, when that has changed.
func (m *Machine) tellStale(isTold *bool, isStale bool, e priceEvent) {
	if *isTold == isStale {
		return
	}
	*isTold = isStale
	kind := EventPriceFresh
	m.staleCount--
	if isStale {
		kind = EventPriceStale
		m.staleCount += 2
	}
	m.emitOnce(Event{
		Kind: kind, Phase: phaseGlobal, Market: e.market, Token: e.token, Amount: fixedpoint.I128(e.price), Decimals: e.decimals,
		OrderLo: uint64(max(e.timeMs, 0)),
	})
}

// findFresh tells, at the end of a tick, which prices told as stale are fresh again. It costs
// nothing while none is.
func (m *Machine) findFresh() {
	if m.staleCount > 0 {
		m.findStale()
	}
}

// mix adds what is listed or told to a hash, where there is any: states of before there were
// guards keep theirs.
func (g *guard) mix(mix *fixedpoint.Mixer) {
	if g.maxAgeMs != 0 || g.bandE12 != 0 || g.isStale {
		mix.U64(uint64(g.maxAgeMs))
		mix.U64(uint64(g.bandE12))
		mix.U64(bit(g.isStale))
	}
}
