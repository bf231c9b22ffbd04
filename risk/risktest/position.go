package risktest

import (
	"math/big"

	"plimsoll/risk"
)

func (o *Oracle) positionView(a *account, x *position) risk.PositionView {
	p := x.perp
	wei := p.dex.collateral.wei
	ntl, entry, held := x.notional(), x.entry, absolute(x.size)
	if x.size.Sign() < 0 {
		entry = negate(entry)
	}
	pnl, pending := sub(x.signed(), p.units(entry)), x.pending()
	paid := add(x.funding, pending)
	v := risk.PositionView{
		Perp: p.slot, Dex: p.dex.slot, IsIsolated: x.isIsolated, Leverage: uint16(x.leverage), MaxLeverage: uint16(p.tiers[0].leverage),
		Size: amount(x.size, p.sz), EntryNotional: amount(x.entry, 6), EntryPx: null(p.priceDecimals()),
		PositionValue: amount(ntl, wei), UnrealizedPnl: amount(pnl, wei), ReturnOnEquity: amount(of(0), 10),
		LiquidationPx: null(10), TriggerPx: null(10), RawUsd: amount(of(0), wei), MaintenanceMargin: amount(x.maintenance(), wei),
		MarginUsed: amount(p.shown(ntl, of(x.leverage)), wei), FundingAllTime: amount(paid, wei),
		FundingSinceOpen: amount(paid, wei), FundingSinceChange: amount(pending, wei),
	}
	if x.isIsolated {
		v.RawUsd, v.MarginUsed = amount(sub(x.raw, pending), wei), amount(x.equity(), wei)
	}
	if x.size.Sign() == 0 {
		return v
	}
	v.EntryPx = amount(divHalfEven(x.entry, held), p.priceDecimals())
	if x.entry.Sign() > 0 {
		v.ReturnOnEquity = ratio(times(pnl, of(x.leverage)), p.units(x.entry))
	}
	c := o.crossing(a, x)
	v.LiquidationPx = c.price(piece{one, one, c.liquidation})
	v.TriggerPx = v.LiquidationPx
	if a.mode == risk.ModePortfolio && !x.isIsolated {
		v.TriggerPx = o.triggerPx(c)
	}
	return v
}

// crossing is what a critical price of a position is solved from: with n its notional at
// the price sought, the account is worth rest + side x n and owes MM(n) + others.
type crossing struct {
	x           *position
	rest        whole // equity less the signed value of the position
	others      whole // maintenance margin of all else
	liquidation whole // LC, held constant
	offset      whole
}

func (o *Oracle) crossing(a *account, x *position) *crossing {
	c := &crossing{x: x, others: of(0), liquidation: of(0), offset: of(0)}
	switch {
	case x.isIsolated:
		c.rest = sub(x.equity(), x.signed())
	case a.mode == risk.ModeStandard:
		for _, d := range o.books(a) {
			if d.dex == x.perp.dex {
				c.rest, c.others = sub(d.value, x.signed()), sub(d.maintenance, x.maintenance())
			}
		}
	default:
		f := o.figures(a, x.perp.dex.collateral)
		c.rest, c.others = sub(f.core(), x.signed()), sub(f.maintenance, x.maintenance())
		c.liquidation = f.liquidation
		c.offset = o.offset(f.t)
	}
	return c
}

// piece is a linear equation alpha x MM = beta x equity + fixed, in exact fractions.
type piece struct {
	alpha, beta *big.Rat
	fixed       whole
}

var (
	one        = big.NewRat(1, 1)
	trigger    = big.NewRat(95, 100)
	overDouble = big.NewRat(105, 100)
)

func rat(v whole) *big.Rat           { return new(big.Rat).SetInt(v) }
func product(a, b *big.Rat) *big.Rat { return new(big.Rat).Mul(a, b) }
func plus(a, b *big.Rat) *big.Rat    { return new(big.Rat).Add(a, b) }
func minus(a, b *big.Rat) *big.Rat   { return new(big.Rat).Sub(a, b) }

// notionals returns the notionals, above zero, that solve a piece: in each tier
// alpha (others + n rate - deduction) = beta (rest + side n) + fixed.
func (c *crossing) notionals(e piece) []*big.Rat {
	var out []*big.Rat
	tiers := c.x.perp.tiers
	rate, deduction := new(big.Rat), new(big.Rat)
	for i, t := range tiers {
		next := big.NewRat(1, 2*t.leverage)
		deduction = plus(deduction, product(rat(t.lower), minus(next, rate)))
		rate = next
		if i == 0 {
			deduction = new(big.Rat)
		}
		slope := minus(product(e.alpha, rate), product(e.beta, rat(of(int64(c.x.size.Sign())))))
		if slope.Sign() == 0 {
			continue
		}
		right := plus(product(e.beta, rat(c.rest)), rat(e.fixed))
		right = minus(right, product(e.alpha, minus(rat(c.others), deduction)))
		n := right.Quo(right, slope)
		isBelow := i+1 < len(tiers) && n.Cmp(rat(tiers[i+1].lower)) >= 0
		if n.Sign() > 0 && n.Cmp(rat(t.lower)) >= 0 && !isBelow {
			out = append(out, n)
		}
	}
	return out
}

// maintenanceAt returns all of MM at a notional, exact.
func (c *crossing) maintenanceAt(n *big.Rat) *big.Rat {
	num, den := n.Num(), n.Denom()
	p := *c.x.perp
	p.tiers = make([]tier, len(c.x.perp.tiers))
	for i, t := range c.x.perp.tiers { // the table over the same denominator
		p.tiers[i] = tier{times(t.lower, den), t.leverage}
	}
	mm, over := p.maintenanceOf(num)
	return plus(rat(c.others), new(big.Rat).SetFrac(mm, times(over, den)))
}

// priceOf turns a notional into a price at 10 decimals, half even.
func (c *crossing) priceOf(n *big.Rat) risk.Amount {
	p := c.x.perp
	den := times(times(absolute(c.x.size), p.units(of(1))), n.Denom())
	return amount(divHalfEven(scaled(n.Num(), 10-p.priceDecimals()), den), 10)
}

func (c *crossing) price(e piece) risk.Amount {
	if list := c.notionals(e); len(list) > 0 {
		return c.priceOf(list[0])
	}
	return null(10)
}

// triggerPx solves PMR = 0.95, that is R = 0.95 x (Nc + B + LC), on the branch that holds
// at the price found: B is zero or not, and the offset is in R by its mode.
func (o *Oracle) triggerPx(c *crossing) risk.Amount {
	lc := divFloor(times(c.liquidation, of(95)), of(1)) // in hundredths
	mode := o.Params.OffsetMode
	for _, isShort := range []bool{false, true} {
		for _, isFloored := range []bool{false, true} {
			if isFloored && mode != risk.OffsetFloor {
				continue
			}
			e := piece{alpha: one, beta: trigger, fixed: lc}
			if isShort {
				e.alpha, e.beta = overDouble, one
			}
			if isFloored { // R = offset + B: MM is in B only
				e.alpha = minus(e.alpha, one)
			}
			if isFloored || mode == risk.OffsetAdd {
				e.fixed = sub(lc, times(c.offset, of(100)))
			}
			// fixed is in hundredths: bring the other side there.
			e.alpha, e.beta = product(e.alpha, big.NewRat(100, 1)), product(e.beta, big.NewRat(100, 1))
			for _, n := range c.notionals(e) {
				mm := c.maintenanceAt(n)
				equity := plus(rat(c.rest), product(n, rat(of(int64(c.x.size.Sign())))))
				holds := (mm.Cmp(equity) > 0) == isShort || mm.Cmp(equity) == 0
				if mode == risk.OffsetFloor {
					holds = holds && (mm.Cmp(rat(c.offset)) < 0) == isFloored
				}
				if holds {
					return c.priceOf(n)
				}
			}
		}
	}
	return null(10)
}
