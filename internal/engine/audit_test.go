package engine

import (
	"fmt"
	"testing"
	"time"

	"plimsoll/fixedpoint"
	"plimsoll/risk"
)

// TestAuditFindsABandThatIsWrong runs machines that forget to tell some accounts. Each that
// is found is reported, and rechecked by a command in the order: so that the journal, on any
// number of shards, gives the same events and hash.
func TestAuditFindsABandThatIsWrong(t *testing.T) {
	const seeds = 60
	found := 0
	for seed := uint64(1); seed <= seeds && !t.Failed(); seed++ {
		h := fakeHistory(seed)
		s := newSimulation(t, seed, 1<<(seed%4), h, deaf)
		misses := 0
		s.engine.cfg.OnBandMiss = func(m *BandMiss) {
			misses++
			if m.Account%3 != 0 || m.Told == m.Exact || int(m.Account)%len(s.engine.shards) != m.Shard {
				t.Errorf("seed %d: a miss that is none: %+v", seed, *m)
			}
		}
		got := s.run()
		s.settle() // a recheck may still be on its way
		rechecks := 0
		for _, frame := range got.frames {
			for i := range frame {
				if frame[i].Kind == risk.KindRecheck && frame[i].Client == 0 && frame[i].Other() == risk.NoAccount &&
					frame[i].Market() == risk.NoSlot {
					rechecks++
				}
			}
		}
		if s.journal == nil {
			continue
		}
		found += misses
		if put := int(s.engine.Count(CounterRechecks)); rechecks > put || rechecks > misses {
			t.Errorf("seed %d: %d rechecks are journaled, %d were put into the order for %d misses", seed, rechecks, put, misses)
		}
		for _, shards := range []int{1, 2, 4, 8} {
			replayed := replay(t, got.frames, shards, deaf, &s.cfg)
			replayed.results = got.results
			compareOutcomes(t, fmt.Sprintf("seed %d replayed on %d shards", seed, shards), h, replayed, got)
		}
	}
	if found == 0 {
		t.Errorf("no miss in %d seeds: the audit is deaf as well", seeds)
	}
}

// settle lets everything that is in the pipeline out, and takes the outcome again.
func (s *simulation) settle() {
	for s.engine.ingress.Len() > 0 || s.engine.egress.seq < s.engine.sequencer.seq {
		s.engine.pollAll()
	}
	s.follow()
	if s.journal != nil {
		s.out.frames = s.journal.frames
	}
	s.out.hash = s.engine.reached()
}

// TestAMissIsRepaired runs an engine whose machine is deaf: the miss is told once, with the
// account, the recheck tells its health, and then there is no more to find.
func TestAMissIsRepaired(t *testing.T) {
	cfg := testConfig(2)
	told := make(chan BandMiss, 16)
	cfg.OnBandMiss = func(m *BandMiss) { told <- *m }
	e := wire(cfg, deafOf(fakes(2)))
	e.Start()
	t.Cleanup(e.Close)
	must(t, e, risk.Command{Kind: risk.KindListToken})
	borrow := deposit(3, 7)
	borrow.Kind = risk.KindBorrow
	must(t, e, borrow) // account 3 is poor now, and nobody was told
	const patience = 10 * time.Second
	select {
	case m := <-told:
		if m.Account != 3 || m.Exact != risk.HealthLiquidatable || m.Told != risk.HealthHealthy || m.Shard != 1 || m.Seq != 2 {
			t.Errorf("reported %+v", m)
		}
	case <-time.After(patience):
		t.Fatal("nothing was reported")
	}
	deadline := time.Now().Add(patience)
	for {
		events, err := e.EventsAfter(0, 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		if last := events[len(events)-1]; last.Kind == risk.EventHealthChanged && last.Account == 3 && last.Seq > 2 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("no health_changed of account 3 in %+v", events)
		}
		time.Sleep(time.Millisecond)
	}
	misses := e.Status().Bands.Misses
	for audited := e.Status().Bands.Audited; e.Status().Bands.Audited < audited+3*256; {
		time.Sleep(time.Millisecond)
	}
	if again := e.Status().Bands.Misses; again > misses+1 { // what was found while the recheck was on its way
		t.Errorf("%d misses after the recheck, %d before", again, misses)
	}
	if n := e.Count(CounterRechecks); n == 0 {
		t.Error("no recheck is counted")
	}
}

func deafOf(machines []machine) []machine {
	for _, m := range machines {
		m.(*fakeMachine).isDeaf = true
	}
	return machines
}

// TestARecheckWaitsForRoom fills ingress: the miss stays until there is room, and is told
// once.
func TestARecheckWaitsForRoom(t *testing.T) {
	cfg := testConfig(1)
	reports := 0
	cfg.OnBandMiss = func(*BandMiss) { reports++ }
	e := wire(cfg, deafOf(fakes(1)))
	s := e.shards[0]
	s.bands.misses.TryPush(&BandMiss{Account: 6})
	for range e.cfg.IngressSlots {
		first, _ := e.ingress.TryClaim(1)
		*e.ingress.Slot(first) = deposit(risk.NoAccount, 1)
		e.ingress.Publish(first, 1)
	}
	for range 3 {
		e.auditor.beat()
	}
	if reports != 1 || s.bands.misses.Available() != 1 {
		t.Fatalf("%d reports, %d waiting, want 1 and 1", reports, s.bands.misses.Available())
	}
	for range 100 {
		e.pollAll()
	}
	e.auditor.beat()
	if reports != 1 || s.bands.misses.Available() != 0 || e.ingress.Len() != 1 {
		t.Errorf("%d reports, %d waiting, %d in ingress, want 1, 0, 1", reports, s.bands.misses.Available(), e.ingress.Len())
	}
}

// TestARecheckOfARightAccountChangesNothing sends rechecks for every account of a venue in
// use.
func TestARecheckOfARightAccountChangesNothing(t *testing.T) {
	for _, shards := range []int{1, 4} {
		cfg := testConfig(shards)
		cfg.ClientsMax, cfg.AccountsMax, cfg.GroupMax = 4, genSlots, 128
		e, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		e.Start()
		t.Cleanup(e.Close)
		submit := func(batch []risk.Command) {
			t.Helper()
			if err := e.Submit(batch, make([]Result, len(batch))); err != nil {
				t.Fatal(err)
			}
		}
		for _, batch := range realHistory(3)[:2] {
			submit(batch)
		}
		for slot := range uint32(genAccounts) {
			c := risk.Command{Kind: risk.KindFill, Ref: [4]uint32{slot, 0, slot % genPerps, risk.NoSlot}}
			c.SetNum(0, 1, 1)
			c.SetNum(1, 100, 0)
			submit([]risk.Command{c})
		}
		recheck := func() fixedpoint.Hash128 {
			for slot := range uint32(genAccounts) {
				if r := must(t, e, risk.Command{
					Kind: risk.KindRecheck, Ref: [4]uint32{slot, risk.NoAccount, risk.NoSlot, risk.NoSlot},
				}); r.Reason != risk.ReasonNone {
					t.Errorf("recheck of account %d is refused: %s", slot, r.Reason)
				}
			}
			hash, _, err := e.StateHash()
			if err != nil {
				t.Fatal(err)
			}
			return hash
		}
		want, events := recheck(), e.EventsPublished()
		if got := recheck(); got != want {
			t.Errorf("%d shards: rechecks change the state: hash %x, want %x", shards, got, want)
		}
		all, err := e.EventsAfter(0, 0, make([]risk.Event, 0, e.EventsPublished()+1))
		if err != nil {
			t.Fatal(err)
		}
		for _, ev := range all[events:] {
			if ev.Kind != risk.EventCapReached { // as any touch says it of who wants more than a cap allows
				t.Errorf("%d shards: a recheck of an account that is right gives %+v", shards, ev)
			}
		}
		if r := must(t, e, risk.Command{Kind: risk.KindRecheck, Ref: [4]uint32{risk.NoAccount, 0, 0, 0}}); r.Reason != risk.ReasonUnknownAccount {
			t.Errorf("recheck of nobody: %s", r.Reason)
		}
	}
}
