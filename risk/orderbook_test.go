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
	if b.index.count != len(resting) {
		t.Errorf("%d orders counted, want %d", b.index.count, len(resting))
	}
}

// TestOrderIndexGrowsStepByStep asks for orders, drops them and rests them again while the index
// moves from one table to the next.
func TestOrderIndexGrowsStepByStep(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	b := newOrderBook()
	resting := map[uint64]uint32{}
	var ids []uint64
	add := func(id uint64) {
		resting[id] = b.add(&order{account: uint32(id % 97), idLo: id, form: FormUint})
		ids = append(ids, id)
	}
	moving, steps := 0, 0
	for id := uint64(1); len(resting) < 20_000; id++ {
		before := b.index.moved
		add(id)
		if b.index.old != nil {
			moving++
			if before > b.index.moved {
				before = 0 // a table began to move
			}
			steps = max(steps, b.index.moved-before)
		}
		for range 2 {
			at := rng.IntN(len(ids))
			id := ids[at]
			if got := b.find(uint32(id%97), 0, id, FormUint); got != resting[id] {
				t.Fatalf("order %d rests in slot %d and is found in %d; %d of %d places moved",
					id, resting[id], got, b.index.moved, len(b.index.old))
			}
			if rng.IntN(4) > 0 {
				continue
			}
			b.drop(resting[id])
			if got := b.find(uint32(id%97), 0, id, FormUint); got != 0 {
				t.Fatalf("order %d was dropped and is found in slot %d", id, got)
			}
			delete(resting, id)
			ids[at] = ids[len(ids)-1]
			ids = ids[:len(ids)-1]
			if rng.IntN(2) == 0 {
				add(id)
			}
		}
	}
	for id, slot := range resting {
		if got := b.find(uint32(id%97), 0, id, FormUint); got != slot {
			t.Errorf("order %d rests in slot %d and is found in %d", id, slot, got)
		}
	}
	if moving < 1000 {
		t.Errorf("%d adds met an index that moves, want 1,000 at least", moving)
	}
	if steps > movesPerAdd {
		t.Errorf("one add moved %d places, want %d at most", steps, movesPerAdd)
	}
	if b.index.count != len(resting) {
		t.Errorf("%d orders counted, want %d", b.index.count, len(resting))
	}
}
