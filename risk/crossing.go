package risk

import "plimsoll/fixedpoint"

// CrossingView tells where an account crosses its lines when prices move.
type CrossingView struct {
	Account     uint32
	Mode        Mode
	TimeMs      int64
	Positions   []CrossingPrice // by dex, then perp slot
	Collaterals []CrossingPrice // portfolio accounts, by token slot
	Down, Up    JointMove       // the least move of all prices together that crosses a line
}

// CrossingPrice is where one price alone takes an account, all others held.
type CrossingPrice struct {
	Slot       uint32 // perp, or token
	IsIsolated bool
	Line       Line   // which the trigger crosses
	Present    Amount // mark, or borrow oracle price
	Trigger    Amount // the first price, in the smallest unit, at which the account is past the line; or null
	Why        CrossingReason
	Venue      Amount // where available after maintenance reaches zero (spec 2.4)
	VenueWhy   CrossingReason
}

// CrossingReason says why there is no price.
type CrossingReason uint8

// Reasons.
const (
	CrossingFound   CrossingReason = iota
	CrossingPast                   // the account is past this line as prices stand
	CrossingNever                  // no price within the limits takes the account past it
	CrossingUnknown                // a price it depends on has not been given
)

var crossingReasonNames = [...]string{"", "past_already", "never", "price_missing"}

// String returns the reason as the HTTP answer shows it.
func (r CrossingReason) String() string {
	return crossingReasonNames[min(int(r), len(crossingReasonNames)-1)]
}

// LineKind names a line that liquidates.
type LineKind uint8

// Lines.
const (
	LineNone        LineKind = iota
	LineRatio                // portfolio: the ratio of a settlement token passes 0.95
	LineMaintenance          // unified: net balance less isolated equity below maintenance, per token
	LineDex                  // standard: cross value below maintenance, per dex
	LineIsolated             // the equity of an isolated position below its maintenance
)

var lineKindNames = [...]string{
	"none", "portfolio_margin_ratio", "maintenance_margin", "dex_maintenance_margin", "isolated_maintenance_margin",
}

// String returns the line as the HTTP answer shows it.
func (k LineKind) String() string { return lineKindNames[min(int(k), len(lineKindNames)-1)] }

// Line is one line of one account. Slot is a token, a dex or a perp, by kind.
type Line struct {
	Kind LineKind
	Slot uint32
}

// JointMove is a relative move of all prices together.
type JointMove struct {
	Why    CrossingReason // CrossingFound: the other fields count
	MoveE8 int64          // magnitude at 1e-8: hundredths of a basis point with two decimals more
	Line   Line           // what gives way first
}

// Limits of a joint move, at 1e-8.
const (
	jointOne     = 100_000_000
	jointDownMax = jointOne - 1   // all but the last 1e-8 of every price
	jointUpMax   = 100 * jointOne // every price a hundred and one times as high
)

// ReadCrossings fills v with the prices at which an account of m crosses its lines; false
// when it is not open on this shard. The trigger of a position moves its mark alone, that
// of a collateral its borrow oracle price alone; a joint move moves every mark of the
// account's positions and the price of every token of its that counts as collateral, while
// the price of money (the numeraire and tokens without loan-to-value) stands. Every price is tested by
// the functions that decide; since the room above each line is concave in each move, what
// is past a line stays past it beyond, and the first price can be found by halving.
func (s *Scratch) ReadCrossings(m *Machine, slot uint32, v *CrossingView, account *AccountView) bool {
	if !s.enter(m, slot, noOrders) {
		return false
	}
	defer s.leave()
	w := s.m
	s.ownTokens()
	w.ReadAccount(slot, account)
	a := &w.accounts[0]
	v.Account, v.Mode, v.TimeMs = slot, a.mode, w.timeMs
	v.Positions, v.Collaterals = v.Positions[:0], v.Collaterals[:0]
	for i := range account.Positions {
		if p := &account.Positions[i]; p.Size.V.Sign() != 0 {
			v.Positions = append(v.Positions, w.positionCrossing(a, p))
		}
	}
	for i := range account.Collaterals {
		v.Collaterals = append(v.Collaterals, w.collateralCrossing(a, &account.Collaterals[i]))
	}
	j := w.openJoint(a)
	v.Down, v.Up = w.joint(a, &j, -1), w.joint(a, &j, 1)
	return true
}

// positionCrossing finds the mark at which the line that a position stands on is crossed.
func (m *Machine) positionCrossing(a *account, v *PositionView) CrossingPrice {
	i := m.positions.find(&a.positions, uint16(v.Perp))
	p := &m.perps[v.Perp]
	x := CrossingPrice{
		Slot: v.Perp, IsIsolated: v.IsIsolated, Present: exact(fixedpoint.I128(p.mark), p.priceDecimals()),
		Trigger: none(p.priceDecimals()), Venue: v.LiquidationPx, Line: m.lineOf(a, i, p),
	}
	if x.Venue.IsNull {
		x.VenueWhy = CrossingNever
	}
	if p.mark == 0 {
		x.Present.IsNull, x.Why = true, CrossingUnknown
		return x
	}
	size, mark := m.positions.size[i], p.mark
	hunt := search{from: mark, to: 1}
	if size < 0 {
		hunt.to = m.markMax(size)
	}
	hunt.guess, _ = v.TriggerPx.V.DivFloor(fixedpoint.Pow10(10 - p.priceDecimals())).Int64()
	found, why := hunt.run(func(price int64) bool {
		m.setMark(v.Perp, price)
		return m.isPast(a, m.evaluateForLine(a), x.Line)
	})
	m.setMark(v.Perp, mark)
	if x.Why = why; why == CrossingFound {
		x.Trigger = exact(fixedpoint.I128(found), p.priceDecimals())
	}
	return x
}

// markMax returns the highest mark at which a size stays within the named limits.
func (m *Machine) markMax(size int64) int64 {
	return min(PriceMax, NotionalMax/max(size, -size))
}

// setMark writes a mark; the scratch alone does so, and puts the old one back.
func (m *Machine) setMark(slot uint32, mark int64) {
	m.perps[slot].mark = mark
	m.refreshPerp(slot)
}

// evaluateForLine fills m.fig with what lines depend on.
func (m *Machine) evaluateForLine(a *account) *figures {
	m.evaluatePositions(a, &m.fig)
	return &m.fig
}

// lineOf returns the line that a position's mark can cross.
func (m *Machine) lineOf(a *account, i int, p *perp) Line {
	switch {
	case m.positions.isIsolated(i):
		return Line{LineIsolated, uint32(m.positions.perp[i] &^ isolatedBit)}
	case a.mode == ModeStandard:
		return Line{LineDex, uint32(p.dexSlot)}
	case a.mode == ModeUnified:
		return Line{LineMaintenance, p.collateral}
	default:
		return Line{LineRatio, p.collateral}
	}
}

// isPast reports whether an account is past a line, from figures just evaluated.
func (m *Machine) isPast(a *account, f *figures, l Line) bool {
	switch l.Kind {
	case LineIsolated:
		i, p := m.positions.find(&a.positions, uint16(l.Slot)), &m.perps[l.Slot]
		return m.isolatedEquity(i, p).Less(p.maintenance(p.toUnits(notionalE6(m.positions.size[i], p.mark))))
	case LineDex:
		d := &f.dexes[l.Slot]
		return d.isUsed && d.crossValue.Less(d.crossMM)
	case LineMaintenance:
		t := m.tokenFiguresOf(a, f, l.Slot)
		return t.net().Less(t.MM)
	case LineRatio:
		t := m.tokenFiguresOf(a, f, l.Slot)
		requirement, value, _ := t.ratio(m.params.OffsetMode, m.offsetUnits(l.Slot))
		isBackstop := t.MM.Sign() > 0 && isBelowTwoThirds(t.net().Add(t.LC), t.MM)
		return requirement.Sign() > 0 && (isBackstop || isPastTrigger(requirement, value))
	default:
		return false
	}
}

// crossed returns the first line of an account that it is past, LineNone if there is none:
// ratios and maintenance before isolated positions, the numeraire first.
func (m *Machine) crossed(a *account, f *figures) Line {
	if a.mode == ModePortfolio {
		if l := m.crossedRatio(a, f); l.Kind != LineNone {
			return l
		}
	}
	for n := range uint32(DexesMax) {
		if !f.dexes[n].isUsed || a.mode == ModePortfolio {
			continue
		}
		l := Line{LineDex, n}
		if a.mode == ModeUnified {
			l = Line{LineMaintenance, m.dexes[n].collateral}
		}
		if m.isPast(a, f, l) {
			return l
		}
	}
	for i := int(a.positions.start); i < int(a.positions.start)+int(a.positions.count); i++ {
		if m.positions.size[i] == 0 || !m.positions.isIsolated(i) {
			continue
		}
		if l := (Line{LineIsolated, uint32(m.positions.perp[i] &^ isolatedBit)}); m.isPast(a, f, l) {
			return l
		}
	}
	return Line{}
}

// crossedRatio returns the first settlement token by which a portfolio account is judged
// (MODEL.md §7) and whose ratio is past the line.
func (m *Machine) crossedRatio(a *account, f *figures) Line {
	if l := (Line{LineRatio, m.numeraire}); m.isPast(a, f, l) {
		return l
	}
	for n := range uint32(DexesMax) {
		if l := (Line{LineRatio, m.dexes[n].collateral}); f.dexes[n].isUsed && l.Slot != m.numeraire && m.isPast(a, f, l) {
			return l
		}
	}
	for _, b := range m.balances.of(&a.balances) {
		l := Line{LineRatio, uint32(b.key)}
		if b.key&dexBit == 0 && l.Slot != m.numeraire && m.tokens[b.key].isBorrowable && m.isPast(a, f, l) {
			return l
		}
	}
	return Line{}
}

// collateralCrossing finds the borrow oracle price of a collateral below which the account
// is past the line of some settlement token.
func (m *Machine) collateralCrossing(a *account, v *CollateralView) CrossingPrice {
	t := &m.tokens[v.Token]
	x := CrossingPrice{
		Slot: v.Token, Present: exact(fixedpoint.I128(t.oracleE10), oracleE), Trigger: none(oracleE), Venue: v.LiquidationPx,
	}
	if x.Venue.IsNull {
		x.VenueWhy = CrossingNever
	}
	if t.oracleE10 == 0 {
		x.Present.IsNull, x.Why = true, CrossingUnknown
		return x
	}
	price := t.oracleE10
	f := m.evaluateForLine(a)
	hunt := search{from: price, to: 1}
	hunt.guess, _ = v.TriggerPx.V.Int64()
	found, why := hunt.run(func(at int64) bool {
		t.oracleE10 = at
		l := m.crossedRatio(a, f)
		if l.Kind != LineNone {
			x.Line = l
		}
		return l.Kind != LineNone
	})
	if x.Why = why; why == CrossingFound {
		x.Trigger = exact(fixedpoint.I128(found), oracleE)
		t.oracleE10 = found
		x.Line = m.crossedRatio(a, f)
	}
	t.oracleE10 = price
	return x
}

// search looks for the first number between from and to, seen from from, that is past a
// line; guess is where it is thought to be. What is past stays past toward to.
type search struct{ from, to, guess int64 }

// at returns the number at a distance from where the search starts.
func (s *search) at(distance int64) int64 {
	if s.to < s.from {
		return s.from - distance
	}
	return s.from + distance
}

// run finds the first number past the line. It widens steps around the guess until one end
// is past and the other is not, then halves.
func (s *search) run(isPast func(int64) bool) (found int64, why CrossingReason) {
	if isPast(s.from) {
		return 0, CrossingPast
	}
	end := s.to - s.from
	guess := s.guess - s.from
	if s.to < s.from {
		end, guess = -end, -guess
	}
	near, far := int64(0), int64(-1) // not past, past
	if guess > 0 && guess <= end {
		for at, step := guess, int64(1); ; step *= 2 {
			if isPast(s.at(at)) {
				far = at
				if near > 0 || at-step <= near {
					break
				}
				at -= step
			} else {
				near = at
				if far >= 0 || at == end {
					break
				}
				at = min(at+step, end)
			}
		}
	}
	if far < 0 {
		if near >= end || !isPast(s.at(end)) {
			return 0, CrossingNever
		}
		far = end
	}
	for far-near > 1 {
		if middle := near + (far-near)/2; isPast(s.at(middle)) {
			far = middle
		} else {
			near = middle
		}
	}
	return s.at(far), CrossingFound
}
