package risk

import "plimsoll/fixedpoint"

// portfolio liquidates a portfolio account whose ratio is past 0.95 by some settlement token
// (decision 8.4): past the full threshold the liquidator takes all that is lent and all that is
// owed. Else each token's perps are closed as any cross book; and a fifth of the collateral is
// taken where debt is past the partial threshold, or a token is past 0.95 that has no perps to
// close.
func (k *caseOf) portfolio() {
	m := k.m
	f := m.evaluate(k.a)
	if _, isPast := m.ratioLine(k.a, f); !isPast {
		return // an isolated position alone is past its line
	}
	owed := m.owedOf(k.a, f)
	if owed.debt.Sign() > 0 && owed.full.Less(owed.debt) && m.hasBackstop() && !k.isBackstop() {
		if k.isWithin {
			k.takeBorrows(&owed, true)
		}
		return // a step in its place would make the ratio worse
	}
	isBare := false
	for q := range m.tokenCount {
		if !m.tokens[q].isListed || !m.settles(f, q) {
			continue
		}
		b := k.portfolioBook(f, q)
		switch {
		case k.isSafeAt(&b, b.maintenance):
		case len(b.positions) == 0:
			isBare = true
		default:
			k.portfolioStep(&b)
		}
	}
	if owed.debt.Sign() > 0 && (isBare || owed.partial.Less(owed.debt)) && !k.isBackstop() {
		k.takeBorrows(&owed, false)
	}
}

// owedOf is lendingSums (without capacity) with all that an account is short of: not only its
// debts, but what losses left negative where a pool ran dry or capacity was spent. owedBuf has
// it by token.
func (m *Machine) owedOf(a *account, f *figures) lendingSums {
	m.owedBuf = m.owedBuf[:0]
	var s lendingSums
	for q := range m.tokenCount {
		if !m.tokens[q].isListed {
			continue
		}
		row := m.balanceOf(a, uint16(q))
		o := owing{token: q, debt: m.debt(row)}
		var cash i128
		if row != nil {
			cash = row.cash
		}
		for i := range f.usedN {
			if m.dexes[f.used[i]].collateral == q {
				cash = cash.Add(f.dexes[f.used[i]].crossValue)
			}
		}
		if o.owed = o.debt.Add(nonNegative(cash.Neg())); o.owed.Sign() > 0 {
			o.value = m.convert(o.owed, q, m.numeraire, true)
			s.debt = s.debt.Add(o.value)
			m.owedBuf = append(m.owedBuf, o)
		}
		if t := &m.tokens[q]; t.ltvE12 > 0 && row != nil && row.lend.Sign() > 0 {
			value := m.convert(m.supplied(row), q, m.numeraire, false)
			s.partial = s.partial.Add(weigh(value, rateOne+t.ltvE12, 2*rateOne))
			s.full = s.full.Add(weigh(value, 2*rateOne+t.ltvE12, 3*rateOne))
		}
	}
	return s
}

// owing is what an account owes of one token.
type owing struct {
	token uint32
	debt  i128 // to the pool
	owed  i128 // with what it is short of
	value i128 // of owed, in the numeraire's units, rounded up
}

// portfolioBook returns the cross book of a portfolio account that is settled in one token.
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

// portfolioStep is step for the cross positions of a portfolio account. What they lose falls on
// its collateral first: only an account without any, or nobody to take it, has a loss to cover.
func (k *caseOf) portfolioStep(b *book) {
	canPay := k.m.hasBackstop() && !k.isBackstop() && (b.figures.LC.Sign() > 0 || b.figures.debt.Sign() > 0)
	switch {
	case k.readsUnusable(b):
	case b.equity.Sign() < 0 && !canPay:
		k.cover(b)
	case k.isBackstop():
	case isBelowTwoThirds(b.equity, b.maintenance) && k.takes(b):
		k.takeOver(b)
	default:
		k.orders(b)
	}
}

// seizure is one collateral under way to the liquidator.
type seizure struct {
	token  uint32
	amount i128 // token units
	value  i128 // at (LTV+2)/3 of the oracle price, the numeraire's units, rounded down
}

// takeBorrows has the liquidator take collateral at (LTV+2)/3 of its oracle price and pay as
// much of what is owed: a fifth of each collateral, every 3 seconds, or all of it with all that
// is owed. What is owed beyond the oracle value of all collateral the buffer pays first.
func (k *caseOf) takeBorrows(s *lendingSums, isAll bool) {
	m := k.m
	w, isPast := k.borrowLine(s, isAll)
	isSoon := !isAll && k.l.stepMs > 0 && m.timeMs-k.l.stepMs < liquidationStepMs
	if !isPast || isSoon || !m.hasBackstop() || m.readsUnusable(k.a) {
		return
	}
	total, worth := k.seize(isAll)
	credit, excess := total, i128{}
	switch {
	case isAll:
		credit, excess = s.debt, nonNegative(s.debt.Sub(worth))
	case s.debt.Less(total): // no more than what is owed
		credit = s.debt
		for i := range m.takenBuf {
			m.takenBuf[i].amount = mustFit(m.takenBuf[i].amount.MulDivCeil128(s.debt, total))
		}
	}
	if credit.Sign() <= 0 {
		return
	}
	k.begin(w)
	k.witness(w)
	k.l.stepMs = m.timeMs
	rule := RulePartialBorrow
	if isAll {
		rule = RuleFullBorrow
	}
	for i := range m.takenBuf {
		z := &m.takenBuf[i]
		k.tell(Event{
			Kind: EventBackstopTakeover, Market: NoSlot, Token: z.token, Amount: z.amount, Decimals: m.tokens[z.token].wei, Rule: rule,
		})
		k.ask(Request{Kind: RequestSupply, Token: z.token, Out: z.amount, Size: isCollateral})
	}
	k.repay(credit, excess, s.debt)
}

// seize notes in takenBuf what a step takes of each collateral: a fifth, rounded up, or all of
// it. Where a token's fifth is worth more than its width (decision 8.8) all are taken in the
// same lesser proportion, since the steps are to be pro rata. It returns what they are taken
// for, and what they are worth at oracle prices, in the numeraire's units.
func (k *caseOf) seize(isAll bool) (total, worth i128) {
	m := k.m
	m.takenBuf = m.takenBuf[:0]
	share := fixedpoint.I128(shareOne)
	items := m.balances.of(&k.a.balances)
	for i := range items {
		b := &items[i]
		t := &m.tokens[b.key&^dexBit]
		if b.key&dexBit != 0 || t.ltvE12 <= 0 || b.lend.Sign() <= 0 {
			continue
		}
		z := seizure{token: uint32(b.key), amount: m.supplied(b)}
		if !isAll {
			z.amount = z.amount.DivCeil(liquidationStepShare)
		}
		z.value = m.seizedValue(z.amount, z.token)
		width := mustFit(t.takeoverWidth.MulPow10(m.tokens[m.numeraire].wei)).DivFloor(fixedpoint.Pow10(8))
		if !isAll && width.Sign() > 0 && width.Less(z.value) {
			share = fixedpoint.MinI128(share, mustFit(width.MulDivFloor128(fixedpoint.I128(shareOne), z.value)))
		}
		m.takenBuf = append(m.takenBuf, z)
	}
	kept := m.takenBuf[:0]
	for _, z := range m.takenBuf {
		z.amount = mustFit(z.amount.MulDivFloor128(share, fixedpoint.I128(shareOne)))
		if z.amount.Sign() <= 0 {
			continue
		}
		z.value = m.seizedValue(z.amount, z.token)
		total, worth = total.Add(z.value), worth.Add(m.convert(z.amount, z.token, m.numeraire, false))
		kept = append(kept, z)
	}
	m.takenBuf = kept
	return total, worth
}

// shareOne is 1.0 of the proportion in which a step is made smaller.
const shareOne = 1_000_000_000_000_000_000

// seizedValue returns what collateral is taken for.
func (m *Machine) seizedValue(amount i128, token uint32) i128 {
	return weigh(m.convert(amount, token, m.numeraire, false), 2*rateOne+m.tokens[token].ltvE12, 3*rateOne)
}

// repay asks the liquidator to pay, of all that is owed, as much as a credit is worth: of each
// token in proportion to its value. excess is what the buffer pays of it, if it can.
func (k *caseOf) repay(credit, excess, total i128) {
	m := k.m
	for i := range m.owedBuf {
		o := &m.owedBuf[i]
		pays := o.owed
		if credit.Less(total) {
			part := mustFit(credit.MulDivFloor128(o.value, total))
			pays = fixedpoint.MinI128(o.owed, m.convert(part, m.numeraire, o.token, false))
		}
		if pays.Sign() <= 0 {
			continue
		}
		k.ask(Request{
			Kind: RequestRepay, Token: o.token, Out: pays, Debt: fixedpoint.MinI128(pays, o.debt),
			In: mustFit(pays.MulDivFloor128(excess, total)),
		})
	}
}
