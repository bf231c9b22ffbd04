package engine

import (
	"errors"
	"runtime"
	"sync"
	"testing"

	"plimsoll/risk"
)

// idleHouse is an engine by the wall clock whose stages the test polls itself. Its fake
// machines take 40 marks at 2 decimals.
func idleHouse(tb testing.TB, change func(*Config)) *Engine {
	tb.Helper()
	cfg := testConfig(2)
	cfg.Clock, cfg.AccrueMs, cfg.Now = ClockWall, 0, func() int64 { return 1_000_000 }
	change(&cfg)
	if err := cfg.Validate(); err != nil {
		tb.Fatal(err)
	}
	machines := fakes(cfg.Shards)
	quotes := &risk.Quotes{}
	for slot := range uint32(40) {
		quotes.List(risk.PriceMark, slot, 2)
	}
	machines[0].(*fakeMachine).quotes = quotes
	e := wire(cfg, machines)
	e.shards[0].quote(0)
	return e
}

// tickOf makes a tick of marks from slot first on.
func tickOf(first, count int, px int64) []risk.Command {
	var group []risk.Command
	for i := range count {
		if i%4 == 0 {
			group = append(group, risk.Command{Kind: risk.KindPrices})
		}
		group[len(group)-1].SetPrice(i%4, risk.PriceMark, uint32(first+i), px, 2)
	}
	return seal(group)
}

// post puts a batch into ingress.
func post(tb testing.TB, e *Engine, groups ...[]risk.Command) *ticket {
	tb.Helper()
	var batch []risk.Command
	for _, g := range groups {
		batch = append(batch, g...)
	}
	t, err := e.enter(batch, make([]Result, len(groups)))
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

func places(tickets ...*ticket) (seqs []uint64) {
	for _, t := range tickets {
		for _, r := range t.results {
			seqs = append(seqs, r.Seq)
		}
	}
	return seqs
}

func wantPlaces(t *testing.T, e *Engine, want []uint64, tickets ...*ticket) {
	t.Helper()
	for range 10 {
		e.pollAll()
	}
	got := places(tickets...)
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("answered at %v, want %v", got, want)
		}
	}
}

func TestTicksAreMergedUpToTheLimitOfAGroup(t *testing.T) {
	e := idleHouse(t, func(cfg *Config) { cfg.GroupMax = 2 })
	a, b, c := post(t, e, tickOf(0, 4, 1)), post(t, e, tickOf(4, 4, 2)), post(t, e, tickOf(8, 4, 3))
	wantPlaces(t, e, []uint64{1, 1, 2}, a, b, c)
	if !a.results[0].IsConflated || c.results[0].IsConflated {
		t.Errorf("answers %+v, %+v", a.results[0], c.results[0])
	}
	d, f, g := post(t, e, tickOf(0, 4, 1)), post(t, e, tickOf(2, 6, 2)), post(t, e, tickOf(3, 3, 3))
	wantPlaces(t, e, []uint64{3, 3, 3}, d, f, g)
	if s := e.Status(); s.ConflatedTicks != 3 || s.ConflatedPrices != 2+3 {
		t.Errorf("%d ticks and %d prices are counted, want 3 and 5", s.ConflatedTicks, s.ConflatedPrices)
	}
}

func TestOnlyWholeNeighboursAreMerged(t *testing.T) {
	order := []risk.Command{deposit(1, 1)}
	id := []risk.Command{withID(tickOf(0, 1, 1)[0], 1, 7)}
	bad := tickOf(60, 1, 1)
	tick := tickOf(0, 1, 1)
	for name, tc := range map[string]struct {
		batches [][][]risk.Command
		want    []uint64
	}{
		"a command between":      {[][][]risk.Command{{tick}, {order}, {tick}}, []uint64{1, 2, 3}},
		"an id":                  {[][][]risk.Command{{tick}, {id}, {tick}}, []uint64{1, 2, 3}},
		"a repeat":               {[][][]risk.Command{{id}, {id}, {tick}, {tick}}, []uint64{1, 1, 2, 2}},
		"a name that is unknown": {[][][]risk.Command{{tick}, {tick}, {bad}, {tick}, {tick}}, []uint64{1, 1, 2, 3, 3}},
		"one batch":              {[][][]risk.Command{{tick, tick}}, []uint64{1, 2}},
		"ends of batches":        {[][][]risk.Command{{order, tick}, {tick, order, tick}, {tick}, {tick, tick}}, []uint64{1, 2, 2, 3, 4, 4, 4, 5}},
	} {
		e := idleHouse(t, func(*Config) {})
		var tickets []*ticket
		for _, batch := range tc.batches {
			tickets = append(tickets, post(t, e, batch...))
		}
		t.Run(name, func(t *testing.T) { wantPlaces(t, e, tc.want, tickets...) })
	}
	e := idleHouse(t, func(cfg *Config) { cfg.Clock = ClockCommands })
	t.Run("time by commands", func(t *testing.T) {
		wantPlaces(t, e, []uint64{1, 2}, post(t, e, tick), post(t, e, tick))
	})
}

// TestATickWaitsWhileTheShardsHaveEnough: on threads of its own the sequencer leaves ticks
// in ingress, where they can be merged, but never keeps another command waiting for that.
func TestATickWaitsWhileTheShardsHaveEnough(t *testing.T) {
	e := idleHouse(t, func(cfg *Config) { cfg.Threads = 2 })
	var tickets []*ticket
	for i := range 4 {
		tickets = append(tickets, post(t, e, tickOf(0, 1, int64(1+i))))
		e.sequencer.Poll()
	}
	if got := e.sequencer.seq; got != 2 {
		t.Fatalf("%d ticks were passed on to shards that have applied none, want 2", got)
	}
	tickets = append(tickets, post(t, e, []risk.Command{deposit(1, 1)}))
	e.sequencer.Poll()
	if got := e.sequencer.seq; got != 4 {
		t.Errorf("seq is %d with a command behind the waiting ticks, want 4", got)
	}
	wantPlaces(t, e, []uint64{1, 2, 3, 3, 4}, tickets...)
}

func TestALoneCallerDoesNotStopTheClock(t *testing.T) {
	one := []risk.Command{deposit(1, 1)}
	for name, batch := range map[string][][]risk.Command{
		"a command":              {one},
		"a batch":                {one, one},
		"a repeat and a command": {{withID(deposit(1, 1), 1, 7)}, one},
	} {
		now := int64(1_000_000)
		e := idleHouse(t, func(cfg *Config) {
			cfg.AccrueMs, cfg.Now = 1000, func() int64 { return now }
		})
		for range 5 {
			k := post(t, e, batch...) // every time with the same ticket
			for !k.isDone() {
				e.pollAll()
			}
			if at := places(k); name == "a batch" && at[1] != at[0]+1 {
				t.Errorf("a batch stands at %v", at)
			}
			e.tickets.put(k)
			now += 2000
		}
		if got := e.Count(CounterClocks); got != 4 {
			t.Errorf("%s: %d clock commands in 8 s, want 4", name, got)
		}
	}
}

// TestBatchesThatHangTogetherDoNotStopTheClock: ticks at both ends of every batch may not
// put the clock off, which waits for the end of a batch.
func TestBatchesThatHangTogetherDoNotStopTheClock(t *testing.T) {
	now := int64(1_000_000)
	e := idleHouse(t, func(cfg *Config) {
		cfg.AccrueMs, cfg.PollMax, cfg.Now = 1000, 1, func() int64 {
			now += 300
			return now
		}
	})
	tick := tickOf(0, 1, 1)
	for range 6 {
		post(t, e, tick, []risk.Command{deposit(1, 1)}, tick)
	}
	for range 40 {
		e.pollAll()
	}
	if clocks, merged := e.Count(CounterClocks), e.Count(CounterConflatedTicks); clocks == 0 || merged == 0 {
		t.Errorf("%d clock commands, %d ticks merged, want some of both", clocks, merged)
	}
}

func TestMergedTicksAllocateNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	e := idleHouse(t, func(*Config) {})
	batch, results := [3][]risk.Command{tickOf(0, 30, 1), tickOf(10, 30, 2), tickOf(5, 30, 3)}, [3][]Result{{{}}, {{}}, {{}}}
	round := func() {
		var tickets [3]*ticket
		for i := range tickets {
			tickets[i], _ = e.enter(batch[i], results[i])
		}
		for !tickets[2].isDone() {
			e.pollAll()
		}
		for _, k := range tickets {
			e.tickets.put(k)
		}
	}
	for range 200 {
		round()
	}
	if n := testing.AllocsPerRun(200, round); n != 0 {
		t.Errorf("three merged ticks allocate %v times, want 0", n)
	}
	if e.Count(CounterConflatedTicks) == 0 {
		t.Error("nothing was merged")
	}
}

// TestFeedsOnThreadsAreAllAnswered: many feeds at once, on every division of the stages.
// Each answer comes once and moves on, and what the counter says is missing is missing.
func TestFeedsOnThreadsAreAllAnswered(t *testing.T) {
	const feeds, rounds = 8, 200
	for _, threads := range []int{1, 2, 3} {
		e := idleHouse(t, func(cfg *Config) { cfg.Threads = threads })
		e.Start()
		var callers sync.WaitGroup
		var seen [feeds][]Result
		for feed := range feeds {
			callers.Go(func() {
				last := uint64(0)
				for i := range rounds {
					batch, results := tickOf(feed, 9, int64(1+i)), make([]Result, 1)
					if i%10 == feed {
						batch, results = append(batch, deposit(1, 1)), make([]Result, 2)
					}
					err := ErrBusy
					for errors.Is(err, ErrBusy) {
						if err = e.Submit(batch, results); errors.Is(err, ErrBusy) {
							runtime.Gosched()
						}
					}
					if err != nil || results[0].Seq <= last || results[0].Reason != risk.ReasonNone {
						t.Errorf("threads=%d: feed %d was answered %+v after seq %d: %v", threads, feed, results, last, err)
						return
					}
					last = results[0].Seq
					seen[feed] = append(seen[feed], results[0])
				}
			})
		}
		callers.Wait()
		callersOf := map[uint64]int{}
		for _, results := range seen {
			for _, r := range results {
				callersOf[r.Seq]++
			}
		}
		for _, results := range seen {
			for _, r := range results {
				if r.IsConflated != (callersOf[r.Seq] > 1) {
					t.Errorf("threads=%d: seq %d has %d callers, conflated %v", threads, r.Seq, callersOf[r.Seq], r.IsConflated)
				}
			}
		}
		if got, want := e.Status().ConflatedTicks, uint64(feeds*rounds-len(callersOf)); got != want {
			t.Errorf("threads=%d: %d ticks are counted as merged, want %d", threads, got, want)
		}
		e.Close()
	}
}
