package engine

import (
	"fmt"

	"plimsoll/fixedpoint"
	"plimsoll/risk"
)

// fakeMachine is a second machine behind the shards' interface, built to break the
// pipeline rather than to model a venue: all of its plans are frequent, its grants depend
// on their order, its pools sit at their caps, and it panics when it is misused.
//
//	deposit   local; changes the pool's cash, tells Num[1] events
//	repay     local; changes the pool's debt
//	borrow    totals; refused beyond the pool's cap over all shards
//	clock     totals on every shard; folds the totals into replicated state
//	transfer  joint; two accounts, possibly on two shards, each asks for credit
//	prices    joint; a third of all accounts ask for credit
//	recheck   local; tells one account, if it was not told
type fakeMachine struct {
	shard, shards uint32
	accounts      []fakeAccount // by slot / shards
	pools         int
	own, foreign  []risk.Totals
	isSet         []bool   // foreign totals set for the group under way
	folded        []uint64 // replicated: by pool, all totals that clocks have seen
	seq           uint64
	events        []risk.Event
	changed       []uint16
	requests      []risk.Request
	quotes        *risk.Quotes
	verdict       risk.Verdict
	fakeCapture
	fakeBands
}

type fakeAccount struct {
	cash, debt [fakePools]int64
	isWanted   bool // by the capture under way
}

func (a *fakeAccount) isEmpty() bool {
	return a.cash == [fakePools]int64{} && a.debt == [fakePools]int64{}
}

const (
	fakePools = 3
	fakeCap   = 40 // debt of one pool over all shards
)

func newFake(shard, shards, accounts int) *fakeMachine {
	return &fakeMachine{
		fakeBands: fakeBands{told: make([]bool, accounts/shards+1), awake: make([]bool, accounts/shards+1)},
		shard:     uint32(shard), shards: uint32(shards), accounts: make([]fakeAccount, accounts/shards+1),
		own: make([]risk.Totals, fakePools), foreign: make([]risk.Totals, fakePools),
		isSet: make([]bool, fakePools), folded: make([]uint64, fakePools),
	}
}

func (m *fakeMachine) owns(slot uint32) bool { return slot%m.shards == m.shard }

func (m *fakeMachine) account(slot uint32) *fakeAccount {
	if !m.owns(slot) || slot/m.shards >= uint32(len(m.accounts)) {
		return nil
	}
	return &m.accounts[slot/m.shards]
}

func (m *fakeMachine) Plan(group []risk.Command) risk.Plan {
	c := &group[0]
	switch c.Kind { //nolint:exhaustive // the rest decides alone
	case risk.KindClock:
		return risk.PlanTotals
	case risk.KindBorrow:
		if m.owns(c.Account()) {
			return risk.PlanTotals
		}
	case risk.KindTransfer, risk.KindPrices:
		return risk.PlanJoint
	}
	return risk.PlanLocal
}

func (m *fakeMachine) PoolCount() int                  { return m.pools }
func (m *fakeMachine) OwnTotals(pool int) risk.Totals  { return m.own[pool] }
func (m *fakeMachine) ChangedPools() []uint16          { return m.changed }
func (m *fakeMachine) Events() []risk.Event            { return m.events }
func (m *fakeMachine) SetForeign(p int, t risk.Totals) { m.foreign[p], m.isSet[p] = t, true }

func (m *fakeMachine) begin(group []risk.Command, needsForeign bool) {
	c := &group[0]
	if c.Seq != m.seq+1 {
		panic(fmt.Sprintf("fake: seq %d follows %d", c.Seq, m.seq))
	}
	for i := range group {
		if group[i].Seq != c.Seq || int(group[i].GroupLeft) != len(group)-1-i {
			panic("fake: torn group")
		}
	}
	for i := range m.pools {
		if needsForeign && m.shards > 1 && !m.isSet[i] {
			panic("fake: decides without foreign totals")
		}
		m.isSet[i] = false
	}
	m.seq, m.isOpen = c.Seq, true
	m.events, m.changed, m.touched = m.events[:0], m.changed[:0], m.touched[:0]
}

func (m *fakeMachine) debt(pool int) int64 {
	v, ok := m.own[pool].Debt.Add(m.foreign[pool].Debt).Int64()
	if !ok || v < 0 || v > fakeCap {
		panic(fmt.Sprintf("fake: pool %d owes %d of %d", pool, v, fakeCap))
	}
	return v
}

func (m *fakeMachine) lend(a *fakeAccount, pool int, v int64) {
	m.touchAccount(a)
	a.debt[pool] += v
	m.own[pool].Debt = m.own[pool].Debt.Add(fixedpoint.I128(v))
	m.touch(pool)
}

func (m *fakeMachine) pay(a *fakeAccount, pool int, v int64) {
	m.touchAccount(a)
	a.cash[pool] += v
	m.own[pool].Cash = m.own[pool].Cash.Add(fixedpoint.I128(v))
	m.touch(pool)
}

func (m *fakeMachine) touch(pool int) {
	for _, p := range m.changed {
		if int(p) == pool {
			return
		}
	}
	m.changed = append(m.changed, uint16(pool))
}

// tell adds public events; they come after the answer and in order.
func (m *fakeMachine) tell(rank uint32, phase uint8, count int64, amount int64) {
	for i := range count {
		m.events = append(m.events, risk.Event{
			Seq: m.seq, Kind: risk.EventBorrowed, Phase: phase, Rank: uint64(rank), N: uint32(i), Amount: fixedpoint.I128(amount),
		})
	}
}

// answer ends a group: health comes last, the answer first.
func (m *fakeMachine) answer(c *risk.Command, reason risk.Reason, required, available int64) {
	m.tellHealth(c)
	m.isOpen = false
	isOurs := m.shard == 0
	if fakeHasAccount(c.Kind) && c.Account() != risk.NoAccount {
		isOurs = m.owns(c.Account())
	}
	if isOurs {
		m.events = append(m.events, risk.Event{})
		copy(m.events[1:], m.events)
		m.events[0] = risk.Event{
			Seq: m.seq, TimeMs: c.TimeMs, Kind: risk.EventResult, Ticket: c.Ticket, Reason: reason, Flags: risk.EventHasAmounts,
			Amount: fixedpoint.I128(required), Amount2: fixedpoint.I128(available),
		}
	}
}

func fakeHasAccount(k risk.Kind) bool {
	return k != risk.KindClock && k != risk.KindPrices && k != risk.KindListToken
}

func (m *fakeMachine) Apply(group []risk.Command) {
	c := &group[0]
	m.begin(group, m.Plan(group) == risk.PlanTotals)
	pool := int(c.Token())
	a := m.account(c.Account())
	reason, available := risk.ReasonNone, int64(0)
	switch {
	case c.Kind == risk.KindListToken:
		m.pools = min(m.pools+1, fakePools)
	case c.Kind == risk.KindClock:
		for p := range m.pools {
			all := m.own[p].Add(m.foreign[p])
			m.folded[p] = m.folded[p]*31 + all.Debt.Lo*7 + all.Cash.Lo
			if m.shard == 0 {
				m.tell(0, 1, 1, int64(m.folded[p]&0xFFFF))
				m.events[len(m.events)-1].N = uint32(p)
			}
		}
	case c.Account() == risk.NoAccount:
		reason = risk.ReasonUnknownAccount
	case a == nil, c.Kind == risk.KindRecheck:
	case pool >= m.pools:
		reason = risk.ReasonUnknownToken
	case c.Kind == risk.KindDeposit:
		m.pay(a, pool, c.Num[0])
		m.tell(c.Account(), 2, c.Num[1], a.cash[pool])
	case c.Kind == risk.KindRepay:
		m.lend(a, pool, -min(a.debt[pool], c.Num[0]))
	case c.Kind == risk.KindBorrow:
		if available = fakeCap - m.debt(pool); c.Num[0] > available {
			reason = risk.ReasonBorrowCap
			break
		}
		m.lend(a, pool, c.Num[0])
		m.tell(c.Account(), 3, 1, a.debt[pool])
	}
	m.answer(c, reason, c.Num[0], available)
}

func (m *fakeMachine) Verdict(group []risk.Command) risk.Verdict {
	c := &group[0]
	m.begin(group, true)
	m.verdict = risk.Verdict{}
	if c.Kind == risk.KindTransfer {
		pool := int(c.Token())
		from, to := m.account(c.Account()), m.account(c.Other())
		switch {
		case c.Account() == risk.NoAccount || c.Other() == risk.NoAccount:
			m.verdict.Reason = risk.ReasonUnknownAccount
		case pool >= m.pools:
			m.verdict.Reason = risk.ReasonUnknownToken
		case to != nil && to.debt[pool] > 12:
			m.verdict.Reason = risk.ReasonAccountHalted
		case from != nil && from.cash[pool] < c.Num[0]:
			m.verdict = risk.Verdict{Reason: risk.ReasonInsufficientBalance, Available: fixedpoint.I128(from.cash[pool])}
		}
	}
	return m.verdict
}

func (m *fakeMachine) Prepare(group []risk.Command, v risk.Verdict) []risk.Request {
	c := &group[0]
	m.requests, m.verdict = m.requests[:0], v
	switch {
	case v.Reason != risk.ReasonNone:
	case c.Kind == risk.KindTransfer:
		if a := m.account(c.Account()); a != nil {
			m.pay(a, int(c.Token()), -c.Num[0])
			m.ask(0, c.Account(), c.Token(), c.Num[0])
		}
		if a := m.account(c.Other()); a != nil {
			m.pay(a, int(c.Token()), c.Num[0])
			m.ask(1, c.Other(), c.Token(), c.Num[0]/2)
		}
	default:
		for i := range m.accounts {
			for p := range m.pools {
				slot := uint32(i)*m.shards + m.shard
				if cash := m.accounts[i].cash[p]; cash > 0 && (cash+c.Num[0]+int64(slot))%3 == 0 {
					m.ask(uint32(cash%5), slot, uint32(p), 1+cash%7)
				}
			}
		}
	}
	return m.requests
}

func (m *fakeMachine) ask(rank, slot, pool uint32, want int64) {
	m.requests = append(m.requests, risk.Request{Rank: rank, Account: slot, Token: pool, Out: fixedpoint.I128(want)})
}

func (m *fakeMachine) Finish(group []risk.Command, requests []risk.Request) (next []risk.Request, isMore bool) {
	c := &group[0]
	clear(m.requests) // as the real one's, the slice of Prepare ends with the next call
	var left, granted [fakePools]int64
	for p := range m.pools {
		before := m.own[p].Debt.Add(m.foreign[p].Debt)
		v, _ := before.Int64()
		left[p] = fakeCap - v
	}
	for i := range requests {
		r := &requests[i]
		if i > 0 && risk.CompareRequests(requests[i-1], *r) >= 0 {
			panic("fake: requests out of order")
		}
		want, _ := r.Out.Int64()
		grant := min(left[r.Token], want)
		left[r.Token] -= grant
		granted[r.Token] += grant
		if a := m.account(r.Account); a != nil && grant > 0 {
			m.lend(a, int(r.Token), grant)
			m.events = append(m.events, risk.Event{
				Seq: m.seq, Kind: risk.EventBorrowed, Phase: 3, Rank: uint64(r.Rank)<<32 | uint64(r.Account), N: r.Token,
				Amount: fixedpoint.I128(grant), Amount2: fixedpoint.I128(left[r.Token]),
			})
		}
	}
	m.answer(c, m.verdict.Reason, granted[0], 0)
	return nil, false
}

func (m *fakeMachine) StateHash() fixedpoint.Hash128 {
	var sum fixedpoint.Hash128
	for i := range m.accounts {
		if a := &m.accounts[i]; !a.isEmpty() {
			mix := fixedpoint.NewMixer(1)
			mix.U64(uint64(i)*uint64(m.shards) + uint64(m.shard))
			for p := range fakePools {
				mix.U64(uint64(a.cash[p]))
				mix.U64(uint64(a.debt[p]))
			}
			sum = sum.Add(mix.Sum())
		}
	}
	if m.shard == 0 {
		mix := fixedpoint.NewMixer(2)
		mix.U64(uint64(m.pools))
		for _, f := range m.folded {
			mix.U64(f)
		}
		sum = sum.Add(mix.Sum())
	}
	return sum
}

func (m *fakeMachine) Prefetch([]uint32) {}

func (m *fakeMachine) Quotes() *risk.Quotes { return m.quotes }
