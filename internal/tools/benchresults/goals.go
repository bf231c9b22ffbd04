package main

import (
	"fmt"
	"strconv"
	"strings"
)

// goal is one row of the table.
type goal struct {
	what    string
	target  string
	figures []figure
}

// figure is one number of a goal. MODE in a name stands for each account mode in turn; what
// has none is measured once.
type figure struct {
	label  string
	row    string // full name of the benchmark
	unit   string
	by     *quantity // the figure is unit / by, where there is one
	invert bool      // or its inverse
	scale  float64   // then times this; 0 is 1
	suffix string
	most   float64 // goal: at most this, if above 0
	least  float64 // goal: at least this, if above 0
}

// quantity is a unit of another row.
type quantity struct{ row, unit string }

const (
	million  = "Tick/mode=MODE/accounts=1000000/positions=3.8"
	tenfold  = "Tick/mode=MODE/accounts=10000000/positions=3.8"
	stormy   = "Storm/mode=MODE/accounts=1000000/positions=3.8"
	nobody   = "/move=1bp/crossing=0"
	event    = "TickToEvent/mode=MODE/accounts=1000000/positions=3.8"
	pass     = "Pass/mode=MODE/accounts=1000000/positions=4/of=sums"
	shards   = "PassShards/mode=MODE/accounts=1000000/positions=4/shards=2"
	tenBytes = "Memory/mode=MODE/accounts=10000000/positions=4"

	// dydxNs is what dYdX v4's Go risk calculation takes of an account with four positions on
	// this kind of machine, at its best (7.1 to 8.6 us; not shipped, so not run here).
	dydxNs = 7_100.0
)

// goals returns the table, in the order of the plan.
func goals() []goal {
	crossing := func(k int) figure {
		return figure{
			label: fmt.Sprintf("%d crossing", k), row: fmt.Sprintf("%s/move=1bp/crossing=%d", million, k), unit: "x-goal",
			suffix: " of it", most: 1,
		}
	}
	return []goal{
		{
			"tick of the most-held asset, 1 bp, 1,000,000 accounts x 3.8 positions, crossing nobody",
			"<= 200 ns; <= 1/10,000 of the exact pass", []figure{
				{label: "tick", row: million + nobody, unit: "ns/op", suffix: " ns", most: 200},
				{label: "pass/tick", row: million + nobody, unit: "x-rate", least: 10_000},
			}},
		{
			"the same at 10,000,000 accounts",
			"<= 2 x the figure at 1,000,000", []figure{
				{label: "ratio", row: tenfold + nobody, unit: "ns/op", by: &quantity{million + nobody, "ns/op"}, suffix: " x", most: 2},
			}},
		{
			"tick that crosses k accounts",
			"<= 1 us + k x 500 ns", []figure{crossing(10), crossing(1_000), crossing(100_000)}},
		{
			"192 assets moving together (correlated 2 bp), 1,000,000 accounts",
			"p99 <= 100 us", []figure{
				{label: "p50", row: stormy + "/move=2bp/assets=192", unit: "ns/op", scale: 1e-3, suffix: " us"},
				{label: "p99", row: stormy + "/move=2bp/assets=192", unit: "p99-ns", scale: 1e-3, suffix: " us", most: 100},
				{label: "p99.9", row: stormy + "/move=2bp/assets=192", unit: "p99.9-ns", scale: 1e-3, suffix: " us"},
			}},
		{
			"5 % crash of the most-held asset, 1,000,000 accounts",
			"<= 2 x the exact pass, all crossings found", []figure{
				{label: "tick/pass", row: stormy + "/move=5%/assets=1", unit: "x-ref", suffix: " x", most: 2},
				{label: "crossings, as the twin finds", row: stormy + "/move=5%/assets=1", unit: "crossings"},
			}},
		{
			"price tick at HTTP ingress to health_changed on the event stream, 1,000,000 accounts, " +
				"10,000 commands/s beside it, no journal",
			"p99 <= 300 us, p99.9 <= 1 ms", []figure{
				{label: "p50", row: event, unit: "p50-us", suffix: " us"},
				{label: "p99", row: event, unit: "p99-us", suffix: " us", most: 300},
				{label: "p99.9", row: event, unit: "p99.9-us", suffix: " us", most: 1_000},
				{label: "bare echo beside it p50", row: event, unit: "echo-p50-us", suffix: " us"},
				{label: "p99", row: event, unit: "echo-p99-us", suffix: " us"},
			}},
		{
			"exact pass",
			"<= 4.5 x a plain read of the same bytes, per core; scales >= 1.7 x on 2 shards", []figure{
				{label: "pass/read", row: pass, unit: "x-ref", suffix: " x", most: 4.5},
				{label: "one shard/two", row: shards, unit: "x-rate", suffix: " x", least: 1.7},
			}},
		{
			"against dYdX v4's Go risk calculation on equal accounts (7.1 us at its best)",
			">= 500 x per account per core in the pass; >= 1,000,000 x per tick by bands", []figure{
				{label: "pass", row: pass, unit: "ns/op", invert: true, scale: dydxNs, suffix: " x", least: 500},
				{label: "tick", row: million + nobody, unit: "ns/op", invert: true, scale: dydxNs * 1e6, suffix: " x", least: 1e6},
			}},
		{
			"10,000,000 accounts, memory",
			"<= 500 bytes an account, all included", []figure{
				{label: "resident", row: tenBytes, unit: "B/account", suffix: " B", most: 500},
			}},
	}
}

// pattern selects the benchmarks that goals need.
const pattern = "^Benchmark(Tick|Storm|TickToEvent|Pass|PassShards|Memory)$/^mode=(standard|unified|portfolio)$/^accounts="

// modes are the account modes, in the order of the cells.
func modes() []string { return []string{"standard", "unified", "portfolio"} }

// rows are the figures of a run, by name of the benchmark, then unit.
type rows map[string]map[string]float64

// value returns a figure of one mode, if it was measured.
func (f *figure) value(all rows, mode string) (v float64, isKnown bool) {
	named := func(name string) string { return strings.ReplaceAll(name, "MODE", mode) }
	v, isKnown = all[named(f.row)][f.unit]
	if f.by != nil {
		divisor, isDivisorKnown := all[named(f.by.row)][f.by.unit]
		v, isKnown = v/divisor, isKnown && isDivisorKnown && divisor > 0
	}
	if f.invert {
		v, isKnown = 1/v, isKnown && v > 0
	}
	if f.scale > 0 {
		v *= f.scale
	}
	return v, isKnown
}

// isMet reports whether a value meets the figure's goal.
func (f *figure) isMet(v float64) bool {
	return (f.most <= 0 || v <= f.most) && (f.least <= 0 || v >= f.least)
}

// cell returns the text of a goal's figures and the verdict on them.
func (g *goal) cell(all rows) (measured, verdict string) {
	var parts []string
	known, missed, judged := 0, 0, 0
	for i := range g.figures {
		f := &g.figures[i]
		var values []string
		for _, mode := range modes() {
			v, isKnown := f.value(all, mode)
			if !isKnown {
				values = append(values, "-")
				continue
			}
			known++
			if f.most > 0 || f.least > 0 {
				judged++
			}
			if !f.isMet(v) {
				missed++
			}
			values = append(values, digits(v))
		}
		parts = append(parts, fmt.Sprintf("%s %s%s", f.label, strings.Join(values, " / "), f.suffix))
	}
	switch {
	case known == 0:
		return "", "not run"
	case missed > 0:
		return strings.Join(parts, "; "), fmt.Sprintf("missed by %d of %d", missed, judged)
	case known < len(g.figures)*len(modes()):
		return strings.Join(parts, "; "), "met where run"
	default:
		return strings.Join(parts, "; "), "met"
	}
}

// digits prints a value with three digits that matter, thousands set apart.
func digits(v float64) string {
	switch {
	case v >= 1000:
		return thousands(int64(v + 0.5))
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}

func thousands(v int64) string {
	if v < 1000 {
		return strconv.FormatInt(v, 10)
	}
	return fmt.Sprintf("%s,%03d", thousands(v/1000), v%1000)
}
