package risk

import (
	"math/bits"

	"plimsoll/fixedpoint"
	"plimsoll/internal/prefetch"
)

// Most accounts hold perps of the main dex, have no orders and owe at most the numeraire. Their
// bands are made from the hot columns: the move is guessed in closed form, and a corner is one
// loop over the positions, in 64 bits, that ends in the same predicates as an evaluation in
// full. Whoever does not fit takes the long way (bandsearch.go).

// quickLeg is one position of a box made from the hot columns.
type quickLeg struct {
	size     int64
	price    uint64 // mark less funding at 1e-12
	place    uint32
	code     uint32
	bound    [2]uint32
	slot     uint16
	lever    uint16 // that initial margin counts
	adverse  uint8
	isolated bool
}

// quickBox is the box of one account: its legs, and the tokens of its collateral in bands.box.
type quickBox struct {
	legs       [hotPositionsMax]quickLeg
	count      int
	isBoth     bool // a better status is possible: two sides
	hasTokens  bool // collateral decides; otherwise it is left out and its box is wide
	wantsLines bool // figures are for a guess
	pad        int64
	unitsPerE6 uint64 // collateral units in one at 1e-6
	local      uint32
}

// quickTries bounds how often a guess is made smaller.
const quickTries = 5

// quickFigures are an account's figures at the present or a corner, in units; sums of the
// cross book by the side on which they lose.
type quickFigures struct {
	equityE12   i128
	notional    [2]uint64
	initial     [2]uint64
	maintenance [2]uint64
	isoEquity   i128
	isolated    status
	lines       uint64 // move that the nearest line of an isolated position allows
}

// end is where a box is looked at.
type end uint8

const (
	endNow end = iota
	endWorst
	endBest
)

// quickBand is band from the hot columns; isDone when they do.
func (m *Machine) quickBand(local uint32) (why bandOutcome, isDone bool) {
	q, a, h := &m.bands.quick, &m.accounts[local], &m.hot[local]
	if k := h.kind(); k == hotFull || k == hotLend && m.params.OffsetMode != OffsetNone {
		return bandNever, false
	}
	if !m.quickLegs(q, a, local) || h.kind() == hotLend && !m.quickTokens(a) {
		return bandNever, false
	}
	q.wantsLines = false
	f, ok := m.quickAt(q, endNow)
	if !ok {
		return bandNever, false
	}
	q.hasTokens = m.lent[local] < 0 && len(m.bands.box) > 0
	s := m.quickStatusAt(q, a, &f, endNow)
	if s != h.status() && len(m.bands.box) > 0 {
		q.hasTokens = true
		s = m.quickStatusAt(q, a, &f, endNow)
	}
	q.isBoth = !s.isBest()
	if s != h.status() || q.isBoth && h.kind() == hotLend && (len(m.bands.box) > 0 || m.lent[local] < 0) {
		return bandNever, h.kind() != hotLend
	}
	if m.quickRecall(q, a) && m.quickIsSafe(q, a, s) {
		return bandMade, true
	}
	return m.quickSearch(q, a, s)
}

// quickSearch begins with a box of next to nothing, which takes up what rooms and rounding need: if that
// is not safe the account stands on a line. What is left says how far the box may reach.
func (m *Machine) quickSearch(q *quickBox, a *account, s status) (why bandOutcome, isDone bool) {
	least := m.bands.leastMove()
	if !m.quickReach(q, least) {
		return bandNever, false
	}
	q.wantsLines = true
	f, ok := m.quickAt(q, endWorst)
	if !ok {
		return bandNever, false
	}
	if m.quickStatusAt(q, a, &f, endWorst) != s {
		return bandLater, true
	}
	move := m.quickGuess(q, a, &f, s)
	if q.isBoth {
		if f, ok = m.quickAt(q, endBest); !ok || m.quickStatusAt(q, a, &f, endBest) != s {
			return bandLater, ok
		}
		move = min(move, m.quickGuess(q, a, &f, s))
	}
	q.wantsLines = false
	move = min(least+move, moveMost)
	for range quickTries {
		if m.quickReach(q, move) && m.quickIsSafe(q, a, s) {
			m.quickSettle(q, a)
			m.bands.stats.Rebanded++
			return bandMade, true
		}
		move -= min(move-least, max(move/8, moveLeast))
	}
	return bandNever, false
}

// quickLegs lists an account's positions; false when one has a price without a code.
func (m *Machine) quickLegs(q *quickBox, a *account, local uint32) bool {
	m.bands.box = m.bands.box[:0]
	q.local, q.count, q.unitsPerE6 = local, 0, 1_000_000/uint64(m.sweepSubUnit)
	leverageMost := uint16(LeverageMax)
	if a.mode != ModeStandard {
		leverageMost = 10
	}
	isCross := false
	for i := a.positions.start; i < a.positions.start+uint32(a.positions.count); i++ {
		size := m.positions.size[i]
		if size == 0 {
			continue
		}
		key := m.positions.perp[i]
		price := m.hotPerps[key&^isolatedBit].valueE12
		if m.hotPerps[key&^isolatedBit].unitPrice == 0 || // funding alone, no mark yet
			price <= 0 || price > codePrice || q.count == hotPositionsMax {
			return false
		}
		l := &q.legs[q.count]
		l.size, l.price, l.place, l.code = size, uint64(price), i, codeOf(uint64(price))
		l.slot, l.isolated, l.adverse = key&^isolatedBit, key&isolatedBit != 0, uint8(uint64(size)>>63)
		l.lever = min(m.positions.leverage(int(i)), leverageMost)
		isCross = isCross || !l.isolated
		q.count++
	}
	q.pad = padPerTerm * int64(2+int(a.positions.count)+int(a.balances.count))
	return isCross
}

// quickTokens lists the collateral of a hotLend account in the box; false when it has a token
// that is judged by itself.
func (m *Machine) quickTokens(a *account) bool {
	items := m.balances.of(&a.balances)
	for i := 1; i < len(items); i++ {
		b, t := &items[i], &m.tokens[items[i].key]
		switch {
		case t.isBorrowable:
			return false
		case t.ltvE12 > 0 && b.lend.Sign() > 0:
			m.bands.add(PerpsMax+uint32(b.key), uint32(i), t.oracleE10, sideLow)
			if t.oracleE10 <= 0 || t.oracleE10 > codePrice {
				return false
			}
			m.bands.box[len(m.bands.box)-1].needs[sideLow] = true
		}
	}
	return m.numeraireIsFixed()
}

// quickAt returns the figures at present prices or at a corner; false when one is beyond the
// fast bounds.
func (m *Machine) quickAt(q *quickBox, at end) (f quickFigures, ok bool) {
	f.equityE12 = m.fixedE12[q.local]
	pad := int64(0)
	switch at {
	case endNow:
	case endWorst:
		pad = -q.pad
	case endBest:
		pad = q.pad
	}
	f.equityE12 = f.equityE12.Add(fixedpoint.Mul64(pad, m.sweepSubUnit))
	f.lines = moveMost
	table := (*[PerpsMax]hotPerp)(m.hotPerps)
	for i := range q.legs[:q.count] {
		l := &q.legs[i]
		h := &table[l.slot&(PerpsMax-1)]
		value, unit := l.price, h.unitPrice
		if at != endNow {
			value, unit, ok = m.quickPrice(q, l, at)
			if !ok {
				return f, false
			}
		}
		hi, n := bits.Mul64(uint64(max(l.size, -l.size)), unit)
		if hi != 0 || n >= h.bound {
			return f, false
		}
		mm := h.maintenanceFast(n)
		if l.isolated {
			m.quickIsolated(q, &f, l, value, n, mm, pad)
			continue
		}
		lever, side := uint64(l.lever), l.adverse&1
		f.equityE12 = f.equityE12.Add(fixedpoint.Mul64(l.size, int64(value)))
		f.notional[side] += n
		f.maintenance[side] += mm
		f.initial[side] += (n + lever - 1) / lever
	}
	return f, true
}

// quickPrice returns price and units per size unit at an end of a leg (enterPerp does the same
// to the machine).
func (m *Machine) quickPrice(q *quickBox, l *quickLeg, at end) (value, unit uint64, ok bool) {
	side := l.adverse
	if at == endBest {
		side = sideHigh - side
	}
	if side == sideLow {
		value = codeLowest(l.bound[sideLow])
	} else {
		value = codeHighest(l.bound[sideHigh])
	}
	room := &m.bands.epoch.cum[l.slot]
	var mark int64
	if at == endWorst {
		mark = (int64(value) + room.high + 999_999) / 1_000_000
	} else {
		mark = (int64(value) + room.low) / 1_000_000
	}
	if mark <= 0 { // a quotient rounded to zero counts too
		return 0, 0, false
	}
	over, unit := bits.Mul64(uint64(mark), q.unitsPerE6)
	return value, unit, over == 0
}

// quickIsolated judges an isolated leg by itself.
func (m *Machine) quickIsolated(q *quickBox, f *quickFigures, l *quickLeg, value, n, mm uint64, pad int64) {
	t := &m.positions.terms[l.place]
	worth := fixedpoint.Mul64(l.size, int64(value)).Add(fixedpoint.Mul64(l.size, t.cumE12)).DivFloor(m.sweepSubUnit)
	equity := worth.Add(fixedpoint.I128(t.raw + pad))
	f.isoEquity = f.isoEquity.Add(equity)
	f.isolated = f.isolated.or(isolatedStatus(equity, units128(mm)))
	if q.wantsLines {
		f.lines = min(f.lines, guessLines(equity, units128(mm), equity.Sub(units128(mm)), units128(n)))
	}
}

// quickStatusAt returns the status that figures come to.
func (m *Machine) quickStatusAt(q *quickBox, a *account, f *quickFigures, at end) status {
	equity := f.equityE12.DivFloor(m.sweepSubUnit)
	mm, initial := units128(f.maintenance[0]+f.maintenance[1]), units128(f.initial[0]+f.initial[1])
	if a.mode != ModePortfolio {
		return f.isolated.or(crossStanding(equity, mm, equity.Sub(initial)))
	}
	t := tokenFigures{token: m.numeraire, isoEquity: f.isoEquity, MM: mm, requirement: initial.Add(f.isoEquity)}
	var s status
	switch t.N = equity.Add(f.isoEquity); {
	case m.lent[q.local] < 0 || q.hasTokens:
		s = m.quickLending(q, a, &t, at)
	case at == endBest:
		n := m.tokens[m.numeraire].pool
		t.N = t.N.Add(mustFit(m.bands.epoch.pools[n].supplyHigh.ValueFloor(fixedpoint.I128(m.lent[q.local]))))
	default:
		t.N = t.N.Add(m.lendValue(q.local))
	}
	if mm.Sign() > 0 && equity.Less(mm) {
		s |= statusSharing
	}
	return f.isolated.or(t.standing(OffsetNone, i128{})) | s
}

// quickLending adds to the figures of a hotLend account what it has lent or owes and what its
// collateral counts for, and returns the status of its debt.
func (m *Machine) quickLending(q *quickBox, a *account, t *tokenFigures, at end) (s status) {
	p := &m.pools[m.tokens[m.numeraire].pool]
	index := p.debtIndex
	if at == endWorst {
		p.debtIndex = m.bands.epoch.pools[m.tokens[m.numeraire].pool].debtHigh
		m.swapTokens()
	}
	t.N = t.N.Add(m.lendValue(q.local))
	if q.hasTokens {
		t.LC, t.C = m.collateral(a, m.numeraire)
	}
	s = status(m.lendingOf(a)) << lendingShift
	if at == endWorst {
		p.debtIndex = index
		m.swapTokens()
	}
	return s
}

// swapTokens exchanges the prices of the box's tokens with their lower ends.
func (m *Machine) swapTokens() {
	for i := range m.bands.box {
		c := &m.bands.box[i]
		t := &m.tokens[c.number-PerpsMax]
		if c.isSwapped = !c.isSwapped; c.isSwapped {
			t.oracleE10 = int64(c.end(sideLow))
		} else {
			t.oracleE10 = int64(c.price)
		}
	}
}

// quickIsSafe reports that the status is s all over the box.
func (m *Machine) quickIsSafe(q *quickBox, a *account, s status) bool {
	f, ok := m.quickAt(q, endWorst)
	if ok = ok && m.quickStatusAt(q, a, &f, endWorst) == s; !ok || !q.isBoth {
		return ok
	}
	f, ok = m.quickAt(q, endBest)
	return ok && m.quickStatusAt(q, a, &f, endBest) == s
}

// quickRecall sets the box to the bounds that the account keeps; false when one is missing or
// passed.
func (m *Machine) quickRecall(q *quickBox, a *account) bool {
	for i := range q.legs[:q.count] {
		l := &q.legs[i]
		l.bound = [2]uint32{}
		for side := range uint8(2) {
			if side == l.adverse || q.isBoth {
				l.bound[side] = m.positions.bounds[l.place].get(side)
				if l.bound[side] == 0 || isOutside(side, l.bound[side], l.code) {
					return false
				}
			}
		}
	}
	for i := range m.bands.box {
		c := &m.bands.box[i]
		if c.bound[sideLow] = m.boundAt(a, c, sideLow); !c.holds() {
			return false
		}
	}
	return true
}

// quickReach sets the bounds of the box to a move; false when a token's cannot be kept.
func (m *Machine) quickReach(q *quickBox, move uint64) bool {
	up, _ := bits.Div64(1, 0, moveOne-move)
	for i := range q.legs[:q.count] {
		l := &q.legs[i]
		l.bound = [2]uint32{}
		if l.adverse == sideLow || q.isBoth {
			l.bound[sideLow] = lowerBound(l.price, l.code, move)
		}
		if l.adverse == sideHigh || q.isBoth {
			l.bound[sideHigh] = upperBound(l.price, l.code, up)
		}
	}
	if !q.hasTokens {
		move = moveMost
	}
	for i := range m.bands.box {
		c := &m.bands.box[i]
		c.bound[sideLow] = lowerBound(c.price, c.code, move)
		if !c.grain() {
			return false
		}
	}
	return true
}

// quickSettle keeps the bounds of the box. Buckets are lines that nobody has asked for, so all
// are asked for before the first is changed.
func (m *Machine) quickSettle(q *quickBox, a *account) {
	b := &m.bands
	todo := b.inserts[:0]
	for i := range q.legs[:q.count] {
		l := &q.legs[i]
		for side := range uint8(2) {
			was, now := m.positions.bounds[l.place].get(side), l.bound[side]
			switch {
			case now == 0 && was != 0:
				m.positions.keepBound(int(l.place), side, 0, false)
			case now != 0 && (was == 0 || !isWorthKeeping(side, was, now, l.code)):
				todo = append(todo, quickInsert{leg: uint8(i), side: side})
				m.askBucket(uint32(l.slot), side, now, false)
			}
		}
	}
	for _, x := range todo {
		l := &q.legs[x.leg]
		m.askBucket(uint32(l.slot), x.side, l.bound[x.side], true)
	}
	for _, x := range todo {
		l := &q.legs[x.leg]
		bound := slipped(x.side, l.bound[x.side], 0)
		m.positions.keepBound(int(l.place), x.side, bound, b.markOf(uint32(l.slot), x.side, bound))
		m.insertBound(uint32(l.slot), x.side, l.code, wheelEntry{local: q.local, code: bound})
	}
	b.inserts = todo
	if len(b.box) > 0 {
		m.settleBox(a, q.local)
	}
}

// quickInsert is a bound that has to go into its wheel.
type quickInsert struct{ leg, side uint8 }

// askBucket asks for the line in which the bucket of a bound stands, or for its first chunk.
func (m *Machine) askBucket(number uint32, side uint8, code uint32, isChunk bool) {
	pair := m.bands.pairs[number]
	if pair == nil {
		return
	}
	switch head := pair.sides[side].headOf(code); {
	case head == nil:
	case !isChunk:
		prefetch.Item(head)
	case *head != 0:
		prefetch.Item(m.bands.store.chunk(*head))
	}
}
