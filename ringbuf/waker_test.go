package ringbuf

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestWakeBetweenPrepareAndParkIsNotLost(t *testing.T) {
	w := NewWaker()
	within(t, 10*time.Second, func() {
		w.Prepare()
		w.Wake()
		w.Park()
	})
}

func TestWakeWithNobodyAsleepLeavesNothingBehind(t *testing.T) {
	w := NewWaker()
	w.Wake()
	w.Prepare()
	w.Wake()
	w.Wake() // The second finds nobody asleep.
	w.Cancel()
	if len(w.token) != 0 || w.isSleeping.Load() {
		t.Error("a token is left after Cancel")
	}
}

func TestSleeperThatLeftPreparedDoesNotHoldTheWaker(t *testing.T) {
	w := NewWaker()
	within(t, 10*time.Second, func() {
		for range 3 {
			w.Prepare()
			w.Wake() // Must not wait although nobody takes the token.
		}
		w.Park()
	})
}

// TestNoWakeUpIsLost moves items one by one to a reader that parks at once whenever it finds
// nothing: one lost wake-up and it sleeps for ever.
func TestNoWakeUpIsLost(t *testing.T) {
	for _, ladder := range [][2]int{{0, 0}, {3, 0}, {0, 2}, {5, 5}} {
		r, w, n := NewSPSC[int](4), NewWaker(), stressItems(t)/4
		within(t, time.Minute, func() {
			go func() {
				random := dice(5)
				for i := range n {
					for !r.TryPush(&i) {
						runtime.Gosched()
					}
					w.Wake()
					if random.IntN(4) == 0 {
						runtime.Gosched() // Now and then the reader gets to sleep.
					}
				}
			}()
			idler := NewIdler(ladder[0], ladder[1], w)
			for next := 0; next < n; {
				var got int
				work := 0
				for r.TryPop(&got) {
					if got != next {
						t.Errorf("item %d = %d", next, got)
						return
					}
					next++
					work++
				}
				idler.Wait(work)
			}
		})
	}
}

// TestManyWakersOfOneSleeper has writers that wake a sleeper which cancels as often as it parks.
func TestManyWakersOfOneSleeper(t *testing.T) {
	const writers = 3
	w, n := NewWaker(), stressItems(t)/8
	var made atomic.Int64
	var group sync.WaitGroup
	within(t, time.Minute, func() {
		for range writers {
			group.Go(func() {
				for i := range n {
					made.Add(1)
					w.Wake()
					if i%8 == 0 {
						runtime.Gosched()
					}
				}
			})
		}
		for seen := int64(0); seen < int64(writers*n); {
			w.Prepare()
			now := made.Load()
			if now == seen {
				w.Park()
				continue
			}
			w.Cancel()
			seen = now
		}
		group.Wait()
	})
}

func TestIdlerClimbsFromSpinToPark(t *testing.T) {
	w := NewWaker()
	i := NewIdler(2, 3, w)
	for range 5 {
		i.Wait(0)
		if w.isSleeping.Load() {
			t.Fatal("the idler prepares to park before its spins and yields are used up")
		}
	}
	i.Wait(0)
	if !w.isSleeping.Load() {
		t.Fatal("the idler does not prepare to park")
	}
	i.Wait(1)
	if w.isSleeping.Load() || i.idle != 0 {
		t.Fatal("work does not begin the ladder anew")
	}
	for range 6 {
		i.Wait(0)
	}
	w.Wake()
	within(t, 10*time.Second, func() { i.Wait(0) })
	if i.idle != 0 {
		t.Error("a wake-up does not begin the ladder anew")
	}
}

func TestIdlerWithoutWakerNeverParks(t *testing.T) {
	i := NewIdler(1, 1, nil)
	within(t, 10*time.Second, func() {
		for range 100 {
			i.Wait(0)
		}
		i.Wait(1)
		i.Reset()
	})
}

func TestDefaultIdleYieldsAtOnceUnlessACoreIsToSpare(t *testing.T) {
	for _, c := range []struct {
		cores, stages int
		spin          bool
	}{{2, 2, false}, {2, 3, false}, {8, 5, true}, {1, 1, false}, {1, 4, false}} {
		spins, yields := DefaultIdle(c.cores, c.stages)
		if (spins > 0) != c.spin || yields < 1 {
			t.Errorf("DefaultIdle(%d, %d) = %d, %d", c.cores, c.stages, spins, yields)
		}
	}
}
