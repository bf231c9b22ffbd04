package risktest

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"plimsoll/risk"
)

// Account slots of a history: those it means, and all that a spoilt group may open.
const (
	totalsSlots = 24
	totalsMax   = 64
)

// TestTotalsTakenInSlicesAreThoseOfTheirPlace runs seeded histories on several shards, and
// begins passes at random places: their slices lie between later groups, beside captures
// and state hashes. Each must give bit for bit what one uninterrupted pass of one shard
// gave at that place.
func TestTotalsTakenInSlicesAreThoseOfTheirPlace(t *testing.T) {
	t.Parallel()
	for seed := *from; seed < *from+*seeds/2; seed++ {
		if err := totalsInSlices(seed); err != nil {
			t.Fatalf("seed %d: %v\nrepeat: go test -run TestTotalsTaken -from=%d -seeds=2", seed, err, seed)
		}
	}
}

// slicedPass is a pass of all machines under way, and what must come out.
type slicedPass struct {
	s     *Shards
	views []risk.TotalsView
	want  risk.TotalsView
}

func totalsInSlices(seed uint64) error {
	r := rand.New(rand.NewPCG(seed, 10))
	g := NewGenerator(seed, Options{Accounts: totalsSlots, Invalid: 5, Imports: seed%3 != 0})
	s, plain := NewShards([]uint32{1, 2, 4, 8}[r.IntN(4)], totalsMax), NewShards(1, totalsMax)
	groups := g.Listings()
	for n := 0; len(groups) < 200; n++ {
		group := g.Next()
		if n > 60 && r.IntN(12) == 0 {
			group = tokenGroup(r.IntN(len(universeTokens)), g.capPercent) // listed anew: hot columns too
		}
		groups = append(groups, group)
	}
	var pass *slicedPass
	var capture *Captured
	for n, group := range groups {
		if pass == nil && n > r.IntN(60) {
			pass = beginSliced(s, plain, r.IntN(totalsSlots+2))
		}
		if n%50 == 30 {
			capture = s.BeginCapture()
		}
		if capture != nil && r.IntN(3) == 0 && capture.Step(s, 1+r.IntN(2), 400) {
			capture = nil
		}
		if r.IntN(10) == 0 {
			s.StateHash()
		}
		for _, m := range s.Machines {
			m.CheckpointStep(r.IntN(3))
			if pass != nil && r.IntN(3) == 0 {
				m.TotalsStep(r.IntN(3))
			}
		}
		s.Do(group)
		plain.Do(group)
		if pass != nil && r.IntN(8) == 0 {
			if err := pass.finish(r); err != nil {
				return fmt.Errorf("before group %d on %d shards: %w", n, len(s.Machines), err)
			}
			pass = nil
		}
	}
	if s.StateHash() != plain.StateHash() {
		return fmt.Errorf("a pass changed the state")
	}
	return nil
}

func beginSliced(s, plain *Shards, nearest int) *slicedPass {
	p := &slicedPass{s: s, views: make([]risk.TotalsView, len(s.Machines))}
	for i, m := range s.Machines {
		m.BeginTotals(&p.views[i], nearest)
	}
	plain.Machines[0].BeginTotals(&p.want, nearest)
	for !plain.Machines[0].TotalsStep(1 << 20) {
		continue
	}
	p.want.SortNearest()
	return p
}

// finish takes the slices that are left and compares.
func (p *slicedPass) finish(r *rand.Rand) error {
	for _, m := range p.s.Machines {
		for !m.TotalsStep(r.IntN(4)) {
			continue
		}
	}
	got := &p.views[0]
	for i := range p.views[1:] {
		got.Add(&p.views[1+i])
	}
	got.SortNearest()
	if !reflect.DeepEqual(*got, p.want) {
		return fmt.Errorf("got  %+v\nwant %+v", *got, p.want)
	}
	return nil
}
