package risk

import "plimsoll/fixedpoint"

// counting is a pass over all accounts under way: BeginTotals to the last TotalsStep.
type counting struct {
	isRunning bool
	at        int         // accounts before this place are counted
	view      *TotalsView // the caller's
	world     world       // as of BeginTotals
	fig       figures     // scratch apart from the machine's, which a touch must leave alone
	near      int         // no account further than this can be among the nearest
	isShocked bool        // accounts are counted under a shock as well
	shocked   world       // then: as of BeginTotals but for prices
}

// BeginTotals says that the totals as of now are wanted in v, with the accounts nearest to
// their line, up to a limit of NearestMax. TotalsStep works it off while groups go on. A
// pass before it that is not finished is finished first.
func (m *Machine) BeginTotals(v *TotalsView, nearest int) {
	if nearest < 0 || nearest > NearestMax {
		panic("risk: BUG: more nearest accounts wanted than NearestMax")
	}
	for c := &m.counting; c.isRunning; {
		m.TotalsStep(len(m.accounts))
	}
	c := &m.counting
	c.world.freeze(m)
	c.isRunning, c.isShocked, c.at, c.view, c.near = true, false, 0, v, TotalsDistances
	m.track.quiet ^= accountCounted // no account has this value: all are to be counted
	*v = TotalsView{
		Seq: m.seq, TimeMs: m.timeMs, Decimals: m.tokens[m.numeraire].wei, NearestLimit: nearest,
		Tokens: make([]TokenTotals, m.tokenCount), Markets: make([]MarketTotals, m.perpCount),
		Nearest: make([]Nearest, 0, nearest),
	}
	for i := range v.Tokens {
		m.beginToken(&v.Tokens[i], i)
	}
	for i := range v.Markets {
		p := &m.perps[i]
		v.Markets[i] = MarketTotals{IsListed: p.isListed, SizeDecimals: p.sz, Decimals: 6 + p.scale}
	}
}

// beginToken notes what this shard keeps of a token beside its accounts.
func (m *Machine) beginToken(t *TokenTotals, slot int) {
	listed, l := &m.tokens[slot], &m.ledgers[slot]
	t.IsListed, t.Decimals = listed.isListed, listed.wei
	t.External, t.Fees, t.Clearing = l.external, l.fees, l.clearing
	if !listed.isListed || listed.pool < 0 {
		return
	}
	p := &m.pools[listed.pool]
	t.HasPool, t.supplyIndex, t.debtIndex = true, p.supplyIndex, p.debtIndex
	t.pool, t.PoolCash = m.own[listed.pool], m.own[listed.pool].Cash
	if m.cfg.Shard == 0 {
		t.Buffer = p.buffer // shared: counted once
	}
}

// HasTotals reports whether a pass is under way.
func (m *Machine) HasTotals() bool { return m.counting.isRunning }

// itemsPerAccount is how many positions, balances and orders count as one more account.
const itemsPerAccount = 8

// TotalsStep counts up to that many accounts, a large one in the place of several; true when
// all are counted.
func (m *Machine) TotalsStep(accounts int) bool {
	c := &m.counting
	if !c.isRunning {
		return true
	}
	m.exchange(&c.world)
	looks := accounts * looksPerAccount
	if c.isShocked {
		accounts = max(1, accounts/2) // each is valued twice
	}
	for ; c.at < len(m.accounts) && accounts > 0 && looks > 0; c.at++ {
		looks--
		a := &m.accounts[c.at]
		if a.flags&accountOpen == 0 || (a.flags^m.track.quiet)&accountCounted == 0 {
			continue
		}
		a.flags ^= accountCounted
		m.count(uint32(c.at), a)
		accounts -= 1 + (int(a.positions.count)+int(a.balances.count)+int(a.orderCount))/itemsPerAccount
	}
	m.exchange(&c.world)
	if c.at == len(m.accounts) {
		c.isRunning, c.view = false, nil
	}
	return !c.isRunning
}

// countFirst counts an account that is about to change, unless it is counted already.
func (m *Machine) countFirst(local uint32, a *account) {
	if (a.flags^m.track.quiet)&accountCounted == 0 {
		return
	}
	a.flags ^= accountCounted
	m.exchange(&m.counting.world)
	m.count(local, a)
	m.exchange(&m.counting.world)
}

// count adds an account to the totals, at the prices of the pass.
func (m *Machine) count(local uint32, a *account) {
	c := &m.counting
	v, f := c.view, &c.fig
	slot := local*m.cfg.Shards + m.cfg.Shard
	m.evaluatePositions(a, f)
	m.evaluateOrders(a, f)
	s := m.statusOf(a, f)
	g := m.gauge(a, f)
	v.Accounts++
	v.Health[s.health()]++
	v.Lending[s.lending()]++
	v.Negative += bit(s&statusNegative != 0)
	v.Equity, v.NetBalance, v.Notional = v.Equity.Add(g.equity), v.NetBalance.Add(g.net), v.Notional.Add(g.notional)
	v.Initial, v.Maintenance = v.Initial.Add(g.initial), v.Maintenance.Add(g.maintenance)
	m.countBalances(v, a)
	open := m.countPositions(v, slot, a)
	v.Positions += uint64(open)
	exposure := Exposure{Accounts: 1, Notional: g.notional}
	row := &v.Heat[s.health()]
	switch {
	case g.distance < 0:
		row[HeatBeyond].add(exposure)
	default:
		row[g.distance].add(exposure)
	}
	if c.isShocked {
		m.countShocked(slot, a, s.health(), g.notional)
	}
	switch {
	case g.distance < 0:
		v.Beyond.add(exposure)
	case g.distance == TotalsDistances:
		v.Unexposed.add(exposure)
	default:
		v.Distances[g.distance].add(exposure)
	}
	if v.NearestLimit == 0 || g.distance > c.near || open == 0 && m.isIdle(a) {
		return
	}
	if v.nearer(&Nearest{
		Account: slot, Health: s.health(), RatioE10: g.ratioE10(), Equity: g.equity, Notional: g.notional,
	}) && len(v.Nearest) == v.NearestLimit {
		root := distance(v.Nearest[0].RatioE10, fixedpoint.I128(ratioOne))
		c.near = min(root+1, TotalsDistances) // a rounded ratio may lie one step off
	}
}

// isIdle reports that an account without an open position has nothing that a price can move.
func (m *Machine) isIdle(a *account) bool {
	return a.orderCount == 0 && a.flags&accountUnvalued == 0 && !m.owesAnything(a)
}

// countBalances adds an account's cash, supply and debt to the tokens they are in.
func (m *Machine) countBalances(v *TotalsView, a *account) {
	if m.dexes[0].isListed {
		add(&v.Tokens[m.dexes[0].collateral].PerpCash, a.raw)
	}
	items := m.balances.of(&a.balances)
	for i := range items {
		b := &items[i]
		if b.key&dexBit != 0 {
			add(&v.Tokens[m.dexes[b.key&^dexBit].collateral].PerpCash, b.cash)
			continue
		}
		t := &v.Tokens[b.key]
		t.IdleCash = t.IdleCash.Add(b.cash)
		if b.lend.Sign() > 0 {
			t.supply = t.supply.Add(b.lend)
		} else {
			t.debt = t.debt.Sub(b.lend)
		}
	}
}

// countPositions adds an account's positions to their markets and returns how many are open.
func (m *Machine) countPositions(v *TotalsView, slot uint32, a *account) (open int) {
	for i := int(a.positions.start); i < int(a.positions.start)+int(a.positions.count); i++ {
		key, size := m.positions.perp[i]&^isolatedBit, m.positions.size[i]
		if raw := m.positions.terms[i].raw; raw != 0 {
			add(&v.Tokens[m.perps[key].collateral].IsolatedCash, fixedpoint.I128(raw))
		}
		if size == 0 {
			continue
		}
		open++
		t := &v.Markets[key]
		t.Holders++
		if size > 0 {
			t.Long = t.Long.Add(fixedpoint.I128(size))
		} else {
			t.Short = t.Short.Sub(fixedpoint.I128(size))
		}
		n, isFast := m.hotPerps[key].notional(size)
		notional := units128(n)
		if !isFast {
			p := &m.perps[key]
			notional = p.toUnits(notionalE6(size, p.mark))
		}
		t.hold(&Holding{Account: slot, Size: size, Notional: notional})
	}
	return open
}
