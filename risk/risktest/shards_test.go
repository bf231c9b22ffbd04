package risktest

import (
	"fmt"
	"slices"
	"testing"

	"plimsoll/risk"
)

// eventDifference names the first event in which two shard counts differ, "" for none.
func eventDifference(one, many []risk.Event) string {
	for i := range max(len(one), len(many)) {
		if i >= len(one) || i >= len(many) {
			return fmt.Sprintf("%d events, want %d", len(many), len(one))
		}
		if x, y := one[i], many[i]; x != y {
			return fmt.Sprintf("event %d is %+v, want %+v", i, y, x)
		}
	}
	return ""
}

// TestShardCountsAgree runs seeded histories on 1, 2, 4 and 8 shards in lockstep: equal
// state hashes and equal events after every group, every invariant on all of them.
func TestShardCountsAgree(t *testing.T) {
	t.Parallel()
	failed := 0
	for seed := *from; seed < *from+*seeds && failed < 12; seed++ {
		if err := agree(seed); err != nil {
			t.Errorf("seed %d: %v\nrepeat: go test -run TestShardCountsAgree -from=%d -seeds=1", seed, err, seed)
			failed++
		}
	}
}

func agree(seed uint64) error {
	g := NewGenerator(seed, Options{Accounts: 12, Invalid: 5, Imports: seed%3 == 0, Liquidation: seed%2 == 1, NoBackstop: seed%8 == 5})
	groups := g.Listings()
	for range 50 {
		groups = append(groups, g.Next())
	}
	var sets []*Shards
	var checks []*Checker
	for _, n := range []uint32{1, 2, 4, 8} {
		s := NewShards(n, 16)
		sets, checks = append(sets, s), append(checks, NewChecker(s))
	}
	for n, group := range groups {
		var first []risk.Event
		for i, s := range sets {
			events := s.Do(group)
			if err := checks[i].After(group, events); err != nil {
				return fmt.Errorf("group %d kind %d on %d shards: %w", n, group[0].Kind, len(s.Machines), err)
			}
			if i == 0 {
				first = slices.Clone(events)
				continue
			}
			if s.StateHash() != sets[0].StateHash() {
				return fmt.Errorf("group %d kind %d: %d shards reach another state than one", n, group[0].Kind, len(s.Machines))
			}
			if d := eventDifference(first, events); d != "" {
				return fmt.Errorf("group %d kind %d on %d shards: %s", n, group[0].Kind, len(s.Machines), d)
			}
		}
	}
	return nil
}
