package risktest

import (
	"fmt"
	"slices"
	"testing"

	"plimsoll/risk"
)

// subject returns the account that a group concerns alone, if it can be simulated.
func (r *run) subject(group []risk.Command, other uint32) (slot uint32, ok bool) {
	switch c := &group[0]; {
	case !risk.CanSimulate(c.Kind):
		return 0, false
	case c.Kind == risk.KindPrices || c.Kind == risk.KindClock:
		return other, r.o.accounts[other] != nil
	default:
		return c.Account(), r.o.accounts[c.Account()] != nil
	}
}

// lendsElsewhere reports whether a group had another account ask a pool.
func lendsElsewhere(events []risk.Event, slot uint32) bool {
	return slices.ContainsFunc(events, func(e risk.Event) bool {
		switch e.Kind {
		case risk.EventBorrowed, risk.EventRepaid, risk.EventSupplied, risk.EventUnsupplied, risk.EventCapReached:
			return e.Account != slot
		}
		return false
	})
}

// isReceivers reports whether a transfer was refused for the wallet of another account, of
// which a simulation knows nothing.
func isReceivers(c *risk.Command, reason risk.Reason) bool {
	return c.Kind == risk.KindTransfer && c.Account() != c.Other() && (reason == risk.ReasonUnknownDex || reason == risk.ReasonInvalidAmount)
}

// TestSimulatedIsWhatWouldHappen simulates every group of many histories on one account
// before it is applied: the answer and the account that come out must be those that the
// group then gives, and simulating must leave the state as it was.
func TestSimulatedIsWhatWouldHappen(t *testing.T) {
	t.Parallel()
	scratch := risk.NewScratch()
	var v risk.SimulationView
	var got risk.AccountView
	kinds, refused := map[risk.Kind]int{}, map[risk.Reason]int{}
	for seed := *from; seed < *from+*seeds/5; seed++ {
		g := NewGenerator(seed, Options{Accounts: 10, Invalid: 4, Imports: seed%2 == 0})
		shards := uint32(1 + seed%3)
		r := newRun(shards)
		for _, group := range g.Listings() {
			r.o.Apply(group)
			r.s.Do(group)
		}
		for n := range historyGroups {
			group := g.Next()
			slot, isOne := r.subject(group, uint32(n%10))
			where := fmt.Sprintf("seed %d group %d kind %d account %d", seed, n, group[0].Kind, slot)
			if isOne {
				before := r.s.StateHash()
				r.s.setForeign(int(slot % shards))
				copied := slices.Clone(group)
				for i := range copied {
					copied[i].GroupLeft = uint16(len(copied) - 1 - i)
				}
				if !scratch.Simulate(r.s.Owner(slot), slot, copied, &v) {
					t.Fatalf("%s: not simulated", where)
				}
				if r.s.StateHash() != before {
					t.Fatalf("%s: simulating changed the state", where)
				}
			}
			events := slices.Clone(r.s.Do(group))
			applied := slices.Clone(group)
			applied[0].TimeMs = r.s.TimeMs()
			if events[0].Reason == risk.ReasonNone {
				r.o.Apply(applied)
			}
			if !isOne || lendsElsewhere(events, slot) || isReceivers(&group[0], events[0].Reason) {
				continue
			}
			kinds[group[0].Kind]++
			refused[events[0].Reason]++
			a, b := v.Answers[0], events[0]
			if a.Reason != b.Reason || a.Amount != b.Amount || a.Amount2 != b.Amount2 || a.Flags != b.Flags || a.Rule != b.Rule ||
				a.Field != b.Field {
				t.Errorf("%s: simulated answer\n%+v, real\n%+v", where, a, b)
			}
			r.s.ReadAccount(slot, &got)
			for _, d := range Differences(&v.After, &got) {
				t.Errorf("%s: simulated%s", where, d)
			}
			if t.Failed() {
				return
			}
		}
	}
	t.Log(kinds, refused)
	if len(kinds) < 16 || len(refused) < 12 {
		t.Errorf("%d kinds and %d reasons: the test is too narrow", len(kinds), len(refused))
	}
}

// TestSimulationOfManyCommandsLeavesNoTrace runs whole histories as simulations of up to
// risk.SimulateMax commands, under which nothing may change.
func TestSimulationOfManyCommandsLeavesNoTrace(t *testing.T) {
	t.Parallel()
	scratch := risk.NewScratch()
	var v risk.SimulationView
	var before, after risk.AccountView
	commands := 0
	portfolios(t, 6, func(seed uint64, r *run) {
		g := NewGenerator(seed+1000, Options{Accounts: 64})
		for range 300 {
			g.Next() // opens accounts of its own, and learns of orders
		}
		for _, slot := range keys(r.o.accounts) {
			m := r.s.Owner(slot)
			hash, totals := m.StateHash(), r.s.Totals()
			var groups []risk.Command
			for count := 0; count < risk.SimulateMax; {
				group := slices.Clone(g.Next())
				if !risk.CanSimulate(group[0].Kind) {
					continue
				}
				if group[0].Kind != risk.KindPrices && group[0].Kind != risk.KindClock {
					group[0].Ref[risk.RefAccount] = slot
				}
				for i := range group {
					group[i].GroupLeft = uint16(len(group) - 1 - i)
				}
				groups = append(groups, group...)
				count++
			}
			m.ReadAccount(slot, &before)
			if !scratch.Simulate(m, slot, groups, &v) || len(v.Answers) != risk.SimulateMax {
				t.Fatalf("seed %d account %d: %d answers", seed, slot, len(v.Answers))
			}
			commands += len(v.Answers)
			m.ReadAccount(slot, &after)
			if list := append(Differences(&after, &before), Differences(&v.Before, &before)...); len(list) > 0 || m.StateHash() != hash {
				t.Fatalf("seed %d account %d changed: %v", seed, slot, list)
			}
			if !slices.Equal(r.s.Totals(), totals) {
				t.Fatalf("seed %d account %d: pool totals changed", seed, slot)
			}
		}
	})
	t.Logf("%d commands", commands)
}
