package risk

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestAwakeAreLookedAtInOrder has accounts that were tried before those that were not: all come
// in order, and the list keeps its two parts.
func TestAwakeAreLookedAtInOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	for _, n := range []int{0, 1, 2, 31, 40, 1023, 1024, 5000} {
		for _, tried := range []int{0, 1, n / 3, n - 1, n} {
			if tried < 0 || tried > n {
				continue
			}
			b := &bands{tried: tried}
			for _, local := range r.Perm(2 * n)[:n] {
				b.awake = append(b.awake, uint32(local))
			}
			before, want := slices.Clone(b.awake), slices.Clone(b.awake)
			slices.Sort(want)
			if got := b.sortAwake(); !slices.Equal(got, want) {
				t.Fatalf("%d awake, %d tried: looked at in the order %v", n, tried, got)
			}
			if !slices.Equal(b.awake[:tried], before[:tried]) {
				t.Fatalf("%d awake: the %d tried have changed places", n, tried)
			}
			if fresh := b.awake[tried:]; !slices.IsSorted(fresh) {
				t.Fatalf("%d awake, %d tried: the others are not in order: %v", n, tried, fresh)
			}
		}
	}
}
