package prefetch

import "testing"

func TestPrefetchChangesNothing(t *testing.T) {
	items := make([][3]uint64, 100)
	for i := range items {
		items[i] = [3]uint64{uint64(i), uint64(i) * 3, uint64(i) * 5}
	}
	Items(items)
	Items(items[:0])
	Items[byte](nil)
	for i := range items {
		Item(&items[i])
		if items[i] != [3]uint64{uint64(i), uint64(i) * 3, uint64(i) * 5} {
			t.Fatalf("item %d is %v", i, items[i])
		}
	}
	if n := testing.AllocsPerRun(100, func() { Item(&items[7]); Items(items) }); n != 0 {
		t.Errorf("prefetch allocates %v times, want 0", n)
	}
}

// BenchmarkItem is the price of one line that is in the cache already.
func BenchmarkItem(b *testing.B) {
	var word uint64
	for b.Loop() {
		Item(&word)
	}
}
