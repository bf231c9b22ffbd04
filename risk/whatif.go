package risk

import "slices"

// Scratch is a machine for one account at a time: what-if commands are applied to a copy
// of the account in it, by the same code that applies the real ones, and nothing of the
// machine that the account lives on is changed.
//
//	machine ── account, hot columns, its share of the pools ── copied ──► scratch
//	        ── listings, prices ─────────────────────────────── shared ─► scratch
//
// What a command may write of the shared tables (prices, the open interest of a perp) is
// saved before and put back by leave, bit for bit; tokens are copied before a tick. All of
// it happens between two groups, on the thread of the shard. A Scratch is not safe for
// concurrent use and may serve any machine, one after the other.
type Scratch struct {
	m      *Machine
	from   *Machine
	tokens []token // the scratch's own, once a tick has come
	perps  []savedPerp
	spots  []savedSpot
}

// savedPerp is a perp as the machine has it.
type savedPerp struct {
	slot uint32
	perp perp
	hot  hotPerp
}

// savedSpot is a spot market as the machine has it.
type savedSpot struct {
	slot uint32
	spot spot
}

// NewScratch returns a scratch machine; it takes some 100 kB.
func NewScratch() *Scratch {
	s := &Scratch{m: New(Config{Shards: 1, AccountsMax: 1, Detect: DetectSweep})}
	s.m.isScratch = true
	s.forget()
	return s
}

// enter copies an account of m and shares its tables; false when it is not open there.
// Orders are left out where only prices move: no line that liquidates depends on them.
func (s *Scratch) enter(m *Machine, slot uint32, withOrders orderCopy) bool {
	a := m.accountAt(slot)
	if a == nil {
		return false
	}
	w := s.m
	s.from = m
	// Every other slot belongs to another of so many shards, and this one comes first here.
	w.cfg = Config{Shard: slot, Shards: m.cfg.AccountsMax, AccountsMax: m.cfg.AccountsMax, Detect: DetectSweep}
	w.seq, w.timeMs, w.haltAll, w.params, w.numeraire = m.seq, m.timeMs, m.haltAll, m.params, m.numeraire
	w.tokenCount, w.perpCount, w.spotCount, w.accountCount = m.tokenCount, m.perpCount, m.spotCount, m.accountCount
	w.tokens, w.perps, w.hotPerps, w.spots, w.dexes = m.tokens, m.perps, m.hotPerps, m.spots, m.dexes
	w.opened, w.clients, w.passTerms = m.opened, m.clients, m.passTerms
	s.copyAccount(m, a, withOrders)
	s.copyPools(m)
	for i := int(a.positions.start); i < int(a.positions.start)+int(a.positions.count); i++ {
		s.savePerp(uint32(m.positions.perp[i] &^ isolatedBit)) // any command may change what is open
	}
	w.hot[0] = m.hot[slot/m.cfg.Shards]
	w.refreshHot(slot)
	return true
}

// orderCopy says whether the orders of an account come along.
type orderCopy bool

const (
	ordersToo orderCopy = true
	noOrders  orderCopy = false
)

// copyAccount copies an account with all that belongs to it to the first place.
func (s *Scratch) copyAccount(m *Machine, a *account, withOrders orderCopy) {
	w := s.m
	w.positions.empty()
	w.balances.empty()
	w.orders.empty()
	c := &w.accounts[0]
	*c = *a
	c.flags = a.flags&(accountOpen|accountStates) | w.track.quiet
	w.liquidations = w.liquidations[:0]
	if l := m.recordOf(a); l != nil {
		w.liquidations, c.liquidation = append(w.liquidations, *l), 1
	}
	w.sale.rows = w.sale.rows[:0]
	if x := m.saleOf(a); x != nil {
		w.sale = sale{account: x.account, number: x.number, rows: append(w.sale.rows, x.rows...)}
	}
	w.track.dirty = append(w.track.dirty[:0], 0)
	if n := int(a.positions.count); a.positions.start != 0 {
		start := w.positions.alloc(a.positions.class)
		copy(w.positions.size[start:], m.positions.size[a.positions.start:][:n])
		copy(w.positions.perp[start:], m.positions.perp[a.positions.start:][:n])
		copy(w.positions.lever[start:], m.positions.lever[a.positions.start:][:n])
		copy(w.positions.terms[start:], m.positions.terms[a.positions.start:][:n])
		c.positions.start = start
	}
	if a.balances.start != 0 {
		c.balances.start = w.balances.alloc(a.balances.class)
		items := w.balances.of(&c.balances)
		copy(items, m.balances.of(&a.balances))
		for i := range items {
			items[i].bounds = balanceBounds{}
		}
	}
	c.orderHead, c.orderTail, c.orderCount, c.spotCount = 0, 0, 0, 0
	if withOrders {
		for slot := a.orderHead; slot != 0; slot = m.orders.at(slot).next {
			o := *m.orders.at(slot)
			w.rest(c, &o)
		}
	}
}

// empty forgets all positions and keeps the memory.
func (s *positionSlab) empty() {
	s.size, s.perp, s.lever, s.terms = s.size[:1], s.perp[:1], s.lever[:1], s.terms[:1]
	for i := range s.free {
		s.free[i] = s.free[i][:0]
	}
}

// empty forgets all items and keeps the memory; alloc hands out cleared blocks only.
func (s *slab[T]) empty() {
	clear(s.items)
	s.items = s.items[:1]
	for i := range s.free {
		s.free[i] = s.free[i][:0]
	}
}

// empty forgets all orders and keeps the memory.
func (b *orderBook) empty() {
	if b.index.count == 0 && b.end == 1 {
		return
	}
	b.end, b.free = 1, b.free[:0]
	b.index.empty()
}

// copyPools copies the pools and splits their totals: this account's share is the
// scratch's own, the rest of all shards is foreign to it.
func (s *Scratch) copyPools(m *Machine) {
	w := s.m
	w.pools = append(w.pools[:0], m.pools...)
	w.own, w.foreign = append(w.own[:0], m.own...), append(w.foreign[:0], m.foreign...)
	w.base, w.sums = slices.Grow(w.base[:0], len(m.pools))[:len(m.pools)], slices.Grow(w.sums[:0], len(m.pools))[:len(m.pools)]
	for i := range w.pools {
		if w.pools[i].token != NoSlot {
			w.own[i], w.foreign[i] = Totals{}, m.own[i].Add(m.foreign[i])
		}
	}
	for _, b := range w.balances.of(&w.accounts[0].balances) {
		if b.key&dexBit != 0 || b.lend.IsZero() {
			continue
		}
		own, foreign := &w.own[w.tokens[b.key].pool], &w.foreign[w.tokens[b.key].pool]
		if b.lend.Sign() > 0 {
			own.Supply, foreign.Supply = b.lend, foreign.Supply.Sub(b.lend)
		} else {
			own.Debt, foreign.Debt = b.lend.Neg(), foreign.Debt.Add(b.lend)
		}
	}
}

// leave puts back what commands wrote of the shared tables, latest first, and forgets the
// machine.
func (s *Scratch) leave() {
	for i := range s.perps {
		x := &s.perps[len(s.perps)-1-i]
		s.from.perps[x.slot], s.from.hotPerps[x.slot] = x.perp, x.hot
	}
	for i := range s.spots {
		x := &s.spots[len(s.spots)-1-i]
		s.from.spots[x.slot] = x.spot
	}
	s.forget()
}

func (s *Scratch) forget() {
	w := s.m
	s.from, s.perps, s.spots = nil, s.perps[:0], s.spots[:0]
	w.tokens, w.perps, w.hotPerps, w.spots, w.dexes, w.opened, w.clients = nil, nil, nil, nil, nil, nil, nil
}

// savePerp notes a perp before it is written.
func (s *Scratch) savePerp(slot uint32) {
	if s.m.perpAt(slot) != nil && slot&SpotBit == 0 {
		s.perps = append(s.perps, savedPerp{slot: slot, perp: s.from.perps[slot], hot: s.from.hotPerps[slot]})
	}
}

// saveSpot notes a spot market before it is written.
func (s *Scratch) saveSpot(market uint32) {
	if s.m.spotAt(market) != nil {
		slot := market &^ SpotBit
		s.spots = append(s.spots, savedSpot{slot: slot, spot: s.from.spots[slot]})
	}
}

// ownTokens gives the scratch tokens of its own, whose prices may be written, and what says
// which of them a price enters.
func (s *Scratch) ownTokens() {
	if w := s.m; len(s.tokens) == 0 || &w.tokens[0] != &s.tokens[0] {
		s.tokens = append(s.tokens[:0], w.tokens[:max(w.tokenCount, 1)]...)
		w.tokens = s.tokens
		w.firstFed, w.isRepriceDue = s.from.firstFed, s.from.isRepriceDue
	}
}

// ForeignTotals returns the sums of a pool over the other shards that SetForeign gave last.
func (m *Machine) ForeignTotals(n int) Totals { return m.foreign[n] }
