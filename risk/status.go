package risk

// status packs where an account stands on every line it can cross. Each part gets worse as
// equity and collateral fall and as requirements and debt rise, so a status that holds at the
// worst and at the best corner of a box of prices holds all over it. The lower seven bits of
// hotAccount.told are the status last told.
type status uint8

const (
	statusHealth   status = 7      // Health
	statusLending  status = 3 << 3 // LendingHealth
	statusNegative status = 1 << 5 // equity below zero: of a dex, an isolated position, the account
	statusSharing  status = 1 << 6 // a dex below its maintenance margin borrows: never rests
	lendingShift          = 3
)

func (s status) health() Health         { return Health(s & statusHealth) }
func (s status) lending() LendingHealth { return LendingHealth(s & statusLending >> lendingShift) }

// isBest reports that no price can better a status: only its worse side needs bounds. Whether
// anything is required at all (idle or healthy) no price can change.
func (s status) isBest() bool { return s&^statusHealth == 0 && s.health() <= HealthHealthy }

// toldAwake marks in hotAccount.told an account that has no valid band.
const toldAwake = 1 << 7

func (h *hotAccount) health() Health { return status(h.told).health() }

func (h *hotAccount) status() status { return status(h.told &^ toldAwake) }

func (h *hotAccount) isAwake() bool { return h.told&toldAwake != 0 }

// or returns the worse of two: the worse health, and every flag of either.
func (s status) or(o status) status {
	return max(s&statusHealth, o&statusHealth) | (s|o)&^statusHealth
}

// and returns the better of two.
func (s status) and(o status) status {
	return min(s&statusHealth, o&statusHealth) | s&o&^statusHealth
}

// isolatedStatus judges an isolated position by its own equity.
func isolatedStatus(equity, maintenance i128) status {
	s := status(HealthHealthy)
	switch {
	case isBelowTwoThirds(equity, maintenance):
		s = status(HealthBackstop)
	case equity.Less(maintenance):
		s = status(HealthLiquidatable)
	}
	if equity.Sign() < 0 {
		s |= statusNegative
	}
	return s
}

// captured returns a status as the upper six bits of the byte that begins with the mode:
// lending, health, negative.
func (s status) captured() byte {
	return byte(s.lending())<<2 | byte(s.health())<<4 | byte(s&statusNegative)<<2
}

// capturedStatus reads what captured wrote.
func capturedStatus(b byte) status {
	return status(b>>4&7) | status(b>>2&3)<<lendingShift | status(b>>2)&statusNegative
}

// statusOf returns an account's status from figures just evaluated.
func (m *Machine) statusOf(a *account, f *figures) status {
	s := m.standingOf(a, f) | status(m.lendingOf(a))<<lendingShift
	if a.mode == ModePortfolio && sharesMargin(f) {
		s |= statusSharing
	}
	return s
}

// lendingOf returns the lending state of decision 8.18, over all debts in US dollars at the
// numeraire's units.
func (m *Machine) lendingOf(a *account) LendingHealth {
	if !m.owesLent(a) {
		return LendingHealthy
	}
	s := m.lendingSums(a)
	return s.health()
}

// lendingSums are an account's debts and what its collateral counts for at each line, in the
// numeraire's units: debt rounded up, the others down per token.
type lendingSums struct{ debt, capacity, partial, full i128 }

func (m *Machine) lendingSums(a *account) (s lendingSums) {
	if !m.owesLent(a) {
		return s
	}
	items := m.balances.of(&a.balances)
	for i := range items {
		b := &items[i]
		if b.key&dexBit != 0 {
			continue
		}
		t := &m.tokens[b.key]
		s.debt = s.debt.Add(m.convert(m.debt(b), uint32(b.key), m.numeraire, true))
		if t.ltvE12 > 0 && b.lend.Sign() > 0 {
			value := m.convert(m.supplied(b), uint32(b.key), m.numeraire, false)
			s.capacity = s.capacity.Add(weigh(value, t.ltvE12, rateOne))
			s.partial = s.partial.Add(weigh(value, rateOne+t.ltvE12, 2*rateOne))
			s.full = s.full.Add(weigh(value, 2*rateOne+t.ltvE12, 3*rateOne))
		}
	}
	return s
}

// owesLent reports a debt to a pool.
func (m *Machine) owesLent(a *account) bool {
	items := m.balances.of(&a.balances)
	for i := range items {
		if items[i].lend.Sign() < 0 {
			return true
		}
	}
	return false
}

func (s *lendingSums) health() LendingHealth {
	switch {
	case s.debt.Sign() <= 0:
		return LendingHealthy
	case s.full.Less(s.debt):
		return LendingBackstopLiquidatable
	case s.partial.Less(s.debt):
		return LendingMarketLiquidatable
	case s.capacity.Less(s.debt):
		return LendingAtRisk
	default:
		return LendingHealthy
	}
}
