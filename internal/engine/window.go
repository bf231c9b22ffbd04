package engine

import (
	"hash/maphash"
	"math/bits"

	"plimsoll/internal/prefetch"
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
// has place 0. It is a pure function of the sequence. A hash table of cache lines points
// into a ring; the hash is seeded, because the ids are chosen by clients, and nothing but
// the number of steps depends on it.
//
// An order with a new id reads one line of the table and no id: an entry carries 12 bits
// of the hash (at 65,536 ids), and enough of the place to tell that it has fallen out of
// the window, so nobody has to look it up to take it out. A table with linear probing and
// deletion read four, and took 0.74 us of an order over HTTP where this takes 0.25.
type idWindow struct {
	ids   []idKey // ring: the id with place p is at p mod len
	next  int     // count mod len
	count uint64  // ids ever added

	table     []idBucket
	mask      uint64 // len(table)-1
	placeMask uint32 // the bits of an entry that hold the place
	seed      [3]uint64
}

// idBucket is a line of the table. An entry is, from the top: 1, bits of the hash, the low
// bits of the place; or 0. full is the last entry that found no room here and went to the
// next bucket: while it is in the window, so may be others behind it.
type idBucket struct {
	full    uint32
	entries [15]uint32
}

const (
	idEntry = 1 << 31 // set in every entry, so that none is 0
	// idsPerBucket is how many of the 15 entries are in the window on average: in 1 of 120
	// buckets it is more than 15 (Poisson). With 4 the table is twice as large, which costs more.
	idsPerBucket = 8
	// idLaps is how many windows the place in an entry tells apart: one more than an entry stays.
	idLaps = 4
)

func newIDWindow(size int, seed maphash.Seed) *idWindow {
	buckets := 1
	for buckets*idsPerBucket < size {
		buckets *= 2
	}
	w := &idWindow{
		ids: make([]idKey, size), table: make([]idBucket, buckets), mask: uint64(buckets) - 1,
		placeMask: 1<<bits.Len32(uint32(idLaps*max(size, idsPerBucket))) - 1,
	}
	for i := range w.seed {
		w.seed[i] = maphash.Comparable(seed, i)
	}
	return w
}

// hash mixes an id with the seed: two products, whose halves are folded (as in wyhash).
// maphash took 45 ns instead of 4.
func (w *idWindow) hash(k idKey) uint64 {
	hi, lo := bits.Mul64(k.hi^w.seed[0], k.lo^w.seed[1])
	hi, lo = bits.Mul64(hi^lo^uint64(k.form)^w.seed[2], w.seed[0]|1)
	return hi ^ lo
}

// prefetch asks for the line of the table that find reads first. Any goroutine may call it.
func (w *idWindow) prefetch(k idKey) { prefetch.Item(&w.table[w.hash(k)&w.mask]) }

// tag returns the bits of a hash that an entry carries.
func (w *idWindow) tag(hash uint64) uint32 { return (uint32(hash>>32) | idEntry) &^ w.placeMask }

// age returns how many ids were added since an entry's, and whether that is in the window.
func (w *idWindow) age(entry uint32) (age uint64, isKept bool) {
	age = uint64((uint32(w.count) - 1 - entry) & w.placeMask)
	return age, age < uint64(len(w.ids)) && entry != 0
}

// find returns the place of an id that is still remembered.
func (w *idWindow) find(k idKey) (place uint64, ok bool) {
	hash := w.hash(k)
	want := w.tag(hash)
	for at := hash; ; at++ {
		b := &w.table[at&w.mask]
		for _, entry := range &b.entries {
			if entry^want > w.placeMask {
				continue
			}
			if age, isKept := w.age(entry); isKept && w.ids[w.index(age)] == k {
				return w.count - 1 - age, true
			}
		}
		if _, isKept := w.age(b.full); !isKept {
			return 0, false
		}
	}
}

// index returns where in the ring the id of an age is.
func (w *idWindow) index(age uint64) int {
	i := w.next - 1 - int(age)
	if i < 0 {
		i += len(w.ids)
	}
	return i
}

// add remembers an id that find does not know; of a full window it forgets the oldest.
func (w *idWindow) add(k idKey) {
	hash := w.hash(k)
	entry := w.tag(hash) | uint32(w.count)&w.placeMask
	w.ids[w.next] = k
	w.count++
	if w.next++; w.next == len(w.ids) {
		w.next = 0
	}
	prefetch.Item(&w.ids[w.next]) // for the add after this: by then its line is there
	if w.count%idsPerBucket == 0 {
		w.sweep(&w.table[w.count/idsPerBucket&w.mask])
	}
	for at := hash; ; at++ {
		b := &w.table[at&w.mask]
		for i, old := range &b.entries {
			if _, isKept := w.age(old); !isKept {
				b.entries[i] = entry
				return
			}
		}
		b.full = entry
	}
}

// sweep empties the entries of a bucket that have fallen out of the window. One bucket is
// swept every idsPerBucket adds, so an entry stays for less than two windows more.
func (w *idWindow) sweep(b *idBucket) {
	for i, entry := range &b.entries {
		if _, isKept := w.age(entry); !isKept {
			b.entries[i] = 0
		}
	}
	if _, isKept := w.age(b.full); !isKept {
		b.full = 0
	}
}

// start says that the next id, the first that is kept, has a place.
func (w *idWindow) start(place uint64) {
	w.count, w.next = place, int(place%uint64(len(w.ids))) //nolint:gosec // below the window's size
}

// resultWindow keeps the results of the ids in a client's window, by place. Egress adds
// results in the order in which the sequencer added the ids, so equal places meet.
type resultWindow struct {
	kept  []keptResult
	next  int    // count mod len
	count uint64 // results ever added

	swept, sweepEnd uint64 // places still to be captured for a snapshot; see captureids.go
}

// keptResult is an id and its result.
type keptResult struct {
	result Result
	id     idKey
}

func newResultWindow(size int) *resultWindow { return &resultWindow{kept: make([]keptResult, size)} }

// oldest returns the first place that is kept.
func (w *resultWindow) oldest() uint64 { return w.count - min(w.count, uint64(len(w.kept))) }

// add keeps the result of the next place, in the place of what leaving returns.
func (w *resultWindow) add(id idKey, r *Result) {
	k := &w.kept[w.next]
	k.result, k.id = *r, id
	w.count++
	if w.next++; w.next == len(w.kept) {
		w.next = 0
	}
	prefetch.Item(&w.kept[w.next]) // for the add after this
}

// leaving returns the entry that the next add overwrites, or nil while there is room.
func (w *resultWindow) leaving() *keptResult {
	if w.count < uint64(len(w.kept)) {
		return nil
	}
	return &w.kept[w.next]
}

// at returns the kept result of a place within the window.
func (w *resultWindow) at(place uint64) *Result { return &w.entry(place).result }

func (w *resultWindow) entry(place uint64) *keptResult { return &w.kept[place%uint64(len(w.kept))] }
