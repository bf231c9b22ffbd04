package api_test

import (
	"math"
	"math/big"
	"strconv"
	"testing"
)

const yearMs = 365 * 24 * 3600 * 1000

// newPool lists one lending token on a fresh desk and gives its pool what it lends and
// owes: a supplier and a borrower, on different shards where there are two.
func newPool(t *testing.T, shards int, token command, supplied, borrowed string) *desk {
	t.Helper()
	d := newDesk(t, shards)
	d.must(command{"type": "clock", "time": 1_700_000_000_000})
	if token["index"] != 0 { // prices are in the token of index 0
		d.must(usdc())
	}
	d.must(
		token,
		command{"type": "prices", "token_oracles": command{token["token"].(string): "1"}},
		importedLender("supplier", token["token"].(string), supplied, "0"),
		importedLender("borrower", token["token"].(string), "0", borrowed),
	)
	return d
}

func importedLender(name, token, supplied, borrowed string) command {
	balance := command{"token": token, "total": plain(sub(rat(supplied), rat(borrowed)), 8), "supplied": supplied, "borrowed": borrowed}
	return command{
		"type": "import_account", "account": name, "mode": "portfolio", "balances": []command{balance}, "positions": []command{},
		"orders": []command{},
	}
}

func lendingToken(name string, index int, base, ltv string) command {
	rate := venueRates()
	rate["base"] = base
	return listToken(name, index, 8, 2, command{
		"ltv": ltv, "borrowable": true, "rate": rate, "supply_cap": "1000000000", "borrow_cap": "500000000",
		"user_supply_cap": "1000000000", "user_borrow_cap": "500000000",
	})
}

// TestReserveStates rebuilds five captured lending pools: what is supplied, what is owed,
// and the buffer that the reply's balance implies, which is earned as ours earns it, a
// tenth of interest. Utilisation, rates and balance must come out to the last digit.
func TestReserveStates(t *testing.T) {
	t.Parallel()
	var captured []struct {
		Source string
		Token  int
		State  reserveState
	}
	readCapture(t, "official-docs/reserve_states.json", &captured)
	ts := tallies{}
	for _, shards := range []int{1, 4} {
		for _, c := range captured {
			s := &scenario{capture: &capture{name: c.Source}, moment: "reserve"}
			got := rebuilt(t, shards, c.Token, &c.State)
			// Supply is valued down: the pool may show one unit less than it was given.
			if off := sub(round(rat(c.State.TotalSupplied), 8), rat(got.TotalSupplied)); off.Sign() < 0 || off.Cmp(step(8)) > 0 {
				t.Errorf("%s: totalSupplied = %s, want %s", c.Source, got.TotalSupplied, c.State.TotalSupplied)
			}
			for _, x := range []struct {
				figure, want, got string
				decimals          int
			}{
				{"borrowYearlyRate", c.State.BorrowYearlyRate, got.BorrowYearlyRate, 10},
				{"supplyYearlyRate", c.State.SupplyYearlyRate, got.SupplyYearlyRate, 10},
				{"utilization", c.State.Utilization, got.Utilization, 10},
				{"reserve balance", c.State.Balance, got.Balance, 8},
				{"totalBorrowed", c.State.TotalBorrowed, got.TotalBorrowed, 8},
				{"reserve oraclePx", c.State.OraclePx, got.OraclePx, 10},
				{"reserve ltv", c.State.LTV, got.LTV, 10},
			} {
				if x.want != "" {
					s.compareNumber(t, ts, key{"reserve", "", x.figure}, x.want, x.got, x.decimals)
				}
			}
		}
	}
	ts.log(t, "lending pools, 1 and 4 shards")
}

// rebuilt makes a pool like a captured one and returns our reply about it.
func rebuilt(t *testing.T, shards, token int, state *reserveState) reserveState {
	t.Helper()
	ltv, px := "0", "1"
	if state.LTV != "" {
		ltv, px = state.LTV, state.OraclePx
	}
	supplied, borrowed := round(rat(state.TotalSupplied), 8), round(rat(state.TotalBorrowed), 8)
	buffer := sub(round(rat(state.Balance), 8), sub(supplied, borrowed))
	interest := mul(buffer, ratOf(10))
	before := sub(borrowed, interest)
	after := sub(borrowed, quo(step(8), ratOf(2))) // debt is valued up
	rate, ms := accrualFor(after, before)
	d := newPool(t, shards, lendingToken("Q", token, rate, ltv), plain(sub(supplied, mul(interest, big.NewRat(9, 10))), 8),
		plain(before, 8))
	d.must(
		command{"type": "clock", "time": 1_700_000_000_000 + ms},
		lendingToken("Q", token, "0.05", ltv),
		command{"type": "prices", "token_oracles": command{"Q": px}},
	)
	var got reserveState
	d.info(command{"type": "borrowLendReserveState", "token": token}, &got)
	return got
}

// accrualFor returns the yearly rate, near one half, and the time in ms that grow a debt to
// another. The rate has 12 decimals: what is missing of it is below the last digit of the
// debt.
func accrualFor(after, before *big.Rat) (rate string, ms int64) {
	if after.Cmp(before) <= 0 {
		return "0", 1
	}
	grown, _ := quo(sub(after, before), before).Float64()
	years := math.Log1p(grown)
	ms = int64(math.Ceil(2 * years * yearMs))
	return strconv.FormatFloat(years*yearMs/float64(ms), 'f', 12, 64), ms
}

// TestReserveGrowth is the pair of states in the official documentation: in the minute
// between them debt grew, suppliers got nine tenths of that, the buffer the rest, and
// 20.58639201 were supplied.
func TestReserveGrowth(t *testing.T) {
	t.Parallel()
	var captured []struct{ State reserveState }
	readCapture(t, "official-docs/reserve_states.json", &captured)
	first, second := &captured[0].State, &captured[1].State
	grown := sub(rat(second.TotalBorrowed), rat(first.TotalBorrowed))
	deposit := round(sub(sub(rat(second.TotalSupplied), rat(first.TotalSupplied)), mul(grown, big.NewRat(9, 10))), 8)
	rate, _ := quo(grown, rat(first.TotalBorrowed)).Float64()
	ms := int64(math.Round(math.Log1p(rate) / 0.05 * yearMs))
	d := newPool(t, 1, lendingToken("Q", 0, "0.05", "0"), plain(round(rat(first.TotalSupplied), 8), 8), first.TotalBorrowed)
	d.must(command{"type": "clock", "time": 1_700_000_000_000 + ms})
	d.must(importedLender("late", "Q", plain(deposit, 8), "0"))
	var got reserveState
	d.info(command{"type": "borrowLendReserveState", "token": 0}, &got)
	// Replies carry no time: half a millisecond of interest is what we cannot know.
	within := add(mul(step(8), ratOf(2)), quo(mul(rat(first.TotalBorrowed), rat("0.05")), ratOf(2*yearMs)))
	buffer := sub(round(rat(first.Balance), 8), sub(round(rat(first.TotalSupplied), 8), round(rat(first.TotalBorrowed), 8)))
	for _, x := range []struct {
		name      string
		want, got *big.Rat
	}{
		{"totalBorrowed", rat(second.TotalBorrowed), rat(got.TotalBorrowed)},
		{"totalSupplied", rat(second.TotalSupplied), rat(got.TotalSupplied)},
		{"balance", rat(second.Balance), add(rat(got.Balance), buffer)}, // ours started without the buffer
	} {
		if off := sub(x.got, x.want); abs(off).Cmp(within) > 0 {
			t.Errorf("%s after %d ms is off by %s, want at most %s", x.name, ms, off.FloatString(10), within.FloatString(10))
		}
	}
	for figure, pair := range map[string][2]string{
		"utilization": {got.Utilization, second.Utilization}, "supply rate": {got.SupplyYearlyRate, second.SupplyYearlyRate},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s = %s, want %s", figure, pair[0], pair[1])
		}
	}
}

// TestBorrowLendUserState is the user of the official documentation (testnet, where HYPE
// is token 1105).
func TestBorrowLendUserState(t *testing.T) {
	t.Parallel()
	s := &scenario{capture: &capture{name: "official docs", lending: &lendState{}}, moment: "lending", hasLending: true}
	readCapture(t, "official-docs/borrowLendUserState_testnet.json", s.capture.lending)
	d := newDesk(t, 1)
	d.must(
		lendingToken("USDC", 0, "0.05", "0"), lendingToken("HYPE", 1105, "0.05", "0.5"),
		importedLender("user", "USDC", s.capture.lending.TokenToState[0].state.Supply.Value, "0"),
	)
	ts := tallies{}
	s.compareLending(t, ts, d, "user")
	ts.log(t, "borrowLendUserState of the documentation")
}
