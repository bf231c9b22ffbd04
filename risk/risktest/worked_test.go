package risktest

import (
	"testing"

	"plimsoll/risk"
)

// The worked examples of spec sections 5.1, 5.2, 5.4 and 5.5, by machine and oracle.

func TestBorrowableAgainstCollateral(t *testing.T) {
	d := lendingDesk(t)
	d.price(risk.PriceTokenOracle, 1, "40")
	d.open(1, risk.ModePortfolio)
	d.must(funds(risk.KindDeposit, 1, 1, "10000"))
	wants(t, "capacity of 10 000 at 40 and half weight", d.view(1).Margin.CollateralCapacity, "200000")
}

func TestHealthFactorOfTwoCollaterals(t *testing.T) {
	d := lendingDesk(t)
	d.price(risk.PriceTokenOracle, 1, "50")
	d.price(risk.PriceTokenOracle, 2, "80000")
	d.must(named(risk.KindImportAccount, 1, risk.ModePortfolio), balancePart(0, "-42000", "0", "42000"),
		balancePart(1, "200", "200", "0"), balancePart(2, "1", "1", "0"))
	m := d.view(1).Margin
	wants(t, "weighted collateral", m.CollateralCapacity, "45000")
	wants(t, "health factor", m.HealthFactor, "1.0714285714")
}

func TestLockedCollateral(t *testing.T) {
	d := lendingDesk(t)
	d.price(risk.PriceTokenOracle, 1, "40")
	d.must(named(risk.KindImportAccount, 1, risk.ModePortfolio), balancePart(0, "-100", "0", "100"), balancePart(1, "10", "10", "0"))
	wants(t, "locked for a debt of 100", d.balance(1, 1).Hold, "5")
}

func TestLendingThresholds(t *testing.T) {
	d := lendingDesk(t)
	d.must(named(risk.KindImportAccount, 1, risk.ModePortfolio), balancePart(0, "-250", "0", "250"), balancePart(1, "10", "10", "0"))
	for _, row := range []struct {
		price string
		want  risk.LendingHealth
	}{
		{"50", risk.LendingHealthy},
		{"49.99", risk.LendingAtRisk},
		{"34", risk.LendingAtRisk},
		{"33", risk.LendingMarketLiquidatable}, // threshold 247.50
		{"30", risk.LendingMarketLiquidatable}, // exactly 250: the FAQ rounds 83.3 % and says full
		{"29.99", risk.LendingBackstopLiquidatable},
	} {
		d.price(risk.PriceTokenOracle, 1, row.price)
		if got := d.view(1).Margin.LendingHealth; got != row.want {
			t.Errorf("at %s: %d, want %d", row.price, got, row.want)
		}
	}
}

func TestLendingLadder(t *testing.T) {
	d := newDesk(t, 1)
	d.token(0, 0, 8, 2, true, "")
	d.token(1, 150, 8, 2, false, "0.65")
	d.perp(0, 0, 5, "0", "40")
	d.must(named(risk.KindImportAccount, 1, risk.ModePortfolio), balancePart(0, "-91600", "0", "91600"),
		balancePart(1, "3006.28", "3006.28", "0"))
	for _, row := range []struct {
		price string
		want  risk.LendingHealth
	}{
		{"36.94", risk.LendingAtRisk},
		{"36.93", risk.LendingMarketLiquidatable},
		{"34.50", risk.LendingMarketLiquidatable},
		{"34.49", risk.LendingBackstopLiquidatable},
	} {
		d.price(risk.PriceTokenOracle, 1, row.price)
		if got := d.view(1).Margin.LendingHealth; got != row.want {
			t.Errorf("at %s: %d, want %d", row.price, got, row.want)
		}
	}
}

func TestCarryTrade(t *testing.T) {
	d := lendingDesk(t)
	d.price(risk.PriceMark, 0, "100000")
	d.price(risk.PriceTokenOracle, 2, "100000")
	d.open(1, risk.ModePortfolio)
	d.must(funds(risk.KindDeposit, 1, 2, "1"))
	d.must(leverage(1, 0, 10, 0))
	d.must(deal(risk.KindFill, 1, 0, "-1", "100000"))
	for _, row := range []struct{ price, n, mm, b, lc, ratio, available string }{
		{"100000", "0", "1250", "1250", "75000", "0.0327868852", "40000"},
		{"150000", "-50000", "1875", "51875", "112500", "0.4699453552", "10000"},
		{"200000", "-100000", "2500", "102500", "150000", "0.6885245902", "-20000"},
		{"300000", "-200000", "3750", "203750", "225000", "0.9071038251", "-80000"},
		{"400000", "-300000", "5000", "305000", "300000", "1.0163934426", "-140000"},
	} {
		d.price(risk.PriceMark, 0, row.price)
		d.price(risk.PriceTokenOracle, 2, row.price)
		m := d.view(1).Margin
		wants(t, "N at "+row.price, m.NetBalance, row.n)
		wants(t, "MM at "+row.price, m.MaintenanceMargin, row.mm)
		wants(t, "B at "+row.price, m.BorrowedForMaintenance, row.b)
		wants(t, "LC at "+row.price, m.CollateralLiquidation, row.lc)
		wants(t, "PMR at "+row.price, m.PortfolioMarginRatio, row.ratio)
		wants(t, "available at "+row.price, m.Available, row.available)
	}
	d.price(risk.PriceMark, 0, "332640")
	d.price(risk.PriceTokenOracle, 2, "332640.33")
	if h := d.view(1).Margin.Health; h != risk.HealthAtRisk {
		t.Errorf("just below the line: %v, want at_risk", h)
	}
	d.price(risk.PriceMark, 0, "332640.4")
	if h := d.view(1).Margin.Health; h != risk.HealthLiquidatable {
		t.Errorf("just above the line: %v, want liquidatable", h)
	}
}

func TestIsolatedLiquidationPrices(t *testing.T) {
	d := newDesk(t, 1)
	d.token(0, 0, 8, 2, true, "")
	d.perp(0, 0, 4, "0", "50")
	d.perp(1, 0, 2, "0", "10")
	d.price(risk.PriceMark, 0, "2985.9")
	d.price(risk.PriceMark, 1, "100")
	d.must(named(risk.KindImportAccount, 0, risk.ModeStandard), walletPart(0, "13104.514502"),
		positionPart(0, 20, "0.0335", "100.04105", risk.FlagIsolated, "-95.059824"),
		positionPart(1, 10, "1", "100", risk.FlagIsolated, "-80"))
	v := d.view(0)
	wants(t, "margin used", v.Positions[0].MarginUsed, "4.967826")
	wants(t, "liquidation price", v.Positions[0].LiquidationPx, "2866.2693803709") // the page shows 2866.26936529
	wants(t, "account value", v.Dexes[0].AccountValue, "13129.482328")
	wants(t, "cross value", v.Dexes[0].CrossValue, "13104.514502")
	wants(t, "liquidation price of 1 at 100 with 20", v.Positions[1].LiquidationPx, "84.2105263158")
}

func TestUnifiedRatio(t *testing.T) {
	d := newDesk(t, 1)
	d.token(0, 0, 8, 2, true, "")
	d.perp(0, 0, 2, "0", "50")
	d.perp(1, 1, 2, "0", "50")
	d.perp(2, 0, 2, "0", "50")
	d.perp(3, 1, 2, "0", "50")
	for perp := range uint32(4) {
		d.price(risk.PriceMark, perp, "100")
	}
	d.must(named(risk.KindImportAccount, 0, risk.ModeUnified),
		positionPart(0, 20, "2", "200", 0, "0"), positionPart(1, 20, "3", "300", 0, "0"),
		positionPart(2, 20, "0.1", "10", risk.FlagIsolated, "-9"), positionPart(3, 20, "0.05", "5", risk.FlagIsolated, "-4.5"),
		balancePart(0, "11.5", "0", "0"))
	m := d.view(0).Margin
	wants(t, "maintenance", m.MaintenanceMargin, "5")
	wants(t, "isolated", m.IsolatedEquity, "1.5")
	wants(t, "ratio", m.PortfolioMarginRatio, "0.5")
}
