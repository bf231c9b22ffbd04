package risk

import "plimsoll/fixedpoint"

// holds writes what is held of every token the account has, and of the tokens it is judged
// by, as its balances show it.
func (e *explainer) holds() {
	m := e.m
	main := m.tokenFiguresOf(e.a, e.f, m.numeraire)
	for q := range m.tokenCount {
		isCounted := e.a.mode == ModePortfolio && m.tokens[q].pool >= 0 || e.a.mode != ModeStandard && m.settlesDex(e.f, q)
		if !m.tokens[q].isListed || m.balanceOf(e.a, uint16(q)) == nil && q != m.numeraire && !isCounted {
			continue
		}
		t := m.tokenFiguresOf(e.a, e.f, q)
		e.hold(&t, &main)
	}
}

// hold is a token's hold, by the case that applies (MODEL.md §3).
func (e *explainer) hold(t, main *tokenFigures) {
	m, q := e.m, t.token
	c, wei := &m.tokens[q], e.wei(q)
	x := term{"hold", ofToken(q), "requirement - C", RoundExact, exact(m.holdOf(e.a, t, main), wei)}
	isPlain := e.a.mode == ModeUnified || q == m.numeraire
	short := main.requirement.Sub(main.N)
	switch {
	case e.a.mode == ModeStandard:
		x.formula = "spot_holds"
		e.with(x, func() { e.spotHolds(q) })
	case !isPlain && c.isBorrowable && t.N.Sign() == 0 && t.requirement.IsZero():
		x.formula = "0 - max(0, min(C, room))"
		e.with(x, func() {
			e.capacity(t)
			room := exact(m.convert(main.available(), m.numeraire, q, false), wei)
			e.room(q, main, room)
		})
	case !isPlain && !c.isBorrowable && c.ltvE12 > 0 && short.Sign() > 0:
		x.formula = "requirement + min(locked, supplied)"
		e.with(x, func() {
			e.requirement(t)
			e.locked(q, main, short)
			e.supplied(q)
		})
	case !isPlain && !c.isBorrowable:
		x.formula = "requirement"
		e.with(x, func() { e.requirement(t) })
	default:
		e.with(x, func() {
			e.requirement(t)
			e.capacity(t)
		})
	}
}

func (e *explainer) with(x term, inputs func()) {
	if e.open(x) {
		inputs()
		e.close()
	}
}

// room is what is available, in units of a further token.
func (e *explainer) room(q uint32, main *tokenFigures, value Amount) {
	m := e.m
	of := valuedIn(m.numeraire, q)
	if m.tokens[q].oracleE10 == 0 || m.tokens[m.numeraire].oracleE10 == 0 {
		e.nothing("room", of, value.Decimals)
		return
	}
	e.with(term{"room", of, "available * price / settlement_price", RoundFloor, value}, func() {
		e.available(main)
		e.price("price", m.numeraire)
		e.price("settlement_price", q)
	})
}

// locked is the collateral whose capacity covers what the numeraire is short of its
// requirement; without a price, all there may be.
func (e *explainer) locked(q uint32, main *tokenFigures, short i128) {
	m, c := e.m, &e.m.tokens[q]
	x := term{"locked", ofToken(q), "shortfall / (price * ltv)", RoundCeil, exact(m.lockedFor(short, c), c.wei)}
	if c.oracleE10 == 0 {
		x.formula = "supply_cap"
		e.with(x, func() { e.leaf("supply_cap", ofToken(q), SourceParameter, exact(c.supplyCap, c.wei)) })
		return
	}
	e.with(x, func() {
		e.with(term{"shortfall", ofToken(m.numeraire), "requirement - N", RoundExact, exact(short, e.wei(m.numeraire))}, func() {
			e.requirement(main)
			e.balance(main)
		})
		e.price("price", q)
		e.leaf("ltv", ofToken(q), SourceParameter, exact(fixedpoint.I128(c.ltvE12), 12))
	})
}
