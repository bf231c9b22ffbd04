package engine

import "plimsoll/risk"

func (g *generator) cancels() {
	c := g.add(risk.KindModify + risk.Kind(g.rng.IntN(4))) // modify, cancel, cancel_all, trigger
	c.Ref = [4]uint32{g.slot(), 0, g.market(), 0}
	g.ofOrder(c)
	if c.Kind == risk.KindCancelAll && g.coin(2) {
		c.Flags |= risk.FlagMarket
	}
	if c.Kind == risk.KindModify {
		c.Flags |= risk.FlagSecond | risk.FlagThird
		g.sizeAndPrice(c, 0, 1)
	}
}

func (g *generator) leverage() {
	c := g.add(risk.KindSetLeverage)
	c.Ref = [4]uint32{g.slot(), 0, g.rng.Uint32N(genPerps + 1), 0}
	c.Leverage = uint16(g.rng.IntN(25))
	if g.coin(2) {
		c.Flags |= risk.FlagIsolated
	}
	if g.coin(3) {
		c.Kind = risk.KindIsolatedMargin
		c.SetNum(0, g.rng.Int64N(2_000)-1_000, 0)
	}
}

func (g *generator) funding() {
	c := g.add(risk.KindFunding)
	c.Mode = uint8(1 + g.rng.IntN(4))
	for i := range int(c.Mode) {
		c.Ref[i] = g.rng.Uint32N(genPerps)
		c.SetNum(i, g.rng.Int64N(2_000)-1_000, 6)
	}
}

func (g *generator) clock() {
	c := g.add(risk.KindClock)
	g.timeMs += g.rng.Int64N(3_600_000)
	c.TimeMs = g.timeMs
	if g.coin(10) {
		c.TimeMs = g.timeMs + g.rng.Int64N(1<<50) // a slip of the key
	}
}

func (g *generator) modes() {
	c := g.add(risk.KindSetMode)
	c.Ref = [4]uint32{g.slot(), 0, 0, 0}
	c.Mode = uint8(g.rng.IntN(5))
}

func (g *generator) parameters() {
	c := g.add(risk.KindSetParameters)
	c.Aux = g.rng.Uint64N(1 << 11)
	c.Mode = uint8(g.rng.IntN(4))
	c.SetNum(0, 1_000+g.rng.Int64N(1<<32), 0)
	c.SetNum(1, g.rng.Int64N(50), 0)
}

func (g *generator) halts() {
	c := g.add(risk.KindResume)
	if g.coin(4) {
		c.Kind = risk.KindHalt
	}
	c.Ref = [4]uint32{g.slot(), 0, g.market(), 0}
	c.Flags = []risk.Flags{risk.FlagAll, risk.FlagAccount, risk.FlagMarket}[g.rng.IntN(3)]
	if c.Kind == risk.KindHalt && c.Flags == risk.FlagAll && !g.coin(4) {
		c.Flags = risk.FlagAccount
	}
}

func (g *generator) rechecks() {
	c := g.add(risk.KindRecheck)
	c.Ref = [4]uint32{g.slot(), risk.NoAccount, risk.NoSlot, risk.NoSlot}
}

func (g *generator) imports() {
	c := g.add(risk.KindImportAccount)
	slot := genAccounts + g.rng.Uint32N(genSlots-genAccounts)
	c.Ref = [4]uint32{slot, risk.NoAccount, 0, 0}
	c.Mode = uint8(1 + g.rng.IntN(3))
	c.SetName([]byte{'i', byte('0' + slot/10), byte('0' + slot%10)})
	for range g.rng.IntN(3) {
		p := g.add(risk.KindPartBalance)
		p.Ref[risk.RefToken] = g.token()
		p.SetNum(0, g.rng.Int64N(5_000), 0)
		p.SetNum(1, g.rng.Int64N(2)*g.rng.Int64N(500), 0)
		p.SetNum(2, g.rng.Int64N(2)*g.rng.Int64N(500), 0)
	}
	if g.coin(2) {
		p := g.add(risk.KindPartWallet)
		p.SetNum(0, g.rng.Int64N(5_000)-500, 0)
	}
	for range g.rng.IntN(3) {
		p := g.add(risk.KindPartPosition)
		p.Ref[risk.RefMarket] = g.rng.Uint32N(genPerps)
		p.Leverage = uint16(1 + g.rng.IntN(10))
		p.SetNum(0, g.rng.Int64N(40)-20, 1)
		p.SetNum(1, 1+g.rng.Int64N(10_000), 0)
	}
	if g.coin(3) {
		p := g.add(risk.KindPartOrder)
		p.Ref[risk.RefMarket] = g.market()
		g.sizeAndPrice(p, 0, 1)
		g.side(p)
		g.orders++
		g.orderID(p)
	}
}

func (g *generator) relist() {
	switch g.rng.IntN(3) {
	case 0:
		g.group = g.listToken(0, "USDC", 8, true, 0, risk.NoSlot)
	case 1:
		g.group = g.listToken(2, "HYPE", 8, g.coin(2), 30+g.rng.Int64N(50), 2)
	default:
		g.group = g.listPerp(g.rng.Uint32N(2), 0, 0, []string{"BTC", "ETH"}[g.rng.IntN(2)])
	}
}

// nonsense is what a broken client sends: any kind, any field, parts that do not belong.
func (g *generator) nonsense() {
	kind := func() risk.Kind { return risk.Kind(g.rng.IntN(80)) }
	for range 1 + g.rng.IntN(3) {
		c := g.add(kind())
		for i := range c.Num {
			c.Num[i] = int64(g.rng.Uint64()) >> g.rng.IntN(64)
			c.Dec[i] = uint8(g.rng.IntN(256) >> g.rng.IntN(8))
			c.Ref[i] = g.rng.Uint32() >> g.rng.IntN(32)
		}
		c.Mode, c.Flags, c.Aux = uint8(g.rng.IntN(8)), risk.Flags(g.rng.Uint32()), g.rng.Uint64()
		c.Wallets = [2]uint16{uint16(g.rng.IntN(40)), uint16(g.rng.IntN(40))}
		c.Leverage, c.OrderLo = uint16(g.rng.IntN(60)), g.rng.Uint64N(100)
		if c.Kind == risk.KindListToken || c.Kind == risk.KindListPerp || c.Kind == risk.KindListSpot {
			c.Ref[risk.RefAccount] %= 8
		}
	}
}
