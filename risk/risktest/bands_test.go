package risktest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"plimsoll/risk"
)

// settle does band work of every machine, all that is waiting or now and then a piece of it.
func settle(s *Shards, r *rand.Rand) {
	for _, m := range s.Machines {
		switch r.IntN(4) {
		case 0:
		case 1:
			m.BandStep(1 + r.IntN(3))
		default:
			for n := 0; m.BandStep(64); n++ {
				if n > 10_000 {
					panic("risktest: band work does not end")
				}
			}
		}
	}
}

// audit compares every account that is not awake with its band.
func audit(s *Shards) error {
	for _, m := range s.Machines {
		misses, isEnd := []risk.BandMiss(nil), false
		for !isEnd {
			misses, isEnd = m.AuditStep(1000, misses)
		}
		if len(misses) > 0 {
			return fmt.Errorf("account %d: told %v, is %v", misses[0].Account, misses[0].Told, misses[0].Exact)
		}
	}
	return nil
}

// TestBandsFindWhatASweepFinds runs seeded histories on machines that detect by bands, on 1,
// 2, 4 and 8 shards, beside one that passes over all accounts at every tick: equal events and
// state hashes after every group, and no account outside of its band.
func TestBandsFindWhatASweepFinds(t *testing.T) {
	t.Parallel()
	failed := 0
	for seed := *from; seed < *from+*seeds && failed < 12; seed++ {
		if err := bandsAgree(seed); err != nil {
			t.Errorf("seed %d: %v\nrepeat: go test -run TestBandsFindWhatASweepFinds -from=%d -seeds=1", seed, err, seed)
			failed++
		}
	}
}

func bandsAgree(seed uint64) error {
	g := NewGenerator(seed, Options{Accounts: 24, Invalid: 3, Imports: seed%2 == 0, Liquidation: seed%4 != 3, NoBackstop: seed%8 == 5})
	r := rand.New(rand.NewPCG(seed, 0xba2d))
	groups := g.Listings()
	for range 100 {
		groups = append(groups, g.Next())
	}
	sweep := NewShardsOf(risk.Config{Shards: 1, AccountsMax: 32, Detect: risk.DetectSweep})
	sets := []*Shards{NewShards(1, 32), NewShards(2, 32), NewShards(4, 32), NewShards(8, 32)}
	for _, s := range sets {
		for _, m := range s.Machines {
			m.SetSweepAbove(32)
		}
	}
	for n, group := range groups {
		want := slices.Clone(sweep.Do(group))
		for _, s := range sets {
			if d := eventDifference(want, s.Do(group)); d != "" {
				return fmt.Errorf("group %d kind %d on %d shards: %s", n, group[0].Kind, len(s.Machines), d)
			}
			if err := audit(s); err != nil {
				return fmt.Errorf("group %d kind %d on %d shards: %w", n, group[0].Kind, len(s.Machines), err)
			}
			settle(s, r)
		}
	}
	for _, s := range sets {
		if s.StateHash() != sweep.StateHash() {
			return fmt.Errorf("%d shards reach another state than a sweep", len(s.Machines))
		}
	}
	return nil
}
