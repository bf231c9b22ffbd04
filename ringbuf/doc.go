// Package ringbuf holds bounded rings that hand items from goroutine to goroutine without
// locks, and the means to idle while they are empty. It does not know what it carries.
//
// # Topologies
//
// All cursors count items from the beginning of time in 64 bits and may overflow; the slot of
// sequence s is s & (capacity-1). An arrow is a goroutine, in brackets stand the words it writes.
//
//	SPSC       writer ──► ░░▓▓▓▓▓▓░░░░ ──► reader
//	           [head]       ▲     ▲        [tail]      ▓ published, not yet released
//	                        tail  head
//
//	MPSC       writer ─┐
//	           writer ─┼► ░░▓▓▓▓▒▒▓▓░░ ──► reader      ▒ claimed, not yet published:
//	           writer ─┘    ▲   ▲   ▲      [tail]        the reader stops in front of it
//	           [claimed,    tail    claimed
//	            stamps]         ready
//
//	Broadcast                           ┌► reader 0 [tail 0] ──► reader 2 [tail 2]
//	           writer ──► ░░▓▓▓▓▓▓░░░░ ─┤                        gated behind 0
//	           [head]                   └► reader 1 [tail 1]
//
// Each word has one goroutine that writes it, named on its field. The exception is claimed
// (and tailSeen beside it), which the writers of an MPSC share by compare-and-swap.
//
// # Why nothing is read too early or overwritten too soon
//
// By the Go memory model the sync/atomic operations of a program behave as if executed in one
// order, and an atomic operation whose effect is observed by another is synchronized before
// it ("The Go Memory Model", Atomic Values). Two chains follow, which every item goes through.
//
// SPSC, publish: the writer fills slot s, then Store(head) > s; the reader's Load(head) sees
// that value, then it reads slot s. Filling happens before reading.
// SPSC, reuse: the reader reads slot s, then Store(tail) > s; the writer's Load(tail) sees it,
// then it fills s + capacity, which is the same slot. Claim hands out only sequences below
// what it saw of tail + capacity. Both sides may go by an old view of the other's cursor,
// since cursors only grow: an old view allows less, never more.
//
// MPSC, publish: the writer of a claim [first, end) fills it, then Store(stamp of first) = end;
// the reader, standing at first, sees the stamp and reads as far as end. One store publishes
// the whole claim. A stamp of an earlier round r at the same slot says at most
// first - r·capacity + capacity <= first, so it is not ahead of the reader and does not count.
// MPSC, claim: compare-and-swap gives each sequence to one writer. That [first, end) is free was
// established by Load(tail), or by Load(tailSeen) of another writer's Load(tail), which
// chains to the reader's Store(tail). A tail that is too old refuses; a first that is too old
// fails the swap.
//
// Broadcast, publish: as SPSC for readers that are gated by head. For a reader gated behind
// others: writer Store(head), leader Load(head), leader Store(its tail), follower Load(that).
// Broadcast, reuse: the writer loads the tail of every reader that nobody follows; what those
// have released, their leaders had released before, by the chain just given.
//
// Nobody but the writer of a slot's round writes it, so readers of a Broadcast never conflict.
//
// # Cost
//
// One transfer of a cache line between the cores costs more than everything else here (about
// 65 ns near, 250 far). So: publish and release in batches; each side keeps a private copy of
// both cursors and looks at the other's only when it must; words of different writers lie on
// different lines, and so do a word that others poll and what its writer works with. Go's atomic Store is an XCHG on amd64, which waits for the line; a batch
// pays it once. It is also what makes Publish before Wake safe (Waker).
//
// No method waits. Idler does, for the goroutine that calls it.
package ringbuf
