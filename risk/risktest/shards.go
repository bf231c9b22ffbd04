package risktest

import (
	"fmt"
	"slices"

	"plimsoll/fixedpoint"
	"plimsoll/risk"
)

// Shards runs one history on several machines in lockstep, as the engine does with
// threads: the accounts are split over the machines, every machine sees every group.
//
//	group ──► Plan ── local ──────────────────► Apply
//	               ├─ totals ─► SetForeign ───► Apply
//	               └─ joint ──► SetForeign ───► Verdict ─► (combine) ─► Prepare ─► (merge) ─► Finish
//
// Foreign totals are set only where a machine's plan asks for them, from what the machines
// published by ChangedPools: a plan that asks too little shows as a diverging hash.
type Shards struct {
	Machines []*risk.Machine

	published [][]risk.Totals // by shard, then pool: own totals as of the Seq before
	events    []risk.Event
	requests  []risk.Request
	verdicts  []risk.Verdict
	seq       uint64
	timeMs    int64
}

// NewShards returns empty machines that share accountsMax account slots and detect by bands.
func NewShards(shards, accountsMax uint32) *Shards {
	return NewShardsOf(risk.Config{Shards: shards, AccountsMax: accountsMax})
}

// NewShardsOf returns empty machines as a Config has it; Shard is theirs to count.
func NewShardsOf(cfg risk.Config) *Shards {
	s := &Shards{published: make([][]risk.Totals, cfg.Shards)}
	for i := range cfg.Shards {
		cfg.Shard = i
		s.Machines = append(s.Machines, risk.New(cfg))
	}
	return s
}

// TimeMs returns the engine time last stamped.
func (s *Shards) TimeMs() int64 { return s.timeMs }

// Do stamps a copy of a group with the next Seq and runs it: its answer first, then its
// events, in order. What it returns is valid until the next call. It panics where the
// machines break their contract: more or less than one answer, or plans that disagree.
func (s *Shards) Do(group []risk.Command) []risk.Event {
	group = slices.Clone(group)
	s.seq++
	s.timeMs = max(s.timeMs, group[0].TimeMs)
	for i := range group {
		group[i].Seq, group[i].TimeMs, group[i].GroupLeft = s.seq, s.timeMs, uint16(len(group)-1-i)
	}
	if s.isJoint(group) {
		s.joint(group)
	} else {
		for i, m := range s.Machines {
			if m.Plan(group) == risk.PlanTotals {
				s.setForeign(i)
			}
			m.Apply(group)
		}
	}
	return s.finish()
}

// isJoint asks every machine for its plan: joint is all or none.
func (s *Shards) isJoint(group []risk.Command) bool {
	count := 0
	for _, m := range s.Machines {
		if m.Plan(group) == risk.PlanJoint {
			count++
		}
	}
	if count != 0 && count != len(s.Machines) {
		panic(fmt.Sprintf("risktest: kind %d is joint on %d of %d shards", group[0].Kind, count, len(s.Machines)))
	}
	return count > 0
}

// joint runs the three rounds of a joint group.
func (s *Shards) joint(group []risk.Command) {
	s.verdicts, s.requests = s.verdicts[:0], s.requests[:0]
	for i, m := range s.Machines {
		s.setForeign(i)
		s.verdicts = append(s.verdicts, m.Verdict(group))
	}
	v := risk.Combine(s.verdicts)
	for _, m := range s.Machines {
		s.requests = append(s.requests, m.Prepare(group, v)...)
	}
	for isMore := true; isMore; {
		slices.SortFunc(s.requests, risk.CompareRequests)
		merged := slices.Clone(s.requests)
		s.requests = s.requests[:0]
		for i, m := range s.Machines {
			next, more := m.Finish(group, merged)
			if i > 0 && more != isMore {
				panic("risktest: shards disagree on whether a group goes on")
			}
			s.requests, isMore = append(s.requests, next...), more
		}
	}
}

// setForeign gives machine i the sums of the others.
func (s *Shards) setForeign(i int) {
	for pool := range s.Machines[i].PoolCount() {
		var sum risk.Totals
		for j := range s.Machines {
			if j != i && pool < len(s.published[j]) {
				sum = sum.Add(s.published[j][pool])
			}
		}
		s.Machines[i].SetForeign(pool, sum)
	}
}

// finish publishes the totals that changed and merges the events.
func (s *Shards) finish() []risk.Event {
	s.events = s.events[:0]
	answers := 0
	for i, m := range s.Machines {
		for len(s.published[i]) < m.PoolCount() {
			s.published[i] = append(s.published[i], risk.Totals{})
		}
		for _, pool := range m.ChangedPools() {
			s.published[i][pool] = m.OwnTotals(int(pool))
		}
		for _, e := range m.Events() {
			if e.Kind == risk.EventResult {
				answers++
			}
			s.events = append(s.events, e)
		}
	}
	if answers != 1 {
		panic(fmt.Sprintf("risktest: seq %d has %d answers, want 1", s.seq, answers))
	}
	slices.SortStableFunc(s.events, func(a, b risk.Event) int {
		switch {
		case a.Before(&b):
			return -1
		case b.Before(&a):
			return 1
		default:
			return 0
		}
	})
	return s.events
}

// Owner returns the machine that an account slot lives on.
func (s *Shards) Owner(slot uint32) *risk.Machine { return s.Machines[slot%uint32(len(s.Machines))] }

// ReadAccount fills v with an account's view, wherever it lives.
func (s *Shards) ReadAccount(slot uint32, v *risk.AccountView) bool {
	return s.Owner(slot).ReadAccount(slot, v)
}

// Totals returns every shared total, summed over the machines.
func (s *Shards) Totals() []risk.Totals {
	var sum []risk.Totals
	for _, m := range s.Machines {
		for pool, t := range m.ReadTotals(nil) {
			if pool == len(sum) {
				sum = append(sum, risk.Totals{})
			}
			sum[pool] = sum[pool].Add(t)
		}
	}
	return sum
}

// StateHash returns the state hash of all machines together.
func (s *Shards) StateHash() fixedpoint.Hash128 {
	var h fixedpoint.Hash128
	for _, m := range s.Machines {
		h = h.Add(m.StateHash())
	}
	return h
}
