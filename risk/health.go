package risk

import "plimsoll/fixedpoint"

// settles reports whether a token is judged for an account: it is the numeraire, can be
// borrowed, or collateralises a dex the account uses.
func (m *Machine) settles(f *figures, q uint32) bool {
	return q == m.numeraire || m.tokens[q].isBorrowable || m.settlesDex(f, q)
}

// settlesDex reports whether a token collateralises a dex the account uses.
func (m *Machine) settlesDex(f *figures, q uint32) bool {
	for i := range f.usedN {
		if m.dexes[f.used[i]].collateral == q {
			return true
		}
	}
	return false
}

// healthOf places an account in its band from figures just evaluated (MODEL.md §7).
func (m *Machine) healthOf(a *account, f *figures) Health { return m.standingOf(a, f).health() }

// standingOf returns an account's health and whether an equity of it is below zero: the worst
// of its dexes, isolated positions and settlement tokens.
func (m *Machine) standingOf(a *account, f *figures) (worst status) {
	for i := range f.usedN {
		d := &f.dexes[f.used[i]]
		worst = worst.or(isolatedStanding(d))
		switch a.mode {
		case ModeStandard:
			headroom := d.crossValue.Sub(d.initial).Sub(d.orderMargin)
			worst = worst.or(crossStanding(d.crossValue, d.crossMM, headroom))
		case ModeUnified:
			worst = worst.or(m.standingUnified(a, f, m.dexes[f.used[i]].collateral))
		case ModePortfolio:
			if q := m.dexes[f.used[i]].collateral; q != m.numeraire {
				worst = worst.or(m.standingToken(a, f, q))
			}
		case ModeNone:
		}
	}
	if a.mode != ModePortfolio {
		return worst
	}
	worst = worst.or(m.standingPortfolio(a, f, m.numeraire))
	for _, b := range m.balances.of(&a.balances) {
		if q := uint32(b.key); b.key&dexBit == 0 && q != m.numeraire && m.tokens[q].isBorrowable {
			worst = worst.or(m.standingToken(a, f, q))
		}
	}
	return worst
}

func isolatedStanding(d *dexFigures) (s status) {
	switch {
	case d.isoBackstop:
		s = status(HealthBackstop)
	case d.isoShort:
		s = status(HealthLiquidatable)
	case d.isoNtl.Sign() > 0:
		s = status(HealthHealthy)
	}
	if d.isoNegative {
		s |= statusNegative
	}
	return s
}

// crossStanding is crossHealth, and whether the equity is below zero.
func crossStanding(equity, maintenance, headroom i128) status {
	s := status(crossHealth(equity, maintenance, headroom))
	if equity.Sign() < 0 {
		s |= statusNegative
	}
	return s
}

// crossHealth bands equity against maintenance and initial requirement.
func crossHealth(equity, maintenance, headroom i128) Health {
	switch {
	case maintenance.Sign() <= 0 && headroom.Sign() >= 0:
		return HealthNone
	case isBelowTwoThirds(equity, maintenance):
		return HealthBackstop
	case equity.Less(maintenance):
		return HealthLiquidatable
	case headroom.Sign() < 0:
		return HealthAtRisk
	default:
		return HealthHealthy
	}
}

func (m *Machine) standingUnified(a *account, f *figures, q uint32) status {
	var t tokenFigures
	m.sumToken(a, f, q, &t)
	return crossStanding(t.net(), t.MM, t.available())
}

// standingToken is standingPortfolio for a token other than the numeraire, whose own price
// enters both ways: with collateral it counts against the account, with other debts for it.
// At a corner of a box it is judged at both ends, since for a given account it is monotone.
func (m *Machine) standingToken(a *account, f *figures, q uint32) status {
	if !m.corner.isOpen {
		return m.standingPortfolio(a, f, q)
	}
	return m.standingAtEnds(a, f, q)
}

func (m *Machine) standingPortfolio(a *account, f *figures, q uint32) status {
	var t tokenFigures
	m.sumToken(a, f, q, &t)
	if k := &m.corner; k.isOpen && q != m.numeraire && !(t.LC.IsZero() && t.C.IsZero()) {
		t.N = t.N.Add(fixedpoint.I128(k.pad))
	}
	return t.standing(m.params.OffsetMode, m.offsetUnits(q))
}

// standing returns the health of a portfolio account by one settlement token, and whether
// what is left of it is below zero.
func (t *tokenFigures) standing(mode OffsetMode, offset i128) (s status) {
	requirement, value, _ := t.ratio(mode, offset)
	liquidation := t.net().Add(t.LC)
	switch {
	case requirement.Sign() == 0:
		s = status(HealthNone)
	case isBelowTwoThirds(liquidation, t.MM) && t.MM.Sign() > 0:
		s = status(HealthBackstop)
	case isPastTrigger(requirement, value):
		s = status(HealthLiquidatable)
	case t.available().Sign() < 0:
		s = status(HealthAtRisk)
	default:
		s = status(HealthHealthy)
	}
	if liquidation.Sign() < 0 {
		s |= statusNegative
	}
	return s
}

// isPastTrigger reports requirement/value > 0.95; a value at or below zero is past it.
func isPastTrigger(requirement, value i128) bool {
	if value.Sign() <= 0 {
		return requirement.Sign() > 0
	}
	return mustFit(value.MulInt64(95)).Less(mustFit(requirement.MulInt64(100)))
}

// tell emits what changed of an account's status since it was last told; f are its figures, nil
// when they have not been taken: tellFigures takes them.
func (m *Machine) tell(slot uint32, s status, f *figures) {
	local := slot / m.cfg.Shards
	h := &m.hot[local]
	s &^= statusSharing
	m.watch(slot, s)
	told := h.status()
	if told == s {
		return
	}
	m.keep(local, &m.accounts[local])
	h.told = h.told&toldAwake | uint8(s)
	if told.health() != s.health() {
		m.tellHealth(slot, told, s, f)
	}
	if told.lending() != s.lending() {
		m.emit(Event{
			Kind: EventLendingHealthChanged, Phase: phaseHealth, Rank: uint64(slot), Account: slot, Market: NoSlot, Token: NoSlot,
			FromLending: told.lending(), ToLending: s.lending(),
		})
	}
}
