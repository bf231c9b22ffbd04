package risk

import "plimsoll/fixedpoint"

// joints are the prices of an account that move together.
type joints struct {
	perps     []jointPrice
	tokens    []jointPrice
	upMax     int64 // at 1e-8: beyond it some price would pass its limit
	isUnknown bool
}

// jointPrice is one price as it stands.
type jointPrice struct {
	slot  uint32
	price int64
}

// openJoint notes the marks of an account's positions and the prices of its collateral.
func (m *Machine) openJoint(a *account) (j joints) {
	j.upMax = jointUpMax
	for i := int(a.positions.start); i < int(a.positions.start)+int(a.positions.count); i++ {
		if size := m.positions.size[i]; size != 0 {
			slot := uint32(m.positions.perp[i] &^ isolatedBit)
			j.perps = append(j.perps, jointPrice{slot, m.perps[slot].mark})
			j.bound(m.perps[slot].mark, m.markMax(size))
		}
	}
	if a.mode != ModePortfolio {
		return j
	}
	for _, b := range m.balances.of(&a.balances) {
		if b.key&dexBit != 0 || uint32(b.key) == m.numeraire || m.tokens[b.key].ltvE12 == 0 || b.lend.IsZero() && b.cash.Sign() >= 0 {
			continue
		}
		j.tokens = append(j.tokens, jointPrice{uint32(b.key), m.tokens[b.key].oracleE10})
		j.bound(m.tokens[b.key].oracleE10, OraclePriceMax)
	}
	return j
}

// bound notes how far a price may rise.
func (j *joints) bound(price, most int64) {
	if price == 0 {
		j.isUnknown = true
		return
	}
	if room, ok := fixedpoint.MulDivFloor(max(most-price, 0), jointOne, price); ok {
		j.upMax = min(j.upMax, room)
	}
}

// move writes all prices at (1 + moveE8 x 1e-8) of what they were, rounded down, one unit at
// least.
func (m *Machine) move(j *joints, moveE8 int64) {
	for _, x := range j.perps {
		m.setMark(x.slot, moved(x.price, moveE8))
	}
	for _, x := range j.tokens {
		m.tokens[x.slot].oracleE10 = moved(x.price, moveE8)
	}
}

func moved(price, moveE8 int64) int64 {
	if moveE8 == 0 {
		return price
	}
	v, ok := fixedpoint.MulDivFloor(price, jointOne+moveE8, jointOne)
	if !ok {
		panic("risk: BUG: a joint move passes the limits of a price")
	}
	return max(v, 1)
}

// joint finds the least move of all prices together, down (sign -1) or up (+1), at which
// the account is past a line.
func (m *Machine) joint(a *account, j *joints, sign int64) JointMove {
	switch {
	case j.isUnknown:
		return JointMove{Why: CrossingUnknown}
	case len(j.perps)+len(j.tokens) == 0:
		if m.crossed(a, m.evaluateForLine(a)).Kind != LineNone {
			return JointMove{Why: CrossingPast}
		}
		return JointMove{Why: CrossingNever}
	}
	hunt := search{to: -jointDownMax}
	if sign > 0 {
		hunt.to = j.upMax
	}
	found, why := hunt.run(func(moveE8 int64) bool {
		m.move(j, moveE8)
		return m.crossed(a, m.evaluateForLine(a)).Kind != LineNone
	})
	x := JointMove{Why: why}
	if why == CrossingFound {
		m.move(j, found)
		x.MoveE8, x.Line = max(found, -found), m.crossed(a, m.evaluateForLine(a))
	}
	m.move(j, 0)
	return x
}
