package risk

import "math/bits"

// Guesses of how far a box may reach. They are checked as any box is, so that a bad one costs
// tries or width and nothing else.

// guessShift is the precision of the iteration below: moves at 2^-20, sums at 23 bits.
const (
	guessShift = 20
	guessBits  = 23
)

// guess returns a move close to, and mostly a little below, the one that uses up a slack: what
// falls with prices loses linear x move, what rises with them loses convex x move / (1 - move).
// All are in the same units; the move is at 2^-32.
func guess(slack, linear, convex uint64) uint64 {
	slope := linear + convex
	if slope == 0 {
		return moveMost
	}
	if slack/2 >= slope {
		return moveMost
	}
	move, _ := bits.Div64(slack>>32, slack<<32, slope)
	if move < moveOne>>8 {
		return move - move>>7 - move>>12
	}
	move = refined(min(move, moveOne/8*7), slack, linear, convex)
	return min(move-move>>7, moveMost)
}

// refined solves linear x move + convex x move / (1 - move) = slack by three of Newton's steps.
// The left side is convex and rises, so that from above they come down to it.
func refined(move, slack, linear, convex uint64) uint64 {
	const one = 1 << guessShift
	shift := max(bits.Len64(linear|convex), guessBits) - guessBits
	a, c, v := int64(linear>>shift), int64(convex>>shift), int64(min(slack>>shift, 4<<guessBits))
	x := int64(move >> (32 - guessShift))
	for range 3 {
		y := one - x
		rest := a*x>>guessShift + c*x/y - v
		x -= rest << guessShift / max(a+c<<(2*guessShift)/(y*y), 1)
		x = min(max(x, 0), one/16*15)
	}
	return uint64(x) << (32 - guessShift)
}

// guessAt returns the move from which a search in full begins: the least over all lines of what
// is between an account and the line over all that moves.
func (m *Machine) guessAt(a *account, f *figures) uint64 {
	move := uint64(moveMost)
	var iso i128
	for i := range f.usedN {
		d := &f.dexes[f.used[i]]
		iso = iso.Add(d.isoNtl)
		gross := d.crossNtl.Add(d.isoNtl)
		if d.crossMM.Sign() > 0 {
			move = min(move, guessed(d.crossValue.Sub(d.crossMM), gross))
		}
		if a.mode == ModeStandard {
			move = min(move, guessLines(d.crossValue, d.crossMM, d.crossValue.Sub(d.initial).Sub(d.orderMargin), gross))
		}
	}
	if a.mode != ModeStandard {
		for i := range f.usedN {
			move = min(move, m.guessToken(a, f, m.dexes[f.used[i]].collateral))
		}
	}
	if a.mode == ModePortfolio {
		move = min(move, m.guessToken(a, f, m.numeraire))
		for _, b := range m.balances.of(&a.balances) {
			if q := uint32(b.key); b.key&dexBit == 0 && q != m.numeraire && m.tokens[q].isBorrowable {
				move = min(move, m.guessToken(a, f, q))
			}
		}
	}
	if iso.Sign() > 0 {
		move = min(move, m.guessIsolated(a))
	}
	s := m.lendingSums(a)
	if s.debt.Sign() > 0 {
		for _, line := range [3]i128{s.capacity, s.partial, s.full} {
			move = min(move, guessed(line.Sub(s.debt), line.Add(s.debt)))
		}
	}
	return move
}

// guessToken is guessAt for the lines of one settlement token.
func (m *Machine) guessToken(a *account, f *figures, q uint32) uint64 {
	t := m.tokenFiguresOf(a, f, q)
	gross := t.LC.Add(t.LC)
	for i := range f.usedN {
		if n := f.used[i]; m.dexes[n].collateral == q {
			gross = gross.Add(f.dexes[n].crossNtl)
		}
	}
	return guessLines(t.net().Add(t.LC), t.MM, t.available(), gross)
}

// guessIsolated is guessAt for isolated positions.
func (m *Machine) guessIsolated(a *account) uint64 {
	move := uint64(moveMost)
	for i := int(a.positions.start); i < int(a.positions.start)+int(a.positions.count); i++ {
		if m.positions.isIsolated(i) && m.positions.size[i] != 0 {
			slot := m.positions.perp[i] &^ isolatedBit
			x := m.measure(slot, m.positions.size[i], m.positions.leverage(i))
			equity := m.isolatedEquity(i, &m.perps[slot])
			move = min(move, guessLines(equity, x.maintenance, equity.Sub(x.maintenance), x.notional))
		}
	}
	return move
}

// guessLines is the least of an equity's ways to its lines.
func guessLines(equity, maintenance, headroom, gross i128) uint64 {
	move := min(guessed(headroom, gross), guessed(equity.Sub(maintenance), gross), guessed(equity, gross))
	return min(move, guessed(equity.Sub(maintenance).Add(maintenance.DivFloor(3)), gross))
}

// guessed returns the move that uses up a slack, either way, when gross moves by it.
func guessed(slack, gross i128) uint64 {
	v, g := slack.Abs(), gross.Abs()
	if shift := max(64-bits.LeadingZeros64(g.Hi), 64-bits.LeadingZeros64(v.Hi)); shift > 0 {
		v.Lo, g.Lo = v.Lo>>shift|v.Hi<<(64-shift), g.Lo>>shift|g.Hi<<(64-shift)
	}
	return guess(v.Lo, g.Lo>>1, g.Lo>>1)
}

// quickGuess returns the move to try first.
func (m *Machine) quickGuess(q *quickBox, a *account, f *quickFigures, s status) uint64 {
	move := f.lines
	equity := f.equityE12.DivFloor(m.sweepSubUnit)
	maintenance, linear := f.maintenance, uint64(0)
	if a.mode == ModePortfolio {
		move = min(move, f.guessLine(equity, f.maintenance, 0))
		lent := m.lendValue(q.local)
		if equity = equity.Add(lent); lent.Sign() < 0 {
			equity = equity.Add(lent.DivFloor(1 << poolRoomShift))
		}
		maintenance = [2]uint64{f.maintenance[0] / 19 * 20, f.maintenance[1] / 19 * 20} // the ratio of 0.95
	}
	if q.hasTokens {
		_, capacity := m.collateral(a, m.numeraire)
		equity, linear = equity.Add(capacity), min(slackOf(capacity), 1<<61)
		if s := m.lendingSums(a); s.debt.Sign() > 0 {
			slack := s.capacity.Sub(s.debt).Sub(s.debt.DivFloor(1 << poolRoomShift))
			move = min(move, guess(slackOf(nonNegative(slack)), slackOf(s.capacity), 0))
		}
	}
	if move = min(move, f.guessLine(equity, f.initial, linear)); s.isBest() {
		return move
	}
	two := [2]uint64{f.maintenance[0] / 3 * 2, f.maintenance[1] / 3 * 2}
	move = min(move, f.guessLine(equity, maintenance, linear), f.guessLine(equity, two, linear))
	return min(move, f.guessLine(equity, [2]uint64{}, linear))
}

// guessLine returns the move that takes an equity to a requirement, from either side; linear
// is what falls with prices beside the positions.
func (f *quickFigures) guessLine(equity i128, need [2]uint64, linear uint64) uint64 {
	loses := [2]uint64{linear + f.notional[0] - min(need[0], f.notional[0]), f.notional[1] + need[1]}
	slack := equity.Sub(units128(need[0] + need[1]))
	if slack.Sign() < 0 {
		return guess(slackOf(slack.Neg()), loses[1], loses[0])
	}
	return guess(slackOf(slack), loses[0], loses[1])
}

// slackOf narrows a slack of units; what is more is as good as any.
func slackOf(v i128) uint64 {
	if v.Hi != 0 {
		return 1 << 63
	}
	return v.Lo
}
