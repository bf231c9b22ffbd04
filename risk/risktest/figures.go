package risktest

import "plimsoll/risk"

// book is one dex of an account (MODEL.md §2), in units of its collateral.
type book struct {
	dex         *dex
	raw         whole // cash ledger of the cross book
	value       whole // cross account value: raw + one floor of Σ v
	isolated    whole // Σ equity of isolated positions
	maintenance whole // Σ cross MM
	initial     whole // Σ cross IM
	floored     whole // Σ cross max(IM, ntl/10)
	notional    whole // Σ cross
	isoNotional whole
	orders      whole // Σ order margin without the buffer
	isShort     bool  // an isolated position is below its MM
	isBackstop  bool  // an isolated position is below 2/3 of it
	isUsed      bool
	isUnpriced  bool
}

// target is the requirement of the cross book, with the buffer on orders.
func (d *book) target() whole { return add(d.floored, divCeil(times(d.orders, of(101)), of(100))) }

// notional returns |size| x mark in units, exact.
func (x *position) notional() whole { return x.perp.units(times(absolute(x.size), x.perp.mark)) }

// signed returns size x mark in units.
func (x *position) signed() whole { return x.perp.units(times(x.size, x.perp.mark)) }

// valueE12 returns v = size x (mark - cum + cum at touch) at 1e-12.
func (x *position) valueE12() whole {
	return times(x.size, sub(scaled(x.perp.mark, 6), sub(x.perp.cum, x.cum)))
}

// equity returns the equity of an isolated position, one floor.
func (x *position) equity() whole { return add(x.raw, divFloor(x.valueE12(), x.perp.subUnit())) }

// maintenanceOf returns the maintenance margin of a notional as an exact fraction
// num/den: ntl x rate_n - deduction_n with rate_n = 1/(2 x leverage_n) (MODEL.md §2.2).
func (p *perp) maintenanceOf(ntl whole) (num, den whole) {
	den = of(1)
	for _, t := range p.tiers {
		den = times(den, of(2*t.leverage))
	}
	deduction := of(0)
	rate := divFloor(den, of(2*p.tiers[0].leverage))
	for _, t := range p.tiers[1:] {
		if isLess(ntl, t.lower) {
			break
		}
		next := divFloor(den, of(2*t.leverage))
		deduction = add(deduction, times(t.lower, sub(next, rate)))
		rate = next
	}
	return sub(times(ntl, rate), deduction), den
}

// maintenance returns MM, rounded up.
func (x *position) maintenance() whole {
	num, den := x.perp.maintenanceOf(x.notional())
	return divCeil(num, den)
}

// isBelowTwoThirds reports equity < 2/3 mm.
func isBelowTwoThirds(equity, mm whole) bool { return isLess(times(equity, of(3)), times(mm, of(2))) }

// books returns the figures of every listed dex for an account, by slot; isUsed marks
// those where it has cash, a position or an order, and the main dex.
func (o *Oracle) books(a *account) []*book {
	var list []*book
	bySlot := map[uint32]*book{}
	for _, slot := range keys(o.dexes) {
		zero := of(0)
		d := &book{
			dex: o.dexes[slot], raw: a.rawOf(slot), isolated: zero, maintenance: zero, initial: zero, floored: zero,
			notional: zero, isoNotional: zero, orders: zero, isUsed: slot == 0 || a.raw[slot] != nil,
		}
		list, bySlot[slot] = append(list, d), d
	}
	sums := map[uint32]whole{}
	for _, slot := range keys(a.positions) {
		if x := a.positions[slot]; x.size.Sign() != 0 {
			d := bySlot[x.perp.dex.slot]
			d.addPosition(x)
			if !x.isIsolated {
				if sums[d.dex.slot] == nil {
					sums[d.dex.slot] = of(0)
				}
				sums[d.dex.slot] = add(sums[d.dex.slot], x.valueE12())
			}
		}
	}
	for _, d := range list {
		d.value = d.raw
		if v := sums[d.dex.slot]; v != nil {
			d.value = add(d.raw, divFloor(v, pow10(12-d.dex.collateral.wei)))
		}
	}
	o.addOrders(a, bySlot)
	return list
}

func (d *book) addPosition(x *position) {
	ntl, mm := x.notional(), x.maintenance()
	d.isUsed, d.isUnpriced = true, d.isUnpriced || x.perp.mark.Sign() == 0
	if x.isIsolated {
		d.isolated, d.isoNotional = add(d.isolated, x.equity()), add(d.isoNotional, ntl)
		d.isShort = d.isShort || isLess(x.equity(), mm)
		d.isBackstop = d.isBackstop || isBelowTwoThirds(x.equity(), mm)
		return
	}
	initial := divCeil(ntl, of(x.leverage))
	d.notional, d.maintenance = add(d.notional, ntl), add(d.maintenance, mm)
	d.initial = add(d.initial, initial)
	d.floored = add(d.floored, most(initial, divCeil(ntl, of(10))))
}

// addOrders adds order margin (MODEL.md §2.3).
func (o *Oracle) addOrders(a *account, books map[uint32]*book) {
	left := map[uint32]whole{} // what still may be closed, signed
	for _, slot := range keys(a.positions) {
		left[slot] = a.positions[slot].size
	}
	for _, r := range a.orders {
		if r.perp == nil || !r.isHolding() {
			continue
		}
		size := r.size
		if o.Params.HLCompat || o.Params.OrderMarginBasis == 1 {
			size = r.original
		}
		side := of(1)
		if r.flags&risk.FlagSell != 0 {
			side = of(-1)
		}
		if open := left[r.market]; open != nil && open.Sign()*side.Sign() < 0 {
			closing := least(absolute(open), size)
			left[r.market] = add(open, times(side, closing))
			size = sub(size, closing)
		}
		leverage, _ := o.termsOf(a, r.market)
		d := books[r.perp.dex.slot]
		d.isUsed = true
		d.orders = add(d.orders, divCeil(r.perp.units(times(size, r.price)), of(leverage)))
	}
}

// isHolding: untriggered stops and reduce-only orders hold nothing.
func (r *order) isHolding() bool { return r.flags&(risk.FlagTrigger|risk.FlagReduceOnly) == 0 }

// spotHeld returns what resting spot orders hold of a token.
func (o *Oracle) spotHeld(a *account, t *token) whole {
	sum := of(0)
	for _, r := range a.orders {
		switch {
		case r.spot == nil || !r.isHolding():
		case r.flags&risk.FlagSell != 0 && r.spot.base == t:
			sum = add(sum, scaled(r.size, t.wei-t.sz))
		case r.flags&risk.FlagSell == 0 && r.spot.quote == t:
			sum = add(sum, r.spot.quoteUnits(times(r.size, r.price)))
		}
	}
	return sum
}

// figures are the terms of MODEL.md §3 for one settlement token, in its units.
type figures struct {
	t                             *token
	net                           whole // N
	isolated                      whole // E_iso
	maintenance                   whole // MM
	liquidation                   whole // LC
	capacity                      whole // C
	requirement, held             whole
	supplied, debt                whole
	margin, borrowed, denominator whole // R, B, and what PMR divides by
	isUsed                        bool  // a dex in use settles in the token
}

func (f *figures) available() whole { return sub(add(f.net, f.capacity), f.requirement) }
func (f *figures) core() whole      { return sub(f.net, f.isolated) } // Nc

// afterMaintenance is AAM.
func (f *figures) afterMaintenance() whole { return sub(add(f.core(), f.liquidation), f.maintenance) }

// figures computes the terms of token t.
func (o *Oracle) figures(a *account, t *token) *figures {
	b := a.balances[t.slot]
	f := &figures{
		t: t, isolated: of(0), maintenance: of(0), liquidation: of(0), capacity: of(0), supplied: t.supplied(b), debt: t.debt(b),
		held: o.spotHeld(a, t),
	}
	f.net = sub(add(a.cashOf(t), f.supplied), f.debt)
	f.requirement = f.held
	for _, d := range o.books(a) {
		if d.dex.collateral != t {
			continue
		}
		f.isUsed = f.isUsed || d.isUsed
		f.isolated, f.maintenance = add(f.isolated, d.isolated), add(f.maintenance, d.maintenance)
		f.requirement = add(f.requirement, d.target())
		if a.mode != risk.ModeStandard {
			f.net = add(f.net, add(d.value, d.isolated))
		}
	}
	f.requirement = add(f.requirement, f.isolated)
	if a.mode == risk.ModePortfolio {
		f.liquidation, f.capacity = o.collateral(a, t)
	}
	o.ratioTerms(a, f)
	return f
}

// ratioTerms sets B, R and the denominator. The offset counts where something is required.
func (o *Oracle) ratioTerms(a *account, f *figures) {
	f.borrowed, f.margin, f.denominator = of(0), f.maintenance, f.core()
	if a.mode != risk.ModePortfolio {
		return
	}
	f.borrowed = above(sub(f.maintenance, f.core()))
	f.denominator = add(add(f.core(), f.borrowed), f.liquidation)
	if f.maintenance.Sign() > 0 || f.borrowed.Sign() > 0 {
		switch o.Params.OffsetMode {
		case risk.OffsetAdd:
			f.margin = add(f.maintenance, o.offset(f.t))
		case risk.OffsetFloor:
			f.margin = most(f.maintenance, o.offset(f.t))
		}
	}
	f.margin = add(f.margin, f.borrowed)
}

// offset is min_borrow_offset in units of t, rounded up.
func (o *Oracle) offset(t *token) whole {
	if t.px.Sign() == 0 {
		return of(0)
	}
	return divCeil(scaled(of(o.Params.MinBorrowOffsetE8), 10+t.wei), scaled(t.px, 8))
}

// worth values an amount of token c in units of q as an exact fraction; zero where a
// price is unknown.
func worth(v whole, c, q *token) (num, den whole) {
	if c == q {
		return v, of(1)
	}
	if c.px.Sign() == 0 || q.px.Sign() == 0 {
		return of(0), of(1)
	}
	return scaled(times(v, c.px), q.wei), scaled(q.px, c.wei)
}

// counted returns V_c = floor(min(supplied, user supply cap) x px_c / px_q).
func (t *token) counted(b *balance, q *token) whole {
	return divFloor(worth(least(t.supplied(b), t.userSupplyCap), t, q))
}

// weighed returns floor(v x num/den).
func weighed(v, num, den whole) whole { return divFloor(times(v, num), den) }

// collateral returns LC and C for settlement token q.
func (o *Oracle) collateral(a *account, q *token) (liquidation, capacity whole) {
	liquidation, capacity = of(0), of(0)
	if !q.isBorrowable {
		return liquidation, capacity
	}
	one := pow10(12)
	for _, slot := range keys(a.balances) {
		c, b := o.tokens[slot], a.balances[slot]
		if c == q {
			continue
		}
		if c.ltv.Sign() > 0 {
			v := c.counted(b, q)
			liquidation = add(liquidation, weighed(v, add(one, c.ltv), times(of(2), one)))
			capacity = add(capacity, weighed(v, c.ltv, one))
		}
		if owed := sub(c.debt(b), b.cash); owed.Sign() > 0 {
			other := divCeil(worth(owed, c, q))
			liquidation, capacity = sub(liquidation, other), sub(capacity, other)
		}
	}
	return least(liquidation, q.userBorCap), least(capacity, q.userBorCap)
}
