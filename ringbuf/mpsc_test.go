package ringbuf

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// push claims, fills and publishes values as one batch.
func push(r *MPSC[int], values ...int) bool {
	first, ok := r.TryClaim(len(values))
	if !ok {
		return false
	}
	for i, v := range values {
		*r.Slot(first + uint64(i)) = v
	}
	r.Publish(first, len(values))
	return true
}

func TestMPSCKeepsOrderAcrossTheWrap(t *testing.T) {
	for _, start := range starts {
		r := newMPSCAt[int](4, start)
		for i := 0; i < 6000; i += 3 {
			if !push(r, i, i+1, i+2) || r.Available(9) != 3 {
				t.Fatalf("start %d: batch at %d does not pass", start, i)
			}
			for k := range 3 {
				if *r.Peek(k) != i+k {
					t.Fatalf("start %d: read %d, want %d", start, *r.Peek(k), i+k)
				}
			}
			r.Release(3)
		}
	}
}

func TestFullMPSCRefusesAWholeBatch(t *testing.T) {
	for _, start := range starts {
		r := newMPSCAt[int](4, start)
		push(r, 1, 2, 3)
		if push(r, 4, 5) {
			t.Errorf("start %d: two items fit into one slot", start)
		}
		if r.Len() != 3 || r.Cap() != 4 {
			t.Errorf("start %d: Len, Cap = %d, %d, want 3, 4: a refusal claims nothing", start, r.Len(), r.Cap())
		}
		if !push(r, 4) || push(r, 5) {
			t.Errorf("start %d: the ring does not fill to the last slot", start)
		}
		r.Available(4)
		r.Release(2)
		if !push(r, 5, 6) || push(r, 7) {
			t.Errorf("start %d: two released slots are not two free slots", start)
		}
	}
}

func TestMPSCRefusesBatchesThatCannotBe(t *testing.T) {
	r := NewMPSC[int](4)
	for _, n := range []int{-1, 0, 5, 1 << 40} {
		if _, ok := r.TryClaim(n); ok {
			t.Errorf("TryClaim(%d) of 4 slots succeeds", n)
		}
	}
	if r.Len() != 0 {
		t.Errorf("Len = %d, want 0", r.Len())
	}
}

func TestUnpublishedClaimHoldsTheReader(t *testing.T) {
	for _, start := range starts {
		r := newMPSCAt[int](8, start)
		push(r, 1)
		slow, _ := r.TryClaim(2)
		push(r, 4, 5)
		if got := r.Available(8); got != 1 {
			t.Errorf("start %d: Available = %d in front of an open claim, want 1", start, got)
		}
		*r.Slot(slow + 1) = 3
		r.Publish(slow+1, 1) // In parts, the later one first.
		if got := r.Available(8); got != 1 {
			t.Errorf("start %d: Available = %d in front of half a claim, want 1", start, got)
		}
		*r.Slot(slow) = 2
		r.Publish(slow, 1)
		if got := r.Available(8); got != 5 {
			t.Fatalf("start %d: Available = %d, want 5", start, got)
		}
		for i := range 5 {
			if *r.Peek(i) != i+1 {
				t.Errorf("start %d: item %d = %d", start, i, *r.Peek(i))
			}
		}
	}
}

func TestMPSCAvailableIsBoundedInsideABatch(t *testing.T) {
	r := NewMPSC[int](8)
	push(r, 1, 2, 3, 4, 5)
	for want := 1; want <= 5; want++ {
		if got := r.Available(1); got != 1 || *r.Peek(0) != want {
			t.Fatalf("Available(1) = %d, item %d, want item %d", got, *r.Peek(0), want)
		}
		r.Release(1)
	}
	if r.Available(1) != 0 {
		t.Error("an empty ring has items")
	}
}

func TestProgrammerErrorsOfMPSCPanic(t *testing.T) {
	mustPanic(t, "capacity 12", func() { NewMPSC[int](12) })
	r := NewMPSC[int](4)
	mustPanic(t, "publishing nothing", func() { r.Publish(0, 0) })
	push(r, 1)
	mustPanic(t, "releasing before looking", func() { r.Release(1) })
	r.Available(4)
	mustPanic(t, "releasing two of one", func() { r.Release(2) })
}

// letter says which batch of which writer it belongs to, so that the reader can tell loss,
// disorder and interleaving apart.
type letter struct{ writer, number, at, size int }

func TestMPSCStress(t *testing.T) {
	for _, start := range starts {
		for _, writers := range []int{1, 3, 5} {
			r, batches := newMPSCAt[letter](32, start), stressItems(t)/(8*writers)
			within(t, time.Minute, func() {
				for w := range writers {
					go writeLetters(r, w, batches)
				}
				if err := readLetters(r, writers, batches); err != nil {
					t.Errorf("start %d, %d writers: %v", start, writers, err)
				}
			})
		}
	}
}

func writeLetters(r *MPSC[letter], writer, batches int) {
	random := dice(uint64(writer))
	for number := range batches {
		size := 1 + random.IntN(9)
		first, ok := r.TryClaim(size)
		for ; !ok; first, ok = r.TryClaim(size) {
			runtime.Gosched()
		}
		for i := range size {
			*r.Slot(first + uint64(i)) = letter{writer, number, i, size}
		}
		r.Publish(first, size)
	}
}

func readLetters(r *MPSC[letter], writers, batches int) error {
	random, next, last := dice(99), make([]int, writers), letter{size: 1}
	for done := 0; done < writers*batches; {
		ready := r.Available(1 + random.IntN(12))
		for i := range ready {
			l := *r.Peek(i)
			want := letter{last.writer, last.number, last.at + 1, last.size}
			if last.at == last.size-1 {
				want = letter{l.writer, next[l.writer], 0, l.size}
			}
			if l != want {
				return fmt.Errorf("read %+v after %+v, want %+v", l, last, want)
			}
			if last = l; l.at == l.size-1 {
				next[l.writer]++
				done++
			}
		}
		r.Release(ready)
		if ready == 0 {
			runtime.Gosched()
		}
	}
	if r.Available(1) != 0 {
		return fmt.Errorf("items are left after the last")
	}
	return nil
}

// TestMPSCAgreesWithASlice runs the ring beside a slice of slots with a mark for "published".
func TestMPSCAgreesWithASlice(t *testing.T) {
	type slot struct {
		seq         uint64
		isPublished bool
	}
	type claim struct {
		first uint64
		size  int
	}
	rapid.Check(t, func(t *rapid.T) {
		capacity := 1 << rapid.IntRange(0, 4).Draw(t, "log2 capacity")
		start := rapid.SampledFrom(starts).Draw(t, "start")
		r := newMPSCAt[uint64](capacity, start)
		var twin []slot
		var open []claim
		next := start
		t.Repeat(map[string]func(*rapid.T){
			"claim": func(t *rapid.T) {
				size := rapid.IntRange(0, capacity+1).Draw(t, "size")
				first, ok := r.TryClaim(size)
				if fits := size > 0 && len(twin)+size <= capacity; ok != fits || ok && first != next {
					t.Fatalf("TryClaim(%d) = %d, %v with %d of %d used, next %d", size, first, ok, len(twin), capacity, next)
				}
				if !ok {
					return
				}
				for range size {
					twin = append(twin, slot{seq: next})
					next++
				}
				open = append(open, claim{first, size})
			},
			"publish": func(t *rapid.T) {
				if len(open) == 0 {
					t.Skip("no open claim")
				}
				at := rapid.IntRange(0, len(open)-1).Draw(t, "which")
				c := open[at]
				open = append(open[:at], open[at+1:]...)
				for i := range c.size {
					*r.Slot(c.first + uint64(i)) = c.first + uint64(i)
					twin[int(c.first-twin[0].seq)+i].isPublished = true
				}
				r.Publish(c.first, c.size)
			},
			"read": func(t *rapid.T) {
				limit, want := rapid.IntRange(0, capacity+1).Draw(t, "limit"), 0
				for want < min(limit, len(twin)) && twin[want].isPublished {
					want++
				}
				got := r.Available(limit)
				if got != want {
					t.Fatalf("Available(%d) = %d, want %d", limit, got, want)
				}
				for i := range got {
					if *r.Peek(i) != twin[i].seq {
						t.Fatalf("Peek(%d) = %d, want %d", i, *r.Peek(i), twin[i].seq)
					}
				}
				n := rapid.IntRange(0, got).Draw(t, "release")
				r.Release(n)
				twin = twin[n:]
			},
			"": func(t *rapid.T) {
				if r.Len() != len(twin) {
					t.Fatalf("Len = %d, want %d", r.Len(), len(twin))
				}
			},
		})
	})
}
