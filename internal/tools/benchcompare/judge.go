package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/perf/benchmath"
)

// pMax is the chance of an equal side looking so different that is still called a difference.
const pMax = 0.01

// samples are the runs of a package's rows, in the order in which the new side first had
// them.
type samples struct{ rows []*row }

// row holds one row's runs; index by 0 for old and 1 for new.
type row struct {
	name    string
	seconds [2][]float64
	allocs  [2][]float64
}

func (s *samples) add(runs []measured, isNew bool) {
	at := 0
	if isNew {
		at = 1
	}
	for _, m := range runs {
		i := slices.IndexFunc(s.rows, func(r *row) bool { return r.name == m.row })
		if i < 0 {
			i = len(s.rows)
			s.rows = append(s.rows, &row{name: m.row})
		}
		r := s.rows[i]
		if m.seconds > 0 {
			r.seconds[at] = append(r.seconds[at], m.seconds)
		}
		if m.hasAllocs {
			r.allocs[at] = append(r.allocs[at], m.allocs)
		}
	}
}

// verdict is what is said of one row.
type verdict struct {
	pkg, row   string
	isOneSided bool
	hasNoTime  bool
	ratio      float64 // median of new/old of neighbours
	p          float64
	seconds    [2]float64 // medians
	allocs     [2]float64 // medians
	isSlower   bool
	isHungrier bool // allocates more
}

func (s *samples) verdicts(pkg string, slowdown float64) []verdict {
	all := make([]verdict, 0, len(s.rows))
	for _, r := range s.rows {
		v := r.verdict(slowdown)
		v.pkg = pkg
		all = append(all, v)
	}
	return all
}

func (r *row) verdict(slowdown float64) verdict {
	v := verdict{row: r.name}
	old, now := r.seconds[0], r.seconds[1]
	v.isOneSided = len(old)+len(r.allocs[0]) == 0 || len(now)+len(r.allocs[1]) == 0
	if v.isOneSided {
		return v
	}
	if rounds := min(len(old), len(now)); rounds > 0 {
		ratios := make([]float64, rounds)
		for i := range ratios {
			ratios[i] = now[i] / old[i]
		}
		v.ratio, v.p = median(ratios), chance(old, now)
		v.seconds = [2]float64{median(old), median(now)}
		v.isSlower = v.ratio > 1+slowdown && v.p < pMax
	}
	v.hasNoTime = v.ratio == 0
	if old, now := r.allocs[0], r.allocs[1]; len(old) > 0 && len(now) > 0 {
		v.allocs = [2]float64{median(old), median(now)}
		v.isHungrier = v.allocs[1] > v.allocs[0] && slices.Min(now) > slices.Min(old)
	}
	return v
}

// chance returns the p of a Mann-Whitney U test: how often two samples of one distribution
// would lie at least so far apart.
func chance(old, now []float64) float64 {
	a := benchmath.NewSample(slices.Clone(old), &benchmath.DefaultThresholds)
	b := benchmath.NewSample(slices.Clone(now), &benchmath.DefaultThresholds)
	return benchmath.AssumeNothing.Compare(a, b).P
}

// median returns the middle of the values, the mean of the middle two of an even number.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 0 {
		return (sorted[middle-1] + sorted[middle]) / 2
	}
	return sorted[middle]
}

func (v *verdict) isWorse() bool { return v.isSlower || v.isHungrier }

// isAgain reports whether the second verdict of a row says of it what the first said.
func (v *verdict) isAgain(first *verdict) bool {
	return v.isSlower && first.isSlower || v.isHungrier && first.isHungrier
}

// pattern selects this row alone; go test matches level by level.
func (v *verdict) pattern() string {
	levels := strings.Split("Benchmark"+v.row, "/")
	for i, level := range levels {
		levels[i] = "^" + regexp.QuoteMeta(level) + "$"
	}
	return strings.Join(levels, "/")
}

func (v verdict) String() string {
	name := v.pkg + " Benchmark" + v.row
	if v.isOneSided {
		return name + ": on one side only, not judged"
	}
	var words []string
	if v.isSlower {
		words = append(words, "SLOWER")
	}
	if v.isHungrier {
		words = append(words, "ALLOCATES")
	}
	text := fmt.Sprintf("%s: x %.3f (%s to %s, p=%.4f)", name, v.ratio, duration(v.seconds[0]), duration(v.seconds[1]), v.p)
	if v.hasNoTime {
		text = name + ": no time"
	}
	return strings.TrimSpace(fmt.Sprintf("%s, %g to %g allocs %s", text, v.allocs[0], v.allocs[1], strings.Join(words, " ")))
}

// duration prints seconds with three digits that matter.
func duration(seconds float64) string {
	for _, unit := range []struct {
		name string
		size float64
	}{{"s", 1}, {"ms", 1e-3}, {"us", 1e-6}} {
		if seconds >= unit.size {
			return fmt.Sprintf("%.3g %s", seconds/unit.size, unit.name)
		}
	}
	return fmt.Sprintf("%.3g ns", seconds*1e9)
}
