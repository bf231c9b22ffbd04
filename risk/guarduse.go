package risk

// Where a price that is not fresh stops what an account may do, and what may be done to it.

// readsUnusable reports whether the figures of an account read a price that is missing, stale
// or halted: then nobody knows what it is worth, and it is not liquidated.
func (m *Machine) readsUnusable(a *account) bool {
	for i := a.positions.start; i < a.positions.start+uint32(a.positions.count); i++ {
		if m.positions.size[i] == 0 {
			continue
		}
		p := &m.perps[m.positions.perp[i]&^isolatedBit]
		if m.perpClass(p) != PriceFresh || a.mode == ModePortfolio && m.tokenClass(p.collateral) != PriceFresh {
			return true
		}
	}
	if a.mode != ModePortfolio {
		return false // what others supply counts for nothing else
	}
	for _, b := range m.balances.of(&a.balances) {
		if b.key&dexBit == 0 && !b.lend.IsZero() && m.tokenClass(uint32(b.key)) != PriceFresh {
			return true
		}
	}
	return false
}

// readsStaleToken reports whether a portfolio account has supplied or owes a token whose price
// is stale: no new risk is taken on it.
func (m *Machine) readsStaleToken(a *account) bool {
	if a.mode != ModePortfolio {
		return false
	}
	for _, b := range m.balances.of(&a.balances) {
		if b.key&dexBit == 0 && !b.lend.IsZero() && m.tokenClass(uint32(b.key)) == PriceStale {
			return true
		}
	}
	return false
}

// holdsOnStale reports whether what must stay in an account hangs on a stale price: of a perp
// that it holds, or of a token under something that it owes or holds.
func (m *Machine) holdsOnStale(a *account) bool {
	hasRisk := a.orderHead != 0
	for i := a.positions.start; i < a.positions.start+uint32(a.positions.count); i++ {
		if m.positions.size[i] == 0 {
			continue
		}
		hasRisk = true
		if p := &m.perps[m.positions.perp[i]&^isolatedBit]; m.isOld(p.markTimeMs, p.maxAgeMs) {
			return true
		}
	}
	for _, b := range m.balances.of(&a.balances) {
		hasRisk = hasRisk || b.lend.Sign() < 0
	}
	return hasRisk && m.readsStaleToken(a)
}
