package risk

import "plimsoll/fixedpoint"

// pooled explains unified and portfolio accounts: the ratio first, all below it, then what
// stands beside it for the settlement token that binds.
func (e *explainer) pooled() {
	m := e.m
	if e.open(term{"portfolio_margin_ratio", ExplainSubject{}, "max(PMR)", RoundExact, e.margin.PortfolioMarginRatio}) {
		e.tokenRatio(m.numeraire)
		for q := range m.tokenCount {
			if q != m.numeraire && m.tokens[q].isListed && m.settles(e.f, q) {
				e.tokenRatio(q)
			}
		}
		e.close()
	}
	q := e.margin.Token
	t := m.tokenFiguresOf(e.a, e.f, q)
	e.afterMaintenance(&t)
	e.available(&t)
	e.equity(&t)
	e.withdrawable(&t)
	if e.a.mode == ModePortfolio {
		e.healthFactor()
	}
}

// tokenRatio is the ratio of one settlement token.
func (e *explainer) tokenRatio(q uint32) {
	t := e.m.tokenFiguresOf(e.a, e.f, q)
	ratio, isInfinite := e.m.ratioOf(e.a, &t)
	x := term{"PMR", ofToken(q), "ratio(R, liquidation_value)", RoundHalfEven, Amount{V: ratio, Decimals: 10, IsNull: isInfinite}}
	if e.a.mode == ModeUnified {
		x.formula = "ratio(MM, Nc)"
	}
	if !e.open(x) {
		return
	}
	if e.a.mode == ModeUnified {
		e.tokenMaintenance(&t)
		e.net(&t)
	} else {
		e.requirementForMaintenance(&t)
		e.liquidationValue(&t)
	}
	e.close()
}

// requirementForMaintenance is R, with min_borrow_offset as the mode says.
func (e *explainer) requirementForMaintenance(t *tokenFigures) {
	m, wei := e.m, e.wei(t.token)
	offset := m.offsetUnits(t.token)
	r, _, borrowed := t.ratio(m.params.OffsetMode, offset)
	formula := "MM + B"
	if t.MM.Sign() > 0 || borrowed.Sign() > 0 { // the offset counts where something is required
		switch m.params.OffsetMode {
		case OffsetAdd:
			formula = "MM + offset + B"
		case OffsetFloor:
			formula = "max(MM, offset) + B"
		case OffsetNone:
		}
	}
	if !e.open(term{"R", ofToken(t.token), formula, RoundExact, exact(r, wei)}) {
		return
	}
	e.tokenMaintenance(t)
	if formula != "MM + B" {
		e.offset(t.token, offset)
	}
	e.borrowed(t)
	e.close()
}

func (e *explainer) offset(q uint32, value i128) {
	t := &e.m.tokens[q]
	if t.oracleE10 == 0 {
		e.nothing("offset", ofToken(q), t.wei)
		return
	}
	if e.open(term{"offset", ofToken(q), "min_borrow_offset / price", RoundCeil, exact(value, t.wei)}) {
		e.leaf("min_borrow_offset", ExplainSubject{}, SourceParameter, exact(fixedpoint.I128(e.m.params.MinBorrowOffsetE8), 8))
		e.price("price", q)
		e.close()
	}
}

// price writes the borrow oracle price of a token.
func (e *explainer) price(name string, q uint32) {
	e.leaf(name, ofToken(q), SourcePrice, exact(fixedpoint.I128(e.m.tokens[q].oracleE10), oracleE))
}

func (e *explainer) tokenMaintenance(t *tokenFigures) {
	if e.open(term{"MM", ofToken(t.token), "sum(cross_MM)", RoundExact, exact(t.MM, e.wei(t.token))}) {
		e.dexesOf(t.token, e.crossMaintenance)
		e.close()
	}
}

// borrowed is B, what would have to be borrowed to hold the maintenance margin.
func (e *explainer) borrowed(t *tokenFigures) {
	_, _, b := t.ratio(OffsetNone, i128{})
	if e.open(term{"B", ofToken(t.token), "max(0, MM - Nc)", RoundExact, exact(b, e.wei(t.token))}) {
		e.tokenMaintenance(t)
		e.net(t)
		e.close()
	}
}

func (e *explainer) liquidationValue(t *tokenFigures) {
	_, value, _ := t.ratio(OffsetNone, i128{})
	if e.open(term{"liquidation_value", ofToken(t.token), "Nc + B + LC", RoundExact, exact(value, e.wei(t.token))}) {
		e.net(t)
		e.borrowed(t)
		e.liquidation(t)
		e.close()
	}
}

func (e *explainer) net(t *tokenFigures) {
	if e.open(term{"Nc", ofToken(t.token), "N - E_iso", RoundExact, exact(t.net(), e.wei(t.token))}) {
		e.balance(t)
		e.isolated(t)
		e.close()
	}
}

func (e *explainer) isolated(t *tokenFigures) {
	if e.open(term{"E_iso", ofToken(t.token), "sum(isolated_equity)", RoundExact, exact(t.isoEquity, e.wei(t.token))}) {
		e.dexesOf(t.token, func(n uint16) { e.positionsOf(n, true, e.isolatedEquity) })
		e.close()
	}
}

// balance is N, the net balance of a token; perps count outside standard mode.
func (e *explainer) balance(t *tokenFigures) {
	formula := "cash + supplied - debt + sum(AV) + E_iso"
	if e.a.mode == ModeStandard {
		formula = "cash + supplied - debt"
	}
	if !e.open(term{"N", ofToken(t.token), formula, RoundExact, exact(t.N, e.wei(t.token))}) {
		return
	}
	e.holding(t.token)
	if e.a.mode != ModeStandard {
		e.dexesOf(t.token, e.accountValue)
		e.isolated(t)
	}
	e.close()
}

// holding writes what an account holds and owes of a token.
func (e *explainer) holding(q uint32) {
	e.cash(q)
	e.supplied(q)
	e.owed(q)
}

func (e *explainer) cash(q uint32) {
	e.leaf("cash", ofToken(q), SourceBalance, exact(e.m.cashOf(e.a, q), e.wei(q)))
}

// supplied is what an account has lent, with interest.
func (e *explainer) supplied(q uint32) {
	b, wei := e.m.balanceOf(e.a, uint16(q)), e.wei(q)
	if b == nil || b.lend.Sign() <= 0 {
		e.nothing("supplied", ofToken(q), wei)
		return
	}
	x := term{"supplied", ofToken(q), "scaled_supply * supply_index", RoundFloor, exact(e.m.supplied(b), wei)}
	if e.open(x) {
		e.leaf("scaled_supply", ofToken(q), SourceBalance, exact(b.lend, wei))
		e.index("supply_index", q, e.m.pools[e.m.tokens[q].pool].supplyIndex)
		e.close()
	}
}

// owed is what an account owes, with interest.
func (e *explainer) owed(q uint32) {
	b, wei := e.m.balanceOf(e.a, uint16(q)), e.wei(q)
	if b == nil || b.lend.Sign() >= 0 {
		e.nothing("debt", ofToken(q), wei)
		return
	}
	if e.open(term{"debt", ofToken(q), "scaled_debt * debt_index", RoundCeil, exact(e.m.debt(b), wei)}) {
		e.leaf("scaled_debt", ofToken(q), SourceBalance, exact(b.lend.Neg(), wei))
		e.index("debt_index", q, e.m.pools[e.m.tokens[q].pool].debtIndex)
		e.close()
	}
}

func (e *explainer) index(name string, q uint32, x index) {
	v, ok := x.U.Int128()
	if !ok {
		panic("risk: BUG: an index above 127 bits")
	}
	e.leaf(name, ofToken(q), SourcePrice, exact(v, 27))
}

// afterMaintenance is AAM.
func (e *explainer) afterMaintenance(t *tokenFigures) {
	if e.open(term{"AAM", ofToken(t.token), "Nc + LC - MM", RoundExact, exact(t.afterMaintenance(), e.wei(t.token))}) {
		e.net(t)
		e.liquidation(t)
		e.tokenMaintenance(t)
		e.close()
	}
}

// available is what new requirements may take.
func (e *explainer) available(t *tokenFigures) {
	if e.open(term{"available", ofToken(t.token), "N + C - requirement", RoundExact, exact(t.available(), e.wei(t.token))}) {
		e.balance(t)
		e.capacity(t)
		e.requirement(t)
		e.close()
	}
}

func (e *explainer) requirement(t *tokenFigures) {
	const formula = "sum(cross_requirement) + E_iso + spot_holds"
	if e.open(term{"requirement", ofToken(t.token), formula, RoundExact, exact(t.requirement, e.wei(t.token))}) {
		e.dexesOf(t.token, e.target)
		e.isolated(t)
		e.spotHolds(t.token)
		e.close()
	}
}

// spotHolds is what resting spot orders hold of a token.
func (e *explainer) spotHolds(q uint32) {
	m := e.m
	if !e.open(term{"spot_holds", ofToken(q), "sum(spot_hold)", RoundExact, exact(m.spotHeld(e.a, q), e.wei(q))}) {
		return
	}
	place := uint32(0)
	for slot := e.a.orderHead; slot != 0; slot = m.orders.at(slot).next {
		if o := m.orders.at(slot); o.market&SpotBit != 0 && o.isHolding() {
			if held, amount := m.spotHold(o); held == q {
				e.spotOrder(o, place, exact(amount, e.wei(q)))
			}
		}
		place++
	}
	e.close()
}

func (e *explainer) spotOrder(o *order, place uint32, amount Amount) {
	of := ExplainSubject{Kind: SubjectOrder, Slot: o.market, In: place}
	size, price := e.m.marketDecimals(o.market)
	formula := "size * price"
	if o.flags&FlagSell != 0 {
		formula = "size"
	}
	if e.open(term{"spot_hold", of, formula, RoundCeil, amount}) {
		e.leaf("size", of, SourceSize, exact(fixedpoint.I128(o.size), size))
		if o.flags&FlagSell == 0 {
			e.leaf("price", of, SourcePrice, exact(fixedpoint.I128(o.price), price))
		}
		e.close()
	}
}

func (e *explainer) withdrawable(t *tokenFigures) {
	const formula = "max(0, cash + supplied - debt - spot_holds - sum(cross_requirement) + sum(AV))"
	if e.open(term{"withdrawable", ofToken(t.token), formula, RoundExact, e.margin.Withdrawable}) {
		e.holding(t.token)
		e.spotHolds(t.token)
		e.dexesOf(t.token, e.target)
		e.dexesOf(t.token, e.accountValue)
		e.close()
	}
}

// standard explains standard accounts: each dex by itself, then what stands beside the one
// with the highest ratio.
func (e *explainer) standard() {
	m := e.m
	binding, isFound := uint16(0), false
	if e.open(term{"portfolio_margin_ratio", ExplainSubject{}, "max(PMR)", RoundExact, e.margin.PortfolioMarginRatio}) {
		for n := range uint16(DexesMax) {
			d := &e.f.dexes[n]
			if !d.isUsed || !m.dexes[n].isListed {
				continue
			}
			ratio, isInfinite := ratioE10(d.crossMM, d.crossValue)
			value := Amount{V: ratio, Decimals: 10, IsNull: isInfinite}
			if !isFound && value == e.margin.PortfolioMarginRatio {
				binding, isFound = n, true
			}
			if e.open(term{"PMR", ofDex(n), "ratio(cross_MM, AV)", RoundHalfEven, value}) {
				e.crossMaintenance(n)
				e.accountValue(n)
				e.close()
			}
		}
		e.close()
	}
	if m.dexes[binding].isListed {
		e.standardRooms(binding)
	}
}

func (e *explainer) standardRooms(n uint16) {
	v, d, of := e.margin, &e.f.dexes[n], ofDex(n)
	if e.open(term{"AAM", of, "AV - cross_MM", RoundExact, v.AvailableAfterMaint}) {
		e.accountValue(n)
		e.crossMaintenance(n)
		e.close()
	}
	if e.open(term{"available", of, "AV - requirement", RoundExact, v.Available}) {
		e.accountValue(n)
		if e.open(term{"requirement", of, "cross_IM + order_margin", RoundExact, v.InitialRequirement}) {
			e.crossInitial(n)
			e.orderMargin(n)
			e.close()
		}
		e.close()
	}
	if e.open(term{"equity", of, "AV + sum(isolated_equity)", RoundExact, v.Equity}) {
		e.accountValue(n)
		e.positionsOf(n, true, e.isolatedEquity)
		e.close()
	}
	if e.open(term{"withdrawable", of, "max(0, AV - kept - order_margin)", RoundExact, v.Withdrawable}) {
		e.accountValue(n)
		kept := exact(fixedpoint.MaxI128(d.initial, d.crossNtl.DivCeil(10)), e.dexWei(n))
		if e.open(term{"kept", of, "max(cross_IM, cross_notional / 10)", RoundCeil, kept}) {
			e.crossInitial(n)
			e.crossSum(n, "cross_notional", "sum(notional)", d.crossNtl, e.notional)
			e.close()
		}
		e.orderMargin(n)
		e.close()
	}
}
