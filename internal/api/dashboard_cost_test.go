package api

import (
	"fmt"
	"io"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"plimsoll/internal/engine"
	"plimsoll/risk"
)

// TestWhatADashboardCosts measures how much processor time a command takes while somebody looks
// and while nobody does, in pairs one after the other: on a machine that does other things as
// well that says more than throughput. It takes half a minute: PLIMSOLL_MEASURE=1 runs it.
func TestWhatADashboardCosts(t *testing.T) {
	if os.Getenv("PLIMSOLL_MEASURE") == "" {
		t.Skip("PLIMSOLL_MEASURE=1 measures")
	}
	h := newHouse(t, 2)
	h.settle(1000)
	records := make([]risk.Command, 256)
	for i := range records {
		slot := h.server.dir.Account(fmt.Appendf(nil, "desk-%d", i))
		records[i] = risk.Command{Kind: risk.KindRecheck}
		records[i].Ref[risk.RefAccount] = slot
	}
	results := make([]engine.Result, len(records))
	run := func() (nsPerCommand float64) {
		count, before := 0, processorTime(t)
		for from := time.Now(); time.Since(from) < time.Second; count += len(records) {
			if err := h.engine.Submit(records, results); err != nil {
				t.Fatal(err)
			}
		}
		return float64(processorTime(t)-before) / float64(count)
	}
	run()
	var ratios []float64
	for i := range 14 {
		var with, without float64
		for n := range 2 {
			if (i+n)%2 == 0 {
				without = run()
				continue
			}
			l := h.look()
			l.next("totals")
			go func() { _, _ = io.Copy(io.Discard, l.lines) }()
			with = run()
			l.close()
			time.Sleep(500 * time.Millisecond)
		}
		ratios = append(ratios, with/without)
	}
	slices.Sort(ratios)
	t.Logf("with a dashboard a command takes %.4f of the processor time that it takes without (median of %d pairs; %.3f to %.3f)", ratios[len(ratios)/2], len(ratios), ratios[1], ratios[len(ratios)-2])
}

// processorTime returns what this process has used so far.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
