package api_test

import (
	"math/big"
	"testing"
)

// equal holds one figure of a worked example, exactly.
func equal(t *testing.T, name, got, want string) {
	t.Helper()
	if rat(got).Cmp(rat(want)) != 0 {
		t.Errorf("%s = %s, want %s", name, got, want)
	}
}

func (d *desk) margin(user string) marginReply {
	d.t.Helper()
	var m marginReply
	d.get("/v1/accounts/"+user+"/margin", &m)
	return m
}

// collateral returns a listing of a token that only secures debts.
func collateral(name string, index int, ltv string) command {
	return listToken(name, index, 8, 2, command{"ltv": ltv, "supply_cap": "1000000000", "user_supply_cap": "1000000000"})
}

// secured imports a portfolio account with supplied collateral and a USDC debt.
func secured(name, debt string, supplied map[string]string) command {
	balances := []command{{"token": "USDC", "total": "-" + debt, "borrowed": debt}}
	if rat(debt).Sign() == 0 {
		balances = nil
	}
	for token, amount := range supplied {
		balances = append(balances, command{"token": token, "total": amount, "supplied": amount})
	}
	return command{
		"type": "import_account", "account": name, "mode": "portfolio", "balances": balances, "positions": []command{},
		"orders": []command{},
	}
}

// TestOfficialExamples are the examples of spec 5.1 that concern an account. The ETH
// position of the API page is a capture of TestConformance; the funding rate from a
// premium is not computed here: hourly rates are given.
func TestOfficialExamples(t *testing.T) {
	t.Parallel()
	d := newDesk(t, 1)
	d.must(
		usdc(), collateral("HYPE", 150, "0.5"), collateral("UBTC", 197, "0.5"), mainDex(),
		command{"type": "prices", "token_oracles": command{"USDC": "1", "HYPE": "40", "UBTC": "80000"}},
		secured("rich", "0", map[string]string{"HYPE": "10000"}),
		secured("locked", "100", map[string]string{"HYPE": "1000"}),
	)
	equal(t, "borrowable on 10 000 at 40", d.margin("rich").Capacity, "200000")
	equal(t, "available on 10 000 at 40", d.margin("rich").Available, "200000")
	var spot spotState
	d.info(command{"type": "spotClearinghouseState", "user": "locked"}, &spot)
	for _, b := range spot.Balances {
		if b.Coin == "HYPE" {
			equal(t, "HYPE locked by a debt of 100", b.Hold, "5")
		}
	}
	d.must(
		command{"type": "prices", "token_oracles": command{"HYPE": "50"}},
		secured("weighted", "42000", map[string]string{"HYPE": "200", "UBTC": "1"}),
	)
	equal(t, "weighted collateral", d.margin("weighted").Capacity, "45000")
	equal(t, "health factor", *d.margin("weighted").HealthFactor, "1.0714285714")
	for _, x := range []struct{ price, debt, health string }{
		{"33", "250", "marketLiquidatable"},            // 250 is above the threshold 247.5
		{"33.4", "250", "atRisk"},                      // and below 250.5
		{"30", "250", "marketLiquidatable"},            // 250 > 250 is false; the FAQ rounds to 249.90
		{"30", "250.00000001", "backstopLiquidatable"}, // one unit more is beyond it
		{"29.99999999", "250", "backstopLiquidatable"}, // as is a price one unit lower
		{"50", "250", "healthy"},                       // the debt is the LTV value itself
		{"49.9999999", "250", "atRisk"},                // and just above it here
		{"33.3334", "250", "atRisk"},                   // the partial threshold is 250.0005
		{"33.3333", "250", "marketLiquidatable"},       // and 249.99975 here
	} {
		user := "faq-" + x.price + "-" + x.debt
		d.must(
			command{"type": "prices", "token_oracles": command{"HYPE": x.price}},
			secured(user, x.debt, map[string]string{"HYPE": "10"}),
		)
		var state lendState
		d.info(command{"type": "borrowLendUserState", "user": user}, &state)
		if state.Health != x.health {
			t.Errorf("10 HYPE at %s against %s: %s, want %s", x.price, x.debt, state.Health, x.health)
		}
	}
}

// TestCarryTradeExample is the table of spec 5.2 through ticks: 1 BTC supplied, short 1 BTC
// at ten times from 100 000.
func TestCarryTradeExample(t *testing.T) {
	t.Parallel()
	for _, shards := range []int{1, 4} {
		d := newDesk(t, shards)
		d.must(usdc(), collateral("UBTC", 197, "0.5"), mainDex(), command{
			"type": "list_perp", "perp": "BTC", "index": 0, "dex": "", "sz_decimals": 2, "collateral_token": "USDC", "margin_mode": "normal",
			"tiers": []command{{"lower_bound": "0", "max_leverage": 40}, {"lower_bound": "150000000", "max_leverage": 20}},
		})
		at := func(price string) {
			d.must(command{"type": "prices", "marks": command{"BTC": price}, "token_oracles": command{"UBTC": price, "USDC": "1"}})
		}
		at("100000")
		d.must(
			command{"type": "open_account", "account": "lender", "mode": "portfolio"},
			command{"type": "deposit", "account": "lender", "token": "USDC", "amount": "1000000"},
			command{"type": "open_account", "account": "carry", "mode": "portfolio"},
			command{"type": "deposit", "account": "carry", "token": "UBTC", "amount": "1"},
			command{"type": "set_leverage", "account": "carry", "perp": "BTC", "leverage": 10, "margin": "cross"},
			command{"type": "fill", "account": "carry", "market": "BTC", "side": "sell", "size": "1", "price": "100000"},
		)
		for _, x := range []struct{ price, n, mm, b, lc, ratio, available, factor string }{
			{"100000", "0", "1250", "1250", "75000", "0.032787", "40000", ""},
			{"150000", "-50000", "1875", "51875", "112500", "0.469945", "10000", "1.5"},
			{"200000", "-100000", "2500", "102500", "150000", "0.688525", "-20000", "1.0"},
			{"300000", "-200000", "3750", "203750", "225000", "0.907104", "-80000", "0.75"},
			{"332640.3326", "-232640.33", "4158.00", "236798.34", "249480.25", "0.95", "", ""},
			{"400000", "-300000", "5000", "305000", "300000", "1.016393", "-140000", "0.667"},
		} {
			at(x.price)
			m := d.margin("carry")
			shownEqual(t, "N at "+x.price, m.NetBalance, x.n)
			shownEqual(t, "MM at "+x.price, m.Maintenance, x.mm)
			shownEqual(t, "B at "+x.price, m.BorrowedForMaintenance, x.b)
			shownEqual(t, "LC at "+x.price, m.Liquidation, x.lc)
			shownEqual(t, "PMR at "+x.price, *m.Ratio, x.ratio)
			shownEqual(t, "available at "+x.price, m.Available, x.available)
			if x.factor == "" {
				continue
			}
			// The table's factor takes the debt to be -N: the account that owes exactly that.
			user := "owes-" + x.price
			p := position{coin: "BTC", size: ratOf(-1), entry: ratOf(100000), leverage: 10}
			owes := importedPosition(user, "portfolio", x.n, p)
			debt := plain(abs(rat(x.n)), 8)
			owes["balances"] = append(owes["balances"].([]command), command{"token": "UBTC", "total": "1", "supplied": "1"})
			owes["balances"].([]command)[0]["borrowed"] = debt
			owes["dexes"] = []command{{"dex": "", "raw_usd": x.price}}
			d.must(owes)
			shownEqual(t, "health factor at "+x.price, *d.margin(user).HealthFactor, x.factor)
		}
		// The boundaries between: availability reaches zero, and the ratio passes 0.95.
		for _, x := range []struct{ price, health string }{
			{"166666.6666", "healthy"}, {"166666.6667", "at_risk"}, {"332640.3326", "at_risk"}, {"332640.3327", "liquidatable"},
		} {
			at(x.price)
			if m := d.margin("carry"); m.Health != x.health {
				t.Errorf("health at %s = %s, want %s (available %s, ratio %s)", x.price, m.Health, x.health, m.Available, *m.Ratio)
			}
		}
	}
}

// shownEqual compares at the decimals that the example shows.
func shownEqual(t *testing.T, name, got, want string) {
	t.Helper()
	if want == "" {
		return
	}
	if off := abs(sub(rat(got), rat(want))); off.Cmp(quo(step(shownDecimals(want)), ratOf(2))) > 0 && round(rat(got), shownDecimals(want)).Cmp(rat(want)) != 0 {
		t.Errorf("%s = %s, want %s", name, got, want)
	}
}

// TestHyperliquidMathExamples are the worked examples of spec 5.5 (WORKED-EXAMPLES.json).
// Rounding a price to five digits is a client's task, not the engine's.
func TestHyperliquidMathExamples(t *testing.T) {
	t.Parallel()
	d := newDesk(t, 1)
	perp := func(name, dex string, index, leverage int) command {
		return command{
			"type": "list_perp", "perp": name, "index": index, "dex": dex, "sz_decimals": 4, "collateral_token": "USDC",
			"tiers": []command{{"lower_bound": "0", "max_leverage": leverage}}, "margin_mode": "normal",
		}
	}
	d.must(
		usdc(), mainDex(), command{"type": "list_dex", "dex": "two", "index": 1, "collateral_token": "USDC"},
		perp("A", "", 0, 10), perp("B", "two", 0, 10), perp("C", "", 1, 20), perp("D", "", 2, 10), perp("E", "two", 1, 10),
		command{"type": "prices", "marks": command{"A": "100", "B": "100", "C": "100", "D": "100", "E": "100"}},
	)
	d.must(importedPosition("isolated", "standard", "0", position{
		coin: "A", size: ratOf(1), entry: ratOf(100), leverage: 5, isIsolated: true, raw: ratOf(-80),
	}))
	var state clearinghouse
	d.info(command{"type": "clearinghouseState", "user": "isolated"}, &state)
	equal(t, "isolated liquidation price", *state.AssetPositions[0].Position.LiquidationPx, "84.2105263158")
	equal(t, "isolated margin", state.AssetPositions[0].Position.MarginUsed, "20")

	d.must(importedPosition("margin", "standard", "0", position{coin: "C", size: ratOf(2), entry: ratOf(200), leverage: 5}))
	d.info(command{"type": "clearinghouseState", "user": "margin"}, &state)
	equal(t, "position value", state.AssetPositions[0].Position.PositionValue, "200")
	equal(t, "initial margin", state.AssetPositions[0].Position.MarginUsed, "40")

	unified := account{
		mode: "unified", raw: map[string]*big.Rat{"": ratOf(0), "two": ratOf(0)},
		holdings: []holding{{token: "USDC", wei: 8, total: rat("11.5"), supplied: ratOf(0), borrowed: ratOf(0), entry: ratOf(0)}},
		positions: []position{ // maintenance 2 and 3, isolated equity 1 and 0.5
			{coin: "A", size: rat("0.4"), entry: ratOf(40), leverage: 10, sizeDigits: 4},
			{coin: "B", size: rat("0.6"), entry: ratOf(60), leverage: 10, sizeDigits: 4, dex: "two"},
			{coin: "D", size: rat("0.1"), entry: ratOf(10), leverage: 10, sizeDigits: 4, isIsolated: true, raw: ratOf(-9)},
			{coin: "E", size: rat("0.05"), entry: ratOf(5), leverage: 10, sizeDigits: 4, isIsolated: true, raw: rat("-4.5"), dex: "two"},
		},
	}
	d.must(unified.imported("unified"))
	equal(t, "unified ratio", *d.margin("unified").Ratio, "0.5")

	d.must(
		command{"type": "open_account", "account": "average", "mode": "standard"},
		command{"type": "fill", "account": "average", "market": "A", "side": "buy", "size": "5", "price": "100"},
		command{"type": "fill", "account": "average", "market": "A", "side": "buy", "size": "1", "price": "160"},
	)
	d.info(command{"type": "clearinghouseState", "user": "average"}, &state)
	equal(t, "average entry of 5 at 100 and 1 at 160", state.AssetPositions[0].Position.EntryPx, "110")
}
