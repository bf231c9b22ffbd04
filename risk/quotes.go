package risk

import "plimsoll/fixedpoint"

// PricePlaces is how many prices there can be: mark and oracle of every perp, every spot,
// every token.
const PricePlaces = 2*PerpsMax + SpotsMax + TokensMax

// Quotes tells, away from the machine, which prices it takes: those of what is listed, with
// no more decimals and no larger than they are held. A listing never goes and its decimals
// never change, so what some Quotes take the machine takes until the next listing. A price
// with a band is not among them: whether it is taken depends on the one before it.
type Quotes struct {
	held [PricePlaces]uint8 // decimals a price is held with, plus 1; 0 = not listed, or with a band
}

// Quotes returns what the machine takes now.
func (m *Machine) Quotes() *Quotes {
	q := &Quotes{}
	for slot := range m.perpCount {
		if p := m.perpAt(slot); p != nil && p.bandE12 == 0 {
			q.List(PriceMark, slot, p.priceDecimals())
			q.List(PriceOracle, slot, oracleE)
		}
	}
	for i := range m.spotCount {
		if s := m.spotAt(i | SpotBit); s != nil && s.bandE12 == 0 {
			q.List(PriceSpot, i|SpotBit, m.spotPriceDecimals(s))
		}
	}
	for slot := range m.tokenCount {
		if t := m.tokenAt(slot); t != nil && t.bandE12 == 0 {
			q.List(PriceTokenOracle, slot, oracleE)
		}
	}
	return q
}

// List adds a price that is held with so many decimals.
func (q *Quotes) List(kind PriceKind, slot uint32, decimals uint8) {
	place, ok := pricePlace(kind, slot)
	if !ok {
		panic("risk: BUG: a price that cannot be listed")
	}
	q.held[place] = decimals + 1
}

// Takes reports whether the machine takes price i of a KindPrices record, and where that
// price stands among all, in 0 … PricePlaces-1.
func (q *Quotes) Takes(c *Command, i int) (place int, ok bool) {
	place, ok = pricePlace(c.PriceKindAt(i), c.Ref[i])
	if !ok || q.held[place] == 0 {
		return 0, false
	}
	v, ok := heldPrice(c, i, q.held[place]-1)
	return place, ok && v > 0
}

// pricePlace numbers the prices: marks, oracles, spots, tokens.
func pricePlace(kind PriceKind, slot uint32) (place int, ok bool) {
	const spots, tokens = 2 * PerpsMax, 2*PerpsMax + SpotsMax
	switch kind {
	case PriceMark:
		return int(slot), slot < PerpsMax
	case PriceOracle:
		return PerpsMax + int(slot), slot < PerpsMax
	case PriceSpot:
		return spots + int(slot&^SpotBit), slot&SpotBit != 0 && slot&^SpotBit < SpotsMax
	case PriceTokenOracle:
		return tokens + int(slot), slot < TokensMax
	}
	return 0, false
}

// heldPrice rescales price i of a record to the decimals that it is held with.
func heldPrice(c *Command, i int, decimals uint8) (int64, bool) {
	limit := int64(OraclePriceMax)
	if kind := c.PriceKindAt(i); kind == PriceMark || kind == PriceSpot {
		limit = PriceMax
	}
	v, ok := rescale(c, i, decimals)
	if !ok || v > limit {
		return v, false
	}
	_, ok = fixedpoint.Rescale(v, decimals, oracleE) // every price may enter an oracle price
	return v, ok
}
