package risktest

import "plimsoll/risk"

// supplied returns the value of a balance's supply, rounded down.
func (t *token) supplied(b *balance) whole {
	if b == nil || b.lend.Sign() <= 0 {
		return of(0)
	}
	return divFloor(times(b.lend, t.pool.supplyIndex), pow10(27))
}

// debt returns the value of a balance's debt, rounded up.
func (t *token) debt(b *balance) whole {
	if b == nil || b.lend.Sign() >= 0 {
		return of(0)
	}
	return divCeil(times(negate(b.lend), t.pool.debtIndex), pow10(27))
}

// move changes a balance's scaled supply (or debt, below zero) and its cash.
func (t *token) move(b *balance, lend, cash whole) {
	p := t.pool
	p.supply = add(p.supply, sub(above(add(b.lend, lend)), above(b.lend)))
	p.debt = add(p.debt, sub(above(negate(add(b.lend, lend))), above(negate(b.lend))))
	b.lend, b.cash, p.cash = add(b.lend, lend), add(b.cash, cash), sub(p.cash, cash)
	b.basis = sub(t.supplied(b), t.debt(b))
}

// supplyIn lends cash: the scaled supply rounds down, and what is not worth a scaled unit
// stays cash.
func (t *token) supplyIn(b *balance, v whole) {
	if part := divFloor(scaled(v, 27), t.pool.supplyIndex); part.Sign() > 0 {
		t.move(b, part, negate(v))
	}
}

// supplyOut takes supply back: the scaled part rounds up, all of it goes with the last unit.
func (t *token) supplyOut(b *balance, v whole) {
	part := least(divCeil(scaled(v, 27), t.pool.supplyIndex), b.lend)
	if value := t.supplied(b); !isLess(v, value) {
		v, part = value, b.lend
	}
	t.move(b, negate(part), v)
}

// borrowOut borrows: the scaled debt rounds up.
func (t *token) borrowOut(b *balance, v whole) {
	t.move(b, negate(divCeil(scaled(v, 27), t.pool.debtIndex)), v)
}

// repayIn repays: the scaled part rounds down, all of it goes with the last unit.
func (t *token) repayIn(b *balance, v whole) {
	part := divFloor(scaled(v, 27), t.pool.debtIndex)
	if debt := t.debt(b); !isLess(v, debt) {
		v, part = debt, negate(b.lend)
	}
	t.move(b, part, negate(v))
}

// lend takes an explicit supply, unsupply, borrow or repay.
func (o *Oracle) lend(a *account, c *risk.Command) {
	t := o.tokens[c.Token()]
	b := a.balance(t)
	free := above(sub(b.cash, o.spotHeld(a, t)))
	isAll := c.Has(risk.FlagAll)
	v := of(0)
	if !isAll {
		v = number(c, 0, t.wei)
	}
	switch c.Kind {
	case risk.KindSupply:
		if isAll {
			v = free
		}
		t.supplyIn(b, v)
	case risk.KindUnsupply:
		if isAll {
			v = t.supplied(b)
		}
		t.supplyOut(b, v)
	case risk.KindBorrow:
		if isAll {
			v = o.mayBorrow(a, t)
		}
		t.borrowOut(b, v)
	default:
		if isAll {
			v = least(t.debt(b), free)
		}
		t.repayIn(b, v)
	}
}

// mayBorrow returns the most an account may borrow: within its capacity, what is
// available to it, both caps and the pool's cash.
func (o *Oracle) mayBorrow(a *account, t *token) whole {
	f := o.figures(a, t)
	return least(above(sub(f.capacity, f.debt)), above(add(f.available(), a.cashOf(t))), sub(t.userBorCap, f.debt),
		t.pool.cash, sub(t.borrowCap, t.pool.debtValue()))
}

// wish is what one account asks of one pool: out to be given, in to be put in.
type wish struct {
	a                      *account
	t                      *token
	out, in, limit, forced whole
}

// wishes pulls what dexes hold above their targets and lists what a portfolio account
// asks of each pool so that targets and spot orders are covered and the rest is lent.
func (o *Oracle) wishes(a *account) []wish {
	if a.mode == risk.ModeStandard {
		return nil
	}
	for _, d := range o.books(a) {
		if spare := sub(d.value, d.target()); spare.Sign() > 0 {
			a.addRaw(d.dex.slot, negate(spare))
			a.addCash(d.dex.collateral, spare)
		}
	}
	if a.mode != risk.ModePortfolio {
		return nil
	}
	var list []wish
	books := o.books(a)
	for _, slot := range keys(o.tokens) {
		t := o.tokens[slot]
		if t.pool == nil {
			continue
		}
		need := sub(o.spotHeld(a, t), a.cashOf(t))
		for _, d := range books {
			if d.dex.collateral == t {
				need = add(need, above(sub(d.target(), d.value)))
			}
		}
		if need.Sign() == 0 {
			continue
		}
		w := wish{a: a, t: t, out: above(need), in: above(negate(need)), limit: of(0), forced: above(negate(a.cashOf(t)))}
		if t.isBorrowable {
			_, capacity := o.collateral(a, t)
			w.limit = above(sub(capacity, t.debt(a.balances[slot])))
		}
		list = append(list, w)
	}
	return list
}

// sums are a pool's running sums while wishes are granted, in token units: all grants of
// one group are decided from the sums before it, moved by the amounts granted.
type sums struct{ supply, debt, cash whole }

func (p *pool) sums() *sums { return &sums{p.supplyValue(), p.debtValue(), p.cash} }

// grant gives a wish what MODEL.md §8 allows: own supply first, then debt up to capacity,
// caps and cash; what is put in repays first and is lent up to the caps. It returns what
// was given out and what was lent.
func (w *wish) grant(s *sums) (out, lent whole) {
	t, b := w.t, w.a.balance(w.t)
	have, debt := t.supplied(b), t.debt(b)
	if w.out.Sign() > 0 {
		room := above(s.cash)
		back := least(w.out, have, room)
		limit := most(least(w.limit, above(sub(t.borrowCap, s.debt))), sub(w.forced, back))
		borrow := above(least(sub(w.out, back), limit, sub(room, back)))
		if back.Sign() > 0 {
			t.supplyOut(b, back)
		}
		if !isEqual(back, have) {
			borrow = of(0) // supply left behind means the pool is dry
		}
		if borrow.Sign() > 0 {
			t.borrowOut(b, borrow)
		}
		s.cash, s.supply, s.debt = sub(sub(s.cash, back), borrow), sub(s.supply, back), add(s.debt, borrow)
		return add(back, borrow), of(0)
	}
	repay := least(w.in, debt)
	if repay.Sign() > 0 {
		t.repayIn(b, repay)
	}
	room := least(above(sub(t.userSupplyCap, have)), above(sub(t.supplyCap, s.supply)))
	lent = above(least(sub(w.in, repay), room))
	if lent.Sign() > 0 {
		t.supplyIn(b, lent)
	}
	s.cash, s.supply, s.debt = add(add(s.cash, repay), lent), add(s.supply, lent), sub(s.debt, repay)
	return of(0), lent
}

// push tops dexes up from idle cash that no spot order holds.
func (o *Oracle) push(a *account) {
	if a.mode == risk.ModeStandard {
		return
	}
	for _, d := range o.books(a) {
		t := d.dex.collateral
		free := sub(a.cashOf(t), o.spotHeld(a, t))
		if v := least(sub(d.target(), d.value), free); v.Sign() > 0 {
			a.addRaw(d.dex.slot, v)
			a.addCash(t, negate(v))
		}
	}
}

// rebalance brings an account that decides alone to its targets. Where it lent collateral
// while something stayed short it asks once more: new collateral carries debt at once.
func (o *Oracle) rebalance(a *account) {
	if o.ask([]*account{a}) {
		o.ask([]*account{a})
	}
	o.push(a)
}

// rebalanceTogether brings accounts to their targets: all ask first, in order, then all
// are granted in that order, then all are topped up.
func (o *Oracle) rebalanceTogether(list []*account) {
	o.ask(list)
	for _, a := range list {
		o.push(a)
	}
}

// ask grants the wishes of accounts, and reports whether collateral was lent while a wish
// stayed short.
func (o *Oracle) ask(list []*account) (mayCarryMore bool) {
	var asked []wish
	for _, a := range list {
		asked = append(asked, o.wishes(a)...)
	}
	running := map[uint32]*sums{}
	for _, slot := range keys(o.tokens) {
		if t := o.tokens[slot]; t.pool != nil {
			running[slot] = t.pool.sums()
		}
	}
	isShort, isLent := false, false
	for i := range asked {
		w := &asked[i]
		out, lent := w.grant(running[w.t.slot])
		isShort = isShort || isLess(out, w.out)
		isLent = isLent || lent.Sign() > 0 && w.t.ltv.Sign() > 0
	}
	return isShort && isLent
}

// transfer moves funds between accounts, or between the wallets of one.
func (o *Oracle) transfer(c *risk.Command) {
	from, to, t := o.accounts[c.Account()], o.accounts[c.Other()], o.tokens[c.Token()]
	v := number(c, 0, t.wei)
	o.credit(from, c.Wallets[0], t, negate(v))
	o.credit(to, c.Wallets[1], t, v)
	if from == to {
		o.rebalanceTogether([]*account{to})
		return
	}
	o.rebalanceTogether([]*account{from, to})
}

// importAccount loads an account as it stands, without rebalancing: totals include what
// the dexes of the token are worth outside standard mode.
func (o *Oracle) importAccount(group []risk.Command) {
	o.open(&group[0])
	a := o.accounts[group[0].Account()]
	for i := range group {
		c := &group[i]
		switch c.Kind {
		case risk.KindPartWallet:
			a.addRaw(c.Market(), number(c, 0, o.dexes[c.Market()].collateral.wei))
		case risk.KindPartPosition:
			o.importPosition(a, c)
		case risk.KindPartOrder:
			r := o.newOrder(c)
			if c.Has(risk.FlagSecond) {
				sz, _ := r.decimals()
				r.original = number(c, 3, sz)
			}
			a.orders = append(a.orders, r)
		}
	}
	for i := range group {
		if c := &group[i]; c.Kind == risk.KindPartBalance {
			o.importBalance(a, c)
		}
	}
}

func (o *Oracle) importPosition(a *account, c *risk.Command) {
	x := o.position(a, c.Market())
	wei := x.perp.dex.collateral.wei
	old := x.size
	x.size, x.entry, x.funding = number(c, 0, x.perp.sz), number(c, 1, 6), number(c, 3, wei)
	x.leverage, x.isIsolated, x.isSet, x.cum = int64(c.Leverage), c.Has(risk.FlagIsolated), true, x.perp.cum
	if x.isIsolated {
		x.raw = number(c, 2, wei)
	}
	x.perp.openLong = add(x.perp.openLong, sub(above(x.size), above(old)))
}

func (o *Oracle) importBalance(a *account, c *risk.Command) {
	t := o.tokens[c.Token()]
	b := a.balance(t)
	cash := number(c, 0, t.wei)
	if a.mode != risk.ModeStandard {
		for _, d := range o.books(a) {
			if d.dex.collateral == t {
				cash = sub(sub(cash, d.value), d.isolated)
			}
		}
	}
	b.cash, b.entry = add(b.cash, cash), number(c, 3, 8)
	switch net := sub(number(c, 1, t.wei), number(c, 2, t.wei)); net.Sign() {
	case 1:
		t.supplyIn(b, net)
	case -1:
		t.borrowOut(b, negate(net))
	}
}
