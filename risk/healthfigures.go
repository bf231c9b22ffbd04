package risk

import (
	"slices"

	"plimsoll/fixedpoint"
	"plimsoll/internal/prefetch"
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

// tellHealth emits health_changed with figures at present prices, or without, to be added by
// tellFigures.
func (m *Machine) tellHealth(slot uint32, from, to status, f *figures) {
	e := Event{
		Kind: EventHealthChanged, Phase: phaseHealth, Rank: uint64(slot), Account: slot, From: from.health(), To: to.health(),
	}
	if f != nil {
		m.setFigures(&e, &m.accounts[slot/m.cfg.Shards], f)
	} else {
		e.Flags |= eventLacksFigures
	}
	m.emit(e)
}

// eventLacksFigures marks an event within the machine whose figures are still to be taken.
const eventLacksFigures = 1 << 7

func (m *Machine) setFigures(e *Event, a *account, f *figures) {
	n := m.nearest(a, f)
	e.Market, e.Token, e.Decimals = n.line.market, n.line.token, m.tokens[n.line.token].wei
	e.Amount, e.Amount2 = n.line.value, n.line.requirement
}

// tellFigures completes the health_changed events of a tick: figures at present prices where a look
// went by hot columns, which do not have them all, and the ratio at the prices before, if the tick
// has no first price of its kind: it has changed prices and nothing else of these accounts. It goes
// over the events in order, so that what an account leads to is under way before it is read; of
// few prices that moved the ones before are put in force for each account, of many once for all.
func (m *Machine) tellFigures() {
	const few = 2
	first := slices.IndexFunc(m.events, func(e Event) bool { return e.Kind == EventHealthChanged })
	if first < 0 {
		return
	}
	told := m.events[first:]
	hasBefore := !m.isScratch && !slices.ContainsFunc(m.movedPrices, func(x movedPrice) bool { return x.other == 0 })
	areFew := len(m.movedPrices) <= few
	for i := range told {
		m.prefetchTold(told, i)
		e := &told[i]
		if e.Flags&eventLacksFigures != 0 {
			a := &m.accounts[e.Account/m.cfg.Shards]
			e.Flags &^= eventLacksFigures
			m.setFigures(e, a, m.evaluate(a))
		}
		if hasBefore && areFew {
			m.flipBack()
			m.setBefore(e)
			m.flipAgain()
		}
	}
	if hasBefore && !areFew {
		m.flipBack()
		for i := range told {
			m.prefetchTold(told, i)
			m.setBefore(&told[i])
		}
		m.flipAgain()
	}
}

// setBefore adds the ratio at the prices in force to a health_changed event.
func (m *Machine) setBefore(e *Event) {
	if e.Kind == EventHealthChanged {
		a := &m.accounts[e.Account/m.cfg.Shards]
		n := m.nearest(a, m.evaluate(a))
		e.OrderHi, e.Flags = n.word(), e.Flags|EventHasBefore
	}
}

// prefetchTold asks for what an evaluation of accounts told a few events later reads.
func (m *Machine) prefetchTold(told []Event, i int) {
	const near, far = 4, 10
	if i+far < len(told) && told[i+far].Kind == EventHealthChanged {
		prefetch.Item(&m.accounts[told[i+far].Account/m.cfg.Shards])
	}
	if i+near < len(told) && told[i+near].Kind == EventHealthChanged {
		a := &m.accounts[told[i+near].Account/m.cfg.Shards]
		at, end := a.positions.start, a.positions.start+uint32(a.positions.count)
		prefetch.Items(m.positions.size[at:end])
		prefetch.Items(m.positions.perp[at:end])
		prefetch.Items(m.positions.lever[at:end])
		prefetch.Items(m.positions.terms[at:end])
		prefetch.Items(m.balances.of(&a.balances))
	}
}

// movedPrice is a price that a tick has moved and figures are taken at: the mark of a perp, or with
// SpotBit the borrow oracle price of a token.
type movedPrice struct {
	slot  uint32
	other int64 // what it was before; what it is now while prices are exchanged
}

// flipBack puts the prices before the tick in force, flipAgain those that it has set.
func (m *Machine) flipBack() {
	for i := len(m.movedPrices) - 1; i >= 0; i-- {
		m.flip(&m.movedPrices[i])
	}
}

func (m *Machine) flipAgain() {
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
