package ringbuf

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestSPSCKeepsOrderAcrossTheWrap(t *testing.T) {
	for _, start := range starts {
		r := newSPSCAt[int](4, start)
		for i := range 4000 {
			if v := i; !r.TryPush(&v) {
				t.Fatalf("start %d: push %d refused", start, i)
			}
			var got int
			if !r.TryPop(&got) || got != i {
				t.Fatalf("start %d: popped %d, want %d", start, got, i)
			}
		}
	}
}

func TestFullSPSCRefusesTheWriter(t *testing.T) {
	for _, start := range starts {
		r := newSPSCAt[int](4, start)
		for i := range 4 {
			r.TryPush(&i)
		}
		if v := 9; r.TryPush(&v) || r.Claim(1) != 0 || r.Claim(4) != 0 {
			t.Errorf("start %d: a full ring accepts more", start)
		}
		if r.Len() != 4 || r.Cap() != 4 {
			t.Errorf("start %d: Len, Cap = %d, %d, want 4, 4", start, r.Len(), r.Cap())
		}
		r.Available()
		r.Release(3)
		if got := r.Claim(4); got != 3 {
			t.Errorf("start %d: Claim(4) after three releases = %d, want 3", start, got)
		}
	}
}

func TestEmptySPSCHasNothingToRead(t *testing.T) {
	r := NewSPSC[int](2)
	var v int
	if r.TryPop(&v) || r.Available() != 0 || r.Len() != 0 {
		t.Error("an empty ring has items")
	}
}

func TestSPSCBatchIsSeenOnlyWhenPublished(t *testing.T) {
	r := newSPSCAt[int](8, ^uint64(0)-2)
	if got := r.Claim(5); got != 5 {
		t.Fatalf("Claim(5) = %d", got)
	}
	for i := range 5 {
		*r.Slot(i) = i
	}
	if r.Available() != 0 {
		t.Error("the reader sees what is only claimed")
	}
	r.Publish(3)
	if got := r.Available(); got != 3 {
		t.Errorf("Available = %d, want 3", got)
	}
	*r.Slot(0), *r.Slot(1) = 3, 4 // What was not published is claimed anew.
	r.Publish(2)
	if got := r.Available(); got != 5 {
		t.Errorf("Available = %d, want 5", got)
	}
	for i := range 5 {
		if *r.Peek(i) != i {
			t.Errorf("Peek(%d) = %d", i, *r.Peek(i))
		}
	}
}

// A reader that needs three items at once and leaves two must come to see the third.
func TestSPSCReaderThatWaitsForMoreSeesIt(t *testing.T) {
	r := NewSPSC[int](8)
	r.Publish(r.Claim(3))
	r.Available()
	r.Release(1)
	r.Publish(r.Claim(1))
	first, second := r.Available(), r.Available()
	if first < 2 || second != 3 {
		t.Errorf("Available twice = %d, %d, want 2 or more, then 3", first, second)
	}
}

func TestProgrammerErrorsOfSPSCPanic(t *testing.T) {
	for _, capacity := range []int{-1, 0, 3, 6, 1000} {
		mustPanic(t, fmt.Sprint("capacity ", capacity), func() { NewSPSC[int](capacity) })
	}
	r := NewSPSC[int](4)
	mustPanic(t, "releasing from an empty ring", func() { r.Release(1) })
	mustPanic(t, "publishing five of four", func() { r.Publish(5) })
	r.Publish(r.Claim(2))
	mustPanic(t, "releasing before looking", func() { r.Release(1) })
	r.Available()
	mustPanic(t, "releasing three of two", func() { r.Release(3) })
}

func TestSPSCStress(t *testing.T) {
	for _, start := range starts {
		r, n := newSPSCAt[[2]int](64, start), stressItems(t)
		within(t, time.Minute, func() {
			go pumpSPSC(r, n)
			random := dice(2)
			for next := 0; next < n; {
				ready := r.Available()
				for i := range ready {
					if got := *r.Peek(i); got != [2]int{next + i, -next - i} {
						t.Errorf("item %d = %v", next+i, got)
						return
					}
				}
				if ready == 0 {
					runtime.Gosched()
					continue
				}
				done := 1 + random.IntN(ready)
				r.Release(done)
				next += done
			}
		})
	}
}

// pumpSPSC writes n numbered items in batches of random size.
func pumpSPSC(r *SPSC[[2]int], n int) {
	random := dice(1)
	for next := 0; next < n; {
		got := r.Claim(min(1+random.IntN(20), n-next))
		for i := range got {
			*r.Slot(i) = [2]int{next + i, -next - i}
		}
		if got == 0 {
			runtime.Gosched()
			continue
		}
		r.Publish(got)
		next += got
	}
}

// TestSPSCAgreesWithASlice runs the ring beside a slice that does the same plainly.
func TestSPSCAgreesWithASlice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		capacity := 1 << rapid.IntRange(0, 5).Draw(t, "log2 capacity")
		r := newSPSCAt[int](capacity, rapid.SampledFrom(starts).Draw(t, "start"))
		var twin []int
		next, asked := 0, 0
		t.Repeat(map[string]func(*rapid.T){
			"write": func(t *rapid.T) {
				want := rapid.IntRange(0, capacity+2).Draw(t, "want")
				got := r.Claim(want)
				if got != min(want, capacity-len(twin)) {
					t.Fatalf("Claim(%d) = %d with %d of %d used", want, got, len(twin), capacity)
				}
				for i := range got {
					*r.Slot(i) = next
					twin = append(twin, next)
					next++
				}
				r.Publish(got)
			},
			"read": func(t *rapid.T) {
				first, again := r.Available(), r.Available()
				if first > again || again != len(twin) {
					t.Fatalf("Available twice = %d, %d, want %d", first, again, len(twin))
				}
				for i := range again {
					if *r.Peek(i) != twin[i] {
						t.Fatalf("Peek(%d) = %d, want %d", i, *r.Peek(i), twin[i])
					}
				}
				asked = rapid.IntRange(0, again).Draw(t, "release")
				r.Release(asked)
				twin = twin[asked:]
			},
			"": func(t *rapid.T) {
				if r.Len() != len(twin) {
					t.Fatalf("Len = %d, want %d", r.Len(), len(twin))
				}
			},
		})
	})
}
