package engine

import (
	"hash/maphash"

	"plimsoll/risk"
)

// idKey is an idempotency id within its client: two ids are the same when value and
// spelling are.
type idKey struct {
	hi, lo uint64
	form   risk.IDForm
}

func idOf(c *risk.Command) idKey { return idKey{hi: c.IDHi, lo: c.IDLo, form: c.IDForm} }

// idWindow remembers the last ids of one client and the place of each: the first id ever
// has place 0. It is a pure function of the sequence. A hash table of fixed size with
// open addressing points into a ring; the hash is seeded, because the ids are chosen by
// clients, and nothing but the number of steps depends on it.
type idWindow struct {
	ids   []idKey  // ring: the id with place p is at p mod len
	table []uint32 // index into ids + 1; 0 = empty
	mask  uint64
	count uint64 // ids ever added
	seed  maphash.Seed
}

func newIDWindow(size int, seed maphash.Seed) *idWindow {
	slots := 4
	for slots < 2*size {
		slots *= 2
	}
	return &idWindow{ids: make([]idKey, size), table: make([]uint32, slots), mask: uint64(slots) - 1, seed: seed}
}

func (w *idWindow) home(k idKey) uint64 { return maphash.Comparable(w.seed, k) & w.mask }

// find returns the place of an id that is still remembered.
func (w *idWindow) find(k idKey) (place uint64, ok bool) {
	for at := w.home(k); w.table[at] != 0; at = (at + 1) & w.mask {
		if i := w.table[at] - 1; w.ids[i] == k {
			return w.placeOf(uint64(i)), true
		}
	}
	return 0, false
}

// placeOf returns the place of the id at ring index i: the newest place that maps to it.
func (w *idWindow) placeOf(i uint64) uint64 {
	size := uint64(len(w.ids))
	newest := (w.count - 1) % size
	return w.count - 1 - (newest+size-i)%size
}

// add remembers an id that find does not know, and forgets the oldest of a full window.
func (w *idWindow) add(k idKey) {
	i := w.count % uint64(len(w.ids))
	if w.count >= uint64(len(w.ids)) {
		w.forget(uint32(i) + 1)
	}
	w.ids[i] = k
	w.count++
	at := w.home(k)
	for w.table[at] != 0 {
		at = (at + 1) & w.mask
	}
	w.table[at] = uint32(i) + 1
}

// forget takes one entry out and closes the gap, so that no tombstones pile up (Knuth,
// The Art of Computer Programming vol. 3, 6.4, algorithm R).
func (w *idWindow) forget(entry uint32) {
	at := w.home(w.ids[entry-1])
	for w.table[at] != entry {
		at = (at + 1) & w.mask
	}
	for next := (at + 1) & w.mask; w.table[next] != 0; next = (next + 1) & w.mask {
		home := w.home(w.ids[w.table[next]-1])
		if (next-home)&w.mask >= (next-at)&w.mask { // its way leads over the gap
			w.table[at] = w.table[next]
			at = next
		}
	}
	w.table[at] = 0
}

// resultWindow keeps the results of the ids in a client's window, by place. Egress adds
// results in the order in which the sequencer added the ids, so equal places meet.
type resultWindow struct {
	results []Result
	ids     []idKey
	count   uint64
}

func newResultWindow(size int) *resultWindow {
	return &resultWindow{results: make([]Result, size), ids: make([]idKey, size)}
}

// add keeps the result of the next place. It returns the id that fell out of the window.
func (w *resultWindow) add(k idKey, r *Result) (old idKey, fellOut bool) {
	i := w.count % uint64(len(w.results))
	old, fellOut = w.ids[i], w.count >= uint64(len(w.results))
	w.ids[i], w.results[i] = k, *r
	w.count++
	return old, fellOut
}

// at returns the kept result of a place within the window.
func (w *resultWindow) at(place uint64) *Result { return &w.results[place%uint64(len(w.results))] }
