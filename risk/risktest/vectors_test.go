package risktest

import (
	"encoding/json"
	"math/big"
	"os"
	"strings"
	"testing"

	"plimsoll/risk"
)

const vectors = "../../testdata/hyperliquid/derived/"

func load(t *testing.T, name string, into any) {
	t.Helper()
	data, err := os.ReadFile(vectors + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}

// plain brings a decimal string to at most places decimals, rounded half even.
func plain(t *testing.T, s string, places int) string {
	t.Helper()
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		t.Fatalf("%q is not a number", s)
	}
	v := divHalfEven(scaled(r.Num(), places), r.Denom())
	return Text(amount(v, places))
}

func TestMarginTierVectors(t *testing.T) {
	var tables []struct {
		Table string
		Tiers []struct {
			LowerBound  string
			MaxLeverage json.Number
		}
		Examples []struct{ Notional, Maintenance string }
	}
	load(t, "margin_tier_vectors.json", &tables)
	for _, table := range tables {
		d := newDesk(t, 1)
		d.token(0, 0, 8, 2, true, "")
		var tiers []string
		for _, x := range table.Tiers {
			tiers = append(tiers, plain(t, x.LowerBound, 6), x.MaxLeverage.String())
		}
		d.perp(0, 0, 0, tiers...)
		d.price(risk.PriceMark, 0, "0.000001") // so that a size is a notional
		for n, x := range table.Examples {
			size := plain(t, x.Notional, 6)
			c := positionPart(0, 1, size, size, 0, "0")
			c.SetNum(0, divFloor(scaled(of(c.Num[0]), 6), pow10(int(c.Dec[0]))).Int64(), 0)
			d.must(named(risk.KindImportAccount, uint32(n), risk.ModeStandard), c)
			got := d.view(uint32(n)).Positions[0].MaintenanceMargin
			exact, _ := new(big.Rat).SetString(x.Maintenance) // cut after ten digits or so; ours rounds up
			want := amount(divCeil(scaled(exact.Num(), 8), exact.Denom()), 8)
			wants(t, "table "+table.Table+" at "+x.Notional, got, Text(want))
		}
	}
}

func TestInterestVectors(t *testing.T) {
	var rows []struct{ Utilization, BorrowYearlyRate, SupplyYearlyRate, HourFactorNominal string }
	load(t, "interest_vectors.json", &rows)
	for _, row := range rows {
		d := newDesk(t, 1)
		d.token(0, 0, 8, 2, true, "")
		d.perp(0, 0, 5, "0", "40")
		d.must(risk.Command{Kind: risk.KindClock, TimeMs: 1_750_000_000_000})
		owed := plain(t, row.Utilization, 10)
		whole, frac, _ := strings.Cut(owed, ".")
		owed = whole + frac + strings.Repeat("0", 10-len(frac)) // x 10^10 dollars supplied
		owed = strings.TrimLeft(owed, "0")
		d.must(named(risk.KindImportAccount, 0, risk.ModePortfolio), balancePart(0, "10000000000", "10000000000", "0"))
		d.must(named(risk.KindImportAccount, 1, risk.ModePortfolio), balancePart(0, "-"+owed, "0", owed))
		p := d.s.Machines[0].ReadTokens(d.s.Totals())[0].Pool
		wants(t, "utilisation", p.Utilization, plain(t, row.Utilization, 10))
		wants(t, "borrow rate at "+row.Utilization, p.BorrowRate, plain(t, row.BorrowYearlyRate, 10))
		wants(t, "supply rate at "+row.Utilization, p.SupplyRate, plain(t, row.SupplyYearlyRate, 10))
		d.must(risk.Command{Kind: risk.KindClock, TimeMs: 1_750_000_000_000 + 3_600_000})
		p = d.s.Machines[0].ReadTokens(d.s.Totals())[0].Pool
		if owed != "" {
			shown := Text(amount(divHalfEven(fromInt128(p.BorrowIndex.V), pow10(13)), 14))
			if want := plain(t, row.HourFactorNominal, 14); shown != want { // given by a 64-bit float
				t.Errorf("hour factor at %s = %s, want %s", row.Utilization, shown, want)
			}
		}
	}
}

func TestPortfolioVectors(t *testing.T) {
	var rows []struct {
		Name   string
		Inputs struct {
			Total       string `json:"N_usdc_total"`
			Maintenance string `json:"crossMaintenance"`
			Collateral  map[string]struct{ Supplied, Ltv, Px string }
		}
		Reported struct{ PortfolioMarginRatio string }
	}
	load(t, "pm_vectors.json", &rows)
	for _, row := range rows {
		d := newDesk(t, 1)
		d.token(0, 0, 8, 2, true, "")
		c, hasCollateral := row.Inputs.Collateral["HYPE"]
		if hasCollateral {
			d.token(1, 150, 8, 2, false, c.Ltv)
			d.price(risk.PriceTokenOracle, 1, c.Px)
		}
		d.perp(0, 0, 0, "0", "1")
		d.price(risk.PriceMark, 0, "0.000001")
		mm, _ := new(big.Rat).SetString(row.Inputs.Maintenance)
		size := divHalfEven(scaled(times(mm.Num(), of(2)), 6), mm.Denom()) // maintenance is half of the notional
		position := positionPart(0, 1, size.String(), "0", 0, "0")
		group := []risk.Command{named(risk.KindImportAccount, 0, risk.ModePortfolio), position, balancePart(0, plain(t, row.Inputs.Total, 8), "0", "0")}
		if hasCollateral {
			held := plain(t, c.Supplied, 8)
			group = append(group, balancePart(1, held, held, "0"))
		}
		d.must(group...)
		got := plain(t, Text(d.view(0).Margin.PortfolioMarginRatio), 10)
		if want := plain(t, row.Reported.PortfolioMarginRatio, 10); got != want {
			t.Errorf("%s: ratio %s, want %s", row.Name, got, want)
		}
	}
}
