package api

import "plimsoll/risk"

// spec is one row of the commands table of the HTTP contract.
type spec struct {
	name              string
	kind              risk.Kind
	required, allowed mask // allowed includes required and what every command may carry
	build             func(d *Decoder, f *frame)

	flat     *flatOps // how it is read in one pass, or nil
	flatHead string   // how it then starts
}

func row(name string, kind risk.Kind, build func(*Decoder, *frame), required, optional []field) spec {
	need := maskOf(required...)
	return spec{
		name: name, kind: kind, build: build, required: need,
		allowed: need.or(maskOf(optional...)).or(maskOf(fieldType, fieldID, fieldTime)),
		flat:    flatOf(kind), flatHead: `{"type":"` + name + `"`,
	}
}

type fields = []field

// specs lists every command; order and fill come first because most commands are those.
var specs = [...]spec{
	row("order", risk.KindOrder, (*Decoder).buildOrder,
		fields{fieldAccount, fieldMarket, fieldSide, fieldSize, fieldPrice, fieldOrderID},
		fields{fieldReduceOnly, fieldTrigger}),
	row("fill", risk.KindFill, (*Decoder).buildFill,
		fields{fieldAccount, fieldMarket, fieldSide, fieldSize, fieldPrice},
		fields{fieldFee, fieldFeeToken, fieldOrderID, fieldLiquidation}),
	row("trade", risk.KindTrade, (*Decoder).buildTrade,
		fields{fieldMarket, fieldSize, fieldPrice, fieldBuyer, fieldSeller}, nil),
	row("cancel", risk.KindCancel, (*Decoder).buildOrderRef, fields{fieldAccount, fieldOrderID}, nil),
	row("cancel_all", risk.KindCancelAll, (*Decoder).buildCancelAll,
		fields{fieldAccount}, fields{fieldMarket}),
	row("trigger", risk.KindTrigger, (*Decoder).buildOrderRef, fields{fieldAccount, fieldOrderID}, nil),
	row("modify", risk.KindModify, (*Decoder).buildModify,
		fields{fieldAccount, fieldOrderID}, fields{fieldSize, fieldPrice}),
	row("prices", risk.KindPrices, (*Decoder).buildPrices,
		nil, fields{fieldMarks, fieldOracles, fieldSpots, fieldTokenOracles}),
	row("funding", risk.KindFunding, (*Decoder).buildFunding, fields{fieldRates}, nil),
	row("clock", risk.KindClock, (*Decoder).buildNothing, fields{fieldTime}, nil),
	row("recheck", risk.KindRecheck, (*Decoder).buildRecheck, fields{fieldAccount}, nil),
	row("halt", risk.KindHalt, (*Decoder).buildHalt, nil, fields{fieldAccount, fieldMarket, fieldAll}),
	row("resume", risk.KindResume, (*Decoder).buildHalt, nil, fields{fieldAccount, fieldMarket, fieldAll}),
	row("open_account", risk.KindOpenAccount, (*Decoder).buildOpenAccount,
		fields{fieldAccount, fieldMode}, fields{fieldMaster}),
	row("import_account", risk.KindImportAccount, (*Decoder).buildImportAccount,
		fields{fieldAccount, fieldMode, fieldBalances, fieldPositions, fieldOrders},
		fields{fieldDexes, fieldMaster}),
	row("set_mode", risk.KindSetMode, (*Decoder).buildSetMode, fields{fieldAccount, fieldMode}, nil),
	row("deposit", risk.KindDeposit, (*Decoder).buildFunds,
		fields{fieldAccount, fieldToken, fieldAmount}, fields{fieldWallet}),
	row("withdraw", risk.KindWithdraw, (*Decoder).buildFunds,
		fields{fieldAccount, fieldToken, fieldAmount}, fields{fieldWallet}),
	row("transfer", risk.KindTransfer, (*Decoder).buildTransfer,
		fields{fieldFrom, fieldTo, fieldToken, fieldAmount}, fields{fieldFromWallet, fieldToWallet}),
	row("supply", risk.KindSupply, (*Decoder).buildLending, fields{fieldAccount, fieldToken, fieldAmount}, nil),
	row("unsupply", risk.KindUnsupply, (*Decoder).buildLending, fields{fieldAccount, fieldToken, fieldAmount}, nil),
	row("borrow", risk.KindBorrow, (*Decoder).buildLending, fields{fieldAccount, fieldToken, fieldAmount}, nil),
	row("repay", risk.KindRepay, (*Decoder).buildLending, fields{fieldAccount, fieldToken, fieldAmount}, nil),
	row("set_leverage", risk.KindSetLeverage, (*Decoder).buildSetLeverage,
		fields{fieldAccount, fieldPerp, fieldLeverage, fieldMargin}, nil),
	row("isolated_margin", risk.KindIsolatedMargin, (*Decoder).buildIsolatedMargin,
		fields{fieldAccount, fieldPerp, fieldAmount}, nil),
	row("list_token", risk.KindListToken, (*Decoder).buildListToken,
		fields{
			fieldToken, fieldIndex, fieldWeiDecimals, fieldLTV, fieldBorrowable, fieldSupplyCap,
			fieldBorrowCap, fieldUserSupplyCap, fieldUserBorrowCap, fieldRate,
		},
		fields{fieldSzDecimals, fieldTakeoverWidth, fieldFullName, fieldTokenID, fieldOraclePerp, fieldMaxPriceAge, fieldPriceBand}),
	row("list_perp", risk.KindListPerp, (*Decoder).buildListPerp,
		fields{fieldPerp, fieldIndex, fieldDex, fieldSzDecimals, fieldCollateralToken, fieldTiers, fieldMarginMode},
		fields{fieldFundingCap, fieldOpenInterestCap, fieldMaxPriceAge, fieldPriceBand}),
	row("list_dex", risk.KindListDex, (*Decoder).buildListDex,
		fields{fieldDex, fieldIndex, fieldCollateralToken}, nil),
	row("list_spot", risk.KindListSpot, (*Decoder).buildListSpot,
		fields{fieldSpot, fieldIndex, fieldBase, fieldQuote}, fields{fieldMaxPriceAge, fieldPriceBand}),
	row("set_parameters", risk.KindSetParameters, (*Decoder).buildSetParameters, nil,
		fields{
			fieldOffsetMode, fieldOrderMarginBasis, fieldHLCompat, fieldRebalanceHourly, fieldMaxClockStep,
			fieldMinBorrowOffset, fieldLiquidation, fieldBackstopAccount, fieldBackstopTWAP, fieldBackstopCrossOnly, fieldBackstopLimit,
		}),
}

var typeTable = func() *wordTable {
	names := make([]string, len(specs))
	for i := range specs {
		names[i] = specs[i].name
	}
	return newWordTable(names)
}()
