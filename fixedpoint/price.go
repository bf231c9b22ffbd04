package fixedpoint

// The venue's digit rules: Hyperliquid documentation, "Tick and lot size".
const (
	priceFiguresMax = 5 // significant figures of a price that is no integer
	perpDecimalsMax = 6 // decimals of a perp price, less the size decimals of the asset
	spotDecimalsMax = 8 // decimals of a spot price, less the size decimals of the asset
)

// PriceFollowsTickRule reports whether the venue takes mantissa/10^decimals as a price of an asset whose
// sizes have szDecimals decimals: positive, and either an integer or of at most 5 significant figures and
// at most 6-szDecimals decimals (8-szDecimals for spot). Trailing zeros count neither as figures nor as
// decimals.
func PriceFollowsTickRule(mantissa int64, decimals, szDecimals uint8, isSpot bool) bool {
	if mantissa <= 0 {
		return false
	}
	d := Decimal{Mantissa: mantissa, Decimals: decimals}.trimmed()
	if d.Decimals == 0 {
		return true
	}
	return d.Decimals <= priceDecimalsMax(szDecimals, isSpot) &&
		digitCount(uint64(d.Mantissa)) <= priceFiguresMax
}

// QuantizePriceDown returns the largest price that follows the tick rule and is not above d, without
// trailing zeros. It returns zero, which is no price, when there is none: for a d that is not positive, or
// below the smallest price.
func QuantizePriceDown(d Decimal, szDecimals uint8, isSpot bool) Decimal {
	if d.Mantissa <= 0 {
		return Decimal{}
	}
	decimals := int(d.Decimals)
	tooFine := decimals - int(priceDecimalsMax(szDecimals, isSpot))
	tooLong := digitCount(uint64(d.Mantissa)) - priceFiguresMax
	drop := min(max(tooFine, tooLong, 0), decimals) // digits before the point all stay
	if drop > DigitsMax {
		return Decimal{} // an int64 has 19 digits, so that one may remain; it stands below every price
	}
	return Decimal{Mantissa: d.Mantissa / powersOfTen[drop], Decimals: uint8(decimals - drop)}.trimmed()
}

// priceDecimalsMax returns how many decimals a price may have.
func priceDecimalsMax(szDecimals uint8, isSpot bool) uint8 {
	limit := uint8(perpDecimalsMax)
	if isSpot {
		limit = spotDecimalsMax
	}
	return limit - min(limit, szDecimals)
}

// trimmed returns d without trailing zeros among its decimals.
func (d Decimal) trimmed() Decimal {
	if d.Mantissa == 0 {
		return Decimal{}
	}
	for d.Decimals > 0 && d.Mantissa%10 == 0 {
		d.Mantissa /= 10
		d.Decimals--
	}
	return d
}
