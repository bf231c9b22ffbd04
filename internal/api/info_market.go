package api

import (
	"slices"
	"strconv"

	"plimsoll/fixedpoint"
	"plimsoll/risk"
)

// Digits of the venue (spec 4.1).
const (
	usdPlaces   = 6  // perp US dollar figures
	ratioPlaces = 10 // ratios, rates
)

// appendPlaces writes an amount with at most places decimals, at least one, or null.
func appendPlaces(dst []byte, a risk.Amount, places uint8) []byte {
	if a.IsNull {
		return append(dst, "null"...)
	}
	dst = append(dst, '"')
	dst = fixedpoint.AppendDecimalPlaces128(dst, a.V, a.Decimals, places)
	return append(dst, '"')
}

func appendPlacesField(dst []byte, name string, a risk.Amount, places uint8) []byte {
	return appendPlaces(appendKey(dst, name), a, places)
}

func appendUint(dst []byte, v uint32) []byte { return strconv.AppendUint(dst, uint64(v), 10) }

func appendNullField(dst []byte, name string) []byte { return append(appendKey(dst, name), "null"...) }

// sortedDexes returns all dexes in order of their index, the main dex first.
func (l *listing) sortedDexes() []*risk.DexInfo {
	dexes := []*risk.DexInfo{l.dex(nil)}
	for i := range l.dexes {
		if l.dexes[i].Slot != 0 {
			dexes = append(dexes, &l.dexes[i])
		}
	}
	slices.SortStableFunc(dexes[1:], func(a, b *risk.DexInfo) int { return int(a.Index) - int(b.Index) })
	return dexes
}

// appendMeta writes meta of a dex.
func appendMeta(dst []byte, l *listing, dex *risk.DexInfo) []byte {
	perps := l.dexPerps(dex.Slot)
	dst = append(appendKey(append(dst, '{'), "universe"), '[')
	for _, p := range perps {
		dst = appendIntField(append(appendSep(dst), '{'), "szDecimals", int64(p.SzDecimals))
		dst = appendTextField(dst, "name", p.Name)
		dst = appendIntField(dst, "maxLeverage", int64(p.MaxLeverage))
		dst = appendUintField(dst, "marginTableId", uint64(l.tableID(p)))
		if p.MarginMode != risk.MarginNormal {
			mode := "strictIsolated"
			if p.MarginMode == risk.MarginNoCross {
				mode = "noCross"
			}
			dst = appendBoolField(dst, "onlyIsolated", true)
			dst = appendTextField(dst, "marginMode", mode)
		}
		dst = append(dst, '}')
	}
	dst = append(appendKey(append(dst, ']'), "marginTables"), '[')
	for i := range l.tables {
		t := &l.tables[i]
		if t.id != singleTier && !usesTable(l, perps, t.id) {
			continue
		}
		dst = appendUint(append(appendSep(dst), '['), t.id)
		dst = append(appendMarginTable(append(dst, ','), t), ']')
	}
	dst = appendUintField(append(dst, ']'), "collateralToken", uint64(l.token(dex.Collateral).Index))
	return append(dst, '}')
}

func usesTable(l *listing, perps []*risk.PerpView, id uint32) bool {
	return slices.ContainsFunc(perps, func(p *risk.PerpView) bool { return l.tableID(p) == id })
}

func appendMarginTable(dst []byte, t *marginTable) []byte {
	dst = appendTextField(append(dst, '{'), "description", t.description)
	dst = append(appendKey(dst, "marginTiers"), '[')
	for i := range t.tiers {
		dst = appendPlacesField(append(appendSep(dst), '{'), "lowerBound", t.tiers[i].LowerBound, usdPlaces)
		dst = append(appendIntField(dst, "maxLeverage", int64(t.tiers[i].MaxLeverage)), '}')
	}
	return append(dst, ']', '}')
}

// appendMetaAndCtxs writes [meta, ctxs]. What a risk engine does not see (volume, the
// book) is zero or null, as the venue shows a market without trades.
func appendMetaAndCtxs(dst []byte, l *listing, dex *risk.DexInfo) []byte {
	dst = appendMeta(append(dst, '['), l, dex)
	dst = append(dst, ',', '[')
	for _, p := range l.dexPerps(dex.Slot) {
		dst = appendPlacesField(append(appendSep(dst), '{'), "funding", p.Funding, ratioPlaces)
		dst = appendAmountField(dst, "openInterest", p.OpenInterest)
		dst = appendAmountField(dst, "prevDayPx", known(p.MarkPx))
		dst = append(dst, `,"dayNtlVlm":"0.0","premium":null`...)
		dst = appendAmountField(dst, "oraclePx", known(p.OraclePx))
		dst = appendAmountField(dst, "markPx", known(p.MarkPx))
		dst = appendAmountField(dst, "midPx", p.MarkPx)
		dst = append(dst, `,"impactPxs":null,"dayBaseVlm":"0.0"}`...)
	}
	return append(dst, ']', ']')
}

// known returns zero for a price that has not been given.
func known(a risk.Amount) risk.Amount {
	a.IsNull = false
	return a
}

const zeroAddress = `"0x0000000000000000000000000000000000000000"`

// appendPerpDexs writes perpDexs: null for the main dex, then the others.
func appendPerpDexs(dst []byte, l *listing) []byte {
	dst = append(dst, "[null"...)
	for _, dex := range l.sortedDexes()[1:] {
		dst = appendTextField(append(dst, ',', '{'), "name", dex.Name)
		dst = appendTextField(dst, "fullName", dex.Name)
		dst = append(appendKey(dst, "deployer"), zeroAddress...)
		dst = appendNullField(dst, "oracleUpdater")
		dst = appendNullField(dst, "feeRecipient")
		dst = append(dst, `,"assetToStreamingOiCap":[],"subDeployers":[],"deployerFeeScale":"1.0"`...)
		dst = append(dst, `,"lastDeployerFeeScaleChangeTime":"1970-01-01T00:00:00"`...)
		dst = append(dst, `,"assetToFundingMultiplier":[],"assetToFundingInterestRate":[]}`...)
	}
	return append(dst, ']')
}

// spotsByIndex returns the spot markets in order of their index.
func (l *listing) spotsByIndex() []*risk.SpotView {
	spots := make([]*risk.SpotView, len(l.spots))
	for i := range l.spots {
		spots[i] = &l.spots[i]
	}
	slices.SortStableFunc(spots, func(a, b *risk.SpotView) int { return int(a.Index) - int(b.Index) })
	return spots
}

// isCanonical reports whether the venue shows a spot market by its pair: only the first.
func isCanonical(s *risk.SpotView) bool { return s.Index == 0 && s.Name != "" && s.Name[0] != '@' }

// appendCoin writes the venue's name of a spot market: its pair for the first, else @index.
func appendCoin(dst []byte, s *risk.SpotView) []byte {
	if isCanonical(s) {
		return appendText(dst, s.Name)
	}
	return append(appendUint(append(dst, '"', '@'), s.Index), '"')
}

func appendSpotMeta(dst []byte, l *listing) []byte {
	dst = append(appendKey(append(dst, '{'), "universe"), '[')
	for _, s := range l.spotsByIndex() {
		dst = appendUint(append(appendKey(append(appendSep(dst), '{'), "tokens"), '['), l.token(s.Base).Index)
		dst = append(appendUint(append(dst, ','), l.token(s.Quote).Index), ']')
		dst = appendCoin(appendKey(dst, "name"), s)
		dst = appendUintField(dst, "index", uint64(s.Index))
		dst = append(appendBoolField(dst, "isCanonical", isCanonical(s)), '}')
	}
	dst = append(appendKey(append(dst, ']'), "tokens"), '[')
	for _, t := range l.tokensByIndex() {
		dst = appendTextField(append(appendSep(dst), '{'), "name", t.Name)
		dst = appendIntField(dst, "szDecimals", int64(t.SzDecimals))
		dst = appendIntField(dst, "weiDecimals", int64(t.WeiDecimals))
		dst = appendUintField(dst, "index", uint64(t.Index))
		dst = append(appendKey(dst, "tokenId"), `"0x`...)
		dst = append(appendHex(dst, uint64(t.Index), 32), '"')
		dst = appendBoolField(dst, "isCanonical", t.Index == 0)
		dst = appendNullField(dst, "evmContract")
		if t.FullName != "" {
			dst = appendTextField(dst, "fullName", t.FullName)
		} else {
			dst = appendNullField(dst, "fullName")
		}
		dst = append(dst, `,"deployerTradingFeeShare":"0.0"}`...)
	}
	return append(dst, ']', '}')
}

// tokensByIndex returns the listed tokens in order of their index.
func (l *listing) tokensByIndex() []*risk.TokenView {
	var tokens []*risk.TokenView
	for i := range l.tokens {
		if l.tokens[i].Name != "" {
			tokens = append(tokens, &l.tokens[i])
		}
	}
	slices.SortStableFunc(tokens, func(a, b *risk.TokenView) int { return int(a.Index) - int(b.Index) })
	return tokens
}

func appendSpotCtxs(dst []byte, l *listing) []byte {
	dst = append(dst, '[')
	for _, s := range l.spotsByIndex() {
		dst = appendAmountField(append(appendSep(dst), '{'), "prevDayPx", known(s.Px))
		dst = append(dst, `,"dayNtlVlm":"0.0"`...)
		dst = appendAmountField(dst, "markPx", known(s.Px))
		dst = appendAmountField(dst, "midPx", s.Px)
		dst = append(dst, `,"circulatingSupply":"0.0"`...)
		dst = appendCoin(appendKey(dst, "coin"), s)
		dst = append(dst, `,"totalSupply":"0.0","dayBaseVlm":"0.0"}`...)
	}
	return append(dst, ']')
}

// appendAllMids writes the mids of a dex, those of spots with the main dex. Where there is
// no book the mark stands for the mid.
func appendAllMids(dst []byte, l *listing, dexName []byte) []byte {
	dst = append(dst, '{')
	if dex := l.dex(dexName); dex != nil {
		for _, p := range l.dexPerps(dex.Slot) {
			if !p.MarkPx.IsNull {
				dst = appendAmount(append(appendText(appendSep(dst), p.Name), ':'), p.MarkPx)
			}
		}
	}
	if len(dexName) == 0 {
		for _, s := range l.spotsByIndex() {
			if !s.Px.IsNull {
				dst = appendAmount(append(appendCoin(appendSep(dst), s), ':'), s.Px)
			}
		}
	}
	return append(dst, '}')
}

// appendReserve writes borrowLendReserveState of a token.
func appendReserve(dst []byte, t *risk.TokenView) []byte {
	dst = appendPlacesField(append(dst, '{'), "borrowYearlyRate", t.Pool.BorrowRate, ratioPlaces)
	dst = appendPlacesField(dst, "supplyYearlyRate", t.Pool.SupplyRate, ratioPlaces)
	dst = appendAmountField(dst, "balance", t.Pool.Balance)
	dst = appendPlacesField(dst, "utilization", t.Pool.Utilization, ratioPlaces)
	dst = appendAmountField(dst, "oraclePx", known(t.OraclePx))
	dst = appendPlacesField(dst, "ltv", t.LTV, ratioPlaces)
	dst = appendAmountField(dst, "totalSupplied", t.Pool.TotalSupplied)
	return append(appendAmountField(dst, "totalBorrowed", t.Pool.TotalBorrowed), '}')
}
