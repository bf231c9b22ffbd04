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
	m.openPass()
	for local := range m.hot {
		h := &m.hot[local]
		switch h.kind() {
		case hotNone:
			continue
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
	s.Equity = s.Equity.Add(m.sweptE12.DivFloor(m.sweepSubUnit))
}

func (m *Machine) sumSimple(s *Sums, h *hotAccount, local int) {
	equity, notional, maintenance, odd := m.hotCross(h)
	if odd == 0 && m.isClear(h, equity, notional, maintenance) {
		m.sweptE12 = m.sweptE12.Add(equity)
		s.Positions += uint64(h.count)
		s.Notional, s.Maintenance = s.Notional.Add(units128(notional)), s.Maintenance.Add(units128(maintenance))
		s.Bands[HealthHealthy]++
		return
	}
	f := m.hotMargin(h)
	if !f.isFast {
		m.sumFull(s, &m.accounts[local])
		return
	}
	m.sweptE12 = m.sweptE12.Add(f.equityE12)
	s.Equity = s.Equity.Add(f.isoEquity)
	s.add(h, &f, m.standingSimple(h, &f).health())
}

// sumLend adds a portfolio account of kind hotLend.
func (m *Machine) sumLend(s *Sums, h *hotAccount, local int) {
	equity, notional, maintenance, odd := m.hotCross(h)
	if total, isClear := m.isClearLend(h, local, equity, notional, maintenance); odd == 0 && isClear {
		m.sweptE12 = m.sweptE12.Add(total)
		s.Positions += uint64(h.count)
		s.Notional, s.Maintenance = s.Notional.Add(units128(notional)), s.Maintenance.Add(units128(maintenance))
		s.Bands[HealthHealthy]++
		return
	}
	f := m.hotMargin(h)
	if !f.isFast {
		m.sumFull(s, &m.accounts[local])
		return
	}
	net := f.equityE12.DivFloor(m.sweepSubUnit).Add(m.lendValue(local))
	s.Equity = s.Equity.Add(net).Add(f.isoEquity)
	band := HealthHealthy
	if !m.isSafeLend(h, &f, local, net) {
		a := &m.accounts[local]
		band = m.healthOf(a, m.evaluate(a))
	}
	s.add(h, &f, band)
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
}

// ReadNearest appends this shard's accounts with the highest margin ratio, worst first.
func (m *Machine) ReadNearest(limit int, dst []Nearest) []Nearest {
	from := len(dst)
	for local := range m.hot {
		a := &m.accounts[local]
		if m.hot[local].kind() <= hotIdle {
			continue
		}
		f := m.evaluate(a)
		n := Nearest{Account: uint32(local)*m.cfg.Shards + m.cfg.Shard, Health: m.healthOf(a, f), RatioE10: m.accountRatio(a, f)}
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
