package risktest

import "plimsoll/risk"

// tokenAmount turns US dollars at 1e-6 into an amount of a token at 1e-6, and now and
// then one that uses all decimals of the token.
func (g *Generator) tokenAmount(token uint32, dollars int64) (mantissa int64, decimals uint8) {
	v := max(1, mulDiv(dollars, million, g.tokens[token]))
	if g.r.IntN(3) == 0 && universeTokens[token].wei <= 10 {
		extra := universeTokens[token].wei - 6
		for range extra {
			v = v*10 + g.r.Int64N(10)
		}
		return v, 6 + extra
	}
	return v, 6
}

// funds makes a command that moves an amount of a token.
func (g *Generator) funds(kind risk.Kind, account, token uint32, dollars int64) risk.Command {
	c := risk.Command{Kind: kind}
	c.Ref = [4]uint32{account, 0, 0, token}
	v, decimals := g.tokenAmount(token, dollars)
	c.SetNum(0, v, decimals)
	if g.modes[account] == risk.ModeStandard {
		c.Wallets[0] = g.wallet(token)
	}
	return c
}

// wallet returns a wallet that can hold a token, or now and then any.
func (g *Generator) wallet(token uint32) uint16 {
	if g.r.IntN(20) == 0 {
		return uint16(g.r.IntN(8))
	}
	if n := g.r.IntN(len(universeDexes)); universeDexes[n].token == token && g.r.IntN(3) != 0 {
		return uint16(risk.WalletPerp) + uint16(n)
	}
	return uint16(g.r.IntN(2))
}

func (g *Generator) token() uint32 {
	return []uint32{0, 0, 0, 1, 1, 2, 2, 3, 4, 5}[g.r.IntN(10)]
}

func (g *Generator) depositOf(slot uint32) []risk.Command {
	return []risk.Command{g.funds(risk.KindDeposit, slot, g.token(), g.money(2*million*million))}
}

func (g *Generator) deposit() []risk.Command { return g.depositOf(g.account()) }

func (g *Generator) withdraw() []risk.Command {
	return []risk.Command{g.funds(risk.KindWithdraw, g.account(), g.token(), g.money(20_000*million))}
}

func (g *Generator) transfer() []risk.Command {
	from, to := g.account(), g.account()
	if g.r.IntN(4) == 0 {
		to = from
	}
	c := g.funds(risk.KindTransfer, from, g.token(), g.money(20_000*million))
	c.Ref[risk.RefOther] = to
	if g.modes[to] == risk.ModeStandard {
		c.Wallets[1] = g.wallet(c.Token())
	}
	return []risk.Command{c}
}

func (g *Generator) lending() []risk.Command {
	kind := []risk.Kind{risk.KindSupply, risk.KindUnsupply, risk.KindBorrow, risk.KindRepay}[g.r.IntN(4)]
	c := g.funds(kind, g.account(), g.r.Uint32N(4), g.money(200_000*million))
	c.Wallets[0] = 0
	if g.r.IntN(4) == 0 {
		c.Flags |= risk.FlagAll
	}
	return []risk.Command{c}
}

func (g *Generator) setMode() []risk.Command {
	c := risk.Command{Kind: risk.KindSetMode, Mode: uint8(1 + g.r.IntN(3))}
	c.Ref[risk.RefAccount] = g.account()
	return []risk.Command{c}
}

// Portfolio makes the import of a random account: balances, wallets, positions and orders
// in any mode, above or below every line.
func (g *Generator) Portfolio(slot uint32) []risk.Command {
	group := []risk.Command{g.head(risk.KindImportAccount, slot)}
	for n := range universeDexes {
		if g.r.IntN(2+n) == 0 {
			c := risk.Command{Kind: risk.KindPartWallet}
			c.Ref[risk.RefMarket] = uint32(n)
			c.SetNum(0, g.money(30_000*million)-g.money(5_000*million), 6)
			group = append(group, c)
		}
	}
	for n := range universePerps {
		if g.r.IntN(4) == 0 {
			group = append(group, g.importedPosition(n))
		}
	}
	for range g.r.IntN(4) {
		group = append(group, g.importedOrder())
	}
	for n := range universeTokens {
		if g.r.IntN(3) != 0 {
			group = append(group, g.importedBalance(uint32(n)))
		}
	}
	return group
}

func (g *Generator) importedPosition(n int) risk.Command {
	p := &universePerps[n]
	like := g.dealt(risk.KindFill, 0, uint32(n), g.money(90_000*million))
	c := risk.Command{Kind: risk.KindPartPosition, Leverage: uint16(1 + g.r.IntN(int(p.tiers[1])))}
	c.Ref[risk.RefMarket] = uint32(n)
	size, entry := like.Num[0], like.Num[0]*like.Num[1] // at 1e-6
	if p.mode != risk.MarginNormal || g.r.IntN(4) == 0 {
		c.Flags |= risk.FlagIsolated
	}
	raw := entry / int64(c.Leverage)
	if like.Has(risk.FlagSell) {
		size, raw = -size, raw+2*entry
	}
	c.SetNum(0, size, p.sz)
	c.SetNum(1, g.near(entry), 6)
	c.SetNum(2, raw-entry+g.r.Int64N(1+entry/50)-entry/100, 6)
	c.SetNum(3, g.r.Int64N(2_000_000)-1_000_000, 6)
	return c
}

func (g *Generator) importedOrder() risk.Command {
	c := g.order()[0]
	c.Kind = risk.KindPartOrder
	c.Ref[risk.RefAccount] = 0
	if g.r.IntN(2) == 0 {
		c.Flags |= risk.FlagSecond
		c.SetNum(3, c.Num[0]+g.r.Int64N(1+c.Num[0]), c.Dec[0])
	}
	return c
}

func (g *Generator) importedBalance(token uint32) risk.Command {
	c := risk.Command{Kind: risk.KindPartBalance}
	c.Ref[risk.RefToken] = token
	total := g.money(300_000 * million)
	v, decimals := g.tokenAmount(token, total)
	c.SetNum(0, v, decimals)
	t := &universeTokens[token]
	isLendable := t.isBorrowable || t.ltvPercent > 0
	switch g.r.IntN(4) {
	case 0:
	case 1:
		if isLendable && t.isBorrowable {
			owed, decimals := g.tokenAmount(token, g.money(80_000*million))
			c.SetNum(2, owed, decimals)
			c.SetNum(0, v/2-owed%(1+v), c.Dec[0])
		}
	default:
		if isLendable {
			c.SetNum(1, v-g.r.Int64N(1+v/3), c.Dec[0])
		}
	}
	c.SetNum(3, g.r.Int64N(1_000_000_000_000), 8)
	return c
}
