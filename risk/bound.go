package risk

import "plimsoll/internal/prefetch"

// An account's bounds stand beside its positions, and in the spare bytes of its balances. A
// bound that is not zero has an entry of its code in its wheel, or among those that a crash has
// taken out of it (bandowed.go); entries of other codes are stale. Each has a mark for the
// collection of stale entries (wheelsweep.go).

// positionBounds are the bounds of a perp's price.
type positionBounds [2]uint32

const boundMark = 1 << 31

func (b *positionBounds) get(side uint8) uint32      { return b[side] &^ boundMark }
func (b *positionBounds) isMarked(side uint8) bool   { return b[side]&boundMark != 0 }
func (b *positionBounds) mark(side uint8, turn bool) { b.set(side, b.get(side), turn) }

func (b *positionBounds) set(side uint8, code uint32, isMarked bool) {
	if b[side] = code; isMarked {
		b[side] |= boundMark
	}
}

// balanceBounds are the bounds of a token's price, in 23 bits and the mark each: such a bound
// is a multiple of 2^tokenGrain codes, 8e-6 of the price, taken inwards.
type balanceBounds [2][3]uint8

const tokenGrain = 8

func (b *balanceBounds) bits(side uint8) uint32 {
	v := b[side]
	return uint32(v[0]) | uint32(v[1])<<8 | uint32(v[2])<<16
}

func (b *balanceBounds) get(side uint8) uint32 {
	code := b.bits(side) >> 1 << tokenGrain
	if side == sideHigh && code != 0 {
		code--
	}
	return code
}

func (b *balanceBounds) isMarked(side uint8) bool   { return b[side][0]&1 != 0 }
func (b *balanceBounds) mark(side uint8, turn bool) { b.set(side, b.get(side), turn) }

func (b *balanceBounds) set(side uint8, code uint32, isMarked bool) {
	if side == sideHigh && code != 0 {
		code++
	}
	v := code >> tokenGrain << 1
	if isMarked {
		v |= 1
	}
	b[side] = [3]uint8{uint8(v), uint8(v >> 8), uint8(v >> 16)}
}

// grained takes a bound of a token's price inwards to one that can be kept.
func grained(side uint8, code uint32) uint32 {
	const mask = 1<<tokenGrain - 1
	if side == sideLow {
		return (code + mask) &^ mask
	}
	return (code+1)&^mask - 1
}

// boundAt returns a bound of the box that is kept for a coordinate.
func (m *Machine) boundAt(a *account, c *coordinate, side uint8) uint32 {
	if c.isToken() {
		return m.balances.of(&a.balances)[c.place].bounds.get(side)
	}
	return m.positions.bounds[c.place].get(side)
}

// keepBound keeps a bound of the box; the mark is of the entry that goes with it.
func (m *Machine) keepBound(a *account, c *coordinate, side uint8, code uint32, isMarked bool) {
	if c.isToken() {
		b := &m.balances.of(&a.balances)[c.place].bounds
		m.bands.tokenBounds += countChange(b.get(side), code)
		b.set(side, code, isMarked)
		return
	}
	m.positions.keepBound(int(c.place), side, code, isMarked)
}

// keepBound keeps a bound of position i.
func (s *positionSlab) keepBound(i int, side uint8, code uint32, isMarked bool) {
	b := &s.bounds[i]
	s.bounded += countChange(b.get(side), code)
	b.set(side, code, isMarked)
}

// countChange returns what a bound counts more than the one before it.
func countChange(was, now uint32) int { return int(min(now, 1)) - int(min(was, 1)) }

// takeBound forgets the bound of an entry that left its wheel; false when the entry was stale.
func (m *Machine) takeBound(number uint32, side uint8, e wheelEntry) bool {
	a := &m.accounts[e.local]
	if number < PerpsMax {
		i := m.positions.find(&a.positions, uint16(number))
		if i < 0 || m.positions.bounds[i].get(side) != e.code {
			return false
		}
		m.positions.keepBound(i, side, 0, false)
		return true
	}
	b := m.balanceOf(a, uint16(number-PerpsMax))
	if b == nil || b.bounds.get(side) != e.code {
		return false
	}
	m.bands.tokenBounds--
	b.bounds.set(side, 0, false)
	return true
}

// seeBound gives the bound of an entry the mark of a collection; false when the entry is
// stale, or the mark is there already, so that it is not the only one.
func (m *Machine) seeBound(number uint32, side uint8, e wheelEntry, turn bool) bool {
	a := &m.accounts[e.local]
	if number < PerpsMax {
		i := m.positions.find(&a.positions, uint16(number))
		if i < 0 || m.positions.bounds[i].get(side) != e.code || m.positions.bounds[i].isMarked(side) == turn {
			return false
		}
		m.positions.bounds[i].mark(side, turn)
		return true
	}
	b := m.balanceOf(a, uint16(number-PerpsMax))
	if b == nil || b.bounds.get(side) != e.code || b.bounds.isMarked(side) == turn {
		return false
	}
	b.bounds.mark(side, turn)
	return true
}

// prefetchColumns asks for an account's columns, prefetchBlocks for what they lead to.
func (m *Machine) prefetchColumns(local uint32) {
	prefetch.Item(&m.accounts[local])
	prefetch.Item(&m.hot[local])
}

// prefetchHot asks for what a look reads of an account by its place, prefetchLook for what that
// leads to: less than all of it for most accounts.
func (m *Machine) prefetchHot(local uint32) {
	prefetch.Item(&m.hot[local])
	prefetch.Item(&m.fixedE12[local])
	prefetch.Item(&m.lent[local])
}

func (m *Machine) prefetchLook(local uint32) {
	h := &m.hot[local]
	if kind := h.kind(); kind < hotStandard || kind > hotLend {
		prefetch.Item(&m.accounts[local])
		m.prefetchBlocks(local)
		return
	}
	at, end := h.start, h.start+uint32(h.count)
	prefetch.Item(&m.accounts[local])
	prefetch.Items(m.positions.size[at:end])
	prefetch.Items(m.positions.perp[at:end])
}

func (m *Machine) prefetchBlocks(local uint32) {
	a := &m.accounts[local]
	at, end := a.positions.start, a.positions.start+uint32(a.positions.count)
	prefetch.Items(m.positions.size[at:end])
	prefetch.Items(m.positions.perp[at:end])
	prefetch.Items(m.positions.bounds[at:end])
	if a.mode == ModePortfolio {
		prefetch.Items(m.balances.of(&a.balances))
	}
}
