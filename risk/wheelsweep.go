package risk

// wheelSweep is where the collection of stale entries stands. It begins when there are twice
// as many entries as bounds, and goes on a chunk at a time, at least four entries for each that
// is added: so there are never more than three times as many, and some, unless bounds go
// meanwhile.
//
// Of an account's entries in a bucket one counts, the first that is met: it gives the bound the
// mark of this turn. Entries that are added where the collection has been carry the mark from
// the start, those that are added where it is yet to come do not.
type wheelSweep struct {
	isOpen bool
	turn   bool   // mark of bounds whose entry has been met
	number uint32 // coordinate
	side   uint8
	bucket uint32 // of all pages
	chunk  uint32 // of the bucket, the next to look at; 0 = all of them
}

// Entries looked at per account that is given a band and per entry added, and how many stale
// ones are not worth a collection.
const (
	collectPerAccount = 32
	collectPerInsert  = 4
	collectSlack      = 4096
)

// beginCollection begins one when it is due.
func (m *Machine) beginCollection() {
	b := &m.bands
	if !b.gc.isOpen && b.store.entries > 2*m.bounds()+collectSlack {
		b.gc = wheelSweep{isOpen: true, turn: !b.gc.turn}
	}
}

// bounds returns how many bounds all accounts have.
func (m *Machine) bounds() int { return m.positions.bounded + m.bands.tokenBounds }

// markOf returns the mark of an entry that is added now.
func (b *bands) markOf(number uint32, side uint8, code uint32) bool {
	g := &b.gc
	bucket := code >> bucketShift
	isMet := !g.isOpen || number < g.number || number == g.number &&
		(side < g.side || side == g.side && (bucket < g.bucket || bucket == g.bucket && g.chunk != 0))
	return isMet == g.turn
}

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
			g.bucket = at
			entries -= m.collectChunk(&pair.sides[g.side])
			continue
		}
		entries--
		if g.bucket, g.side = 0, g.side+1; g.side <= sideHigh {
			continue
		}
		if g.side, g.number = 0, g.number+1; int(g.number) == len(b.pairs) {
			b.gc = wheelSweep{turn: g.turn}
			return
		}
	}
}

// collectChunk drops the stale entries of one chunk of the bucket, takes in the chunk behind it
// while there is room, and returns how many entries it has looked at.
func (m *Machine) collectChunk(w *wheel) (looked int) {
	b := &m.bands
	g, s := &b.gc, &b.store
	page := w.pages[g.bucket/bucketsPage]
	head := &page.heads[g.bucket%bucketsPage]
	if g.chunk == 0 {
		g.chunk = *head
	}
	c := s.chunk(g.chunk)
	kept, from := 0, 0
	for {
		count := c.count()
		for _, e := range c.entries[from:count] {
			m.prefetchColumns(e.local)
		}
		for _, e := range c.entries[from:count] {
			if m.seeBound(g.number, g.side, e, g.turn) {
				c.entries[kept] = e
				kept++
			}
		}
		looked += count - from
		s.entries -= count - kept
		next := c.next()
		c.meta = next<<3 | uint32(kept)
		if next == 0 || kept+s.chunk(next).count() > entriesChunk || looked > 2*entriesChunk {
			break
		}
		n := s.chunk(next)
		from = kept
		copy(c.entries[kept:], n.entries[:n.count()])
		c.meta = n.next()<<3 | uint32(kept+n.count())
		s.release(next)
	}
	w.setEdge(s, c)
	if g.chunk = c.next(); g.chunk != 0 {
		return looked + 1
	}
	g.bucket++
	if s.chunk(*head).next() == 0 && s.chunk(*head).count() == 0 {
		s.release(*head)
		*head = 0
		at := g.bucket - 1
		page.taken[at%bucketsPage/64] &^= 1 << (at % 64)
	}
	return looked + 1
}

// leaveBucket keeps the collection out of the way of a price that moves to a code: what it has
// not looked at of its bucket is taken out with the rest, or looked at now where the price may
// take a part.
func (m *Machine) leaveBucket(number uint32, side uint8, from, to uint32) {
	g := &m.bands.gc
	if !g.isOpen || g.chunk == 0 || g.number != number || g.side != side {
		return
	}
	w := &m.bands.pairs[number].sides[side]
	first, last := from>>bucketShift, to>>bucketShift
	switch head := w.pages[g.bucket/bucketsPage].heads[g.bucket%bucketsPage]; {
	case g.bucket < min(first, last) || g.bucket > max(first, last):
	case g.bucket != last:
		g.chunk = 0
		g.bucket++
	case w.isPassed(m.bands.store.chunk(head).edge, to):
		for g.chunk != 0 {
			m.collectChunk(w)
		}
	}
}
