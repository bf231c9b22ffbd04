package risk

import (
	"slices"

	"plimsoll/fixedpoint"
	"plimsoll/internal/prefetch"
)

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
// ends the argument), and are looked at in any case. While a crash has put buckets aside no band is
// relied upon: then all accounts are considered.

// ranking is one market's side while its holders are ranked.
type ranking struct {
	market uint32
	isLong bool
	round  uint32   // what seen says of who was ranked in this one
	seen   []uint32 // by place in accounts

	wanted i128            // sizes that those found need reach; 0 = everybody is ranked
	sum    i128            // of those found
	least  uint64          // once they do: the lowest place found, below which nobody is wanted
	trimAt int             // so many found are cut down to those who are wanted
	share  uint64          // see mostShare
	values [PerpsMax]int64 // of one size unit, as in pass, or valueUnknown
	supply uint64          // as in pass
	batch  considered
}

// beginRanking begins with a market's side. Without a wanted size nothing is left out.
func (m *Machine) beginRanking(market uint32, isLong bool, wanted i128) {
	r := &m.rankOf
	if len(r.seen) < len(m.accounts) || r.round == 1<<32-1 {
		r.seen, r.round = make([]uint32, len(m.accounts)), 0
	}
	r.market, r.isLong, r.wanted, r.sum = market, isLong, wanted, i128{}
	r.round++
	r.least, r.trimAt, r.batch.count = 0, 0, 0
	m.rankBuf = m.rankBuf[:0]
	r.share = m.mostShare()
}

// rankAll leaves in rankBuf all who hold a market's side, by nothing but an exact look at everybody.
func (m *Machine) rankAll(market uint32, isLong bool) {
	m.beginRanking(market, isLong, i128{})
	for local := range m.accounts {
		m.rankOne(uint32(local))
	}
}

// rankOne adds an account to the ranking, once, if it holds the side.
func (m *Machine) rankOne(local uint32) {
	r := &m.rankOf
	if r.seen[local] == r.round {
		return
	}
	r.seen[local] = r.round
	if at := m.holds(local, r.market, r.isLong); at >= 0 {
		m.rankHeld(local, at)
	}
}

// rankHeld adds an account that holds the side with position i, if it has no loss of its own to be
// covered.
func (m *Machine) rankHeld(local uint32, i int) {
	r := &m.rankOf
	h, ok := m.rank(local, i)
	if !ok || h.score < r.least {
		return
	}
	if _, isBroken := slices.BinarySearch(m.broken, h.account); isBroken {
		return
	}
	m.rankBuf = append(m.rankBuf, h)
	r.sum = r.sum.Add(fixedpoint.I128(h.size))
	if len(m.rankBuf) >= r.trimAt && r.wanted.Sign() > 0 && !r.sum.Less(r.wanted) {
		m.trimRanking()
	}
}

// trimRanking drops those found who are not wanted.
func (m *Machine) trimRanking() {
	r := &m.rankOf
	n := reaching(m.rankBuf, r.wanted)
	m.rankBuf = m.rankBuf[:n]
	r.least, r.sum, r.trimAt = m.rankBuf[n-1].score, sizesOf(m.rankBuf), n+n/2+rankBatch
}

// rankChains is how many buckets are read side by side: the way from chunk to chunk is a wait.
const rankChains = 8

// considerChains considers the accounts of some buckets, stale entries and all.
func (m *Machine) considerChains(heads []uint32) {
	for isMore := true; isMore; {
		isMore = false
		for i, head := range heads {
			if head == 0 {
				continue
			}
			c := m.bands.store.chunk(head)
			if heads[i] = c.next(); heads[i] != 0 {
				isMore = true
				prefetch.Item(m.bands.store.chunk(heads[i]))
			}
			for _, e := range c.entries[:c.count()] {
				m.consider(e.local)
			}
		}
	}
}

// rankNear leaves in rankBuf all who can be among the highest that reach wanted.
func (m *Machine) rankNear(market uint32, isLong bool, wanted i128) {
	b := &m.bands
	m.beginRanking(market, isLong, wanted)
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
	if pair := b.pairs[market]; pair != nil {
		m.rankOutwards(&pair.sides[side], pair.at>>bucketShift)
	}
	m.considerBatch()
}

// rankOutwards reads a wheel from the bucket of the present price outwards, until nobody whose
// bound stands further out can be wanted.
func (m *Machine) rankOutwards(w *wheel, at uint32) {
	last := uint32(bucketsPage) // below it no price has a code
	if w.isUpper {
		last = pagesMax*bucketsPage - 1
	}
	var heads [rankChains]uint32
	for isMore := true; isMore; {
		n, most := 0, rankChains
		if m.rankOf.least == 0 {
			most = 1 // nobody knows yet how far
		}
		for n < most && isMore {
			at, isMore = w.nextTaken(at, last)
			if isMore = isMore && m.reaches(w.isUpper, at); isMore {
				heads[n] = w.pages[at/bucketsPage].heads[at%bucketsPage]
				n++
				at, isMore = w.beyond(at), at != last
			}
		}
		m.considerChains(heads[:n])
	}
}

// beyond returns the next bucket outwards.
func (w *wheel) beyond(at uint32) uint32 {
	if w.isUpper {
		return at + 1
	}
	return at - 1
}

// reaches reports whether somebody whose bound stands in a bucket can be wanted.
func (m *Machine) reaches(isUpper bool, bucket uint32) bool {
	if m.rankOf.least == 0 {
		return true
	}
	most, isKnown := m.placeBeyond(isUpper, bucket)
	return !isKnown || most >= m.rankOf.least
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
		place = fitOrMax(place.MulDivCeil128(i128{Lo: uint64(p.paidHigh + entryRise)}, i128{Lo: 1}))
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
