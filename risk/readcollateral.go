package risk

import "plimsoll/fixedpoint"

// readCollaterals fills the critical prices of each collateral of a portfolio account: the
// price at which the figures of the settlement token reach their line, all else held. LC
// is linear in the price, and neither MM nor Nc depends on it.
func (m *Machine) readCollaterals(a *account, v *AccountView) {
	v.Collaterals = v.Collaterals[:0]
	if a.mode != ModePortfolio {
		return
	}
	t := m.tokenFiguresOf(a, &m.fig, m.numeraire)
	sum, _ := m.collateralSums(a, m.numeraire)
	most := m.tokens[m.numeraire].userBorrowCap
	requirement, _, borrowed := t.ratio(m.params.OffsetMode, m.offsetUnits(m.numeraire))
	items := m.balances.of(&a.balances)
	for i := range items {
		b := &items[i]
		if b.key&dexBit != 0 || uint32(b.key) == m.numeraire || m.tokens[b.key].ltvE12 == 0 || b.lend.Sign() <= 0 {
			continue
		}
		c := &m.tokens[b.key]
		counted := fixedpoint.MinI128(m.supplied(b), c.userSupplyCap)
		own := weigh(m.convert(counted, uint32(b.key), m.numeraire, false), rateOne+c.ltvE12, 2*rateOne)
		others := sum.Sub(own)
		// PMR = 0.95: Nc + B + LC = R / 0.95. AAM = 0: LC = MM - Nc. No price gives more than
		// the user borrow cap lets count.
		view := CollateralView{Token: uint32(b.key), TriggerPx: none(oracleE), LiquidationPx: none(oracleE)}
		if lc := mustFit(requirement.MulDivCeil(100, 95)).Sub(t.net()).Sub(borrowed); !most.Less(lc) {
			view.TriggerPx = m.priceForWeight(lc.Sub(others), counted, c)
		}
		if lc := t.MM.Sub(t.net()); !most.Less(lc) {
			view.LiquidationPx = m.priceForWeight(lc.Sub(others), counted, c)
		}
		v.Collaterals = append(v.Collaterals, view)
	}
}

// priceForWeight returns the price, at 1e-10 half even, at which amount of a collateral
// has the liquidation value given in units of the numeraire; null at or below zero.
func (m *Machine) priceForWeight(value, amount i128, c *token) Amount {
	if value.Sign() <= 0 || amount.Sign() <= 0 {
		return none(oracleE)
	}
	num := mustFit(fixedpoint.Mul64(oracleOne, 2*rateOne).MulPow10(c.wei))
	perUnit := mustFit(fixedpoint.I128(rateOne + c.ltvE12).MulPow10(m.tokens[m.numeraire].wei))
	den, ok := perUnit.MulDivFloor128(amount, fixedpoint.I128(1))
	if !ok {
		return none(oracleE)
	}
	px, ok := divHalfEven(value, num, den)
	if !ok || px.IsZero() {
		return none(oracleE)
	}
	return exact(px, oracleE)
}
