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
	return append(appendAmountField(dst, "price", s.Px), '}')
}

// appendNearest writes GET /v1/accounts?order=risk.
func appendNearest(dst []byte, seq uint64, nearest []risk.Nearest, dir *Directory) []byte {
	dst = appendUintField(append(dst, '{'), "seq", seq)
	dst = append(appendKey(dst, "accounts"), '[')
	for i := range nearest {
		n := &nearest[i]
		dst = appendTextField(append(appendSep(dst), '{'), "account", dir.AccountName(n.Account))
		dst = appendTextField(dst, "health", n.Health.String())
		ratio := risk.Amount{V: n.RatioE10, Decimals: 10}
		ratio.IsNull = n.RatioE10 == fixedpoint.I128(1<<62) // saturated: the denominator is gone
		dst = append(appendAmountField(dst, "portfolio_margin_ratio", ratio), '}')
	}
	return append(dst, ']', '}')
}

// sumDecimals is the scale of risk.Sums.
const sumDecimals = 8

// appendTotals writes GET /v1/totals.
func appendTotals(dst []byte, t *totals, l *listing) []byte {
	usd := func(v fixedpoint.Int128) risk.Amount { return risk.Amount{V: v, Decimals: sumDecimals} }
	dst = appendUintField(append(dst, '{'), "seq", t.seq)
	dst = appendUintField(dst, "accounts", t.sums.Accounts)
	dst = appendUintField(dst, "positions", t.sums.Positions)
	dst = appendAmountField(dst, "equity", usd(t.sums.Equity))
	dst = appendAmountField(dst, "notional", usd(t.sums.Notional))
	dst = appendAmountField(dst, "maintenance_margin", usd(t.sums.Maintenance))
	dst = append(appendKey(dst, "health"), '{')
	for band, count := range t.sums.Bands {
		dst = appendUintField(dst, risk.Health(band).String(), count)
	}
	dst = append(appendKey(append(dst, '}'), "tokens"), '[')
	isSolvent := true
	for i := range t.identities {
		id := &t.identities[i]
		token := l.token(id.Token)
		if token.Name == "" {
			continue
		}
		isEqual := id.External == id.Held
		isSolvent = isSolvent && isEqual
		dst = appendTextField(append(appendSep(dst), '{'), "token", token.Name)
		dst = appendAmountField(dst, "supplied", token.Pool.TotalSupplied)
		dst = appendAmountField(dst, "borrowed", token.Pool.TotalBorrowed)
		dst = appendAmountField(dst, "external", risk.Amount{V: id.External, Decimals: token.WeiDecimals})
		dst = appendAmountField(dst, "held", risk.Amount{V: id.Held, Decimals: token.WeiDecimals})
		dst = append(appendBoolField(dst, "identity_holds", isEqual), '}')
	}
	return append(appendBoolField(append(dst, ']'), "solvency_identity_holds", isSolvent), '}')
}
