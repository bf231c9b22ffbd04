package risktest

import (
	"fmt"
	"math/big"
	"testing"

	"plimsoll/risk"
)

// checkTrees adds every tree up again and returns what does not come out.
func checkTrees(v *risk.ExplainView) (faults []string) {
	for i := range v.Nodes {
		n := &v.Nodes[i]
		where := fmt.Sprintf("node %d %s %+v = %s: ", i, n.Name, n.Of, Text(n.Value))
		isLeaf := n.Source != risk.SourceNone
		switch {
		case n.Ref >= 0 && (isLeaf || n.Formula != "") || n.Ref < 0 && isLeaf == (n.Formula != ""):
			faults = append(faults, where+"is not exactly one of leaf, formula and reference")
			continue
		case n.Ref >= 0:
			if r := &v.Nodes[n.Ref]; int(n.Ref) >= i || r.Name != n.Name || r.Of != n.Of || r.Value != n.Value || r.Formula == "" {
				faults = append(faults, where+fmt.Sprintf("refers to another: %+v", *r))
			}
			continue
		case isLeaf:
			continue
		}
		inputs := map[string][]*big.Rat{}
		for k := i + 1; k < len(v.Nodes) && v.Nodes[k].Depth > n.Depth; k++ {
			if c := &v.Nodes[k]; c.Depth == n.Depth+1 {
				inputs[c.Name] = append(inputs[c.Name], fraction(c.Value))
			}
		}
		got, err := eval(n.Formula, inputs)
		switch {
		case err != nil:
			faults = append(faults, where+err.Error())
		case (got == nil) != n.Value.IsNull:
			faults = append(faults, where+fmt.Sprintf("%s gives %v", n.Formula, got))
		case got != nil:
			if r, isExact := rounded(got, int(n.Value.Decimals), n.Rounding); !isExact || !isEqual(r, fromInt128(n.Value.V)) {
				faults = append(faults, where+fmt.Sprintf("%s %s gives %s", n.Rounding, n.Formula, got.FloatString(14)))
			}
		}
	}
	return faults
}

// term returns the value of the node that explains a term.
func termOf(v *risk.ExplainView, name string, of risk.ExplainSubject) (risk.Amount, bool) {
	for i := range v.Nodes {
		if n := &v.Nodes[i]; n.Formula != "" && n.Name == name && n.Of == of {
			return n.Value, true
		}
	}
	return risk.Amount{}, false
}

// checkRoots compares the trees with the figures that the account view shows.
func checkRoots(v *risk.ExplainView, a *risk.AccountView) (faults []string) {
	same := func(name string, of risk.ExplainSubject, want risk.Amount) {
		got, ok := termOf(v, name, of)
		if !ok {
			faults = append(faults, fmt.Sprintf("%s %+v is not explained", name, of))
		} else if got.IsNull != want.IsNull || !got.IsNull && (got.V != want.V || got.Decimals != want.Decimals) {
			faults = append(faults, fmt.Sprintf("%s %+v: explained as %s, shown as %s", name, of, Text(got), Text(want)))
		}
	}
	m := &a.Margin
	q := risk.ExplainSubject{Kind: risk.SubjectToken, Slot: m.Token}
	same("portfolio_margin_ratio", risk.ExplainSubject{}, m.PortfolioMarginRatio)
	for i := range a.Dexes {
		x := risk.ExplainSubject{Kind: risk.SubjectDex, Slot: a.Dexes[i].Dex}
		same("AV", x, a.Dexes[i].CrossValue)
	}
	for i := range a.Positions {
		p := &a.Positions[i]
		if p.Size.V.IsZero() {
			continue
		}
		x := risk.ExplainSubject{Kind: risk.SubjectPerp, Slot: p.Perp}
		same("notional", x, p.PositionValue)
		same("maintenance", x, p.MaintenanceMargin)
		if p.IsIsolated {
			same("isolated_equity", x, p.MarginUsed)
		}
	}
	for i := range a.Balances {
		b := &a.Balances[i]
		x := risk.ExplainSubject{Kind: risk.SubjectToken, Slot: b.Token}
		same("hold", x, b.Hold)
		if a.Mode == risk.ModePortfolio && b.Token == m.Token {
			same("N", x, b.Total)
			same("supplied", x, b.Supplied)
			same("debt", x, b.Borrowed)
		}
	}
	if a.Mode == risk.ModeStandard {
		return faults
	}
	same("N", q, m.NetBalance)
	same("requirement", q, m.InitialRequirement)
	same("MM", q, m.MaintenanceMargin)
	same("E_iso", q, m.IsolatedEquity)
	same("AAM", q, m.AvailableAfterMaint)
	same("available", q, m.Available)
	same("equity", q, m.Equity)
	same("withdrawable", q, m.Withdrawable)
	same("C", q, m.CollateralCapacity)
	same("LC", q, m.CollateralLiquidation)
	if a.Mode == risk.ModePortfolio {
		same("B", q, m.BorrowedForMaintenance)
		same("liquidation_value", q, m.LiquidationValue)
	}
	if !m.HealthFactor.IsNull && a.Mode == risk.ModePortfolio {
		same("health_factor", risk.ExplainSubject{}, m.HealthFactor)
	}
	return faults
}

// portfolios runs each over seeded crowds of imported portfolios, with orders, funding,
// ticks and every offset mode.
func portfolios(t *testing.T, crowds uint64, each func(seed uint64, r *run)) {
	t.Helper()
	for seed := *from; seed < *from+crowds; seed++ {
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
			step([]risk.Command{{Kind: risk.KindSetParameters, Aux: risk.ParamOffsetMode, Mode: uint8(seed % 3)}})
		}
		for slot := range uint32(64) {
			step(g.Portfolio(slot))
			if slot%24 == 20 {
				step(g.clock())
				step(g.funding())
				step(g.tick())
			}
		}
		for range 40 {
			step(g.Next())
		}
		each(seed, r)
		if t.Failed() {
			return
		}
	}
}

// TestExplanationsAddUp takes every tree of every portfolio and adds it up again with
// fractions, and holds its roots against what the account shows.
func TestExplanationsAddUp(t *testing.T) {
	t.Parallel()
	var v risk.ExplainView
	var a risk.AccountView
	accounts, nodes := 0, 0
	formulas := map[string]int{}
	portfolios(t, 16, func(seed uint64, r *run) {
		for _, slot := range keys(r.o.accounts) {
			m := r.s.Owner(slot)
			if !m.Explain(slot, &v) || !m.ReadAccount(slot, &a) {
				t.Fatalf("seed %d account %d cannot be read", seed, slot)
			}
			accounts, nodes = accounts+1, nodes+len(v.Nodes)
			for i := range v.Nodes {
				formulas[v.Nodes[i].Formula]++
			}
			for _, f := range append(checkTrees(&v), checkRoots(&v, &a)...) {
				t.Errorf("seed %d account %d mode %d: %s", seed, slot, a.Mode, f)
			}
		}
	})
	t.Logf("%d accounts, %d nodes", accounts, nodes)
	for _, f := range []string{
		"ratio(R, liquidation_value)", "ratio(MM, Nc)", "ratio(cross_MM, AV)", "MM + offset + B", "max(MM, offset) + B",
		"(debt - cash) * price / settlement_price", "lower_bound * (rate_numerator - rate_below)", "scaled_debt * debt_index",
		"requirement + min(locked, supplied)", "0 - max(0, min(C, room))", "(size - closing) * price / leverage", "size * price",
		"isolated_cash + value", "V * (1 + ltv) / 2", "full_value * ltv",
	} {
		if formulas[f] == 0 {
			t.Errorf("no portfolio has a term %q: the test is too narrow", f)
		}
	}
}
