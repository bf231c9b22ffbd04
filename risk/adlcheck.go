package risk

import "slices"

// checkRankings compares, for assertions, who comes first on each side of each market by the
// wheels with who does when all accounts are looked at: the first, the first three, half of them.
func (m *Machine) checkRankings() {
	if m.cfg.Detect == DetectSweep || m.bands.epoch.isBroken || m.params.NoLiquidation {
		return
	}
	m.broken = m.broken[:0]
	for market := range m.perpCount {
		for _, isLong := range []bool{false, true} {
			m.beginRanking(market, isLong)
			for local := range m.accounts {
				m.consider(uint32(local))
			}
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
				m.rankNear(market, isLong, wanted)
				if !slices.Equal(highest(m.rankBuf, wanted), all[:n]) {
					panic("risk: BUG: the ranking of a market leaves somebody out")
				}
			}
		}
	}
}
