package engine

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"plimsoll/risk"
)

// BenchmarkSubmit measures the pipeline with as good as no machine behind it: from Submit
// to the answer, per command. The figures that decided the design are in runner.go.
func BenchmarkSubmit(b *testing.B) {
	for _, shards := range []int{1, 2} {
		for _, callers := range []int{1, 2, 64} {
			for _, batch := range []int{1, 256} {
				b.Run(fmt.Sprintf("shards=%d/callers=%d/batch=%d", shards, callers, batch), func(b *testing.B) {
					benchmarkSubmit(b, shards, callers, batch)
				})
			}
		}
	}
}

func benchConfig(shards int) Config {
	cfg := DefaultConfig()
	cfg.Shards, cfg.AccountsMax = shards, 1<<12
	start := time.Now()
	cfg.Now = func() int64 { return 1_700_000_000_000 + time.Since(start).Milliseconds() }
	return cfg
}

func benchmarkSubmit(b *testing.B, shards, callers, batch int) {
	b.Helper()
	e := startFake(b, benchConfig(shards))
	var left atomic.Int64
	left.Store(int64(b.N))
	var group sync.WaitGroup
	var worst atomic.Int64
	b.ReportAllocs()
	b.ResetTimer()
	for caller := range callers {
		group.Go(func() {
			records := make([]risk.Command, batch)
			results := make([]Result, batch)
			for i := range records {
				records[i] = deposit(uint32(caller*7+i)%256, 1)
			}
			for left.Add(-int64(batch)) > -int64(batch) {
				began := time.Now()
				for errors.Is(e.Submit(records, results), ErrBusy) {
					runtime.Gosched()
				}
				if took := int64(time.Since(began)); took > worst.Load() {
					worst.Store(took)
				}
			}
		})
	}
	group.Wait()
	b.StopTimer()
	b.ReportMetric(float64(worst.Load()), "worst-ns")
	b.ReportMetric(float64(e.Count(CounterHelped))/float64(b.N), "helped/op")
}
