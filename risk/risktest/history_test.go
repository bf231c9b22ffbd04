package risktest

import (
	"flag"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sort"
	"strings"
	"testing"

	"plimsoll/risk"
)

var (
	from  = flag.Uint64("from", 1, "seed of the first history: a failure names the seed that repeats it")
	seeds = flag.Uint64("seeds", 1000, "how many histories each random test runs")
)

// run is one history on one set of machines, watched.
type run struct {
	s *Shards
	k *Checker
	o *Oracle
}

func newRun(shards uint32) *run {
	s := NewShards(shards, 64)
	return &run{s: s, k: NewChecker(s), o: NewOracle()}
}

// do runs a group through machines, checker and oracle.
func (r *run) do(group []risk.Command) ([]risk.Event, error) {
	events := r.s.Do(group)
	if err := r.k.After(group, events); err != nil {
		return events, err
	}
	group = slices.Clone(group)
	group[0].TimeMs = r.s.TimeMs()
	if events[0].Reason == risk.ReasonNone {
		r.o.Apply(group)
	} else {
		r.o.Tick(group[0].TimeMs)
	}
	return events, nil
}

// differences compares accounts of the machines with the oracle's.
func (r *run) differences(slots []uint32) []string {
	var out []string
	var got, want risk.AccountView
	for _, slot := range slots {
		if !r.s.ReadAccount(slot, &got) || !r.o.ReadAccount(slot, &want) {
			continue
		}
		for _, d := range Differences(&got, &want) {
			out = append(out, fmt.Sprintf("account %d (mode %d) %s", slot, got.Mode, d))
		}
	}
	return out
}

// tally counts differences by the figure that differs, with one example of each.
type tally map[string]int

func (t tally) add(examples map[string]string, where string, list []string) {
	for _, d := range list {
		path, _, _ := strings.Cut(d, ": got")
		_, path, _ = strings.Cut(path, ") ")
		path = strings.Map(func(c rune) rune {
			if c >= '0' && c <= '9' {
				return -1
			}
			return c
		}, path)
		t[path]++
		if examples[path] == "" {
			examples[path] = where + " " + d
		}
	}
}

func (t tally) report(tb testing.TB, examples map[string]string) {
	tb.Helper()
	names := slices.Collect(maps.Keys(t))
	sort.Strings(names)
	for _, n := range names {
		tb.Errorf("%6d x %s, such as %s", t[n], n, examples[n])
	}
}

func TestRandomPortfoliosMatchTheOracle(t *testing.T) {
	t.Parallel()
	count, examples, seen := 0, map[string]string{}, tally{}
	for seed := *from; count < int(5**seeds); seed++ {
		g := NewGenerator(seed, Options{Accounts: 64, Imports: true})
		r := newRun(1)
		for _, group := range g.Listings() {
			r.o.Apply(group)
			r.s.Do(group)
		}
		step := func(group []risk.Command) {
			events := r.s.Do(group)
			if events[0].Reason == risk.ReasonNone {
				group[0].TimeMs = r.s.TimeMs()
				r.o.Apply(group)
			}
		}
		for range 2 {
			step(g.Next())
		}
		if seed%3 != 0 {
			c := risk.Command{Kind: risk.KindSetParameters, Aux: risk.ParamOffsetMode, Mode: uint8(seed % 3)}
			step([]risk.Command{c})
		}
		for slot := range uint32(64) {
			step(g.Portfolio(slot))
			if slot%24 == 20 {
				step(g.clock())
				step(g.funding())
				step(g.tick())
			}
		}
		slots := keys(r.o.accounts)
		count += len(slots)
		seen.add(examples, fmt.Sprintf("seed %d", seed), r.differences(slots))
	}
	t.Logf("%d portfolios", count)
	seen.report(t, examples)
}

// poolDifferences compares every lending pool, the borrow oracle prices and the open
// interest of every perp.
func (r *run) poolDifferences() []string {
	var out []string
	want := r.o.ReadPools()
	for _, p := range r.s.Machines[0].ReadPerps() {
		if open := r.o.perps[p.Slot].openLong; len(r.s.Machines) == 1 && !isEqual(fromInt128(p.OpenInterest.V), open) {
			out = append(out, fmt.Sprintf("perp of (%s) .OpenInterest: got %s, want %v units", p.Name, Text(p.OpenInterest), open))
		}
	}
	for _, t := range r.s.Machines[0].ReadTokens(r.s.Totals()) {
		if px := r.o.tokens[t.Slot].px; !t.OraclePx.IsNull && !isEqual(fromInt128(t.OraclePx.V), px) {
			out = append(out, fmt.Sprintf("pool of (%s) .OraclePx: got %s, want %v", t.Name, Text(t.OraclePx), px))
		}
		if w, ok := want[t.Slot]; ok {
			var list []string
			walk("", reflect.ValueOf(t.Pool), reflect.ValueOf(w), &list)
			for _, d := range list {
				out = append(out, fmt.Sprintf("pool of (%s) .Pool%s", t.Name, d))
			}
		}
	}
	return out
}

// historyGroups is how many groups a history has after its listings.
const historyGroups = 50

// TestHistoriesMatchTheOracle runs seeded histories on one machine: every invariant after
// every group, the accounts it touched against the oracle, all of them now and then.
func TestHistoriesMatchTheOracle(t *testing.T) {
	t.Parallel()
	examples, seen := map[string]string{}, tally{}
	reasons := map[risk.Reason]int{}
	for seed := *from; seed < *from+*seeds; seed++ {
		g := NewGenerator(seed, Options{Accounts: 10, Invalid: 4, Imports: seed%2 == 0})
		r := newRun(1)
		for _, group := range g.Listings() {
			if _, err := r.do(group); err != nil {
				t.Fatal(err)
			}
		}
		for n := range historyGroups {
			group := g.Next()
			events, err := r.do(group)
			where := fmt.Sprintf("seed %d group %d kind %d", seed, n, group[0].Kind)
			if err != nil {
				t.Errorf("%s: %v", where, err)
				break
			}
			reasons[events[0].Reason]++
			slots := keys(r.o.accounts)
			if n%10 != 9 {
				slots = slices.DeleteFunc(slots, func(s uint32) bool { return s != group[0].Account() && s != group[len(group)-1].Account() })
			}
			if list := append(r.differences(slots), r.poolDifferences()...); len(list) > 0 {
				seen.add(examples, where, list)
				break
			}
		}
	}
	t.Log(reasons)
	seen.report(t, examples)
}
