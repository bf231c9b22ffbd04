package api

import "plimsoll/risk"

// Builders of commands about one account: each fills the head that was just added.

func (d *Decoder) top() *risk.Command { return &d.records[len(d.records)-1] }

// buildOrder reads an order. Of all builders it is the one that must not allocate.
func (d *Decoder) buildOrder(f *frame) {
	c := d.top()
	d.ref(f, fieldAccount, nameAccount, placeAccount, risk.NoAccount)
	d.ref(f, fieldMarket, nameMarket, placeMarket, risk.NoSlot)
	d.side(f, c)
	d.num(f, fieldSize, c, 0)
	d.num(f, fieldPrice, c, 1)
	d.orderID(f, c)
	d.flag(f, fieldReduceOnly, c, risk.FlagReduceOnly)
	d.trigger(f, c)
}

func (d *Decoder) side(f *frame, c *risk.Command) {
	switch string(d.str(f, fieldSide)) {
	case "buy":
	case "sell":
		c.Flags |= risk.FlagSell
	default:
		d.word(f, fieldSide, "buy", "sell") // says what is wrong
	}
}

var triggerFields = maskOf(fieldPrice, fieldIsMarket, fieldTpsl)

// trigger reads the trigger of an order, if it has one.
func (d *Decoder) trigger(f *frame, c *risk.Command) {
	if !f.seen.has(fieldTrigger) {
		return
	}
	t := &d.frames[2]
	if d.nested(f, fieldTrigger, t, &triggerFields, &triggerFields) {
		d.triggerOf(t, c)
		d.pop()
	}
}

// triggerOf reads the fields of a trigger.
func (d *Decoder) triggerOf(t *frame, c *risk.Command) {
	c.Flags |= risk.FlagTrigger
	d.num(t, fieldPrice, c, 2)
	d.flag(t, fieldIsMarket, c, risk.FlagTriggerMarket)
	if d.word(t, fieldTpsl, "sl", "tp") == 1 {
		c.Flags |= risk.FlagTakeProfit
	}
}

func (d *Decoder) buildOrderRef(f *frame) {
	c := d.top()
	d.ref(f, fieldAccount, nameAccount, placeAccount, risk.NoAccount)
	d.orderID(f, c)
}

func (d *Decoder) buildModify(f *frame) {
	d.buildOrderRef(f)
	c := d.top()
	if !f.seen.has(fieldSize) && !f.seen.has(fieldPrice) {
		d.fail(codeMissingField, fieldNames[fieldSize], "modify takes a new size, a new price, or both", "")
	}
	d.optional(f, fieldSize, c, 0, risk.FlagSecond)
	d.optional(f, fieldPrice, c, 1, risk.FlagThird)
}

func (d *Decoder) buildCancelAll(f *frame) {
	d.ref(f, fieldAccount, nameAccount, placeAccount, risk.NoAccount)
	d.optionalMarket(f)
}

// buildRecheck reads a recheck, which changes nothing of an account that is right.
func (d *Decoder) buildRecheck(f *frame) {
	d.ref(f, fieldAccount, nameAccount, placeAccount, risk.NoAccount)
}

func (d *Decoder) optionalMarket(f *frame) {
	if f.seen.has(fieldMarket) {
		d.ref(f, fieldMarket, nameMarket, placeMarket, risk.NoSlot)
		d.top().Flags |= risk.FlagMarket
	}
}

var liquidationFields = maskOf(fieldID, fieldMethod)

func (d *Decoder) buildFill(f *frame) {
	c := d.top()
	d.ref(f, fieldAccount, nameAccount, placeAccount, risk.NoAccount)
	d.ref(f, fieldMarket, nameMarket, placeMarket, risk.NoSlot)
	d.side(f, c)
	d.num(f, fieldSize, c, 0)
	d.num(f, fieldPrice, c, 1)
	d.optional(f, fieldFee, c, 2, risk.FlagFee)
	d.orderID(f, c)
	c.Ref[risk.RefToken] = risk.NoSlot
	if f.seen.has(fieldFeeToken) {
		d.ref(f, fieldFeeToken, nameToken, placeToken, unknownSlot)
	}
	d.liquidation(f, &d.frames[1], c)
}

// liquidation reads which liquidation a fill or a side of a trade is of.
func (d *Decoder) liquidation(f, l *frame, c *risk.Command) {
	if !f.seen.has(fieldLiquidation) {
		return
	}
	if d.nested(f, fieldLiquidation, l, &liquidationFields, &liquidationFields) {
		c.Flags |= risk.FlagLiquidation
		c.Aux = d.liquidationID(l)
		if d.word(l, fieldMethod, "market", "backstop") == 1 {
			c.Flags |= risk.FlagBackstop
		}
		d.pop()
	}
}

// liquidationID reads the id that liquidation events carry: an integer, or its digits.
func (d *Decoder) liquidationID(f *frame) uint64 {
	if f.vals[fieldID].kind == kindNumber {
		return uint64(d.integer(f, fieldID, 1<<63-1))
	}
	_, lo, form := d.id(f, fieldID)
	if form != risk.FormUint {
		d.fail(codeInvalidID, fieldNames[fieldID], "a liquidation id is an integer below 2^64", "")
	}
	return lo
}

var (
	partyRequired = maskOf(fieldAccount)
	partyAllowed  = maskOf(fieldAccount, fieldOrderID, fieldFee, fieldLiquidation)
)

func (d *Decoder) buildTrade(f *frame) {
	c := d.top()
	d.ref(f, fieldMarket, nameMarket, placeMarket, risk.NoSlot)
	d.num(f, fieldSize, c, 0)
	d.num(f, fieldPrice, c, 1)
	d.party(f, fieldBuyer, c, 2)
	d.party(f, fieldSeller, d.add(risk.KindPartSeller), 0)
}

// party reads one side of a trade; its fee goes to number i.
func (d *Decoder) party(f *frame, id field, c *risk.Command, i int) {
	p := &d.frames[1]
	if !d.nested(f, id, p, &partyRequired, &partyAllowed) {
		return
	}
	d.ref(p, fieldAccount, nameAccount, placeAccount, risk.NoAccount)
	d.orderID(p, c)
	d.optional(p, fieldFee, c, i, risk.FlagFee)
	d.liquidation(p, &d.frames[2], c)
	d.pop()
}

func (d *Decoder) buildOpenAccount(f *frame) {
	c := d.top()
	name := d.accountName(f, fieldAccount)
	c.SetName(name)
	d.list(name, nameAccount, placeAccount)
	d.mode(f, c)
	c.Ref[risk.RefOther] = risk.NoAccount
	if f.seen.has(fieldMaster) {
		d.ref(f, fieldMaster, nameAccount, placeOther, unknownSlot)
	}
}

func (d *Decoder) mode(f *frame, c *risk.Command) {
	c.Mode = uint8(risk.ModeStandard) + uint8(d.word(f, fieldMode, "standard", "unified", "portfolio"))
}

func (d *Decoder) buildSetMode(f *frame) {
	d.ref(f, fieldAccount, nameAccount, placeAccount, risk.NoAccount)
	d.mode(f, d.top())
}

// buildFunds reads a deposit or a withdrawal.
func (d *Decoder) buildFunds(f *frame) {
	d.ref(f, fieldAccount, nameAccount, placeAccount, risk.NoAccount)
	d.ref(f, fieldToken, nameToken, placeToken, risk.NoSlot)
	d.num(f, fieldAmount, d.top(), 0)
	d.wallet(f, fieldWallet, placeWallet)
}

func (d *Decoder) buildTransfer(f *frame) {
	d.ref(f, fieldFrom, nameAccount, placeAccount, risk.NoAccount)
	d.ref(f, fieldTo, nameAccount, placeOther, risk.NoAccount)
	d.ref(f, fieldToken, nameToken, placeToken, risk.NoSlot)
	d.num(f, fieldAmount, d.top(), 0)
	d.wallet(f, fieldFromWallet, placeWallet)
	d.wallet(f, fieldToWallet, placeWallet+1)
}

// wallet reads spot, perp or perp:DEX.
func (d *Decoder) wallet(f *frame, id field, place fixPlace) {
	if !f.seen.has(id) {
		return
	}
	text := d.str(f, id)
	const prefix = "perp:"
	switch {
	case d.err != nil:
	case string(text) == "spot":
		d.top().Wallets[place-placeWallet] = uint16(risk.WalletSpot)
	case string(text) == "perp":
		d.top().Wallets[place-placeWallet] = uint16(risk.WalletPerp)
	case len(text) > len(prefix) && string(text[:len(prefix)]) == prefix:
		d.refer(text[len(prefix):], fieldNames[id], nameDex, place, noDex)
	default:
		d.fail(codeInvalidValue, fieldNames[id], fieldNames[id]+" is spot, perp or perp:DEX, not "+quoted(text), "")
	}
}

// buildLending reads an explicit supply, unsupply, borrow or repay.
func (d *Decoder) buildLending(f *frame) {
	c := d.top()
	d.ref(f, fieldAccount, nameAccount, placeAccount, risk.NoAccount)
	d.ref(f, fieldToken, nameToken, placeToken, risk.NoSlot)
	if v := &f.vals[fieldAmount]; v.kind == kindString && string(d.body[v.off:v.end]) == "all" {
		c.Flags |= risk.FlagAll
		return
	}
	d.num(f, fieldAmount, c, 0)
}

func (d *Decoder) buildSetLeverage(f *frame) {
	c := d.top()
	d.ref(f, fieldAccount, nameAccount, placeAccount, risk.NoAccount)
	d.ref(f, fieldPerp, namePerp, placeMarket, risk.NoSlot)
	d.leverage(f, c)
}

// leverage reads leverage and margin.
func (d *Decoder) leverage(f *frame, c *risk.Command) {
	c.Leverage = uint16(d.integer(f, fieldLeverage, 1<<16-1))
	if d.word(f, fieldMargin, "cross", "isolated") == 1 {
		c.Flags |= risk.FlagIsolated
	}
}

func (d *Decoder) buildIsolatedMargin(f *frame) {
	d.ref(f, fieldAccount, nameAccount, placeAccount, risk.NoAccount)
	d.ref(f, fieldPerp, namePerp, placeMarket, risk.NoSlot)
	d.num(f, fieldAmount, d.top(), 0)
}

func (d *Decoder) buildHalt(f *frame) {
	given := 0
	if f.seen.has(fieldAccount) {
		d.ref(f, fieldAccount, nameAccount, placeAccount, risk.NoAccount)
		d.top().Flags |= risk.FlagAccount
		given++
	}
	if f.seen.has(fieldMarket) {
		d.optionalMarket(f)
		given++
	}
	if f.seen.has(fieldAll) {
		if !d.boolean(f, fieldAll) {
			d.fail(codeInvalidValue, fieldNames[fieldAll], "all is true, or left out", "")
		}
		d.top().Flags |= risk.FlagAll
		given++
	}
	if given != 1 {
		d.fail(codeMissingField, fieldNames[fieldAccount], "exactly one of account, market and all is needed", "")
	}
}

func (d *Decoder) buildNothing(*frame) {}
