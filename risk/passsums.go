package risk

import (
	"math/bits"

	"plimsoll/fixedpoint"
)

// passFlush is after how many accounts the net sizes of perps are valued.
const passFlush = 1 << 13

// sumAll adds every account of this shard. Of accounts that are clear, equity is summed as
// fixed cash plus, for each perp, net size x value; the others are taken off and added one by
// one.
func (m *Machine) sumAll(s *Sums) {
	for from := 0; from < len(m.hot); from += passAccounts {
		m.sumBlock(s, from)
		if (from+passAccounts)%passFlush == 0 {
			m.flushSums()
		}
	}
	m.flushSums()
}

// sumBlock adds the accounts of a block.
func (m *Machine) sumBlock(s *Sums, from int) {
	c := m.passColumns(from)
	look, notional, maintenance := m.pass.addUp(&c)
	c.prefetch(m, look)
	fixed := m.sweptE12
	var lent i128
	var positions, healthy uint64
	lents, fixeds := c.lent[:len(c.hot)], c.fixed[:len(c.hot)]
	for i := range c.hot {
		if look>>(i&63)&1 != 0 {
			continue
		}
		healthy++
		positions += uint64(c.hot[i].count)
		fixed = fixed.Add(fixeds[i])
		if lents[i] != 0 {
			lent = lent.Add(m.lentWorth(uint32(from + i)))
		}
	}
	m.sweptE12 = fixed
	s.Equity = s.Equity.Add(lent)
	s.Accounts, s.Positions, s.Bands[HealthHealthy] = s.Accounts+healthy, s.Positions+positions, s.Bands[HealthHealthy]+healthy
	for ; look != 0; look &= look - 1 {
		i := bits.TrailingZeros64(look)
		n, mm := m.pass.takeOff(&c, i)
		notional, maintenance = notional-n, maintenance-mm
		m.sumOne(s, uint32(from+i))
	}
	s.Notional, s.Maintenance = s.Notional.Add(units128(notional)), s.Maintenance.Add(units128(maintenance))
}

// flushSums values the net sizes of perps.
func (m *Machine) flushSums() {
	for slot := range m.perpCount {
		x := &m.pass.lines[slot]
		m.sweptE12 = m.sweptE12.Add(fixedpoint.Mul64(x.net, m.hotPerps[slot].valueE12))
		x.net = 0
	}
}

// lentWorth is lendValue of an account that lends. One product is nearly always enough: it
// falls short by less than scaled x 2^-62, and only when that can lead to the next unit is the
// index itself asked.
func (m *Machine) lentWorth(local uint32) i128 {
	scaled := uint64(m.lent[local])
	hi, lo := bits.Mul64(scaled, m.pass.supply)
	if rest := lo << 2; rest+4*scaled >= rest && m.pass.supply != 0 {
		return i128{Lo: hi<<2 | lo>>62}
	}
	return m.lendValue(local)
}
