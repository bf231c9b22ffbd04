package main

import (
	"regexp"
	"strings"
	"testing"
)

const sample = `command: go test ./bench
date: 25 November 2026, 12:00 UTC
cpu: AMD EPYC
BenchmarkTick/mode=standard/accounts=1000000/positions=3.8/move=1bp/crossing=0-2 	 100	 150.0 ns/op	 20000 x-rate	 0 allocs/op
BenchmarkTick/mode=unified/accounts=1000000/positions=3.8/move=1bp/crossing=0-2 	 100	 250.0 ns/op	 9999 x-rate
BenchmarkTick/mode=standard/accounts=10000000/positions=3.8/move=1bp/crossing=0-2 	 100	 225.0 ns/op
BenchmarkPass/mode=portfolio/accounts=1000000/positions=4/of=sums-2 	 10	 14.20 ns/op	 4.400 x-ref
BenchmarkMemory/mode=unified/accounts=10000000/positions=4-2 	 1	 0 ns/op	 420.6 B/account
`

func TestPageJudgesWhatWasMeasured(t *testing.T) {
	all, head, err := read(strings.NewReader(sample))
	if err != nil {
		t.Fatal(err)
	}
	text := string(page(all, head))
	for _, want := range []string{
		"machine: AMD EPYC, unknown;", "date: 25 November 2026, 12:00 UTC,",
		"| tick 150 / 250 / - ns; pass/tick 20,000 / 9,999 / - | missed by 2 of 4 |",
		"| ratio 1.50 / - / - x | met where run |",
		"| pass/read - / - / 4.40 x; one shard/two - / - / - x | met where run |",
		"pass - / - / 500 x; tick 47,333,333 / 28,400,000 / - x | met where run |",
		"| resident - / 421 / - B | met where run |",
		"|  | not run |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q:\n%s", want, text)
		}
	}
}

// TestPatternSelectsEveryGoal holds the names in goals against what is run.
func TestPatternSelectsEveryGoal(t *testing.T) {
	levels := strings.Split(pattern, "/")
	for _, g := range goals() {
		for _, f := range g.figures {
			name := strings.Split("Benchmark"+strings.ReplaceAll(f.row, "MODE", "unified"), "/")
			for i, level := range levels {
				if !regexp.MustCompile(level).MatchString(name[i]) {
					t.Errorf("%s: level %d of %s is not run", g.what, i, f.row)
				}
			}
		}
	}
}
