package risk

import "plimsoll/fixedpoint"

// positionTerms are the columns of a position that the hot pass does not read.
type positionTerms struct {
	cumE12  int64 // cumulative funding at the last touch
	entry   int64 // entry notional at 1e-6, never negative
	raw     int64 // isolated: cash of the position, collateral units
	funding int64 // funding paid since the position was opened, collateral units
}

// isolatedBit marks an isolated position in the perp column, leverageSet a leverage that
// the account chose in the leverage column.
const (
	isolatedBit = 1 << 15
	leverageSet = 1 << 15
)

// positionSlab keeps positions in parallel columns; an account's positions are
// contiguous, ordered by perp slot.
type positionSlab struct {
	size    []int64  // signed, size units
	perp    []uint16 // perp slot and isolatedBit
	lever   []uint16 // leverage and leverageSet
	terms   []positionTerms
	bounds  []positionBounds // derived data
	bounded int              // bounds that are not zero
	free    [classMax][]uint32
}

func newPositionSlab(capacity uint32) positionSlab {
	capacity = max(capacity, 2)
	return positionSlab{
		size: make([]int64, 1, capacity), perp: make([]uint16, 1, capacity), lever: make([]uint16, 1, capacity),
		terms: make([]positionTerms, 1, capacity), bounds: make([]positionBounds, 1, capacity),
	}
}

func (s *positionSlab) alloc(class uint8) uint32 {
	if n := len(s.free[class]); n > 0 {
		start := s.free[class][n-1]
		s.free[class] = s.free[class][:n-1]
		return start
	}
	start, need := len(s.size), len(s.size)+1<<class
	if need > cap(s.size) {
		room := max(need, cap(s.size)+cap(s.size)/4)
		s.size = append(make([]int64, 0, room), s.size...)
		s.perp = append(make([]uint16, 0, room), s.perp...)
		s.lever = append(make([]uint16, 0, room), s.lever...)
		s.terms = append(make([]positionTerms, 0, room), s.terms...)
		s.bounds = append(make([]positionBounds, 0, room), s.bounds...)
	}
	s.size, s.perp, s.lever, s.terms = s.size[:need], s.perp[:need], s.lever[:need], s.terms[:need]
	s.bounds = s.bounds[:need]
	return uint32(start)
}

// find returns the slab index of an account's position in a perp, or -1.
func (s *positionSlab) find(b *span, perpSlot uint16) int {
	for i := int(b.start); i < int(b.start)+int(b.count); i++ {
		if s.perp[i]&^isolatedBit == perpSlot {
			return i
		}
	}
	return -1
}

// ensure returns the slab index of an account's position in a perp, adding an empty one.
func (s *positionSlab) ensure(b *span, perpSlot uint16) int {
	at := int(b.start)
	for end := at + int(b.count); at < end; at++ {
		have := s.perp[at] &^ isolatedBit
		if have == perpSlot {
			return at
		}
		if have > perpSlot {
			break
		}
	}
	gap := at - int(b.start)
	switch {
	case b.start == 0:
		b.start, b.class = s.alloc(0), 0
	case b.count == 1<<b.class:
		start := s.alloc(b.class + 1)
		n := int(b.count)
		copy(s.size[start:], s.size[b.start:][:n])
		copy(s.perp[start:], s.perp[b.start:][:n])
		copy(s.lever[start:], s.lever[b.start:][:n])
		copy(s.terms[start:], s.terms[b.start:][:n])
		copy(s.bounds[start:], s.bounds[b.start:][:n])
		s.free[b.class] = append(s.free[b.class], b.start)
		b.start, b.class = start, b.class+1
	}
	at = int(b.start) + gap
	end := int(b.start) + int(b.count)
	copy(s.size[at+1:end+1], s.size[at:end])
	copy(s.perp[at+1:end+1], s.perp[at:end])
	copy(s.lever[at+1:end+1], s.lever[at:end])
	copy(s.terms[at+1:end+1], s.terms[at:end])
	copy(s.bounds[at+1:end+1], s.bounds[at:end])
	s.size[at], s.perp[at], s.lever[at], s.terms[at] = 0, perpSlot, 0, positionTerms{}
	s.bounds[at] = positionBounds{}
	b.count++
	return at
}

// drop forgets position at, which must be flat, without a leverage of its own.
func (s *positionSlab) drop(b *span, at int) {
	s.keepBound(at, sideLow, 0, false)
	s.keepBound(at, sideHigh, 0, false)
	end := int(b.start) + int(b.count)
	copy(s.size[at:end-1], s.size[at+1:end])
	copy(s.perp[at:end-1], s.perp[at+1:end])
	copy(s.lever[at:end-1], s.lever[at+1:end])
	copy(s.terms[at:end-1], s.terms[at+1:end])
	copy(s.bounds[at:end-1], s.bounds[at+1:end])
	b.count--
	if b.count == 0 {
		s.free[b.class] = append(s.free[b.class], b.start)
		b.start, b.class = 0, 0
	}
}

// leverage returns the leverage of position i.
func (s *positionSlab) leverage(i int) uint16 { return s.lever[i] &^ leverageSet }

// isIsolated reports whether position i has margin of its own.
func (s *positionSlab) isIsolated(i int) bool { return s.perp[i]&isolatedBit != 0 }

// isSet reports whether the account chose the leverage of position i.
func (s *positionSlab) isSet(i int) bool { return s.lever[i]&leverageSet != 0 }

// setLeverage writes leverage and margin mode of position i.
func (s *positionSlab) setLeverage(i int, leverage uint16, isIsolated, isSet bool) {
	s.lever[i] = leverage
	if isSet {
		s.lever[i] |= leverageSet
	}
	s.perp[i] &^= isolatedBit
	if isIsolated {
		s.perp[i] |= isolatedBit
	}
}

// notionalE6 returns |size| x mark at 1e-6, exact.
func notionalE6(size, mark int64) i128 {
	if size < 0 {
		size = -size
	}
	return fixedpoint.Mul64(size, mark)
}

// notePaid widens the extremes of what was paid.
func (p *perp) notePaid(low, high int64) {
	if p.paidLow == 0 || low < p.paidLow {
		p.paidLow = low
	}
	p.paidHigh = max(p.paidHigh, high)
}

// noteEntry is notePaid for a position as it stands.
func (p *perp) noteEntry(size, entry int64) {
	if size = max(size, -size); size != 0 && entry > 0 {
		p.notePaid(max(1, entry/size), entry/size+1)
	}
}

// toUnits brings an amount at 1e-6 to collateral units; exact.
func (p *perp) toUnits(v i128) i128 {
	u, ok := v.MulInt64(fixedpoint.Pow10(p.scale))
	if !ok {
		panic("risk: BUG: perp amount above 128 bits")
	}
	return u
}

// subUnit returns how many 1e-12 make one collateral unit.
func (p *perp) subUnit() int64 { return fixedpoint.Pow10(6 - p.scale) }

// floorUnits brings an amount at 1e-12 down to collateral units.
func (p *perp) floorUnits(v i128) i128 { return v.DivFloor(p.subUnit()) }

// positionValueE12 returns the signed value of position i at mark, less funding owed, at 1e-12.
func (m *Machine) positionValueE12(i int, p *perp) i128 {
	size := m.positions.size[i]
	return fixedpoint.Mul64(size, p.mark*1_000_000-p.cumE12).Add(fixedpoint.Mul64(size, m.positions.terms[i].cumE12))
}

// isolatedEquity returns cash plus value of an isolated position, rounded down.
func (m *Machine) isolatedEquity(i int, p *perp) i128 {
	return fixedpoint.I128(m.positions.terms[i].raw).Add(p.floorUnits(m.positionValueE12(i, p)))
}

// leverageOf returns the leverage and margin mode an account uses on a perp.
func (m *Machine) leverageOf(a *account, slot uint16) (leverage uint16, isIsolated bool) {
	p := &m.perps[slot]
	if i := m.positions.find(&a.positions, slot); i >= 0 {
		return m.positions.leverage(i), m.positions.isIsolated(i)
	}
	return p.leverageDefault(), p.mode != MarginNormal
}

// leverageDefault returns the leverage of an account that has chosen none.
func (p *perp) leverageDefault() uint16 { return min(p.maxLeverage(), leverageDefaultMax) }

// ensurePosition returns the slab index of an account's position, opening a flat one with
// the default leverage.
func (m *Machine) ensurePosition(a *account, slot uint16) int {
	if i := m.positions.find(&a.positions, slot); i >= 0 {
		return i
	}
	leverage, isIsolated := m.leverageOf(a, slot)
	i := m.positions.ensure(&a.positions, slot)
	m.positions.terms[i] = positionTerms{cumE12: m.perps[slot].cumE12}
	m.positions.setLeverage(i, leverage, isIsolated, false)
	return i
}

// fundingOwed returns what a position owes for a step of cumulative funding, in collateral
// units, rounded up against the holder.
func fundingOwed(p *perp, size, from, to int64) i128 {
	return fixedpoint.Mul64(size, to).Sub(fixedpoint.Mul64(size, from)).DivCeil(p.subUnit())
}

// settleFunding writes the funding owed by position i into its cash, rounded up against
// the holder, and returns it.
func (m *Machine) settleFunding(a *account, i int) i128 {
	slot := m.positions.perp[i] &^ isolatedBit
	p, t := &m.perps[slot], &m.positions.terms[i]
	owed := fundingOwed(p, m.positions.size[i], t.cumE12, p.cumE12)
	t.cumE12 = p.cumE12
	if owed.IsZero() {
		return owed
	}
	if v, ok := owed.Int64(); ok {
		t.funding += v
	}
	if m.positions.isIsolated(i) {
		raw, ok := fixedpoint.I128(t.raw).Sub(owed).Int64()
		if !ok {
			panic("risk: BUG: isolated cash above its limit")
		}
		t.raw = raw
		return owed
	}
	m.addRaw(a, p.dexSlot, owed.Neg())
	return owed
}
