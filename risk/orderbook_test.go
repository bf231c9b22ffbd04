package risk

import (
	"math/rand/v2"
	"testing"
)

// TestOrderIndexFindsWhatRests adds and drops orders at random, so that probe chains form, wrap
// around and are closed, and asks for all that rest and for some that do not.
func TestOrderIndexFindsWhatRests(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	b := newOrderBook()
	type name struct {
		account uint32
		lo      uint64
	}
	resting := map[name]uint32{}
	for range 20_000 {
		n := name{account: rng.Uint32N(8), lo: rng.Uint64N(40)}
		slot, isResting := resting[n]
		switch {
		case !isResting:
			resting[n] = b.add(&order{account: n.account, idLo: n.lo, form: FormUint})
		case b.find(n.account, 0, n.lo, FormUint) != slot:
			t.Fatalf("order %v rests in slot %d and is found in %d", n, slot, b.find(n.account, 0, n.lo, FormUint))
		default:
			b.drop(slot)
			delete(resting, n)
		}
		if got := b.find(n.account, 1, n.lo, FormUint); got != 0 {
			t.Fatalf("found slot %d for an id that never rested", got)
		}
	}
	for account := range uint32(8) {
		for lo := range uint64(40) {
			if got, want := b.find(account, 0, lo, FormUint), resting[name{account, lo}]; got != want {
				t.Errorf("order %d of account %d is found in slot %d, want %d", lo, account, got, want)
			}
		}
	}
	if b.count != len(resting) {
		t.Errorf("%d orders counted, want %d", b.count, len(resting))
	}
}
