package risk

import "plimsoll/fixedpoint"

// hasBackstop reports whether there is an account that takes over what the market does not.
func (m *Machine) hasBackstop() bool { return m.exists(m.params.BackstopAccount) }

// takesOver reports whether it takes positions now: it must itself be above its lines.
func (m *Machine) takesOver() bool { return m.hasBackstop() && !m.isExhausted }

// isBackstop reports that the case is the liquidator's own: only a loss is covered.
func (k *caseOf) isBackstop() bool { return k.slot == k.m.params.BackstopAccount }

// takes reports whether it takes a book now: within what it takes in one Seq and, if it keeps to
// that, of dexes other than the main one no isolated position in a perp that allows no cross
// margin (spec 2.6: only cross-enabled assets). What it does not take stays with the market, and a
// loss with those on the other side.
func (k *caseOf) takes(b *book) bool {
	m := k.m
	if b.isolated >= 0 && m.params.BackstopCrossOnly {
		p := &m.perps[b.positions[0].market]
		return m.takesOver() && k.isWithin && (p.dexSlot == 0 || p.mode == MarginNormal)
	}
	return m.takesOver() && k.isWithin
}

// isForBackstop in the request for a loss says that the liquidator takes the positions if the
// buffer pays it.
const isForBackstop = 1

// backstopLimit returns what the liquidator takes within one Seq, in units of the numeraire; 0 is
// any amount. Accounts are taken from in order of their liquidation while what those before them
// hold is below it: so there is always one.
func (m *Machine) backstopLimit() i128 {
	v := fixedpoint.I128(m.params.BackstopLimitE8)
	if v.IsZero() {
		return v
	}
	return mustFit(v.MulPow10(m.tokens[m.numeraire].wei)).DivCeil(fixedpoint.Pow10(8))
}

// atStake returns what the liquidator may have to take of an account that is past its line: the
// notional of all positions and the oracle value of all collateral, in units of the numeraire,
// rounded up; 0 of an account that is not past it.
func (m *Machine) atStake(a *account, s status) (sum i128) {
	isPast := s.health() == HealthBackstop || s.lending() == LendingBackstopLiquidatable
	if !isPast || a == m.accountAt(m.params.BackstopAccount) {
		return sum
	}
	for i := int(a.positions.start); i < int(a.positions.start)+int(a.positions.count); i++ {
		if p := &m.perps[m.positions.perp[i]&^isolatedBit]; m.positions.size[i] != 0 {
			notional := p.toUnits(notionalE6(m.positions.size[i], p.mark))
			sum = sum.Add(m.convert(notional, p.collateral, m.numeraire, true))
		}
	}
	if a.mode != ModePortfolio {
		return sum
	}
	for _, b := range m.balances.of(&a.balances) {
		if b.key&dexBit == 0 && m.tokens[b.key].ltvE12 > 0 && b.lend.Sign() > 0 {
			sum = sum.Add(m.convert(m.supplied(&b), uint32(b.key), m.numeraire, true))
		}
	}
	return sum
}
