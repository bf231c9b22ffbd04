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
// other side: the highest first, as many as could be needed if nobody else had any. Rank is the
// place in this shard's list, so that it is in order as it stands.
func (m *Machine) candidates(dst []Request) []Request {
	m.openQueues()
	m.refreshJoined()
	m.openRankings()
	for _, key := range m.queued {
		m.rankSide(key>>1, key&1 == 1, m.queues[key].wanted)
		for _, r := range m.rankBuf {
			dst = append(dst, Request{
				Kind: RequestCandidate, Rank: uint32(len(dst)), Account: r.account, Market: key >> 1, Out: units128(r.score), Size: r.size,
				N: key,
			})
		}
	}
	return dst
}

// refreshJoined derives the hot columns of the accounts that the rounds before have changed.
func (m *Machine) refreshJoined() {
	slices.Sort(m.joined)
	m.joined = slices.Compact(m.joined)
	for _, slot := range m.joined {
		m.refreshHot(slot)
	}
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

// rankSide leaves in rankBuf this shard's highest accounts of one market and side, in order,
// until their sizes reach wanted.
func (m *Machine) rankSide(market uint32, isLong bool, wanted i128) {
	switch {
	case m.cfg.Detect == DetectSweep:
		m.rankAll(market, isLong)
	case !m.bands.isReliable():
		m.beginRanking(market, isLong, wanted)
		for local := range m.accounts {
			m.consider(uint32(local))
		}
		m.considerBatch()
	default:
		m.rankNear(market, isLong, wanted)
	}
	m.rankBuf = highest(m.rankBuf, wanted)
}

// highest sorts to the front those who come first until their sizes reach wanted, and returns
// them.
func highest(list []rankedHolder, wanted i128) []rankedHolder {
	list = list[:reaching(list, wanted)]
	slices.SortFunc(list, compareHolders)
	return list
}

// reaching puts to the front those who come first until their sizes reach wanted, the last of
// them last, and returns how many: all, if they do not. The list is split, not sorted.
func reaching(list []rankedHolder, wanted i128) int {
	low, high := 0, len(list)
	for high-low > 32 {
		at := split(list[low:high]) + low
		sum := sizesOf(list[low:at])
		if !sum.Less(wanted) {
			high = at
			continue
		}
		wanted = wanted.Sub(sum)
		low = at
	}
	slices.SortFunc(list[low:high], compareHolders)
	for ; low < high && wanted.Sign() > 0; low++ {
		wanted = wanted.Sub(fixedpoint.I128(list[low].size))
	}
	return low
}

func sizesOf(list []rankedHolder) (sum i128) {
	for i := range list {
		sum = sum.Add(fixedpoint.I128(list[i].size))
	}
	return sum
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

// rank places position i of an account in the ranking of its side: 1.0 is scoreOne, rounded down;
// false when what stands behind it is not above zero.
func (m *Machine) rank(local uint32, i int) (rankedHolder, bool) {
	size, entry, p := m.positions.size[i], m.positions.terms[i].entry, &m.perps[m.positions.perp[i]&^isolatedBit]
	value := m.valueBehind(local, &m.accounts[local], i)
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

// holds returns the place of the position by which an account holds one side of a market, -1 when
// it does not.
func (m *Machine) holds(local, market uint32, isLong bool) int {
	a := &m.accounts[local]
	if a.flags&accountOpen == 0 {
		return -1
	}
	i := m.positions.find(&a.positions, uint16(market))
	if i < 0 || m.positions.size[i] == 0 || (m.positions.size[i] > 0) != isLong {
		return -1
	}
	return i
}
