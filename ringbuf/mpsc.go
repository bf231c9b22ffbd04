package ringbuf

import "sync/atomic"

// MPSC is a bounded ring from any number of writer goroutines to one reader goroutine. A
// writer claims consecutive slots, fills them and publishes them; the reader meets claims in
// the order of their sequences, each of them whole. TryClaim, Slot, Publish, Len and Cap are
// for anybody; Available, Peek and Release for the reader.
//
// A claim must be published, and soon: the reader stops in front of one that is not.
type MPSC[T any] struct {
	slots []T    // Read only after NewMPSC.
	mask  uint64 // Read only after NewMPSC.

	// stamps[seq&mask] is the end of the claim that was last published with seq as its first.
	// A stamp counts only if it lies ahead of the reader; those of earlier rounds lie behind,
	// so they need no cleaning. Written by the claim's writer only; Store in Publish pairs
	// with Load in Available. They stand apart from the items, which may fill lines exactly.
	stamps []atomic.Uint64

	_        pad           // The fields above are read by all and must not move with claimed.
	claimed  atomic.Uint64 // Slots claimed so far. Written by any writer, by CompareAndSwap in TryClaim.
	tailSeen atomic.Uint64 // What some writer saw of tail: never ahead of it. Written by any writer; pairs within hasRoom.
	_        pad           // claimed is written by the writers, tail by the reader.
	tail     atomic.Uint64 // Items released so far. Written by reader only; Store in Release pairs with Load in hasRoom.
	_        pad           // The reader works on a copy: tail's line is away with the writers (see SPSC).
	at       uint64        // tail. Reader's only.
	ready    uint64        // Everything before it is published. Reader's only.

	_ pad // What the allocator puts behind must not move with at.
}

// NewMPSC returns an empty ring of capacity slots, a power of two.
func NewMPSC[T any](capacity int) *MPSC[T] { return newMPSCAt[T](capacity, 0) }

// newMPSCAt returns an empty ring whose cursors stand at start, so that tests reach their overflow.
func newMPSCAt[T any](capacity int, start uint64) *MPSC[T] {
	r := &MPSC[T]{mask: maskOf(capacity), slots: make([]T, capacity), stamps: make([]atomic.Uint64, capacity)}
	for i := range r.stamps {
		r.stamps[i].Store(start) // Not ahead of any reader yet.
	}
	r.claimed.Store(start)
	r.tailSeen.Store(start)
	r.tail.Store(start)
	r.at, r.ready = start, start
	return r
}

// TryClaim takes n consecutive slots, the first of them with the sequence it returns, or
// nothing and false if n are not free or n is not in 1..Cap. It never waits for a writer: it
// tries again only if another has succeeded in between.
func (r *MPSC[T]) TryClaim(n int) (first uint64, ok bool) {
	if n < 1 || n > len(r.slots) {
		return 0, false
	}
	for {
		first = r.claimed.Load()
		if !r.hasRoom(first + uint64(n)) {
			return 0, false
		}
		if r.claimed.CompareAndSwap(first, first+uint64(n)) {
			return first, true
		}
	}
}

// hasRoom reports whether all slots before end may be filled. The comparison is signed: end
// may be older than tail by now, and then the CompareAndSwap that follows is bound to fail.
func (r *MPSC[T]) hasRoom(end uint64) bool {
	size := int64(len(r.slots))
	if int64(end-r.tailSeen.Load()) <= size { // Pairs with Store below.
		return true
	}
	tail := r.tail.Load() // Pairs with Store in Release: the reader is done with these slots.
	// Two writers may store their views in the wrong order; an older one only costs another look.
	r.tailSeen.Store(tail)
	return int64(end-tail) <= size
}

// Slot returns the slot of a claimed sequence. It is the claim's writer's to fill, until
// Publish. It holds an older item: fill all of it.
func (r *MPSC[T]) Slot(seq uint64) *T { return &r.slots[seq&r.mask] }

// Publish hands the slots of the claim [first, first+n) to the reader, all at once and with
// one store. A claim may be published in several consecutive parts, in any order.
func (r *MPSC[T]) Publish(first uint64, n int) {
	if n < 1 {
		panic("ringbuf: BUG: published nothing")
	}
	r.stamps[first&r.mask].Store(first + uint64(n)) // Pairs with Load in Available.
}

// Available returns how many items, at most limit, the reader may read now. It stops in front
// of the first claim that is not published. It looks further than it has looked before only
// if limit asks for it.
func (r *MPSC[T]) Available(limit int) int {
	ready := r.ready
	for int(ready-r.at) < limit {
		end := r.stamps[ready&r.mask].Load() // Pairs with Store in Publish: the items are filled.
		if int64(end-ready) <= 0 {
			break // An earlier round's.
		}
		ready = end
	}
	r.ready = ready
	return min(int(ready-r.at), limit)
}

// Peek returns the i-th item that is not yet released. It is the reader's to read if i is
// below what Available returned, until Release.
func (r *MPSC[T]) Peek(i int) *T { return &r.slots[(r.at+uint64(i))&r.mask] }

// Release gives the first n available items' slots back to the writers, all at once.
func (r *MPSC[T]) Release(n int) {
	at := r.at + uint64(n)
	if r.ready-at > r.mask+1 {
		panic("ringbuf: BUG: released more than was available")
	}
	r.at = at
	r.tail.Store(at) // Pairs with Load in hasRoom.
}

// Len returns how many slots are claimed and not yet released, in 0..Cap; a moment old.
func (r *MPSC[T]) Len() int {
	tail := r.tail.Load() // First, since claimed runs ahead of it: the difference is never negative.
	return int(min(r.claimed.Load()-tail, r.mask+1))
}

// Cap returns the number of slots.
func (r *MPSC[T]) Cap() int { return len(r.slots) }
