package engine

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"plimsoll/risk"
)

func fakeHouse(cfg *Config) []machine {
	machines := make([]machine, cfg.Shards)
	for i := range machines {
		machines[i] = newFake(i, cfg.Shards, fakeAccounts)
	}
	return machines
}

// riskHouse makes real machines; those of the simulator sweep when a few accounts are woken.
func riskHouse(cfg *Config) []machine {
	machines := make([]machine, cfg.Shards)
	for i := range machines {
		m := risk.New(risk.Config{
			Shard: uint32(i), Shards: uint32(cfg.Shards), AccountsMax: genSlots, Detect: cfg.Detect,
		})
		if cfg.stepMax > 0 {
			m.SetSweepAbove(4 * cfg.stepMax)
		}
		machines[i] = m
	}
	return machines
}

// TestThreadsReachWhatTheSimulatorReached runs histories on real goroutines, in every
// division of the stages, beside readers, and compares with one shard in the simulator.
func TestThreadsReachWhatTheSimulatorReached(t *testing.T) {
	for name, tc := range map[string]struct {
		build house
		make  func(seed uint64) script
	}{"fake": {fakeHouse, fakeHistory}, "risk": {riskHouse, realHistory}} {
		for i, threads := range []int{1, 2, 3, 8} {
			t.Run(fmt.Sprintf("%s/threads=%d", name, threads), func(t *testing.T) {
				for seed := range uint64(8) {
					h := tc.make(1000 + seed*10 + uint64(i))
					want := newSimulation(t, seed, 1, h, tc.build).run()
					if got := runThreaded(t, h, tc.build, 1+int(seed)%5, threads); !t.Failed() {
						compareOutcomes(t, fmt.Sprintf("seed %d", seed), h, got, want)
					}
				}
			})
		}
	}
}

// runThreaded sends a history in order, several batches in flight.
func runThreaded(t *testing.T, h script, build house, shards, threads int) *outcome {
	t.Helper()
	cfg := testConfig(shards)
	cfg.Threads, cfg.IDWindow, cfg.ClientsMax, cfg.VersionSlots, cfg.OutboxSlots = threads, simWindow(h), 4, 2, 4
	cfg.Detect, cfg.OnBandMiss = risk.Detect(shards&1), failOnMiss(t)
	e := wire(cfg, build(&cfg))
	e.Start()
	defer e.Close()
	var isOver atomic.Bool
	var readers sync.WaitGroup
	readers.Go(func() { readAll(t, e, &isOver) })
	out := &outcome{results: make([][]Result, len(h))}
	tickets := make([]Ticket, len(h))
	waited := 0
	for b, batch := range h {
		groups, err := e.check(batch)
		if err != nil {
			t.Fatal(err)
		}
		out.results[b] = make([]Result, groups)
		for {
			if tickets[b], err = e.SubmitAsync(batch, out.results[b]); !errors.Is(err, ErrBusy) {
				break
			}
			runtime.Gosched()
		}
		if err != nil {
			t.Fatal(err)
		}
		for ; waited <= b-4 || b == len(h)-1 && waited <= b; waited++ {
			if err := e.Wait(tickets[waited]); err != nil {
				t.Fatal(err)
			}
		}
	}
	isOver.Store(true)
	readers.Wait()
	hash, _, err := e.StateHash()
	if err != nil {
		t.Fatal(err)
	}
	out.hash = hash
	s := &simulation{t: t, engine: e}
	s.followAll()
	out.events = s.out.events
	return out
}

// followAll reads all public events.
func (s *simulation) followAll() {
	dst := make([]risk.Event, 0, 64)
	for {
		got, err := s.engine.EventsAfter(s.lastSeq, s.lastN, dst)
		if err != nil || len(got) == 0 {
			if err != nil {
				s.t.Error(err)
			}
			return
		}
		s.lastSeq, s.lastN = got[len(got)-1].Seq, got[len(got)-1].N
		s.out.events = append(s.out.events, got...)
	}
}

func readAll(t *testing.T, e *Engine, isOver *atomic.Bool) {
	t.Helper()
	last := uint64(0)
	for !isOver.Load() {
		seq, err := e.ReadAll(func(int, *risk.Machine) {})
		if err != nil && !errors.Is(err, ErrBusy) || err == nil && seq < last {
			t.Errorf("read follows %d after %d: %v", seq, last, err)
			return
		}
		last = max(last, seq)
		runtime.Gosched()
	}
}
