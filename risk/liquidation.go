package risk

import "plimsoll/fixedpoint"

// liquidation is an account on its way out: from the moment it passes its line until it is
// safe again. It is state: hashed and captured with its account.
type liquidation struct {
	account   uint32
	number    uint64 // the Seq at which it began: what its orders and fills are known by
	sinceMs   int64  // when that was
	partialMs int64  // when an order for a part of a position was last sent, 0 = never
	stepMs    int64  // when collateral was last taken, 0 = never
	nextMs    int64  // when it is due again, if nothing changes before
	decidedAs status // the status it was last decided under
	isTold    bool   // liquidation_started is out
	isOver    bool   // kept for its times alone: see lastsUntil
}

// Liquidation as documented (spec 1.5, 2.6): orders for a fifth of a position above 100,000
// US dollars unless such a part was sent within 30 seconds; collateral in steps of a fifth
// every 3 seconds. A round of orders that brought nothing is repeated.
const (
	liquidationPartAbove = 100_000 // US dollars of notional
	liquidationPart      = 5       // a position is closed by one part in so many
	liquidationWholeMs   = 30_000
	liquidationStepMs    = 3_000
	liquidationRoundMs   = 1_000
	liquidationStepShare = 5 // one part of the collateral in so many
)

// isLiquidatable reports that a status is past the line where liquidation begins.
func (s status) isLiquidatable() bool { return s.health() >= HealthLiquidatable }

// lastsUntil returns when a liquidation that is over can be forgotten: until then what comes
// next on the account is for whole positions, and takes no collateral too soon.
func (l *liquidation) lastsUntil() (untilMs int64) {
	if l.partialMs > 0 {
		untilMs = l.partialMs + liquidationWholeMs
	}
	if l.stepMs > 0 {
		untilMs = max(untilMs, l.stepMs+liquidationStepMs)
	}
	return untilMs
}

// liquidationOf returns an account's liquidation under way, or nil.
func (m *Machine) liquidationOf(a *account) *liquidation {
	if l := m.recordOf(a); l != nil && !l.isOver {
		return l
	}
	return nil
}

// recordOf returns what is kept of an account's liquidation, over or not, or nil.
func (m *Machine) recordOf(a *account) *liquidation {
	if a.liquidation == 0 {
		return nil
	}
	return &m.liquidations[a.liquidation-1]
}

// watch begins or ends an account's liquidation by a status just found. It comes after touch.
// The liquidator's own account is not liquidated; but what it cannot bear is covered as anybody's
// loss, for what it has taken over gets no special treatment (spec 2.7).
func (m *Machine) watch(slot uint32, s status) {
	a := &m.accounts[slot/m.cfg.Shards]
	isDue := s.isLiquidatable() && !m.params.NoLiquidation && (slot != m.params.BackstopAccount || s&statusNegative != 0)
	if isDue == (m.liquidationOf(a) != nil) || isDue && m.isScratch {
		return
	}
	m.touch(slot)
	if !isDue {
		m.endLiquidation(slot, a, s)
		return
	}
	l := m.recordOf(a)
	if l == nil {
		m.liquidations = append(m.liquidations, liquidation{})
		a.liquidation = uint32(len(m.liquidations))
		a.flags |= accountLiquidating
		l = m.recordOf(a)
	}
	*l = liquidation{account: slot, number: m.seq, sinceMs: m.timeMs, partialMs: l.partialMs, stepMs: l.stepMs}
}

// watchAll begins and ends liquidations after a change of what is liquidated at all.
func (m *Machine) watchAll() {
	for local := range m.hot {
		if h := &m.hot[local]; h.kind() != hotNone {
			m.watch(uint32(local)*m.cfg.Shards+m.cfg.Shard, h.status())
		}
	}
}

// endLiquidation ends an account's liquidation, and tells it if its beginning was told.
func (m *Machine) endLiquidation(slot uint32, a *account, s status) {
	l := m.recordOf(a)
	if l.isTold {
		m.emit(Event{
			Kind: EventLiquidationEnded, Phase: phaseEnded, Rank: uint64(slot), Account: slot, Market: NoSlot, Token: NoSlot,
			OrderLo: l.number, OrderForm: FormUint, From: m.hot[slot/m.cfg.Shards].health(), To: s.health(),
		})
	}
	if l.lastsUntil() > m.timeMs {
		*l = liquidation{account: slot, isOver: true, partialMs: l.partialMs, stepMs: l.stepMs}
		return
	}
	m.forget(a)
}

// forget drops what is kept of an account's liquidation; another record takes its place.
func (m *Machine) forget(a *account) {
	at, last := int(a.liquidation-1), len(m.liquidations)-1
	if at != last {
		m.liquidations[at] = m.liquidations[last]
		m.accounts[m.liquidations[at].account/m.cfg.Shards].liquidation = a.liquidation
	}
	m.liquidations = m.liquidations[:last]
	a.liquidation = 0
	a.flags &^= accountLiquidating
}

// appendDue appends a request for each account of this shard whose liquidation is due: new,
// under another status than it was last decided under, or by time. Its ratio ranks it. What is
// over and has lasted is forgotten.
func (m *Machine) appendDue(dst []Request) []Request {
	if m.isScratch {
		return dst
	}
	for i := 0; i < len(m.liquidations); i++ {
		l := &m.liquidations[i]
		a := &m.accounts[l.account/m.cfg.Shards]
		switch {
		case l.isOver && l.lastsUntil() <= m.timeMs:
			m.touch(l.account)
			m.forget(a)
			i--
		case l.isOver || l.nextMs != 0 && m.timeMs < l.nextMs && l.decidedAs == m.hot[l.account/m.cfg.Shards].status():
		default:
			f := m.evaluate(a)
			r := Request{Kind: RequestDue, Account: l.account, Out: m.accountRatio(a, f)}
			if m.params.BackstopLimitE8 != 0 {
				r.In = m.atStake(a, m.statusOf(a, f))
			}
			dst = append(dst, r)
		}
	}
	if slot := m.params.BackstopAccount; m.accountAt(slot) != nil && m.hot[slot/m.cfg.Shards].status().isLiquidatable() {
		dst = append(dst, Request{Kind: RequestDue, Account: slot, Token: isExhausted})
	}
	return dst
}

// isExhausted marks the request that says of the liquidator that it is past a line of its own:
// until it is not, it takes nothing over.
const isExhausted = 1

// isUnderWay reports whether a number is that of an account's liquidation under way, or of its sale.
func (m *Machine) isUnderWay(a *account, number uint64) bool {
	l, s := m.liquidationOf(a), m.saleOf(a)
	return l != nil && l.number == number || s != nil && s.number == number
}

// filled notes a fill that a liquidation asked for: it is due again at once. A sale is not.
func (m *Machine) filled(a *account, number uint64) {
	if l := m.liquidationOf(a); l != nil && l.number == number {
		l.nextMs = 0
	}
}

// usd returns an amount of whole US dollars in units of a token.
func (m *Machine) usd(dollars int64, q uint32) i128 {
	return mustFit(fixedpoint.I128(dollars).MulPow10(m.tokens[q].wei))
}
