package risk

import "math/bits"

// How far a box reaches is one number for all its prices: the move, at 2^-32 of the price, on
// the way down; up it is the inverse, so that both are as far in ratio.
const (
	moveOne   = 1 << 32
	moveMost  = moveOne / 4 * 3 // a quarter of the price, or four times it
	moveLeast = moveOne >> codeBits
	moveFine  = moveOne >> 12 // below this the widest box is found to the last code
)

// bandSizeMax bounds |size| x mark at a corner, in bits: sums of requirements stay in 128.
const bandSizeMax = 66

// openBox lists the prices that an account's figures read; false when it has one that cannot
// be bounded. s is its status: sides on which nothing can change stay open.
func (m *Machine) openBox(a *account, f *figures, s status) bool {
	b := &m.bands
	b.box, b.crossDexes, b.isOff = b.box[:0], 0, false
	for i := a.positions.start; i < a.positions.start+uint32(a.positions.count); i++ {
		size := m.positions.size[i]
		if size == 0 {
			continue
		}
		slot := uint32(m.positions.perp[i] &^ isolatedBit)
		if m.positions.perp[i]&isolatedBit == 0 {
			b.crossDexes |= 1 << m.hotPerps[slot].dex
		}
		adverse := uint8(sideLow)
		if size < 0 {
			adverse = sideHigh
		}
		if m.hotPerps[slot].unitPrice == 0 {
			return false
		}
		b.add(slot, i, m.hotPerps[slot].valueE12, adverse)
	}
	if (a.mode == ModePortfolio || m.hasDebt(a)) && !m.boxTokens(a, f) {
		return false
	}
	for i := range b.box {
		c := &b.box[i]
		c.needs[c.adverse] = true
		if c.isBoth || !s.isBest() {
			c.needs = [2]bool{true, true}
		}
	}
	return true
}

// hasDebt reports that an account owes a pool something.
func (m *Machine) hasDebt(a *account) bool {
	for _, b := range m.balances.of(&a.balances) {
		if b.lend.Sign() < 0 {
			return true
		}
	}
	return false
}

// add appends a coordinate. A price without a code is not one to make a box around, but a side
// of an older box may hold it.
func (b *bands) add(number, place uint32, price int64, adverse uint8) {
	b.isOff = b.isOff || price <= 0 || price > codePrice
	b.box = append(b.box, coordinate{number: number, place: place, price: uint64(price), code: priceCode(price), adverse: adverse})
}

// boxTokens adds the tokens whose borrow oracle price a portfolio account reads: what it lends
// as collateral, what it owes, and settlement tokens other than the numeraire.
func (m *Machine) boxTokens(a *account, f *figures) bool {
	items := m.balances.of(&a.balances)
	for i := range items {
		b := &items[i]
		q := uint32(b.key)
		if b.key&dexBit != 0 || q == m.numeraire {
			continue
		}
		t := &m.tokens[q]
		isCollateral := t.ltvE12 > 0 && b.lend.Sign() > 0
		owes := b.lend.Sign() < 0 || b.cash.Sign() < 0
		isSettled := t.isBorrowable || m.settlesDex(f, q) && m.params.OffsetMode != OffsetNone
		if !isCollateral && !owes && !isSettled {
			continue
		}
		adverse := uint8(sideLow)
		if owes {
			adverse = sideHigh
		}
		if isCollateral && owes {
			return false
		}
		m.bands.add(PerpsMax+q, uint32(i), t.oracleE10, adverse)
		m.bands.box[len(m.bands.box)-1].isBoth = isSettled
	}
	return m.numeraireIsFixed() && m.dexTokensHaveBalances(a, f)
}

// numeraireIsFixed reports that the numeraire is worth one of itself, as from the first tick on.
func (m *Machine) numeraireIsFixed() bool { return m.tokens[m.numeraire].oracleE10 == oracleOne }

// dexTokensHaveBalances reports that every settlement token of the account's dexes whose price
// is read has a balance to keep its bounds with.
func (m *Machine) dexTokensHaveBalances(a *account, f *figures) bool {
	for i := range f.usedN {
		q := m.dexes[f.used[i]].collateral
		isRead := q != m.numeraire && (m.tokens[q].isBorrowable || m.params.OffsetMode != OffsetNone)
		if isRead && m.balanceOf(a, uint16(q)) == nil {
			return false
		}
	}
	return true
}

// reach sets the bounds of the box to a move; false when they would leave what can be counted.
func (m *Machine) reach(move uint64) bool {
	up, _ := bits.Div64(1, 0, moveOne-move) // its inverse
	for i := range m.bands.box {
		c := &m.bands.box[i]
		c.bound = [2]uint32{}
		if c.needs[sideLow] {
			c.bound[sideLow] = lowerBound(c.price, c.code, move)
		}
		if c.needs[sideHigh] {
			c.bound[sideHigh] = upperBound(c.price, c.code, up)
		}
		if c.isToken() && !c.grain() || !c.isToken() && !m.isCountable(c) {
			return false
		}
	}
	return true
}

// lowerBound returns the bound that lies a move below a price of a code, or that code.
func lowerBound(price uint64, code uint32, move uint64) uint32 {
	return min(codeAbove(price-scaled(price, move)), code)
}

// upperBound returns the bound at up times a price of a code, or that code.
func upperBound(price uint64, code uint32, up uint64) uint32 {
	return max(codeBelow(min(price+scaled(price, up-moveOne), codePrice)), code)
}

// scaled returns price x factor, the factor at 2^-32, rounded down, or all ones.
func scaled(price, factor uint64) uint64 {
	hi, lo := bits.Mul64(price, factor)
	if hi>>32 != 0 {
		return codePrice
	}
	return hi<<32 | lo>>32
}

// grain takes a token's bounds inwards to what a balance can keep, if the price stays inside.
func (c *coordinate) grain() bool {
	for side := range uint8(2) {
		if c.bound[side] != 0 {
			c.bound[side] = grained(side, c.bound[side])
		}
	}
	return c.holds()
}

// isCountable reports that the notional at the far end of a position's box can be summed.
func (m *Machine) isCountable(c *coordinate) bool {
	size := m.positions.size[c.place]
	far := c.price
	if c.bound[sideHigh] != 0 {
		far = c.end(sideHigh)
	}
	return bits.Len64(uint64(max(size, -size)))+bits.Len64(far/1_000_000+1) <= bandSizeMax
}

// try sets the box to a move and checks it.
func (m *Machine) try(a *account, s status, move uint64) bool {
	return m.reach(move) && m.isSafe(a, s)
}

// widest sets the box to a move that is safe; false when none is. It goes down from a guess
// until one is; from a guess that is safe at once it goes up as long as that is a gain.
func (m *Machine) widest(a *account, s status, move uint64) bool {
	if !m.try(a, s, move) {
		for move >= moveLeast {
			if move -= move/4 + move/8; m.try(a, s, move) {
				return true
			}
		}
		return m.try(a, s, 0)
	}
	for move < moveMost {
		wider := min(move+max(move/2, moveLeast), moveMost)
		if !m.try(a, s, wider) {
			break
		}
		move = wider
	}
	return m.reach(move)
}

// bandOutcome says what came of giving an account a band.
type bandOutcome uint8

const (
	bandMade  bandOutcome = iota
	bandLater             // it stands on a line
	bandNever             // margin is shared at every tick, a price is unknown, or its status is not told yet
)

// band gives an account a band.
func (m *Machine) band(local uint32) bandOutcome {
	a := &m.accounts[local]
	if a.flags&accountUnvalued != 0 {
		return bandNever
	}
	if why, isDone := m.quickBand(local); isDone {
		return why
	}
	f := m.evaluate(a)
	s := m.statusOf(a, f)
	if s != m.hot[local].status() || f.unpriced || !m.openBox(a, f, s) || m.bands.isOff {
		return bandNever
	}
	if m.recall(a) && m.isSafe(a, s) {
		return bandMade
	}
	move, ok := m.guessBox(a, s)
	if !ok || !m.widest(a, s, move) {
		return bandLater
	}
	m.settleBox(a, local)
	m.bands.stats.Rebanded++
	return bandMade
}

// leastMove returns the least move of the box: two steps of a token's bounds, if it has a token.
func (b *bands) leastMove() uint64 {
	for i := range b.box {
		if b.box[i].isToken() {
			return 2 * moveLeast << tokenGrain
		}
	}
	return 0
}

// guessBox returns a move to begin with: what a box of next to nothing, with all that rooms and
// rounding need, leaves over; false when that is not safe.
func (m *Machine) guessBox(a *account, s status) (move uint64, ok bool) {
	least := m.bands.leastMove()
	if !m.reach(least) {
		return 0, false
	}
	m.enterCorner(a, true)
	f := m.evaluate(a)
	ok, move = m.statusOf(a, f) == s, m.guessAt(a, f)
	m.leaveCorner(a)
	if ok && !s.isBest() {
		m.enterCorner(a, false)
		f = m.evaluate(a)
		ok, move = m.statusOf(a, f) == s, min(move, m.guessAt(a, f))
		m.leaveCorner(a)
	}
	return min(least+move, moveMost), ok
}

// recall sets the box to the bounds that the account keeps; false when one is missing or
// passed.
func (m *Machine) recall(a *account) bool {
	for i := range m.bands.box {
		c := &m.bands.box[i]
		for side := range uint8(2) {
			c.bound[side] = 0
			if c.needs[side] {
				c.bound[side] = m.boundAt(a, c, side)
			}
		}
		if !c.holds() {
			return false
		}
	}
	return true
}

// settleBox keeps the bounds of the box. One that stands inside of the new one, and not less
// than half as far from the price, stays: so a passed bound mostly costs one new entry.
func (m *Machine) settleBox(a *account, local uint32) {
	for i := range m.bands.box {
		c := &m.bands.box[i]
		for side := range uint8(2) {
			kept := m.boundAt(a, c, side)
			switch {
			case !c.needs[side]:
				if kept != 0 {
					m.keepBound(a, c, side, 0, false)
				}
			case kept == 0 || !isWorthKeeping(side, kept, c.bound[side], c.code):
				bound := slipped(side, c.bound[side], c.grainBits())
				m.keepBound(a, c, side, bound, m.bands.markOf(c.number, side, bound))
				m.insertBound(c.number, side, c.code, wheelEntry{local: local, code: bound})
			}
		}
	}
}

// isWorthKeeping reports that a kept bound stands inside of a new one, and not less than half
// as far from the price.
func isWorthKeeping(side uint8, kept, bound, code uint32) bool {
	if side == sideLow {
		return kept >= bound && kept <= code && code-kept >= (code-bound)/2
	}
	return kept <= bound && kept >= code && kept-code >= (bound-code)/2
}
