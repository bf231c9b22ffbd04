package risk

import "testing"

func TestStandardOrderReservesAndReleases(t *testing.T) {
	d := newDesk(t)
	d.standard()
	d.prices("BTC", "100000", "ETH", "2500")
	a := d.open("alice", ModeStandard)
	d.must(d.fund(KindDeposit, a, "USDC", "10000"))
	d.must(d.leverage(a, "BTC", 10, false))
	e := d.must(d.orderOf(a, "BTC", "0.9", "100000"))
	wants(t, "required", Amount{V: e.Amount, Decimals: e.Decimals}, "9000.0")
	wants(t, "available", Amount{V: e.Amount2, Decimals: e.Decimals}, "10000.0")
	wants(t, "withdrawable", d.view(a).Dexes[0].Withdrawable, "1000.0")
	e = d.refuses(ReasonInsufficientMargin, d.orderOf(a, "BTC", "0.2", "100000"))
	wants(t, "available", Amount{V: e.Amount2, Decimals: e.Decimals}, "1000.0")
	c := d.orderOf(a, "BTC", "0", "0")
	c.Kind, c.OrderLo = KindCancel, 1
	d.must(c)
	wants(t, "withdrawable", d.view(a).Dexes[0].Withdrawable, "10000.0")
	d.refuses(ReasonUnknownOrder, c)
}

func TestClosingSideHoldsOnlyWhatGoesBeyond(t *testing.T) {
	d := newDesk(t)
	d.standard()
	d.prices("BTC", "100000")
	a := d.open("alice", ModeStandard)
	d.must(d.fund(KindDeposit, a, "USDC", "10000"))
	d.must(d.leverage(a, "BTC", 10, false))
	d.must(d.fillOf(a, "BTC", "1", "100000"))
	d.must(d.orderOf(a, "BTC", "-1", "100000"))
	wants(t, "nothing held", d.view(a).Margin.Available, "0.0")
	d.refuses(ReasonInsufficientMargin, d.orderOf(a, "BTC", "-0.1", "100000"))
}

func TestFillKeepsEntryAndPnl(t *testing.T) {
	d := newDesk(t)
	d.standard()
	d.prices("ETH", "2500")
	a := d.open("alice", ModeStandard)
	d.must(d.fund(KindDeposit, a, "USDC", "10000"))
	d.must(d.fillOf(a, "ETH", "1", "2400"))
	d.must(d.fillOf(a, "ETH", "1", "2600"))
	p := d.view(a).Positions[0]
	wants(t, "entry notional", p.EntryNotional, "5000.0")
	wants(t, "entry", p.EntryPx, "2500.0")
	d.must(d.fillOf(a, "ETH", "-0.5", "2700"))
	p = d.view(a).Positions[0]
	wants(t, "entry notional", p.EntryNotional, "3750.0")
	wants(t, "pnl", p.UnrealizedPnl, "0.0")
	wants(t, "account value", d.view(a).Dexes[0].AccountValue, "10100.0")
	d.must(d.fillOf(a, "ETH", "-3", "2500"))
	p = d.view(a).Positions[0]
	wants(t, "size", p.Size, "-1.5")
	wants(t, "entry notional", p.EntryNotional, "3750.0")
}

func TestIsolatedPositionLosesItsMarginOnly(t *testing.T) {
	d := newDesk(t)
	d.standard()
	d.prices("ETH", "2500")
	a := d.open("alice", ModeUnified)
	d.must(d.fund(KindDeposit, a, "USDC", "1000"))
	d.must(d.leverage(a, "ETH", 5, true))
	fee := d.fillOf(a, "ETH", "1", "2500")
	fee.Flags |= FlagFee
	d.set(&fee, 2, "1.25")
	d.must(fee)
	v := d.view(a)
	wants(t, "margin used", v.Positions[0].MarginUsed, "498.75")
	wants(t, "total", v.Balances[0].Total, "998.75")
	wants(t, "hold", v.Balances[0].Hold, "498.75")
	wants(t, "after maintenance", v.Balances[0].AfterMaint, "500.0")
	d.refuses(ReasonInsufficientMargin, d.fundPosition(a, "ETH", "-0.01"))
	d.must(d.fundPosition(a, "ETH", "100"))
	wants(t, "margin used", d.view(a).Positions[0].MarginUsed, "598.75")
	d.must(d.fillOf(a, "ETH", "-1", "2500"))
	wants(t, "total", d.view(a).Balances[0].Total, "998.75")
	wants(t, "free", d.view(a).Margin.Available, "998.75")
}

func (d *desk) fundPosition(a uint32, perp, amount string) Command {
	c := Command{Kind: KindIsolatedMargin}
	c.Ref = [4]uint32{a, 0, d.perps[perp], 0}
	d.set(&c, 0, amount)
	return c
}

func TestTradeIsAtomicAndNetsToZero(t *testing.T) {
	d := newDesk(t)
	d.standard()
	d.prices("BTC", "100000")
	a, b := d.open("alice", ModeStandard), d.open("bob", ModePortfolio)
	d.must(d.fund(KindDeposit, a, "USDC", "50000"))
	d.must(d.fund(KindDeposit, b, "USDC", "50000"))
	trade := d.fillOf(a, "BTC", "1", "100000")
	trade.Kind = KindTrade
	seller := Command{Kind: KindPartSeller}
	seller.Ref[RefAccount] = b
	d.must(trade, seller)
	wants(t, "buyer", d.view(a).Positions[0].Size, "1.0")
	wants(t, "seller", d.view(b).Positions[0].Size, "-1.0")
	d.prices("BTC", "101000")
	wants(t, "buyer value", d.view(a).Dexes[0].AccountValue, "51000.0")
	wants(t, "seller total", d.view(b).Balances[0].Total, "49000.0")
	seller.Ref[RefAccount] = 99
	d.refuses(ReasonUnknownAccount, trade, seller)
}

func TestTransferMovesBetweenAccountsAndWallets(t *testing.T) {
	d := newDesk(t)
	d.standard()
	d.prices("BTC", "100000")
	a, b := d.open("alice", ModeStandard), d.open("bob", ModePortfolio)
	d.must(d.fund(KindDeposit, a, "USDC", "50000"))
	c := d.fund(KindTransfer, a, "USDC", "20000")
	c.Ref[RefOther] = b
	d.must(c)
	wants(t, "sender", d.view(a).Dexes[0].AccountValue, "30000.0")
	wants(t, "receiver lends", d.balance(b, "USDC").Supplied, "20000.0")
	c = d.fund(KindTransfer, a, "USDC", "5000")
	c.Ref[RefOther], c.Wallets = a, [2]uint16{uint16(WalletPerp), uint16(WalletSpot)}
	d.must(c)
	wants(t, "perp wallet", d.view(a).Dexes[0].AccountValue, "25000.0")
	wants(t, "spot wallet", d.balance(a, "USDC").Total, "5000.0")
	back := d.fund(KindTransfer, b, "USDC", "20000.00000001")
	back.Ref[RefOther] = a
	d.refuses(ReasonInsufficientBalance, back)
}

func TestFundingIsPaidFromOneNumber(t *testing.T) {
	d := newDesk(t)
	d.standard()
	d.prices("BTC", "100000", "o:BTC", "100000")
	a := d.open("alice", ModeStandard)
	d.must(d.fund(KindDeposit, a, "USDC", "50000"))
	d.must(d.fillOf(a, "BTC", "2", "100000"))
	c := Command{Kind: KindFunding, Mode: 1}
	c.Ref[0] = d.perps["BTC"]
	d.set(&c, 0, "0.0001")
	d.must(c)
	wants(t, "account value", d.view(a).Dexes[0].AccountValue, "49980.0")
	wants(t, "since open", d.view(a).Positions[0].FundingSinceOpen, "20.0")
	d.must(d.fillOf(a, "BTC", "-2", "100000"))
	wants(t, "account value", d.view(a).Dexes[0].AccountValue, "49980.0")
}

func TestRefusalsComeInTheDocumentedOrder(t *testing.T) {
	d := newDesk(t)
	d.standard()
	a := d.open("alice", ModeStandard)
	o := d.orderOf(a, "BTC", "1", "100000")
	bad := o
	bad.Ref[RefAccount] = NoAccount
	bad.Ref[RefMarket] = NoSlot
	d.refuses(ReasonUnknownAccount, bad)
	bad = o
	bad.Ref[RefMarket] = NoSlot
	d.refuses(ReasonUnknownMarket, bad)
	bad = o
	bad.Num[0] = 0
	d.refuses(ReasonInvalidSize, bad)
	bad = o
	d.set(&bad, 1, "100000.55")
	d.refuses(ReasonInvalidPrice, bad)
	d.refuses(ReasonPriceMissing, o)
	d.prices("BTC", "100000")
	d.refuses(ReasonInsufficientMargin, o)
	bad = o
	bad.Flags |= FlagReduceOnly
	d.refuses(ReasonReduceOnlyWouldIncrease, bad)
	d.must(Command{Kind: KindHalt, Flags: FlagAll})
	d.refuses(ReasonAccountHalted, o)
}

// TestListingsAfterAccounts opens and funds accounts before their markets exist: what a
// price pass reads of them must follow the listings.
func TestListingsAfterAccounts(t *testing.T) {
	d := newDesk(t)
	d.listToken(tokenTerms{"JUNK", 9, 8, 2, false, "0", "0", "0", "0", "0", ""})
	d.listToken(tokenTerms{"USDC", 0, 8, 2, true, "0", "1000000000", "500000000", "250000000", "50000000", ""})
	a, b := d.open("alice", ModeUnified), d.open("bob", ModePortfolio)
	d.must(d.fund(KindDeposit, a, "USDC", "1000"))
	d.must(d.fund(KindDeposit, b, "USDC", "1000"))
	d.listToken(tokenTerms{"HYPE", 150, 8, 2, false, "0.65", "10000000", "0", "1000000", "0", ""})
	d.prices("t:HYPE", "40")
	c := d.open("carol", ModePortfolio)
	d.must(d.fund(KindDeposit, c, "HYPE", "10"))
	d.must(d.fund(KindBorrow, c, "USDC", "100")) // owes before there is a dex: judged at every tick
	d.listSpot("HYPE", "USDC", 107)
	d.must(d.fillOf(c, "HYPE/USDC", "2.5", "40"))
	d.listPerp("BTC", 5, "0", "40")
	d.prices("BTC", "1000")
	d.must(d.fillOf(a, "BTC", "1", "1000"))
	d.must(d.fillOf(b, "BTC", "1", "1000"))
	d.prices("BTC", "1100")
	var s Sums
	d.m.ReadSums(&s)
	wants(t, "equity", Amount{V: s.Equity, Decimals: 8}, "2100.0") // 1 100 each, less what carol owes
	if s.Bands[HealthHealthy] != 3 {
		t.Errorf("bands %v, want three healthy", s.Bands)
	}
	if s.Accounts != 3 {
		t.Errorf("%d accounts, want 3", s.Accounts)
	}
}

// TestARefusedLeverageLeavesTheColumnsTrue makes room for a position that is not kept.
func TestARefusedLeverageLeavesTheColumnsTrue(t *testing.T) {
	d := newDesk(t)
	d.standard()
	d.prices("BTC", "1000", "ETH", "100")
	a := d.open("alice", ModeUnified)
	d.must(d.fund(KindDeposit, a, "USDC", "103"))
	d.must(d.fillOf(a, "BTC", "1", "1000"))
	d.must(d.orderOf(a, "ETH", "0.5", "100"))
	d.refuses(ReasonInsufficientMargin, d.leverage(a, "ETH", 1, false))
	d.must(func() Command { c := d.orderOf(a, "ETH", "0", "0"); c.Kind, c.OrderLo = KindCancel, 1; return c }())
	d.must(d.fund(KindDeposit, a, "USDC", "100"))
	b := d.open("bob", ModeUnified) // takes the block that was given back
	d.must(d.fund(KindDeposit, b, "USDC", "500"))
	d.must(d.fillOf(b, "ETH", "7", "100"))
	var s Sums
	d.m.ReadSums(&s)
	wants(t, "notional", Amount{V: s.Notional, Decimals: 8}, "1700.0")
}

// TestTighterTiersReachOpenPositions relists a perp so that its maintenance margin passes
// the equity of an account that was clear of every requirement.
func TestTighterTiersReachOpenPositions(t *testing.T) {
	d := newDesk(t)
	d.standard()
	d.prices("BTC", "1000")
	a := d.open("alice", ModeStandard)
	d.must(d.fund(KindDeposit, a, "USDC", "150"))
	d.must(d.fillOf(a, "BTC", "1", "1000"))
	d.listPerp("BTC", 5, "0", "3")
	d.prices("BTC", "1000") // maintenance is a sixth of 1 000
	var s Sums
	d.m.ReadSums(&s)
	if s.Bands[HealthLiquidatable] != 1 || d.view(a).Margin.Health != HealthLiquidatable {
		t.Errorf("bands %v, health %v, want liquidatable", s.Bands, d.view(a).Margin.Health)
	}
	if told := d.m.hot[a].health(); told != HealthLiquidatable {
		t.Errorf("told %v, want liquidatable", told)
	}
}
