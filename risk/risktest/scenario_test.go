package risktest

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"plimsoll/risk"
)

var rewrite = flag.Bool("rewrite", false, "write what scenarios give into their files in place of comparing")

// Scenarios are stories of accounts in testdata, for people who know margin and not the code.
// A file is a list of steps with blank lines between them:
//
//	# words for the reader
//	price BTC 90000
//	clock +3s
//	----
//	alice is liquidatable (was healthy)
//	...
//
// Above the line are commands (scenarioCommands lists them), below it what they gave: events
// one a line, and what show prints. `go test ./risk/risktest -run Scenarios -rewrite` writes
// what is below the lines; read the difference before it is kept.

const (
	scenarioAccounts = 32
	scenarioLine     = "----"
)

// TestScenarios tells every story to one shard, to four, and to one that passes over all
// accounts at every tick: equal events, every invariant after every command, equal state at the
// end, and after a restore of it.
func TestScenarios(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			told := newScenario(t).tell(string(text))
			switch {
			case told == string(text):
			case *rewrite:
				if err := os.WriteFile(file, []byte(told), 0o600); err != nil {
					t.Fatal(err)
				}
			default:
				t.Errorf("%s tells another story:\n%s", file, firstDifference(string(text), told))
			}
		})
	}
}

// firstDifference shows where two texts part, with the step before.
func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(w), len(g)) {
		if w[i] != g[i] {
			from := max(0, i-12)
			return fmt.Sprintf("line %d\n  %s\n- %s\n+ %s", i+1, strings.Join(g[from:i], "\n  "), w[i],
				strings.Join(g[i:min(len(g), i+6)], "\n+ "))
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(g), len(w))
}

// scenario is a story being told.
type scenario struct {
	t     *testing.T
	sets  []*Shards // the first is the one that is read
	check *Checker
	names struct {
		accounts, tokens, perps, dexes, spots []string
	}
	timeMs  int64
	orders  []standing // what liquidations have asked for and nobody answered
	marks   map[string]string
	out     strings.Builder
	quiet   bool // lending of everyday business is not told
	figures bool // health_changed is told with its figures
}

// standing is an order of a liquidation.
type standing struct {
	account, perp uint32
	number        uint64
	size          int64
	decimals      uint8
}

func newScenario(t *testing.T) *scenario {
	s := &scenario{t: t, marks: map[string]string{}}
	sweep := NewShardsOf(risk.Config{Shards: 1, AccountsMax: scenarioAccounts, Detect: risk.DetectSweep})
	s.sets = []*Shards{NewShards(1, scenarioAccounts), NewShards(4, scenarioAccounts), sweep}
	for _, set := range s.sets {
		for _, m := range set.Machines {
			m.SetSweepAbove(scenarioAccounts)
		}
	}
	s.check = NewChecker(s.sets[0])
	return s
}

// tell runs a text and returns it with what its commands gave.
func (s *scenario) tell(text string) string {
	var told []string
	for _, step := range steps(text) {
		above, _, isStep := strings.Cut("\n"+step+"\n", "\n"+scenarioLine+"\n")
		above = strings.Trim(above, "\n")
		s.out.Reset()
		isCommanded := false
		for line := range strings.SplitSeq(above, "\n") {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				isCommanded = true
				s.command(strings.Fields(line))
			}
		}
		if isCommanded || isStep {
			above = strings.TrimRight(above+"\n"+scenarioLine+"\n"+s.out.String(), "\n")
		}
		told = append(told, above)
	}
	s.ends()
	return strings.Join(told, "\n\n") + "\n"
}

// steps splits a text at blank lines.
func steps(text string) (out []string) {
	for step := range strings.SplitSeq(text, "\n\n") {
		if step = strings.Trim(step, "\n"); step != "" {
			out = append(out, step)
		}
	}
	return out
}

// ends compares the state of all sets, and of a restored one.
func (s *scenario) ends() {
	want := s.sets[0].StateHash()
	for _, set := range s.sets[1:] {
		if set.StateHash() != want {
			s.t.Errorf("%d shards end in another state", len(set.Machines))
		}
	}
	c := s.sets[1].BeginCapture()
	for !c.Step(s.sets[1], 8, 1<<16) {
		continue
	}
	again, err := c.Restore(2, scenarioAccounts)
	if err != nil {
		s.t.Fatalf("restore: %v", err)
	}
	if again.StateHash() != want {
		s.t.Error("what was restored is another state")
	}
}

// do runs a group on all sets, checks it, and tells its events.
func (s *scenario) do(group ...risk.Command) []risk.Event {
	group[0].TimeMs = max(s.timeMs, group[0].TimeMs)
	events := slices.Clone(s.sets[0].Do(group))
	if err := s.check.After(group, events); err != nil {
		s.t.Errorf("kind %d: %v", group[0].Kind, err)
	}
	for _, set := range s.sets[1:] {
		if d := eventDifference(events, set.Do(group)); d != "" {
			s.t.Errorf("kind %d on %d shards: %s", group[0].Kind, len(set.Machines), d)
		}
	}
	for _, set := range s.sets {
		if err := audit(set); err != nil {
			s.t.Errorf("kind %d: %v", group[0].Kind, err)
		}
		for _, m := range set.Machines {
			for m.BandStep(scenarioAccounts) {
				continue
			}
		}
	}
	for i := range events {
		s.note(&events[i])
		if words := s.words(&events[i]); words != "" {
			fmt.Fprintln(&s.out, words)
		}
	}
	return events
}

// note keeps the orders that a liquidation asks for: those of a new round replace the last.
func (s *scenario) note(e *risk.Event) {
	switch e.Kind {
	case risk.EventLiquidationOrder:
		s.orders = slices.DeleteFunc(s.orders, func(o standing) bool {
			return o.account == e.Account && o.perp == e.Market
		})
		size, _ := e.Amount.Int64()
		s.orders = append(s.orders, standing{account: e.Account, perp: e.Market, number: e.OrderLo, size: size, decimals: e.Decimals})
	case risk.EventLiquidationEnded:
		s.orders = slices.DeleteFunc(s.orders, func(o standing) bool { return o.account == e.Account })
	}
}
