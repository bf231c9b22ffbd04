package risktest

import (
	"testing"

	"plimsoll/risk"
)

// Each test here is a fault that a random history found, or a reader, as its shortest
// sequence of commands.

// A portfolio account pays for a spot order by borrowing, whether or not it ever held the
// quote token.
func TestSpotOrderIsFundedInATokenNeverHeld(t *testing.T) {
	d := lendingDesk(t)
	d.spotMarket(0, 1, 0)
	d.price(risk.PriceTokenOracle, 2, "100000")
	d.open(1, risk.ModePortfolio)
	d.must(funds(risk.KindDeposit, 1, 2, "1"))
	d.must(d.order(1, risk.SpotBit, "100", "40"))
	wants(t, "borrowed", d.balance(1, 0).Borrowed, "4000")
}

// The figures of a standard account are those of the dex nearest to its line, also when
// the main dex is empty.
func TestStandardFiguresAreOfTheWorstDex(t *testing.T) {
	d := newDesk(t, 1)
	d.token(0, 0, 8, 2, true, "")
	d.perp(0, 0, 2, "0", "10")
	d.perp(1, 1, 2, "0", "10")
	d.price(risk.PriceMark, 1, "100")
	d.must(named(risk.KindImportAccount, 0, risk.ModeStandard), walletPart(1, "-90"), positionPart(1, 10, "1", "100", 0, "0"))
	m := d.view(0).Margin
	wants(t, "maintenance", m.MaintenanceMargin, "5")
	wants(t, "ratio", m.PortfolioMarginRatio, "0.5")
}

// A short on a dex without cash is judged though its collateral token has no balance.
func TestHealthJudgesADexWithoutCash(t *testing.T) {
	d := newDesk(t, 1)
	d.token(0, 0, 8, 2, true, "")
	d.token(1, 235, 6, 2, false, "")
	d.perp(0, 0, 2, "0", "10")
	c := risk.Command{Kind: risk.KindListDex}
	c.Ref = [4]uint32{0, 1, 1, 1}
	d.must(c, nameRecord("vntl"))
	c = risk.Command{Kind: risk.KindListPerp, Leverage: 2, Wallets: [2]uint16{1}}
	c.Ref = [4]uint32{0, 1, 1, 1}
	part := risk.Command{Kind: risk.KindPartTiers, Mode: 1}
	part.Ref[0] = 10
	d.must(c, part, nameRecord("vntl:X"))
	d.price(risk.PriceMark, 1, "100")
	d.must(named(risk.KindImportAccount, 0, risk.ModePortfolio), positionPart(1, 10, "-1", "100", 0, "0"))
	if got := d.view(0).Margin.Health; got != risk.HealthBackstop {
		t.Errorf("health %v with -100 against 5, want backstop", got)
	}
	wants(t, "total", d.balance(0, 1).Total, "-100")
}

// A ratio is rounded once: 1/3 of a unit past a half is up.
func TestRatiosAreRoundedOnce(t *testing.T) {
	d := newDesk(t, 1)
	d.token(0, 0, 8, 2, true, "")
	d.perp(0, 0, 0, "0", "1")
	d.price(risk.PriceMark, 0, "0.000001")
	// PnL x 1 / 29999999999 notional: 0.00000000005000000000166…, cut at 12 digits a tie.
	d.must(named(risk.KindImportAccount, 0, risk.ModeStandard), positionPart(0, 1, "20000000000", "19999.999999", 0, "0"))
	wants(t, "return on equity", d.view(0).Positions[0].ReturnOnEquity, "0.0000000001")
}

// With a little collateral the ratio passes 0.95 before equity falls below maintenance.
func TestTriggerPriceOnTheFundedBranch(t *testing.T) {
	d := lendingDesk(t)
	d.price(risk.PriceMark, 0, "100000")
	d.price(risk.PriceTokenOracle, 1, "40")
	d.must(named(risk.KindImportAccount, 1, risk.ModePortfolio), positionPart(0, 20, "-1", "100000", 0, "0"),
		balancePart(0, "10000", "0", "0"), balancePart(1, "1", "1", "0"))
	// MM = 0.95 (N + LC): P/80 = 0.95 (110 000 - P + 30), N = 1399 above MM = 1358 there.
	wants(t, "trigger", d.view(1).Positions[0].TriggerPx, "108601.038961039")
}

// A trade that names an order which does not rest says so, wherever the seller lives.
func TestTradeTellsAnUnknownOrderOnEveryShard(t *testing.T) {
	for _, shards := range []uint32{1, 2} {
		d := newDesk(t, shards)
		d.token(0, 0, 8, 2, true, "")
		d.perp(0, 0, 2, "0", "10")
		d.price(risk.PriceMark, 0, "100")
		d.open(0, risk.ModeStandard)
		d.open(1, risk.ModeStandard)
		seller := risk.Command{Kind: risk.KindPartSeller, Flags: risk.FlagOrderID, OrderLo: 7, OrderForm: risk.FormUint}
		seller.Ref[risk.RefAccount] = 1
		events := d.must(deal(risk.KindTrade, 0, 0, "1", "100"), seller)
		if events[0].Flags&risk.EventUnknownOrder == 0 {
			t.Errorf("%d shards: the answer does not tell of the unknown order", shards)
		}
	}
}

// Why a transfer is refused does not depend on where its accounts live.
func TestTransferRefusalIsTheSameOnEveryShard(t *testing.T) {
	var first risk.Reason
	for _, shards := range []uint32{1, 2} {
		d := newDesk(t, shards)
		d.token(0, 0, 8, 2, true, "")
		d.token(1, 235, 8, 2, true, "")
		d.perp(0, 0, 2, "0", "10")
		d.open(0, risk.ModeStandard)
		d.open(1, risk.ModeStandard)
		c := funds(risk.KindTransfer, 0, 1, "5")
		c.Ref[risk.RefOther] = 1
		c.Wallets = [2]uint16{uint16(risk.WalletPerp) + 9, uint16(risk.WalletPerp)} // no such dex; another collateral
		got := d.try(c)[0].Reason
		if shards == 1 {
			first = got
		} else if got != first {
			t.Errorf("two shards refuse for %v, one for %v", got, first)
		}
	}
}

// With the offset added, a small account passes its line while its equity still covers a
// tenth of notional: the tick has to tell.
func TestTickTellsTheBandWithTheOffset(t *testing.T) {
	d := newDesk(t, 1)
	d.token(0, 0, 8, 2, true, "")
	d.perp(0, 0, 2, "0", "50")
	d.must(risk.Command{Kind: risk.KindSetParameters, Aux: risk.ParamOffsetMode, Mode: uint8(risk.OffsetAdd)})
	d.price(risk.PriceMark, 0, "100")
	d.open(0, risk.ModePortfolio)
	d.must(funds(risk.KindDeposit, 0, 0, "24"))
	d.must(deal(risk.KindFill, 0, 0, "1", "100"))
	d.price(risk.PriceMark, 0, "97.5") // N = 21.5, R = 20.975: 0.9756
	if got := d.view(0).Margin.Health; got != risk.HealthLiquidatable {
		t.Errorf("health %v, want liquidatable", got)
	}
}

// Events name their market, also the perp of slot 0.
func TestEventsNameTheMarketOfSlotZero(t *testing.T) {
	d := newDesk(t, 1)
	d.token(0, 0, 8, 2, true, "")
	d.perp(0, 0, 2, "0", "10")
	halt := risk.Command{Kind: risk.KindHalt, Flags: risk.FlagMarket}
	for _, e := range d.must(halt)[1:] {
		if e.Kind == risk.EventHalted && e.Market != 0 {
			t.Errorf("halted names market %d, want 0", e.Market)
		}
	}
	halt.Kind = risk.KindResume
	d.must(halt)
	d.price(risk.PriceMark, 0, "100")
	d.open(0, risk.ModeStandard)
	d.must(funds(risk.KindDeposit, 0, 0, "1000"))
	d.must(d.order(0, 0, "1", "100"))
	cancel := risk.Command{Kind: risk.KindCancel, Flags: risk.FlagOrderID, OrderLo: d.oid, OrderForm: risk.FormUint}
	for _, e := range d.must(cancel)[1:] {
		if e.Kind == risk.EventOrderReleased && e.Market != 0 {
			t.Errorf("order_released names market %d, want 0", e.Market)
		}
	}
}

// Requirements round up per position: equity above the sum may still be a unit short.
func TestTickTellsABandOneUnitShort(t *testing.T) {
	d := newDesk(t, 1)
	d.token(0, 0, 6, 2, true, "")
	for perp := range uint32(3) {
		d.perp(perp, 0, 0, "0", "7")
		d.price(risk.PriceMark, perp, "0.000001")
	}
	// 2 999 999 / 7 = 428 571.29 twice and 1/7: 857 145 is required, 857 142.86 is a seventh.
	d.must(named(risk.KindImportAccount, 0, risk.ModeStandard), walletPart(0, "-5.142852"),
		positionPart(0, 7, "2999999", "3", 0, "0"), positionPart(1, 7, "2999999", "3", 0, "0"), positionPart(2, 7, "-1", "3", 0, "0"))
	wants(t, "available", d.view(0).Margin.Available, "0")
	d.price(risk.PriceMark, 2, "0.000002")
	wants(t, "available", d.view(0).Margin.Available, "-0.000001")
}

// A capped perp counts what stands on all shards when an order is changed.
func TestModifyCountsOpenInterestOfAllShards(t *testing.T) {
	for _, shards := range []uint32{1, 2} {
		d := newDesk(t, shards)
		d.token(0, 0, 8, 2, true, "")
		d.perp(0, 0, 2, "0", "10")
		c := risk.Command{Kind: risk.KindListPerp, Leverage: 2}
		c.Ref = [4]uint32{0, 1, 1, 0}
		set(&c, 1, "300")
		part := risk.Command{Kind: risk.KindPartTiers, Mode: 1}
		part.Ref[0] = 10
		d.must(c, part, nameRecord("capped"))
		d.price(risk.PriceMark, 1, "100")
		for slot := range uint32(2) {
			d.open(slot, risk.ModeStandard)
			d.must(funds(risk.KindDeposit, slot, 0, "1000000"))
		}
		d.must(d.order(0, 1, "20", "100"))
		d.must(deal(risk.KindFill, 1, 1, "250", "100"))
		change := risk.Command{Kind: risk.KindModify, Flags: risk.FlagOrderID | risk.FlagSecond, OrderLo: d.oid, OrderForm: risk.FormUint}
		set(&change, 0, "150")
		if got := d.try(change)[0].Reason; got != risk.ReasonOpenInterestCap {
			t.Errorf("%d shards: %v, want open_interest_cap", shards, got)
		}
	}
}

// A refused command leaves no row behind.
func TestARefusedSupplyShowsNothing(t *testing.T) {
	d := lendingDesk(t)
	d.open(1, risk.ModeStandard)
	before := len(d.view(1).Balances)
	if got := d.try(funds(risk.KindSupply, 1, 1, "5"))[0].Reason; got != risk.ReasonInsufficientBalance {
		t.Fatalf("supply of nothing: %v", got)
	}
	if after := len(d.view(1).Balances); after != before {
		t.Errorf("%d balance rows after a refusal, want %d", after, before)
	}
}

// Collateral that a deposit brings is capacity at once: the dex is topped up in the same
// command (MODEL.md §8).
func TestADepositOfCollateralFundsTheShortfallAtOnce(t *testing.T) {
	d := lendingDesk(t)
	d.loose = true
	d.price(risk.PriceMark, 0, "100000")
	d.price(risk.PriceTokenOracle, 1, "40")
	d.open(1, risk.ModePortfolio)
	d.must(funds(risk.KindDeposit, 1, 0, "5000"))
	d.must(deal(risk.KindFill, 1, 0, "0.1", "100000"))
	d.must(deal(risk.KindFill, 1, 0, "0.9", "100000")) // 10 000 required, 5 000 there
	d.must(funds(risk.KindDeposit, 1, 1, "1000"))      // 20 000 of capacity
	wants(t, "borrowed", d.balance(1, 0).Borrowed, "5000")
	wants(t, "perp value", d.view(1).Dexes[0].CrossValue, "10000")
}
