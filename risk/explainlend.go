package risk

import "plimsoll/fixedpoint"

// liquidation is LC, what collateral counts for when it is liquidated.
func (e *explainer) liquidation(t *tokenFigures) {
	e.collateral(t, "LC", "min(user_borrow_cap, sum(LC_of) - sum(other_debt))", t.LC, e.liquidationOf)
}

// capacity is C, what may be borrowed against collateral.
func (e *explainer) capacity(t *tokenFigures) {
	e.collateral(t, "C", "min(user_borrow_cap, sum(C_of) - sum(other_debt))", t.C, e.capacityOf)
}

func (e *explainer) collateral(t *tokenFigures, name, formula string, value i128, each func(b *balance, q uint32)) {
	m, q := e.m, t.token
	if e.a.mode != ModePortfolio || !m.tokens[q].isBorrowable {
		e.nothing(name, ofToken(q), e.wei(q))
		return
	}
	if !e.open(term{name, ofToken(q), formula, RoundExact, exact(value, e.wei(q))}) {
		return
	}
	e.leaf("user_borrow_cap", ofToken(q), SourceParameter, exact(m.tokens[q].userBorrowCap, e.wei(q)))
	items := m.balances.of(&e.a.balances)
	for i := range items {
		b := &items[i]
		if b.key&dexBit != 0 || uint32(b.key) == q {
			continue
		}
		if m.tokens[b.key].ltvE12 > 0 && b.lend.Sign() > 0 {
			each(b, q)
		}
		if owed := b.cash.Sub(m.debt(b)); owed.Sign() < 0 {
			e.otherDebt(uint32(b.key), q, owed.Neg())
		}
	}
	e.close()
}

func (e *explainer) liquidationOf(b *balance, q uint32) {
	c := uint32(b.key)
	ltv := e.m.tokens[c].ltvE12
	value := exact(weigh(e.countedValue(b, q), rateOne+ltv, 2*rateOne), e.wei(q))
	if e.open(term{"LC_of", valuedIn(c, q), "V * (1 + ltv) / 2", RoundFloor, value}) {
		e.counted(b, q)
		e.ltv(c)
		e.close()
	}
}

func (e *explainer) capacityOf(b *balance, q uint32) {
	c := uint32(b.key)
	value := exact(weigh(e.countedValue(b, q), e.m.tokens[c].ltvE12, rateOne), e.wei(q))
	if e.open(term{"C_of", valuedIn(c, q), "V * ltv", RoundFloor, value}) {
		e.counted(b, q)
		e.ltv(c)
		e.close()
	}
}

func (e *explainer) ltv(c uint32) {
	e.leaf("ltv", ofToken(c), SourceParameter, exact(fixedpoint.I128(e.m.tokens[c].ltvE12), 12))
}

// countedValue is what the counted part of a collateral is worth in q.
func (e *explainer) countedValue(b *balance, q uint32) i128 {
	return e.m.convert(fixedpoint.MinI128(e.m.supplied(b), e.m.tokens[b.key].userSupplyCap), uint32(b.key), q, false)
}

// counted is V, the value of a collateral up to the user supply cap.
func (e *explainer) counted(b *balance, q uint32) {
	c := uint32(b.key)
	e.worth(term{"V", valuedIn(c, q), "counted", RoundFloor, exact(e.countedValue(b, q), e.wei(q))}, func() {
		value := exact(fixedpoint.MinI128(e.m.supplied(b), e.m.tokens[c].userSupplyCap), e.wei(c))
		if e.open(term{"counted", ofToken(c), "min(supplied, user_supply_cap)", RoundExact, value}) {
			e.supplied(c)
			e.leaf("user_supply_cap", ofToken(c), SourceParameter, exact(e.m.tokens[c].userSupplyCap, e.wei(c)))
			e.close()
		}
	})
}

// worth writes a term whose formula is an amount of token of.Slot, valued in units of token
// of.In at borrow oracle prices; an unknown price values at zero.
func (e *explainer) worth(t term, amount func()) {
	c, q := t.of.Slot, t.of.In
	switch {
	case e.m.tokens[c].oracleE10 == 0 || e.m.tokens[q].oracleE10 == 0:
		e.nothing(t.name, t.of, t.value.Decimals)
		return
	case c != q:
		t.formula += " * price / settlement_price"
	}
	if !e.open(t) {
		return
	}
	amount()
	if c != q {
		e.price("price", c)
		e.price("settlement_price", q)
	}
	e.close()
}

// otherDebt is what is owed in another token, valued in q.
func (e *explainer) otherDebt(c, q uint32, owed i128) {
	value := exact(e.m.convert(owed, c, q, true), e.wei(q))
	e.worth(term{"other_debt", valuedIn(c, q), "(debt - cash)", RoundCeil, value}, func() {
		e.owed(c)
		e.cash(c)
	})
}

// fullValue is what all of a supplied collateral is worth in q.
func (e *explainer) fullValue(b *balance, q uint32) {
	c := uint32(b.key)
	value := exact(e.m.convert(e.m.supplied(b), c, q, false), e.wei(q))
	e.worth(term{"full_value", valuedIn(c, q), "supplied", RoundFloor, value}, func() { e.supplied(c) })
}

// equity is the net balance and all collateral at full weight.
func (e *explainer) equity(t *tokenFigures) {
	m, q := e.m, t.token
	if !e.open(term{"equity", ofToken(q), "N + sum(full_value)", RoundExact, e.margin.Equity}) {
		return
	}
	e.balance(t)
	items := m.balances.of(&e.a.balances)
	for i := range items {
		b := &items[i]
		if b.key&dexBit == 0 && uint32(b.key) != q && b.lend.Sign() > 0 && m.tokens[b.key].ltvE12 > 0 {
			e.fullValue(b, q)
		}
	}
	e.close()
}

// healthFactor is what all collateral may carry over all debts, in the numeraire.
func (e *explainer) healthFactor() {
	if e.margin.HealthFactor.IsNull {
		return
	}
	if !e.open(term{"health_factor", ExplainSubject{}, "ratio(capacity, debts)", RoundHalfEven, e.margin.HealthFactor}) {
		return
	}
	m, q := e.m, e.m.numeraire
	var capacity, debts i128
	items := m.balances.of(&e.a.balances)
	for i := range items {
		b := &items[i]
		if b.key&dexBit != 0 {
			continue
		}
		debts = debts.Add(m.convert(m.debt(b), uint32(b.key), q, true))
		capacity = capacity.Add(e.carried(b, q))
	}
	if e.open(term{"capacity", ExplainSubject{}, "sum(capacity_of)", RoundExact, exact(capacity, e.wei(q))}) {
		for i := range items {
			if b := &items[i]; b.key&dexBit == 0 && m.tokens[b.key].ltvE12 > 0 && b.lend.Sign() > 0 {
				value := exact(e.carried(b, q), e.wei(q))
				if e.open(term{"capacity_of", valuedIn(uint32(b.key), q), "full_value * ltv", RoundFloor, value}) {
					e.fullValue(b, q)
					e.ltv(uint32(b.key))
					e.close()
				}
			}
		}
		e.close()
	}
	if e.open(term{"debts", ExplainSubject{}, "sum(debt_value)", RoundExact, exact(debts, e.wei(q))}) {
		for i := range items {
			if b := &items[i]; b.key&dexBit == 0 && b.lend.Sign() < 0 {
				c := uint32(b.key)
				value := exact(m.convert(m.debt(b), c, q, true), e.wei(q))
				e.worth(term{"debt_value", valuedIn(c, q), "debt", RoundCeil, value}, func() { e.owed(c) })
			}
		}
		e.close()
	}
	e.close()
}

// carried is what a supplied collateral may carry in q, without the user supply cap.
func (e *explainer) carried(b *balance, q uint32) i128 {
	t := &e.m.tokens[b.key]
	if t.ltvE12 == 0 || b.lend.Sign() <= 0 {
		return i128{}
	}
	return weigh(e.m.convert(e.m.supplied(b), uint32(b.key), q, false), t.ltvE12, rateOne)
}
