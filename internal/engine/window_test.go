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
	for _, size := range []int{1, 2, 7, 64, 500} {
		w := newIDWindow(size, maphash.MakeSeed())
		checkIDWindow(t, w, func() idKey {
			return idKey{hi: rng.Uint64N(2), lo: rng.Uint64N(uint64(2 * size)), form: risk.IDForm(1 + rng.IntN(2))}
		})
	}
}

// TestIDWindowSurvivesCollisions gives it ids that all have one hash: buckets overflow one
// into the other, and every id has to be compared.
func TestIDWindowSurvivesCollisions(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, size := range []int{1, 8, 15, 16, 64, 100} {
		w := newIDWindow(size, maphash.MakeSeed())
		w.seed = [3]uint64{}
		checkIDWindow(t, w, func() idKey { return idKey{lo: rng.Uint64N(uint64(2*size + 1)), form: risk.FormUint} })
	}
}

func checkIDWindow(t *testing.T, w *idWindow, draw func() idKey) {
	t.Helper()
	size := len(w.ids)
	var all []idKey
	for range 20_000 {
		k := draw()
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

// TestIDWindowForgetsAfterManyLaps counts ids far beyond what an entry can tell apart.
func TestIDWindowForgetsAfterManyLaps(t *testing.T) {
	const size = 64
	w := newIDWindow(size, maphash.MakeSeed())
	for i := range uint64(100 * size) {
		k := idKey{lo: i, form: risk.FormUint}
		if place, ok := w.find(k); ok {
			t.Fatalf("new id %d found at place %d", i, place)
		}
		w.add(k)
		for back := range uint64(2 * size) {
			if back > i {
				break
			}
			place, ok := w.find(idKey{lo: i - back, form: risk.FormUint})
			if want := back < size; ok != want || ok && place != i-back {
				t.Fatalf("id %d after %d more: place %d %v, want kept %v", i-back, back, place, ok, want)
			}
		}
	}
	for i := range w.table {
		for _, entry := range w.table[i].entries {
			if age := (uint32(w.count) - 1 - entry) & w.placeMask; entry != 0 && age > 3*size {
				t.Errorf("an entry of age %d was not swept", age)
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
