package risk

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
func (m *Machine) healthOf(a *account, f *figures) Health {
	if a.mode == ModeStandard {
		return m.healthStandard(f)
	}
	worst := HealthNone
	for i := range f.usedN {
		d := &f.dexes[f.used[i]]
		worst = max(worst, isolatedHealth(d))
	}
	if a.mode == ModeUnified {
		for i := range f.usedN {
			worst = max(worst, m.healthUnified(a, f, m.dexes[f.used[i]].collateral))
		}
		return worst
	}
	worst = max(worst, m.healthPortfolio(a, f, m.numeraire))
	for i := range f.usedN {
		if q := m.dexes[f.used[i]].collateral; q != m.numeraire {
			worst = max(worst, m.healthPortfolio(a, f, q))
		}
	}
	for _, b := range m.balances.of(&a.balances) {
		if q := uint32(b.key); b.key&dexBit == 0 && q != m.numeraire && m.tokens[q].isBorrowable {
			worst = max(worst, m.healthPortfolio(a, f, q))
		}
	}
	return worst
}

func isolatedHealth(d *dexFigures) Health {
	switch {
	case d.isoBackstop:
		return HealthBackstop
	case d.isoShort:
		return HealthLiquidatable
	case d.isoNtl.Sign() > 0:
		return HealthHealthy
	default:
		return HealthNone
	}
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

func (m *Machine) healthStandard(f *figures) Health {
	worst := HealthNone
	for i := range f.usedN {
		d := &f.dexes[f.used[i]]
		headroom := d.crossValue.Sub(d.initial).Sub(d.orderMargin)
		worst = max(worst, isolatedHealth(d), crossHealth(d.crossValue, d.crossMM, headroom))
	}
	return worst
}

func (m *Machine) healthUnified(a *account, f *figures, q uint32) Health {
	t := m.tokenFiguresOf(a, f, q)
	return crossHealth(t.net(), t.MM, t.available())
}

func (m *Machine) healthPortfolio(a *account, f *figures, q uint32) Health {
	t := m.tokenFiguresOf(a, f, q)
	requirement, value, _ := t.ratio(m.params.OffsetMode, m.offsetUnits(q))
	switch {
	case requirement.Sign() == 0:
		return HealthNone
	case isBelowTwoThirds(t.net().Add(t.LC), t.MM) && t.MM.Sign() > 0:
		return HealthBackstop
	case isPastTrigger(requirement, value):
		return HealthLiquidatable
	case t.available().Sign() < 0:
		return HealthAtRisk
	default:
		return HealthHealthy
	}
}

// isPastTrigger reports requirement/value > 0.95; a value at or below zero is past it.
func isPastTrigger(requirement, value i128) bool {
	if value.Sign() <= 0 {
		return requirement.Sign() > 0
	}
	return mustFit(value.MulInt64(95)).Less(mustFit(requirement.MulInt64(100)))
}

// tell emits health_changed when an account's band is not the one last told.
func (m *Machine) tell(slot uint32, h Health) {
	local := slot / m.cfg.Shards
	told := &m.hot[local].health
	if *told == h {
		return
	}
	m.keep(local, &m.accounts[local])
	m.emit(Event{
		Kind: EventHealthChanged, Phase: phaseHealth, Rank: uint64(slot), Account: slot, Market: NoSlot, Token: NoSlot,
		From: *told, To: h,
	})
	*told = h
}
