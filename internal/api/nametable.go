package api

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"sync"
	"sync/atomic"

	"plimsoll/risk"
)

// nameTable maps names to dense slots and back. Readers take no lock: they follow one
// atomic pointer to the cells and never see a cell before the name it leads to.
//
//	cells  []uint64   tag 32 | place 32      open addressing, at most 3/4 full
//	arena  [][]byte   slot 4 | length 1 | name bytes      never moved, never freed (see packName)
//	places [][]uint32 slot -> place of its first name
//
// A cell costs 8 bytes at a load between 3/8 and 3/4, a place 4, a name 5 and its
// bytes: about 36 bytes for a name of 12.
type nameTable struct {
	seed     [6]uint64                       // nobody outside knows it
	cells    atomic.Pointer[[]atomic.Uint64] // pairs with Load in find
	chunks   []atomic.Pointer[[arenaChunk]byte]
	places   []atomic.Pointer[[placeChunk]atomic.Uint32]
	slotsMax uint32

	mu    sync.Mutex // held by writers only
	names uint32     // names bound, aliases included
	free  uint32     // next place in the arena
	ends  []uint32   // by chunk that is full: the place after its last name
	next  atomic.Uint32
}

const (
	arenaChunk    = 1 << 16
	placeChunk    = 1 << 12
	nameHead      = 5
	cellsStart    = 1 << 6
	namesPerSlot  = 3 // a spot has its own name and two of the venue
	placeNone     = 0
	nameTableBase = 8 // the first place, so that no place is placeNone
)

func newNameTable(slotsMax uint32) *nameTable {
	bytesMax := (uint64(slotsMax)*(nameHead+risk.NameMax))*namesPerSlot + arenaChunk
	bytesMax = min(bytesMax, 1<<32)
	t := &nameTable{
		chunks:   make([]atomic.Pointer[[arenaChunk]byte], (bytesMax+arenaChunk-1)/arenaChunk),
		places:   make([]atomic.Pointer[[placeChunk]atomic.Uint32], slotsMax/placeChunk+1),
		slotsMax: slotsMax,
		free:     nameTableBase,
	}
	for i := range t.seed {
		t.seed[i] = maphash.String(maphash.MakeSeed(), "plimsoll")
	}
	cells := make([]atomic.Uint64, cellsStart)
	t.cells.Store(&cells)
	return t
}

// find returns the slot bound to name.
func (t *nameTable) find(name []byte) (slot uint32, ok bool) {
	if len(name) > risk.NameMax {
		return risk.NoSlot, false
	}
	var scratch [packedBytes]byte
	kept, length := packName(name, &scratch)
	return t.findKept(kept, length, t.tag(kept))
}

// findKept is find for a name in the form it is kept in.
func (t *nameTable) findKept(kept []byte, length uint8, tag uint32) (slot uint32, ok bool) {
	cells := *t.cells.Load() // pairs with Store in put and grow
	mask := uint32(len(cells) - 1)
	for i := tag & mask; ; i = (i + 1) & mask {
		cell := cells[i].Load() // pairs with Store in put
		if cell == 0 {
			return risk.NoSlot, false
		}
		if cell>>32 != uint64(tag) {
			continue
		}
		if slot, size, bound := t.at(uint32(cell)); size == length && string(bound) == string(kept) {
			return slot, true
		}
	}
}

// name returns the first name bound to slot, or nil. The caller must not change it.
func (t *nameTable) name(slot uint32) []byte {
	if slot >= t.slotsMax {
		return nil
	}
	places := t.places[slot/placeChunk].Load()
	if places == nil {
		return nil
	}
	place := places[slot%placeChunk].Load() // pairs with Store in put
	if place == placeNone {
		return nil
	}
	_, length, kept := t.at(place)
	return unpackName(kept, length)
}

// allocate returns the slot bound to name, binding the next free one when there is
// none; it returns risk.NoSlot when every slot is taken.
func (t *nameTable) allocate(name []byte) uint32 { return t.allocateBelow(name, t.slotsMax) }

// allocateBelow is allocate with a limit of its own for new slots.
func (t *nameTable) allocateBelow(name []byte, limit uint32) uint32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if slot, ok := t.find(name); ok {
		return slot
	}
	slot := t.next.Load()
	if slot >= min(limit, t.slotsMax) || !t.put(name, slot) {
		return risk.NoSlot
	}
	t.next.Store(slot + 1)
	return slot
}

// bind binds name to a slot given elsewhere: a journal record, or an alias of a slot that
// has a name already. It reports false when the name is bound to another slot, or when
// isFirst is set and the slot has another name.
func (t *nameTable) bind(name []byte, slot uint32, isFirst bool) bool {
	if slot >= t.slotsMax || len(name) > risk.NameMax {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if bound, ok := t.find(name); ok {
		return bound == slot
	}
	if isFirst && t.name(slot) != nil {
		return false
	}
	if !t.put(name, slot) {
		return false
	}
	if slot >= t.next.Load() {
		t.next.Store(slot + 1)
	}
	return true
}

// restore binds a name in the form it is kept in. The names of a slot may come in any order.
func (t *nameTable) restore(kept []byte, length uint8, slot uint32, isAlias bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if bound, ok := t.findKept(kept, length, t.tag(kept)); ok {
		return bound == slot
	}
	if !isAlias && t.name(slot) != nil || !t.putKept(kept, length, slot, isAlias) {
		return false
	}
	if slot >= t.next.Load() {
		t.next.Store(slot + 1)
	}
	return true
}

// count returns how many slots have been given out.
func (t *nameTable) count() uint32 { return t.next.Load() }

// tag hashes a name of at most risk.NameMax bytes: the sum of folded products of its
// words (as in wyhash), none of which waits for another.
func (t *nameTable) tag(name []byte) uint32 {
	le, n := binary.LittleEndian, len(name)
	var first, last, sum uint64 // words that overlap when the name is short
	switch {
	case n > 16:
		if n > 32 {
			sum = fold(load64(name, 16)^t.seed[4], load64(name, 24)^t.seed[5])
		}
		sum += fold(load64(name, 0)^t.seed[2], load64(name, 8)^t.seed[3])
		first, last = load64(name, n-16), load64(name, n-8)
	case n >= 8:
		first, last = load64(name, 0), load64(name, n-8)
	case n >= 4:
		first, last = uint64(le.Uint32(name)), uint64(le.Uint32(name[n-4:n]))
	case n > 0:
		first = uint64(name[0])<<16 | uint64(name[n/2])<<8 | uint64(name[n-1])
	}
	sum += fold(first^t.seed[0], last^t.seed[1]+uint64(n)<<56)
	return uint32(sum >> 32)
}

// fold lays the halves of a product over each other.
func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// at reads the slot and the name at place.
func (t *nameTable) at(place uint32) (slot uint32, length uint8, kept []byte) {
	chunk := t.chunks[place/arenaChunk].Load()
	at := chunk[place%arenaChunk:]
	return binary.LittleEndian.Uint32(at), at[4], at[nameHead : nameHead+int(at[4]&^addressMark)]
}

// put writes name and makes it findable. The mutex is held.
func (t *nameTable) put(name []byte, slot uint32) bool {
	var scratch [packedBytes]byte
	kept, length := packName(name, &scratch)
	return t.putKept(kept, length, slot, false)
}

// putKept is put for a name in the form it is kept in. An alias never becomes the name that
// a slot is called by.
func (t *nameTable) putKept(kept []byte, length uint8, slot uint32, isAlias bool) bool {
	place, ok := t.store(kept, length, slot)
	if !ok {
		return false
	}
	cells := *t.cells.Load()
	if uint64(t.names+1)*4 > uint64(len(cells))*3 {
		cells = t.grow(cells)
	}
	t.names++
	page := &t.places[slot/placeChunk]
	if page.Load() == nil {
		page.Store(new([placeChunk]atomic.Uint32))
	}
	if first := &page.Load()[slot%placeChunk]; first.Load() == placeNone && !isAlias {
		first.Store(place) // pairs with Load in name
	}
	insertCell(cells, uint64(t.tag(kept))<<32|uint64(place)) // pairs with Load in find
	return true
}

// store lays slot and name down in the arena; names never cross chunks.
func (t *nameTable) store(kept []byte, length uint8, slot uint32) (place uint32, ok bool) {
	size := uint32(nameHead + len(kept))
	place = t.free
	isFull := place/arenaChunk != (place+size-1)/arenaChunk
	if isFull {
		place = (place/arenaChunk + 1) * arenaChunk
	}
	if int(place/arenaChunk) >= len(t.chunks) || place < t.free {
		return 0, false
	}
	if isFull || place%arenaChunk == 0 { // a name may have ended where its chunk does
		t.ends = append(t.ends, t.free)
	}
	chunk := &t.chunks[place/arenaChunk]
	if chunk.Load() == nil {
		chunk.Store(new([arenaChunk]byte))
	}
	at := chunk.Load()[place%arenaChunk:]
	binary.LittleEndian.PutUint32(at, slot)
	at[4] = length
	copy(at[nameHead:], kept)
	t.free = place + size
	return place, true
}

// grow doubles the cells; readers keep the old ones until they next look.
func (t *nameTable) grow(old []atomic.Uint64) []atomic.Uint64 {
	cells := make([]atomic.Uint64, 2*len(old))
	for i := range old {
		if cell := old[i].Load(); cell != 0 {
			insertCell(cells, cell)
		}
	}
	t.cells.Store(&cells) // pairs with Load in find
	return cells
}

func insertCell(cells []atomic.Uint64, cell uint64) {
	mask := uint32(len(cells) - 1)
	i := uint32(cell>>32) & mask
	for cells[i].Load() != 0 {
		i = (i + 1) & mask
	}
	cells[i].Store(cell)
}
