package risk

import (
	"slices"

	"plimsoll/fixedpoint"
)

// Figures of health_changed: of all that is judged by itself (a dex, a token, an isolated position)
// those with the highest ratio, at present prices; and, where a price tick alone has moved the
// account, the highest ratio at the prices before the tick.

// RatioInfinite is Event.OrderHi of a ratio before that is infinite.
const RatioInfinite = 1<<64 - 1

// RatioOf returns requirement/value at 1e-10, rounded half even, 0 where nothing is required; null
// where it is infinite, the value at or below zero.
func RatioOf(requirement, value fixedpoint.Int128) Amount {
	r, isInfinite := ratioE10(requirement, value)
	return Amount{V: r, Decimals: 10, IsNull: isInfinite}
}

// RatioBefore returns the ratio that a health_changed event carries of the prices before; false
// when it carries none.
func (e *Event) RatioBefore() (Amount, bool) {
	return Amount{V: units128(e.OrderHi), Decimals: 10, IsNull: e.OrderHi == RatioInfinite}, e.Flags&EventHasBefore != 0
}

// nearness is what has the highest ratio so far. Of what stands alone no ratio is taken.
type nearness struct {
	line       breach
	ratio      i128
	isInfinite bool
	isThere    bool
	isTaken    bool // the ratio is
}

// add takes in what else is judged by itself; of equal ones the first counts.
func (n *nearness) add(w breach) {
	if !n.isThere {
		n.line, n.isThere = w, true
		return
	}
	n.take()
	r, isInfinite := ratioE10(w.requirement, w.value)
	if isInfinite && !n.isInfinite || isInfinite == n.isInfinite && n.ratio.Less(r) {
		n.line, n.ratio, n.isInfinite = w, r, isInfinite
	}
}

func (n *nearness) take() {
	if !n.isTaken {
		n.ratio, n.isInfinite = ratioE10(n.line.requirement, n.line.value)
		n.isTaken = true
	}
}

// word returns the ratio in the form in which events carry it.
func (n *nearness) word() uint64 {
	n.take()
	if n.isInfinite || n.ratio.Hi != 0 {
		return RatioInfinite
	}
	return n.ratio.Lo
}

// nearest returns what of an account has the highest ratio.
func (m *Machine) nearest(a *account, f *figures) (n nearness) {
	isIsolated := false
	for i := range f.usedN {
		d := &f.dexes[f.used[i]]
		isIsolated = isIsolated || d.isoNtl.Sign() > 0
		if a.mode == ModeStandard {
			n.add(breach{market: NoSlot, token: m.dexes[f.used[i]].collateral, value: d.crossValue, requirement: d.crossMM})
		}
	}
	if a.mode != ModeStandard {
		t, ratio, isInfinite := m.bindingToken(a, f)
		n = nearness{
			line: breach{market: NoSlot, token: t.token, value: t.net(), requirement: t.MM}, ratio: ratio, isInfinite: isInfinite,
			isThere: true, isTaken: true,
		}
		if a.mode == ModePortfolio {
			n.line.requirement, n.line.value, _ = t.ratio(m.params.OffsetMode, m.offsetUnits(t.token))
		}
	}
	if !isIsolated {
		return n
	}
	for i := int(a.positions.start); i < int(a.positions.start)+int(a.positions.count); i++ {
		if m.positions.size[i] != 0 && m.positions.isIsolated(i) {
			h := m.heldAt(i)
			p := &m.perps[h.market]
			n.add(breach{market: h.market, token: p.collateral, value: m.isolatedEquity(i, p), requirement: h.maintenance})
		}
	}
	return n
}

// tellHealth emits health_changed with figures at present prices.
func (m *Machine) tellHealth(slot uint32, from, to status, f *figures) {
	a := &m.accounts[slot/m.cfg.Shards]
	n := m.nearest(a, f)
	m.emit(Event{
		Kind: EventHealthChanged, Phase: phaseHealth, Rank: uint64(slot), Account: slot, Market: n.line.market, Token: n.line.token,
		Amount: n.line.value, Amount2: n.line.requirement, Decimals: m.tokens[n.line.token].wei, From: from.health(), To: to.health(),
	})
}

// movedPrice is a price that a tick has moved and figures are taken at: the mark of a perp, or with
// SpotBit the borrow oracle price of a token.
type movedPrice struct {
	slot  uint32
	other int64 // what it was before; what it is now while prices are exchanged
}

// tellBefore adds to the health_changed events of a tick the ratio at the prices before it: the tick
// has changed prices, and nothing else of these accounts. When some price is the first of its kind
// nothing is known of before.
func (m *Machine) tellBefore() {
	first := slices.IndexFunc(m.events, func(e Event) bool { return e.Kind == EventHealthChanged })
	isFirst := slices.ContainsFunc(m.movedPrices, func(x movedPrice) bool { return x.other == 0 })
	if first < 0 || isFirst || m.isScratch {
		return
	}
	for i := len(m.movedPrices) - 1; i >= 0; i-- {
		m.flip(&m.movedPrices[i])
	}
	for i := first; i < len(m.events); i++ {
		if e := &m.events[i]; e.Kind == EventHealthChanged {
			a := &m.accounts[e.Account/m.cfg.Shards]
			n := m.nearest(a, m.evaluate(a))
			e.OrderHi, e.Flags = n.word(), e.Flags|EventHasBefore
		}
	}
	for i := range m.movedPrices {
		m.flip(&m.movedPrices[i])
	}
}

// flip puts a price in force that a tick has moved, or the one that it has set.
func (m *Machine) flip(x *movedPrice) {
	if x.slot&SpotBit != 0 {
		t := &m.tokens[x.slot&^SpotBit]
		t.oracleE10, x.other = x.other, t.oracleE10
		return
	}
	p := &m.perps[x.slot]
	p.mark, x.other = x.other, p.mark
	p.derive(&m.hotPerps[x.slot])
}
