package risk

import "plimsoll/fixedpoint"

// pool is one token's lending pool. Sums over accounts live in Totals, per shard; the
// rest is the same on every shard.
type pool struct {
	token       uint32
	supplyIndex index
	debtIndex   index
	buffer      i128 // reserve kept from interest, token units
	accruedMs   int64
	worth       worth // derived: the last that was asked for
}

// worth is what a scaled supply comes to at an index. A command asks for that of one balance
// several times.
type worth struct {
	index         index
	scaled, value i128
}

// supplyWorth returns the value of a scaled supply above zero, rounded down.
func (p *pool) supplyWorth(scaled i128) i128 {
	w := &p.worth
	if w.scaled != scaled || w.index != p.supplyIndex {
		v, ok := p.supplyIndex.ValueFloor(scaled)
		if !ok {
			panic("risk: BUG: supply value above 128 bits")
		}
		*w = worth{index: p.supplyIndex, scaled: scaled, value: v}
	}
	return w.value
}

func newPool(tokenSlot uint32, nowMs int64) pool {
	return pool{token: tokenSlot, supplyIndex: fixedpoint.IndexOne(), debtIndex: fixedpoint.IndexOne(), accruedMs: nowMs}
}

// poolSums are a pool's totals in token units: supply rounded down, debt up.
type poolSums struct{ supply, debt, cash i128 }

// sumsOf values totals at a pool's indices.
func (p *pool) sumsOf(t Totals) poolSums {
	supply, ok := p.supplyIndex.ValueFloor(t.Supply)
	debt, ok2 := p.debtIndex.ValueCeil(t.Debt)
	if !ok || !ok2 {
		panic("risk: BUG: pool totals above 128 bits")
	}
	return poolSums{supply: supply, debt: debt, cash: t.Cash}
}

// cashOfPool returns a pool's cash over all shards.
func (m *Machine) cashOfPool(n int16) i128 { return m.own[n].Cash.Add(m.foreign[n].Cash) }

// totalsOf returns a pool's totals over all shards, as of the foreign totals last set.
func (m *Machine) totalsOf(n int) Totals { return m.own[n].Add(m.foreign[n]) }

const utilizationOne = 1_000_000_000_000_000_000

// utilizationE18 returns debt/supply at 1e-18, floored, at most 1.
func (s poolSums) utilizationE18() int64 {
	if s.debt.Sign() <= 0 {
		return 0
	}
	if !s.debt.Less(s.supply) {
		return utilizationOne
	}
	u, ok := s.debt.MulDivFloor128(fixedpoint.I128(utilizationOne), s.supply)
	if !ok {
		panic("risk: BUG: utilisation above 128 bits")
	}
	v, _ := u.Int64()
	return v
}

// borrowRateE12 returns the yearly borrow rate at 1e-12 (spec 1.4), rounded up.
func (t *token) borrowRateE12(utilizationE18 int64) int64 {
	over := utilizationE18 - t.rateKinkE12*1_000_000
	if over <= 0 {
		return t.rateBaseE12
	}
	extra, ok := fixedpoint.MulDivCeil(t.rateSlopeE12, over, utilizationOne)
	if !ok {
		panic("risk: BUG: borrow rate above 64 bits")
	}
	return t.rateBaseE12 + extra
}

// supplyRateE12 returns the yearly supply rate at 1e-12, rounded down.
func (t *token) supplyRateE12(borrowRateE12, utilizationE18 int64) int64 {
	v, ok := fixedpoint.MulDivFloor(borrowRateE12, utilizationE18, utilizationOne)
	if !ok {
		panic("risk: BUG: supply rate above 64 bits")
	}
	v, _ = fixedpoint.MulDivFloor(v, rateOne-t.reserveE12, rateOne)
	return v
}

// accrue moves a pool to nowMs: debt compounds continuously at the rate of the
// utilisation before the step; suppliers get (1 - reserve factor) of exactly the interest
// that debt grew by, pro rata; the buffer gets the rest (MODEL.md §5). Debt rounds up,
// supply down, so what rounding leaves is the buffer's.
func (p *pool) accrue(t *token, totals Totals, nowMs int64) {
	dt := nowMs - p.accruedMs
	if p.accruedMs == 0 {
		dt = 0 // the first time ever given is the origin
	}
	p.accruedMs = nowMs
	if dt <= 0 || totals.Debt.Sign() <= 0 {
		return
	}
	before := p.sumsOf(totals)
	factor, ok := fixedpoint.ExpFactor(t.borrowRateE12(before.utilizationE18()), dt)
	if !ok {
		return
	}
	next, ok := p.debtIndex.CompoundCeil(factor)
	if !ok {
		return
	}
	p.debtIndex = next
	interest := p.sumsOf(totals).debt.Sub(before.debt)
	share, ok := interest.MulDivFloor(rateOne-t.reserveE12, rateOne)
	if !ok {
		panic("risk: BUG: interest above 128 bits")
	}
	if before.supply.Sign() > 0 {
		if grown, ok := p.supplyIndex.GrowFloor(before.supply.Add(share), before.supply); ok {
			p.supplyIndex = grown
		}
	}
	paid := p.sumsOf(totals).supply.Sub(before.supply)
	p.buffer = p.buffer.Add(interest.Sub(paid))
}

// touched notes that this shard's totals of a pool changed.
func (m *Machine) touched(n int16) {
	bit := uint64(1) << uint(n)
	if m.changedBits&bit == 0 {
		m.changedBits |= bit
		m.changed = append(m.changed, uint16(n))
	}
}

// supplyIn lends idle cash of b to its pool; false when it is too little to be worth one
// scaled unit, and stays idle.
func (m *Machine) supplyIn(b *balance, amount i128) bool {
	n := m.tokens[b.key].pool
	p := &m.pools[n]
	scaled, ok := p.supplyIndex.ScaledFloor(amount)
	if !ok {
		panic("risk: BUG: supply above its limit")
	}
	if scaled.IsZero() {
		return false
	}
	b.cash, b.lend = b.cash.Sub(amount), b.lend.Add(scaled)
	m.own[n].Supply, m.own[n].Cash = m.own[n].Supply.Add(scaled), m.own[n].Cash.Add(amount)
	b.basis = m.supplied(b)
	m.touched(n)
	return true
}

// supplyOut takes supply back to idle cash; an amount at or above the whole value takes
// all of it.
func (m *Machine) supplyOut(b *balance, amount i128) i128 {
	n := m.tokens[b.key].pool
	p := &m.pools[n]
	scaled, ok := p.supplyIndex.ScaledCeil(amount)
	if value := m.supplied(b); !ok || !amount.Less(value) || b.lend.Less(scaled) {
		amount, scaled = fixedpoint.MinI128(amount, value), b.lend
	}
	b.cash, b.lend = b.cash.Add(amount), b.lend.Sub(scaled)
	m.own[n].Supply, m.own[n].Cash = m.own[n].Supply.Sub(scaled), m.own[n].Cash.Sub(amount)
	b.basis = m.supplied(b)
	m.touched(n)
	return amount
}

// borrowOut borrows into idle cash; b must have no supply.
func (m *Machine) borrowOut(b *balance, amount i128) {
	n := m.tokens[b.key].pool
	scaled, ok := m.pools[n].debtIndex.ScaledCeil(amount)
	if !ok {
		panic("risk: BUG: debt above its limit")
	}
	b.cash, b.lend = b.cash.Add(amount), b.lend.Sub(scaled)
	m.own[n].Debt, m.own[n].Cash = m.own[n].Debt.Add(scaled), m.own[n].Cash.Sub(amount)
	b.basis = m.debt(b).Neg()
	m.touched(n)
}

// repayIn pays debt from idle cash; an amount at or above the whole debt clears it.
func (m *Machine) repayIn(b *balance, amount i128) i128 {
	n := m.tokens[b.key].pool
	scaled, ok := m.pools[n].debtIndex.ScaledFloor(amount)
	if whole := m.debt(b); !ok || !amount.Less(whole) || b.lend.Neg().Less(scaled) {
		amount, scaled = fixedpoint.MinI128(amount, whole), b.lend.Neg()
	}
	b.cash, b.lend = b.cash.Sub(amount), b.lend.Add(scaled)
	m.own[n].Debt, m.own[n].Cash = m.own[n].Debt.Sub(scaled), m.own[n].Cash.Add(amount)
	b.basis = m.debt(b).Neg()
	m.touched(n)
	return amount
}

// grant is what a pool gives to one request.
type grant struct{ unsupply, borrow, repay, supply i128 }

// grantOf decides one request against a pool's running sums and moves the sums. Own
// supply comes back first, then new debt up to the account's limit, the pool's cash and
// the global cap; a forced part passes the caps but never the cash.
func grantOf(r *Request, t *token, s *poolSums) grant {
	var g grant
	room := nonNegative(s.cash)
	g.unsupply = fixedpoint.MinI128(fixedpoint.MinI128(r.Out, r.Supplied), room)
	room = room.Sub(g.unsupply)
	want := r.Out.Sub(g.unsupply)
	limit := fixedpoint.MinI128(r.BorrowLimit, nonNegative(t.borrowCap.Sub(s.debt)))
	limit = fixedpoint.MaxI128(limit, r.Forced.Sub(g.unsupply))
	g.borrow = nonNegative(fixedpoint.MinI128(fixedpoint.MinI128(want, limit), room))
	if g.unsupply.Less(r.Supplied) {
		g.borrow = i128{} // supply left behind means the pool is dry
	}
	g.repay = fixedpoint.MinI128(r.In, r.Debt)
	rest := r.In.Sub(g.repay)
	limit = fixedpoint.MinI128(r.SupplyLimit, nonNegative(t.supplyCap.Sub(s.supply)))
	g.supply = fixedpoint.MinI128(rest, limit)
	s.cash = s.cash.Sub(g.unsupply).Sub(g.borrow).Add(g.repay).Add(g.supply)
	s.supply = s.supply.Sub(g.unsupply).Add(g.supply)
	s.debt = s.debt.Add(g.borrow).Sub(g.repay)
	return g
}

func nonNegative(v i128) i128 {
	if v.Sign() < 0 {
		return i128{}
	}
	return v
}
