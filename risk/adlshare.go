package risk

import (
	"cmp"
	"slices"

	"plimsoll/fixedpoint"
)

// share is what one account takes of a need.
type share struct {
	deficit  int
	account  uint32
	market   uint32
	size     int64 // signed: the change of the account's position
	price    int64
	notional i128
	pays     i128
}

func compareCandidates(a, b Request) int {
	return cmp.Or(cmp.Compare(a.N, b.N), b.Out.Cmp(a.Out), cmp.Compare(a.Account, b.Account))
}

// allocate closes the needs against the merged candidates, in order of liquidation and
// ranking, and shares what is left uncovered. Every shard computes all of it and books what is
// its own.
func (m *Machine) allocate(merged []Request) {
	m.ranking = append(m.ranking[:0], merged...)
	slices.SortFunc(m.ranking, compareCandidates)
	for _, key := range m.queued {
		m.queues[key].next, m.queues[key].to = 0, 0
	}
	for i := range m.ranking {
		q := &m.queues[m.ranking[i].N]
		if q.to == 0 {
			q.next = i
		}
		q.to = i + 1
	}
	m.shares = m.shares[:0]
	for i := range m.needs {
		n := &m.needs[i]
		d := &m.deficits[n.deficit]
		if d.shares == d.sharesEnd {
			d.shares = len(m.shares)
		}
		m.fillNeed(n, d)
		d.sharesEnd = len(m.shares)
	}
	for i := range m.deficits {
		m.settleDeficit(&m.deficits[i])
	}
	var soon [PrefetchMax]uint32
	for i := range m.shares {
		if i%PrefetchMax == 0 {
			next := m.shares[i:min(i+PrefetchMax, len(m.shares))]
			for n := range next {
				soon[n] = next[n].account
			}
			m.Prefetch(soon[:len(next)])
		}
		m.bookShare(uint64(i), &m.shares[i])
	}
	for _, key := range m.queued {
		m.queues[key] = queue{}
	}
}

// fillNeed takes what a need wants from those who come first in the ranking. What it closes is
// what it gains or loses against the mark.
func (m *Machine) fillNeed(n *need, d *deficit) {
	p := &m.perps[n.market]
	left, sign := max(n.size, -n.size), int64(1)
	if n.size < 0 {
		sign = -1
	}
	d.total = d.total.Add(p.toUnits(fixedpoint.Mul64(left, n.price)))
	for q := &m.queues[n.key()]; left > 0 && q.next < q.to; {
		c := &m.ranking[q.next]
		x := min(left, c.Size)
		left, c.Size = left-x, c.Size-x
		notional := p.toUnits(fixedpoint.Mul64(x, n.price))
		m.shares = append(m.shares, share{
			deficit: n.deficit, account: c.Account, market: n.market, size: sign * x, price: n.price, notional: notional,
		})
		d.gained = d.gained.Add(p.toUnits(fixedpoint.Mul64(sign*x, n.price-n.mark)))
		d.closed = d.closed.Add(notional)
		if c.Size == 0 {
			q.next++
		}
	}
}

// settleDeficit covers what closing at the price before did not: from the buffer, then by
// those closed against, in proportion, rounded down, the units left over one each in order.
// Where not all could be closed, it is the part of the loss that falls on what was, rounded up;
// the rest stays with what stays open, and is looked at again.
func (m *Machine) settleDeficit(d *deficit) {
	if d.isPaid || d.closed.IsZero() {
		return
	}
	loss := d.loss
	if d.closed.Less(d.total) {
		loss = mustFit(loss.MulDivCeil128(d.closed, d.total))
	}
	left := nonNegative(loss.Sub(d.gained))
	d.paid = fixedpoint.MinI128(left, m.bufferOf(d.token))
	m.payFromBuffer(d, d.paid)
	covered := left
	left = left.Sub(d.paid)
	rest := left
	shares := m.shares[d.shares:d.sharesEnd]
	for i := range shares {
		s := &shares[i]
		s.pays = mustFit(left.MulDivFloor128(s.notional, d.closed))
		rest = rest.Sub(s.pays)
	}
	for i := 0; rest.Sign() > 0; i = (i + 1) % len(shares) {
		shares[i].pays, rest = shares[i].pays.Add(fixedpoint.I128(1)), rest.Sub(fixedpoint.I128(1))
	}
	place := -1
	if a := m.accountAt(d.account); a != nil && d.isolated {
		place = m.positions.find(&a.positions, uint16(shares[0].market))
	}
	m.creditLoss(d, place, covered)
}

// bookShare books both sides of one allocation, and what it pays of the loss.
func (m *Machine) bookShare(rank uint64, s *share) {
	d := &m.deficits[s.deficit]
	m.sold(d.account, s.market, -s.size)
	m.bookLeg(d.account, s.market, -s.size, s.price)
	a := m.accountAt(s.account)
	if a == nil {
		return
	}
	p := &m.perps[s.market]
	m.emit(Event{
		Kind: EventADL, Phase: phaseADL, Rank: rank, Account: s.account, Market: s.market, Token: NoSlot,
		Amount: fixedpoint.I128(s.size), Amount2: fixedpoint.I128(s.price), Decimals: p.sz, OrderLo: uint64(d.account),
		Rule: RuleNegative,
	})
	m.sold(s.account, s.market, s.size)
	m.bookLeg(s.account, s.market, s.size, s.price)
	if s.pays.Sign() > 0 {
		m.payShare(a, s)
		m.emit(Event{
			Kind: EventLossCovered, Phase: phaseADL, Rank: rank, Account: s.account, Market: NoSlot, Token: d.token, Amount: s.pays,
			Amount2: d.loss, Decimals: m.tokens[d.token].wei, OrderLo: uint64(d.account), Rule: RuleShared,
		})
	}
}

// payShare takes what an account pays of another's loss from the margin that its position
// stands on: its own while some of an isolated one is left, else the cash of the dex.
func (m *Machine) payShare(a *account, s *share) {
	i := m.positions.find(&a.positions, uint16(s.market))
	if i >= 0 && m.positions.isIsolated(i) && m.positions.size[i] != 0 {
		t := &m.positions.terms[i]
		if v, ok := fixedpoint.I128(t.raw).Sub(s.pays).Int64(); ok {
			t.raw = v
			return
		}
	}
	m.addRaw(a, m.perps[s.market].dexSlot, s.pays.Neg())
}
