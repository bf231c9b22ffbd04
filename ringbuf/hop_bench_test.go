package ringbuf

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	tripCount = 20_000 // Round trips of one run.
	warmTrips = 1_000  // Of which not counted, while the other thread starts.
)

// BenchmarkHop sends one item there and back over two rings, between two threads that spin,
// beside a bare word that the two threads write in turn: one line each way, the least that two
// cores can do. Targets: p50-x-ref <= 2.5, p99-x-ref <= 4. The cost of reading the clock is
// subtracted from both.
func BenchmarkHop(b *testing.B) {
	clock := clockNs()
	var p50s, p99s, ours50, ours99, reference50 []float64
	for range b.N {
		for range pairsMin {
			o, r := tripRings(), tripWord()
			o50, o99 := quantile(o, 0.5)-clock, quantile(o, 0.99)-clock
			r50, r99 := quantile(r, 0.5)-clock, quantile(r, 0.99)-clock
			p50s, p99s = append(p50s, o50/r50), append(p99s, o99/r99)
			ours50, ours99, reference50 = append(ours50, o50), append(ours99, o99), append(reference50, r50)
		}
	}
	b.ReportMetric(quantile(p50s, 0.5), "p50-x-ref")
	b.ReportMetric(quantile(p99s, 0.5), "p99-x-ref")
	b.ReportMetric(quantile(ours50, 0.5), "p50-ns")
	b.ReportMetric(quantile(ours99, 0.5), "p99-ns")
	b.ReportMetric(quantile(reference50, 0.5), "ref-p50-ns")
	b.ReportMetric(0, "ns/op")
}

// trip runs echo on one thread and times each call of send on another.
func trip(echo, send func()) []float64 {
	var group sync.WaitGroup
	group.Go(func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		for range tripCount {
			echo()
		}
	})
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	took := make([]float64, 0, tripCount)
	for begin, last := time.Now(), time.Duration(0); len(took) < tripCount; {
		send()
		now := time.Since(begin)
		took = append(took, float64(now-last))
		last = now
	}
	group.Wait()
	return took[warmTrips:]
}

func tripRings() []float64 {
	there, back := NewSPSC[uint64](slotCount), NewSPSC[uint64](slotCount)
	var heard, sent uint64
	polls, echoPolls := 0, 0
	return trip(func() {
		for !there.TryPop(&heard) {
			spin(&echoPolls)
		}
		back.TryPush(&heard)
	}, func() {
		there.TryPush(&sent)
		for !back.TryPop(&sent) {
			spin(&polls)
		}
	})
}

func tripWord() []float64 {
	line := new(struct {
		_    [64]byte
		word atomic.Uint64 // Odd on its way there, even on its way back.
		_    [64]byte
	})
	next, heard, polls, echoPolls := uint64(0), uint64(0), 0, 0
	return trip(func() {
		for heard++; line.word.Load() != 2*heard-1; {
			spin(&echoPolls)
		}
		line.word.Store(2 * heard)
	}, func() {
		next++
		line.word.Store(2*next - 1)
		for line.word.Load() != 2*next {
			spin(&polls)
		}
	})
}

// clockNs returns what one reading of the clock takes.
func clockNs() float64 {
	const readings = 10_000
	begin := time.Now()
	for range readings {
		_ = time.Since(begin)
	}
	return float64(time.Since(begin).Nanoseconds()) / readings
}
