package risk

import "testing"

// TestCarryTrade is the worked example of spec 5.2: long 1 BTC spot, short 1 BTC perp from
// 100 000, all collateral supplied, no dollars at the start.
func TestCarryTrade(t *testing.T) {
	d := newDesk(t)
	d.standard()
	lender := d.open("lender", ModePortfolio)
	d.must(d.fund(KindDeposit, lender, "USDC", "1000000"))
	d.prices("BTC", "100000", "t:UBTC", "100000")
	a := d.open("carry", ModePortfolio)
	d.must(d.fund(KindDeposit, a, "UBTC", "1"))
	d.must(d.leverage(a, "BTC", 10, false))
	d.must(d.fillOf(a, "BTC", "-1", "100000"))
	for _, row := range []struct{ price, n, mm, b, lc, ratio, available string }{
		{"100000", "0.0", "1250.0", "1250.0", "75000.0", "0.0327868852", "40000.0"},
		{"150000", "-50000.0", "1875.0", "51875.0", "112500.0", "0.4699453552", "10000.0"},
		{"200000", "-100000.0", "2500.0", "102500.0", "150000.0", "0.6885245902", "-20000.0"},
		{"300000", "-200000.0", "3750.0", "203750.0", "225000.0", "0.9071038251", "-80000.0"},
		{"400000", "-300000.0", "5000.0", "305000.0", "300000.0", "1.0163934426", "-140000.0"},
	} {
		d.prices("BTC", row.price, "t:UBTC", row.price)
		m := d.view(a).Margin
		wants(t, "N at "+row.price, m.NetBalance, row.n)
		wants(t, "MM at "+row.price, m.MaintenanceMargin, row.mm)
		wants(t, "B at "+row.price, m.BorrowedForMaintenance, row.b)
		wants(t, "LC at "+row.price, m.CollateralLiquidation, row.lc)
		wants(t, "PMR at "+row.price, m.PortfolioMarginRatio, row.ratio)
		wants(t, "available at "+row.price, m.Available, row.available)
	}
	if h := d.view(a).Margin.Health; h != HealthBackstop {
		t.Errorf("health at 400000 = %v, want backstop: Nc + LC is below 2/3 of MM", h)
	}
	d.prices("BTC", "332640", "t:UBTC", "332640")
	if h := d.view(a).Margin.Health; h != HealthAtRisk {
		t.Errorf("health at 332640 = %v, want at_risk", h)
	}
	d.prices("BTC", "332641", "t:UBTC", "332641")
	if h := d.view(a).Margin.Health; h != HealthLiquidatable {
		t.Errorf("health at 332641 = %v, want liquidatable", h)
	}
}

// TestCapturedPortfolioAccount is the unscaled capture of 22 Sep 2026 without its small
// tokens.
func TestCapturedPortfolioAccount(t *testing.T) {
	for _, isPricedFirst := range []bool{true, false} {
		checkCapturedPortfolioAccount(t, isPricedFirst)
	}
}

// checkCapturedPortfolioAccount imports before or after the marks are known.
func checkCapturedPortfolioAccount(t *testing.T, isPricedFirst bool) {
	t.Helper()
	d := newDesk(t)
	d.standard()
	tick := func() { d.prices("ETH", "2745.3", "NEAR", "4.4304", "PENGU", "0.009198", "XPL", "0.093914") }
	if isPricedFirst {
		tick()
	}
	head := Command{Kind: KindImportAccount, Mode: uint8(ModePortfolio)}
	head.SetName([]byte("lifi"))
	head.Ref = [4]uint32{7, NoAccount, 0, 0}
	group := []Command{head}
	wallet := Command{Kind: KindPartWallet}
	d.set(&wallet, 0, "-36430067.941235")
	group = append(group, wallet)
	for _, p := range []struct {
		perp, size, entry string
		leverage          uint16
	}{
		{"ETH", "12500", "32420032.67232", 25},
		{"NEAR", "970359", "4022284.71167", 10},
		{"PENGU", "54460298", "496845.910788", 5},
		{"XPL", "15073113", "1483258.009309", 10},
	} {
		c := Command{Kind: KindPartPosition, Leverage: p.leverage}
		c.Ref[RefMarket] = d.perps[p.perp]
		d.set(&c, 0, p.size)
		d.set(&c, 1, p.entry)
		group = append(group, c)
	}
	b := Command{Kind: KindPartBalance}
	b.Ref[RefToken] = d.tokens["USDC"]
	d.set(&b, 0, "7678466.90417727")
	d.set(&b, 1, "3571618.63923227")
	group = append(group, b)
	d.must(group...)
	if !isPricedFirst {
		tick()
	}
	v := d.view(7)
	x := v.Dexes[0]
	wants(t, "accountValue", x.AccountValue, "4101762.727651")
	wants(t, "totalNtlPos", x.TotalNtlPos, "40531830.668886")
	wants(t, "totalRawUsd", x.TotalRawUsd, "-36430067.941235")
	wants(t, "totalMarginUsed", x.TotalMarginUsed, "2044300.648988")
	wants(t, "crossMaintenanceMarginUsed", x.CrossMaintenance, "1022150.324494")
	wants(t, "withdrawable", x.Withdrawable, "0.0")
	wants(t, "uPnL", v.Positions[0].UnrealizedPnl, "1896217.32768")
	wants(t, "roe", v.Positions[0].ReturnOnEquity, "1.4622265706")
	wants(t, "entryPx", v.Positions[0].EntryPx, "2593.6")
	wants(t, "total", v.Balances[0].Total, "7678466.90417727")
	wants(t, "supplied", v.Balances[0].Supplied, "3571618.63923227")
	for _, p := range v.Positions[1:] {
		wants(t, "liquidationPx", p.LiquidationPx, "null")
	}
	t.Logf("ETH liq %s, ratio %s", text(v.Positions[0].LiquidationPx), text(v.Margin.PortfolioMarginRatio))
}

// TestCollateralPrices solves the two lines for the price of the only collateral: 14 HYPE
// at weight 0.825 against a debt of 250.
func TestCollateralPrices(t *testing.T) {
	d := newDesk(t)
	d.standard()
	d.lent("lender", "1000000")
	d.prices("t:HYPE", "60")
	a := d.open("borrower", ModePortfolio)
	d.must(d.fund(KindDeposit, a, "HYPE", "10"))
	d.must(d.fund(KindBorrow, a, "USDC", "250"))
	w := d.fund(KindWithdraw, a, "USDC", "250")
	d.refuses(ReasonInsufficientBalance, w) // borrowed money cannot leave
	d.must(d.fillOf(a, "HYPE/USDC", "4", "62.5"))
	c := d.view(a).Collaterals
	if len(c) != 1 {
		t.Fatalf("%d collaterals, want 1", len(c))
	}
	wants(t, "debt", d.balance(a, "USDC").Borrowed, "250.0")
	wants(t, "venue's price", c[0].LiquidationPx, "21.645021645") // 250 / (14 x 0.825)
	wants(t, "trigger price", c[0].TriggerPx, "22.7842333108")    // 250 / (0.95 x 14 x 0.825)
}
