package risk

import (
	"testing"

	"plimsoll/fixedpoint"
)

// lent opens a portfolio account that lends dollars.
func (d *desk) lent(name, amount string) uint32 {
	a := d.open(name, ModePortfolio)
	d.must(d.fund(KindDeposit, a, "USDC", amount))
	return a
}

func TestIdleDollarsAreLent(t *testing.T) {
	d := newDesk(t)
	d.standard()
	a := d.lent("lender", "1000")
	b := d.balance(a, "USDC")
	wants(t, "total", b.Total, "1000.0")
	wants(t, "supplied", b.Supplied, "1000.0")
	wants(t, "borrowed", b.Borrowed, "0.0")
}

func TestAShortfallIsBorrowedAndAProfitRepaysIt(t *testing.T) {
	d := newDesk(t)
	d.standard()
	d.lent("lender", "1000000")
	d.prices("BTC", "100000", "t:UBTC", "100000")
	a := d.open("carry", ModePortfolio)
	d.must(d.fund(KindDeposit, a, "UBTC", "1"))
	d.must(d.fillOf(a, "BTC", "-1", "100000"))
	b := d.balance(a, "USDC")
	wants(t, "borrowed", b.Borrowed, "10000.0") // a tenth of notional, the floored requirement at 20x
	wants(t, "perp value", d.view(a).Dexes[0].AccountValue, "10000.0")
	d.prices("BTC", "90000", "t:UBTC", "90000")
	d.must(d.fillOf(a, "BTC", "0.5", "90000"))
	b = d.balance(a, "USDC")
	wants(t, "borrowed after profit", b.Borrowed, "0.0")
	wants(t, "supplied after profit", b.Supplied, "5500.0") // 10 000 of profit less the requirement of 4 500
	wants(t, "total after profit", b.Total, "10000.0")
}

func TestInterestIsSplitExactly(t *testing.T) {
	d := newDesk(t)
	d.standard()
	d.time = 1_000_000_000_000
	d.must(Command{Kind: KindClock})
	lender := d.lent("lender", "20000")
	d.prices("BTC", "100000", "t:UBTC", "100000")
	a := d.open("carry", ModePortfolio)
	d.must(d.fund(KindDeposit, a, "UBTC", "1"))
	d.must(d.fillOf(a, "BTC", "-1", "100000"))
	before := d.balance(a, "USDC").Borrowed
	wants(t, "borrowed", before, "10000.0")
	d.time += 3_600_000
	d.must(Command{Kind: KindClock})
	after := d.balance(a, "USDC")
	wants(t, "debt after an hour at 5 %", after.Borrowed, "10000.05707779") // 10 000 x 1.0000057077788465, up
	wants(t, "basis", after.BorrowBasis, "10000.0")
	supplied := d.balance(lender, "USDC").Supplied
	wants(t, "supply after an hour", supplied, "20000.05137001") // 0.9 of 0.05707779, down
	pools := d.m.ReadTokens(d.m.ReadTotals(nil))
	wants(t, "buffer", pools[0].Pool.Buffer, "0.00570778")
	wants(t, "utilisation", pools[0].Pool.Utilization, "0.5000015696") // 10000.05707779 / 20000.05137001
}

func TestAFullPoolLendsNoMore(t *testing.T) {
	d := newDesk(t)
	d.standard()
	d.lent("lender", "8000")
	d.prices("BTC", "100000", "t:UBTC", "100000")
	a := d.open("carry", ModePortfolio)
	d.must(d.fund(KindDeposit, a, "UBTC", "2"))
	e := d.refuses(ReasonPoolIlliquid, d.orderOf(a, "BTC", "-2", "100000"))
	wants(t, "required", Amount{V: e.Amount, Decimals: e.Decimals}, "10100.0")
	d.must(d.fillOf(a, "BTC", "-1", "100000")) // a fill is always applied
	wants(t, "borrowed", d.balance(a, "USDC").Borrowed, "8000.0")
	wants(t, "perp value is left short", d.view(a).Dexes[0].AccountValue, "8000.0")
	lender := d.names["lender"]
	d.refuses(ReasonPoolIlliquid, d.fund(KindWithdraw, lender, "USDC", "1"))
}

func TestCollateralLeavesOnlyWhileItIsNotNeeded(t *testing.T) {
	d := newDesk(t)
	d.standard()
	d.lent("lender", "1000000")
	d.prices("HYPE", "40", "t:HYPE", "40")
	a := d.open("carry", ModePortfolio)
	d.must(d.fund(KindDeposit, a, "HYPE", "10"))
	d.must(d.fillOf(a, "HYPE", "-10", "40"))
	wants(t, "borrowed", d.balance(a, "USDC").Borrowed, "40.0")
	d.refuses(ReasonInsufficientMargin, d.fund(KindWithdraw, a, "HYPE", "8.5")) // 1.5 x 40 x 0.65 = 39 < 40
	d.must(d.fund(KindWithdraw, a, "HYPE", "8.4"))                              // 1.6 x 40 x 0.65 = 41.6
	d.refuses(ReasonInsufficientBalance, d.fund(KindWithdraw, a, "HYPE", "1.61"))
	d.refuses(ReasonInsufficientBalance, d.fund(KindWithdraw, a, "USDC", "0.00000001"))
}

func TestMarginSharingBorrowsOnATick(t *testing.T) {
	d := newDesk(t)
	d.standard()
	d.lent("lender", "1000000")
	d.prices("BTC", "100000", "t:UBTC", "100000")
	a := d.open("carry", ModePortfolio)
	d.must(d.fund(KindDeposit, a, "UBTC", "1"))
	d.must(d.fillOf(a, "BTC", "-1", "100000"))
	d.prices("BTC", "108000", "t:UBTC", "108000") // equity 2 000, maintenance 1 350: nothing yet
	wants(t, "perp value", d.view(a).Dexes[0].AccountValue, "2000.0")
	d.prices("BTC", "109000", "t:UBTC", "109000") // equity 1 000 is below 1 362.5: topped up to 10 900
	wants(t, "perp value", d.view(a).Dexes[0].AccountValue, "10900.0")
	wants(t, "borrowed", d.balance(a, "USDC").Borrowed, "19900.0")
}

func TestUserBorrowCapFallsBack(t *testing.T) {
	d := newDesk(t)
	d.standard()
	d.listToken(tokenTerms{"USDC", 0, 8, 2, true, "0", "1000000000", "500000000", "250000000", "1000", ""})
	d.lent("lender", "1000000")
	d.prices("HYPE", "40", "t:HYPE", "40")
	a := d.open("carry", ModePortfolio)
	d.must(d.fund(KindDeposit, a, "HYPE", "1000")) // 26 000 of capacity, 1 000 by the cap
	m := d.view(a).Margin
	wants(t, "capacity", m.CollateralCapacity, "1000.0")
	d.refuses(ReasonUserBorrowCap, d.orderOf(a, "HYPE", "-300", "40"))
	d.must(d.orderOf(a, "HYPE", "-200", "40"))
}

func TestAccountOwesOrLends(t *testing.T) {
	d := newDesk(t)
	d.standard()
	a := d.lent("lender", "1000")
	b := d.m.balanceOf(d.m.accountAt(a), uint16(d.tokens["USDC"]))
	if b.lend.Sign() <= 0 || !b.cash.IsZero() {
		t.Errorf("lend %v cash %v, want all lent", b.lend, b.cash)
	}
	if v := d.m.pools[0].sumsOf(d.m.totalsOf(0)); v.supply != fixedpoint.I128(100_000_000_000) {
		t.Errorf("pool supply = %v", v.supply)
	}
}
