package risk

import "plimsoll/fixedpoint"

// liquidation is an account on its way out: from the moment it passes its line until it is
// safe again. It is state: hashed and captured with its account.
type liquidation struct {
	account   uint32
	number    uint64 // the Seq at which it began: what its orders and fills are known by
	partialMs int64  // when an order for a part of a position was last sent, 0 = never
	stepMs    int64  // when collateral was last taken, 0 = never
	nextMs    int64  // when it is due again, if nothing changes before
	decidedAs status // the status it was last decided under
	isTold    bool   // liquidation_started is out
}

// Liquidation as documented (spec 1.5, 2.6): orders for a fifth of a position above 100,000
// US dollars unless such a part was sent within 30 seconds; collateral in steps of a fifth
// every 3 seconds. A round of orders that brought nothing is repeated.
const (
	liquidationPartAbove  = 100_000 // US dollars of notional
	liquidationPart       = 5       // a position is closed by one part in so many
	liquidationWholeMs    = 30_000
	liquidationStepMs     = 3_000
	liquidationRoundMs    = 1_000
	liquidationStepShare  = 5 // one part of the collateral in so many
	liquidationAccountsOf = 1 << 20
)

// isLiquidatable reports that a status is past the line where liquidation begins.
func (s status) isLiquidatable() bool { return s.health() >= HealthLiquidatable }

// liquidationOf returns an account's liquidation, or nil.
func (m *Machine) liquidationOf(a *account) *liquidation {
	if a.liquidation == 0 {
		return nil
	}
	return &m.liquidations[a.liquidation-1]
}

// watch begins or ends an account's liquidation by a status just found. It comes after touch.
func (m *Machine) watch(slot uint32, s status) {
	a := &m.accounts[slot/m.cfg.Shards]
	switch isDue := s.isLiquidatable() && slot != m.params.BackstopAccount && !m.params.NoLiquidation; {
	case isDue && a.liquidation == 0 && !m.isScratch:
		m.touch(slot)
		m.liquidations = append(m.liquidations, liquidation{account: slot, number: m.seq})
		a.liquidation = uint32(len(m.liquidations))
		a.flags |= accountLiquidating
	case !isDue && a.liquidation != 0:
		m.touch(slot)
		m.endLiquidation(slot, a, s)
	}
}

// watchAll begins and ends liquidations after a change of what is liquidated at all.
func (m *Machine) watchAll() {
	for local := range m.hot {
		if h := &m.hot[local]; h.kind() != hotNone {
			m.watch(uint32(local)*m.cfg.Shards+m.cfg.Shard, h.status())
		}
	}
}

// endLiquidation forgets an account's liquidation, and tells it if its beginning was told.
func (m *Machine) endLiquidation(slot uint32, a *account, s status) {
	l := m.liquidationOf(a)
	if l.isTold {
		m.emit(Event{
			Kind: EventLiquidationEnded, Phase: phaseEnded, Rank: uint64(slot), Account: slot, Market: NoSlot, Token: NoSlot,
			OrderLo: l.number, OrderForm: FormUint, From: m.hot[slot/m.cfg.Shards].health(), To: s.health(),
		})
	}
	last := len(m.liquidations) - 1
	moved := m.liquidations[last]
	*l = moved
	m.liquidations = m.liquidations[:last]
	if moved.account != slot {
		m.accounts[moved.account/m.cfg.Shards].liquidation = a.liquidation
	}
	a.liquidation = 0
	a.flags &^= accountLiquidating
}

// appendDue appends a request for each account of this shard whose liquidation is due: new,
// under another status than it was last decided under, or by time. Its ratio ranks it.
func (m *Machine) appendDue(dst []Request) []Request {
	if m.isScratch {
		return dst
	}
	for i := range m.liquidations {
		l := &m.liquidations[i]
		if l.nextMs != 0 && m.timeMs < l.nextMs && l.decidedAs == m.hot[l.account/m.cfg.Shards].status() {
			continue
		}
		a := &m.accounts[l.account/m.cfg.Shards]
		dst = append(dst, Request{Kind: RequestDue, Account: l.account, Out: m.accountRatio(a, m.evaluate(a))})
	}
	return dst
}

// filled notes a fill that a liquidation asked for: it is due again at once.
func (m *Machine) filled(a *account, number uint64) (isKnown bool) {
	l := m.liquidationOf(a)
	if l == nil || l.number != number {
		return false
	}
	l.nextMs = 0
	return true
}

// markOf returns the price at which a position is worth what it is worth.
func (p *perp) markOf() int64 { return p.mark }

// isStaleFor reports that an account must not be liquidated: a price that its figures read is
// missing or stale (spec 2.8), so what it is worth is not known.
func (m *Machine) isStaleFor(a *account) bool {
	for i := a.positions.start; i < a.positions.start+uint32(a.positions.count); i++ {
		if m.positions.size[i] == 0 {
			continue
		}
		if m.priceUsable(&m.perps[m.positions.perp[i]&^isolatedBit]) != ReasonNone {
			return true
		}
	}
	for _, b := range m.balances.of(&a.balances) {
		if b.key&dexBit == 0 && !b.lend.IsZero() && m.tokens[b.key].oracleE10 == 0 {
			return true
		}
	}
	return false
}

// usd returns an amount of whole US dollars in units of a token.
func (m *Machine) usd(dollars int64, q uint32) i128 {
	return mustFit(fixedpoint.I128(dollars).MulPow10(m.tokens[q].wei))
}
