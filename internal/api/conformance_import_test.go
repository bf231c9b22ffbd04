package api_test

import (
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// grid multiplies every amount of an account by 10^power and rounds it to the decimals
// that its instrument has: the account that import_account takes. With power 0 a scaled
// capture loses digits; with a higher power its digits become digits of the instrument.
func (a *account) grid(power int) *account {
	by := step(-power)
	cut := func(x *big.Rat, decimals int) *big.Rat { return round(mul(x, by), decimals) }
	g := &account{mode: a.mode, raw: map[string]*big.Rat{}, dexToken: a.dexToken, positions: slices.Clone(a.positions)}
	for dex, raw := range a.raw {
		g.raw[dex] = cut(raw, 8)
	}
	for i := range g.positions {
		p := &g.positions[i]
		size := p.size
		p.size = cut(size, p.sizeDigits)
		p.entry = round(mul(p.entry, quo(p.size, size)), 6)
		if p.isIsolated {
			p.raw = cut(p.raw, 8)
		}
		p.tiers = slices.Clone(p.tiers)
		for j := range p.tiers {
			p.tiers[j].lower = cut(p.tiers[j].lower, max(0, 6-power)) // 18 digits on the wire
		}
	}
	for _, o := range a.orders {
		o.size, o.original = cut(o.size, o.sizeDigits), cut(o.original, o.sizeDigits)
		if o.size.Sign() > 0 {
			g.orders = append(g.orders, o)
		}
	}
	for _, h := range a.holdings {
		h.total, h.supplied, h.borrowed = cut(h.total, h.wei), cut(h.supplied, h.wei), cut(h.borrowed, h.wei)
		h.entry, h.userSupplyCap, h.userBorCap = cut(h.entry, 8), cut(h.userSupplyCap, h.wei), cut(h.userBorCap, h.wei)
		g.holdings = append(g.holdings, h)
	}
	return g
}

// amounts returns the captured amounts of an account, to be moved one by one.
func (a *account) amounts() []**big.Rat {
	var all []**big.Rat
	for i := range a.positions {
		p := &a.positions[i]
		all = append(all, &p.size, &p.entry)
		if p.isIsolated {
			all = append(all, &p.raw)
		}
	}
	for i := range a.orders {
		all = append(all, &a.orders[i].size, &a.orders[i].original)
	}
	for i := range a.holdings {
		h := &a.holdings[i]
		all = append(all, &h.total, &h.supplied, &h.borrowed, &h.userSupplyCap, &h.userBorCap)
	}
	return all
}

// blur returns how far each figure may move when every amount moves by half a unit of the
// last digit that the capture shows of it.
func (a *account) blur(unit *big.Rat) figures {
	base, sum := a.figures(), figures{}
	half := quo(unit, ratOf(2))
	move := func() {
		for k, v := range a.figures() {
			if v == nil || base[k] == nil {
				continue
			}
			if d := abs(sub(v, base[k])); d.Sign() > 0 {
				if sum[k] == nil {
					sum[k] = ratOf(0)
				}
				sum[k] = add(sum[k], d)
			}
		}
	}
	for _, x := range a.amounts() {
		kept := *x
		*x = add(kept, half)
		move()
		*x = kept
	}
	for dex, kept := range a.raw {
		a.raw[dex] = add(kept, half)
		move()
		a.raw[dex] = kept
	}
	return sum
}

// listings returns the commands that list what an account needs, and its prices.
func (a *account) listings(u *universe) []command {
	var commands []command
	px := command{}
	for i := range a.holdings {
		h := &a.holdings[i]
		more := command{
			"ltv": plain(h.ltv, 12), "borrowable": h.isBorrowable, "user_supply_cap": plain(h.userSupplyCap, h.wei),
			"user_borrow_cap": plain(h.userBorCap, h.wei), "supply_cap": plain(h.userSupplyCap, h.wei),
			"borrow_cap": plain(h.userBorCap, h.wei),
		}
		commands = append(commands, listToken(h.token, h.index, h.wei, u.tokens[h.token].size, more))
		px[h.token] = plain(h.px, 10)
	}
	for i, dex := range slices.Sorted(maps.Keys(a.raw)) {
		commands = append(commands, command{"type": "list_dex", "dex": dex, "index": i, "collateral_token": a.dexToken[dex]})
	}
	marks := command{}
	for i := range a.positions {
		p := &a.positions[i]
		commands = append(commands, p.listing(u.perps[p.coin].index+i*1000*boolInt(p.isFiller)))
		marks[p.coin] = plain(p.mark, 6)
	}
	for _, o := range a.orders {
		_, isListed := marks[o.market]
		switch {
		case o.isSpot && !isListed:
			commands = append(commands, command{"type": "list_spot", "spot": o.market, "index": 107, "base": "HYPE", "quote": "USDC"})
			marks[o.market] = nil
		case !o.isSpot && !isListed: // an untriggered stop on a perp without a position
			terms := u.perps[o.market]
			p := position{coin: o.market, sizeDigits: terms.sizeDigits, tiers: terms.tiers, mode: terms.mode}
			commands = append(commands, p.listing(terms.index))
			marks[o.market] = plain(o.price, 6)
		}
	}
	maps.DeleteFunc(marks, func(_ string, v any) bool { return v == nil })
	prices := command{"type": "prices", "token_oracles": px}
	if len(marks) > 0 {
		prices["marks"] = marks
	}
	return append(commands, command{"type": "set_parameters", "hl_compat": true}, prices)
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (p *position) listing(index int) command {
	var tiers []command
	for _, x := range p.tiers {
		tiers = append(tiers, command{"lower_bound": plain(x.lower, 6), "max_leverage": x.leverage})
	}
	return command{
		"type": "list_perp", "perp": p.coin, "index": index, "dex": p.dex, "sz_decimals": p.sizeDigits, "collateral_token": "USDC",
		"tiers": tiers, "margin_mode": p.mode,
	}
}

// imported returns the import_account of an account.
func (a *account) imported(name string) command {
	balances, dexes, positions, orders := []command{}, []command{}, []command{}, []command{}
	for i := range a.holdings {
		h := &a.holdings[i]
		b := command{"token": h.token, "total": plain(h.total, h.wei), "entry_ntl": plain(h.entry, 8)}
		if h.supplied.Sign() > 0 {
			b["supplied"] = plain(h.supplied, h.wei)
		}
		if h.borrowed.Sign() > 0 {
			b["borrowed"] = plain(h.borrowed, h.wei)
		}
		balances = append(balances, b)
	}
	for dex, raw := range a.raw {
		dexes = append(dexes, command{"dex": dex, "raw_usd": plain(raw, 8)})
	}
	for i := range a.positions {
		p := &a.positions[i]
		c := command{
			"perp": p.coin, "size": plain(p.size, p.sizeDigits), "entry_notional": plain(p.entry, 6), "leverage": p.leverage,
			"margin": "cross",
		}
		if p.isIsolated {
			c["margin"], c["raw_usd"] = "isolated", plain(p.raw, 8)
		}
		positions = append(positions, c)
	}
	for i := range a.orders {
		orders = append(orders, a.orders[i].imported(i))
	}
	return command{
		"type": "import_account", "account": name, "mode": a.mode, "balances": balances, "dexes": dexes, "positions": positions,
		"orders": orders,
	}
}

func (o *restingOrder) imported(n int) command {
	side := "buy"
	if o.isSell {
		side = "sell"
	}
	c := command{
		"order_id": strconv.Itoa(n + 1), "market": o.market, "side": side, "price": plain(o.price, 8), "size": plain(o.size, 8),
		"orig_size": plain(maxOf(o.original, o.size), 8), "reduce_only": o.source.ReduceOnly,
	}
	if o.source.IsTrigger {
		tpsl := "sl"
		if strings.HasPrefix(o.source.OrderType, "Take") {
			tpsl = "tp"
		}
		c["trigger"] = command{
			"price": plain(rat(o.source.TriggerPx), 8), "is_market": strings.HasSuffix(o.source.OrderType, "Market"), "tpsl": tpsl,
		}
	}
	return c
}
