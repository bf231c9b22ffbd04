package risk

import (
	"slices"

	"plimsoll/fixedpoint"
)

// corner evaluates an account as if prices stood at a corner of its box: the machine's prices
// are exchanged for those of the corner, the functions that decide are asked, and the prices
// are put back. So a change of the model changes what bands hold without being told to.
//
// Along one position equity and requirement move together: up with the price, and equity never
// by less than the requirement, whose slope is at most one times the notional's (leverage is
// at least 1; of maintenance a half, which every line counts at most 1.05 times). So a long
// can only lose on its lower side and a short on its upper, and each is taken at that price
// with the requirement of that price. Rounding breaks the order by less than one unit a
// division: so much, and more, is taken off every cash first.
type corner struct {
	isOpen  bool
	isWorst bool
	pad     int64 // units of each collateral token, taken off or put on each cash
	debt    [PoolsMax]index
	supply  [PoolsMax]index
	used    [PoolsMax]int16
	usedN   int
}

// savedPrice is what a corner put aside of one coordinate.
type savedPrice struct {
	hot    hotPerp
	mark   int64
	cumE12 int64
	oracle int64
}

// padPerTerm bounds what rounding can shift for one position or balance: a unit for each of
// the divisions of its value, its requirement, its buffer and its weight, both ways.
const padPerTerm = 8

// sideOf returns the side of a coordinate that a corner stands on.
func (k *corner) sideOf(c *coordinate) uint8 {
	if k.isWorst {
		return c.adverse
	}
	return sideHigh - c.adverse
}

// enterCorner exchanges the prices that an account reads.
func (m *Machine) enterCorner(a *account, isWorst bool) {
	k := &m.corner
	k.isOpen, k.isWorst, k.usedN = true, isWorst, 0
	k.pad = padPerTerm * int64(2+int(a.positions.count)+int(a.balances.count))
	if isWorst {
		k.pad = -k.pad
	}
	for i := range m.bands.box {
		c := &m.bands.box[i]
		if c.isToken() {
			t := &m.tokens[c.number-PerpsMax]
			c.saved.oracle = t.oracleE10
			t.oracleE10 = int64(c.end(k.sideOf(c)))
			continue
		}
		m.enterPerp(c, k)
	}
	m.padCash(a, k.pad)
	for _, b := range m.balances.of(&a.balances) {
		if !b.lend.IsZero() {
			m.enterPool(m.tokens[b.key].pool)
		}
	}
}

// enterPerp exchanges a perp's price: value exactly that of the end, requirements at the mark
// that belongs to it with funding at the worse end of its room.
func (m *Machine) enterPerp(c *coordinate, k *corner) {
	p, h := &m.perps[c.number], &m.hotPerps[c.number]
	c.saved = savedPrice{hot: *h, mark: p.mark, cumE12: p.cumE12}
	value := int64(c.end(k.sideOf(c)))
	room := &m.bands.epoch.cum[c.number]
	if k.isWorst {
		p.mark = ceilE6(value, room.high)
	} else {
		p.mark = max(floorE6(value, room.low), 1)
	}
	m.refreshPerp(c.number)
	p.cumE12 = p.mark*1_000_000 - value
	h.valueE12 = value
}

// ceilE6 and floorE6 return (value + cum) at 1e-12 as a price at 1e-6.
func ceilE6(value, cum int64) int64 { return -floorE6(-value, -cum) }

func floorE6(value, cum int64) int64 {
	v, _ := fixedpoint.I128(value).Add(fixedpoint.I128(cum)).DivFloor(1_000_000).Int64()
	return v
}

// enterPool moves the index of a pool to the end of its room where it counts against the
// account, or for it.
func (m *Machine) enterPool(n int16) {
	k := &m.corner
	if slices.Contains(k.used[:k.usedN], n) {
		return
	}
	p, room := &m.pools[n], &m.bands.epoch.pools[n]
	k.used[k.usedN] = n
	k.debt[k.usedN], k.supply[k.usedN] = p.debtIndex, p.supplyIndex
	k.usedN++
	if k.isWorst {
		p.debtIndex = room.debtHigh
	} else {
		p.supplyIndex = room.supplyHigh
	}
}

// padCash adds to every cash that an equity with a price in it rests on.
func (m *Machine) padCash(a *account, pad int64) {
	dexes := m.bands.crossDexes
	if dexes&1 != 0 {
		a.raw = a.raw.Add(fixedpoint.I128(pad))
	}
	items := m.balances.of(&a.balances)
	for i := range items {
		if key := items[i].key; key&dexBit != 0 && dexes>>(key&^dexBit)&1 != 0 {
			items[i].cash = items[i].cash.Add(fixedpoint.I128(pad))
		}
	}
	for i := a.positions.start; i < a.positions.start+uint32(a.positions.count); i++ {
		if m.positions.perp[i]&isolatedBit != 0 {
			m.positions.terms[i].raw += pad
		}
	}
}

// leaveCorner puts everything back.
func (m *Machine) leaveCorner(a *account) {
	k := &m.corner
	for i := range m.bands.box {
		c := &m.bands.box[i]
		if c.isToken() {
			m.tokens[c.number-PerpsMax].oracleE10 = c.saved.oracle
			continue
		}
		p := &m.perps[c.number]
		m.hotPerps[c.number], p.mark, p.cumE12 = c.saved.hot, c.saved.mark, c.saved.cumE12
	}
	for i, n := range k.used[:k.usedN] {
		m.pools[n].debtIndex, m.pools[n].supplyIndex = k.debt[i], k.supply[i]
	}
	m.padCash(a, -k.pad)
	k.isOpen = false
}

// standingAtEnds judges an account by a settlement token at both ends of the token's price,
// and returns the worse of the two at a worst corner, the better one at a best.
func (m *Machine) standingAtEnds(a *account, f *figures, q uint32) status {
	for i := range m.bands.box {
		c := &m.bands.box[i]
		if c.number != PerpsMax+q {
			continue
		}
		t := &m.tokens[q]
		side := t.oracleE10
		t.oracleE10 = int64(c.end(sideLow))
		low := m.standingPortfolio(a, f, q)
		t.oracleE10 = int64(c.end(sideHigh))
		high := m.standingPortfolio(a, f, q)
		t.oracleE10 = side
		if m.corner.isWorst {
			return low.or(high)
		}
		return low.and(high)
	}
	return m.standingPortfolio(a, f, q)
}

// isSafe reports that an account's status is s all over the box.
func (m *Machine) isSafe(a *account, s status) bool {
	m.enterCorner(a, true)
	worst := m.statusOf(a, m.evaluate(a))
	m.leaveCorner(a)
	if worst != s || s.isBest() {
		return worst == s
	}
	m.enterCorner(a, false)
	best := m.statusOf(a, m.evaluate(a))
	m.leaveCorner(a)
	return best == s
}
