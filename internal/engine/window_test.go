package engine

import (
	"hash/maphash"
	"math/rand/v2"
	"testing"

	"plimsoll/risk"
)

// TestIDWindowRemembersTheLastIDs holds the window against a plain list.
func TestIDWindowRemembersTheLastIDs(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{1, 2, 7, 64} {
		w := newIDWindow(size, maphash.MakeSeed())
		var all []idKey
		for range 20_000 {
			k := idKey{hi: rng.Uint64N(2), lo: rng.Uint64N(uint64(2 * size)), form: risk.IDForm(1 + rng.IntN(2))}
			want := -1
			for i := len(all) - 1; i >= max(0, len(all)-size); i-- {
				if all[i] == k {
					want = i
				}
			}
			place, ok := w.find(k)
			if ok != (want >= 0) || ok && place != uint64(want) {
				t.Fatalf("size %d: id %v at place %d %v, want %d", size, k, place, ok, want)
			}
			if !ok {
				w.add(k)
				all = append(all, k)
			}
		}
	}
}

func TestTicketsAreGivenOnce(t *testing.T) {
	table := newTicketTable(3)
	a, b, c := table.take(), table.take(), table.take()
	if a == nil || b == nil || c == nil || a == b || b == c || a == c {
		t.Fatal("three tickets are three")
	}
	if table.take() != nil {
		t.Error("a fourth of three tickets")
	}
	table.put(b)
	if got := table.take(); got != b || table.take() != nil {
		t.Error("the one given back is the one to have")
	}
}
