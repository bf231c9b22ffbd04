package risk

import "plimsoll/fixedpoint"

// Open interest of a capped perp is a total shared over shards just like a pool: its
// long side stands in Totals.Supply of a pool of its own.

// capOpenInterest gives a perp with a cap its shared total.
func (m *Machine) capOpenInterest(p *perp) Reason {
	if p.openCap == 0 || p.pool >= 0 {
		return ReasonNone
	}
	if len(m.pools) >= PoolsMax {
		return ReasonLimitExceeded
	}
	p.pool = int16(len(m.pools))
	m.addPool(pool{token: NoSlot})
	m.own[p.pool].Supply = p.openLong
	m.touched(p.pool)
	return ReasonNone
}

// addPool appends a shared total; every shard does so at the same Seq.
func (m *Machine) addPool(p pool) {
	m.pools = append(m.pools, p)
	m.own = append(m.own, Totals{})
	m.foreign = append(m.foreign, Totals{})
	m.base = append(m.base, Totals{})
	m.sums = append(m.sums, poolSums{})
	m.openPoolRoom(len(m.pools) - 1)
}

// openInterestTouched publishes a perp's long side.
func (m *Machine) openInterestTouched(slot uint32) {
	p := &m.perps[slot]
	if p.pool >= 0 {
		m.own[p.pool].Supply = p.openLong
		m.touched(p.pool)
	}
}

// openInterestAllows tests an order that opens against the perp's cap.
func (m *Machine) openInterestAllows(a *account, p *perp, o *order) Reason {
	var size int64
	if i := m.positions.find(&a.positions, uint16(o.market)); i >= 0 {
		size = m.positions.size[i]
	}
	delta := o.size
	if o.flags&FlagSell != 0 {
		delta = -delta
	}
	if next := size + delta; size != 0 && (size > 0) != (delta > 0) && max(next, -next) <= max(size, -size) {
		return ReasonNone
	}
	open := m.totalsOf(int(p.pool)).Supply
	if fixedpoint.I128(p.openCap).Less(open.Add(fixedpoint.I128(o.size))) {
		m.weighed(RuleInitialMargin, fixedpoint.I128(o.size), nonNegative(fixedpoint.I128(p.openCap).Sub(open)), p.sz)
		return ReasonOpenInterestCap
	}
	return ReasonNone
}
