package risk

import "slices"

// AuditRankings reports whether on each side of each market those come first by the wheels and by
// hot columns who do when all accounts are ranked exactly: the first, the first three, half of
// them, all. It is for tests, between groups, and changes no outcome.
func (m *Machine) AuditRankings() bool {
	if m.cfg.Detect == DetectSweep || m.params.NoLiquidation {
		return true
	}
	m.broken = m.broken[:0]
	m.openRankings()
	for market := range m.perpCount {
		if !m.isRankingTrue(market, false) || !m.isRankingTrue(market, true) {
			return false
		}
	}
	return true
}

func (m *Machine) isRankingTrue(market uint32, isLong bool) bool {
	m.rankAll(market, isLong)
	all := slices.Clone(m.rankBuf)
	slices.SortFunc(all, compareHolders)
	for _, n := range []int{1, 3, len(all) / 2, len(all)} {
		if n == 0 || n > len(all) {
			continue
		}
		var wanted i128
		for _, h := range all[:n] {
			wanted = wanted.Add(i128{Lo: uint64(h.size)})
		}
		m.rankSide(market, isLong, wanted)
		if !slices.Equal(m.rankBuf, all[:n]) {
			return false
		}
	}
	return true
}

// checkRankings is AuditRankings as an assertion.
func (m *Machine) checkRankings() {
	if !m.AuditRankings() {
		panic("risk: BUG: the ranking of a market leaves somebody out")
	}
}
