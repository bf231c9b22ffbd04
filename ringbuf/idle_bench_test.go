package ringbuf

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkIdle sends one item at a time round a circle of stages on however many cores
// there are, with different ladders: where DefaultIdle has its figures from.
func BenchmarkIdle(b *testing.B) {
	for _, stages := range []int{2, 4} {
		for _, ladder := range [][2]int{{0, 0}, {0, 1}, {0, 8}, {0, 64}, {30, 8}, {100, 8}, {1_000, 8}, {10_000, 64}} {
			b.Run(fmt.Sprintf("stages=%d/spins=%d/yields=%d", stages, ladder[0], ladder[1]), func(b *testing.B) {
				var tookNs []float64
				for range b.N {
					tookNs = append(tookNs, circle(stages, 2_000, ladder[0], ladder[1])...)
				}
				b.ReportMetric(quantile(tookNs, 0.5), "p50-ns")
				b.ReportMetric(quantile(tookNs, 0.99), "p99-ns")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// circle returns what each of so many rounds through all stages took.
func circle(stages, rounds, spins, yields int) (tookNs []float64) {
	rings, wakers := make([]*SPSC[uint64], stages), make([]*Waker, stages)
	for i := range stages {
		rings[i], wakers[i] = NewSPSC[uint64](8), NewWaker()
	}
	var closing atomic.Bool
	var group sync.WaitGroup
	for i := 1; i < stages; i++ {
		group.Go(func() {
			idler := NewIdler(spins, yields, wakers[i])
			defer idler.Reset()
			for !closing.Load() {
				idler.Wait(forward(rings[i], rings[(i+1)%stages], wakers[(i+1)%stages]))
			}
		})
	}
	idler := NewIdler(spins, yields, wakers[0])
	for range rounds {
		begin, v := time.Now(), uint64(0)
		rings[1].TryPush(&v)
		wakers[1].Wake()
		for !rings[0].TryPop(&v) {
			idler.Wait(0)
		}
		idler.Wait(1)
		tookNs = append(tookNs, float64(time.Since(begin).Nanoseconds()))
	}
	closing.Store(true)
	for _, w := range wakers {
		w.Wake()
	}
	group.Wait()
	return tookNs
}

// forward moves one item on, and reports whether there was one.
func forward(from, to *SPSC[uint64], next *Waker) (work int) {
	var v uint64
	if !from.TryPop(&v) {
		return 0
	}
	to.TryPush(&v)
	next.Wake()
	return 1
}
