package risk

import "plimsoll/fixedpoint"

// addPlain adds the positions of an account that has only cross ones of the main dex, all
// below the fast bounds: then sums fit into one word, and rounding is that of measure. It
// adds nothing and returns false for any other account.
func (m *Machine) addPlain(a *account, d *dexFigures) bool {
	at, count := int(a.positions.start), int(a.positions.count)
	if count > hotPositionsMax {
		return false
	}
	sizes, keys := m.positions.size[at:][:count], m.positions.perp[at:][:count]
	levers, terms := m.positions.lever[at:][:count], m.positions.terms[at:][:count]
	table := (*[PerpsMax]hotPerp)(m.hotPerps)
	var notional, maintenance, initial, floored uint64
	var valueE12 i128
	for i, size := range sizes {
		if size == 0 {
			continue
		}
		h := &table[keys[i]&(PerpsMax-1)]
		n, isFast := h.notional(size)
		price := h.valueE12 + terms[i].cumE12
		if !isFast || h.unitPrice == 0 || h.dex != 0 || keys[i]&isolatedBit != 0 || (h.valueE12^price)&(terms[i].cumE12^price) < 0 {
			return false
		}
		leverage := uint64(levers[i] &^ leverageSet)
		margin := (n + leverage - 1) / leverage
		valueE12 = valueE12.Add(fixedpoint.Mul64(size, price))
		notional += n
		maintenance += h.maintenanceFast(n)
		initial += margin
		if leverage > 10 {
			margin = (n + 9) / 10
		}
		floored += margin
	}
	d.crossE12, d.crossNtl, d.crossMM = valueE12, units128(notional), units128(maintenance)
	d.initial, d.floored = units128(initial), units128(floored)
	return true
}
