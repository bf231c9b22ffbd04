package api

import (
	"strconv"

	"plimsoll/risk"
)

// appendEvent writes one line of GET /v1/events, without its line break. Its bytes follow
// from the event and the names alone: a replay writes the same.
func appendEvent(dst []byte, e *risk.Event, dir *Directory) []byte {
	dst = appendUintField(append(dst, '{'), "seq", e.Seq)
	dst = appendUintField(dst, "n", uint64(e.N))
	dst = appendTextField(dst, "type", e.Kind.String())
	dst = appendIntField(dst, "time", e.TimeMs)
	if e.Account != risk.NoAccount {
		dst = appendTextField(dst, "account", dir.AccountName(e.Account))
	}
	amount := risk.Amount{V: e.Amount, Decimals: e.Decimals}
	after := risk.Amount{V: e.Amount2, Decimals: e.Decimals}
	switch e.Kind {
	case risk.EventHealthChanged:
		dst = appendHealthEvent(dst, e, dir)
	case risk.EventLendingHealthChanged:
		dst = appendTextField(dst, "from", lendingHealthName(e.FromLending))
		dst = appendTextField(dst, "to", lendingHealthName(e.ToLending))
	case risk.EventBorrowed, risk.EventRepaid, risk.EventSupplied, risk.EventUnsupplied:
		dst = appendTextField(dst, "token", dir.TokenName(e.Token))
		dst = appendAmountField(dst, "amount", amount)
		if e.Kind != risk.EventUnsupplied {
			dst = appendAmountField(dst, "balance", after)
		}
	case risk.EventInterest, risk.EventCapReached:
		dst = appendTextField(dst, "token", dir.TokenName(e.Token))
		dst = appendAmountField(dst, "amount", amount)
	case risk.EventFunding:
		dst = appendTextField(dst, "market", dir.MarketName(e.Market))
		dst = appendAmountField(dst, "rate", amount)
	case risk.EventModeChanged:
		dst = appendTextField(dst, "mode", modeName(risk.Mode(e.Amount.Lo)))
	case risk.EventHalted, risk.EventResumed:
		if e.Account == risk.NoAccount && e.Market == risk.NoSlot {
			dst = appendBoolField(dst, "all", true)
		} else if e.Account == risk.NoAccount {
			dst = appendTextField(dst, "market", dir.MarketName(e.Market))
		}
	case risk.EventPriceStale, risk.EventPriceFresh:
		dst = appendPriceEvent(dst, e, dir)
	case risk.EventOrderReleased:
		dst = appendOrderEvent(dst, e, dir)
	default:
		dst = appendLiquidationEvent(dst, e, dir)
	}
	return append(dst, '}')
}

// appendHealthEvent writes a change of health with the figures behind it: of a dex, a token or an
// isolated position, whichever has the highest ratio. Events kept from before there were figures
// have none.
func appendHealthEvent(dst []byte, e *risk.Event, dir *Directory) []byte {
	dst = appendTextField(dst, "from", e.From.String())
	dst = appendTextField(dst, "to", e.To.String())
	token := dir.TokenName(e.Token)
	if token == nil {
		return dst
	}
	if market := dir.MarketName(e.Market); market != nil {
		dst = appendTextField(dst, "market", market)
	}
	dst = appendTextField(dst, "token", token)
	dst = appendAmountField(dst, "liquidation_value", risk.Amount{V: e.Amount, Decimals: e.Decimals})
	dst = appendAmountField(dst, "requirement", risk.Amount{V: e.Amount2, Decimals: e.Decimals})
	dst = appendAmountField(dst, "ratio", risk.RatioOf(e.Amount2, e.Amount))
	if before, isThere := e.RatioBefore(); isThere {
		dst = appendAmountField(dst, "ratio_before", before)
	}
	return dst
}

func appendOrderEvent(dst []byte, e *risk.Event, dir *Directory) []byte {
	if name := dir.MarketName(e.Market); name != nil {
		dst = appendTextField(dst, "market", name)
	}
	dst = appendIDField(dst, "order_id", e.OrderHi, e.OrderLo, e.OrderForm)
	if e.Kind == risk.EventOrderReleased {
		dst = appendAmountField(dst, "size", risk.Amount{V: e.Amount, Decimals: e.Decimals})
	}
	if e.Reason != risk.ReasonNone {
		dst = appendTextField(dst, "reason", e.Reason.String())
	}
	return dst
}

// appendPriceEvent writes which price is stale or fresh again, and when it was given: of a perp
// its mark, of a spot market its price, of a token its borrow oracle price.
func appendPriceEvent(dst []byte, e *risk.Event, dir *Directory) []byte {
	if e.Market != risk.NoSlot {
		dst = appendTextField(dst, "market", dir.MarketName(e.Market))
	} else {
		dst = appendTextField(dst, "token", dir.TokenName(e.Token))
	}
	dst = appendAmountField(dst, "price", risk.Amount{V: e.Amount, Decimals: e.Decimals})
	if e.OrderLo > 0 {
		dst = appendUintField(dst, "price_time", e.OrderLo)
	}
	return dst
}

// appendLiquidationEvent writes what belongs to a liquidation: its number, the market with side
// and size or the token with an amount, and why. A size below zero is one sold.
func appendLiquidationEvent(dst []byte, e *risk.Event, dir *Directory) []byte {
	if e.OrderForm != risk.FormNone {
		dst = append(strconv.AppendUint(append(appendKey(dst, "liquidation"), '"'), e.OrderLo, 10), '"')
	}
	market := dir.MarketName(e.Market)
	if market != nil {
		dst = appendTextField(dst, "market", market)
	}
	amount := risk.Amount{V: e.Amount, Decimals: e.Decimals}
	after := risk.Amount{V: e.Amount2, Decimals: e.Decimals}
	token := dir.TokenName(e.Token)
	if token != nil {
		dst = appendTextField(dst, "token", token)
	}
	switch {
	case e.Kind == risk.EventLiquidationStarted, e.Kind == risk.EventLiquidationStep:
		dst = appendAmountField(dst, "liquidation_value", amount)
		dst = appendAmountField(dst, "requirement", after)
		if e.Kind == risk.EventLiquidationStarted {
			dst = appendTextField(dst, "to", e.To.String())
		}
	case e.Kind == risk.EventLiquidationEnded:
		dst = appendTextField(dst, "from", e.From.String())
		dst = appendTextField(dst, "to", e.To.String())
	case token != nil:
		dst = appendAmountField(dst, "amount", amount)
		if e.Kind == risk.EventLossCovered {
			dst = appendAmountField(dst, "loss", after)
		}
	case market != nil:
		dst = appendTextField(dst, "side", sideName(e.Amount.Sign() < 0))
		if e.Amount.Sign() < 0 {
			amount.V = e.Amount.Neg()
		}
		dst = appendAmountField(dst, "size", amount)
		name, decimals := liquidationPrice(e)
		dst = appendAmountField(dst, name, risk.Amount{V: e.Amount2, Decimals: decimals})
		if left, isSale := e.SaleLeft(); isSale {
			dst = appendAmountField(dst, "left", left)
		}
	}
	if e.Kind == risk.EventADL || e.Rule == risk.RuleShared { // against the account whose loss it is
		dst = appendTextField(dst, "against", dir.AccountName(uint32(e.OrderLo))) //nolint:gosec // a slot
	}
	if e.Rule != risk.RuleNone {
		dst = appendTextField(dst, "reason", e.Rule.String())
	}
	return dst
}

// liquidationPrice names the price of a liquidation event: that at which a position changed
// hands, or the mark when an order was asked for, of a spot market the borrow oracle price.
func liquidationPrice(e *risk.Event) (name string, decimals uint8) {
	switch {
	case e.Market&risk.SpotBit != 0:
		return "oracle_price", risk.OraclePriceDecimals
	case e.Kind == risk.EventLiquidationOrder:
		return "mark_price", risk.SzDecimalsMax - e.Decimals
	default:
		return "price", risk.SzDecimalsMax - e.Decimals
	}
}
