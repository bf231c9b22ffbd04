package risk

import "plimsoll/fixedpoint"

// gauge is what one account adds to the totals, in units of the numeraire, and how far it
// is from its line (MODEL.md §10).
type gauge struct {
	equity      i128
	net         i128
	notional    i128
	initial     i128
	maintenance i128

	distance    int  // in percent, rounded down; negative: beyond; TotalsDistances: no requirement
	requirement i128 // of the settlement token or dex with the highest ratio
	value       i128
}

// gauge measures an account from figures just evaluated.
func (m *Machine) gauge(a *account, f *figures) gauge {
	g := gauge{distance: TotalsDistances}
	for i := range f.usedN {
		d, q := &f.dexes[f.used[i]], m.dexes[f.used[i]].collateral
		if !d.crossNtl.IsZero() || !d.isoNtl.IsZero() {
			g.notional = g.notional.Add(m.inNumeraire(d.crossNtl.Add(d.isoNtl), q, false))
			g.maintenance = g.maintenance.Add(m.inNumeraire(d.crossMM, q, true))
		}
		if a.mode == ModeStandard {
			worth := m.inNumeraire(d.crossValue.Add(d.isoEquity), q, false)
			g.net, g.equity = g.net.Add(worth), g.equity.Add(worth)
			g.initial = g.initial.Add(m.inNumeraire(d.initial.Add(d.orderMargin), q, true))
			g.note(d.crossMM, d.crossValue)
			continue
		}
		if q == m.numeraire || isSettledBefore(m, f, i) {
			continue
		}
		t := m.tokenFiguresOf(a, f, q)
		worth := m.inNumeraire(t.perpValue, q, false)
		g.net, g.equity = g.net.Add(worth), g.equity.Add(worth)
		m.noteToken(&g, a, &t)
		g.initial = g.initial.Add(m.inNumeraire(t.requirement, q, true))
	}
	if a.mode != ModeStandard {
		m.gaugeNumeraire(&g, a, f)
	}
	return g
}

// isSettledBefore reports whether an earlier dex of those used settles in the token of i.
func isSettledBefore(m *Machine, f *figures, i int) bool {
	for n := range i {
		if m.dexes[f.used[n]].collateral == m.dexes[f.used[i]].collateral {
			return true
		}
	}
	return false
}

// gaugeNumeraire adds the numeraire of a unified or portfolio account, and what it supplies
// as collateral and owes in other tokens.
func (m *Machine) gaugeNumeraire(g *gauge, a *account, f *figures) {
	t := m.tokenFiguresOf(a, f, m.numeraire)
	g.net, g.equity = g.net.Add(t.N), g.equity.Add(t.N)
	g.initial = g.initial.Add(t.requirement)
	m.noteToken(g, a, &t)
	items := m.balances.of(&a.balances)
	for i := range items {
		b := &items[i]
		q := uint32(b.key)
		if b.key&dexBit != 0 || q == m.numeraire {
			continue
		}
		if b.lend.Sign() > 0 && m.tokens[q].ltvE12 > 0 {
			g.equity = g.equity.Add(m.inNumeraire(m.supplied(b), q, false))
		}
		if owed := b.cash.Sub(m.debt(b)); owed.Sign() < 0 {
			g.equity = g.equity.Sub(m.inNumeraire(owed.Neg(), q, true))
		}
		if a.mode == ModePortfolio && m.tokens[q].isBorrowable && !m.settlesDex(f, q) {
			other := m.tokenFiguresOf(a, f, q)
			m.noteToken(g, a, &other)
		}
	}
}

// noteToken notes the ratio of a settlement token, as it is shown.
func (m *Machine) noteToken(g *gauge, a *account, t *tokenFigures) {
	if a.mode == ModeUnified {
		g.note(t.MM, t.net())
		return
	}
	requirement, value, _ := t.ratio(m.params.OffsetMode, m.offsetUnits(t.token))
	g.note(requirement, value)
}

// note keeps the highest ratio: the least distance, of equal ones by the ratio as printed.
func (g *gauge) note(requirement, value i128) {
	if requirement.Sign() <= 0 {
		return
	}
	n := distance(requirement, value)
	switch {
	case n > g.distance:
		return
	case n == g.distance:
		if o := (&gauge{requirement: requirement, value: value}); !g.ratioE10().Less(o.ratioE10()) {
			return
		}
	}
	g.distance, g.requirement, g.value = n, requirement, value
}

// ratioE10 returns the highest ratio at 1e-10, half even, at most nearestInfinite.
func (g *gauge) ratioE10() i128 {
	ratio, isInfinite := ratioE10(g.requirement, g.value)
	if isInfinite {
		return fixedpoint.I128(nearestInfinite)
	}
	return fixedpoint.MinI128(ratio, fixedpoint.I128(nearestInfinite))
}

// distance returns floor(100 x (1 - requirement/value)): 0 to 99, -1 beyond the line or
// without a value, TotalsDistances without a requirement.
func distance(requirement, value i128) int {
	const small = 1 << 57 // times 100 fits 64 bits
	switch {
	case requirement.Sign() <= 0:
		return TotalsDistances
	case value.Sign() <= 0 || value.Less(requirement):
		return -1
	case value.Hi == 0 && value.Lo < small:
		return int((value.Lo - requirement.Lo) * TotalsDistances / value.Lo)
	}
	n, _ := mustFit(value.Sub(requirement).MulDivFloor128(fixedpoint.I128(TotalsDistances), value)).Int64()
	return int(n)
}

// inNumeraire values units of a token in the numeraire at borrow oracle prices, rounded down
// or up; an unknown price values at zero.
func (m *Machine) inNumeraire(amount i128, q uint32, isUp bool) i128 {
	if q == m.numeraire {
		return amount
	}
	return m.convert(amount, q, m.numeraire, isUp)
}
