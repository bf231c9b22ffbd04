package risk

import (
	"math/bits"
	"slices"
)

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

// wheelStore is the memory of all wheels of a machine, in blocks that are never moved, so that
// growing is no pause. Chunk 0 is none. Chunks that become empty are used again.
type wheelStore struct {
	blocks  []*wheelBlock
	next    uint32 // the first chunk never used
	free    uint32 // first free chunk, linked by meta
	entries int    // in all wheels, and of those put aside
}

const blockChunks = 1024

type wheelBlock [blockChunks]wheelChunk

func (s *wheelStore) chunk(at uint32) *wheelChunk {
	return &s.blocks[at/blockChunks][at%blockChunks]
}

func (s *wheelStore) alloc(next uint32) uint32 {
	at := s.free
	if at != 0 {
		s.free = s.chunk(at).next()
	} else {
		s.next = max(s.next, 1)
		if at = s.next; at/blockChunks == uint32(len(s.blocks)) {
			s.blocks = append(s.blocks, &wheelBlock{})
		}
		s.next++
	}
	s.chunk(at).meta = next << 3
	return at
}

func (s *wheelStore) release(at uint32) {
	s.chunk(at).meta = s.free << 3
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

// headOf returns where the first chunk of a bound's bucket stands, or nil when its page is none.
func (w *wheel) headOf(code uint32) *uint32 {
	if page := w.pages[code>>codeBits]; page != nil {
		return &page.heads[code>>bucketShift&(bucketsPage-1)]
	}
	return nil
}

// push adds an entry to a bucket.
func (w *wheel) push(s *wheelStore, head *uint32, e wheelEntry) {
	edge := e.code
	if *head != 0 && w.isFirst(s.chunk(*head).edge, edge) {
		edge = s.chunk(*head).edge
	}
	if *head == 0 || s.chunk(*head).count() == entriesChunk {
		*head = s.alloc(*head)
	}
	c := s.chunk(*head)
	c.entries[c.count()] = e
	c.meta++
	c.edge = edge
	s.entries++
}

// setEdge sets a chunk's edge from its entries and the chunk behind it.
func (w *wheel) setEdge(s *wheelStore, c *wheelChunk) {
	isSet := false
	if next := c.next(); next != 0 {
		c.edge, isSet = s.chunk(next).edge, true
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
	spare   []wheelEntry // scratch
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
		case w.isPassed(s.chunk(*head).edge, to):
			w.sift(s, head, to, out)
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
		dst = w.drainChunk(s, head, dst)
	}
	return dst
}

// drainChunk takes the first chunk out of a bucket.
func (w *wheel) drainChunk(s *wheelStore, head *uint32, dst []wheelEntry) []wheelEntry {
	c := s.chunk(*head)
	dst = append(dst, c.entries[:c.count()]...)
	s.entries -= c.count()
	next := c.next()
	s.release(*head)
	*head = next
	return dst
}

// sift takes the entries out of a bucket whose bound a price of code now has passed. It looks
// at chunks while their edge is passed, and puts back what stays in order, next to be passed
// first: so a bucket of many is looked at in full once, not at every tick.
func (w *wheel) sift(s *wheelStore, head *uint32, now uint32, out *passing) {
	from := len(out.entries)
	for *head != 0 && w.isPassed(s.chunk(*head).edge, now) {
		out.entries = w.drainChunk(s, head, out.entries)
	}
	kept := from
	for i := from; i < len(out.entries); i++ {
		if e := out.entries[i]; w.isPassed(e.code, now) {
			out.entries[kept], out.entries[i] = e, out.entries[kept]
			kept++
		}
	}
	stay := out.entries[kept:]
	w.sortCodes(stay, out)
	for _, e := range stay {
		w.push(s, head, e)
	}
	out.entries = out.entries[:kept]
}

// sortCodes orders entries of one bucket, last to be passed first.
func (w *wheel) sortCodes(entries []wheelEntry, out *passing) {
	flip := uint32(0)
	if w.isUpper {
		flip = 1<<bucketShift - 1
	}
	key := func(e wheelEntry) uint32 { return e.code&(1<<bucketShift-1) ^ flip }
	if len(entries) < radixMin {
		slices.SortFunc(entries, func(x, y wheelEntry) int { return int(key(x)) - int(key(y)) })
		return
	}
	out.spare = slices.Grow(out.spare[:0], len(entries))[:len(entries)]
	radix(entries, out.spare, key)
}
