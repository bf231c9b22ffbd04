package risk

import (
	"math/bits"

	"plimsoll/fixedpoint"
)

// hotKind says which pass an account takes.
type hotKind uint8

const (
	hotNone   hotKind = iota // no account
	hotIdle                  // nothing that a price can move
	hotSimple                // one cross book on the main dex, no collateral: hot columns suffice
	hotLend                  // simple, under portfolio margin: lent or owed numeraire, collateral
	hotFull                  // evaluate
)

// hotAccount is what a price pass reads of an account: 24 bytes, beside its positions'
// size and perp columns.
type hotAccount struct {
	fixedE12 i128 // cash that counts as equity, plus funding already settled, at 1e-12
	start    uint32
	count    uint16
	kind     hotKind
	// step is a leverage floor: no position asks more than 1/step of its notional.
	step uint8
}

// refreshHot derives an account's hot columns after it changed.
func (m *Machine) refreshHot(slot uint32) {
	local := slot / m.cfg.Shards
	a := &m.accounts[local]
	h := &m.hot[local]
	*h = hotAccount{start: a.positions.start, count: a.positions.count, kind: hotSimple, step: 10}
	fixed := a.raw
	if a.mode == ModePortfolio {
		h.kind = m.lendKind(a)
	} else {
		for _, b := range m.balances.of(&a.balances) {
			switch {
			case b.key&dexBit != 0:
				h.kind = hotFull
			case uint32(b.key) == m.dexes[0].collateral && a.mode != ModeStandard:
				fixed = fixed.Add(b.cash)
				if !b.lend.IsZero() {
					h.kind = hotFull
				}
			}
		}
	}
	if a.orderCount > 0 {
		h.kind = hotFull
	}
	open := 0
	var cum i128
	for i := int(h.start); i < int(h.start)+int(h.count); i++ {
		size := m.positions.size[i]
		if size == 0 {
			continue
		}
		open++
		key := m.positions.perp[i]
		if key&isolatedBit != 0 || m.perps[key&^isolatedBit].dexSlot != 0 {
			h.kind = hotFull
			continue
		}
		t := &m.positions.terms[i]
		cum = cum.Add(fixedpoint.Mul64(size, t.cumE12))
		h.step = uint8(min(uint16(h.step), t.leverage))
	}
	if open == 0 && a.orderCount == 0 && !m.owesAnything(a) {
		h.kind = hotIdle
	}
	if h.kind == hotSimple || h.kind == hotLend {
		h.fixedE12 = mustFit(fixed.MulInt64(m.dexSubUnit(0))).Add(cum)
	}
}

// lendKind tells whether a portfolio account is its numeraire and at most collateral
// beside it: a second debt or dex takes the full evaluation.
func (m *Machine) lendKind(a *account) hotKind {
	items := m.balances.of(&a.balances)
	q := m.numeraire
	if len(items) == 0 || uint32(items[0].key) != q || m.dexes[0].collateral != q || m.tokens[q].pool < 0 {
		return hotFull
	}
	for i := 1; i < len(items); i++ {
		b := &items[i]
		if b.key&dexBit != 0 || b.lend.Sign() < 0 || b.cash.Sign() < 0 {
			return hotFull
		}
	}
	return hotLend
}

// owesAnything reports a debt, a negative wallet or a negative token.
func (m *Machine) owesAnything(a *account) bool {
	if a.raw.Sign() < 0 {
		return true
	}
	for _, b := range m.balances.of(&a.balances) {
		if b.cash.Sign() < 0 || b.lend.Sign() < 0 {
			return true
		}
	}
	return false
}

// lendValue returns idle cash + supply - debt of a hotLend account.
func (m *Machine) lendValue(a *account) i128 {
	b := &m.balances.items[a.balances.start]
	return b.cash.Add(m.supplied(b)).Sub(m.debt(b))
}

// isSafeLend is isSafe for a portfolio account of kind hotLend: net balance and capacity
// cover any requirement it can have, the ratio is below its trigger, and the dex's own
// equity covers its maintenance margin, or margin sharing has work to do. Collateral is
// valued only when the net balance alone does not do.
func (m *Machine) isSafeLend(h *hotAccount, a *account) bool {
	cross, notional, maintenance, isFast := m.hotMargin(h)
	sub := uint64(m.sweepSubUnit)
	if !isFast || cross.Less(scaleE12(maintenance, sub)) {
		return false
	}
	net := cross.DivFloor(m.sweepSubUnit).Add(m.lendValue(a))
	mm := units128(maintenance)
	bound := units128(notional/uint64(h.step) + uint64(h.count) + 1)
	if !net.Less(bound) {
		return m.coversOffset(net, mm)
	}
	if a.balances.count < 2 || m.params.OffsetMode != OffsetNone {
		return false
	}
	liquidation, capacity := m.collateral(a, m.numeraire)
	if net.Add(capacity).Less(bound) {
		return false
	}
	t := tokenFigures{N: net, MM: mm, LC: liquidation}
	requirement, value, _ := t.ratio(OffsetNone, i128{})
	return !isPastTrigger(requirement, value) && !isBelowTwoThirds(net.Add(liquidation), mm)
}

// coversOffset reports that an offset in force cannot put an account past its trigger:
// twice the maintenance margin and the offset are there.
func (m *Machine) coversOffset(net, maintenance i128) bool {
	if m.params.OffsetMode == OffsetNone {
		return true
	}
	need := maintenance.Add(m.offsetUnits(m.numeraire))
	return !net.Less(need.Add(need))
}

// isSafe reports that a simple account is above any initial requirement it can have:
// equity x step >= Σ notional. Cheap and one-sided: a false answer is looked at exactly.
func (m *Machine) isSafe(h *hotAccount) bool {
	equity, notional := m.hotEquity(h)
	scaled, ok := equity.Sub(roundingE12(h, m.sweepSubUnit)).MulInt64(int64(h.step))
	return ok && !scaled.Less(notional)
}

// roundingE12 bounds what rounding up per position adds to a requirement, at 1e-12.
func roundingE12(h *hotAccount, subUnit int64) i128 { return fixedpoint.Mul64(int64(h.count), subUnit) }

// hotEquity returns a simple account's equity and gross notional at 1e-12.
func (m *Machine) hotEquity(h *hotAccount) (equity, notional i128) {
	sizes := m.positions.size[h.start:][:h.count]
	keys := m.positions.perp[h.start:][:len(sizes)]
	table := (*[PerpsMax]hotPerp)(m.hotPerps)
	equity = h.fixedE12
	for i, size := range sizes {
		p := &table[keys[i]&(PerpsMax-1)]
		equity = equity.Add(fixedpoint.Mul64(size, p.valueE12))
		notional = notional.Add(fixedpoint.Mul64(max(size, -size), int64(p.mark)))
	}
	return equity, mustFit(notional.MulInt64(1_000_000))
}

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
	for local := range m.hot {
		switch h := &m.hot[local]; h.kind {
		case hotNone:
			continue
		case hotIdle:
			s.Bands[HealthNone]++
		case hotSimple:
			m.sumSimple(s, h, local)
		case hotLend:
			m.sumLend(s, h, &m.accounts[local])
		case hotFull:
			m.sumFull(s, &m.accounts[local])
		}
		s.Accounts++
	}
	s.Equity = s.Equity.Add(m.sweptE12.DivFloor(m.sweepSubUnit))
}

func (m *Machine) sumSimple(s *Sums, h *hotAccount, local int) {
	equityE12, notional, maintenance, isFast := m.hotMargin(h)
	if !isFast {
		m.sumFull(s, &m.accounts[local])
		return
	}
	s.Positions += uint64(h.count)
	m.sweptE12 = m.sweptE12.Add(equityE12)
	s.Notional, s.Maintenance = s.Notional.Add(units128(notional)), s.Maintenance.Add(units128(maintenance))
	sub := uint64(m.sweepSubUnit)
	band := HealthHealthy
	spare := equityE12.Sub(roundingE12(h, m.sweepSubUnit))
	if spare.Less(scaleE12(notional, sub/uint64(h.step)+1)) || equityE12.Less(scaleE12(maintenance, sub)) {
		a := &m.accounts[local]
		band = m.healthOf(a, m.evaluate(a))
	}
	s.Bands[band]++
}

// sumLend adds a portfolio account of kind hotLend.
func (m *Machine) sumLend(s *Sums, h *hotAccount, a *account) {
	cross, notional, maintenance, isFast := m.hotMargin(h)
	if !isFast {
		m.sumFull(s, a)
		return
	}
	net := cross.DivFloor(m.sweepSubUnit).Add(m.lendValue(a))
	s.Positions += uint64(h.count)
	s.Equity = s.Equity.Add(net)
	s.Notional, s.Maintenance = s.Notional.Add(units128(notional)), s.Maintenance.Add(units128(maintenance))
	band := HealthHealthy
	isCovered := m.params.OffsetMode == OffsetNone
	if !isCovered || net.Less(units128(notional/uint64(h.step)+uint64(h.count)+1)) || net.Less(units128(maintenance)) {
		band = m.healthOf(a, m.evaluate(a))
	}
	s.Bands[band]++
}

// scaleE12 returns units x factor.
func scaleE12(units, factor uint64) i128 {
	hi, lo := bits.Mul64(units, factor)
	return i128{Hi: int64(hi), Lo: lo}
}

// hotMargin returns a simple account's exact equity at 1e-12, and its gross notional and
// maintenance margin in units, the latter rounded up per position; isFast is false when a
// position is beyond the fast bounds.
func (m *Machine) hotMargin(h *hotAccount) (equityE12 i128, notional, maintenance uint64, isFast bool) {
	sizes := m.positions.size[h.start:][:h.count]
	keys := m.positions.perp[h.start:][:len(sizes)]
	table := (*[PerpsMax]hotPerp)(m.hotPerps)
	equityE12 = h.fixedE12
	isFast = len(sizes) <= 32
	for i, size := range sizes {
		p := &table[keys[i]&(PerpsMax-1)]
		equityE12 = equityE12.Add(fixedpoint.Mul64(size, p.valueE12))
		n, ok := p.notional(size)
		isFast = isFast && ok
		notional += n
		maintenance += p.maintenanceFast(n)
	}
	return equityE12, notional, maintenance, isFast
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

// openSweep notes what a pass over all accounts needs of the main dex.
func (m *Machine) openSweep() {
	m.sweepSubUnit = 1
	if m.dexes[0].isListed {
		m.sweepSubUnit = m.dexSubUnit(0)
	}
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
		if m.hot[local].kind <= hotIdle {
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
