package risk

import (
	"cmp"
	"slices"

	"plimsoll/fixedpoint"
)

// Auto-deleveraging (spec 2.7): what an account cannot bear is closed against those who stand
// on the other side, in order of (mark/entry) x (notional/account value), for shorts of
// (entry/mark) x (notional/account value), at the mark before this Seq. What that leaves
// uncovered the buffer pays as far as it goes, and the rest is shared by those just closed,
// in proportion to what of theirs was closed. Nobody without a position there bears anything.

// need is a position that others must stand against.
type need struct {
	deficit int
	market  uint32
	size    int64 // signed: as the account holds it
	price   int64 // at which it is closed
	mark    int64
}

// scoreOne is 1.0 of a place in the ranking.
const scoreOne = 1_000_000_000

// candidates appends, for every market and side that is needed, this shard's accounts on the
// other side: the highest first, as many as could be needed if nobody else had any.
func (m *Machine) candidates(dst []Request) []Request {
	for i := range m.needs {
		n := &m.needs[i]
		if m.isNeededBefore(i) {
			continue
		}
		var wanted i128
		for j := i; j < len(m.needs); j++ {
			if o := &m.needs[j]; o.market == n.market && (o.size > 0) == (n.size > 0) {
				wanted = wanted.Add(fixedpoint.I128(max(o.size, -o.size)))
			}
		}
		dst = m.ranked(n.market, n.size < 0, wanted, dst)
	}
	return dst
}

// isNeededBefore reports whether an earlier need is of the same market and side.
func (m *Machine) isNeededBefore(i int) bool {
	for j := range i {
		if m.needs[j].market == m.needs[i].market && (m.needs[j].size > 0) == (m.needs[i].size > 0) {
			return true
		}
	}
	return false
}

// ranked appends this shard's highest accounts of one market and side, until their sizes
// reach wanted.
func (m *Machine) ranked(market uint32, isLong bool, wanted i128, dst []Request) []Request {
	from := len(dst)
	m.holders = m.holdersOf(market, isLong, m.holders[:0])
	for _, local := range m.holders {
		slot := local*m.cfg.Shards + m.cfg.Shard
		if slices.ContainsFunc(m.deficits, func(d deficit) bool { return d.account == slot }) {
			continue
		}
		if r, ok := m.candidate(slot, &m.accounts[local], market); ok {
			dst = append(dst, r)
		}
	}
	own := dst[from:]
	slices.SortFunc(own, compareCandidates)
	for i := range own {
		if wanted.Sign() <= 0 {
			return dst[:from+i]
		}
		wanted = wanted.Sub(fixedpoint.I128(own[i].Size))
	}
	return dst
}

func compareCandidates(a, b Request) int {
	return cmp.Or(cmp.Compare(a.Market, b.Market), cmp.Compare(a.Price, b.Price), b.Out.Cmp(a.Out), cmp.Compare(a.Account, b.Account))
}

// candidate places an account's position in the ranking; false when its value is not above
// zero.
func (m *Machine) candidate(slot uint32, a *account, market uint32) (Request, bool) {
	i := m.positions.find(&a.positions, uint16(market))
	size, p := m.positions.size[i], &m.perps[market]
	value := m.valueBehind(a, i)
	if value.Sign() <= 0 || m.positions.terms[i].entry == 0 {
		return Request{}, false
	}
	notional := p.toUnits(notionalE6(size, p.mark))
	entry := p.toUnits(fixedpoint.I128(m.positions.terms[i].entry))
	share := notional
	if size > 0 { // notional x notional / entry, else entry itself: (entry/mark) x notional
		share = fitOrMax(notional.MulDivFloor128(notional, entry))
	} else {
		share = entry
	}
	score := fitOrMax(share.MulDivFloor128(fixedpoint.I128(scoreOne), value))
	r := Request{Kind: RequestCandidate, Account: slot, Market: market, Out: score, Size: max(size, -size)}
	if size > 0 {
		r.Price = 1 // the long side: sorts apart
	}
	r.N = market<<1 | uint32(r.Price)
	return r, true
}

func fitOrMax(v i128, ok bool) i128 {
	if !ok {
		return i128{Hi: 1<<63 - 1, Lo: 1<<64 - 1}
	}
	return v
}

// valueBehind returns the account value that a position stands on: its own equity when
// isolated, of its dex in standard mode, else the account's net balance of the token.
func (m *Machine) valueBehind(a *account, i int) i128 {
	p := &m.perps[m.positions.perp[i]&^isolatedBit]
	if m.positions.isIsolated(i) {
		return m.isolatedEquity(i, p)
	}
	f := m.evaluate(a)
	if a.mode == ModeStandard {
		return f.dex(p.dexSlot).crossValue
	}
	t := m.tokenFiguresOf(a, f, p.collateral)
	return t.net()
}

// holdersOf appends the places of this shard's accounts that hold one side of a market, in
// order. Every account with a band has a bound of that side in the market's wheel, all others
// are awake: so nobody else need be looked at.
func (m *Machine) holdersOf(market uint32, isLong bool, dst []uint32) []uint32 {
	b := &m.bands
	if m.cfg.Detect == DetectSweep || b.epoch.isBroken {
		for local := range m.accounts {
			if m.holds(uint32(local), market, isLong) {
				dst = append(dst, uint32(local))
			}
		}
		return dst
	}
	for _, local := range b.awake {
		if m.holds(local, market, isLong) {
			dst = append(dst, local)
		}
	}
	if pair := b.pairs[market]; pair != nil {
		side := uint8(sideLow)
		if !isLong {
			side = sideHigh
		}
		dst = m.holdersIn(&pair.sides[side], market, isLong, dst)
	}
	slices.Sort(dst)
	return slices.Compact(dst)
}

// holdersIn appends the holders among the entries of a wheel; the stale ones do not hold.
func (m *Machine) holdersIn(w *wheel, market uint32, isLong bool, dst []uint32) []uint32 {
	const last = pagesMax*bucketsPage - 1
	for at, ok := w.nextUp(0, last); ok; at, ok = w.nextUp(at+1, last) {
		for n := w.pages[at/bucketsPage].heads[at%bucketsPage]; n != 0; n = m.bands.store.chunks[n].next() {
			c := &m.bands.store.chunks[n]
			for _, e := range c.entries[:c.count()] {
				if m.holds(e.local, market, isLong) {
					dst = append(dst, e.local)
				}
			}
		}
	}
	return dst
}

// holds reports whether an account holds one side of a market.
func (m *Machine) holds(local, market uint32, isLong bool) bool {
	a := &m.accounts[local]
	if a.flags&accountOpen == 0 {
		return false
	}
	i := m.positions.find(&a.positions, uint16(market))
	return i >= 0 && m.positions.size[i] != 0 && (m.positions.size[i] > 0) == isLong
}

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

// allocate closes the needs against the merged candidates, in order of liquidation and
// ranking, and shares what is left uncovered. Every shard computes all of it and books what is
// its own.
func (m *Machine) allocate(merged []Request) {
	m.ranking = append(m.ranking[:0], merged...)
	requests := m.ranking
	slices.SortFunc(requests, compareCandidates)
	m.shares = m.shares[:0]
	for i := range m.needs {
		m.fillNeed(&m.needs[i], requests)
	}
	for i := range m.deficits {
		if !m.deficits[i].isPaid {
			m.settleDeficit(i)
		}
	}
	for i := range m.shares {
		m.bookShare(uint64(i), &m.shares[i])
	}
}

// fillNeed takes what a need wants from those who come first in the ranking. What it closes is
// what it gains or loses against the mark.
func (m *Machine) fillNeed(n *need, candidates []Request) {
	p := &m.perps[n.market]
	left, sign := max(n.size, -n.size), int64(1)
	if n.size < 0 {
		sign = -1
	}
	d := &m.deficits[n.deficit]
	for i := range candidates {
		c := &candidates[i]
		if left == 0 {
			break
		}
		if c.Market != n.market || (c.Price == 1) == (n.size > 0) || c.Size == 0 {
			continue
		}
		x := min(left, c.Size)
		left, c.Size = left-x, c.Size-x
		notional := p.toUnits(fixedpoint.Mul64(x, n.price))
		m.shares = append(m.shares, share{
			deficit: n.deficit, account: c.Account, market: n.market, size: sign * x, price: n.price, notional: notional,
		})
		d.gained = d.gained.Add(p.toUnits(fixedpoint.Mul64(sign*x, n.price-n.mark)))
		d.closed = d.closed.Add(notional)
	}
}

// settleDeficit covers what closing at the price before did not: from the buffer, then by
// those closed against, in proportion, rounded down, the units left over one each in order.
func (m *Machine) settleDeficit(at int) {
	d := &m.deficits[at]
	left := nonNegative(d.loss.Sub(d.gained))
	if d.closed.IsZero() {
		return
	}
	d.paid = fixedpoint.MinI128(left, m.bufferOf(d.token))
	m.payFromBuffer(d, d.paid)
	left = left.Sub(d.paid)
	rest := left
	for i := range m.shares {
		if s := &m.shares[i]; s.deficit == at {
			s.pays = mustFit(left.MulDivFloor128(s.notional, d.closed))
			rest = rest.Sub(s.pays)
		}
	}
	for i := 0; rest.Sign() > 0; i = (i + 1) % len(m.shares) {
		if s := &m.shares[i]; s.deficit == at {
			s.pays, rest = s.pays.Add(fixedpoint.I128(1)), rest.Sub(fixedpoint.I128(1))
		}
	}
	covered := left.Add(d.paid)
	place := -1
	if a := m.accountAt(d.account); a != nil && d.isolated {
		for i := range m.needs {
			if m.needs[i].deficit == at {
				place = m.positions.find(&a.positions, uint16(m.needs[i].market))
			}
		}
	}
	m.creditLoss(d, place, covered)
}

// bookShare books both sides of one allocation, and what it pays of the loss.
func (m *Machine) bookShare(rank uint64, s *share) {
	d := &m.deficits[s.deficit]
	m.bookLeg(d.account, s.market, -s.size, s.price)
	a := m.accountAt(s.account)
	if a == nil {
		return
	}
	p := &m.perps[s.market]
	m.emit(Event{
		Kind: EventADL, Phase: phaseADL, Rank: rank, Account: s.account, Market: s.market, Token: NoSlot,
		Amount: fixedpoint.I128(s.size), Decimals: p.sz, OrderLo: uint64(d.account), Rule: RuleNegative,
	})
	m.bookLeg(s.account, s.market, s.size, s.price)
	if s.pays.Sign() > 0 {
		m.addRaw(a, p.dexSlot, s.pays.Neg())
	}
}
