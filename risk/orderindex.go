package risk

import "math/bits"

// orderIndex finds the slot of an order by the hash of its name. It is a table of open
// addressing, at most half full, with hash<<32 | slot in each place and 0 where there is none:
// a probe reads an order only where it is the one looked for, and a gap is closed without
// reading any.
//
// It doubles a few entries at a time: a table of a million orders takes some 40 ms at once.
// While old is there, an entry stands in old at or after place moved, or in slots. What was
// moved is left standing in old, so that the probes that pass it still reach what is behind.
// A name found there all the same is right: the order in its slot has that name.
type orderIndex struct {
	slots []uint64 // a power of two
	old   []uint64 // the table before, of half the size, or nil
	moved int      // places of old that were looked at
	count int
}

const (
	orderIndexFirst = 16      // places
	movesPerAdd     = 16      // places of old that an add looks at; from 2 on, old is done with before slots is half full
	orderGone       = 1 << 32 // in old: of an order that was dropped; slot 0 is nobody's
)

func newOrderIndex() orderIndex { return orderIndex{slots: make([]uint64, orderIndexFirst)} }

// orderHash hashes a name to 32 bits.
func orderHash(account uint32, hi, lo uint64, form IDForm) uint64 {
	h, l := bits.Mul64(lo^0x9e3779b97f4a7c15, hi^0xd6e8feb86659fd93)
	h2, l2 := bits.Mul64(h^l^uint64(account)<<8^uint64(form), 0xa0761d6478bd642f)
	return (h2 ^ l2) >> 32
}

// add adds an entry that is not there.
func (x *orderIndex) add(hash uint64, slot uint32) {
	if 2*(x.count+1) > len(x.slots) {
		x.move(len(x.old))
		x.old, x.moved = x.slots, 0
		x.slots = make([]uint64, 2*len(x.old))
	}
	if x.old != nil {
		x.move(movesPerAdd)
	}
	x.place(hash<<32 | uint64(slot))
	x.count++
}

// move moves what stands in the next so many places of old.
func (x *orderIndex) move(places int) {
	end := min(len(x.old), x.moved+places)
	for _, entry := range x.old[x.moved:end] {
		if uint32(entry) != 0 {
			x.place(entry)
		}
	}
	if x.moved = end; end == len(x.old) {
		x.old, x.moved = nil, 0
	}
}

// place puts an entry where a probe for it finds it.
func (x *orderIndex) place(entry uint64) {
	mask := uint64(len(x.slots) - 1)
	i := entry >> 32 & mask
	for x.slots[i] != 0 {
		i = (i + 1) & mask
	}
	x.slots[i] = entry
}

// drop takes an entry out that is there.
func (x *orderIndex) drop(hash uint64, slot uint32) {
	x.count--
	entry := hash<<32 | uint64(slot)
	slots, mask := x.slots, uint64(len(x.slots)-1)
	i := hash & mask
	for ; slots[i] != entry; i = (i + 1) & mask {
		if slots[i] == 0 {
			x.dropOld(entry)
			return
		}
	}
	for j := (i + 1) & mask; slots[j] != 0; j = (j + 1) & mask {
		home := slots[j] >> 32
		if (j-home)&mask >= (j-i)&mask {
			slots[i] = slots[j]
			i = j
		}
	}
	slots[i] = 0
}

// dropOld takes an entry out of old. No gap is closed there: what stands before moved must not
// come to stand after it, and old is soon gone.
func (x *orderIndex) dropOld(entry uint64) {
	mask := uint64(len(x.old) - 1)
	i := entry >> 32 & mask
	for x.old[i] != entry {
		i = (i + 1) & mask
	}
	x.old[i] = orderGone
}

// empty forgets all entries and keeps the memory.
func (x *orderIndex) empty() {
	clear(x.slots)
	x.old, x.moved, x.count = nil, 0, 0
}

// find returns the slot of an order, or 0.
func (b *orderBook) find(account uint32, hi, lo uint64, form IDForm) uint32 {
	hash := orderHash(account, hi, lo, form)
	slot := b.probe(b.index.slots, hash, account, hi, lo, form)
	if slot == 0 && b.index.old != nil {
		slot = b.probe(b.index.old, hash, account, hi, lo, form)
	}
	return slot
}

func (b *orderBook) probe(slots []uint64, hash uint64, account uint32, hi, lo uint64, form IDForm) uint32 {
	mask := uint64(len(slots) - 1)
	for i := hash & mask; slots[i] != 0; i = (i + 1) & mask {
		if x := slots[i]; x>>32 == hash && x != orderGone && b.matches(uint32(x), account, hi, lo, form) {
			return uint32(x)
		}
	}
	return 0
}
