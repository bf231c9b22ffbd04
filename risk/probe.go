package risk

import "math/bits"

// Probes do the work of a tick without its effects, for the engine to measure what it
// costs on this machine's own accounts: they change nothing that anybody can tell.

// probeStride spreads probed accounts over memory, so that each is met cold, as one that a
// price has woken. It is a prime above any number of accounts, and so meets all of them.
const probeStride = 2_654_435_761

// probed returns how many places of the account table may hold an account: slots are given
// out in order.
func (m *Machine) probed() uint64 {
	return min(uint64(len(m.hot)), (uint64(m.accountCount)+uint64(m.cfg.Shards)-1)/uint64(m.cfg.Shards))
}

// ProbeWake evaluates that many accounts in no order of memory, as a tick does with those
// that are awake, from place number from of that order on. The sum depends on every account
// looked at, and means nothing.
func (m *Machine) ProbeWake(from, accounts int) (sum uint64) {
	m.openPass()
	population := m.probed()
	if population == 0 {
		return 0
	}
	place := func(i int) uint32 { return uint32(uint64(from+i) % population * probeStride % population) }
	const near, far = 4, 8
	for i := range accounts {
		m.prefetchColumns(place(i + far))
		m.prefetchBlocks(place(i + near))
		sum += m.probe(place(i))
	}
	return sum
}

// ProbePass evaluates so many accounts and up to a block more side by side, as a tick does
// that passes over all. While needs do not hold, which the next such tick mends, it looks at
// each account.
func (m *Machine) ProbePass(from, accounts int) (sum uint64) {
	m.openPass()
	population := m.probed()
	if population == 0 {
		return 0
	}
	isReady := !m.pass.isOutdated(m.params.OffsetMode) && m.fillPass()
	at := uint64(from) % population
	for done := 0; done < accounts; done += passAccounts {
		at = at / passAccounts * passAccounts
		c := m.passColumns(int(at))
		look := ^uint64(0) >> (passAccounts - len(c.hot))
		if isReady {
			look = m.pass.tellingIn(&c)
		}
		for ; look != 0; look &= look - 1 {
			sum += m.probe(uint32(at) + uint32(bits.TrailingZeros64(look)))
		}
		if at += passAccounts; at >= population {
			at = 0
		}
	}
	return sum
}

// probe evaluates an account as look does, and tells nobody.
func (m *Machine) probe(local uint32) uint64 {
	h := &m.hot[local]
	if h.kind() <= hotIdle {
		return 0
	}
	s, ok := m.quickStatus(local, h)
	if !ok {
		a := &m.accounts[local]
		s = m.statusOf(a, m.evaluate(a))
	}
	return uint64(s) + m.fixedE12[local].Lo
}

// BandCounts is BandStats.
func (m *Machine) BandCounts() BandStats { return m.BandStats() }
