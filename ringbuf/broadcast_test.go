package ringbuf

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// tell publishes values as one batch, or nothing.
func tell(r *Broadcast[int], values ...int) bool {
	if r.Claim(len(values)) < len(values) {
		return false
	}
	for i, v := range values {
		*r.Slot(i) = v
	}
	r.Publish(len(values))
	return true
}

func TestEveryReaderReadsEveryItemAcrossTheWrap(t *testing.T) {
	for _, start := range starts {
		r := newBroadcastAt[int](4, 3, start)
		for i := 0; i < 3000; i += 2 {
			if !tell(r, i, i+1) {
				t.Fatalf("start %d: refused at %d", start, i)
			}
			for reader := range 3 {
				if got := r.Available(reader); got != 2 || *r.Peek(reader, 0) != i || *r.Peek(reader, 1) != i+1 {
					t.Fatalf("start %d: reader %d has %d items at %d", start, reader, got, i)
				}
				r.Release(reader, 2)
			}
		}
	}
}

func TestSlowReaderHoldsTheWriter(t *testing.T) {
	for _, start := range starts {
		r := newBroadcastAt[int](4, 2, start)
		tell(r, 1, 2, 3, 4)
		r.Available(0)
		r.Release(0, 4)
		if r.Claim(1) != 0 {
			t.Errorf("start %d: the writer overruns reader 1", start)
		}
		if r.Len() != 4 || r.Cap() != 4 {
			t.Errorf("start %d: Len, Cap = %d, %d, want 4, 4", start, r.Len(), r.Cap())
		}
		r.Available(1)
		r.Release(1, 3)
		if got := r.Claim(4); got != 3 {
			t.Errorf("start %d: Claim(4) = %d, want 3", start, got)
		}
	}
}

func TestGatedReaderSeesOnlyWhatItsLeadersReleased(t *testing.T) {
	for _, start := range starts {
		r := newBroadcastAt[int](8, 3, start)
		r.GateBehind(2, 0)
		r.GateBehind(2, 1)
		tell(r, 1, 2, 3)
		r.Available(1)
		r.Release(1, 1)
		if got := r.Available(2); got != 0 {
			t.Errorf("start %d: Available = %d before reader 0 released, want 0", start, got)
		}
		r.Available(0)
		r.Release(0, 3)
		if got := r.Available(2); got != 1 {
			t.Errorf("start %d: Available = %d when reader 1 has released one, want 1", start, got)
		}
		r.Release(1, 1)
		if got := r.Available(2); got != 2 {
			t.Errorf("start %d: Available = %d, want 2", start, got)
		}
		if got := r.Claim(8); got != 5 {
			t.Errorf("start %d: Claim(8) = %d, want 5: reader 2 is last", start, got)
		}
		r.Release(2, 2)
		if got := r.Claim(8); got != 7 {
			t.Errorf("start %d: Claim(8) = %d, want 7", start, got)
		}
	}
}

func TestBroadcastReaderThatWaitsForMoreSeesIt(t *testing.T) {
	r := NewBroadcast[int](8, 1)
	tell(r, 1, 2, 3)
	r.Available(0)
	r.Release(0, 1)
	tell(r, 4)
	first, second := r.Available(0), r.Available(0)
	if first < 2 || second != 3 {
		t.Errorf("Available twice = %d, %d, want 2 or more, then 3", first, second)
	}
}

func TestProgrammerErrorsOfBroadcastPanic(t *testing.T) {
	mustPanic(t, "capacity 5", func() { NewBroadcast[int](5, 1) })
	mustPanic(t, "no readers", func() { NewBroadcast[int](4, 0) })
	r := NewBroadcast[int](4, 3)
	mustPanic(t, "a reader that does not exist", func() { r.GateBehind(0, 3) })
	r.GateBehind(1, 0)
	r.GateBehind(2, 1)
	mustPanic(t, "a reader behind itself", func() { r.GateBehind(1, 1) })
	mustPanic(t, "readers in a circle", func() { r.GateBehind(0, 2) })
	mustPanic(t, "publishing five of four", func() { r.Publish(5) })
	mustPanic(t, "releasing from an empty ring", func() { r.Release(0, 1) })
	tell(r, 1)
	mustPanic(t, "gating in use", func() { r.GateBehind(2, 0) })
	r.Available(0)
	mustPanic(t, "releasing two of one", func() { r.Release(0, 2) })
}

// gatings are the shapes that readers are put in: whether reader is gated behind leader.
var gatings = []struct {
	name     string
	isBehind func(reader, leader, readers int) bool
}{
	{"side by side", func(int, int, int) bool { return false }},
	{"in a row", func(reader, leader, _ int) bool { return leader == reader-1 }},
	{"last behind all", func(reader, leader, readers int) bool { return reader == readers-1 && leader < reader }},
	{"two by two", func(reader, leader, _ int) bool { return reader%2 == 1 && leader == reader-1 }},
	{"all behind first", func(reader, leader, _ int) bool { return leader == 0 && reader > 0 }},
}

// gate puts the readers into a shape and returns the leaders of each.
func gate(r *Broadcast[int], shape, readers int) [][]int {
	leaders := make([][]int, readers)
	for reader := range readers {
		for leader := range readers {
			if gatings[shape].isBehind(reader, leader, readers) {
				r.GateBehind(reader, leader)
				leaders[reader] = append(leaders[reader], leader)
			}
		}
	}
	return leaders
}

func TestBroadcastStress(t *testing.T) {
	for shape := range gatings {
		for readers := 1; readers <= 5; readers++ {
			t.Run(fmt.Sprintf("%d readers %s", readers, gatings[shape].name), func(t *testing.T) {
				n := stressItems(t) / 10
				r := newBroadcastAt[int](32, readers, ^uint64(0)-uint64(n/2))
				leaders := gate(r, shape, readers)
				within(t, time.Minute, func() { stressBroadcast(t, r, leaders, n) })
			})
		}
	}
}

func stressBroadcast(t *testing.T, r *Broadcast[int], leaders [][]int, n int) {
	var group sync.WaitGroup
	released := make([]atomic.Int64, len(leaders))
	for reader := range leaders {
		group.Go(func() {
			random := dice(uint64(reader))
			for next := 0; next < n; {
				ready := r.Available(reader)
				for _, l := range leaders[reader] {
					if ready > 0 && released[l].Load() < int64(next+ready) {
						t.Errorf("reader %d sees item %d before its leader %d released it", reader, next+ready-1, l)
					}
				}
				for i := range ready {
					if got := *r.Peek(reader, i); got != next+i {
						t.Errorf("reader %d: item %d = %d", reader, next+i, got)
					}
				}
				if ready == 0 || t.Failed() {
					runtime.Gosched()
					continue
				}
				done := 1 + random.IntN(ready)
				next += done
				released[reader].Store(int64(next))
				r.Release(reader, done)
			}
		})
	}
	random := dice(77)
	for next := 0; next < n; {
		got := r.Claim(min(1+random.IntN(9), n-next))
		for i := range got {
			*r.Slot(i) = next + i
		}
		r.Publish(got)
		if next += got; got == 0 {
			runtime.Gosched()
		}
	}
	group.Wait()
}

// TestBroadcastAgreesWithASlice runs the ring beside a slice of all items and one position
// for each reader.
func TestBroadcastAgreesWithASlice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		capacity := 1 << rapid.IntRange(0, 4).Draw(t, "log2 capacity")
		readers := rapid.IntRange(1, 5).Draw(t, "readers")
		r := newBroadcastAt[int](capacity, readers, rapid.SampledFrom(starts).Draw(t, "start"))
		leaders := gate(r, rapid.IntRange(0, len(gatings)-1).Draw(t, "shape"), readers)
		told, at := 0, make([]int, readers)
		slowest := func() int {
			slow := told
			for _, position := range at {
				slow = min(slow, position)
			}
			return slow
		}
		t.Repeat(map[string]func(*rapid.T){
			"write": func(t *rapid.T) {
				want := rapid.IntRange(0, capacity+1).Draw(t, "want")
				got := r.Claim(want)
				if got != min(want, capacity-(told-slowest())) {
					t.Fatalf("Claim(%d) = %d, told %d, read %v", want, got, told, at)
				}
				for i := range got {
					*r.Slot(i) = told + i
				}
				r.Publish(got)
				told += got
			},
			"read": func(t *rapid.T) {
				reader := rapid.IntRange(0, readers-1).Draw(t, "reader")
				limit := told
				for _, l := range leaders[reader] {
					limit = min(limit, at[l])
				}
				first, again := r.Available(reader), r.Available(reader)
				if first > again || again != limit-at[reader] {
					t.Fatalf("Available(%d) twice = %d, %d, want %d", reader, first, again, limit-at[reader])
				}
				for i := range again {
					if *r.Peek(reader, i) != at[reader]+i {
						t.Fatalf("Peek(%d, %d) = %d, want %d", reader, i, *r.Peek(reader, i), at[reader]+i)
					}
				}
				n := rapid.IntRange(0, again).Draw(t, "release")
				r.Release(reader, n)
				at[reader] += n
			},
			"": func(t *rapid.T) {
				if r.Len() != told-slowest() {
					t.Fatalf("Len = %d, want %d", r.Len(), told-slowest())
				}
			},
		})
	})
}

func TestBroadcastViewIsWholeOrNothing(t *testing.T) {
	r := NewBroadcast[int](8, 1)
	for round := range 20 {
		if r.Claim(3) != 3 {
			t.Fatal("no room")
		}
		for i := range 3 {
			*r.Slot(i) = 3*round + i
		}
		r.Publish(3)
		for r.Available(0) < 3 {
		}
		got := r.View(0, 0, 3)
		if wraps := 3*round%8 > 5; (got == nil) != wraps {
			t.Fatalf("round %d: view %v", round, got)
		}
		for i := range got {
			if got[i] != 3*round+i || &got[i] != r.Peek(0, i) {
				t.Fatalf("round %d: view %v", round, got)
			}
		}
		r.Release(0, 3)
	}
}
