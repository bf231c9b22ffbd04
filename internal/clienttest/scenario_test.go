package clienttest

import "fmt"

func deposit(account, token string, amount int) string {
	return fmt.Sprintf(`{"type":"deposit","account":%q,"token":%q,"amount":"%d"}`, account, token, amount)
}

func fill(account, market, side, size, price string) string {
	return fmt.Sprintf(`{"type":"fill","account":%q,"market":%q,"side":%q,"size":%q,"price":%q,"fee":"0.25"}`, account, market, side, size, price)
}

func order(account, market, side, price, id, more string) string {
	return fmt.Sprintf(`{"type":"order","account":%q,"market":%q,"side":%q,"size":"0.1","price":%q,"order_id":%q%s}`,
		account, market, side, price, id, more)
}

func listToken(name string, index, weiDecimals int, ltv string, more string) string {
	return fmt.Sprintf(`{"type":"list_token","token":%q,"index":%d,"wei_decimals":%d,"ltv":%q,"borrowable":%v,`+
		`"supply_cap":"1000000000","borrow_cap":"500000000","user_supply_cap":"250000000","user_borrow_cap":"50000000",`+
		`"rate":{"base":"0.05","slope":"4.75","kink":"0.8","reserve_factor":"0.1"}%s}`, name, index, weiDecimals, ltv, ltv == "0", more)
}

func listPerp(name string, index int, dex string, decimals int, tiers, mode string) string {
	return fmt.Sprintf(`{"type":"list_perp","perp":%q,"index":%d,"dex":%q,"sz_decimals":%d,"collateral_token":"USDC","tiers":[%s],`+
		`"margin_mode":%q,"funding_cap":"0.04"}`, name, index, dex, decimals, tiers, mode)
}

// listings has what the venue has: a canonical and another spot pair, tokens with and without
// a full name, tiers of one row and of two, every margin mode, a builder dex.
func listings() []string {
	tier := func(leverage int) string { return fmt.Sprintf(`{"lower_bound":"0","max_leverage":%d}`, leverage) }
	return []string{
		fmt.Sprintf(`{"type":"clock","time":%d}`, startMs),
		listToken("USDC", 0, 8, "0", ""),
		listToken("PURR", 1, 5, "0", `,"sz_decimals":0`),
		listToken("HYPE", 150, 8, "0.65", `,"oracle_perp":"HYPE","full_name":"Hyperliquid"`),
		`{"type":"list_dex","dex":"","index":0,"collateral_token":"USDC"}`,
		`{"type":"list_dex","dex":"xyz","index":1,"collateral_token":"USDC"}`,
		listPerp("BTC", 0, "", 5, tier(40)+`,{"lower_bound":"150000000","max_leverage":20}`, "normal"),
		listPerp("HYPE", 159, "", 2, tier(10), "normal"),
		listPerp("NOCROSS", 7, "", 1, tier(3)+`,{"lower_bound":"77","max_leverage":2}`, "no_cross"),
		listPerp("UNPRICED", 8, "", 0, tier(5), "normal"),
		listPerp("xyz:TSLA", 1, "xyz", 3, tier(10), "strict_isolated"),
		`{"type":"list_spot","spot":"PURR/USDC","index":0,"base":"PURR","quote":"USDC"}`,
		`{"type":"list_spot","spot":"HYPE/USDC","index":107,"base":"HYPE","quote":"USDC"}`,
		`{"type":"prices","marks":{"BTC":"60000","HYPE":"40.5","NOCROSS":"1.25","xyz:TSLA":"400"},` +
			`"oracles":{"BTC":"60010","HYPE":"40.4","NOCROSS":"1.26","xyz:TSLA":"401"},"spots":{"HYPE/USDC":"40.45","PURR/USDC":"0.1"}}`,
	}
}

// portfolios gives the accounts what they hold.
func portfolios() []string {
	return []string{
		deposit(carry, "HYPE", 10_000),
		fill(carry, "BTC", "sell", "5", "60000"), // what it needs is borrowed
		fill(carry, "HYPE", "buy", "1000", "40.5"),
		deposit(indebted, "HYPE", 10_000),
		fill(indebted, "BTC", "buy", "60", "60000"),
		deposit(unified, "HYPE", 100),
		`{"type":"set_leverage","account":"` + unified + `","perp":"xyz:TSLA","leverage":5,"margin":"isolated"}`,
		fill(unified, "xyz:TSLA", "buy", "10", "399"),
		fill(unified, "BTC", "sell", "0.5", "60010"),
		fill(unified, "HYPE/USDC", "buy", "3", "40"),
		`{"type":"set_leverage","account":"` + standard + `","perp":"HYPE","leverage":3,"margin":"isolated"}`,
		fill(standard, "HYPE", "sell", "20", "40.6"),
		fill(standard, "BTC", "buy", "0.1", "60100"),
		fill(sub, "BTC", "sell", "0.2", "60100"),
		fill(broken, "BTC", "buy", "11", "60000"),
		`{"type":"set_leverage","account":"` + isolated + `","perp":"xyz:TSLA","leverage":10,"margin":"isolated"}`,
		fill(isolated, "xyz:TSLA", "buy", "10", "400"),
		fill(isolated, "BTC", "sell", "0.1", "60000"),
		fill(taken, "BTC", "buy", "16.2", "60000"),
	}
}

// restingOrders has every form of order that frontendOpenOrders tells apart.
func restingOrders() []string {
	trigger := func(price, isMarket, tpsl string) string {
		return fmt.Sprintf(`,"trigger":{"price":%q,"is_market":%s,"tpsl":%q}`, price, isMarket, tpsl)
	}
	return []string{
		order(unified, "BTC", "buy", "58000", "551012943170", ""),
		order(unified, "BTC", "buy", "58000", "9007199254740991", `,"reduce_only":true`), // the last that a double holds
		order(unified, "BTC", "sell", "61000", "0x00000000000000000000000000000abc", ""),
		order(unified, "BTC", "sell", "61000", "123e4567-e89b-12d3-a456-426614174000", ""),
		order(unified, "BTC", "buy", "58000", "11", trigger("58500", "true", "tp")),
		order(unified, "BTC", "buy", "58000", "12", trigger("58500", "false", "tp")),
		order(unified, "BTC", "buy", "62500", "13", trigger("62000", "true", "sl")),
		order(unified, "BTC", "sell", "62500", "14", trigger("62000", "false", "sl")),
		order(unified, "@107", "buy", "39", "15", ""),
		order(unified, "xyz:TSLA", "sell", "450", "16", `,"reduce_only":true`),
		order(standard, "BTC", "sell", "61000", "17", `,"reduce_only":true`),
		`{"type":"order","account":"` + standard + `","market":"PURR/USDC","side":"buy","size":"10","price":"0.09","order_id":"18"}`,
	}
}

// moves fills the ledgers: every kind of row that userNonFundingLedgerUpdates has.
func moves() []string {
	transfer := func(from, to, token, amount, more string) string {
		return fmt.Sprintf(`{"type":"transfer","from":%q,"to":%q,"token":%q,"amount":%q%s}`, from, to, token, amount, more)
	}
	loan := func(kind, account, token, amount string) string {
		return fmt.Sprintf(`{"type":%q,"account":%q,"token":%q,"amount":%q}`, kind, account, token, amount)
	}
	return []string{
		transfer(standard, standard, "USDC", "1200", `,"from_wallet":"perp","to_wallet":"spot"`),
		transfer(standard, standard, "USDC", "12", `,"from_wallet":"spot","to_wallet":"perp"`),
		transfer(standard, standard, "USDC", "500", `,"from_wallet":"perp","to_wallet":"perp:xyz"`),
		deposit(standard, "HYPE", 10),
		transfer(standard, unified, "HYPE", "4", `,"from_wallet":"spot"`),
		transfer(unified, standard, "USDC", "7.5", ""),
		transfer(lender, sub, "USDC", "70", ""),
		loan("withdraw", standard, "USDC", "1"),
		loan("withdraw", unified, "HYPE", "1.25"),
		loan("supply", standard, "HYPE", "2"),
		loan("unsupply", standard, "HYPE", "1"),
		loan("borrow", carry, "USDC", "100"),
		loan("repay", carry, "USDC", "50"),
	}
}
