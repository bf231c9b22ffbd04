package ringbuf

import "sync/atomic"

// Broadcast is a bounded ring from one writer goroutine to a fixed number of reader
// goroutines, each of which reads every item. The writer cannot overrun the slowest. A reader
// may be gated behind others: it then reads an item only when they have released it. The
// writer calls Claim, Slot and Publish; each reader calls Available, Peek and Release with its
// own index; Len and Cap are for anybody.
type Broadcast[T any] struct {
	slots   []T              // Read only after NewBroadcast.
	mask    uint64           // Read only after NewBroadcast.
	readers []reader         // The elements are the readers'; the slice is read only.
	ends    []*atomic.Uint64 // The tails that nobody is gated behind: the slowest is one of them. Fixed before use.
	start   uint64           // Where the cursors began. Read only after NewBroadcast.

	_      pad           // The fields above are read by all and must not move with head.
	head   atomic.Uint64 // Items published so far. Written by writer only; Store in Publish pairs with Load in look.
	_      pad           // The writer works on a copy: head's line is away with the readers (see SPSC).
	writer end           // head, and what writer last saw of the slowest tail. Writer's only.

	_ pad // What the allocator puts behind must not move with writer.
}

// reader is one reader of a Broadcast.
type reader struct {
	end                      // Its tail, and what it last saw of its gates. Reader's only.
	gates   []*atomic.Uint64 // The cursors it must not overtake: head, or its leaders' tails. Fixed before use.
	leaders []int            // The indices of the readers that it is gated behind. Fixed before use.

	_    pad           // tail's line is away with whoever is gated behind it.
	tail atomic.Uint64 // Items released so far. Written by this reader only; Store in Release pairs with Load in look.
	_    pad           // The next reader is another core's.
}

// NewBroadcast returns an empty ring of capacity slots, a power of two, for readers 0 to readers-1.
func NewBroadcast[T any](capacity, readers int) *Broadcast[T] {
	return newBroadcastAt[T](capacity, readers, 0)
}

// newBroadcastAt returns an empty ring whose cursors stand at start, so that tests reach their overflow.
func newBroadcastAt[T any](capacity, readers int, start uint64) *Broadcast[T] {
	if readers < 1 {
		panic("ringbuf: BUG: a broadcast without readers")
	}
	r := &Broadcast[T]{
		mask: maskOf(capacity), slots: make([]T, capacity), readers: make([]reader, readers),
		start: start, writer: end{at: start, seen: start},
	}
	r.head.Store(start)
	for i := range r.readers {
		d := &r.readers[i]
		d.tail.Store(start)
		d.end = end{at: start, seen: start}
		d.gates = []*atomic.Uint64{&r.head}
	}
	r.findEnds()
	return r
}

// GateBehind has a reader see only what leader has released. It is called before the ring is
// used; called again for the same reader, it gates it behind both leaders.
func (r *Broadcast[T]) GateBehind(reader, leader int) {
	if r.head.Load() != r.start {
		panic("ringbuf: BUG: gated a reader of a ring in use")
	}
	if reader == leader || r.follows(leader, reader) {
		panic("ringbuf: BUG: a reader gated behind itself")
	}
	d := &r.readers[reader]
	d.leaders = append(d.leaders, leader)
	d.gates = nil
	for _, l := range d.leaders {
		d.gates = append(d.gates, &r.readers[l].tail)
	}
	r.findEnds()
}

// follows reports whether reader is gated behind leader, directly or through others.
func (r *Broadcast[T]) follows(reader, leader int) bool {
	for _, l := range r.readers[reader].leaders {
		if l == leader || r.follows(l, leader) {
			return true
		}
	}
	return false
}

// findEnds collects the tails of the readers that nobody follows.
func (r *Broadcast[T]) findEnds() {
	isLeader := make([]bool, len(r.readers))
	for i := range r.readers {
		for _, l := range r.readers[i].leaders {
			isLeader[l] = true
		}
	}
	r.ends = nil
	for i := range r.readers {
		if !isLeader[i] {
			r.ends = append(r.ends, &r.readers[i].tail)
		}
	}
}

// Claim returns how many slots, at most n, the writer may fill now; 0 says that the slowest
// reader is a whole ring behind. It takes nothing: what is not published is claimed again by
// the next call. It looks at the readers' cursors only if its last view of them has no room for n.
func (r *Broadcast[T]) Claim(n int) int {
	if len(r.slots)-int(r.writer.at-r.writer.seen) >= n {
		return n
	}
	return r.look(n)
}

// look takes a new view of the slowest tail and returns how many slots, at most n, are free.
// Distances from at are compared, since cursors overflow.
func (r *Broadcast[T]) look(n int) int {
	w, lag := &r.writer, uint64(0)
	for _, tail := range r.ends {
		lag = max(lag, w.at-tail.Load()) // Pairs with Store in Release: this reader, and those before it, are done.
	}
	w.seen = w.at - lag
	return min(n, len(r.slots)-int(lag))
}

// Slot returns the i-th slot behind the published ones. It is the writer's to fill if i is
// below what Claim returned, until Publish. It holds an older item: fill all of it.
func (r *Broadcast[T]) Slot(i int) *T { return &r.slots[(r.writer.at+uint64(i))&r.mask] }

// Publish hands the first n claimed slots to all readers, all at once.
func (r *Broadcast[T]) Publish(n int) {
	w := &r.writer
	at := w.at + uint64(n)
	if at-w.seen > r.mask+1 {
		panic("ringbuf: BUG: published more than was claimed")
	}
	w.at = at
	r.head.Store(at) // Pairs with Load in look.
}

// Available returns how many items a reader may read now. It looks at the cursors it is gated
// behind only if its last view of them is used up or nothing was released since the last
// call: so it may say too little once, but never twice in a row.
func (r *Broadcast[T]) Available(reader int) int {
	d := &r.readers[reader]
	if d.hasMore {
		d.hasMore = false
		return int(d.seen - d.at)
	}
	return d.look()
}

// look takes a new view of the gates and returns how many items they let through. Distances
// from at are compared, since cursors overflow.
func (d *reader) look() int {
	lead := ^uint64(0)
	for _, gate := range d.gates {
		lead = min(lead, gate.Load()-d.at) // Pairs with Store in Publish, or in a leader's Release: the items are filled.
	}
	d.seen = d.at + lead
	return int(lead)
}

// Peek returns the i-th item that this reader has not yet released. It may be read if i is
// below what Available returned, until Release. Other readers read it too: nobody writes it.
func (r *Broadcast[T]) Peek(reader, i int) *T {
	return &r.slots[(r.readers[reader].at+uint64(i))&r.mask]
}

// View returns items i to i+n-1 of those that this reader has not yet released as one slice, or
// nil if the end of the ring lies between them. The rules of Peek hold.
func (r *Broadcast[T]) View(reader, i, n int) []T {
	first := int((r.readers[reader].at + uint64(i)) & r.mask)
	if first+n > len(r.slots) {
		return nil
	}
	return r.slots[first : first+n : first+n]
}

// Release gives the first n available items up, to the readers gated behind this one and to
// the writer.
func (r *Broadcast[T]) Release(reader, n int) {
	d := &r.readers[reader]
	at := d.at + uint64(n)
	if d.seen-at > r.mask+1 {
		panic("ringbuf: BUG: released more than was available")
	}
	d.at, d.hasMore = at, at != d.seen
	d.tail.Store(at) // Pairs with Load in look.
}

// Len returns how many items the slowest reader has yet to release, in 0..Cap; a moment old.
func (r *Broadcast[T]) Len() int {
	head, lag := r.head.Load(), int64(0)
	for _, tail := range r.ends {
		lag = max(lag, int64(head-tail.Load())) // Signed: a reader may have passed this view of head.
	}
	return int(lag)
}

// Cap returns the number of slots.
func (r *Broadcast[T]) Cap() int { return len(r.slots) }
