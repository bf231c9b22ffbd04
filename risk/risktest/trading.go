package risktest

import (
	"slices"

	"plimsoll/risk"
)

// leverageDefault caps the leverage of a perp that an account never set.
const leverageDefault = 20

// termsOf returns leverage and margin mode of an account on a perp.
func (o *Oracle) termsOf(a *account, slot uint32) (leverage int64, isIsolated bool) {
	if p := a.positions[slot]; p != nil {
		return p.leverage, p.isIsolated
	}
	p := o.perps[slot]
	return min(p.tiers[0].leverage, leverageDefault), p.mode != risk.MarginNormal
}

// position returns an account's position, a flat one where there is none.
func (o *Oracle) position(a *account, slot uint32) *position {
	if p := a.positions[slot]; p != nil {
		return p
	}
	leverage, isIsolated := o.termsOf(a, slot)
	p := &position{
		perp: o.perps[slot], size: of(0), entry: of(0), raw: of(0), cum: o.perps[slot].cum, funding: of(0),
		leverage: leverage, isIsolated: isIsolated,
	}
	a.positions[slot] = p
	return p
}

// units brings an amount at 1e-6 to units of the perp's collateral.
func (p *perp) units(v whole) whole { return scaled(v, p.dex.collateral.wei-6) }

// subUnit returns how many 1e-12 make a unit of the perp's collateral.
func (p *perp) subUnit() whole { return pow10(12 - p.dex.collateral.wei) }

// fill books one side: c holds size and price, side the order id and fee of this side.
func (o *Oracle) fill(a *account, c, side *risk.Command, isSell bool) {
	feeNumber := 2
	if side != c {
		feeNumber = 0
	}
	market := c.Market()
	var delta whole
	if s := o.spots[market]; s != nil {
		delta = number(c, 0, s.base.sz)
		fee := o.feeOf(side, feeNumber, s.quote)
		if isSell {
			delta = negate(delta)
		}
		o.fillSpot(a, s, delta, number(c, 1, s.priceDecimals()))
		a.addCash(fee.token, negate(fee.amount))
	} else {
		p := o.perps[market]
		delta = number(c, 0, p.sz)
		if isSell {
			delta = negate(delta)
		}
		o.fillPerp(a, p, delta, number(c, 1, p.priceDecimals()), o.feeOf(side, feeNumber, p.dex.collateral))
	}
	if !side.Has(risk.FlagOrderID) {
		return
	}
	if i := a.find(side); i >= 0 {
		a.orders[i].size = sub(a.orders[i].size, absolute(delta))
		if a.orders[i].size.Sign() <= 0 {
			a.orders = slices.Delete(a.orders, i, i+1)
		}
	}
}

// fee is what a fill costs.
type fee struct {
	token  *token
	amount whole
}

func (o *Oracle) feeOf(side *risk.Command, i int, usual *token) fee {
	f := fee{token: usual, amount: of(0)}
	if side.Kind == risk.KindFill && side.Token() != risk.NoSlot {
		f.token = o.tokens[side.Token()]
	}
	if side.Has(risk.FlagFee) {
		f.amount = number(side, i, f.token.wei)
	}
	return f
}

// fillSpot moves base and quote; the cost rounds up.
func (o *Oracle) fillSpot(a *account, s *spot, delta, price whole) {
	base := scaled(delta, s.base.wei-s.base.sz)
	cost := s.quoteUnits(times(delta, price))
	b := a.balance(s.base)
	held := add(b.cash, s.base.supplied(b))
	switch {
	case delta.Sign() > 0:
		b.entry = add(b.entry, cost)
	case held.Sign() <= 0:
		b.entry = of(0)
	default:
		b.entry = divFloor(times(b.entry, above(add(held, base))), held)
	}
	a.addCash(s.base, base)
	a.addCash(s.quote, negate(cost))
}

// quoteUnits brings size x price to units of the quote token, rounded up.
func (s *spot) quoteUnits(v whole) whole {
	have := s.base.sz + s.priceDecimals()
	if s.quote.wei >= have {
		return scaled(v, s.quote.wei-have)
	}
	return divCeil(v, pow10(have-s.quote.wei))
}

// fillPerp settles funding, then books cash, entry notional and fee (MODEL.md §2.1, §6).
func (o *Oracle) fillPerp(a *account, p *perp, delta, price whole, f fee) {
	x := o.position(a, p.slot)
	owed := x.pending()
	x.cum, x.funding = p.cum, add(x.funding, owed)
	old, next := x.size, add(x.size, delta)
	cost := p.units(times(delta, price))
	if x.isIsolated {
		x.raw = sub(x.raw, owed)
		o.fillIsolated(a, x, delta, price)
	} else {
		a.addRaw(p.dex.slot, negate(add(owed, cost)))
	}
	x.entry = entryAfter(x.entry, old, delta, price)
	x.size = next
	p.openLong = add(p.openLong, sub(above(next), above(old)))
	switch {
	case f.token != p.dex.collateral:
		a.addCash(f.token, negate(f.amount))
	case x.isIsolated && next.Sign() != 0:
		x.raw = sub(x.raw, f.amount)
	default:
		a.addRaw(p.dex.slot, negate(f.amount))
	}
	if next.Sign() == 0 {
		a.addRaw(p.dex.slot, x.raw)
		x.raw, x.entry, x.funding = of(0), of(0), of(0)
		if !x.isSet {
			delete(a.positions, p.slot)
		}
	}
}

// pending returns the funding a position owes since its last touch, rounded up.
func (x *position) pending() whole {
	return divCeil(times(x.size, sub(x.perp.cum, x.cum)), x.perp.subUnit())
}

// fillIsolated books the cash of an isolated fill: what closes releases its share of
// equity at the fill price (floor), what opens takes notional/leverage (ceil).
func (o *Oracle) fillIsolated(a *account, x *position, delta, price whole) {
	p, released := x.perp, of(0)
	opened, held := absolute(delta), absolute(x.size)
	if x.size.Sign()*delta.Sign() < 0 {
		closed := least(opened, held)
		opened = sub(opened, closed)
		equity := add(x.raw, p.units(times(x.size, price)))
		released = equity
		if !isEqual(closed, held) {
			released = divFloor(times(above(equity), closed), held)
		}
	}
	if opened.Sign() > 0 {
		released = sub(released, divCeil(p.units(times(opened, price)), of(x.leverage)))
	}
	x.raw = sub(sub(x.raw, p.units(times(delta, price))), released)
	a.addRaw(p.dex.slot, released)
}

// entryAfter returns the entry notional at 1e-6 after a fill.
func entryAfter(entry, old, delta, price whole) whole {
	next := add(old, delta)
	switch {
	case old.Sign()*delta.Sign() >= 0:
		return add(entry, times(absolute(delta), price))
	case next.Sign() == 0:
		return of(0)
	case next.Sign() != old.Sign():
		return times(absolute(next), price)
	default:
		return divCeil(times(entry, absolute(next)), absolute(old))
	}
}

// trade books both sides, then both accounts ask the pools, the buyer first.
func (o *Oracle) trade(group []risk.Command) {
	buyer, seller := o.accounts[group[0].Account()], o.accounts[group[1].Account()]
	o.fill(buyer, &group[0], &group[0], false)
	o.fill(seller, &group[0], &group[1], true)
	if buyer == seller {
		o.rebalanceTogether([]*account{buyer})
		return
	}
	o.rebalanceTogether([]*account{buyer, seller})
}

// find returns the place of the resting order that a record names, or -1.
func (a *account) find(c *risk.Command) int {
	return slices.IndexFunc(a.orders, func(r *order) bool {
		return r.idHi == c.OrderHi && r.idLo == c.OrderLo && r.form == c.OrderForm
	})
}

// newOrder reads an order record.
func (o *Oracle) newOrder(c *risk.Command) *order {
	r := &order{
		idHi: c.OrderHi, idLo: c.OrderLo, form: c.OrderForm, market: c.Market(), perp: o.perps[c.Market()],
		spot: o.spots[c.Market()], timeMs: o.TimeMs, trigger: of(0),
		flags: c.Flags & (risk.FlagSell | risk.FlagReduceOnly | risk.FlagTrigger | risk.FlagTriggerMarket | risk.FlagTakeProfit),
	}
	sz, px := r.decimals()
	r.size, r.price = number(c, 0, sz), number(c, 1, px)
	r.original = r.size
	if c.Has(risk.FlagTrigger) || c.Kind == risk.KindPartOrder {
		r.trigger = number(c, 2, px)
	}
	return r
}

// decimals returns those of an order's sizes and prices.
func (r *order) decimals() (size, price int) {
	if r.spot != nil {
		return r.spot.base.sz, r.spot.priceDecimals()
	}
	return r.perp.sz, r.perp.priceDecimals()
}

// changeOrders places, modifies, triggers or cancels; a changed order keeps its place.
func (o *Oracle) changeOrders(a *account, c *risk.Command) {
	if c.Kind == risk.KindOrder {
		a.orders = append(a.orders, o.newOrder(c))
		return
	}
	if c.Kind == risk.KindCancelAll {
		a.orders = slices.DeleteFunc(a.orders, func(r *order) bool {
			return !c.Has(risk.FlagMarket) || r.market == c.Market()
		})
		return
	}
	i := a.find(c)
	r := a.orders[i]
	sz, px := r.decimals()
	switch c.Kind {
	case risk.KindCancel:
		a.orders = slices.Delete(a.orders, i, i+1)
	case risk.KindTrigger:
		r.flags &^= risk.FlagTrigger
	case risk.KindModify:
		if c.Has(risk.FlagSecond) {
			r.size = number(c, 0, sz)
			r.original = r.size
		}
		if c.Has(risk.FlagThird) {
			r.price = number(c, 1, px)
		}
	default:
		panic("risktest: BUG: kind without an effect")
	}
}
