package engine

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"plimsoll/risk"
)

// BenchmarkConflation measures an order check behind a flood of ticks of 200 names that is
// more than the engine can take, at most 64 of them in flight: once a millisecond an order
// is sent behind them and taken back. Rates are about twice what is taken unmerged on 2
// cores; at rate 0 nothing but the order is sent.
func BenchmarkConflation(b *testing.B) {
	const accounts, perps = 50_000, 200
	for _, threads := range []int{1, 2} {
		for _, pace := range []floodPace{
			{risk.DetectBands, 0, 0},
			{risk.DetectBands, 100 * time.Microsecond, 1},
			{risk.DetectBands, 100 * time.Microsecond, 16},
			{risk.DetectSweep, 500 * time.Microsecond, 1},
		} {
			for _, everyTick := range []bool{true, false} {
				b.Run(fmt.Sprintf("threads=%d/%s/conflate=%v", threads, pace, !everyTick), func(b *testing.B) {
					cfg := benchConfig(1)
					cfg.AccountsMax, cfg.Threads, cfg.Detect, cfg.everyTick = accounts, threads, pace.detect, everyTick
					e, err := New(cfg)
					if err != nil {
						b.Fatal(err)
					}
					e.Start()
					defer e.Close()
					furnish(b, e, accounts, perps)
					benchmarkConflation(b, e, accounts, perps, pace)
				})
			}
		}
	}
}

// floodPace is how ticks are detected and sent: so many at once, at an interval.
type floodPace struct {
	detect   risk.Detect
	interval time.Duration
	count    int
}

func (p floodPace) String() string {
	name, rate := "bands", 0.0
	if p.detect == risk.DetectSweep {
		name = "sweep"
	}
	if p.interval > 0 {
		rate = float64(p.count) / p.interval.Seconds()
	}
	return fmt.Sprintf("detect=%s/rate=%.0f", name, rate)
}

const floodPerp = 3 // the first perp slot: lower ones have caps in the simulator's listings

// furnish opens accounts with four positions each.
func furnish(b *testing.B, e *Engine, accounts, perps int) {
	b.Helper()
	g := &generator{}
	send := func(records []risk.Command) {
		b.Helper()
		results := make([]Result, len(records))
		if err := e.Submit(records, results); err != nil {
			b.Fatal(err)
		}
		for _, r := range results {
			if r.Reason != risk.ReasonNone {
				b.Fatalf("%+v", r)
			}
		}
	}
	send(g.listToken(0, "USDC", 8, true, 0, risk.NoSlot))
	for i := range perps {
		send(g.listPerp(uint32(floodPerp+i), 0, 0, fmt.Sprintf("P%d", i)))
	}
	send(floodTick(rand.New(rand.NewPCG(1, 1)), perps))
	for slot := range uint32(accounts) {
		open := risk.Command{Kind: risk.KindOpenAccount, Mode: uint8(risk.ModeUnified)}
		open.Ref = [4]uint32{slot, risk.NoAccount, 0, 0}
		open.SetName(fmt.Appendf(nil, "a%d", slot))
		cash := risk.Command{Kind: risk.KindDeposit}
		cash.Ref[risk.RefAccount] = slot
		cash.SetNum(0, 100_000, 0)
		batch := []risk.Command{open, cash}
		for i := range uint32(4) {
			fill := risk.Command{Kind: risk.KindFill}
			fill.Ref = [4]uint32{slot, 0, floodPerp + (slot*7+i*13)%uint32(perps), 0}
			fill.SetNum(0, 10, 0)
			fill.SetNum(1, 100, 0)
			batch = append(batch, fill)
		}
		send(batch)
	}
}

// floodTick moves every mark by up to two basis points from 100.
func floodTick(rng *rand.Rand, perps int) []risk.Command {
	var group []risk.Command
	for i := range perps {
		if i%4 == 0 {
			group = append(group, risk.Command{Kind: risk.KindPrices})
		}
		group[i/4].SetPrice(i%4, risk.PriceMark, uint32(floodPerp+i), 1_000_000+rng.Int64N(401)-200, 4)
	}
	return seal(group)
}

func benchmarkConflation(b *testing.B, e *Engine, accounts, perps int, pace floodPace) {
	b.Helper()
	var isOver atomic.Bool
	flooded := make(chan uint64)
	go func() { flooded <- flood(b, e, perps, pace, &isOver) }()
	var took []float64
	results := make([]Result, 2)
	b.ResetTimer()
	for i := range b.N {
		order := risk.Command{Kind: risk.KindOrder, Flags: risk.FlagOrderID, OrderForm: risk.FormUint, OrderLo: uint64(i) + 1}
		order.Ref = [4]uint32{uint32(i*7919) % uint32(accounts), 0, floodPerp + uint32(i)%uint32(perps), 0}
		order.SetNum(0, 1, 0)
		order.SetNum(1, 99, 0)
		cancel := order
		cancel.Kind = risk.KindCancel
		began := time.Now()
		err := ErrBusy
		for errors.Is(err, ErrBusy) { // its place in the queue is part of the wait
			if err = e.Submit([]risk.Command{order, cancel}, results); errors.Is(err, ErrBusy) {
				runtime.Gosched()
			}
		}
		if err != nil || results[0].Reason != risk.ReasonNone || results[1].Reason != risk.ReasonNone {
			b.Fatalf("%v %+v", err, results)
		}
		took = append(took, float64(time.Since(began).Nanoseconds())/1e3)
		time.Sleep(time.Millisecond)
	}
	b.StopTimer()
	isOver.Store(true)
	ticks := <-flooded
	slices.Sort(took)
	b.ReportMetric(took[len(took)/2], "order-p50-us")
	b.ReportMetric(took[len(took)*99/100], "order-p99-us")
	b.ReportMetric(float64(ticks)/b.Elapsed().Seconds(), "ticks/s")
	b.ReportMetric(float64(e.Count(CounterConflatedTicks))/float64(max(ticks, 1)), "merged/tick")
	b.ReportMetric(0, "ns/op")
}

// flood sends ticks at a pace, as long as fewer than 64 are in flight, and returns how many
// were answered.
func flood(b *testing.B, e *Engine, perps int, pace floodPace, isOver *atomic.Bool) (ticks uint64) {
	b.Helper()
	const flightMax = 64
	rng := rand.New(rand.NewPCG(2, 2))
	batch := floodTick(rng, perps)
	var flights [flightMax]Ticket
	var results [flightMax][1]Result
	sent, answered := 0, 0
	wait := func() {
		at := answered % flightMax
		if err := e.Wait(flights[at]); err != nil || results[at][0].Reason != risk.ReasonNone {
			b.Errorf("%v %+v", err, results[at])
			isOver.Store(true)
		}
		answered++
	}
	for due := time.Now(); pace.count > 0 && !isOver.Load(); due = due.Add(pace.interval) {
		if late := time.Since(due); late < 0 {
			time.Sleep(-late)
		} else if late > 10*pace.interval {
			due = time.Now() // what could not be sent is not sent later
		}
		for range pace.count {
			for sent-answered == flightMax || sent > answered && flights[answered%flightMax].IsDone() {
				wait()
			}
			for i := range perps {
				batch[i/4].Num[i%4] = 1_000_000 + rng.Int64N(401) - 200
			}
			at := sent % flightMax
			var err error
			if flights[at], err = e.SubmitAsync(batch, results[at][:]); err == nil {
				sent++
			}
		}
	}
	for sent > answered {
		wait()
	}
	return uint64(answered)
}
