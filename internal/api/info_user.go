package api

import "plimsoll/risk"

// appendClearinghouse writes clearinghouseState of an account on a dex.
func appendClearinghouse(dst []byte, v *risk.AccountView, dex uint32, dir *Directory) []byte {
	var x risk.DexView
	for i := range v.Dexes {
		if v.Dexes[i].Dex == dex {
			x = v.Dexes[i]
		}
	}
	dst = appendKey(append(dst, '{'), "marginSummary")
	dst = appendSummary(dst, x.AccountValue, x.TotalNtlPos, x.TotalRawUsd, x.TotalMarginUsed)
	dst = appendKey(dst, "crossMarginSummary")
	dst = appendSummary(dst, x.CrossValue, x.CrossNtlPos, x.CrossRawUsd, x.CrossMarginUsed)
	dst = appendPlacesField(dst, "crossMaintenanceMarginUsed", x.CrossMaintenance, usdPlaces)
	dst = appendPlacesField(dst, "withdrawable", x.Withdrawable, usdPlaces)
	dst = append(appendKey(dst, "assetPositions"), '[')
	for i := range v.Positions {
		if p := &v.Positions[i]; p.Dex == dex && p.Size.V.Sign() != 0 {
			dst = append(appendSep(dst), `{"type":"oneWay","position":`...)
			dst = append(appendVenuePosition(dst, p, dir), '}')
		}
	}
	return append(appendIntField(append(dst, ']'), "time", v.TimeMs), '}')
}

func appendSummary(dst []byte, value, notional, raw, used risk.Amount) []byte {
	dst = appendPlacesField(append(dst, '{'), "accountValue", value, usdPlaces)
	dst = appendPlacesField(dst, "totalNtlPos", notional, usdPlaces)
	dst = appendPlacesField(dst, "totalRawUsd", raw, usdPlaces)
	return append(appendPlacesField(dst, "totalMarginUsed", used, usdPlaces), '}')
}

func appendVenuePosition(dst []byte, p *risk.PositionView, dir *Directory) []byte {
	dst = appendTextField(append(dst, '{'), "coin", dir.MarketName(p.Perp))
	dst = appendAmountField(dst, "szi", p.Size)
	dst = appendVenueLeverage(appendKey(dst, "leverage"), p.Leverage, p.IsIsolated, p.RawUsd)
	dst = appendAmountField(dst, "entryPx", p.EntryPx)
	dst = appendPlacesField(dst, "positionValue", p.PositionValue, usdPlaces)
	dst = appendPlacesField(dst, "unrealizedPnl", p.UnrealizedPnl, usdPlaces)
	dst = appendPlacesField(dst, "returnOnEquity", p.ReturnOnEquity, ratioPlaces)
	dst = appendPlacesField(dst, "liquidationPx", p.LiquidationPx, ratioPlaces)
	dst = appendPlacesField(dst, "marginUsed", p.MarginUsed, usdPlaces)
	dst = appendIntField(dst, "maxLeverage", int64(p.MaxLeverage))
	dst = appendPlacesField(append(appendKey(dst, "cumFunding"), '{'), "allTime", p.FundingAllTime, usdPlaces)
	dst = appendPlacesField(dst, "sinceOpen", p.FundingSinceOpen, usdPlaces)
	return append(appendPlacesField(dst, "sinceChange", p.FundingSinceChange, usdPlaces), '}', '}')
}

// appendVenueLeverage writes leverage as the venue does, with the dollars of an isolated position.
func appendVenueLeverage(dst []byte, leverage uint16, isIsolated bool, rawUsd risk.Amount) []byte {
	dst = appendLeverage(dst, leverage, isIsolated)
	if isIsolated {
		dst = dst[:len(dst)-1] // reopen the object
		dst = append(appendPlacesField(dst, "rawUsd", rawUsd, usdPlaces), '}')
	}
	return dst
}

func appendLeverage(dst []byte, leverage uint16, isIsolated bool) []byte {
	dst = appendTextField(append(dst, '{'), "type", marginName(isIsolated))
	return append(appendIntField(dst, "value", int64(leverage)), '}')
}

// appendSpotState writes spotClearinghouseState. Which optional keys stand follows the
// captures: the ratios under portfolio margin only, the availability under unified too.
func appendSpotState(dst []byte, v *risk.AccountView, l *listing) []byte {
	isPortfolio := v.Mode == risk.ModePortfolio
	dst = append(dst, '{')
	if isPortfolio {
		dst = appendBoolField(dst, "portfolioMarginEnabled", true)
	}
	dst = append(appendKey(dst, "balances"), '[')
	for i := range v.Balances {
		dst = appendSpotBalance(appendSep(dst), &v.Balances[i], l, isPortfolio)
	}
	dst = append(dst, ']')
	if isPortfolio {
		dst = appendPlacesField(dst, "portfolioMarginRatio", v.Margin.PortfolioMarginRatio, ratioPlaces)
		dst = append(appendKey(dst, "tokenToPortfolioBorrowRatio"), '[')
		for i := range v.Balances {
			if b := &v.Balances[i]; b.Borrowed.V.Sign() != 0 || b.Token == v.Margin.Token {
				dst = appendTokenAmount(appendSep(dst), l.token(b.Token).Index, b.BorrowRatio)
			}
		}
		dst = append(appendKey(append(dst, ']'), "tokenToPortfolioSupplyRatio"), '[')
		for i := range v.Balances {
			if b := &v.Balances[i]; b.HasPool && l.token(b.Token).LTV.V.Sign() > 0 {
				dst = appendTokenAmount(appendSep(dst), l.token(b.Token).Index, b.SupplyRatio)
			}
		}
		dst = append(dst, ']')
	}
	if v.Mode == risk.ModePortfolio || v.Mode == risk.ModeUnified {
		dst = append(appendKey(dst, "tokenToAvailableAfterMaintenance"), '[')
		for i := range v.Balances {
			if b := &v.Balances[i]; b.HasAfterMaint {
				dst = appendTokenAmount(appendSep(dst), l.token(b.Token).Index, b.AfterMaint)
			}
		}
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

// appendTokenAmount writes [token index, amount].
func appendTokenAmount(dst []byte, index uint32, a risk.Amount) []byte {
	dst = appendUint(append(dst, '['), index)
	return append(appendAmount(append(dst, ','), a), ']')
}

func appendSpotBalance(dst []byte, b *risk.BalanceView, l *listing, isPortfolio bool) []byte {
	t := l.token(b.Token)
	dst = appendTextField(append(dst, '{'), "coin", t.Name)
	dst = appendUintField(dst, "token", uint64(t.Index))
	dst = appendAmountField(dst, "total", b.Total)
	dst = appendAmountField(dst, "hold", b.Hold)
	dst = appendPlacesField(dst, "entryNtl", b.EntryNtl, 8)
	if b.HasSpotHold {
		dst = appendAmountField(dst, "spotHold", b.SpotHold)
	}
	if isPortfolio && b.HasPool {
		dst = appendPlacesField(dst, "ltv", t.LTV, ratioPlaces)
	}
	if b.Borrowed.V.Sign() != 0 {
		dst = appendAmountField(dst, "borrowed", b.Borrowed)
	}
	if b.Supplied.V.Sign() != 0 {
		dst = appendAmountField(dst, "supplied", b.Supplied)
	}
	return append(dst, '}')
}

// appendBorrowLend writes borrowLendUserState.
func appendBorrowLend(dst []byte, v *risk.AccountView, l *listing) []byte {
	dst = append(appendKey(append(dst, '{'), "tokenToState"), '[')
	for i := range v.Balances {
		b := &v.Balances[i]
		if !b.HasPool {
			continue
		}
		dst = appendUint(append(appendSep(dst), '['), l.token(b.Token).Index)
		dst = append(appendKey(append(dst, ',', '{'), "borrow"), '{')
		dst = appendAmountField(dst, "basis", b.BorrowBasis)
		dst = append(appendAmountField(dst, "value", b.Borrowed), '}')
		dst = append(appendKey(dst, "supply"), '{')
		dst = appendAmountField(dst, "basis", b.SupplyBasis)
		dst = append(appendAmountField(dst, "value", b.Supplied), '}', '}', ']')
	}
	dst = appendTextField(append(dst, ']'), "health", lendingHealthName(v.Margin.LendingHealth))
	factor := v.Margin.HealthFactor
	factor.IsNull = factor.IsNull || v.Mode == risk.ModeNone
	return append(appendPlacesField(dst, "healthFactor", factor, ratioPlaces), '}')
}

// appendActiveAsset writes activeAssetData.
func appendActiveAsset(dst []byte, r *infoRequest, v *risk.ActiveAssetView) []byte {
	var scratch [risk.NameMax]byte
	dst = appendTextField(append(dst, '{'), "user", foldAddress(r.user, &scratch))
	dst = appendTextField(dst, "coin", r.coin)
	dst = appendVenueLeverage(appendKey(dst, "leverage"), v.Leverage, v.IsIsolated, v.RawUsd)
	dst = append(appendAmount(append(appendKey(dst, "maxTradeSzs"), '['), v.MaxTradeSizes[0]), ',')
	dst = append(appendAmount(dst, v.MaxTradeSizes[1]), ']')
	dst = append(appendKey(dst, "availableToTrade"), '[')
	dst = append(appendPlaces(dst, v.AvailableToTrade[0], usdPlaces), ',')
	dst = append(appendPlaces(dst, v.AvailableToTrade[1], usdPlaces), ']')
	return append(appendAmountField(dst, "markPx", known(v.MarkPx)), '}')
}

// appendOpenOrders writes the orders of an account on a dex, those on spot markets with
// the main dex, newest first as the venue does.
func appendOpenOrders(dst []byte, v *risk.AccountView, l *listing, dex uint32, isFrontend bool) []byte {
	dst = append(dst, '[')
	for i := len(v.Orders) - 1; i >= 0; i-- {
		o := &v.Orders[i]
		isSpot := o.Market&risk.SpotBit != 0
		if isSpot && dex != 0 {
			continue
		}
		if p := l.perp(o.Market); !isSpot && (p == nil || p.Dex != dex) {
			continue
		}
		dst = appendVenueOrder(appendSep(dst), o, l, isFrontend)
	}
	return append(dst, ']')
}

func appendVenueOrder(dst []byte, o *risk.OrderView, l *listing, isFrontend bool) []byte {
	dst = appendKey(append(dst, '{'), "coin")
	if s := l.spot(o.Market &^ risk.SpotBit); o.Market&risk.SpotBit != 0 && s != nil {
		dst = appendCoin(dst, s)
	} else {
		dst = appendText(dst, l.dir.MarketName(o.Market))
	}
	side := "B"
	if o.IsSell {
		side = "A"
	}
	dst = appendTextField(dst, "side", side)
	dst = appendAmountField(dst, "limitPx", o.Price)
	dst = appendAmountField(dst, "sz", o.Size)
	dst = appendUintField(dst, "oid", venueOid(o))
	dst = appendIntField(dst, "timestamp", o.TimeMs)
	if isFrontend {
		dst = appendFrontend(dst, o)
	} else {
		dst = appendAmountField(dst, "origSz", o.OrigSize)
		if o.IsReduceOnly {
			dst = appendBoolField(dst, "reduceOnly", true)
		}
	}
	if o.OrderForm != risk.FormUint {
		dst = append(appendKey(dst, "cloid"), '"')
		dst = append(appendID(dst, o.OrderHi, o.OrderLo, risk.FormHex), '"')
	} else if isFrontend {
		dst = appendNullField(dst, "cloid")
	}
	return append(dst, '}')
}

// venueOid returns the oid of an order: its id where that is an integer, else the 53 bits
// of it that every JSON reader keeps. The cloid then tells orders apart.
func venueOid(o *risk.OrderView) uint64 {
	if o.OrderForm == risk.FormUint {
		return o.OrderLo
	}
	return (o.OrderHi ^ o.OrderLo) & (1<<53 - 1)
}

// appendFrontend writes what frontendOpenOrders adds.
func appendFrontend(dst []byte, o *risk.OrderView) []byte {
	dst = append(appendKey(dst, "triggerCondition"), '"')
	if o.IsTrigger {
		word := "Price below "
		if o.IsTakeProfit == o.IsSell { // a sell takes profit above, a buy stops above
			word = "Price above "
		}
		dst = append(dst, word...)
		amount := appendAmount(nil, o.TriggerPx)
		dst = append(dst, amount[1:len(amount)-1]...)
	} else {
		dst = append(dst, "N/A"...)
	}
	dst = appendBoolField(append(dst, '"'), "isTrigger", o.IsTrigger)
	dst = appendAmountField(dst, "triggerPx", o.TriggerPx)
	dst = append(dst, `,"children":[],"isPositionTpsl":false`...)
	dst = appendBoolField(dst, "reduceOnly", o.IsReduceOnly)
	dst = appendTextField(dst, "orderType", orderType(o))
	dst = appendAmountField(dst, "origSz", o.OrigSize)
	if o.IsTrigger {
		return appendNullField(dst, "tif")
	}
	return appendTextField(dst, "tif", "Gtc")
}

func orderType(o *risk.OrderView) string {
	switch {
	case !o.IsTrigger:
		return "Limit"
	case o.IsTakeProfit && o.IsTriggerMarket:
		return "Take Profit Market"
	case o.IsTakeProfit:
		return "Take Profit Limit"
	case o.IsTriggerMarket:
		return "Stop Market"
	default:
		return "Stop Limit"
	}
}
