package api

import "plimsoll/risk"

// Builders of import_account: the head opens the account, each element of its arrays
// becomes one part.

var (
	importBalance = element{
		required: maskOf(fieldToken, fieldTotal),
		allowed:  maskOf(fieldToken, fieldTotal, fieldSupplied, fieldBorrowed, fieldBasis, fieldEntryNtl),
		build:    (*Decoder).importBalance,
	}
	importDex = element{
		required: maskOf(fieldDex, fieldRawUsd),
		allowed:  maskOf(fieldDex, fieldRawUsd),
		build:    (*Decoder).importDex,
	}
	importPosition = element{
		required: maskOf(fieldPerp, fieldSize, fieldEntryNotional, fieldLeverage, fieldMargin),
		allowed: maskOf(fieldPerp, fieldSize, fieldEntryNotional, fieldLeverage, fieldMargin, fieldRawUsd,
			fieldCumFunding),
		build: (*Decoder).importPosition,
	}
	importOrder = element{
		required: maskOf(fieldOrderID, fieldMarket, fieldSide, fieldPrice, fieldSize),
		allowed: maskOf(fieldOrderID, fieldMarket, fieldSide, fieldPrice, fieldSize, fieldOrigSize,
			fieldReduceOnly, fieldTrigger),
		build: (*Decoder).importOrder,
	}
)

func (d *Decoder) buildImportAccount(f *frame) {
	d.buildOpenAccount(f)
	d.each(f, fieldBalances, &importBalance)
	if f.seen.has(fieldDexes) {
		d.each(f, fieldDexes, &importDex)
	}
	d.each(f, fieldPositions, &importPosition)
	d.each(f, fieldOrders, &importOrder)
}

func (d *Decoder) importBalance(f *frame, _ int) {
	c := d.add(risk.KindPartBalance)
	d.ref(f, fieldToken, nameToken, placeToken, risk.NoSlot)
	d.num(f, fieldTotal, c, 0)
	d.optional(f, fieldSupplied, c, 1, 0)
	d.optional(f, fieldBorrowed, c, 2, 0)
	d.optional(f, fieldEntryNtl, c, 3, 0)
	if f.seen.has(fieldBasis) { // the principal is not kept apart: it must be a number, no more
		var scratch risk.Command
		d.num(f, fieldBasis, &scratch, 0)
		c.Flags |= risk.FlagSecond
	}
}

func (d *Decoder) importDex(f *frame, _ int) {
	c := d.add(risk.KindPartWallet)
	if dex := d.dexName(f); d.err == nil {
		d.refer(dex, fieldNames[fieldDex], nameDex, placeMarket, risk.NoSlot)
	}
	d.num(f, fieldRawUsd, c, 0)
}

func (d *Decoder) importPosition(f *frame, _ int) {
	c := d.add(risk.KindPartPosition)
	d.ref(f, fieldPerp, namePerp, placeMarket, risk.NoSlot)
	d.leverage(f, c)
	d.num(f, fieldSize, c, 0)
	d.num(f, fieldEntryNotional, c, 1)
	d.optional(f, fieldRawUsd, c, 2, 0)
	d.optional(f, fieldCumFunding, c, 3, 0)
}

func (d *Decoder) importOrder(f *frame, _ int) {
	c := d.add(risk.KindPartOrder)
	d.ref(f, fieldMarket, nameMarket, placeMarket, risk.NoSlot)
	d.side(f, c)
	d.num(f, fieldSize, c, 0)
	d.num(f, fieldPrice, c, 1)
	d.optional(f, fieldOrigSize, c, 3, risk.FlagSecond)
	d.orderID(f, c)
	d.flag(f, fieldReduceOnly, c, risk.FlagReduceOnly)
	d.trigger(f, c)
}
