package risk

import "plimsoll/internal/prefetch"

// An account's bounds stand beside its positions, and in the spare bytes of its balances. A
// bound that is not zero has an entry of its code in its wheel; entries of other codes are
// stale.

// positionBounds are the bounds of a perp's price.
type positionBounds [2]uint32

func (b *positionBounds) get(side uint8) uint32       { return b[side] }
func (b *positionBounds) set(side uint8, code uint32) { b[side] = code }

// balanceBounds are the bounds of a token's price, in 24 bits each: such a bound is a multiple
// of 2^tokenGrain codes, 4e-6 of the price, taken inwards.
type balanceBounds [2][3]uint8

const tokenGrain = 7

func (b *balanceBounds) get(side uint8) uint32 {
	v := b[side]
	code := (uint32(v[0]) | uint32(v[1])<<8 | uint32(v[2])<<16) << tokenGrain
	if side == sideHigh && code != 0 {
		code--
	}
	return code
}

func (b *balanceBounds) set(side uint8, code uint32) {
	if side == sideHigh && code != 0 {
		code++
	}
	code >>= tokenGrain
	b[side] = [3]uint8{uint8(code), uint8(code >> 8), uint8(code >> 16)}
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

// keepBound keeps a bound of the box.
func (m *Machine) keepBound(a *account, c *coordinate, side uint8, code uint32) {
	if c.isToken() {
		m.balances.of(&a.balances)[c.place].bounds.set(side, code)
		return
	}
	m.positions.bounds[c.place].set(side, code)
}

// hasBound reports whether an entry is not stale: its account keeps that bound.
func (m *Machine) hasBound(number uint32, side uint8, e wheelEntry) bool {
	a := &m.accounts[e.local]
	if number < PerpsMax {
		i := m.positions.find(&a.positions, uint16(number))
		return i >= 0 && m.positions.bounds[i].get(side) == e.code
	}
	b := m.balanceOf(a, uint16(number-PerpsMax))
	return b != nil && b.bounds.get(side) == e.code
}

// dropBound forgets the bound of an entry that left its wheel.
func (m *Machine) dropBound(number uint32, side uint8, e wheelEntry) {
	a := &m.accounts[e.local]
	if number < PerpsMax {
		m.positions.bounds[m.positions.find(&a.positions, uint16(number))].set(side, 0)
		return
	}
	m.balanceOf(a, uint16(number-PerpsMax)).bounds.set(side, 0)
}

// prefetchColumns asks for an account's columns, prefetchBlocks for what they lead to.
func (m *Machine) prefetchColumns(local uint32) {
	prefetch.Item(&m.accounts[local])
	prefetch.Item(&m.hot[local])
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
