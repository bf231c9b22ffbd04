package risk

import (
	"math/bits"

	"plimsoll/fixedpoint"
)

// hotKind says which pass an account takes.
type hotKind uint8

const (
	hotNone     hotKind = iota // no account
	hotIdle                    // nothing that a price can move
	hotStandard                // the main dex only, no orders, standard mode
	hotUnified                 // the same, unified
	hotLend                    // the same, portfolio: lent or owed numeraire, collateral
	hotFull                    // evaluate
)

// hotPositionsMax bounds the positions of an account that hot sums hold in 63 bits.
const hotPositionsMax = 32

// hotAccount is what a price pass reads of an account: 24 bytes, beside its positions'
// size and perp columns, and near a line their leverage.
type hotAccount struct {
	low    int64  // of pass: what there is without the positions, in parts of a unit
	need   uint64 // of pass: what requirements can come to at anchors
	start  uint32
	count  uint8 // of a hotFull account: 0
	passed uint8 // of pass: positions multiplied, 0 = always looked at
	shape  uint8 // kind, and step in the upper four bits
	told   uint8 // status last told, and toldAwake; derived data, not hashed
}

func (h *hotAccount) kind() hotKind { return hotKind(h.shape & 15) }

// step is a leverage floor: no position asks more than 1/step of its notional.
func (h *hotAccount) step() uint64 { return uint64(h.shape >> 4) }

// refreshHot derives an account's hot columns after it changed, and wakes it.
func (m *Machine) refreshHot(slot uint32) {
	m.wake(slot / m.cfg.Shards)
	m.deriveHot(slot)
}

func (m *Machine) deriveHot(slot uint32) {
	local := slot / m.cfg.Shards
	a := &m.accounts[local]
	h := &m.hot[local]
	*h = hotAccount{start: a.positions.start, told: h.told}
	if a.orderCount > 0 || a.flags&accountUnvalued != 0 {
		h.shape, h.low = uint8(hotFull)|10<<4, needUnmet
		m.lent[local], m.fixedE12[local] = 0, i128{}
		return
	}
	kind, fixed := m.hotCash(a)
	open, step := 0, uint16(10)
	if a.positions.count > hotPositionsMax {
		kind = hotFull // sums of the pass would not fit 64 bits
	}
	var cum i128
	for i := int(h.start); i < int(h.start)+int(a.positions.count); i++ {
		size := m.positions.size[i]
		if size == 0 {
			continue
		}
		open++
		key := m.positions.perp[i]
		if m.hotPerps[key&(PerpsMax-1)].dex != 0 {
			kind = hotFull
		}
		if key&isolatedBit != 0 {
			continue // judged by itself
		}
		cum = cum.Add(fixedpoint.Mul64(size, m.positions.terms[i].cumE12))
		step = min(step, m.positions.leverage(i))
	}
	if open == 0 && !m.owesAnything(a) {
		kind = hotIdle
	}
	m.lent[local] = 0
	if kind == hotLend {
		m.lent[local], _ = m.balances.items[a.balances.start].lend.Int64()
	}
	h.shape, m.fixedE12[local] = uint8(kind)|uint8(step)<<4, i128{}
	if m.dexes[0].isListed && (kind == hotStandard || kind == hotUnified || kind == hotLend) {
		h.count, m.fixedE12[local] = uint8(a.positions.count), mustFit(fixed.MulInt64(m.dexSubUnit(0))).Add(cum)
	}
	m.deriveNeed(local)
}

// hotCash returns the kind an account's balances allow, and the cash that counts as
// equity of its cross book; of a hotLend account that is the dex's alone.
func (m *Machine) hotCash(a *account) (hotKind, i128) {
	fixed := a.raw
	if a.mode == ModePortfolio {
		return m.lendKind(a), fixed
	}
	kind := hotStandard
	if a.mode == ModeUnified {
		kind = hotUnified
	}
	for _, b := range m.balances.of(&a.balances) {
		switch {
		case b.key&dexBit != 0 || b.lend.Sign() < 0:
			kind = hotFull
		case uint32(b.key) == m.dexes[0].collateral && a.mode == ModeUnified:
			fixed = fixed.Add(b.cash)
			if !b.lend.IsZero() {
				kind = hotFull
			}
		}
	}
	return kind, fixed
}

// lendKind tells whether a portfolio account is its numeraire, all of it lent or owed, and
// at most collateral beside it: idle cash, a second debt or dex take the full evaluation.
func (m *Machine) lendKind(a *account) hotKind {
	items := m.balances.of(&a.balances)
	q := m.numeraire
	if len(items) == 0 || uint32(items[0].key) != q || m.dexes[0].collateral != q || m.tokens[q].pool < 0 {
		return hotFull
	}
	if _, fits := items[0].lend.Int64(); !fits || !items[0].cash.IsZero() {
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

// hotFigures are one account's figures from its hot columns: exact equity of the cross
// book at 1e-12, its gross notional and maintenance margin in units, and what its isolated
// positions come to.
type hotFigures struct {
	equityE12   i128
	notional    uint64
	maintenance uint64
	isFast      bool // no position is beyond the fast bounds
	isolated    status
	isoNotional uint64
	isoEquity   i128 // units
}

// hotMargin computes an account's hot figures; maintenance rounds up per position.
func (m *Machine) hotMargin(local uint32) (f hotFigures) {
	h := &m.hot[local]
	sizes := m.positions.size[h.start:][:h.count]
	keys := m.positions.perp[h.start:][:len(sizes)]
	table := (*[PerpsMax]hotPerp)(m.hotPerps)
	equity, isFast := m.fixedE12[local], len(sizes) <= hotPositionsMax
	var notional, maintenance uint64
	for i, size := range sizes {
		p := &table[keys[i]&(PerpsMax-1)]
		n, ok := p.notional(size)
		isFast = isFast && ok
		if keys[i]&isolatedBit != 0 {
			m.addIsolated(&f, int(h.start)+i, p, n)
			continue
		}
		equity = equity.Add(fixedpoint.Mul64(size, p.valueE12))
		notional += n
		maintenance += p.maintenanceFast(n)
	}
	f.equityE12, f.notional, f.maintenance, f.isFast = equity, notional, maintenance, isFast
	return f
}

// addIsolated judges isolated position i of notional n by its own equity.
func (m *Machine) addIsolated(f *hotFigures, i int, p *hotPerp, n uint64) {
	size, t := m.positions.size[i], &m.positions.terms[i]
	if size == 0 {
		return
	}
	value := fixedpoint.Mul64(size, p.valueE12).Add(fixedpoint.Mul64(size, t.cumE12)).DivFloor(m.sweepSubUnit)
	equity, mm := value.Add(fixedpoint.I128(t.raw)), units128(p.maintenanceFast(n))
	f.isoEquity, f.isoNotional = f.isoEquity.Add(equity), f.isoNotional+n
	f.isolated = f.isolated.or(isolatedStatus(equity, mm))
}

// hotInitial returns Σ initial margin of an account whose hot figures are fast, rounded up
// per position, each at least a tenth of notional when isFloored.
func (m *Machine) hotInitial(h *hotAccount, isFloored bool) (sum uint64) {
	table := (*[PerpsMax]hotPerp)(m.hotPerps)
	for i := h.start; i < h.start+uint32(h.count); i++ {
		if m.positions.perp[i]&isolatedBit != 0 {
			continue
		}
		leverage := uint64(m.positions.lever[i] &^ leverageSet)
		if isFloored {
			leverage = min(leverage, 10)
		}
		n, _ := table[m.positions.perp[i]&(PerpsMax-1)].notional(m.positions.size[i])
		sum += (n + leverage - 1) / leverage
	}
	return sum
}

// bound returns an upper bound, in units, of any initial requirement the account has.
func (h *hotAccount) bound(f *hotFigures) uint64 {
	return f.notional/h.step() + uint64(h.count) + 1
}

// standingSimple returns the status of a standard or unified account of the main dex, exactly.
func (m *Machine) standingSimple(h *hotAccount, f *hotFigures) status {
	equity := f.equityE12.DivFloor(m.sweepSubUnit)
	if f.isolated == 0 && f.maintenance > 0 && equity.Hi >= 0 && !equity.Less(units128(max(h.bound(f), f.maintenance))) {
		return status(HealthHealthy)
	}
	initial := m.hotInitial(h, h.kind() == hotUnified)
	return f.isolated.or(crossStanding(equity, units128(f.maintenance), equity.Sub(units128(initial))))
}

// scaleE12 returns units x factor.
func scaleE12(units, factor uint64) i128 {
	hi, lo := bits.Mul64(units, factor)
	return i128{Hi: int64(hi), Lo: lo}
}

// lendValue returns supply - debt of a hotLend account, from its own hot column: the
// account and its balance are other lines, and two misses are what such a pass would cost.
func (m *Machine) lendValue(local uint32) i128 {
	p := &m.pools[m.tokens[m.numeraire].pool]
	lend := fixedpoint.I128(m.lent[local])
	if lend.Sign() < 0 {
		return mustFit(p.debtIndex.ValueCeil(lend.Neg())).Neg()
	}
	return mustFit(p.supplyIndex.ValueFloor(lend))
}

// isSafeLend reports that a portfolio account of kind hotLend is healthy: net balance and
// capacity cover any requirement it can have, the ratio is below its trigger, and the
// dex's own equity covers its maintenance margin, or margin sharing has work to do.
// Collateral is valued only when the net balance alone does not do.
func (m *Machine) isSafeLend(h *hotAccount, f *hotFigures, local uint32, net i128) bool {
	mm := units128(f.maintenance)
	isShort := f.equityE12.Less(scaleE12(f.maintenance, uint64(m.sweepSubUnit)))
	if !f.isFast || f.notional == 0 || f.isolated.health() > HealthHealthy || isShort {
		return false
	}
	bound := units128(max(h.bound(f), 2*f.maintenance)) // a listing may have lowered leverages since
	if !net.Less(bound) {
		return m.coversOffset(net, mm)
	}
	a := &m.accounts[local]
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

// standingLend returns the status of a portfolio account that only lends, exactly, when no dex
// of it has to borrow; false when that takes the full evaluation.
func (m *Machine) standingLend(h *hotAccount, f *hotFigures, local uint32, net i128) (status, bool) {
	isShort := f.equityE12.Less(scaleE12(f.maintenance, uint64(m.sweepSubUnit)))
	if !f.isFast || isShort || f.isolated != 0 || m.params.OffsetMode != OffsetNone || m.lent[local] < 0 ||
		m.accounts[local].balances.count != 1 {
		return 0, false
	}
	t := tokenFigures{N: net, MM: units128(f.maintenance), requirement: units128(m.hotInitial(h, true))}
	return t.standing(OffsetNone, i128{}), true
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

// openPass notes what a pass over all accounts needs of the main dex.
func (m *Machine) openPass() {
	m.sweepSubUnit = 1
	if m.dexes[0].isListed {
		m.sweepSubUnit = m.dexSubUnit(0)
	}
}

// passTerms are the listings that hot columns depend on.
type passTerms struct {
	numeraire  uint32
	collateral uint32 // of the main dex
	pool       int16  // of the numeraire
	isListed   bool   // the main dex is
}

// relisted derives all hot columns anew after a listing that changed what they depend on.
func (m *Machine) relisted(reason Reason) Reason {
	m.linkFeeds()
	m.isRepriceDue = true
	now := passTerms{
		numeraire: m.numeraire, collateral: m.dexes[0].collateral, pool: m.tokens[m.numeraire].pool, isListed: m.dexes[0].isListed,
	}
	if now == m.passTerms {
		return reason
	}
	m.passTerms = now
	for local := range m.accounts {
		if m.accounts[local].flags&accountOpen != 0 {
			m.refreshHot(uint32(local)*m.cfg.Shards + m.cfg.Shard)
		}
	}
	return reason
}
