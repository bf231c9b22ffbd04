package engine

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"plimsoll/fixedpoint"
	"plimsoll/risk"
)

// testConfig is a small engine by commands' time.
func testConfig(shards int) Config {
	cfg := DefaultConfig()
	cfg.Shards, cfg.Clock, cfg.EventHistory, cfg.AccountsMax = shards, ClockCommands, 1<<16, 1<<12
	cfg.IngressSlots, cfg.SequenceSlots, cfg.BroadcastSlots, cfg.OutboxSlots = 256, 256, 256, 64
	cfg.GroupMax, cfg.IDWindow = 128, 64
	return cfg
}

func fakes(shards int) []machine {
	machines := make([]machine, shards)
	for i := range machines {
		machines[i] = newFake(i, shards, 256)
	}
	return machines
}

// startFake runs an engine over fake machines until the test ends.
func startFake(tb testing.TB, cfg Config) *Engine {
	tb.Helper()
	if err := cfg.Validate(); err != nil {
		tb.Fatal(err)
	}
	e := wire(cfg, fakes(cfg.Shards))
	e.Start()
	tb.Cleanup(e.Close)
	return e
}

func deposit(account uint32, amount int64) risk.Command {
	c := risk.Command{Kind: risk.KindDeposit}
	c.Ref[risk.RefAccount] = account
	c.Num[0], c.Num[1] = amount, 1
	return c
}

func withID(c risk.Command, client uint16, id uint64) risk.Command {
	c.Client, c.IDForm, c.IDLo = client, risk.FormUint, id
	return c
}

// must submits one command that has to be answered.
func must(tb testing.TB, e *Engine, c risk.Command) Result {
	tb.Helper()
	var r [1]Result
	if err := e.Submit([]risk.Command{c}, r[:]); err != nil {
		tb.Fatal(err)
	}
	return r[0]
}

func TestBatchTakesConsecutivePlaces(t *testing.T) {
	e := startFake(t, testConfig(2))
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() {
			results := make([]Result, 5)
			for range 100 {
				batch := []risk.Command{
					deposit(1, 1), deposit(2, 1),
					{Kind: risk.KindPrices, GroupLeft: 2},
					{Kind: risk.KindPrices, GroupLeft: 1},
					{Kind: risk.KindPrices},
					deposit(3, 1), deposit(4, 1),
				}
				if err := e.Submit(batch, results); errors.Is(err, ErrBusy) {
					continue
				} else if err != nil {
					t.Error(err)
				}
				for i := range results {
					if results[i].Seq != results[0].Seq+uint64(i) {
						t.Errorf("result %d has seq %d, the first %d", i, results[i].Seq, results[0].Seq)
					}
				}
			}
		})
	}
	callers.Wait()
}

func TestMalformedBatchesAreTurnedAwayWhole(t *testing.T) {
	e := startFake(t, testConfig(1))
	for name, tc := range map[string]struct {
		batch []risk.Command
		want  error
	}{
		"group cut short":      {[]risk.Command{deposit(1, 1), {Kind: risk.KindPrices, GroupLeft: 1}}, ErrMalformed},
		"group counts wrong":   {[]risk.Command{{Kind: risk.KindPrices, GroupLeft: 1}, {Kind: risk.KindPrices, GroupLeft: 1}}, ErrMalformed},
		"kind of a marker":     {[]risk.Command{{Kind: kindRead}}, ErrMalformed},
		"group above GroupMax": {make([]risk.Command, 1), ErrTooLarge},
		"batch above the ring": {make([]risk.Command, 257), ErrTooLarge},
		"unknown client":       {[]risk.Command{withID(deposit(1, 1), 9999, 1)}, ErrTooLarge},
		"too few results":      {[]risk.Command{deposit(1, 1), deposit(1, 1), deposit(1, 1)}, ErrMalformed},
	} {
		if strings.HasPrefix(name, "group above") {
			tc.batch[0].GroupLeft = 500
		}
		if err := e.Submit(tc.batch, make([]Result, 2)); !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, want %v", name, err, tc.want)
		}
	}
	if got := e.Status().Sequenced; got != 0 {
		t.Errorf("sequenced %d, want 0", got)
	}
}

func TestFullIngressSaysBusyAndAppliesNothing(t *testing.T) {
	cfg := testConfig(1)
	cfg.IngressSlots, cfg.GroupMax, cfg.Tickets = 8, 4, 4
	e := wire(cfg, fakes(1)) // not started: nothing moves on
	results := make([]Result, 8)
	batch := []risk.Command{deposit(1, 1), deposit(1, 1), deposit(1, 1)}
	for i, want := range []error{nil, nil, ErrBusy} {
		if _, err := e.SubmitAsync(batch, results); !errors.Is(err, want) {
			t.Fatalf("batch %d: got %v, want %v", i, err, want)
		}
	}
	if _, err := e.SubmitAsync(batch[:2], results); err != nil {
		t.Errorf("two records fit the two free slots: %v", err)
	}
	if _, err := e.Read(1, func(*risk.Machine) {}); !errors.Is(err, ErrBusy) {
		t.Errorf("read of a full ring: got %v, want %v", err, ErrBusy)
	}
	if got := e.Count(CounterBusy); got != 2 {
		t.Errorf("busy counted %d, want 2", got)
	}
	for range 100 {
		for _, s := range e.stages {
			s.Poll()
		}
	}
	if got := e.Status().Sequenced; got != 8 {
		t.Errorf("sequenced %d, want the 8 that were accepted", got)
	}
}

func TestNoTicketIsBusy(t *testing.T) {
	cfg := testConfig(1)
	cfg.Tickets = 1
	e := wire(cfg, fakes(1))
	var r [1]Result
	if _, err := e.SubmitAsync([]risk.Command{deposit(1, 1)}, r[:]); err != nil {
		t.Fatal(err)
	}
	if _, err := e.SubmitAsync([]risk.Command{deposit(1, 1)}, r[:]); !errors.Is(err, ErrBusy) {
		t.Errorf("got %v, want %v", err, ErrBusy)
	}
}

func TestRepeatOfAnIDGetsTheFirstResult(t *testing.T) {
	e := startFake(t, testConfig(2))
	must(t, e, risk.Command{Kind: risk.KindListToken})
	first := must(t, e, withID(deposit(3, 7), 1, 42))
	if first.IsDuplicate {
		t.Error("the first is called a repeat")
	}
	between := must(t, e, deposit(3, 1))
	for range 3 {
		again := must(t, e, withID(deposit(3, 7), 1, 42))
		want := first
		want.IsDuplicate = true
		if again != want {
			t.Errorf("repeat = %+v, want %+v", again, want)
		}
	}
	if next := must(t, e, withID(deposit(3, 7), 2, 42)); next.IsDuplicate || next.Seq != between.Seq+1 {
		t.Errorf("the same id of another client = %+v, want seq %d", next, between.Seq+1)
	}
}

func TestRepeatInFlightWaitsForTheFirst(t *testing.T) {
	cfg := testConfig(1)
	j := &gateJournal{}
	cfg.Journal = j
	e := startFake(t, cfg)
	var first, second [1]Result
	batch := []risk.Command{withID(deposit(3, 7), 1, 42)}
	t1, err1 := e.SubmitAsync(batch, first[:])
	t2, err2 := e.SubmitAsync(batch, second[:])
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	time.Sleep(5 * time.Millisecond)
	if t1.IsDone() || t2.IsDone() {
		t.Error("answered before durable")
	}
	j.sync(1)
	if err := errors.Join(e.Wait(t1), e.Wait(t2)); err != nil {
		t.Fatal(err)
	}
	if second[0].Seq != first[0].Seq || !second[0].IsDuplicate || first[0].IsDuplicate {
		t.Errorf("first %+v, repeat %+v", first[0], second[0])
	}
}

func TestIDsFallOutOfTheWindowInOrder(t *testing.T) {
	cfg := testConfig(1)
	cfg.IDWindow = 4
	e := startFake(t, cfg)
	for id := range uint64(5) {
		must(t, e, withID(deposit(1, 1), 0, id))
	}
	if r := must(t, e, withID(deposit(1, 1), 0, 1)); !r.IsDuplicate {
		t.Error("id 1 is one of the last four and was forgotten")
	}
	if r := must(t, e, withID(deposit(1, 1), 0, 0)); r.IsDuplicate {
		t.Error("id 0 is the fifth last and was remembered")
	}
}

func TestReadSeesEveryAcknowledgedCommand(t *testing.T) {
	for _, threads := range []int{1, 2, 5} {
		cfg := testConfig(4)
		cfg.Threads = threads
		e := startFake(t, cfg)
		must(t, e, risk.Command{Kind: risk.KindListToken})
		var callers sync.WaitGroup
		var acked atomic.Int64
		for caller := range uint32(6) {
			callers.Go(func() {
				for range 300 {
					var r [1]Result
					if err := e.Submit([]risk.Command{deposit(caller, 1)}, r[:]); err != nil {
						t.Error(err)
						return
					}
					total, seq := acked.Add(1), r[0].Seq
					got := make([]int64, cfg.Shards)
					follows, err := e.ReadAll(func(shard int, _ *risk.Machine) {
						got[shard], _ = e.shards[shard].m.(*fakeMachine).own[0].Cash.Int64()
					})
					if err != nil || follows < seq {
						t.Errorf("read follows %d, want at least %d: %v", follows, seq, err)
					}
					if sum := got[0] + got[1] + got[2] + got[3]; sum < total {
						t.Errorf("read saw %d deposits, %d were acknowledged", sum, total)
					}
				}
			})
		}
		callers.Wait()
	}
}

func TestStateHashKnowsNoShards(t *testing.T) {
	var want fixedpoint.Hash128
	for _, shards := range []int{1, 3, 8} {
		e := startFake(t, testConfig(shards))
		must(t, e, risk.Command{Kind: risk.KindListToken})
		for i := range uint32(50) {
			must(t, e, withID(deposit(i, 5), uint16(i%3), uint64(i)))
		}
		hash, seq, err := e.StateHash()
		if err != nil || seq != 51 {
			t.Fatalf("seq %d, want 51: %v", seq, err)
		}
		if shards == 1 {
			want = hash
		} else if hash != want {
			t.Errorf("%d shards: %x, want %x", shards, hash, want)
		}
	}
}

func TestClosedEngineTakesNothingAndAnswersWhatItTook(t *testing.T) {
	e := startFake(t, testConfig(2))
	var callers sync.WaitGroup
	var answered atomic.Int64
	for range 8 {
		callers.Go(func() {
			var r [1]Result
			for {
				err := e.Submit([]risk.Command{deposit(1, 1)}, r[:])
				if errors.Is(err, ErrClosed) {
					return
				}
				if err == nil {
					answered.Add(1)
				}
			}
		})
	}
	for answered.Load() < 1000 {
		time.Sleep(time.Millisecond)
	}
	e.Close()
	callers.Wait()
	if got := e.Status().Sequenced; got != uint64(answered.Load()) {
		t.Errorf("sequenced %d, answered %d", got, answered.Load())
	}
	if _, err := e.Read(1, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("read: got %v, want %v", err, ErrClosed)
	}
	e.Close() // twice is once
}

// brokenMachine panics at its first deposit.
type brokenMachine struct{ *fakeMachine }

func (m brokenMachine) Apply(group []risk.Command) {
	if group[0].Kind == risk.KindDeposit {
		panic("broken")
	}
	m.fakeMachine.Apply(group)
}

func TestPanicOfAMachineStopsTheEngineForAll(t *testing.T) {
	e := wire(testConfig(1), []machine{brokenMachine{newFake(0, 1, 16)}}) // not started: the caller runs it
	must(t, e, risk.Command{Kind: risk.KindListToken})
	var r [1]Result
	func() {
		defer func() { _ = recover() }() // as a server would
		_ = e.Submit([]risk.Command{deposit(1, 1)}, r[:])
	}()
	if err := e.Submit([]risk.Command{deposit(1, 1)}, r[:]); err == nil || !strings.Contains(err.Error(), "broken") {
		t.Errorf("got %v, want the panic", err)
	}
}

func TestConfigReportsEveryFault(t *testing.T) {
	var c Config
	err := c.Validate()
	for _, name := range []string{"Shards", "AccountsMax", "ClientsMax", "IngressSlots", "OutboxSlots", "Clock", "Journal", "Tickets"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("no word on %s in: %v", name, err)
		}
	}
	good := DefaultConfig()
	good.Now = func() int64 { return 1 }
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	if _, err := New(Config{}); err == nil {
		t.Error("New takes a Config that Validate refuses")
	}
}
