package risk

import "plimsoll/fixedpoint"

type (
	i128  = fixedpoint.Int128
	index = fixedpoint.Index
)

// scales shared by the core.
const (
	rateOne            = 1_000_000_000_000 // 1.0 at 1e-12: rates, loan-to-value, weights
	oracleE            = OraclePriceDecimals
	rateMax            = 1000 * rateOne // of a yearly rate, 1e-12
	oracleOne          = 10_000_000_000 // 1.0 at 1e-10
	leverageDefaultMax = 20             // of a leverage never set
)

// token is one listed token.
type token struct {
	isListed     bool
	isBorrowable bool
	index        uint32
	wei          uint8 // decimals of amounts
	sz           uint8 // decimals of spot sizes
	pool         int16 // pool number, -1 without one
	oraclePerp   uint32
	spot         uint32 // spot market against the numeraire, NoSlot without one
	tokenID      uint64
	name         string
	fullName     string
	nameHash     uint64

	ltvE12        int64
	supplyCap     i128 // token units
	borrowCap     i128
	userSupplyCap i128
	userBorrowCap i128
	rateBaseE12   int64
	rateSlopeE12  int64
	rateKinkE12   int64
	reserveE12    int64
	takeoverWidth i128

	nextFed   uint32 // next token that the same perp feeds, plus one
	givenE10  int64  // token oracle price as given, 0 = never
	oracleE10 int64  // borrow oracle price, 0 = unknown
	guard            // of the price given; its age also bounds the inputs of a derived one
}

// dex is one perp dex; slot 0 is the main one.
type dex struct {
	isListed   bool
	index      uint32
	collateral uint32
	name       string
	nameHash   uint64
}

// tier is one row of a maintenance margin table. Maintenance margin is
// ceil((notional*num - deduction) / den) with den common to the perp's tiers, so that the
// rational formula of spec 2.2 is rounded once.
type tier struct {
	lower       i128 // collateral units, inclusive
	num         int64
	deduction   i128
	maxLeverage uint16
}

// perp is one listed perpetual; what a margin pass reads stands in hotPerp.
type perp struct {
	mark      int64 // at 1e-priceDecimals; 0 = unknown
	den       int64
	tierCount uint8
	sz        uint8
	scale     uint8 // collateral units per 1e-6: 10^scale
	isListed  bool
	dexSlot   uint16
	tiers     [TiersMax]tier

	index      uint32
	collateral uint32
	mode       MarginMode
	isHalted   bool
	maxAgeMs   int64
	fundingCap int64 // hourly rate at 1e-12, 0 = none
	openCap    int64 // size units, 0 = none
	oracleE10  int64
	markTimeMs int64
	paidLow    int64  // the lowest and the highest price at which anybody has opened: derived data,
	paidHigh   int64  // entries lie between; 0 = nobody
	markBefore int64  // the mark before Seq movedSeq: ADL closes there
	movedSeq   uint64 // of the tick that set mark last
	cumE12     int64  // cumulative funding per size unit, 1e-12 collateral
	rateE12    int64  // last hourly rate
	pool       int16  // shared total of its open interest, -1 without a cap
	openLong   i128   // this shard's long size
	name       string
	nameHash   uint64

	oracleTimeMs int64
	bandE12      int64 // see guard: of mark and oracle price, as is maxAgeMs
	isStale      bool  // price_stale is told of the mark
}

// priceDecimals returns the decimals of the perp's prices.
func (p *perp) priceDecimals() uint8 { return SzDecimalsMax - p.sz }

// maxLeverage returns the leverage of the first tier.
func (p *perp) maxLeverage() uint16 { return p.tiers[0].maxLeverage }

// tierOf returns the tier of a notional in collateral units.
func (p *perp) tierOf(notional i128) *tier {
	i := int(p.tierCount) - 1
	for i > 0 && notional.Less(p.tiers[i].lower) {
		i--
	}
	return &p.tiers[i]
}

// maintenance returns the maintenance margin of a notional, both in collateral units,
// rounded up (MODEL.md §2.2).
func (p *perp) maintenance(notional i128) i128 {
	t := p.tierOf(notional)
	n, ok := notional.MulInt64(t.num)
	if !ok {
		panic("risk: BUG: notional above its limit in maintenance")
	}
	return n.Sub(t.deduction).DivCeil(p.den)
}

// boundFor returns the largest notional, in collateral units, at which leverage is
// still allowed, and false when no tier ends it.
func (p *perp) boundFor(leverage uint16) (i128, bool) {
	for i := 1; i < int(p.tierCount); i++ {
		if p.tiers[i].maxLeverage < leverage {
			return p.tiers[i].lower, true
		}
	}
	return i128{}, false
}

// spot is one listed spot market.
type spot struct {
	isListed bool
	isHalted bool
	index    uint32
	base     uint32
	quote    uint32
	px       int64 // quote per base at 1e-(8-sz of base); 0 = unknown
	name     string
	guard
}

// spotPriceDecimals returns the decimals of a spot market's prices.
func (m *Machine) spotPriceDecimals(s *spot) uint8 { return 8 - min(m.tokens[s.base].sz, 8) }

// rescale brings number i of a record to the decimals of its instrument, exactly.
func rescale(c *Command, i int, decimals uint8) (int64, bool) {
	if c.Dec[i] > 18 {
		return 0, false
	}
	return fixedpoint.Rescale(c.Num[i], c.Dec[i], decimals)
}

// rescale128 is rescale for amounts that may pass 64 bits.
func rescale128(c *Command, i int, decimals uint8) (i128, bool) {
	if c.Dec[i] > 18 {
		return i128{}, false
	}
	return fixedpoint.Rescale128(fixedpoint.I128(c.Num[i]), c.Dec[i], decimals)
}

// tokenAt returns the listed token of a slot, or nil.
func (m *Machine) tokenAt(slot uint32) *token {
	if slot >= uint32(len(m.tokens)) || !m.tokens[slot].isListed {
		return nil
	}
	return &m.tokens[slot]
}

// perpAt returns the listed perp of a market slot, or nil.
func (m *Machine) perpAt(slot uint32) *perp {
	if slot >= uint32(len(m.perps)) || !m.perps[slot].isListed {
		return nil
	}
	return &m.perps[slot]
}

// spotAt returns the listed spot market of a market slot, or nil.
func (m *Machine) spotAt(slot uint32) *spot {
	if slot&SpotBit == 0 || slot&^SpotBit >= uint32(len(m.spots)) || !m.spots[slot&^SpotBit].isListed {
		return nil
	}
	return &m.spots[slot&^SpotBit]
}

// isMarket reports whether a market slot names a listed perp or spot.
func (m *Machine) isMarket(slot uint32) bool { return m.perpAt(slot) != nil || m.spotAt(slot) != nil }
