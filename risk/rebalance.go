package risk

import "plimsoll/fixedpoint"

// wishesMax bounds the pools one account can ask at once: one request per pool.
const wishesMax = PoolsMax

// pull takes from each dex what its cross book holds above its target, into idle cash
// (decision 8.12: excess profit repays first). Standard accounts keep their wallets.
func (m *Machine) pull(a *account, f *figures) {
	for i := range f.usedN {
		n := f.used[i]
		d := &f.dexes[n]
		if spare := d.crossValue.Sub(d.target()); spare.Sign() > 0 {
			m.addRaw(a, n, spare.Neg())
			d.crossValue, d.crossRaw = d.crossValue.Sub(spare), d.crossRaw.Sub(spare)
			m.addCash(a, m.dexes[n].collateral, spare)
		}
	}
}

// push tops up each dex's cross book to its target, by slot, from idle cash that no spot
// order holds; what is short is left short.
func (m *Machine) push(a *account, f *figures) {
	if f.usedN == 1 { // most accounts: the other dexes are cold lines
		m.pushTo(a, f, f.used[0])
		return
	}
	for n := range uint16(DexesMax) {
		if f.dexes[n].isUsed {
			m.pushTo(a, f, n)
		}
	}
}

func (m *Machine) pushTo(a *account, f *figures, n uint16) {
	d, q := &f.dexes[n], m.dexes[n].collateral
	need := d.target().Sub(d.crossValue)
	if need.Sign() <= 0 {
		return
	}
	free := m.cashOf(a, q).Sub(m.spotHeld(a, q))
	if need = fixedpoint.MinI128(need, free); need.Sign() > 0 {
		m.addRaw(a, n, need)
		m.addCash(a, q, need.Neg())
		d.crossValue, d.crossRaw = d.crossValue.Add(need), d.crossRaw.Add(need)
	}
}

// perpNeed returns what the dexes settled in q are short of their targets.
func (m *Machine) perpNeed(f *figures, q uint32) i128 {
	var need i128
	for i := range f.usedN {
		d := &f.dexes[f.used[i]]
		if m.dexes[f.used[i]].collateral == q {
			need = need.Add(nonNegative(d.target().Sub(d.crossValue)))
		}
	}
	return need
}

// wishes pulls what dexes hold in excess and appends what the account asks of each pool
// so that every dex holds its target, spot orders are covered, debt is repaid and the
// rest is lent. Only portfolio accounts ask.
func (m *Machine) wishes(slot uint32, a *account, f *figures, rank uint32, dst []Request) []Request {
	if a.mode == ModeStandard {
		return dst
	}
	m.pull(a, f)
	if a.mode != ModePortfolio {
		return dst
	}
	for i := range f.usedN { // collateral tokens need a balance to ask with
		if q := m.dexes[f.used[i]].collateral; m.tokens[q].pool >= 0 && m.perpNeed(f, q).Sign() > 0 {
			m.balanceFor(a, uint16(q))
		}
	}
	if a.spotCount > 0 {
		m.openHeld(a)
	}
	items := m.balances.of(&a.balances)
	for i := range items {
		b := &items[i]
		if b.key&dexBit == 0 && m.tokens[b.key].pool >= 0 {
			dst = append(dst, Request{Rank: rank, Account: slot, Token: uint32(b.key)})
			if !m.wish(a, f, b, &dst[len(dst)-1]) {
				dst = dst[:len(dst)-1]
			}
		}
	}
	return dst
}

// openHeld gives an account a balance of every token with a pool that its orders hold.
func (m *Machine) openHeld(a *account) {
	for at := a.orderHead; at != 0; at = m.orders.at(at).next {
		if o := m.orders.at(at); o.market&SpotBit != 0 && o.isHolding() {
			if q, _ := m.spotHold(o); m.tokens[q].pool >= 0 {
				m.balanceFor(a, uint16(q))
			}
		}
	}
}

// wish fills in one pool's request; false when there is nothing to ask.
func (m *Machine) wish(a *account, f *figures, b *balance, r *Request) bool {
	q := r.Token
	t := &m.tokens[q]
	need := m.spotHeld(a, q).Add(m.perpNeed(f, q)).Sub(b.cash)
	switch need.Sign() {
	case 0:
		return false
	case 1:
		r.Out, r.Supplied = need, m.supplied(b)
		r.Forced = nonNegative(b.cash.Neg())
		if t.isBorrowable {
			_, capacity := m.collateral(a, q)
			r.BorrowLimit = nonNegative(fixedpoint.MinI128(capacity, t.userBorrowCap).Sub(m.debt(b)))
		}
	default:
		r.In, r.Debt = need.Neg(), m.debt(b)
		r.SupplyLimit = nonNegative(t.userSupplyCap.Sub(m.supplied(b)))
	}
	return true
}

// give applies a grant to an account's balance and tells of it.
func (m *Machine) give(a *account, r *Request, g grant) {
	b := m.balanceFor(a, uint16(r.Token))
	m.recordInterest(r.Account, b)
	if g.unsupply.Sign() > 0 {
		m.tellLending(EventUnsupplied, r, m.supplyOut(b, g.unsupply), i128{})
	}
	if g.borrow.Sign() > 0 {
		m.borrowOut(b, g.borrow)
		m.tellLending(EventBorrowed, r, g.borrow, m.debt(b))
	}
	if g.repay.Sign() > 0 {
		m.tellLending(EventRepaid, r, m.repayIn(b, g.repay), m.debt(b))
	}
	if g.supply.Sign() > 0 && m.supplyIn(b, g.supply) {
		m.tellLending(EventSupplied, r, g.supply, m.supplied(b))
	}
}

// tellShort tells that a cap or the pool left part of a request unmet; on a tick only when
// something was given, since an account that stays dry was told before.
func (m *Machine) tellShort(r *Request, g grant) {
	isTold := m.isTick && g.unsupply.IsZero() && g.borrow.IsZero() // told when it first ran dry
	if short := r.Out.Sub(g.unsupply).Sub(g.borrow); short.Sign() > 0 && !isTold {
		m.tellLending(EventCapReached, r, short, i128{})
	}
}

func (m *Machine) tellLending(kind EventKind, r *Request, amount, after i128) {
	m.emit(Event{
		Kind: kind, Phase: phaseLending, Rank: uint64(r.Account), Account: r.Account, Market: NoSlot, Token: r.Token,
		Amount: amount, Amount2: after, Decimals: m.tokens[r.Token].wei,
	})
}

// rebalance does the whole round for one account that decides alone in its Seq.
func (m *Machine) rebalance(slot uint32, a *account) { m.rebalanceFrom(slot, a, m.evaluate(a)) }

// rebalanceFrom is rebalance from figures that are true of the account as it stands; it
// keeps them true.
func (m *Machine) rebalanceFrom(slot uint32, a *account, f *figures) {
	if a.mode != ModeStandard {
		if isCarried := m.askPools(slot, a, f, false); isCarried {
			m.askPools(slot, a, f, true) // what was lent in the first round carries debt in the second
		}
		m.push(a, f)
	}
	m.settled(slot, a, f)
}

// askPools grants what an account that decides alone asks for, and reports whether it
// lent collateral while something else was left short: then it is worth asking again.
func (m *Machine) askPools(slot uint32, a *account, f *figures, isLast bool) (isCarried bool) {
	requests := m.wishes(slot, a, f, 0, m.wishBuf[:0])
	m.wishBuf = requests
	isShort, hasNewCollateral := false, false
	for i := range requests {
		r := &requests[i]
		t := &m.tokens[r.Token]
		sums := m.sumsFor(r, t)
		g := grantOf(r, t, &sums)
		m.give(a, r, g)
		m.grantBuf[i] = g
		isShort = isShort || g.unsupply.Add(g.borrow).Less(r.Out)
		hasNewCollateral = hasNewCollateral || t.ltvE12 > 0 && g.supply.Sign() > 0
	}
	if isShort && hasNewCollateral && !isLast {
		return true
	}
	for i := range requests {
		m.tellShort(&requests[i], m.grantBuf[i])
	}
	return false
}

// sumsFor returns what grantOf has to know of a pool. What it gives is the pool's cash alone
// to decide while own supply covers what is wanted and own debt takes what is put in: then
// supply and debt, two divisions of 256 bits, are left at zero. (Own supply that the pool
// cannot pay out is not replaced by debt.)
func (m *Machine) sumsFor(r *Request, t *token) poolSums {
	if r.Supplied.Less(r.Out) || r.Debt.Less(r.In) {
		return m.pools[t.pool].sumsOf(m.totalsOf(int(t.pool)))
	}
	return poolSums{cash: m.cashOfPool(t.pool)}
}

// settled refreshes derived data of an account that changed and tells its band.
func (m *Machine) settled(slot uint32, a *account, f *figures) {
	m.tell(slot, m.statusOf(a, f), f)
	m.refreshHot(slot)
}

// grantMore decides merged requests of a joint group in order and applies those of this
// shard's accounts; every shard computes the same sums and goes on from them.
func (m *Machine) grantMore(requests []Request) {
	for i := range requests {
		r := &requests[i]
		t := &m.tokens[r.Token]
		g := grantOf(r, t, &m.sums[t.pool])
		if a := m.accountAt(r.Account); a != nil {
			m.give(a, r, g)
			m.tellShort(r, g)
		}
	}
}
