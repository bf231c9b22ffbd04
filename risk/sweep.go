package risk

import "plimsoll/fixedpoint"

// Sums are the totals of a sweep over the accounts of one shard, or of several. Money is
// at 1e-8 US dollars of each account's settlement token.
type Sums struct {
	Accounts    uint64
	Positions   uint64
	Equity      fixedpoint.Int128 // net balance N, or cross value in standard mode
	Notional    fixedpoint.Int128
	Maintenance fixedpoint.Int128
	Bands       [HealthCount]uint64
}

// Add adds the sums of another shard.
func (s *Sums) Add(o *Sums) {
	s.Accounts, s.Positions = s.Accounts+o.Accounts, s.Positions+o.Positions
	s.Equity, s.Notional = s.Equity.Add(o.Equity), s.Notional.Add(o.Notional)
	s.Maintenance = s.Maintenance.Add(o.Maintenance)
	for i := range s.Bands {
		s.Bands[i] += o.Bands[i]
	}
}

// ReadSums evaluates every account of this shard exactly at present prices.
func (m *Machine) ReadSums(s *Sums) {
	m.sweptE12 = i128{}
	m.openSweep()
	m.sumAll(s)
	s.Equity = s.Equity.Add(m.sweptE12.DivFloor(m.sweepSubUnit))
}

// sumOne adds one account by itself.
func (m *Machine) sumOne(s *Sums, local uint32) {
	h := &m.hot[local]
	switch h.kind() {
	case hotNone:
		return
	case hotIdle:
		s.Bands[HealthNone]++
	case hotStandard, hotUnified:
		m.sumSimple(s, h, local)
	case hotLend:
		m.sumLend(s, h, local)
	case hotFull:
		m.sumFull(s, &m.accounts[local])
	}
	s.Accounts++
}

// sumSimple adds an account of the main dex.
func (m *Machine) sumSimple(s *Sums, h *hotAccount, local uint32) {
	f := m.hotMargin(local)
	if !f.isFast {
		m.sumFull(s, &m.accounts[local])
		return
	}
	m.sweptE12 = m.sweptE12.Add(f.equityE12)
	s.Equity = s.Equity.Add(f.isoEquity)
	s.add(h, &f, m.standingSimple(h, &f).health())
}

// sumLend adds a portfolio account of kind hotLend.
func (m *Machine) sumLend(s *Sums, h *hotAccount, local uint32) {
	f := m.hotMargin(local)
	if !f.isFast {
		m.sumFull(s, &m.accounts[local])
		return
	}
	lent := m.lendValue(local)
	net := f.equityE12.DivFloor(m.sweepSubUnit).Add(lent)
	m.sweptE12 = m.sweptE12.Add(f.equityE12)
	s.Equity = s.Equity.Add(lent).Add(f.isoEquity)
	if m.isSafeLend(h, &f, local, net) {
		s.add(h, &f, HealthHealthy)
	} else if standing, ok := m.standingLend(h, &f, local, net); ok {
		s.add(h, &f, standing.health())
	} else {
		a := &m.accounts[local]
		s.add(h, &f, m.healthOf(a, m.evaluate(a)))
	}
}

func (s *Sums) add(h *hotAccount, f *hotFigures, band Health) {
	s.Positions += uint64(h.count)
	s.Notional, s.Maintenance = s.Notional.Add(units128(f.notional+f.isoNotional)), s.Maintenance.Add(units128(f.maintenance))
	s.Bands[band]++
}

func (m *Machine) sumFull(s *Sums, a *account) {
	f := m.evaluate(a)
	for i := range f.usedN {
		d := &f.dexes[f.used[i]]
		s.Notional = s.Notional.Add(d.crossNtl).Add(d.isoNtl)
		s.Maintenance = s.Maintenance.Add(d.crossMM)
		if a.mode == ModeStandard {
			s.Equity = s.Equity.Add(d.crossValue).Add(d.isoEquity)
		}
	}
	if a.mode != ModeStandard {
		t := m.tokenFiguresOf(a, f, m.numeraire)
		s.Equity = s.Equity.Add(t.N)
	}
	s.Positions += uint64(a.positions.count)
	s.Bands[m.healthOf(a, f)]++
}

// Nearest is one account near its line.
type Nearest struct {
	Account  uint32
	Health   Health
	RatioE10 fixedpoint.Int128
	Equity   fixedpoint.Int128 // in units of the numeraire, as in TotalsView
	Notional fixedpoint.Int128
}

// ReadNearest appends this shard's accounts with the highest margin ratio, worst first, all
// at once: the plain twin of what TotalsStep gives.
func (m *Machine) ReadNearest(limit int, dst []Nearest) []Nearest {
	from := len(dst)
	for local := range m.hot {
		a := &m.accounts[local]
		if m.hot[local].kind() <= hotIdle {
			continue
		}
		f := m.evaluate(a)
		g := m.gauge(a, f)
		n := Nearest{
			Equity: g.equity, Notional: g.notional,
			Account: uint32(local)*m.cfg.Shards + m.cfg.Shard, Health: m.healthOf(a, f),
			RatioE10: fixedpoint.MinI128(m.accountRatio(a, f), fixedpoint.I128(nearestInfinite)),
		}
		at := len(dst)
		for at > from && dst[at-1].RatioE10.Less(n.RatioE10) {
			at--
		}
		if at-from >= limit {
			continue
		}
		dst = append(dst, Nearest{})
		copy(dst[at+1:], dst[at:])
		dst[at] = n
		dst = dst[:min(len(dst), from+limit)]
	}
	return dst
}
