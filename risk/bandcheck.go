package risk

import (
	"cmp"
	"slices"
)

// heldEntry is an entry of a wheel, or one that was put aside.
type heldEntry struct {
	number uint32
	side   uint8
	wheelEntry
}

func compareHeld(a, b heldEntry) int {
	return cmp.Or(cmp.Compare(a.number, b.number), cmp.Compare(a.side, b.side), cmp.Compare(a.local, b.local),
		cmp.Compare(a.code, b.code))
}

// checkWheels holds the bounds of all accounts against the entries of all wheels: each has one,
// edges are not late, and counts are right.
func (m *Machine) checkWheels() {
	b := &m.bands
	var held []heldEntry
	for number, pair := range &b.pairs {
		for side := range 2 {
			if pair != nil {
				held = m.appendWheel(held, uint32(number), uint8(side), &pair.sides[side])
			}
		}
	}
	for _, chain := range b.owed {
		held = m.appendChain(held, chain.number, chain.side, chain.head)
	}
	if len(held) != b.store.entries {
		panic("risk: BUG: entries of wheels and their count differ")
	}
	slices.SortFunc(held, compareHeld)
	count := 0
	isHeld := func(number uint32, side uint8, local, code uint32) {
		if code == 0 {
			return
		}
		count++
		if _, ok := slices.BinarySearchFunc(held, heldEntry{number, side, wheelEntry{local, code}}, compareHeld); !ok {
			panic("risk: BUG: a bound has no entry in its wheel")
		}
	}
	banded := 0
	for local := range m.accounts {
		a := &m.accounts[local]
		if h := &m.hot[local]; m.cfg.Detect == DetectBands && h.kind() > hotIdle && !h.isAwake() {
			banded++
		}
		for side := range uint8(2) {
			for i := a.positions.start; i < a.positions.start+uint32(a.positions.count); i++ {
				isHeld(uint32(m.positions.perp[i]&^isolatedBit), side, uint32(local), m.positions.bounds[i].get(side))
			}
			for _, x := range m.balances.of(&a.balances) {
				isHeld(PerpsMax+uint32(x.key), side, uint32(local), x.bounds.get(side))
			}
		}
	}
	if count != m.bounds() || banded != b.banded {
		panic("risk: BUG: bounds or bands and their count differ")
	}
}

func (m *Machine) appendWheel(dst []heldEntry, number uint32, side uint8, w *wheel) []heldEntry {
	for at := uint32(0); ; at++ {
		next, ok := w.nextUp(at, pagesMax*bucketsPage-1)
		if !ok {
			return dst
		}
		at = next
		head := w.pages[at/bucketsPage].heads[at%bucketsPage]
		from := len(dst)
		dst = m.appendChain(dst, number, side, head)
		for _, e := range dst[from:] {
			if e.code>>bucketShift != at || !w.isFirst(m.bands.store.chunk(head).edge, e.code) {
				panic("risk: BUG: an entry is in the wrong bucket, or its edge is late")
			}
		}
	}
}

func (m *Machine) appendChain(dst []heldEntry, number uint32, side uint8, head uint32) []heldEntry {
	for head != 0 {
		c := m.bands.store.chunk(head)
		for _, e := range c.entries[:c.count()] {
			dst = append(dst, heldEntry{number, side, e})
		}
		head = c.next()
	}
	return dst
}
