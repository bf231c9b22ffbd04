package api

import (
	"strconv"

	"plimsoll/risk"
)

// appendAccount writes GET /v1/accounts/{account}.
func appendAccount(dst []byte, seq uint64, v *risk.AccountView, l *listing, dir *Directory) []byte {
	dst = appendAccountHead(dst, seq, v, dir)
	if v.Master != risk.NoAccount {
		dst = appendTextField(dst, "master", dir.AccountName(v.Master))
	}
	dst = appendBoolField(dst, "halted", v.IsHalted)
	dst = appendLiquidation(dst, &v.Margin.Liquidation)
	dst = appendSale(dst, &v.Sale, dir)
	dst = append(appendKey(dst, "balances"), '[')
	for i := range v.Balances {
		dst = appendBalance(appendSep(dst), &v.Balances[i], dir)
	}
	dst = append(appendKey(append(dst, ']'), "dexes"), '[')
	for i := range v.Dexes {
		dst = appendDex(appendSep(dst), &v.Dexes[i], dir)
	}
	dst = append(appendKey(append(dst, ']'), "positions"), '[')
	for i := range v.Positions {
		if p := &v.Positions[i]; p.Size.V.Sign() != 0 {
			dst = appendPosition(appendSep(dst), p, dir)
		}
	}
	dst = append(appendKey(append(dst, ']'), "leverages"), '[')
	for i := range v.Positions {
		if p := &v.Positions[i]; p.Size.V.Sign() == 0 {
			dst = appendTextField(append(appendSep(dst), '{'), "perp", dir.MarketName(p.Perp))
			dst = appendIntField(dst, "leverage", int64(p.Leverage))
			dst = append(appendTextField(dst, "margin", marginName(p.IsIsolated)), '}')
		}
	}
	dst = append(appendKey(append(dst, ']'), "orders"), '[')
	for i := range v.Orders {
		dst = appendOrder(appendSep(dst), &v.Orders[i], dir)
	}
	dst = append(appendKey(append(dst, ']'), "margin"), '{')
	dst = appendMargin(dst, &v.Margin, l)
	return append(dst, '}', '}')
}

// appendAccountHead opens the object of an account.
func appendAccountHead(dst []byte, seq uint64, v *risk.AccountView, dir *Directory) []byte {
	dst = appendUintField(append(dst, '{'), "seq", seq)
	dst = appendIntField(dst, "time", v.TimeMs)
	dst = appendTextField(dst, "account", dir.AccountName(v.Account))
	dst = appendUintField(dst, "index", uint64(v.Account))
	return appendTextField(dst, "mode", modeName(v.Mode))
}

func appendBalance(dst []byte, b *risk.BalanceView, dir *Directory) []byte {
	dst = appendTextField(append(dst, '{'), "token", dir.TokenName(b.Token))
	dst = appendAmountField(dst, "total", b.Total)
	dst = appendAmountField(dst, "hold", b.Hold)
	dst = appendAmountField(dst, "supplied", b.Supplied)
	dst = appendAmountField(dst, "borrowed", b.Borrowed)
	dst = appendAmountField(dst, "entry_ntl", b.EntryNtl)
	if b.HasAfterMaint {
		dst = appendAmountField(dst, "available_after_maintenance", b.AfterMaint)
	}
	if b.HasPool {
		dst = appendAmountField(dst, "supply_basis", b.SupplyBasis)
		dst = appendAmountField(dst, "borrow_basis", b.BorrowBasis)
	}
	return append(dst, '}')
}

func appendDex(dst []byte, x *risk.DexView, dir *Directory) []byte {
	dst = appendTextField(append(dst, '{'), "dex", dir.DexName(x.Dex))
	dst = appendAmountField(dst, "account_value", x.AccountValue)
	dst = appendAmountField(dst, "notional", x.TotalNtlPos)
	dst = appendAmountField(dst, "raw_usd", x.TotalRawUsd)
	dst = appendAmountField(dst, "margin_used", x.TotalMarginUsed)
	dst = appendAmountField(dst, "cross_account_value", x.CrossValue)
	dst = appendAmountField(dst, "cross_maintenance_margin", x.CrossMaintenance)
	return append(appendAmountField(dst, "withdrawable", x.Withdrawable), '}')
}

func appendPosition(dst []byte, p *risk.PositionView, dir *Directory) []byte {
	dst = appendTextField(append(dst, '{'), "perp", dir.MarketName(p.Perp))
	dst = appendTextField(dst, "dex", dir.DexName(p.Dex))
	dst = appendAmountField(dst, "size", p.Size)
	dst = appendTextField(dst, "margin", marginName(p.IsIsolated))
	dst = appendIntField(dst, "leverage", int64(p.Leverage))
	dst = appendIntField(dst, "max_leverage", int64(p.MaxLeverage))
	dst = appendAmountField(dst, "entry_price", p.EntryPx)
	dst = appendAmountField(dst, "entry_notional", p.EntryNotional)
	dst = appendAmountField(dst, "notional", p.PositionValue)
	dst = appendAmountField(dst, "unrealized_pnl", p.UnrealizedPnl)
	dst = appendAmountField(dst, "return_on_equity", p.ReturnOnEquity)
	dst = appendAmountField(dst, "margin_used", p.MarginUsed)
	dst = appendAmountField(dst, "maintenance_margin", p.MaintenanceMargin)
	if p.IsIsolated {
		dst = appendAmountField(dst, "raw_usd", p.RawUsd)
	}
	dst = appendAmountField(dst, "trigger_price", p.TriggerPx)
	dst = appendAmountField(dst, "hyperliquid_price", p.LiquidationPx)
	return append(appendAmountField(dst, "funding", p.FundingSinceOpen), '}')
}

func appendOrder(dst []byte, o *risk.OrderView, dir *Directory) []byte {
	dst = appendIDField(append(dst, '{'), "order_id", o.OrderHi, o.OrderLo, o.OrderForm)
	dst = appendTextField(dst, "market", dir.MarketName(o.Market))
	dst = appendTextField(dst, "side", sideName(o.IsSell))
	dst = appendAmountField(dst, "price", o.Price)
	dst = appendAmountField(dst, "size", o.Size)
	dst = appendAmountField(dst, "orig_size", o.OrigSize)
	dst = appendBoolField(dst, "reduce_only", o.IsReduceOnly)
	if o.IsTrigger {
		dst = append(appendKey(dst, "trigger"), '{')
		dst = appendAmountField(dst, "price", o.TriggerPx)
		dst = appendBoolField(dst, "is_market", o.IsTriggerMarket)
		dst = append(appendTextField(dst, "tpsl", tpslName(o.IsTakeProfit)), '}')
	}
	return append(appendIntField(dst, "time", o.TimeMs), '}')
}

func tpslName(isTakeProfit bool) string {
	if isTakeProfit {
		return "tp"
	}
	return "sl"
}

// appendMargin writes the fields of a margin object, without braces.
func appendMargin(dst []byte, m *risk.MarginView, l *listing) []byte {
	dst = appendTextField(dst, "mode", modeName(m.Mode))
	dst = appendTextField(dst, "token", l.token(m.Token).Name)
	dst = appendAmountField(dst, "equity", m.Equity)
	dst = appendAmountField(dst, "net_balance", m.NetBalance)
	dst = appendAmountField(dst, "initial_requirement", m.InitialRequirement)
	dst = appendAmountField(dst, "maintenance_margin", m.MaintenanceMargin)
	dst = appendAmountField(dst, "borrowed_for_maintenance", m.BorrowedForMaintenance)
	dst = appendAmountField(dst, "collateral_capacity", m.CollateralCapacity)
	dst = appendAmountField(dst, "collateral_liquidation", m.CollateralLiquidation)
	dst = appendAmountField(dst, "isolated_equity", m.IsolatedEquity)
	dst = appendAmountField(dst, "liquidation_value", m.LiquidationValue)
	dst = appendAmountField(dst, "available_after_maintenance", m.AvailableAfterMaint)
	dst = appendAmountField(dst, "portfolio_margin_ratio", m.PortfolioMarginRatio)
	dst = appendBoolField(dst, "ratio_is_infinite", m.RatioIsInfinite)
	dst = appendAmountField(dst, "health_factor", m.HealthFactor)
	dst = appendTextField(dst, "health", m.Health.String())
	dst = appendTextField(dst, "lending_health", lendingHealthName(m.LendingHealth))
	dst = appendAmountField(dst, "available", m.Available)
	dst = appendAmountField(dst, "withdrawable", m.Withdrawable)
	if m.Liquidation.Stage == risk.LiquidationNone {
		return append(appendKey(dst, "liquidation_stage"), "null"...)
	}
	return appendTextField(dst, "liquidation_stage", m.Liquidation.Stage.String())
}

// appendLiquidation writes the liquidation of an account that is under way, or null.
func appendLiquidation(dst []byte, v *risk.LiquidationView) []byte {
	dst = appendKey(dst, "liquidation")
	if v.Stage == risk.LiquidationNone {
		return append(dst, "null"...)
	}
	dst = append(strconv.AppendUint(append(appendKey(append(dst, '{'), "number"), '"'), v.Number, 10), '"')
	dst = appendTextField(dst, "stage", v.Stage.String())
	dst = appendIntField(dst, "since_ms", v.SinceMs)
	return append(appendIntField(dst, "next_ms", v.NextMs), '}')
}

// appendSale writes what the backstop account is to sell; of any other account nothing.
func appendSale(dst []byte, v *risk.SaleView, dir *Directory) []byte {
	if len(v.Items) == 0 {
		return dst
	}
	dst = append(strconv.AppendUint(append(appendKey(append(appendKey(dst, "sale"), '{'), "number"), '"'), v.Number, 10), '"')
	dst = append(appendKey(dst, "items"), '[')
	for i := range v.Items {
		x := &v.Items[i]
		dst = append(appendSep(dst), '{')
		if x.Perp != risk.NoSlot {
			dst = appendTextField(dst, "perp", dir.MarketName(x.Perp))
		} else {
			dst = appendTextField(dst, "token", dir.TokenName(x.Token))
		}
		dst = append(appendIntField(appendAmountField(dst, "left", x.Left), "next_ms", x.NextMs), '}')
	}
	return append(dst, ']', '}')
}

var lendingHealthNames = [...]string{"healthy", "atRisk", "marketLiquidatable", "backstopLiquidatable"}

func lendingHealthName(h risk.LendingHealth) string {
	return lendingHealthNames[min(int(h), len(lendingHealthNames)-1)]
}

// appendMarginReply writes GET /v1/accounts/{account}/margin.
func appendMarginReply(dst []byte, seq uint64, v *risk.AccountView, l *listing, dir *Directory) []byte {
	dst = appendUintField(append(dst, '{'), "seq", seq)
	dst = appendIntField(dst, "time", v.TimeMs)
	dst = appendTextField(dst, "account", dir.AccountName(v.Account))
	return append(appendMargin(dst, &v.Margin, l), '}')
}
