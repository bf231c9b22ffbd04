package risk

import "plimsoll/fixedpoint"

// Shock is a relative move of prices under which a pass values all accounts once more, with
// nothing changed. It moves what a joint move of an account moves (ReadCrossings): marks, and
// the borrow oracle price of every token that counts as collateral, while the price of money
// stands; the oracle prices of perps go along.
type Shock struct {
	Market uint32 // a perp: it alone, and the tokens whose price follows it; NoSlot: all
	MoveE8 int64  // at 1e-8, -ShockDownMax to ShockUpMax
}

// Limits of a shock, at 1e-8. Prices stop at their own limits.
const (
	ShockOne     = jointOne
	ShockDownMax = jointDownMax  // all but the last 1e-8 of every price
	ShockUpMax   = 10 * jointOne // every price eleven times as high
)

// WhatIf is what a pass found under a shock, beside what it found without.
type WhatIf struct {
	Shock    Shock
	Health   [HealthCount]uint64
	Negative uint64            // accounts with an equity below zero somewhere
	Equity   fixedpoint.Int128 // under the shock
	// Changes count accounts by health before and under the shock, with their notional
	// before it.
	Changes [HealthCount][HealthCount]Exposure

	LargestCount int
	Largest      [TotalsLargest]Crossed // past a line under the shock alone; by notional, then account
}

// Crossed is an account that a shock takes past a line.
type Crossed struct {
	Account  uint32
	From, To Health
	Notional fixedpoint.Int128 // before the shock
}

func (x *Crossed) isLarger(o *Crossed) bool {
	if c := x.Notional.Cmp(o.Notional); c != 0 {
		return c > 0
	}
	return x.Account < o.Account
}

// IsPast reports that an account of that health can be liquidated.
func (h Health) IsPast() bool { return h >= HealthLiquidatable }

// add adds another shard's part of the same pass.
func (w *WhatIf) add(o *WhatIf) {
	w.Negative, w.Equity = w.Negative+o.Negative, w.Equity.Add(o.Equity)
	for i := range w.Health {
		w.Health[i] += o.Health[i]
		for j := range w.Changes[i] {
			w.Changes[i][j].add(o.Changes[i][j])
		}
	}
	for i := range o.LargestCount {
		w.hold(&o.Largest[i])
	}
}

// hold keeps an account if it is among the largest.
func (w *WhatIf) hold(x *Crossed) {
	at := w.LargestCount
	if at == TotalsLargest {
		if !x.isLarger(&w.Largest[at-1]) {
			return
		}
		at--
	} else {
		w.LargestCount++
	}
	for ; at > 0 && x.isLarger(&w.Largest[at-1]); at-- {
		w.Largest[at] = w.Largest[at-1]
	}
	w.Largest[at] = *x
}

// BeginWhatIf is BeginTotals that values every account a second time, at the prices of a shock.
func (m *Machine) BeginWhatIf(v *TotalsView, nearest int, shock Shock) {
	if shock.MoveE8 < -ShockDownMax || shock.MoveE8 > ShockUpMax {
		panic("risk: BUG: a shock passes its limits")
	}
	m.BeginTotals(v, nearest)
	c := &m.counting
	c.shocked.freeze(m)
	c.shocked.shock(shock)
	c.isShocked = true
	v.WhatIf = &WhatIf{Shock: shock}
}

// shock moves the prices of a frozen world.
func (w *world) shock(x Shock) {
	for slot := range w.perps[:w.perpCount] {
		p := &w.perps[slot]
		if p.isListed && (x.Market == NoSlot || x.Market == uint32(slot)) {
			p.mark, p.oracleE10 = x.of(p.mark, PriceMax), x.of(p.oracleE10, OraclePriceMax)
			p.derive(&w.hotPerps[slot])
		}
	}
	for slot := range w.tokens[:w.tokenCount] {
		t := &w.tokens[slot]
		isMoney := uint32(slot) == w.numeraire || t.ltvE12 == 0
		if t.isListed && !isMoney && (x.Market == NoSlot || x.Market == t.oraclePerp) {
			t.oracleE10 = x.of(t.oracleE10, OraclePriceMax)
		}
	}
}

// of moves a price: rounded down, one unit at least, at most its limit; 0 stays unknown.
func (x Shock) of(price, limit int64) int64 {
	if price == 0 || x.MoveE8 == 0 {
		return price
	}
	v, ok := fixedpoint.MulDivFloor(price, jointOne+x.MoveE8, jointOne)
	if !ok {
		return max(price, limit)
	}
	return max(1, min(v, max(price, limit)))
}

// countShocked counts an account under the shock. It had that health and notional without.
func (m *Machine) countShocked(slot uint32, a *account, before Health, notional i128) {
	c := &m.counting
	w, f := c.view.WhatIf, &c.fig
	m.exchange(&c.shocked)
	m.evaluatePositions(a, f)
	m.evaluateOrders(a, f)
	s := m.statusOf(a, f)
	g := m.gauge(a, f)
	m.exchange(&c.shocked)
	after := s.health()
	w.Health[after]++
	w.Negative += bit(s&statusNegative != 0)
	w.Equity = w.Equity.Add(g.equity)
	w.Changes[before][after].add(Exposure{Accounts: 1, Notional: notional})
	if after.IsPast() && !before.IsPast() {
		w.hold(&Crossed{Account: slot, From: before, To: after, Notional: notional})
	}
}
