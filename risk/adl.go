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

// key returns the place of those who can stand against a need: by market, longs after shorts.
func (n *need) key() uint32 { return n.market<<1 | uint32(bit(n.size < 0)) }

// queue is who stands on one side of a market, while legs are allocated.
type queue struct {
	wanted   i128 // Σ |size| of the needs
	next, to int  // what is left of them in ranking
}

// openQueues adds up what is needed of each side of a market, and notes whose losses they are.
func (m *Machine) openQueues() {
	if m.queues == nil {
		m.queues = make([]queue, 2*PerpsMax)
	}
	m.queued, m.broken = m.queued[:0], m.broken[:0]
	for i := range m.needs {
		n := &m.needs[i]
		q := &m.queues[n.key()]
		if q.wanted.IsZero() {
			m.queued = append(m.queued, n.key())
		}
		q.wanted = q.wanted.Add(fixedpoint.I128(max(n.size, -n.size)))
	}
	slices.Sort(m.queued)
	for i := range m.deficits {
		m.broken = append(m.broken, m.deficits[i].account)
	}
	slices.Sort(m.broken)
}

// candidates appends, for every market and side that is needed, this shard's accounts on the
// other side: the highest first, as many as could be needed if nobody else had any.
func (m *Machine) candidates(dst []Request) []Request {
	m.openQueues()
	for _, key := range m.queued {
		dst = m.ranked(key>>1, key&1 == 1, m.queues[key].wanted, dst)
	}
	return dst
}

// rankedHolder is one account in the ranking of a market's side.
type rankedHolder struct {
	score   uint64
	size    int64 // magnitude
	account uint32
}

func compareHolders(a, b rankedHolder) int {
	return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.account, b.account))
}

// ranked appends this shard's highest accounts of one market and side, until their sizes
// reach wanted.
func (m *Machine) ranked(market uint32, isLong bool, wanted i128, dst []Request) []Request {
	if m.cfg.Detect == DetectSweep || !m.bands.isReliable() {
		m.beginRanking(market, isLong)
		for local := range m.accounts {
			m.consider(uint32(local))
		}
	} else {
		m.rankNear(market, isLong, wanted)
	}
	for _, r := range highest(m.rankBuf, wanted) {
		dst = append(dst, Request{
			Kind: RequestCandidate, Account: r.account, Market: market, Out: units128(r.score), Size: r.size,
			N: market<<1 | uint32(bit(isLong)),
		})
	}
	return dst
}

// highest sorts to the front those who come first until their sizes reach wanted, and returns
// them. The others are only put behind: the list is split, not sorted.
func highest(list []rankedHolder, wanted i128) []rankedHolder {
	low, high := 0, len(list)
	for high-low > 32 {
		at := split(list[low:high]) + low
		var sum i128
		for i := low; i < at; i++ {
			sum = sum.Add(fixedpoint.I128(list[i].size))
		}
		if !sum.Less(wanted) {
			high = at
			continue
		}
		slices.SortFunc(list[low:at], compareHolders)
		wanted = wanted.Sub(sum)
		low = at
	}
	slices.SortFunc(list[low:high], compareHolders)
	for ; low < high && wanted.Sign() > 0; low++ {
		wanted = wanted.Sub(fixedpoint.I128(list[low].size))
	}
	return list[:low]
}

// split puts those before a middle one to the front, and returns how many: at least one, not all.
func split(list []rankedHolder) int {
	last := len(list) - 1
	a, b, c := list[0], list[last/2], list[last]
	if compareHolders(b, a) < 0 {
		a, b = b, a
	}
	if compareHolders(c, b) < 0 {
		b = c
		if compareHolders(b, a) < 0 {
			b = a
		}
	}
	i, j := 0, last
	for {
		for compareHolders(list[i], b) < 0 {
			i++
		}
		for compareHolders(b, list[j]) < 0 {
			j--
		}
		if i >= j {
			return max(1, min(i, last))
		}
		list[i], list[j] = list[j], list[i]
		i++
		j--
	}
}

// rank places an account's position in the ranking of its side: 1.0 is scoreOne, rounded down;
// false when what stands behind it is not above zero.
func (m *Machine) rank(local, market uint32) (rankedHolder, bool) {
	a := &m.accounts[local]
	i := m.positions.find(&a.positions, uint16(market))
	size, entry, p := m.positions.size[i], m.positions.terms[i].entry, &m.perps[market]
	value := m.valueBehind(local, a, i)
	if value.Sign() <= 0 || entry == 0 {
		return rankedHolder{}, false
	}
	share := p.toUnits(fixedpoint.I128(entry)) // of a short (entry/mark) x notional is the entry itself
	if size > 0 {
		notional := p.toUnits(notionalE6(size, p.mark))
		share = fitOrMax(notional.MulDivFloor128(notional, share))
	}
	score := fitOrMax(share.MulDivFloor128(fixedpoint.I128(scoreOne), value))
	r := rankedHolder{score: score.Lo, size: max(size, -size), account: local*m.cfg.Shards + m.cfg.Shard}
	if score.Hi != 0 {
		r.score = 1<<64 - 1
	}
	return r, true
}

// scoreOne is 1.0 of a place in the ranking.
const scoreOne = 1_000_000_000

func fitOrMax(v i128, ok bool) i128 {
	if !ok {
		return i128{Hi: 1<<63 - 1, Lo: 1<<64 - 1}
	}
	return v
}

// valueBehind returns the account value that a position stands on: its own equity when
// isolated, of its dex in standard mode, else what its own liquidation would be judged by: the
// account's net balance of the token, with collateral as it counts then.
func (m *Machine) valueBehind(local uint32, a *account, i int) i128 {
	p := &m.perps[m.positions.perp[i]&^isolatedBit]
	if m.positions.isIsolated(i) {
		return m.isolatedEquity(i, p)
	}
	if h := &m.hot[local]; p.dexSlot == 0 && (h.kind() == hotStandard || h.kind() == hotUnified) {
		if f := m.hotMargin(local); f.isFast {
			return f.equityE12.DivFloor(m.dexSubUnit(0))
		}
	}
	f := m.evaluate(a)
	if a.mode == ModeStandard {
		return f.dex(p.dexSlot).crossValue
	}
	t := m.tokenFiguresOf(a, f, p.collateral)
	return t.net().Add(nonNegative(t.LC))
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
