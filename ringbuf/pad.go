package ringbuf

import "math/bits"

// padBytes is the distance kept between words that different goroutines write. A line is 64
// bytes here, and two words on one line would travel between the cores together. 128, which
// would also keep them from a prefetcher that fetches lines in pairs, measured no better.
const padBytes = 64

// pad fills the gap between two groups of words. It is a whole padBytes long, so the groups
// never meet on a line, wherever the allocator puts the struct.
type pad [padBytes]byte

// maskOf returns the mask that maps a sequence to its slot, and refuses a capacity that has none.
func maskOf(capacity int) uint64 {
	if capacity < 1 || bits.OnesCount64(uint64(capacity)) != 1 {
		panic("ringbuf: BUG: capacity is not a power of two")
	}
	return uint64(capacity) - 1
}
