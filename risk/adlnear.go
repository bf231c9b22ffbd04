package risk

import "slices"

// The ranking of a market's side is found without looking at all who hold it. An account with a
// band has, in the wheel of the market's price, a bound on the side on which the position loses:
// up to there it loses no more than what stands behind it, else its status would change. So who
// has a bound a distance d away has notional/value of at most price/d, and with the extremes of
// what was ever paid in the market a place in the ranking of at most
//
//	longs    mark/lowest paid x mark/d        shorts    highest paid/mark x mark/d
//
// The wheel is read from the price outwards, and no further than where that is less than the
// places found. Those without a band that holds are awake, under liquidation (an equity below zero
// ends the argument) or in a bucket that a crash has put aside, and are looked at in any case.

// ranking is one market's side while its holders are ranked.
type ranking struct {
	market uint32
	isLong bool
	round  uint32   // what seen says of who was considered in this one
	seen   []uint32 // by place in accounts
}

func (m *Machine) beginRanking(market uint32, isLong bool) {
	r := &m.rankOf
	if len(r.seen) < len(m.accounts) || r.round == 1<<32-1 {
		r.seen, r.round = make([]uint32, len(m.accounts)), 0
	}
	r.market, r.isLong = market, isLong
	r.round++
	m.rankBuf = m.rankBuf[:0]
}

// consider adds an account to the ranking, once, if it holds the side and has no loss of its own
// to be covered.
func (m *Machine) consider(local uint32) {
	r := &m.rankOf
	if r.seen[local] == r.round {
		return
	}
	r.seen[local] = r.round
	if !m.holds(local, r.market, r.isLong) {
		return
	}
	if _, isBroken := slices.BinarySearch(m.broken, local*m.cfg.Shards+m.cfg.Shard); isBroken {
		return
	}
	if h, ok := m.rank(local, r.market); ok {
		m.rankBuf = append(m.rankBuf, h)
	}
}

// considerChain considers the accounts of a bucket, stale entries and all.
func (m *Machine) considerChain(head uint32) {
	for head != 0 {
		c := m.bands.store.chunk(head)
		entries := c.entries[:c.count()]
		for _, e := range entries {
			m.prefetchColumns(e.local)
		}
		for _, e := range entries {
			m.prefetchBlocks(e.local)
		}
		for _, e := range entries {
			m.consider(e.local)
		}
		head = c.next()
	}
}

// rankNear leaves in rankBuf all who can be among the highest that reach wanted.
func (m *Machine) rankNear(market uint32, isLong bool, wanted i128) {
	b := &m.bands
	m.beginRanking(market, isLong)
	side := uint8(sideLow)
	if !isLong {
		side = sideHigh
	}
	for _, local := range b.awake {
		m.consider(local)
	}
	for i := range m.liquidations {
		m.consider(m.liquidations[i].account / m.cfg.Shards)
	}
	if slot := m.params.BackstopAccount; m.accountAt(slot) != nil {
		m.consider(slot / m.cfg.Shards)
	}
	for i := range b.owed { // of any price: who has left his box on one side may lose more than his bounds say
		m.considerChain(b.owed[i].head)
	}
	if pair := b.pairs[market]; pair != nil {
		m.rankOutwards(&pair.sides[side], pair.at>>bucketShift, wanted)
	}
}

// rankOutwards reads a wheel from the bucket of the present price outwards. It looks whether it
// has enough each time it has read twice as many as before.
func (m *Machine) rankOutwards(w *wheel, at uint32, wanted i128) {
	last := uint32(bucketsPage) // below it no price has a code
	if w.isUpper {
		last = pagesMax*bucketsPage - 1
	}
	next := 2*len(m.rankBuf) + rankStep
	for {
		var ok bool
		if at, ok = w.nextTaken(at, last); !ok {
			return
		}
		if len(m.rankBuf) >= next {
			if m.isRanked(w, at, wanted) {
				return
			}
			next = 2 * len(m.rankBuf)
		}
		m.considerChain(w.pages[at/bucketsPage].heads[at%bucketsPage])
		if at == last {
			return
		}
		if w.isUpper {
			at++
		} else {
			at--
		}
	}
}

// rankStep is how many accounts are ranked before it is asked for the first time whether they do.
const rankStep = 256

// isRanked reports whether those ranked so far reach wanted with places that nobody can have whose
// bound stands in a bucket or beyond.
func (m *Machine) isRanked(w *wheel, bucket uint32, wanted i128) bool {
	top := highest(m.rankBuf, wanted)
	var sum i128
	for i := range top {
		sum = sum.Add(i128{Lo: uint64(top[i].size)})
	}
	if sum.Less(wanted) || len(top) == 0 {
		return false
	}
	most, ok := m.placeBeyond(w.isUpper, bucket)
	return ok && most < top[len(top)-1].score
}

// placeBeyond returns the highest place that anybody can have whose bound stands in a bucket or
// beyond; false when it may be any. What stands behind a position is rounded down to a unit, so
// each size unit loses one less.
func (m *Machine) placeBeyond(isUpper bool, bucket uint32) (score uint64, ok bool) {
	p := &m.perps[m.rankOf.market]
	now, slack := uint64(m.hotPerps[m.rankOf.market].valueE12), uint64(p.subUnit())
	code := bucket << bucketShift
	place := i128{Lo: scoreOne}
	var far uint64
	if isUpper {
		far = codeLowest(code)
		if far <= now+slack {
			return 0, false
		}
		far -= now + slack
		place = fitOrMax(place.MulDivCeil128(i128{Lo: uint64(p.paidHigh)}, i128{Lo: 1}))
	} else {
		far = codeHighest(code | (1<<bucketShift - 1))
		if far+slack >= now || p.paidLow <= 0 {
			return 0, false
		}
		far = now - far - slack
		place = fitOrMax(place.MulDivCeil128(i128{Lo: uint64(p.mark)}, i128{Lo: uint64(p.paidLow)}))
		place = fitOrMax(place.MulDivCeil128(i128{Lo: uint64(p.mark)}, i128{Lo: 1}))
	}
	place = fitOrMax(place.MulDivCeil128(i128{Lo: 1_000_000}, i128{Lo: far}))
	return place.Lo, place.Hi == 0
}
