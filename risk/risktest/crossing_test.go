package risktest

import (
	"fmt"
	"testing"

	"plimsoll/risk"
)

// isPast judges a line by the oracle's figures (MODEL.md §3, §4 and §7).
func (o *Oracle) isPast(a *account, l risk.Line) bool {
	switch l.Kind {
	case risk.LineIsolated:
		x := a.positions[l.Slot]
		return isLess(x.equity(), x.maintenance())
	case risk.LineDex:
		for _, d := range o.books(a) {
			if d.dex.slot == l.Slot {
				return isLess(d.value, d.maintenance)
			}
		}
		return false
	case risk.LineMaintenance:
		f := o.figures(a, o.tokens[l.Slot])
		return isLess(f.core(), f.maintenance)
	case risk.LineRatio:
		return o.figures(a, o.tokens[l.Slot]).portfolioHealth() >= risk.HealthLiquidatable
	}
	return false
}

// isPastRatio reports whether some settlement token of a portfolio account is past 0.95.
func (o *Oracle) isPastRatio(a *account) bool {
	for _, f := range o.judged(a) {
		isHeld := f.t.slot == o.numeraire || f.isUsed || a.balances[f.t.slot] != nil && f.t.isBorrowable
		if isHeld && f.portfolioHealth() >= risk.HealthLiquidatable {
			return true
		}
	}
	return false
}

// isPastAny reports whether an account is past any line.
func (o *Oracle) isPastAny(a *account) bool {
	for _, x := range a.positions {
		if x.isIsolated && x.size.Sign() != 0 && o.isPast(a, risk.Line{Kind: risk.LineIsolated, Slot: x.perp.slot}) {
			return true
		}
	}
	if a.mode == risk.ModePortfolio {
		return o.isPastRatio(a)
	}
	for _, d := range o.books(a) {
		l := risk.Line{Kind: risk.LineDex, Slot: d.dex.slot}
		if a.mode == risk.ModeUnified {
			l = risk.Line{Kind: risk.LineMaintenance, Slot: d.dex.collateral.slot}
		}
		if d.isUsed && o.isPast(a, l) {
			return true
		}
	}
	return false
}

// crossingTally counts what a crossing test has seen.
type crossingTally map[string]int

// checkPrice holds one price against the oracle: past at it, not past one unit nearer.
func (o *Oracle) checkPrice(x *risk.CrossingPrice, price *whole, end whole, isPast func() bool) string {
	present := *price
	defer func() { *price = present }()
	at := func(v whole) bool {
		*price = v
		return isPast()
	}
	switch x.Why {
	case risk.CrossingPast:
		if !at(present) {
			return "said to be past its line, is not"
		}
	case risk.CrossingUnknown:
		if present.Sign() != 0 {
			return "said to have no price, has one"
		}
	case risk.CrossingNever:
		if at(present) || at(end) {
			return fmt.Sprintf("said never to cross, does at %v or %v", present, end)
		}
	default:
		trigger := fromInt128(x.Trigger.V)
		nearer := add(trigger, of(int64(present.Cmp(trigger))))
		if !at(trigger) || at(nearer) || at(present) {
			return fmt.Sprintf("trigger %v from %v: past at it %v, one nearer %v, now %v", trigger, present, at(trigger), at(nearer), at(present))
		}
	}
	return ""
}

// TestCrossingPricesAreTheFirst holds every trigger price of every portfolio against the
// oracle, to the unit.
func TestCrossingPricesAreTheFirst(t *testing.T) {
	t.Parallel()
	scratch := risk.NewScratch()
	var v risk.CrossingView
	var view risk.AccountView
	seen := crossingTally{}
	portfolios(t, 12, func(seed uint64, r *run) {
		for _, slot := range keys(r.o.accounts) {
			a := r.o.accounts[slot]
			m := r.s.Owner(slot)
			before := m.StateHash()
			if !scratch.ReadCrossings(m, slot, &v, &view) {
				t.Fatalf("seed %d account %d cannot be read", seed, slot)
			}
			if m.StateHash() != before {
				t.Fatalf("seed %d account %d: reading changed the state", seed, slot)
			}
			for i := range v.Positions {
				x := &v.Positions[i]
				p := a.positions[x.Slot]
				end := of(1)
				if p.size.Sign() < 0 {
					end = least(of(risk.PriceMax), divFloor(of(risk.NotionalMax), absolute(p.size)))
				}
				seen[fmt.Sprintf("position %v %q", x.Line.Kind, x.Why)]++
				if s := r.o.checkPrice(x, &p.perp.mark, end, func() bool { return r.o.isPast(a, x.Line) }); s != "" {
					t.Errorf("seed %d account %d mode %d perp %d: %s", seed, slot, a.mode, x.Slot, s)
				}
			}
			for i := range v.Collaterals {
				x := &v.Collaterals[i]
				seen[fmt.Sprintf("collateral %q", x.Why)]++
				if s := r.o.checkPrice(x, &r.o.tokens[x.Slot].px, of(1), func() bool { return r.o.isPastRatio(a) }); s != "" {
					t.Errorf("seed %d account %d token %d: %s", seed, slot, x.Slot, s)
				}
			}
			checkJoint(t, seen, fmt.Sprintf("seed %d account %d mode %d", seed, slot, a.mode), r.o, a, &v)
		}
	})
	t.Log(seen)
	for _, want := range []string{
		`position portfolio_margin_ratio ""`, `position dex_maintenance_margin ""`, `position isolated_maintenance_margin ""`,
		`position maintenance_margin ""`, `collateral ""`, `collateral "never"`, `collateral "past_already"`, `down ""`, `up ""`, `up "never"`,
	} {
		if seen[want] == 0 {
			t.Errorf("no portfolio has a %s: the test is too narrow", want)
		}
	}
}

// checkJoint holds the least joint moves against the oracle: past at it, not past one step
// of 1e-8 nearer.
func checkJoint(t *testing.T, seen crossingTally, where string, o *Oracle, a *account, v *risk.CrossingView) {
	t.Helper()
	var prices []*whole
	for _, x := range a.positions {
		if x.size.Sign() != 0 {
			prices = append(prices, &x.perp.mark)
		}
	}
	for slot, b := range a.balances {
		if c := o.tokens[slot]; a.mode == risk.ModePortfolio && slot != o.numeraire && c.ltv.Sign() > 0 && (b.lend.Sign() != 0 || b.cash.Sign() < 0) {
			prices = append(prices, &c.px)
		}
	}
	present := make([]whole, len(prices))
	for i, p := range prices {
		present[i] = *p
	}
	at := func(moveE8 int64) bool {
		for i, p := range prices {
			if moveE8 != 0 {
				*p = most(of(1), divFloor(times(present[i], of(100_000_000+moveE8)), of(100_000_000)))
			} else {
				*p = present[i]
			}
		}
		return o.isPastAny(a)
	}
	for name, x := range map[string]risk.JointMove{"down": v.Down, "up": v.Up} {
		sign := int64(1)
		if name == "down" {
			sign = -1
		}
		seen[fmt.Sprintf("%s %q", name, x.Why)]++
		switch x.Why {
		case risk.CrossingFound:
			if !at(sign*x.MoveE8) || at(sign*(x.MoveE8-1)) {
				t.Errorf("%s %s %d: past at it %v, one nearer %v", where, name, x.MoveE8, at(sign*x.MoveE8), at(sign*(x.MoveE8-1)))
			}
			if at(sign * x.MoveE8); !o.isPast(a, x.Line) {
				t.Errorf("%s %s %d: %+v is said to give way, and does not", where, name, x.MoveE8, x.Line)
			}
		case risk.CrossingPast:
			if !at(0) {
				t.Errorf("%s %s: said to be past a line, is not", where, name)
			}
		case risk.CrossingNever:
			if at(0) || sign < 0 && len(prices) > 0 && at(-99_999_999) {
				t.Errorf("%s %s: said never to cross, does", where, name)
			}
		case risk.CrossingUnknown:
		}
		at(0)
	}
}
