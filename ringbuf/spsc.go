package ringbuf

import "sync/atomic"

// SPSC is a bounded ring from one writer goroutine to one reader goroutine. The writer calls
// Claim, Slot, Publish and TryPush; the reader calls Available, Peek, Release and TryPop;
// Len and Cap are for anybody.
type SPSC[T any] struct {
	slots []T    // Read only after NewSPSC.
	mask  uint64 // Read only after NewSPSC.

	_    pad           // The fields above are read by both sides and must not move with head.
	head atomic.Uint64 // Items published so far. Written by writer only; Store in Publish pairs with Load in Available.
	_    pad           // head is written by one core, tail by the other.
	tail atomic.Uint64 // Items released so far. Written by reader only; Store in Release pairs with Load in Claim.

	// Each side works on a copy of its cursor: the line of the cursor itself is away with the
	// other side, who polls it, and reading it back costs a transfer (a hop there and back
	// took 200 ns instead of 130).
	_      pad
	writer end // head, and what writer last saw of tail. Writer's only.
	_      pad
	reader end // tail, and what reader last saw of head. Reader's only.

	_ pad // What the allocator puts behind must not move with reader.
}

// end is what one end of a ring keeps to itself.
type end struct {
	at      uint64 // Its own cursor.
	seen    uint64 // The cursor that it must not overtake, as last seen.
	hasMore bool   // Release has left items before seen: Available may go without a look, once.
}

// NewSPSC returns an empty ring of capacity slots, a power of two.
func NewSPSC[T any](capacity int) *SPSC[T] { return newSPSCAt[T](capacity, 0) }

// newSPSCAt returns an empty ring whose cursors stand at start, so that tests reach their overflow.
func newSPSCAt[T any](capacity int, start uint64) *SPSC[T] {
	r := &SPSC[T]{mask: maskOf(capacity), slots: make([]T, capacity)}
	r.head.Store(start)
	r.tail.Store(start)
	r.writer = end{at: start, seen: start}
	r.reader = end{at: start, seen: start}
	return r
}

// Claim returns how many slots, at most n, the writer may fill now; 0 says that the ring is
// full. It takes nothing: what is not published is claimed again by the next call. It looks
// at the reader's cursor, which costs a cache miss, only if its last view of it has no room for n.
func (r *SPSC[T]) Claim(n int) int {
	w, size := &r.writer, len(r.slots)
	if size-int(w.at-w.seen) < n {
		w.seen = r.tail.Load() // Pairs with Store in Release: the reader is done with these slots.
	}
	return min(n, size-int(w.at-w.seen))
}

// Slot returns the i-th slot behind the published ones. It is the writer's to fill if i is
// below what Claim returned, until Publish. It holds an older item: fill all of it.
func (r *SPSC[T]) Slot(i int) *T { return &r.slots[(r.writer.at+uint64(i))&r.mask] }

// Publish hands the first n claimed slots to the reader, all at once.
func (r *SPSC[T]) Publish(n int) {
	w := &r.writer
	at := w.at + uint64(n)
	if at-w.seen > r.mask+1 {
		panic("ringbuf: BUG: published more than was claimed")
	}
	w.at = at
	r.head.Store(at) // Pairs with Load in Available.
}

// Available returns how many items the reader may read now. It looks at the writer's cursor,
// which costs a cache miss, only if its last view of it is used up or nothing was released
// since the last call: so it may say too little once, but never twice in a row, and a reader
// that waits for more than it has been told will see it.
func (r *SPSC[T]) Available() int {
	d := &r.reader
	if !d.hasMore {
		d.seen = r.head.Load() // Pairs with Store in Publish: the items are filled.
	}
	d.hasMore = false
	return int(d.seen - d.at)
}

// Peek returns the i-th item that is not yet released. It is the reader's to read if i is
// below what Available returned, until Release.
func (r *SPSC[T]) Peek(i int) *T { return &r.slots[(r.reader.at+uint64(i))&r.mask] }

// Release gives the first n available items' slots back to the writer, all at once.
func (r *SPSC[T]) Release(n int) {
	d := &r.reader
	at := d.at + uint64(n)
	if d.seen-at > r.mask+1 {
		panic("ringbuf: BUG: released more than was available")
	}
	d.at, d.hasMore = at, at != d.seen
	r.tail.Store(at) // Pairs with Load in Claim.
}

// TryPush appends a copy of v, or returns false if the ring is full.
func (r *SPSC[T]) TryPush(v *T) bool {
	if r.Claim(1) == 0 {
		return false
	}
	*r.Slot(0) = *v
	r.Publish(1)
	return true
}

// TryPop moves the oldest item to v, or returns false if the ring is empty. The slot keeps
// its copy until it is used again: pointers in it stay alive that long.
func (r *SPSC[T]) TryPop(v *T) bool {
	if r.Available() == 0 {
		return false
	}
	*v = *r.Peek(0)
	r.Release(1)
	return true
}

// Len returns how many items are in the ring, in 0..Cap. It is exact for the side that calls
// while the other rests, and a moment old otherwise.
func (r *SPSC[T]) Len() int {
	tail := r.tail.Load() // First, since head runs ahead of it: the difference is never negative.
	return int(min(r.head.Load()-tail, r.mask+1))
}

// Cap returns the number of slots.
func (r *SPSC[T]) Cap() int { return len(r.slots) }
