package risk

// breach is a line that an account may be past, with the two figures that are compared there.
type breach struct {
	rule        Rule
	market      uint32 // the perp of an isolated position, else NoSlot
	token       uint32 // of the figures
	value       i128
	requirement i128
}

// witness tells why the next step of a book is what it is: the line that it is past, with both
// figures. Whoever reads it can judge it without the account (RuleIsPast says how).
func (k *caseOf) witness(w breach) {
	k.tell(Event{
		Kind: EventLiquidationStep, Market: w.market, Token: w.token, Amount: w.value, Amount2: w.requirement,
		Decimals: k.m.tokens[w.token].wei, Rule: w.rule,
	})
}

// lineOf returns the line of a rule of a book.
func (k *caseOf) lineOf(b *book, rule Rule) breach {
	w := breach{rule: rule, market: NoSlot, token: b.token, value: b.equity, requirement: b.maintenance}
	if b.isolated >= 0 {
		w.market = b.positions[0].market
	}
	if rule == RulePortfolioRatio {
		w.requirement, w.value, _ = b.figures.ratio(k.m.params.OffsetMode, k.m.offsetUnits(b.token))
	}
	return w
}

// borrowLine returns the line that a borrow is past: of collateral at the full or the partial
// threshold against debt, or, between 0.95 and the partial one (decision 8.4), of the ratio.
func (k *caseOf) borrowLine(s *lendingSums, isAll bool) (w breach, isPast bool) {
	w = breach{rule: RuleFullBorrow, market: NoSlot, token: k.m.numeraire, value: s.full, requirement: s.debt}
	if isAll {
		return w, true
	}
	if w.rule, w.value = RulePartialBorrow, s.partial; s.partial.Less(s.debt) {
		return w, true
	}
	return k.m.ratioLine(k.a, k.m.evaluate(k.a))
}

// crossLine returns the first line that is past of what is margined together: the ratio of a
// settlement token, or the maintenance margin of a dex.
func (m *Machine) crossLine(a *account, f *figures) (w breach, isPast bool) {
	if a.mode == ModePortfolio {
		return m.ratioLine(a, f)
	}
	return m.maintenanceLine(a, f)
}

// isolatedLine returns the first isolated position from a place on that is below its
// maintenance margin, and moves the place behind it.
func (m *Machine) isolatedLine(a *account, at *int) (w breach, isPast bool) {
	for end := int(a.positions.start) + int(a.positions.count); *at < end && !isPast; *at++ {
		if m.positions.size[*at] == 0 || !m.positions.isIsolated(*at) {
			continue
		}
		h := m.heldAt(*at)
		p := &m.perps[h.market]
		w = breach{
			rule: RuleIsolatedMaintenance, market: h.market, token: p.collateral, value: m.isolatedEquity(*at, p),
			requirement: h.maintenance,
		}
		isPast = RuleIsPast(w.rule, w.value, w.requirement)
	}
	return w, isPast
}

// maintenanceLine returns the first line of a dex (standard) or a collateral token (unified).
func (m *Machine) maintenanceLine(a *account, f *figures) (w breach, isPast bool) {
	for i := range f.usedN {
		n := f.used[i]
		d := &f.dexes[n]
		w = breach{rule: RuleMaintenance, market: NoSlot, token: m.dexes[n].collateral, value: d.crossValue, requirement: d.crossMM}
		if a.mode == ModeUnified {
			t := m.tokenFiguresOf(a, f, w.token)
			w.value, w.requirement = t.net(), t.MM
		}
		if RuleIsPast(w.rule, w.value, w.requirement) {
			return w, true
		}
	}
	return w, false
}

// ratioLine returns the first settlement token whose ratio is past 0.95.
func (m *Machine) ratioLine(a *account, f *figures) (w breach, isPast bool) {
	for q := range m.tokenCount {
		if !m.tokens[q].isListed || !m.settles(f, q) {
			continue
		}
		t := m.tokenFiguresOf(a, f, q)
		w = breach{rule: RulePortfolioRatio, market: NoSlot, token: q}
		w.requirement, w.value, _ = t.ratio(m.params.OffsetMode, m.offsetUnits(q))
		if RuleIsPast(w.rule, w.value, w.requirement) {
			return w, true
		}
	}
	return w, false
}

// RuleIsPast reports whether two figures are past the line of a rule of liquidation: exactly,
// in units of one token.
//
//	maintenance_margin, isolated_maintenance_margin    value < requirement
//	portfolio_margin_ratio                             95 x value < 100 x requirement
//	backstop                                           3 x value < 2 x requirement
//	partial_borrow, full_borrow                        value < requirement (collateral at the threshold, debt)
//	negative_equity                                    value < 0
func RuleIsPast(rule Rule, value, requirement i128) bool {
	switch rule {
	case RuleMaintenance, RuleIsolatedMaintenance, RulePartialBorrow, RuleFullBorrow:
		return value.Less(requirement)
	case RulePortfolioRatio:
		return isPastTrigger(requirement, value)
	case RuleBackstop:
		return isBelowTwoThirds(value, requirement)
	case RuleNegative:
		return value.Sign() < 0
	default:
		return false
	}
}
