package risk

import "plimsoll/internal/prefetch"

// PrefetchMax bounds the accounts of one Prefetch.
const PrefetchMax = 32

// Prefetch asks for the cache lines that commands on these accounts will want, and waits
// only for the columns, since they say where the rest is. It changes nothing; slots of
// other shards are skipped. Reading a word of each line instead takes an order over HTTP
// 0.2 us more, because a load that waits holds up the processor's queue.
func (m *Machine) Prefetch(slots []uint32) {
	for _, slot := range slots {
		if m.owns(slot) {
			local := slot / m.cfg.Shards
			prefetch.Item(&m.accounts[local])
			prefetch.Item(&m.hot[local])
		}
	}
	for _, slot := range slots {
		if !m.owns(slot) {
			continue
		}
		a := &m.accounts[slot/m.cfg.Shards]
		at, end := a.positions.start, a.positions.start+uint32(a.positions.count)
		prefetch.Items(m.positions.size[at:end])
		prefetch.Items(m.positions.perp[at:end])
		prefetch.Items(m.positions.lever[at:end])
		prefetch.Items(m.positions.terms[at:end])
		prefetch.Items(m.balances.of(&a.balances))
		prefetch.Item(m.orders.at(a.orderTail))
	}
	if n := len(m.orders.free); n > 0 {
		prefetch.Item(m.orders.at(m.orders.free[n-1])) // where the next order will stand
	}
}
