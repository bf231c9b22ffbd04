package risk

import "slices"

// wheelSweep is where the collection of stale entries stands. It begins when there are twice
// as many entries as the last one kept, goes on a few buckets at a time, and at least as fast
// as entries are added: so there are never more than four times those that count.
type wheelSweep struct {
	isOpen bool
	number int // coordinate
	side   uint8
	bucket uint32 // of all pages
	kept   int    // entries when the last one was done
}

// Entries looked at per account that is given a band and per entry added, and how many stale
// ones are not worth a collection.
const (
	collectPerAccount = 32
	collectPerInsert  = 8
	collectSlack      = 4096
)

// collect looks at about so many entries.
func (m *Machine) collect(entries int) {
	b := &m.bands
	g := &b.gc
	for entries > 0 {
		pair := b.pairs[g.number]
		at, ok := uint32(0), false
		if pair != nil {
			at, ok = pair.sides[g.side].nextUp(g.bucket, pagesMax*bucketsPage-1)
		}
		if ok {
			entries -= m.collectBucket(uint32(g.number), g.side, at)
			g.bucket = at + 1
			continue
		}
		entries--
		if g.bucket, g.side = 0, g.side+1; g.side <= sideHigh {
			continue
		}
		if g.side, g.number = 0, g.number+1; g.number == len(b.pairs) {
			b.gc = wheelSweep{kept: b.store.entries}
			return
		}
	}
}

// collectBucket drops the stale entries of a bucket, and repeated ones, and returns how many
// it has looked at.
func (m *Machine) collectBucket(number uint32, side uint8, at uint32) int {
	b := &m.bands
	w := &b.pairs[number].sides[side]
	page := w.pages[at/bucketsPage]
	head := &page.heads[at%bucketsPage]
	all := w.drain(&b.store, head, b.passed[:0])
	slices.SortFunc(all, compareEntries)
	for i, e := range all {
		if (i == 0 || all[i-1] != e) && m.hasBound(number, side, e) {
			w.push(&b.store, head, e)
		}
	}
	if *head == 0 {
		page.taken[at%bucketsPage/64] &^= 1 << (at % 64)
	}
	b.passed = all[:0]
	return len(all)
}

func compareEntries(a, b wheelEntry) int {
	if a.local != b.local {
		return int(a.local) - int(b.local)
	}
	return int(a.code) - int(b.code)
}
