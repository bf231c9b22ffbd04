package risk

import (
	"slices"

	"plimsoll/internal/invariant"
)

// Phases order the events of one Seq; account slots order them within a phase.
const (
	phaseResult      = 0
	phaseGlobal      = 1 // without an account, emitted once
	phaseOrders      = 2
	phaseLending     = 3
	phaseHealth      = 4
	phaseLiquidation = 6  // by place in the order of liquidation
	phaseADL         = 7  // by place in the order of allocation
	phaseAfter       = 5  // added to lending and health where they follow from liquidation
	phaseEnded       = 10 // liquidations that are over; by account
	phaseSale        = 11 // what the liquidator sells
)

// eventsAtFirst is for how many events of a group there is room from the start.
const eventsAtFirst = 16

// ledger is what this shard moved of a token outside accounts and pools: with them it
// adds up to what came in (ruling 14).
type ledger struct {
	external i128 // deposits less withdrawals
	fees     i128
	clearing i128 // the opposite of Σ positions, over the token's markets
}

// Machine is one shard's deterministic state: the same groups in, the same events and the
// same state hash out. It is not safe for concurrent use and reads no clock.
type Machine struct {
	cfg          Config
	seq          uint64
	timeMs       int64
	haltAll      bool
	params       Parameters
	numeraire    uint32
	tokenCount   uint32
	perpCount    uint32
	spotCount    uint32
	accountCount uint32

	tokens   []token
	perps    []perp
	hotPerps []hotPerp
	spots    []spot
	dexes    []dex

	accounts  []account
	hot       []hotAccount
	lent      []int64  // scaled supply or debt of the numeraire, of hotLend accounts
	fixedE12  []i128   // cash that counts as equity, plus funding already settled, at 1e-12
	opened    []uint64 // bit per account slot of all shards
	positions positionSlab
	balances  slab[balance]
	orders    orderBook

	pools    []pool
	own      []Totals
	foreign  []Totals
	base     []Totals   // totals of all shards before a joint group
	sums     []poolSums // of a joint group: what is granted moves them
	ledgers  []ledger   // by token
	clients  []string   // by number, "" = none
	track    tracker
	counting counting

	isScratch    bool          // what-if: no liquidation begins or goes on
	liquidations []liquidation // under way, in no order; accounts know their place
	sale         sale          // of the liquidator, where it lives on this shard
	round        int           // of a joint group
	isExhausted  bool          // of the liquidator, in this Seq: past a line of its own
	askBuf       []Request
	heldBuf      []held
	bookBuf      []book
	takenBuf     []seizure
	owedBuf      []owing
	deficits     []deficit
	needs        []need
	shares       []share
	ranking      []Request // scratch: the merged list of a round, in another order
	broken       []uint32  // accounts of deficits, sorted
	queues       []queue   // by market and side, while legs are allocated
	queued       []uint32  // which of those are in use, sorted
	rankBuf      []rankedHolder
	rankOf       ranking

	events       []Event
	eventSpare   []Event // scratch of sortEvents
	changed      []uint16
	changedBits  uint64
	answer       Event
	fig          figures
	wishBuf      []Request
	grantBuf     [wishesMax]grant // of askPools
	joined       []uint32         // accounts of this shard that a joint group touched
	sweptE12     i128             // running equity of a sweep's simple accounts
	sweepSubUnit int64
	passTerms    passTerms // what the hot columns were derived with
	pass         pass
	bands        bands
	corner       corner
	firstFed     [PerpsMax]uint32 // first token whose borrow oracle price a perp enters, plus one
	isRepriceDue bool             // listings changed: the next tick derives all oracle prices
	isTick       bool             // the group is a price tick
	movedPrices  []movedPrice     // by the tick under way
	staleCount   int              // prices told to be stale
	past         past             // derived: see rates.go
	isRestoring  bool             // between RestoreShared and FinishRestore
	noBalance    balance          // scratch: a token that an account does not hold
}

// New returns an empty machine for one shard. It panics on a Config that cannot be, as a
// programmer's error.
func New(cfg Config) *Machine {
	if cfg.Shards == 0 || cfg.Shard >= cfg.Shards || cfg.AccountsMax == 0 || cfg.AccountsMax > 1<<30 {
		panic("risk: BUG: config out of range")
	}
	mine := (cfg.AccountsMax + cfg.Shards - 1) / cfg.Shards
	return &Machine{
		cfg: cfg, params: DefaultParameters(),
		tokens: make([]token, TokensMax), perps: make([]perp, PerpsMax), hotPerps: make([]hotPerp, PerpsMax),
		spots: make([]spot, SpotsMax), dexes: make([]dex, DexesMax),
		accounts: make([]account, mine), hot: make([]hotAccount, mine),
		lent: make([]int64, mine), fixedE12: make([]i128, mine), pass: newPass(), past: newPast(mine),
		opened:    make([]uint64, cfg.AccountsMax/64+1),
		positions: newPositionSlab(4*mine + mine/8 + 64), balances: newSlab[balance](mine + mine/4), orders: newOrderBook(),
		ledgers: make([]ledger, TokensMax), wishBuf: make([]Request, 0, wishesMax), events: make([]Event, 0, eventsAtFirst),
		bands: bands{awake: make([]uint32, 0, mine)},
		track: tracker{quiet: accountEven, dirty: make([]uint32, 0, mine), pending: make([]uint32, 0, mine)},
	}
}

// Seq returns the Seq of the group last applied.
func (m *Machine) Seq() uint64 { return m.seq }

// TimeMs returns engine time.
func (m *Machine) TimeMs() int64 { return m.timeMs }

// AccountCount returns how many accounts are open on all shards.
func (m *Machine) AccountCount() uint32 { return m.accountCount }

// Parameters returns the named decisions in force.
func (m *Machine) Parameters() Parameters { return m.params }

// PoolCount returns how many totals the shards share.
func (m *Machine) PoolCount() int { return len(m.pools) }

// OwnTotals returns this shard's sums of a pool.
func (m *Machine) OwnTotals(n int) Totals { return m.own[n] }

// SetForeign sets the sums of the other shards, as of the Seq before the next group.
func (m *Machine) SetForeign(n int, t Totals) { m.foreign[n] = t }

// ChangedPools returns the pools whose own totals the group just applied changed.
func (m *Machine) ChangedPools() []uint16 { return m.changed }

// Events returns what the group just applied gave, in order; valid until the next.
func (m *Machine) Events() []Event { return m.events }

func (m *Machine) tokenLedger(slot uint32) *ledger { return &m.ledgers[slot] }

// Plan says how much of the other shards a group needs; it must be asked before each
// group is applied and gives every shard what it needs of the others, no less.
func (m *Machine) Plan(group []Command) Plan {
	c := &group[0]
	switch c.Kind { //nolint:exhaustive // the rest decides alone
	case KindTransfer, KindTrade, KindPrices, KindClock:
		return PlanJoint
	case KindSupply, KindUnsupply, KindBorrow, KindRepay:
		if m.owns(c.Account()) {
			return PlanTotals
		}
	case KindOrder, KindModify, KindTrigger, KindFill, KindDeposit, KindWithdraw, KindCancel, KindCancelAll,
		KindSetLeverage, KindIsolatedMargin, KindSetMode, KindRecheck:
		if a := m.accountAt(c.Account()); a != nil && len(m.pools) > 0 && (a.mode == ModePortfolio || c.Kind == KindSetMode) {
			return PlanTotals
		}
		if m.owns(c.Account()) && m.readsOpenInterest(c) {
			return PlanTotals
		}
	}
	return PlanLocal
}

// readsOpenInterest reports whether a command may be tested against an open interest cap:
// an order names its perp, a modify or trigger only its order.
func (m *Machine) readsOpenInterest(c *Command) bool {
	switch c.Kind { //nolint:exhaustive // orders only
	case KindOrder:
		p := m.perpAt(c.Market())
		return p != nil && p.pool >= 0
	case KindModify, KindTrigger:
		return len(m.pools) > 0
	default:
		return false
	}
}

// begin opens a group and moves engine time to its stamp. Time is the sequencer's, the
// same on every shard and outside the state hash; interest accrues at clock commands
// only, which the sequencer puts in whenever a second passes.
func (m *Machine) begin(group []Command) Reason {
	c := &group[0]
	m.seq = c.Seq
	m.events, m.changed, m.changedBits = m.events[:1], m.changed[:0], 0 // the first is the answer's
	m.joined, m.round = m.joined[:0], roundGrants
	m.isTick = c.Kind == KindPrices
	m.answer = Event{Kind: EventResult, Ticket: c.Ticket, Account: NoAccount, Market: NoSlot, Token: NoSlot}
	switch {
	case c.TimeMs <= m.timeMs:
	case m.timeMs > 0 && c.TimeMs-m.timeMs > m.params.MaxClockStepMs:
		return ReasonLimitExceeded
	default:
		m.timeMs = c.TimeMs
	}
	return ReasonNone
}

func (m *Machine) accruePool(n int, nowMs int64) {
	p := &m.pools[n]
	if p.token == NoSlot {
		p.accruedMs = nowMs
		return
	}
	totals := m.totalsOf(n)
	before := p.sumsOf(totals).debt
	p.accrue(&m.tokens[p.token], totals, nowMs)
	if grown := p.sumsOf(totals).debt.Sub(before); grown.Sign() > 0 {
		m.emitOnce(Event{
			Kind: EventInterest, Phase: phaseGlobal, Token: p.token, Market: NoSlot, Amount: grown, Decimals: m.tokens[p.token].wei,
		})
	}
}

// end closes a group: it restores what a refusal must not change, puts the answer first
// and the events in order.
func (m *Machine) end(group []Command, reason Reason) {
	c := &group[0]
	if reason != ReasonNone {
		m.events = m.events[:1]
	}
	if m.answers(c) {
		m.answer.Reason, m.answer.Seq, m.answer.TimeMs = reason, c.Seq, m.timeMs
		m.answer.Phase = phaseResult
		m.events[0] = m.answer
	} else {
		m.events = append(m.events[:0], m.events[1:]...)
	}
	if invariant.Enabled {
		m.checkInvariants()
	}
	m.eventSpare = sortEvents(m.events, m.eventSpare)
	n := uint32(0)
	for i := range m.events { // number within (phase, rank): the same for any shard count
		e := &m.events[i]
		if i > 0 && (e.Phase != m.events[i-1].Phase || e.Rank != m.events[i-1].Rank) {
			n = 0
		}
		e.N = n
		n++
	}
}

// answers reports whether this shard answers a group: the owner of its account, else
// shard 0.
func (m *Machine) answers(c *Command) bool {
	if hasAccount(c.Kind) && c.Account() < m.cfg.AccountsMax {
		return m.owns(c.Account())
	}
	return m.cfg.Shard == 0
}

// hasAccount reports whether Ref[0] of a kind names an account.
func hasAccount(k Kind) bool {
	switch k { //nolint:exhaustive // the others name none
	case KindListToken, KindListDex, KindListPerp, KindListSpot, KindSetParameters, KindPrices, KindFunding, KindClock,
		KindHalt, KindResume, KindOpenClient:
		return false
	default:
		return true
	}
}

func (m *Machine) emit(e Event) {
	if m.round != roundGrants && (e.Phase == phaseLending || e.Phase == phaseHealth) {
		e.Phase += phaseAfter
	}
	m.recordEvent(&e)
	e.Seq, e.TimeMs, e.N = m.seq, m.timeMs, uint32(len(m.events))
	m.events = append(m.events, e)
}

// emitOnce emits an event that belongs to no account on shard 0 only.
func (m *Machine) emitOnce(e Event) {
	if m.cfg.Shard == 0 {
		e.Account = NoAccount
		m.emit(e)
	}
}

// join notes an account that a joint group touched.
func (m *Machine) join(slot uint32) { m.joined = append(m.joined, slot) }

// Apply applies a group that this shard decides alone, or with the foreign totals set.
func (m *Machine) Apply(group []Command) {
	reason := m.begin(group)
	if reason == ReasonNone {
		reason = m.dispatch(group)
	}
	m.end(group, reason)
}

// dispatch routes a group by kind: one line each.
func (m *Machine) dispatch(group []Command) Reason {
	c := &group[0]
	if hasAccount(c.Kind) && !m.owns(c.Account()) && c.Kind != KindOpenAccount && c.Kind != KindImportAccount {
		if c.Account() >= m.cfg.AccountsMax {
			return ReasonUnknownAccount
		}
		return ReasonNone
	}
	if hasAccount(c.Kind) {
		m.touchOwned(c.Account())
	}
	switch c.Kind { //nolint:exhaustive // parts never head a group
	case KindListToken:
		return m.relisted(m.listToken(group))
	case KindListDex:
		return m.relisted(m.listDex(group))
	case KindListPerp:
		return m.relisted(m.listPerp(group))
	case KindListSpot:
		return m.listSpot(group)
	case KindSetParameters:
		return m.setParameters(c)
	case KindOpenAccount:
		return m.openAccount(c)
	case KindImportAccount:
		return m.importAccount(group)
	case KindSetMode:
		return m.setMode(c)
	case KindDeposit:
		return m.deposit(c)
	case KindWithdraw:
		return m.withdraw(c)
	case KindSupply, KindUnsupply, KindBorrow, KindRepay:
		return m.lend(c)
	case KindSetLeverage:
		return m.setLeverage(c)
	case KindIsolatedMargin:
		return m.isolatedMargin(c)
	case KindOrder:
		return m.placeOrder(c)
	case KindModify:
		return m.modify(c)
	case KindCancel:
		return m.cancel(c)
	case KindCancelAll:
		return m.cancelAll(c)
	case KindTrigger:
		return m.trigger(c)
	case KindFill:
		return m.fill(c)
	case KindFunding:
		return m.funding(group)
	case KindHalt, KindResume:
		return m.halt(c)
	case KindOpenClient:
		return m.openClient(c)
	case KindRecheck:
		return m.recheck(c)
	default:
		return ReasonLimitExceeded
	}
}

// placeOrder checks, rests and funds an order.
func (m *Machine) placeOrder(c *Command) Reason {
	reason := m.order(c)
	if reason != ReasonNone {
		return reason
	}
	a := m.accountAt(c.Account())
	if c.Market()&SpotBit == 0 { // the check left the figures true, the new order included
		m.rebalanceFrom(c.Account(), a, &m.fig)
		return reason
	}
	m.rebalance(c.Account(), a)
	return reason
}

func (m *Machine) clockVerdict(c *Command) Reason {
	if c.TimeMs <= 0 {
		return m.refuseField(ReasonInvalidAmount, 0)
	}
	return ReasonNone
}

// clockPrepare accrues interest; liquidations have steps that time alone makes due.
func (m *Machine) clockPrepare() []Request {
	for i := range m.pools {
		m.accruePool(i, m.timeMs)
	}
	m.indicesMoved()
	m.keepEpoch()
	m.findStale()
	m.noteHour()
	m.wishBuf = m.appendDue(m.wishBuf[:0])
	return m.wishBuf
}

// Do runs a group through a machine that is alone.
func (m *Machine) Do(group []Command) []Event {
	if m.Plan(group) == PlanJoint {
		m.doJoint(group)
		return m.events
	}
	m.Apply(group)
	return m.events
}

// doJoint runs a joint group through a machine that is alone.
func (m *Machine) doJoint(group []Command) Verdict {
	v := m.Verdict(group)
	requests, isMore := m.Prepare(group, v), true
	for isMore {
		slices.SortFunc(requests, CompareRequests)
		requests, isMore = m.Finish(group, requests)
	}
	return v
}
