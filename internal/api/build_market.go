package api

import (
	"plimsoll/fixedpoint"
	"plimsoll/risk"
)

// Builders of feeds and listings.

// priceNames remembers which names of one map have been seen: slots by the number of the
// command that named them last, and names without a slot one by one.
type priceNames struct {
	stamp   uint32
	slots   [2 * risk.PerpsMax]uint32 // perps or tokens, then spots
	unknown [][]byte
}

var (
	_ = [1]struct{}{}[risk.PerpsMax-risk.SpotsMax]
	_ = [1]struct{}{}[risk.PerpsMax-risk.TokensMax]
)

// isRepeat notes a name and reports whether the map had it already.
func (p *priceNames) isRepeat(name []byte, slot uint32, ok bool) bool {
	if ok {
		if slot&risk.SpotBit != 0 {
			slot = slot&^risk.SpotBit + risk.PerpsMax
		}
		if p.slots[slot] == p.stamp {
			return true
		}
		p.slots[slot] = p.stamp
		return false
	}
	for _, seen := range p.unknown {
		if string(seen) == string(name) {
			return true
		}
	}
	p.unknown = append(p.unknown, name)
	return false
}

func (d *Decoder) buildPrices(f *frame) {
	d.priceMap(f, fieldMarks, namePerp, risk.PriceMark)
	d.priceMap(f, fieldOracles, nameMarket, risk.PriceOracle)
	d.priceMap(f, fieldSpots, nameSpot, risk.PriceSpot)
	d.priceMap(f, fieldTokenOracles, nameToken, risk.PriceTokenOracle)
	if f.seen.minus(maskOf(fieldType, fieldID, fieldTime)).isEmpty() {
		d.fail(codeMissingField, fieldNames[fieldMarks], "prices takes marks, oracles, spots or token_oracles", "")
	}
}

func (d *Decoder) buildFunding(f *frame) {
	d.priceMap(f, fieldRates, namePerp, risk.PriceMark)
}

// priceMap reads one map of names to decimal strings into slots of the records at the
// end of the group, four to a record.
func (d *Decoder) priceMap(f *frame, id field, kind nameKind, price risk.PriceKind) {
	if d.err != nil || !f.seen.has(id) {
		return
	}
	v, ok := d.take(f, id, kindObject)
	if !ok {
		return
	}
	d.push(step{name: fieldNames[id], index: -1})
	d.prices.stamp++
	d.prices.unknown = d.prices.unknown[:0]
	b := d.body
	i := skipSpace(b, int(v.off)+1)
	isEmpty := b[i] == '}'
	for n := 0; !isEmpty; n++ {
		if n == priceNamesMax {
			d.fail(codeLimitExceeded, "", "one map takes at most 1024 names", limitNames)
		}
		if i = skipSpace(b, d.priceEntry(i, kind, price)); d.err != nil {
			return
		}
		if i < len(b) && b[i] == '}' {
			break
		}
		if i >= len(b) || b[i] != ',' {
			d.failAt(i, "a comma or } must follow a price")
			return
		}
		i = skipSpace(b, i+1)
	}
	d.pop()
}

// priceEntry reads one name and its number and returns the position after it.
func (d *Decoder) priceEntry(i int, kind nameKind, price risk.PriceKind) (end int) {
	name, at, isEscaped := d.keyText(i)
	if isEscaped && d.err == nil {
		name = d.unescaped(name)
	}
	if d.err != nil {
		return i
	}
	var v value
	if end = d.value(at, &v, fieldCount); d.err != nil {
		return end
	}
	c := d.top()
	if c.Mode == 4 {
		c = d.add(c.Kind)
	}
	k := int(c.Mode)
	c.SetPrice(k, price, 0, 0, 0)
	if !d.priceNumber(name, &v, c, k) {
		return end
	}
	slot, ok := d.dir.lookup(kind, name)
	if d.prices.isRepeat(name, slot, ok) {
		d.fail(codeDuplicateField, clipped(name), quoted(name)+" stands twice in one map", "")
		return end
	}
	if !ok {
		d.checkName(name, "")
		slot = risk.NoSlot
		d.fixups = append(d.fixups, fixup{
			name: name, record: uint32(len(d.records) - 1), kind: kind, place: placeRef + fixPlace(k),
		})
	}
	c.Ref[k] = slot
	return end
}

// priceNumber reads the decimal string of a name in a map.
func (d *Decoder) priceNumber(name []byte, v *value, c *risk.Command, k int) bool {
	text := d.body[v.off:v.end]
	if v.kind&kindText == 0 {
		d.fail(codeWrongType, clipped(name), clipped(name)+" takes a string, not "+kindName(v.kind), "")
		return false
	}
	dec, err := fixedpoint.ParseDecimal(text)
	if err != nil {
		d.failNumber(clipped(name), text, err)
		return false
	}
	c.Num[k], c.Dec[k] = dec.Mantissa, dec.Decimals
	return true
}

var (
	rateFields = maskOf(fieldBase, fieldSlope, fieldKink, fieldReserveFactor)
	tierFields = maskOf(fieldLowerBound, fieldMaxLeverage)
)

func (d *Decoder) buildListToken(f *frame) {
	c := d.top()
	token := d.name(f, fieldToken)
	d.list(token, nameToken, placeToken)
	d.index(f, c)
	c.Mode = uint8(d.integer(f, fieldWeiDecimals, 255))
	c.Leverage = risk.SzDecimalsKept
	if f.seen.has(fieldSzDecimals) {
		c.Leverage = uint16(d.integer(f, fieldSzDecimals, 255))
	}
	d.flag(f, fieldBorrowable, c, risk.FlagBorrowable)
	for i, id := range [4]field{fieldSupplyCap, fieldBorrowCap, fieldUserSupplyCap, fieldUserBorrowCap} {
		d.num(f, id, c, i)
	}
	c.Ref[risk.RefMarket] = risk.NoSlot
	if f.seen.has(fieldOraclePerp) { // it may be listed later: the name takes its slot now
		d.list(d.name(f, fieldOraclePerp), namePerp, placeMarket)
	}
	if f.seen.has(fieldTokenID) {
		if c.Aux = d.tokenID(f); d.err != nil {
			return
		}
	}
	d.rates(f)
	d.namePart(token)
	if f.seen.has(fieldFullName) {
		part := d.add(risk.KindPartName)
		d.fullName(f, part)
		part.Mode = 1
	}
}

// rates adds the parts that hold the rate model, the weight and the takeover width.
func (d *Decoder) rates(f *frame) {
	rates := d.add(risk.KindPartRates)
	d.num(f, fieldLTV, rates, 0)
	r := &d.frames[1]
	if !d.nested(f, fieldRate, r, &rateFields, &rateFields) {
		return
	}
	d.num(r, fieldBase, rates, 1)
	d.num(r, fieldSlope, rates, 2)
	d.num(r, fieldKink, rates, 3)
	limits := d.add(risk.KindPartLimits)
	d.num(r, fieldReserveFactor, limits, 0)
	d.pop()
	d.optional(f, fieldTakeoverWidth, limits, 1, risk.FlagSecond)
	d.guard(f, limits)
}

// tokenID reads the venue's 128-bit token id; its low half is what is kept.
func (d *Decoder) tokenID(f *frame) uint64 {
	_, lo, form := d.id(f, fieldTokenID)
	if form != risk.FormHex {
		d.fail(codeInvalidID, fieldNames[fieldTokenID], "token_id is 0x and 32 hex digits in lower case", "")
	}
	return lo
}

func (d *Decoder) index(f *frame, c *risk.Command) {
	c.Ref[risk.RefOther] = uint32(d.integer(f, fieldIndex, 1<<32-2))
}

// namePart adds the part that carries the name of a listing.
func (d *Decoder) namePart(name []byte) {
	if d.err == nil {
		part := d.add(risk.KindPartName)
		part.SetName(name)
	}
}

func (d *Decoder) buildListDex(f *frame) {
	c := d.top()
	name := d.dexName(f)
	d.list(name, nameDex, placeMarket)
	d.index(f, c)
	d.ref(f, fieldCollateralToken, nameToken, placeToken, risk.NoSlot)
	d.namePart(name)
}

// dexName reads the name of a dex; the empty one is the main dex.
func (d *Decoder) dexName(f *frame) []byte {
	name := d.str(f, fieldDex)
	if d.err == nil && len(name) > 0 {
		d.checkName(name, fieldNames[fieldDex])
	}
	return name
}

func (d *Decoder) buildListPerp(f *frame) {
	c := d.top()
	name := d.name(f, fieldPerp)
	d.list(name, namePerp, placeMarket)
	d.index(f, c)
	d.ref(f, fieldCollateralToken, nameToken, placeToken, risk.NoSlot)
	if dex := d.dexName(f); d.err == nil {
		d.refer(dex, fieldNames[fieldDex], nameDex, placeDex, noDex)
	}
	c.Leverage = uint16(d.integer(f, fieldSzDecimals, 255))
	c.Mode = uint8(d.word(f, fieldMarginMode, "normal", "no_cross", "strict_isolated"))
	d.optional(f, fieldFundingCap, c, 0, risk.FlagSecond)
	d.optional(f, fieldOpenInterestCap, c, 1, risk.FlagThird)
	d.guard(f, c)
	d.each(f, fieldTiers, &element{required: tierFields, allowed: tierFields, build: (*Decoder).tier})
	if d.err == nil && d.top().Kind != risk.KindPartTiers {
		d.fail(codeInvalidValue, fieldNames[fieldTiers], "a perp has at least one tier", "")
	}
	d.namePart(name)
}

// guard reads how old the prices of a listing may be, and how far from the last one.
func (d *Decoder) guard(f *frame, c *risk.Command) {
	if f.seen.has(fieldMaxPriceAge) {
		c.Num[2] = d.integer(f, fieldMaxPriceAge, timeMsMax)
	}
	if f.seen.has(fieldPriceBand) {
		d.num(f, fieldPriceBand, c, 3)
	}
}

// tier adds tier n to the parts at the end of the group, four to a part.
func (d *Decoder) tier(f *frame, n int) {
	if n == risk.TiersMax {
		d.fail(codeLimitExceeded, "", "a perp has at most 8 tiers", limitTiers)
		return
	}
	c := d.top()
	if n%4 == 0 {
		c = d.add(risk.KindPartTiers)
	}
	d.num(f, fieldLowerBound, c, n%4)
	c.Ref[n%4] = uint32(d.integer(f, fieldMaxLeverage, 1<<16-1))
	c.Mode = uint8(n%4) + 1
}

func (d *Decoder) buildListSpot(f *frame) {
	c := d.top()
	name := d.name(f, fieldSpot)
	d.list(name, nameSpot, placeMarket)
	d.index(f, c)
	d.ref(f, fieldBase, nameToken, placeToken, risk.NoSlot)
	d.ref(f, fieldQuote, nameToken, placeAccount, risk.NoSlot)
	d.guard(f, c)
	d.namePart(name)
}

func (d *Decoder) buildSetParameters(f *frame) {
	c := d.top()
	if f.seen.has(fieldOffsetMode) {
		c.Mode = uint8(d.word(f, fieldOffsetMode, "none", "add", "floor"))
		c.Aux |= risk.ParamOffsetMode
	}
	if f.seen.has(fieldOrderMarginBasis) {
		c.Aux |= risk.ParamOrderMarginBasis
		if d.word(f, fieldOrderMarginBasis, "remaining", "original") == 1 {
			c.Aux |= risk.ParamOriginalSize
		}
	}
	if f.seen.has(fieldHLCompat) {
		c.Aux |= risk.ParamHLCompat
		if d.boolean(f, fieldHLCompat) {
			c.Aux |= risk.ParamHLCompatValue
		}
	}
	if f.seen.has(fieldRebalanceHourly) {
		c.Aux |= risk.ParamRebalanceHourly
		if d.boolean(f, fieldRebalanceHourly) {
			c.Aux |= risk.ParamHourlyValue
		}
	}
	if f.seen.has(fieldMaxClockStep) {
		c.Aux |= risk.ParamMaxClockStep
		c.Num[0] = d.integer(f, fieldMaxClockStep, timeMsMax)
	}
	if f.seen.has(fieldMinBorrowOffset) {
		c.Aux |= risk.ParamMinBorrowOffset
		d.num(f, fieldMinBorrowOffset, c, 1)
	}
	d.backstop(f, c)
	if d.err == nil && c.Aux == 0 {
		d.fail(codeMissingField, fieldNames[fieldOffsetMode], "set_parameters takes at least one parameter", "")
	}
}

// backstop reads what concerns liquidation and the liquidator. A liquidator that is named sells what
// it takes over, and on other dexes takes only perps that allow cross margin, unless the command
// says otherwise: the machine's own default, for journals of before there were these, is neither.
func (d *Decoder) backstop(f *frame, c *risk.Command) {
	d.switched(f, fieldLiquidation, c, risk.ParamLiquidation, risk.ParamLiquidationValue)
	d.backstopAccount(f, c)
	if f.seen.has(fieldBackstopAccount) && f.vals[fieldBackstopAccount].kind != kindNull {
		c.Aux |= risk.ParamBackstopTWAP | risk.ParamTWAPValue | risk.ParamBackstopCross | risk.ParamCrossValue
	}
	d.switched(f, fieldBackstopTWAP, c, risk.ParamBackstopTWAP, risk.ParamTWAPValue)
	d.switched(f, fieldBackstopCrossOnly, c, risk.ParamBackstopCross, risk.ParamCrossValue)
	if f.seen.has(fieldBackstopLimit) {
		c.Aux |= risk.ParamBackstopLimit
		d.num(f, fieldBackstopLimit, c, 2)
	}
}

// switched reads a parameter that is on or off into two bits of a record: whether it is given, and
// whether it is on.
func (d *Decoder) switched(f *frame, id field, c *risk.Command, given, on uint64) {
	if !f.seen.has(id) {
		return
	}
	c.Aux = c.Aux&^on | given
	if d.boolean(f, id) {
		c.Aux |= on
	}
}

// backstopAccount reads the account that takes over what the market does not; null is none.
func (d *Decoder) backstopAccount(f *frame, c *risk.Command) {
	if !f.seen.has(fieldBackstopAccount) {
		return
	}
	c.Aux |= risk.ParamBackstopAccount
	if f.vals[fieldBackstopAccount].kind == kindNull {
		c.Ref[risk.RefAccount] = risk.NoAccount
		return
	}
	d.ref(f, fieldBackstopAccount, nameAccount, placeAccount, unknownSlot)
}
