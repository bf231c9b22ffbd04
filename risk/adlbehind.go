package risk

import (
	"math/bits"

	"plimsoll/fixedpoint"
	"plimsoll/internal/prefetch"
)

// Most holders are not wanted in a ranking, and hot columns tell that of nearly all of them:
// low + Σ size x value (pass.go) is at most what stands behind the position, so that its place
// is at most
//
//	share x scoreOne / that        share: of a long notional^2/entry, of a short the entry
//
// With the extremes of what was ever paid in the market no entry needs to be read for the first
// question; those left over are asked again with their own. What cannot be judged so is ranked
// exactly. So is everybody whose place may be the lowest wanted: of equal ones the number of the
// account decides.

// considered are accounts that are asked together, so that what is read of them is under way at
// the same time.
type considered struct {
	count  int
	locals [rankBatch]uint32
	hot    [rankBatch]hotAccount
	size   [rankBatch]int64  // of the first position
	perp   [rankBatch]uint16 // likewise
	held   [rankBatch]int    // of those left over: the place of the position, heldUnknown
}

// What isBehind finds instead of the place of a position.
const (
	heldBehind  = -1 // the account is not wanted
	heldUnknown = -2 // it cannot be judged by its columns
)

const rankBatch = 64

// behindSlack is what rounding can add to low + Σ size x value, in units: that of a dex's equity
// and of a supply.
const behindSlack = 2

// entryRise is how far, in parts of a price, rounding up can take an entry above what was paid:
// each decrease of a position rounds its entry up by one at most, and is felt by as many size
// units as are left, so that all from 2^50 down to one come to the logarithm of that.
const entryRise = 64

// consider adds an account to those asked together.
func (m *Machine) consider(local uint32) {
	c := &m.rankOf.batch
	c.locals[c.count%rankBatch] = local
	if c.count++; c.count == rankBatch {
		m.considerBatch()
	}
}

// considerBatch ranks those of a batch who can be wanted.
func (m *Machine) considerBatch() {
	r := &m.rankOf
	c := &r.batch
	n := min(c.count, rankBatch)
	c.count = 0
	for i, local := range c.locals[:n] {
		c.hot[i] = m.hot[local]
	}
	sizes := m.positions.size
	perps := m.positions.perp[:len(sizes)]
	for i := range n {
		at := c.hot[i].start
		c.size[i], c.perp[i] = sizes[at], perps[at]
	}
	kept := 0
	for i, local := range c.locals[:n] {
		held := m.heldAhead(local, &c.hot[i], c.size[i], c.perp[i])
		if held == heldBehind {
			continue
		}
		c.locals[kept], c.held[kept] = local, held
		kept++
		prefetch.Item(&r.seen[local])
		if held == heldUnknown {
			prefetch.Item(&m.accounts[local])
			continue
		}
		prefetch.Item(&m.fixedE12[local])
		prefetch.Item(&m.positions.terms[held])
	}
	for i, local := range c.locals[:kept] {
		if r.seen[local] == r.round {
			continue
		}
		if c.held[i] == heldUnknown {
			m.rankOne(local)
			continue
		}
		r.seen[local] = r.round
		m.rankHeld(local, c.held[i])
	}
}

// heldAhead returns the place of the position of an account, or heldBehind when it does not hold
// the side that is ranked or stands below the lowest place that is wanted. Its first position is
// given. All columns must be refreshed.
func (m *Machine) heldAhead(local uint32, h *hotAccount, size int64, perp uint16) int {
	r := &m.rankOf
	if h.passed == 0 || r.wanted.IsZero() {
		return heldUnknown
	}
	sum, held, place := h.low, int64(0), heldBehind
	for at := int(h.start); ; perp, size = m.positions.perp[at], m.positions.size[at] {
		perp &= PerpsMax - 1
		value := r.values[perp]
		if value == valueUnknown {
			return heldUnknown
		}
		sum += size * value
		if uint32(perp) == r.market {
			held, place = size, at
		}
		if at++; at >= int(h.start)+int(h.passed) {
			break
		}
	}
	if held == 0 || (held > 0) != r.isLong {
		return heldBehind
	}
	if h.kind() == hotLend {
		worth, _ := bits.Mul64(uint64(max(0, m.lent[local])), r.supply)
		sum += int64(worth) * (4 * passScale)
	}
	value := sum/passScale - behindSlack
	if value <= 0 || r.share == 0 || h.kind() == hotLend && m.lent[local] < 0 {
		return place
	}
	if over, share := bits.Mul64(uint64(max(held, -held)), r.share); over == 0 && r.isBelow(share, uint64(value)) {
		return heldBehind
	}
	return place
}

// valueUnknown is the value of a perp whose anchor is none, or less than half of its price: sums
// with it may not fit.
const valueUnknown = -1

// openRankings takes over present prices for the rankings of a group.
func (m *Machine) openRankings() {
	r := &m.rankOf
	m.openPass()
	for slot := range m.perpCount {
		x, h := &m.pass.anchors[slot], &m.hotPerps[slot]
		r.values[slot] = valueUnknown
		if value := m.passValue(h); h.valueE12 >= 0 && x.price > 0 && anchorOf(h, value) <= pricesTwice*x.price {
			r.values[slot] = value
		}
	}
	r.supply = 0
	if n := m.tokens[m.numeraire].pool; n >= 0 && int(n) < len(m.pools) { // nothing listed: none
		if worth := mustFit(m.pools[n].supplyIndex.ValueFloor(fixedpoint.I128(riseOne))); worth.Hi == 0 {
			r.supply = worth.Lo
		}
	}
}

// isBelow reports that a share of what stands behind it is a place below the lowest wanted.
func (r *ranking) isBelow(share, value uint64) bool {
	high, low := bits.Mul64(share, scoreOne)
	leastHigh, leastLow := bits.Mul64(r.least, value)
	return high < leastHigh || high == leastHigh && low < leastLow
}

// mostShare returns the most that a size unit of the market can be of a place, less what stands
// behind it, in collateral units; 0 when it is not known or does not fit.
func (m *Machine) mostShare() uint64 {
	p, h := &m.perps[m.rankOf.market], &m.hotPerps[m.rankOf.market]
	if p.paidLow <= 0 || p.mark <= 0 {
		return 0
	}
	if !m.rankOf.isLong {
		high, share := bits.Mul64(uint64(p.paidHigh+entryRise), uint64(fixedpoint.Pow10(p.scale)))
		if high != 0 {
			return 0
		}
		return share
	}
	high, low := bits.Mul64(h.unitPrice, uint64(p.mark))
	if high >= uint64(p.paidLow) {
		return 0
	}
	share, rest := bits.Div64(high, low, uint64(p.paidLow))
	return share + min(rest, 1)
}
