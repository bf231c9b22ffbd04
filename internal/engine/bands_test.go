package engine

import (
	"fmt"
	"testing"
	"time"

	"plimsoll/risk"
)

// tiredMachine always has band work, and notes how much of it came at once.
type tiredMachine struct {
	*fakeMachine
	bandSteps, bandsMost, auditsMost int
}

func (m *tiredMachine) HasBandWork() bool { return true }

func (m *tiredMachine) BandStep(accounts int) bool {
	m.bandSteps++
	m.bandsMost = max(m.bandsMost, accounts)
	return true
}

func (m *tiredMachine) AuditStep(accounts int, dst []risk.BandMiss) ([]risk.BandMiss, bool) {
	m.auditsMost = max(m.auditsMost, accounts)
	return m.fakeMachine.AuditStep(accounts, dst)
}

func TestBandsNeverHoldAGroup(t *testing.T) {
	cfg := testConfig(1)
	m := &tiredMachine{fakeMachine: newFake(0, 1, 256)}
	e := wire(cfg, []machine{m})
	for i := range 200 {
		if i > 100 {
			e.auditor.beat()
		}
		steps := m.bandSteps
		tk, err := e.enter([]risk.Command{deposit(1, 1)}, make([]Result, 1))
		if err != nil {
			t.Fatal(err)
		}
		e.pollAll()
		if !tk.isDone() {
			t.Fatalf("command %d is not answered by the first round of polls", i)
		}
		e.tickets.put(tk)
		if did := m.bandSteps - steps; did > 1 {
			t.Fatalf("command %d waited for %d steps of bands, want at most 1", i, did)
		}
	}
	if most := 200/bandsPatience + 1; m.bandSteps == 0 || m.bandSteps > most {
		t.Errorf("%d steps while 200 groups came one by one, want 1 to %d", m.bandSteps, most)
	}
	steps := m.bandSteps
	for range 10 {
		e.pollAll()
	}
	if got := m.bandSteps - steps; got != 10 {
		t.Errorf("%d steps in 10 polls without groups, want 10", got)
	}
	if m.bandsMost > bandsSlice || m.auditsMost == 0 || m.auditsMost > auditIdle {
		t.Errorf("a step of %d bands and one of %d audits, want some and at most %d and %d", m.bandsMost, m.auditsMost, bandsSlice, auditIdle)
	}
}

func TestAParkedPumpLeavesNobodyWithoutABand(t *testing.T) {
	cfg := testConfig(2)
	cfg.Threads = 1
	e := startFake(t, cfg)
	must(t, e, risk.Command{Kind: risk.KindListToken})
	for i := range uint32(5) {
		must(t, e, deposit(i, 1))
	}
	for range 500 {
		if s := e.Status().Bands; s.Awake == 0 && s.Rebanded >= 5 && s.Audited > 0 && s.Banded > 0 {
			return
		}
		time.Sleep(auditBeat / 4)
	}
	t.Errorf("bands after 2.5 s without a command: %+v", e.Status().Bands)
}

func TestAuditKeepsItsPace(t *testing.T) {
	cfg := testConfig(1)
	m := newFake(0, 1, 50_000)
	e := wire(cfg, []machine{m})
	spend := func() uint64 {
		before := m.stats.Audited
		e.auditor.beat()
		for range 10_000 {
			e.pollAll()
		}
		return m.stats.Audited - before
	}
	spend() // takes note of where the order stands
	if got, want := spend(), uint64(auditsIdle/beatsASecond); got != want {
		t.Errorf("%d accounts audited in a beat without commands, want %d", got, want)
	}
	for _, patience := range []int{0, 10 * auditPatience} {
		before := m.stats.Audited
		for range max(patience, 1) {
			tk, err := e.enter([]risk.Command{deposit(1, 1)}, make([]Result, 1))
			if err != nil {
				t.Fatal(err)
			}
			for !tk.isDone() {
				e.pollAll()
			}
			e.tickets.put(tk)
		}
		if most := uint64(patience / auditPatience * auditBusy); m.stats.Audited-before > most {
			t.Errorf("%d accounts audited during %d commands, want at most %d", m.stats.Audited-before, patience, most)
		}
		if got, want := spend(), uint64(auditsLoaded/beatsASecond); got != want {
			t.Errorf("%d accounts audited in a beat after a command, want %d", got, want)
		}
	}
	small := newFake(0, 1, 10)
	m = small
	e = wire(cfg, []machine{small})
	if got := spend(); got != uint64(len(small.accounts)) {
		t.Errorf("a beat audits %d of %d accounts, want each once", got, len(small.accounts))
	}
}

func TestAuditGoesOnUnderLoad(t *testing.T) {
	m := newFake(0, 1, 50_000)
	e := wire(testConfig(1), []machine{m})
	for range 4 * auditPatience {
		e.auditor.beat()
		tk, err := e.enter([]risk.Command{deposit(1, 1)}, make([]Result, 1))
		if err != nil {
			t.Fatal(err)
		}
		e.pollAll()
		e.tickets.put(tk)
	}
	if m.stats.Audited < 2*auditBusy {
		t.Errorf("%d accounts audited while every poll had a group, want %d at least", m.stats.Audited, 2*auditBusy)
	}
}

// TestDetectSweepGivesTheSame runs real histories with bands and without on 1, 2, 4 and 8
// shards: hash, results and events are the same.
func TestDetectSweepGivesTheSame(t *testing.T) {
	seeds := uint64(60)
	if raceEnabled || testing.Short() {
		seeds = 6
	}
	for seed := uint64(5001); seed < 5001+seeds; seed++ {
		h := realHistory(seed)
		var want *outcome
		for _, shards := range []int{1, 2, 4, 8} {
			for _, detect := range []risk.Detect{risk.DetectSweep, risk.DetectBands} {
				s := newSimulation(t, seed, shards, h, func(cfg *Config) []machine {
					cfg.Detect = detect
					return riskHouse(cfg)
				})
				got := s.run()
				if want == nil {
					want = got
				}
				compareOutcomes(t, fmt.Sprintf("seed %d, %d shards, detect %d", seed, shards, detect), h, got, want)
				if t.Failed() {
					return
				}
			}
		}
	}
}
