package risk

import "plimsoll/fixedpoint"

// portfolio liquidates a portfolio account: perps first, by the token whose ratio is past its
// trigger; then its borrows (decision 8.4).
func (k *caseOf) portfolio() {
	m := k.m
	f := m.evaluate(k.a)
	lending := m.lendingSums(k.a)
	if lending.debt.Sign() > 0 && lending.full.Less(lending.debt) {
		k.takeBorrows(&lending, true)
		return
	}
	hasCross := false
	for i := range f.usedN {
		q := m.dexes[f.used[i]].collateral
		if i > 0 && k.isRepeated(f, i) {
			continue
		}
		b := k.portfolioBook(f, q)
		hasCross = hasCross || len(b.positions) > 0
		if k.isPast(&b) {
			k.portfolioStep(&b)
		}
		f = m.evaluate(k.a)
	}
	isPartial := lending.partial.Less(lending.debt)
	if lending.debt.Sign() > 0 && (isPartial || !hasCross) && m.timeMs-k.l.stepMs >= liquidationStepMs {
		k.takeBorrows(&lending, false)
	}
}

// isRepeated reports whether a dex settles in a token that one before it settles in.
func (k *caseOf) isRepeated(f *figures, i int) bool {
	for j := range i {
		if k.m.dexes[f.used[j]].collateral == k.m.dexes[f.used[i]].collateral {
			return true
		}
	}
	return false
}

func (k *caseOf) portfolioBook(f *figures, q uint32) book {
	m := k.m
	b := book{token: q, isolated: -1, figures: m.tokenFiguresOf(k.a, f, q)}
	for i := range f.usedN {
		if m.dexes[f.used[i]].collateral == q {
			b.dexes |= 1 << f.used[i]
		}
	}
	b.equity, b.maintenance = b.figures.net().Add(b.figures.LC), b.figures.MM
	b.positions = m.crossOf(k.a, b.dexes)
	return b
}

func (k *caseOf) isPast(b *book) bool { return len(b.positions) > 0 && !k.isSafeAt(b, b.maintenance) }

// portfolioStep is step for the cross positions of a portfolio account. What they lose is
// borrowed while there is collateral, so only an account without any has a loss to cover.
func (k *caseOf) portfolioStep(b *book) {
	hasCollateral := b.figures.LC.Sign() > 0
	switch {
	case b.equity.Sign() < 0 && !hasCollateral && b.figures.debt.IsZero():
		k.cover(b)
	case isBelowTwoThirds(b.equity, b.maintenance) && k.m.hasBackstop():
		k.takeOver(b)
	default:
		k.orders(b)
	}
}

// seizure is one collateral under way to the liquidator.
type seizure struct {
	place  int
	amount i128 // token units
	value  i128 // at (LTV+2)/3 of the oracle price, the numeraire's units, rounded down
}

// takeBorrows has the liquidator take collateral at (LTV+2)/3 of its oracle price and pay as
// much of the debt: a fifth of each collateral, or all of it with all that is owed.
func (k *caseOf) takeBorrows(s *lendingSums, isAll bool) {
	m := k.m
	if !m.hasBackstop() {
		return
	}
	k.l.stepMs = m.timeMs
	var total i128
	var taken []seizure
	items := m.balances.of(&k.a.balances)
	for i := range items {
		if z, ok := k.seize(&items[i], i, isAll); ok {
			taken, total = append(taken, z), total.Add(z.value)
		}
	}
	credit := total
	if isAll {
		credit = s.debt
	} else if s.debt.Less(total) { // no more than what is owed
		credit = s.debt
		for i := range taken {
			taken[i].amount = mustFit(taken[i].amount.MulDivCeil128(s.debt, total))
		}
	}
	for i := range taken {
		b := &items[taken[i].place]
		k.tell(Event{
			Kind: EventBackstopTakeover, Market: NoSlot, Token: uint32(b.key), Amount: taken[i].amount, Decimals: m.tokens[b.key].wei,
			Rule: k.borrowRule(isAll),
		})
		k.ask(Request{Kind: RequestSupply, Token: uint32(b.key), Out: taken[i].amount})
	}
	k.repay(credit, isAll)
}

func (k *caseOf) borrowRule(isAll bool) Rule {
	if isAll {
		return RuleFullBorrow
	}
	return RulePartialBorrow
}

// seize returns what a step takes of one collateral: a fifth, rounded up, within the width of
// the token (decision 8.8), or all of it.
func (k *caseOf) seize(b *balance, place int, isAll bool) (seizure, bool) {
	m := k.m
	t := &m.tokens[b.key&^dexBit]
	if b.key&dexBit != 0 || t.ltvE12 <= 0 || b.lend.Sign() <= 0 {
		return seizure{}, false
	}
	z := seizure{place: place, amount: m.supplied(b)}
	if !isAll {
		z.amount = z.amount.DivCeil(liquidationStepShare)
	}
	z.value = k.seizedValue(z.amount, uint32(b.key))
	if width := mustFit(t.takeoverWidth.MulPow10(m.tokens[m.numeraire].wei)).DivFloor(fixedpoint.Pow10(8)); !isAll &&
		width.Sign() > 0 && width.Less(z.value) {
		z.amount = mustFit(z.amount.MulDivFloor128(width, z.value))
		z.value = k.seizedValue(z.amount, uint32(b.key))
	}
	return z, z.amount.Sign() > 0
}

func (k *caseOf) seizedValue(amount i128, token uint32) i128 {
	m := k.m
	return weigh(m.convert(amount, token, m.numeraire, false), 2*rateOne+m.tokens[token].ltvE12, 3*rateOne)
}

// repay asks the liquidator to pay debts worth a credit in the numeraire's units, the
// numeraire first, then by token; all of them when isAll.
func (k *caseOf) repay(credit i128, isAll bool) {
	m := k.m
	items := m.balances.of(&k.a.balances)
	for _, isNumeraire := range []bool{true, false} {
		for i := range items {
			b := &items[i]
			if b.key&dexBit != 0 || b.lend.Sign() >= 0 || (uint32(b.key) == m.numeraire) != isNumeraire {
				continue
			}
			owed := m.debt(b)
			pays := owed
			if !isAll {
				if credit.Sign() <= 0 {
					return
				}
				pays = fixedpoint.MinI128(owed, m.convert(credit, m.numeraire, uint32(b.key), false))
				credit = credit.Sub(m.convert(pays, uint32(b.key), m.numeraire, true))
			}
			if pays.Sign() > 0 {
				k.ask(Request{Kind: RequestRepay, Token: uint32(b.key), Out: pays})
			}
		}
	}
}
