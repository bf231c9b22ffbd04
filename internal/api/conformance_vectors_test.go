package api_test

import (
	"fmt"
	"math/big"
	"testing"
)

// accountReply is what the tests read of GET /v1/accounts/{account}.
type accountReply struct {
	Positions []struct {
		MaintenanceMargin string `json:"maintenance_margin"`
	}
}

// marginReply is the margin object of an account.
type marginReply struct {
	NetBalance             string  `json:"net_balance"`
	Requirement            string  `json:"initial_requirement"`
	Maintenance            string  `json:"maintenance_margin"`
	BorrowedForMaintenance string  `json:"borrowed_for_maintenance"`
	Capacity               string  `json:"collateral_capacity"`
	Liquidation            string  `json:"collateral_liquidation"`
	Ratio                  *string `json:"portfolio_margin_ratio"`
	HealthFactor           *string `json:"health_factor"`
	Available              string  `json:"available"`
	Health                 string  `json:"health"`
	LendingHealth          string  `json:"lending_health"`
}

// TestTierVectors: every example of derived/margin_tier_vectors.json is the maintenance
// margin of a position of that notional, rounded up at 1e-8, the unit of USDC.
func TestTierVectors(t *testing.T) {
	t.Parallel()
	var tables []struct {
		Table string
		Tiers []struct {
			LowerBound  string
			MaxLeverage int
		}
		Examples []struct{ Notional, Maintenance string }
	}
	readCapture(t, "derived/margin_tier_vectors.json", &tables)
	d := newDesk(t, 1)
	d.must(usdc(), mainDex())
	checked := 0
	for i, table := range tables {
		var tiers []command
		for _, x := range table.Tiers {
			tiers = append(tiers, command{"lower_bound": x.LowerBound, "max_leverage": x.MaxLeverage})
		}
		perp := "T" + table.Table
		d.must(command{
			"type": "list_perp", "perp": perp, "index": i, "dex": "", "sz_decimals": 2, "collateral_token": "USDC", "tiers": tiers,
			"margin_mode": "normal",
		})
		for n, x := range table.Examples {
			user := fmt.Sprintf("u%d-%d", i, n)
			d.must(
				command{"type": "prices", "marks": command{perp: x.Notional}},
				importedPosition(user, "standard", "0", position{coin: perp, size: ratOf(1), entry: ratOf(1), leverage: 1}),
			)
			var got accountReply
			d.get("/v1/accounts/"+user, &got)
			want := ceiling(rat(x.Maintenance), 8)
			if ours := rat(got.Positions[0].MaintenanceMargin); ours.Cmp(want) != 0 {
				t.Errorf("table %s: maintenance(%s) = %s, want %s", table.Table, x.Notional, ours.FloatString(8), want.FloatString(8))
			}
			var venue clearinghouse
			d.info(command{"type": "clearinghouseState", "user": user}, &venue)
			if off := sub(want, rat(venue.CrossMaintenanceMarginUsed)); off.Sign() < 0 || off.Cmp(step(6)) >= 0 {
				t.Errorf("table %s: crossMaintenanceMarginUsed(%s) = %s, want %s cut at 1e-6", table.Table, x.Notional,
					venue.CrossMaintenanceMarginUsed, want.FloatString(8))
			}
			checked++
		}
	}
	t.Logf("tier vectors: %d of %d exact", checked, checked)
}

// ceiling rounds up at that many decimals; vectors are cut at 35 digits, so one unit of
// the 27th counts as nothing.
func ceiling(x *big.Rat, decimals int) *big.Rat {
	scaled := mul(sub(x, step(20)), step(-decimals))
	q := new(big.Int).Div(scaled.Num(), scaled.Denom())
	return quo(new(big.Rat).SetInt(q.Add(q, big.NewInt(1))), step(-decimals))
}

// TestInterestVectors: rates at each utilisation, and debt after an hour at the nominal
// rate (spec decision 8.6): exactly what the power series gives, rounded up at 1e-8. The
// hour factors of the vectors are 64-bit floats and agree to the last bit of one.
func TestInterestVectors(t *testing.T) {
	t.Parallel()
	var vectors []struct{ Utilization, BorrowYearlyRate, SupplyYearlyRate, HourFactorNominal string }
	readCapture(t, "derived/interest_vectors.json", &vectors)
	supplied := ratOf(1_000_000_000) // an hour on it shows the factor to 17 digits
	for _, v := range vectors {
		borrowed := mul(supplied, rat(v.Utilization))
		d := newPool(t, 1, lendingToken("Q", 0, "0.05", "0"), plain(supplied, 8), plain(borrowed, 8))
		var got reserveState
		d.info(command{"type": "borrowLendReserveState", "token": 0}, &got)
		for figure, pair := range map[string][2]string{
			"utilization": {got.Utilization, v.Utilization}, "borrow rate": {got.BorrowYearlyRate, v.BorrowYearlyRate},
			"supply rate": {got.SupplyYearlyRate, v.SupplyYearlyRate},
		} {
			equal(t, figure+" at "+v.Utilization, pair[0], pair[1])
		}
		d.must(command{"type": "clock", "time": 1_700_000_000_000 + 3600*1000})
		d.info(command{"type": "borrowLendReserveState", "token": 0}, &got)
		factor := exp(quo(rat(v.BorrowYearlyRate), ratOf(8760)))
		if off := abs(sub(factor, rat(v.HourFactorNominal))); off.Cmp(big.NewRat(1, 1<<52)) > 0 {
			t.Errorf("hour factor at %s = %s, the vector says %s", v.Utilization, factor.FloatString(20), v.HourFactorNominal)
		}
		if borrowed.Sign() > 0 {
			equal(t, "debt after an hour at "+v.Utilization, got.TotalBorrowed, ceiling(mul(borrowed, factor), 8).FloatString(8))
		}
	}
	t.Logf("interest vectors: %d of %d exact", len(vectors), len(vectors))
}

// exp returns e^x for a small x to beyond 60 digits.
func exp(x *big.Rat) *big.Rat {
	sum, term := ratOf(1), ratOf(1)
	for n := int64(1); n < 20; n++ {
		term = quo(mul(term, x), ratOf(n))
		sum = add(sum, term)
	}
	return sum
}

func usdc() command { return lendingToken("USDC", 0, "0.05", "0") }

func mainDex() command {
	return command{"type": "list_dex", "dex": "", "index": 0, "collateral_token": "USDC"}
}

// importedPosition imports an account with one cross or isolated position and a USDC total.
func importedPosition(name, mode, total string, p position) command {
	if p.isIsolated && p.raw == nil {
		p.raw = ratOf(0)
	}
	p.sizeDigits = 6
	a := account{
		mode: mode, raw: map[string]*big.Rat{"": ratOf(0)}, positions: []position{p},
		holdings: []holding{{
			token: "USDC", wei: 8, total: rat(total), supplied: ratOf(0), borrowed: ratOf(0), entry: ratOf(0),
		}},
	}
	return a.imported(name)
}
