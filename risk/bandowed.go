package risk

// A crash takes out more entries than a tick can look up one by one: a pass over all accounts
// reads them in order and is cheaper. Then the buckets are put aside as they are, all ticks
// pass over all accounts, and the background looks the entries up: until all are, no band is
// relied upon.

// owedChain is a bucket that was put aside.
type owedChain struct {
	number uint32
	side   uint8
	head   uint32
}

// owe puts aside what a move took out.
func (m *Machine) owe(number uint32, side uint8, w *wheel) {
	b := &m.bands
	head := uint32(0)
	for _, e := range b.passing.entries {
		w.push(&b.store, &head, e)
	}
	if head != 0 {
		b.owed = append(b.owed, owedChain{number: number, side: side, head: head})
	}
	for _, chain := range b.passing.chains {
		b.owed = append(b.owed, owedChain{number: number, side: side, head: chain})
	}
}

// owedStep is how many entries are looked up together.
const owedStep = 256

// payOwed looks up about so many entries that were put aside, and wakes their accounts.
func (m *Machine) payOwed(entries int) {
	b := &m.bands
	for len(b.owed) > 0 && entries > 0 {
		last := &b.owed[len(b.owed)-1]
		taken := b.passing.entries[:0]
		for last.head != 0 && len(taken) < min(owedStep, entries) {
			c := b.store.chunk(last.head)
			taken = append(taken, c.entries[:c.count()]...)
			b.store.entries -= c.count()
			next := c.next()
			b.store.release(last.head)
			last.head = next
		}
		b.passing.entries = taken
		entries -= len(taken)
		m.wakePassed(last.number, last.side, taken)
		if last.head == 0 {
			b.owed = b.owed[:len(b.owed)-1]
		}
	}
}
