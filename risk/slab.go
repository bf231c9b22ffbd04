package risk

// classMax bounds the size classes of a slab: blocks of 1, 2, 4 … 2^(classMax-1) items.
const classMax = 12

// slab keeps many small arrays back to back: an account's positions, or its balances,
// stand contiguous in one block of a power of two. Freed blocks are reused by class, so
// memory is never moved under a reader and never returned. Slot 0 is not handed out.
type slab[T any] struct {
	items []T
	free  [classMax][]uint32
}

func newSlab[T any](capacity uint32) slab[T] {
	s := slab[T]{items: make([]T, 1, max(capacity, 2))}
	return s
}

// alloc returns the start of a zeroed block of 1<<class items.
func (s *slab[T]) alloc(class uint8) uint32 {
	if n := len(s.free[class]); n > 0 {
		start := s.free[class][n-1]
		s.free[class] = s.free[class][:n-1]
		clear(s.items[start : start+1<<class])
		return start
	}
	start := len(s.items)
	need := start + 1<<class
	if need > cap(s.items) {
		grown := make([]T, start, max(need, cap(s.items)*2))
		copy(grown, s.items)
		s.items = grown
	}
	s.items = s.items[:need]
	return uint32(start)
}

// release gives a block back.
func (s *slab[T]) release(start uint32, class uint8) {
	if start != 0 {
		s.free[class] = append(s.free[class], start)
	}
}

// span is one account's block in a slab.
type span struct {
	start uint32
	count uint16
	class uint8
}

// of returns the items of a span.
func (s *slab[T]) of(b *span) []T {
	return s.items[b.start : b.start+uint32(b.count) : b.start+uint32(b.count)]
}

// insert opens a gap at i, growing the block when it is full, and returns the new item.
// It reports false when the largest class is full.
func (s *slab[T]) insert(b *span, i int) (*T, bool) {
	switch {
	case b.start == 0:
		b.start, b.class = s.alloc(0), 0
	case b.count == 1<<b.class:
		if b.class+1 >= classMax {
			return nil, false
		}
		start := s.alloc(b.class + 1)
		copy(s.items[start:], s.of(b))
		s.release(b.start, b.class)
		b.start, b.class = start, b.class+1
	}
	b.count++
	items := s.of(b)
	copy(items[i+1:], items[i:])
	var zero T
	items[i] = zero
	return &items[i], true
}
