package risk

import "math/bits"

// wheel holds the bounds that accounts have on one side of one price: lower bounds or upper
// ones. Buckets are about a basis point wide and stand at fixed prices, a page of them for
// each doubling, so that a price may move any number of times its size without a re-basing.
// A bucket is an unordered list of entries in chunks.
type wheel struct {
	pages   [pagesMax]*wheelPage
	isUpper bool
}

// wheelPage is the buckets of one doubling of the price. taken has a bit for each that is
// not empty.
type wheelPage struct {
	heads [bucketsPage]uint32
	taken [bucketsPage / 64]uint64
}

// wheelEntry is one bound: when the price's code passes code, the account is looked at.
type wheelEntry struct {
	local uint32
	code  uint32
}

const entriesChunk = 7

// wheelChunk is one cache line. meta is the next chunk and, in its low three bits, how many
// entries this one has. edge is the bound that is passed first among this chunk and all that
// follow it: a tick that does not reach it need not look at the entries.
type wheelChunk struct {
	meta    uint32
	edge    uint32
	entries [entriesChunk]wheelEntry
}

func (c *wheelChunk) next() uint32 { return c.meta >> 3 }
func (c *wheelChunk) count() int   { return int(c.meta & 7) }

// wheelStore is the memory of all wheels of a machine. Chunk 0 is none.
type wheelStore struct {
	chunks  []wheelChunk
	free    uint32 // first free chunk, linked by meta
	entries int    // in all wheels
}

func (s *wheelStore) alloc(next uint32) uint32 {
	if len(s.chunks) == 0 {
		s.chunks = make([]wheelChunk, 1, 64)
	}
	at := s.free
	if at == 0 {
		at = uint32(len(s.chunks))
		if len(s.chunks) == cap(s.chunks) {
			grown := make([]wheelChunk, len(s.chunks), cap(s.chunks)+cap(s.chunks)/4+64)
			copy(grown, s.chunks)
			s.chunks = grown
		}
		s.chunks = s.chunks[:at+1]
	} else {
		s.free = s.chunks[at].next()
	}
	s.chunks[at].meta = next << 3
	return at
}

func (s *wheelStore) release(at uint32) {
	s.chunks[at].meta = s.free << 3
	s.free = at
}

// isFirst reports whether bound a is passed no later than bound b.
func (w *wheel) isFirst(a, b uint32) bool {
	if w.isUpper {
		return a <= b
	}
	return a >= b
}

// isPassed reports whether a price of code now is outside a bound.
func (w *wheel) isPassed(bound, now uint32) bool {
	if w.isUpper {
		return now > bound
	}
	return now < bound
}

// insert adds an entry.
func (w *wheel) insert(s *wheelStore, e wheelEntry) {
	page := w.pages[e.code>>codeBits]
	if page == nil {
		page = &wheelPage{}
		w.pages[e.code>>codeBits] = page
	}
	b := e.code >> bucketShift & (bucketsPage - 1)
	page.taken[b/64] |= 1 << (b % 64)
	w.push(s, &page.heads[b], e)
}

// push adds an entry to a bucket.
func (w *wheel) push(s *wheelStore, head *uint32, e wheelEntry) {
	edge := e.code
	if *head != 0 && w.isFirst(s.chunks[*head].edge, edge) {
		edge = s.chunks[*head].edge
	}
	if *head == 0 || s.chunks[*head].count() == entriesChunk {
		*head = s.alloc(*head)
	}
	c := &s.chunks[*head]
	c.entries[c.count()] = e
	c.meta++
	c.edge = edge
	s.entries++
}

// setEdge sets a chunk's edge from its entries and the chunk behind it.
func (w *wheel) setEdge(s *wheelStore, c *wheelChunk) {
	isSet := false
	if next := c.next(); next != 0 {
		c.edge, isSet = s.chunks[next].edge, true
	}
	for _, e := range c.entries[:c.count()] {
		if !isSet || w.isFirst(e.code, c.edge) {
			c.edge, isSet = e.code, true
		}
	}
}

// passing is what a move takes out of a wheel: entries, and once there are more of those than a
// limit, whole buckets as they are.
type passing struct {
	entries []wheelEntry
	chains  []uint32 // first chunks
	limit   int
}

// pass takes out the entries whose bound a move of the price from one code to another has
// passed. Between them lie only buckets that are passed whole; in the last one the edge tells
// whether there is anything to do.
func (w *wheel) pass(s *wheelStore, from, to uint32, out *passing) {
	at, last := from>>bucketShift, to>>bucketShift
	for {
		var ok bool
		if at, ok = w.nextTaken(at, last); !ok {
			return
		}
		page := w.pages[at/bucketsPage]
		head := &page.heads[at%bucketsPage]
		switch {
		case at != last && len(out.entries) > out.limit:
			out.chains = append(out.chains, *head)
			*head = 0
		case at != last:
			out.entries = w.drain(s, head, out.entries)
		case w.isPassed(s.chunks[*head].edge, to):
			out.entries = w.sift(s, head, to, out.entries)
		}
		if *head == 0 {
			page.taken[at%bucketsPage/64] &^= 1 << (at % 64)
		}
		if at == last {
			return
		}
		if w.isUpper {
			at++
		} else {
			at--
		}
	}
}

// nextTaken returns the first bucket that is not empty, from at towards last.
func (w *wheel) nextTaken(at, last uint32) (uint32, bool) {
	if w.isUpper {
		return w.nextUp(at, last)
	}
	for at >= last {
		page := w.pages[at/bucketsPage]
		if page == nil {
			at = at/bucketsPage*bucketsPage - 1
			continue
		}
		if word := page.taken[at%bucketsPage/64] << (63 - at%64); word != 0 {
			at -= uint32(bits.LeadingZeros64(word))
			return at, at >= last
		}
		at = at/64*64 - 1
	}
	return at, false
}

// nextUp returns the first bucket that is not empty, from at up to last.
func (w *wheel) nextUp(at, last uint32) (uint32, bool) {
	for at <= last {
		page := w.pages[at/bucketsPage]
		if page == nil {
			at = (at/bucketsPage + 1) * bucketsPage
			continue
		}
		if word := page.taken[at%bucketsPage/64] >> (at % 64); word != 0 {
			at += uint32(bits.TrailingZeros64(word))
			return at, at <= last
		}
		at = (at/64 + 1) * 64
	}
	return at, false
}

// drain empties a bucket.
func (w *wheel) drain(s *wheelStore, head *uint32, dst []wheelEntry) []wheelEntry {
	for *head != 0 {
		c := &s.chunks[*head]
		dst = append(dst, c.entries[:c.count()]...)
		s.entries -= c.count()
		next := c.next()
		s.release(*head)
		*head = next
	}
	return dst
}

// sift takes the entries out of a bucket whose bound a price of code now has passed.
func (w *wheel) sift(s *wheelStore, head *uint32, now uint32, dst []wheelEntry) []wheelEntry {
	from := len(dst)
	dst = w.drain(s, head, dst)
	kept := from
	for i := from; i < len(dst); i++ {
		if e := dst[i]; w.isPassed(e.code, now) {
			dst[kept], dst[i] = e, dst[kept]
			kept++
		}
	}
	for _, e := range dst[kept:] {
		w.push(s, head, e)
	}
	return dst[:kept]
}
