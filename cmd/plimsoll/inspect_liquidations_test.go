package main

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"plimsoll/client"
	"plimsoll/fixedpoint"
	"plimsoll/internal/api"
	"plimsoll/risk"
)

// TestInspectJudgesLiquidations: a long is liquidated at the market, one is taken over, one is
// closed against a short; what the journal holds is enough to judge all of it.
func TestInspectJudgesLiquidations(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := serveInTest(t, "--data", dir, "--clock", "commands", "--shards", "2")
	c := newTestClient(t, s.url)
	price := func(text string) client.Command {
		return client.Prices{Marks: map[string]string{"BTC": text}, Oracles: map[string]string{"BTC": text}}
	}
	commands := []client.Command{price("60000")}
	for _, account := range []string{"market", "gap", "below", "short"} {
		side := "buy"
		if account == "short" {
			side = "sell"
		}
		commands = append(commands, client.OpenAccount{Account: account, Mode: "standard"},
			client.Deposit{Account: account, Token: "USDC", Amount: map[string]string{"market": "6000", "gap": "6120", "below": "7000", "short": "20000"}[account]},
			client.Fill{Account: account, Market: "BTC", Side: side, Size: "1", Price: "60000"})
	}
	commands = append(commands, price("54600"), price("54300"), price("52000"))
	results, err := c.DoAll(t.Context(), commands)
	if err != nil {
		t.Fatal(err)
	}
	for i := range results {
		if results[i].Err != nil {
			t.Fatalf("%+v: %v", commands[i], results[i].Err)
		}
	}
	if code := s.end(t); code != exitDone {
		t.Fatalf("exit code %d", code)
	}
	code, stdout, stderr := execute(t.Context(), nil, "inspect", dir, "--liquidations", "--json")
	if code != exitDone {
		t.Fatalf("exit code %d: %s\n%s", code, stderr, stdout)
	}
	seen := map[string]bool{}
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	for _, line := range lines[:len(lines)-1] {
		var x judgement
		if err := json.Unmarshal([]byte(line), &x); err != nil || !x.Holds {
			t.Errorf("%s: %v", line, err)
		}
		seen[x.Account+" "+x.Type+" "+x.Line] = true
	}
	for _, want := range []string{
		"market liquidation_started 600.0 < 682.5",
		"market liquidation_order follows from maintenance_margin",
		"market liquidation_step 3 x 300.0 < 2 x 678.75",
		"market backstop_takeover follows from backstop",
		"below liquidation_step -1000.0 < 0",
		"short adl follows from negative_equity",
	} {
		if !seen[want] {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
	code, stdout, stderr = execute(t.Context(), nil, "inspect", dir, "--liquidations")
	if code != exitDone || !strings.Contains(stdout, "0 wrong") || !strings.Contains(stdout, "600.0 < 682.5: holds") {
		t.Errorf("for people: exit code %d: %s\n%s", code, stderr, stdout)
	}
}

// TestJudgeFindsWhatDoesNotHold: each figure at its line, where it just does not hold, and
// consequences without a cause.
func TestJudgeFindsWhatDoesNotHold(t *testing.T) {
	t.Parallel()
	const step, order, takeover, adl = risk.EventLiquidationStep, risk.EventLiquidationOrder, risk.EventBackstopTakeover, risk.EventADL
	for _, c := range []struct {
		name        string
		kind        risk.EventKind
		rule        risk.Rule
		value, need int64
		holds       bool
	}{
		{"maintenance", step, risk.RuleMaintenance, 99, 100, true},
		{"at maintenance", step, risk.RuleMaintenance, 100, 100, false},
		{"isolated", step, risk.RuleIsolatedMaintenance, -1, 0, true},
		{"at isolated", step, risk.RuleIsolatedMaintenance, 0, 0, false},
		{"ratio", step, risk.RulePortfolioRatio, 9999, 9500, true},
		{"at 0.95", step, risk.RulePortfolioRatio, 10000, 9500, false},
		{"no value", step, risk.RulePortfolioRatio, 0, 1, true},
		{"nothing required", step, risk.RulePortfolioRatio, 0, 0, false},
		{"backstop", step, risk.RuleBackstop, 199, 300, true},
		{"at two thirds", step, risk.RuleBackstop, 200, 300, false},
		{"negative", step, risk.RuleNegative, -1, 0, true},
		{"zero", step, risk.RuleNegative, 0, 100, false},
		{"borrow", step, risk.RulePartialBorrow, 7, 8, true},
		{"at a borrow's line", step, risk.RuleFullBorrow, 8, 8, false},
		{"without a rule", step, risk.RuleNone, 1, 2, false},
		{"started", risk.EventLiquidationStarted, risk.RuleMaintenance, 100, 100, false},
		{"an order from nothing", order, risk.RuleMaintenance, 1, 1, false},
		{"a takeover from nothing", takeover, risk.RuleBackstop, 1, 1, false},
		{"adl from nothing", adl, risk.RuleNegative, 1, 1, false},
		{"a loss from nothing", risk.EventLossCovered, risk.RuleShared, 1, 1, false},
	} {
		j := &judge{inspector: &inspector{p: &process{stdout: io.Discard}}}
		e := risk.Event{
			Seq: 1, Kind: c.kind, Rule: c.rule, Amount: fixedpoint.I128(c.value), Amount2: fixedpoint.I128(c.need), Market: risk.NoSlot,
		}
		if err := j.event(&e, api.NewDirectory(10)); err != nil {
			t.Fatal(err)
		}
		if got := j.counts.Wrong == 0; got != c.holds {
			t.Errorf("%s: holds %v, want %v", c.name, got, c.holds)
		}
	}
	if got := codeOf(errors.Join(errWrong)); got != exitDamage {
		t.Errorf("exit code %d, want %d", got, exitDamage)
	}

	// A takeover must follow from a line of its own kind, in its own Seq.
	j := &judge{inspector: &inspector{p: &process{stdout: io.Discard}}}
	names := api.NewDirectory(10)
	below := fixedpoint.I128(-1)
	for _, e := range []risk.Event{
		{Seq: 1, Kind: step, Rule: risk.RuleMaintenance, Amount: below},
		{Seq: 1, Kind: takeover, Rule: risk.RuleBackstop},            // wrong: of an order's line
		{Seq: 2, Kind: order, Rule: risk.RuleMaintenance},            // wrong: a Seq later
		{Seq: 3, Kind: step, Rule: risk.RuleNegative, Amount: below}, // of account 0
		{Seq: 3, Kind: adl, Account: 5, OrderLo: 0},                  // right: against 0
		{Seq: 3, Kind: adl, Account: 0, OrderLo: 5},                  // wrong: against 5
	} {
		if err := j.event(&e, names); err != nil {
			t.Fatal(err)
		}
	}
	if j.counts.Wrong != 3 {
		t.Errorf("%d are wrong, want 3", j.counts.Wrong)
	}
}
