package risk

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestSortEventsIsAStableSort holds it against the library's, on runs of every shape.
func TestSortEventsIsAStableSort(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	var spare []Event
	for n := range 3_000 {
		events := make([]Event, r.IntN(40))
		rank, spread := uint64(1_000), 1+r.IntN(30)
		for i := range events {
			if r.IntN(1+n%9) == 0 {
				rank = uint64(r.IntN(2_000))
			}
			rank += uint64(r.IntN(spread))
			events[i] = Event{Phase: uint8(r.IntN(1 + n%3)), Rank: rank / 8, Market: uint32(i)}
		}
		want := slices.Clone(events)
		slices.SortStableFunc(want, func(a, b Event) int {
			switch {
			case a.Before(&b):
				return -1
			case b.Before(&a):
				return 1
			}
			return 0
		})
		if spare = sortEvents(events, spare); !slices.Equal(events, want) {
			t.Fatalf("case %d: %v, want %v", n, events, want)
		}
	}
}

// BenchmarkSortEvents sorts what a crash tells: a few accounts that are looked at first, then all
// others in order. The reference is the library's stable sort of the same.
func BenchmarkSortEvents(b *testing.B) {
	const first, all = 50, 100_000
	shape := make([]Event, all)
	for i := range shape {
		shape[i].Rank = uint64(2 * i)
		if i < first {
			shape[i].Rank = uint64(all + 2*i + 1)
		}
	}
	events, spare := make([]Event, all), make([]Event, 0, all)
	b.Run("house", func(b *testing.B) {
		for b.Loop() {
			copy(events, shape)
			spare = sortEvents(events, spare)
		}
	})
	b.Run("ref=slices", func(b *testing.B) {
		for b.Loop() {
			copy(events, shape)
			slices.SortStableFunc(events, func(a, c Event) int {
				switch {
				case a.Before(&c):
					return -1
				case c.Before(&a):
					return 1
				}
				return 0
			})
		}
	})
}
