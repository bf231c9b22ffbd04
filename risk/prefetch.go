package risk

// PrefetchMax bounds the accounts of one Prefetch.
const PrefetchMax = 32

// Prefetch reads one word of every cache line that commands on these accounts will want,
// so that their misses overlap instead of queueing up behind each other: the columns
// first, then what they point at. It changes nothing; slots of other shards are skipped.
func (m *Machine) Prefetch(slots []uint32) {
	var x int64
	for _, slot := range slots {
		if m.owns(slot) {
			local := slot / m.cfg.Shards
			x += int64(m.accounts[local].positions.start) + int64(m.hot[local].count)
		}
	}
	for _, slot := range slots {
		if !m.owns(slot) {
			continue
		}
		a := &m.accounts[slot/m.cfg.Shards]
		at := a.positions.start
		x += m.positions.size[at] + int64(m.positions.perp[at]) + int64(m.positions.lever[at]) + m.positions.terms[at].cumE12
		if a.positions.count > 2 {
			x += m.positions.terms[at+2].cumE12
		}
		x += m.balances.items[a.balances.start].entryNtl + int64(m.orders.items[a.orderTail].account)
	}
	m.prefetched = x // kept, so that the reads are
}
