package risktest

import "plimsoll/risk"

// collateralViews are the prices of each collateral at which the numeraire's ratio reaches
// 0.95 and AAM zero, all else held: LC is linear in the price.
func (o *Oracle) collateralViews(a *account) []risk.CollateralView {
	if a.mode != risk.ModePortfolio {
		return nil
	}
	var out []risk.CollateralView
	q := o.tokens[o.numeraire]
	f, one := o.figures(a, q), pow10(12)
	for _, slot := range keys(a.balances) {
		c, b := o.tokens[slot], a.balances[slot]
		if c == q || c.ltv.Sign() == 0 || b.lend.Sign() <= 0 {
			continue
		}
		rest := negate(weighed(c.counted(b, q), add(one, c.ltv), times(of(2), one)))
		for _, other := range keys(a.balances) {
			d, e := o.tokens[other], a.balances[other]
			if d == q {
				continue
			}
			if d.ltv.Sign() > 0 {
				rest = add(rest, weighed(d.counted(e, q), add(one, d.ltv), times(of(2), one)))
			}
			if owed := sub(d.debt(e), e.cash); owed.Sign() > 0 {
				rest = sub(rest, divCeil(worth(owed, d, q)))
			}
		}
		amountOf := least(c.supplied(b), c.userSupplyCap)
		price := func(lc whole) risk.Amount {
			v := sub(lc, rest)
			if isLess(q.userBorCap, lc) || v.Sign() <= 0 || amountOf.Sign() <= 0 {
				return null(10)
			}
			num := scaled(times(times(v, of(2)), one), 10+c.wei)
			px := divHalfEven(num, times(scaled(add(one, c.ltv), q.wei), amountOf))
			if px.Sign() == 0 {
				return null(10)
			}
			return amount(px, 10)
		}
		out = append(out, risk.CollateralView{
			Token:         slot,
			TriggerPx:     price(sub(sub(divCeil(times(f.margin, of(100)), of(95)), f.core()), f.borrowed)),
			LiquidationPx: price(sub(f.maintenance, f.core())),
		})
	}
	return out
}
