package api

import (
	"strconv"

	"plimsoll/fixedpoint"
	"plimsoll/internal/engine"
	"plimsoll/risk"
)

// appendResults writes the answer to a decoded body: one object for one object, else an
// array.
func appendResults(dst []byte, d *Decoder, results []engine.Result) []byte {
	if !d.isBatch {
		return appendResult(dst, d, 0, &results[0])
	}
	dst = append(dst, '[')
	for i := range results {
		dst = appendResult(appendSep(dst), d, i, &results[i])
	}
	return append(dst, ']')
}

// appendResult writes the answer to command i.
func appendResult(dst []byte, d *Decoder, i int, r *engine.Result) []byte {
	dst = strconv.AppendUint(append(dst, `{"seq":`...), r.Seq, 10)
	if r.Reason == risk.ReasonNone {
		dst = append(dst, `,"ok":true,"time":`...)
	} else {
		dst = append(dst, `,"ok":false,"time":`...)
	}
	dst = appendInt(dst, r.TimeMs)
	if r.IsDuplicate {
		dst = append(dst, `,"duplicate":true`...)
	}
	if r.IsConflated {
		dst = append(dst, `,"conflated":true`...)
	}
	if r.HasAmounts {
		dst = fixedpoint.AppendDecimal128(append(dst, `,"required":"`...), r.Required, r.Decimals)
		dst = fixedpoint.AppendDecimal128(append(dst, `","available":"`...), r.Available, r.Decimals)
		dst = append(append(dst, `","rule":"`...), r.Rule.String()...) // a word of ours: no escapes
		dst = append(dst, '"')
	}
	if r.UnknownOrder {
		dst = append(dst, `,"unknown_order":true`...)
	}
	if r.UnknownLiquidation {
		dst = append(dst, `,"unknown_liquidation":true`...)
	}
	if group := d.Group(i); r.Reason != risk.ReasonNone {
		dst = appendRefusal(appendKey(dst, "error"), d, i, r)
	} else if group[0].Kind == risk.KindOpenAccount || group[0].Kind == risk.KindImportAccount {
		dst = appendUintField(dst, "index", uint64(group[0].Account()))
	}
	return append(dst, '}')
}

// appendRefusal writes why the rules refused command i: code, a sentence with the value at
// fault, its field, and the amount that was there.
func appendRefusal(dst []byte, d *Decoder, i int, r *engine.Result) []byte {
	c := &d.Group(i)[0]
	at, text := d.culprit(i, r)
	dst = appendTextField(append(dst, '{'), "code", r.Reason.String())
	dst = append(appendKey(dst, "message"), '"')
	if text != nil {
		dst = appendEscaped(dst, at)
		dst = append(dst, " "...)
		dst = appendEscaped(dst, clipped(text))
		dst = append(dst, ": "...)
	}
	dst = append(dst, reasonText(r.Reason)...)
	switch {
	case r.Rule == risk.RulePriceBand:
		dst = append(dst, ", and within price_band of the last while that is fresh: "...)
		dst = fixedpoint.AppendDecimal128(dst, r.Available, r.Decimals)
		dst = append(dst, " is the nearest taken"...)
	case r.HasAmounts:
		dst = append(dst, ": "...)
		dst = fixedpoint.AppendDecimal128(dst, r.Required, r.Decimals)
		dst = append(dst, " is needed, "...)
		dst = fixedpoint.AppendDecimal128(dst, r.Available, r.Decimals)
		dst = append(dst, " is there"...)
	}
	dst = append(dst, '"')
	if at != "" {
		dst = appendTextField(dst, "field", at)
	}
	switch {
	case r.HasAmounts:
		dst = append(appendKey(dst, "limit"), '"')
		dst = append(fixedpoint.AppendDecimal128(dst, r.Available, r.Decimals), '"')
	case r.Reason == risk.ReasonLimitExceeded && c.Kind == risk.KindOpenAccount:
		dst = appendTextField(dst, "limit", "accounts_max")
	}
	return append(dst, '}')
}

// culprit returns the field that a refusal is about and the text it held, where the body
// was JSON.
func (d *Decoder) culprit(i int, r *engine.Result) (at string, text []byte) {
	c := &d.Group(i)[0]
	switch c.Kind {
	case risk.KindPrices, risk.KindFunding:
		return d.priceCulprit(i, r)
	}
	id := fieldCount
	switch r.Reason {
	case risk.ReasonUnknownAccount, risk.ReasonAccountExists, risk.ReasonAccountHalted,
		risk.ReasonAccountInLiquidation:
		id = fieldAccount
		switch {
		case c.Kind == risk.KindTransfer:
			if id = fieldFrom; c.Account() != risk.NoAccount && c.Other() == risk.NoAccount {
				id = fieldTo
			}
		case c.Kind == risk.KindOpenAccount && r.Reason == risk.ReasonUnknownAccount:
			id = fieldMaster
		case c.Kind == risk.KindSetParameters:
			id = fieldBackstopAccount
		}
	case risk.ReasonDuplicateOrderID, risk.ReasonUnknownOrder:
		id = fieldOrderID
	case risk.ReasonUnknownMarket, risk.ReasonMarketHalted:
		id = fieldMarket
		if c.Kind == risk.KindSetLeverage || c.Kind == risk.KindIsolatedMargin {
			id = fieldPerp
		}
	case risk.ReasonUnknownToken:
		id = fieldToken
		if c.Kind == risk.KindListPerp || c.Kind == risk.KindListDex {
			id = fieldCollateralToken
		}
	case risk.ReasonUnknownDex:
		id = fieldDex
	case risk.ReasonLeverageTooHigh:
		id = fieldLeverage
	default:
		if r.Rule == risk.RuleField {
			id = numberField(c.Kind, int(r.Field))
		}
	}
	if id == fieldCount {
		return "", nil
	}
	return fieldNames[id], d.fieldText(i, id)
}

// fieldText reads the text of a field of command i once more: the answer is refused, so
// the time does not matter.
func (d *Decoder) fieldText(i int, id field) []byte {
	at := int(d.groups[i].offset)
	if at >= len(d.body) || d.body[at] != '{' {
		return nil
	}
	f := &d.frames[0]
	d.object(at, f)
	v := &f.vals[id]
	if d.err != nil || !f.seen.has(id) || v.kind&(kindText|kindNumber) == 0 {
		return nil
	}
	return d.body[v.off:v.end]
}

// priceMaps are the maps of a tick by the kind of price, rates the one of funding.
var priceMaps = [...]field{
	risk.PriceMark: fieldMarks, risk.PriceOracle: fieldOracles, risk.PriceSpot: fieldSpots,
	risk.PriceTokenOracle: fieldTokenOracles,
}

// priceCulprit returns the name at fault in a tick, and its number: the refused number
// counts the prices of a group.
func (d *Decoder) priceCulprit(i int, r *engine.Result) (at string, text []byte) {
	group, n := d.Group(i), int(r.Field)
	if n >= 4*len(group) || n >= 255 {
		return "", nil
	}
	c, k := &group[n/4], n%4
	in := fieldRates
	if c.Kind == risk.KindPrices {
		in = priceMaps[c.PriceKindAt(k)]
	}
	name := d.dir.MarketName(c.Ref[k])
	if in == fieldTokenOracles {
		name = d.dir.TokenName(c.Ref[k])
	}
	for j := range d.fixups {
		x := &d.fixups[j]
		if x.record == d.groups[i].record+uint32(n/4) && x.place == placeRef+fixPlace(k) {
			name = x.name
		}
	}
	return fieldNames[in] + "." + string(name), fixedpoint.AppendDecimal(nil, c.Num[k], c.Dec[k])
}

// numberField returns the field that number i of a kind was read from.
func numberField(kind risk.Kind, i int) field {
	var numbers [4]field
	switch kind {
	case risk.KindListToken:
		return tokenNumbers[min(i, len(tokenNumbers)-1)]
	case risk.KindListPerp:
		numbers = [4]field{fieldFundingCap, fieldOpenInterestCap, fieldMaxPriceAge, fieldPriceBand}
	case risk.KindListSpot:
		numbers = [4]field{fieldCount, fieldCount, fieldMaxPriceAge, fieldPriceBand}
	case risk.KindSetParameters:
		numbers = [4]field{fieldMaxClockStep, fieldMinBorrowOffset, fieldBackstopLimit, fieldCount}
	case risk.KindDeposit, risk.KindWithdraw, risk.KindTransfer, risk.KindSupply, risk.KindUnsupply,
		risk.KindBorrow, risk.KindRepay, risk.KindIsolatedMargin:
		numbers = [4]field{fieldAmount, fieldCount, fieldCount, fieldCount}
	case risk.KindOrder, risk.KindModify, risk.KindTrade, risk.KindFill:
		numbers = [4]field{fieldSize, fieldPrice, fieldFee, fieldCount}
		if kind == risk.KindOrder {
			numbers[2] = fieldTrigger
		}
	case risk.KindClock:
		numbers = [4]field{fieldTime, fieldCount, fieldCount, fieldCount}
	default:
		return fieldCount
	}
	return numbers[i&3]
}

// tokenNumbers are the numbers of a list_token group: the head's, then those of its parts
// from risk.FieldRates and risk.FieldLimits on.
var tokenNumbers = [...]field{
	fieldSupplyCap, fieldBorrowCap, fieldUserSupplyCap, fieldUserBorrowCap,
	fieldLTV, fieldBase, fieldSlope, fieldKink, fieldReserveFactor, fieldTakeoverWidth,
	fieldMaxPriceAge, fieldPriceBand, fieldCount,
}

// reasonText is the sentence of a refusal, without the amounts.
func reasonText(r risk.Reason) string {
	if int(r) < len(reasonTexts) && reasonTexts[r] != "" {
		return reasonTexts[r]
	}
	return "the rules refuse this"
}

var reasonTexts = [...]string{
	risk.ReasonUnknownAccount:          "no such account is open; open_account opens one",
	risk.ReasonAccountExists:           "this account is open already",
	risk.ReasonDuplicateOrderID:        "the account has an order of this id already; choose another",
	risk.ReasonUnknownMarket:           "no such market is listed; see /v1/perps and /v1/spots",
	risk.ReasonUnknownToken:            "no such token is listed; see /v1/tokens",
	risk.ReasonUnknownDex:              "no such dex is listed; list_dex adds one",
	risk.ReasonUnknownOrder:            "no such order is resting for this account",
	risk.ReasonAccountHalted:           "the account is halted: only reductions are accepted until resume",
	risk.ReasonMarketHalted:            "the market is halted: only reductions are accepted until resume",
	risk.ReasonAccountInLiquidation:    "the account is being liquidated",
	risk.ReasonInvalidListing:          "the listing contradicts itself or what is listed already",
	risk.ReasonInvalidTime:             "the time steps back or too far ahead; see max_clock_step",
	risk.ReasonInvalidSize:             "a size is positive and has at most the instrument's sz_decimals",
	risk.ReasonInvalidPrice:            "a price is positive and has at most 6 (spots: 8) - sz_decimals decimals",
	risk.ReasonInvalidAmount:           "an amount is in range and has at most its token's wei_decimals",
	risk.ReasonPriceMissing:            "a price this needs has not been given yet; send prices first",
	risk.ReasonPriceStale:              "a price this needs is older than its max_price_age; send prices first",
	risk.ReasonLeverageTooHigh:         "the leverage is 0 or above what the margin tier allows",
	risk.ReasonMarginModeNotAllowed:    "the perp or the open position does not allow this margin mode",
	risk.ReasonReduceOnlyWouldIncrease: "a reduce-only order must be against the position and no larger",
	risk.ReasonTierLimit:               "the position would pass its margin tier; lower leverage or size",
	risk.ReasonOpenInterestCap:         "the open interest of this perp is at its cap",
	risk.ReasonInsufficientBalance:     "the balance is too small",
	risk.ReasonInsufficientMargin:      "the margin is too small",
	risk.ReasonUserSupplyCap:           "the account's supply cap of this token is reached",
	risk.ReasonUserBorrowCap:           "the account's borrow cap of this token is reached",
	risk.ReasonSupplyCap:               "the pool's supply cap is reached",
	risk.ReasonBorrowCap:               "the pool's borrow cap is reached",
	risk.ReasonPoolIlliquid:            "the pool has not enough cash",
	risk.ReasonModeChangeBlocked:       "the mode changes only without open positions, orders and debt",
	risk.ReasonLimitExceeded:           "a named limit is passed; see the limits table of the documentation",
	risk.ReasonArithmeticOverflow:      "the figures would leave the range of the engine's numbers",
}
