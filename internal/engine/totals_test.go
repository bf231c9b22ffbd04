package engine

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"

	"plimsoll/risk"
)

// totalsEngine returns an engine that nobody runs but the test, with a history behind it.
// One Poll of a shard counts one account.
func totalsEngine(t *testing.T, seed uint64, shards int) (*Engine, script) {
	t.Helper()
	cfg := testConfig(shards)
	cfg.AccountsMax, cfg.Clock, cfg.Now = genSlots, ClockCommands, nil
	cfg.stepMax = 1
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	h := realHistory(seed)
	for _, batch := range h[:len(h)-5] {
		finishBatch(t, e, batch)
	}
	return e, h[len(h)-5:]
}

// finishBatch runs a batch to its answer.
func finishBatch(t *testing.T, e *Engine, batch []risk.Command) {
	t.Helper()
	tk, err := e.enter(batch, make([]Result, len(batch)))
	if err != nil {
		t.Fatal(err)
	}
	for !tk.isDone() {
		e.pollAll()
	}
	e.tickets.put(tk)
}

// beginPass puts the marker of a pass into the order, as its leader does, and runs it until
// the marker is passed. want gets what an uninterrupted pass gives there, shard by shard.
func beginPass(t *testing.T, e *Engine, nearest int, poll func()) (p *totalsPass, want []risk.TotalsView) {
	t.Helper()
	p, isLeader := e.totals.join(nearest, len(e.shards))
	if !isLeader {
		t.Fatal("a caller found a pass waiting, want none")
	}
	tk, err := e.take()
	if err != nil {
		t.Fatal(err)
	}
	e.totals.turn(p, true)
	want = make([]risk.TotalsView, len(e.shards))
	tk.all = func(shard int, m *risk.Machine) {
		m.BeginTotals(&want[shard], nearest)
		for !m.TotalsStep(1 << 20) {
			continue
		}
		e.shards[shard].beginTotals(p)
	}
	if !e.mark(tk, &risk.Command{Kind: kindReadAll}) {
		t.Fatal("no room for a marker")
	}
	for !tk.isDone() {
		poll()
	}
	p.seq = tk.seq
	e.tickets.put(tk)
	return p, want
}

func (p *totalsPass) isCounted() bool {
	select {
	case <-p.counted:
		return true
	default:
		return false
	}
}

// sortAll puts the nearest of views in order: until then theirs is that of a heap.
func sortAll(all ...[]risk.TotalsView) {
	for _, views := range all {
		for i := range views {
			views[i].SortNearest()
		}
	}
}

func TestTicksAreAppliedWhileAPassIsUnderWay(t *testing.T) {
	t.Parallel()
	for _, shards := range []int{1, 2} {
		e, _ := totalsEngine(t, 3, shards)
		before := e.egress.seq
		p, want := beginPass(t, e, 5, e.pollAll)
		tick := risk.Command{Kind: risk.KindPrices, Mode: 1}
		tick.SetPrice(0, risk.PriceMark, 0, 7, 0)
		for n := range uint64(4) {
			finishBatch(t, e, []risk.Command{tick})
			if got := e.egress.seq; got != before+n+1 {
				t.Fatalf("%d shards: tick %d is at %d, want %d", shards, n, got, before+n+1)
			}
		}
		if p.isCounted() {
			t.Errorf("%d shards: the pass was over before four ticks were applied", shards)
		}
		for !p.isCounted() {
			e.pollAll()
		}
		if sortAll(p.views, want); p.seq != before || !reflect.DeepEqual(p.views, want) {
			t.Errorf("%d shards: at %d\n got %+v\nwant %+v at %d", shards, p.seq, p.views, want, before)
		}
		if e.hasDuty() {
			t.Errorf("%d shards: a pass that is over is still a duty", shards)
		}
	}
}

// TestPassesAmidCommandsAreExact begins passes in random histories whose stages are polled
// in random order; their slices lie between commands and in the middle of joint groups.
func TestPassesAmidCommandsAreExact(t *testing.T) {
	t.Parallel()
	seeds := uint64(150)
	if raceEnabled {
		seeds = 20 // one goroutine: nothing to find
	}
	for seed := range seeds {
		rng := rand.New(rand.NewPCG(seed, 0x70))
		e, rest := totalsEngine(t, seed, 1<<rng.IntN(4))
		poll := func() { e.stages[rng.IntN(len(e.stages))].Poll() }
		for range 3 {
			p, want := beginPass(t, e, rng.IntN(12), poll)
			for len(rest) > 0 && !p.isCounted() {
				tk, err := e.enter(rest[0], make([]Result, len(rest[0])))
				if err != nil {
					t.Fatal(err)
				}
				rest = rest[1:]
				for !tk.isDone() {
					poll()
				}
				e.tickets.put(tk)
			}
			for !p.isCounted() {
				poll()
			}
			if sortAll(p.views, want); !reflect.DeepEqual(p.views, want) {
				t.Fatalf("seed %d, %d shards\n got %+v\nwant %+v", seed, len(e.shards), p.views, want)
			}
		}
	}
}

func TestCallersShareThePassThatWaits(t *testing.T) {
	t.Parallel()
	d := newTotalsDesk()
	first, isLeader := d.join(3, 1)
	if !isLeader {
		t.Fatal("the first caller does not lead")
	}
	if p, isLeader := d.join(9, 1); p != first || isLeader || p.nearest != 9 {
		t.Errorf("the second caller leads %v a pass for %d, want to share one for 9", isLeader, p.nearest)
	}
	d.turn(first, true)
	second, isLeader := d.join(0, 1)
	if second == first || !isLeader || d.before() != first {
		t.Error("who comes while a pass is under way must lead the next, after it")
	}
	d.turn(second, false)
	if third, _ := d.join(0, 1); third == second || d.before() != first {
		t.Error("a pass that was given up takes callers")
	}
}

// TestTotalsAreAsLateAsWhatWasAcknowledged asks for totals on real threads while commands
// come in, until the engine is closed under them.
func TestTotalsAreAsLateAsWhatWasAcknowledged(t *testing.T) {
	t.Parallel()
	for _, threads := range []int{1, 3} {
		cfg := testConfig(2)
		cfg.AccountsMax, cfg.Clock, cfg.Now, cfg.Threads = genSlots, ClockCommands, nil, threads
		e, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		e.Start()
		var group sync.WaitGroup
		var acknowledged atomic.Uint64
		for n := range 4 {
			group.Go(func() {
				if err := askTotals(e, n, &acknowledged); err != nil {
					t.Errorf("%d threads: %v", threads, err)
				}
			})
		}
		for _, batch := range realHistory(11) {
			results := make([]Result, len(batch))
			if err := e.Submit(batch, results); err != nil {
				t.Error(err)
			}
			acknowledged.Store(max(acknowledged.Load(), results[0].Seq))
		}
		if view, seq, err := e.Totals(1); err != nil || seq != view.Seq || view.Accounts == 0 || seq < acknowledged.Load() {
			t.Errorf("%d threads: totals at %d of %+v, error %v", threads, seq, view, err)
		}
		e.Close()
		group.Wait()
		if _, _, err := e.Totals(1); !errors.Is(err, ErrClosed) {
			t.Errorf("totals of a closed engine: %v", err)
		}
	}
}

// askTotals asks until the engine is closed.
func askTotals(e *Engine, nearest int, acknowledged *atomic.Uint64) error {
	for {
		floor := acknowledged.Load()
		view, seq, err := e.Totals(nearest)
		switch {
		case errors.Is(err, ErrClosed):
			return nil
		case errors.Is(err, ErrBusy):
			continue
		case err != nil:
			return err
		case seq < floor || seq != view.Seq || uint64(len(view.Nearest)) > view.Accounts:
			return fmt.Errorf("totals at %d of a view at %d with %d nearest, want at least %d",
				seq, view.Seq, len(view.Nearest), floor)
		}
	}
}
