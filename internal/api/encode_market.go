package api

import (
	"plimsoll/fixedpoint"
	"plimsoll/risk"
)

// appendToken writes one token of GET /v1/tokens.
func appendToken(dst []byte, t *risk.TokenView, l *listing) []byte {
	dst = appendTextField(append(dst, '{'), "token", t.Name)
	dst = appendUintField(dst, "index", uint64(t.Index))
	dst = appendUintField(dst, "slot", uint64(t.Slot))
	if t.FullName != "" {
		dst = appendTextField(dst, "full_name", t.FullName)
	}
	dst = appendIntField(dst, "wei_decimals", int64(t.WeiDecimals))
	dst = appendIntField(dst, "sz_decimals", int64(t.SzDecimals))
	dst = appendAmountField(dst, "ltv", t.LTV)
	dst = appendBoolField(dst, "borrowable", t.IsBorrowable)
	dst = appendBoolField(dst, "has_pool", t.HasPool)
	dst = appendAmountField(dst, "oracle_price", t.OraclePx)
	if t.OraclePerp != risk.NoSlot {
		dst = appendTextField(dst, "oracle_perp", l.dir.MarketName(t.OraclePerp))
	}
	dst = appendGuard(dst, t.Class, t.MaxAgeMs, t.Band)
	return append(appendCaps(dst, t), '}')
}

func appendCaps(dst []byte, t *risk.TokenView) []byte {
	dst = appendAmountField(dst, "supply_cap", t.SupplyCap)
	dst = appendAmountField(dst, "borrow_cap", t.BorrowCap)
	dst = appendAmountField(dst, "user_supply_cap", t.UserSupplyCap)
	return appendAmountField(dst, "user_borrow_cap", t.UserBorrowCap)
}

// appendPool writes the fields of one pool, without braces.
func appendPool(dst []byte, t *risk.TokenView) []byte {
	p := &t.Pool
	dst = appendTextField(dst, "token", t.Name)
	dst = appendUintField(dst, "index", uint64(t.Index))
	dst = appendAmountField(dst, "total_supplied", p.TotalSupplied)
	dst = appendAmountField(dst, "total_borrowed", p.TotalBorrowed)
	dst = appendAmountField(dst, "buffer", p.Buffer)
	dst = appendAmountField(dst, "balance", p.Balance)
	dst = appendAmountField(dst, "utilization", p.Utilization)
	dst = appendAmountField(dst, "borrow_rate", p.BorrowRate)
	dst = appendAmountField(dst, "supply_rate", p.SupplyRate)
	dst = appendAmountField(dst, "supply_index", p.SupplyIndex)
	dst = appendAmountField(dst, "borrow_index", p.BorrowIndex)
	dst = appendCaps(dst, t)
	dst = appendAmountField(dst, "supply_headroom", headroom(t.SupplyCap, p.TotalSupplied))
	dst = appendAmountField(dst, "borrow_headroom", headroom(t.BorrowCap, p.TotalBorrowed))
	dst = appendAmountField(dst, "ltv", t.LTV)
	dst = appendBoolField(dst, "borrowable", t.IsBorrowable)
	dst = appendAmountField(dst, "oracle_price", t.OraclePx)
	dst = append(appendKey(dst, "rate"), '{')
	dst = appendAmountField(dst, "base", t.RateBase)
	dst = appendAmountField(dst, "slope", t.RateSlope)
	dst = appendAmountField(dst, "kink", t.RateKink)
	return append(appendAmountField(dst, "reserve_factor", t.ReserveFactor), '}')
}

// headroom returns what is left below a cap of the same token, never below zero.
func headroom(limit, used risk.Amount) risk.Amount {
	left := risk.Amount{V: limit.V.Sub(used.V), Decimals: limit.Decimals}
	if left.V.Sign() < 0 || limit.Decimals != used.Decimals {
		left.V = fixedpoint.Int128{}
	}
	return left
}

// appendPerp writes one perp of GET /v1/perps.
func appendPerp(dst []byte, p *risk.PerpView, l *listing) []byte {
	dst = appendTextField(append(dst, '{'), "perp", p.Name)
	dst = appendUintField(dst, "index", uint64(p.Index))
	dst = appendUintField(dst, "slot", uint64(p.Slot))
	dst = appendTextField(dst, "dex", l.dir.DexName(p.Dex))
	dst = appendIntField(dst, "sz_decimals", int64(p.SzDecimals))
	dst = appendTextField(dst, "collateral_token", l.token(p.Collateral).Name)
	dst = appendIntField(dst, "max_leverage", int64(p.MaxLeverage))
	dst = appendTextField(dst, "margin_mode", marginModeName(p.MarginMode))
	dst = appendBoolField(dst, "halted", p.IsHalted)
	dst = appendAmountField(dst, "mark_price", p.MarkPx)
	dst = appendAmountField(dst, "oracle_price", p.OraclePx)
	dst = appendAmountField(dst, "funding_rate", p.Funding)
	dst = appendAmountField(dst, "open_interest", p.OpenInterest)
	dst = appendGuard(dst, p.Class, p.MaxAgeMs, p.Band)
	dst = append(appendKey(dst, "tiers"), '[')
	for i := range p.Tiers {
		dst = appendAmountField(append(appendSep(dst), '{'), "lower_bound", p.Tiers[i].LowerBound)
		dst = append(appendIntField(dst, "max_leverage", int64(p.Tiers[i].MaxLeverage)), '}')
	}
	return append(dst, ']', '}')
}

// appendSpot writes one market of GET /v1/spots.
func appendSpot(dst []byte, s *risk.SpotView, l *listing) []byte {
	dst = appendTextField(append(dst, '{'), "spot", s.Name)
	dst = appendUintField(dst, "index", uint64(s.Index))
	dst = appendUintField(dst, "slot", uint64(s.Slot|risk.SpotBit))
	dst = appendTextField(dst, "base", l.token(s.Base).Name)
	dst = appendTextField(dst, "quote", l.token(s.Quote).Name)
	dst = appendBoolField(dst, "halted", s.IsHalted)
	dst = appendAmountField(dst, "price", s.Px)
	return append(appendGuard(dst, s.Class, s.MaxAgeMs, s.Band), '}')
}

// appendGuard writes what a price may be used for, and what its listing says of it.
func appendGuard(dst []byte, class risk.PriceClass, maxAgeMs int64, band risk.Amount) []byte {
	dst = appendTextField(dst, "price_class", class.String())
	if maxAgeMs > 0 {
		dst = appendIntField(dst, "max_price_age", maxAgeMs)
	}
	if band.V.Sign() > 0 {
		dst = appendAmountField(dst, "price_band", band)
	}
	return dst
}
