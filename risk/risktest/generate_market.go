package risktest

import (
	"plimsoll/fixedpoint"
	"plimsoll/risk"
)

// market returns a perp, or one time in four a spot.
func (g *Generator) market() uint32 {
	if g.r.IntN(4) == 0 {
		return risk.SpotBit | g.r.Uint32N(uint32(len(universeSpots)))
	}
	return g.r.Uint32N(uint32(len(universePerps)))
}

// quote returns size decimals, price decimals and the price at 1e-6 of a market.
func (g *Generator) quote(market uint32) (sz, px uint8, price int64) {
	if market&risk.SpotBit != 0 {
		s := universeSpots[market&^risk.SpotBit]
		sz = universeTokens[s.base].sz
		return sz, 8 - sz, g.spotPrice(s)
	}
	sz = universePerps[market].sz
	return sz, 6 - sz, g.perps[market]
}

// spotPrice follows from the token prices.
func (g *Generator) spotPrice(s listedSpot) int64 {
	return mulDiv(g.tokens[s.base], million, g.tokens[s.quote])
}

// at brings a price at 1e-6 to decimals, at least one step.
func at(price int64, decimals uint8) int64 {
	for range max(0, 6-int(decimals)) {
		price /= 10
	}
	for range max(0, int(decimals)-6) {
		price *= 10
	}
	return max(price, 1)
}

// near returns a price within a few percent of another, often exactly it.
func (g *Generator) near(price int64) int64 {
	if g.r.IntN(3) == 0 {
		return price
	}
	return max(1, price+price/1000*(g.r.Int64N(101)-50))
}

// sizeFor returns a size in steps that costs about dollars (at 1e-6) at a price (at 1e-6).
func sizeFor(dollars, price int64, sz uint8) int64 {
	return max(1, mulDiv(dollars, fixedpoint.Pow10(sz), price))
}

// mulDiv returns a x b / d, floored.
func mulDiv(a, b, d int64) int64 {
	v, ok := fixedpoint.MulDivFloor(a, b, d)
	if !ok {
		panic("risktest: BUG: a generated amount above 64 bits")
	}
	return v
}

// dealt makes the common part of an order, fill or trade.
func (g *Generator) dealt(kind risk.Kind, account, market uint32, dollars int64) risk.Command {
	sz, px, price := g.quote(market)
	price = g.near(price)
	c := risk.Command{Kind: kind}
	c.Ref = [4]uint32{account, 0, market, risk.NoSlot}
	if g.r.IntN(2) == 0 {
		c.Flags |= risk.FlagSell
	}
	c.SetNum(0, sizeFor(dollars, price, sz), sz)
	c.SetNum(1, at(price, px), px)
	return c
}

func (g *Generator) order() []risk.Command {
	c := g.dealt(risk.KindOrder, g.account(), g.market(), g.money(200_000*million))
	if g.r.IntN(8) == 0 && c.Market()&risk.SpotBit == 0 {
		c.Flags |= risk.FlagReduceOnly
	}
	if g.r.IntN(8) == 0 {
		c.Flags |= risk.FlagTrigger | risk.FlagTakeProfit
		c.SetNum(2, c.Num[1], c.Dec[1])
	}
	g.orderID++
	c.OrderLo, c.OrderForm = g.orderID, risk.FormUint
	if g.r.IntN(5) == 0 {
		c.OrderHi, c.OrderForm = g.orderID*77, risk.FormHex
	}
	if len(g.orders) > 0 && g.r.IntN(20) == 0 {
		c.OrderLo = g.orders[g.r.IntN(len(g.orders))].id
	}
	c.Flags |= risk.FlagOrderID
	g.remember(&c)
	return []risk.Command{c}
}

func (g *Generator) remember(c *risk.Command) {
	g.orders = append(g.orders, madeOrder{c.Account(), c.Market(), c.OrderLo, c.OrderForm})
	if len(g.orders) > 64 {
		g.orders = g.orders[1:]
	}
}

// named makes a command about an order asked for some time ago.
func (g *Generator) named(kind risk.Kind) (c risk.Command, market uint32) {
	c.Kind, c.Flags = kind, risk.FlagOrderID
	if len(g.orders) == 0 {
		c.Ref[risk.RefAccount], c.OrderLo, c.OrderForm = g.account(), 1, risk.FormUint
		return c, 0
	}
	o := g.orders[g.r.IntN(len(g.orders))]
	c.Ref[risk.RefAccount], c.OrderLo, c.OrderForm = o.account, o.id, o.form
	if o.form == risk.FormHex {
		c.OrderHi = o.id * 77
	}
	return c, o.market
}

func (g *Generator) modify() []risk.Command {
	c, market := g.named(risk.KindModify)
	like := g.dealt(risk.KindOrder, 0, market, g.money(100_000*million))
	if g.r.IntN(3) != 0 {
		c.Flags |= risk.FlagSecond
		c.SetNum(0, like.Num[0], like.Dec[0])
	}
	if g.r.IntN(3) != 0 {
		c.Flags |= risk.FlagThird
		c.SetNum(1, like.Num[1], like.Dec[1])
	}
	return []risk.Command{c}
}

func (g *Generator) cancel() []risk.Command {
	if g.r.IntN(6) == 0 {
		c := risk.Command{Kind: risk.KindCancelAll}
		c.Ref[risk.RefAccount] = g.account()
		if g.r.IntN(2) == 0 {
			c.Flags, c.Ref[risk.RefMarket] = risk.FlagMarket, g.market()
		}
		return []risk.Command{c}
	}
	c, _ := g.named(risk.KindCancel)
	return []risk.Command{c}
}

func (g *Generator) trigger() []risk.Command {
	c, _ := g.named(risk.KindTrigger)
	return []risk.Command{c}
}

// fill makes a one-sided fill, one time in three of an order asked for.
func (g *Generator) fill() []risk.Command {
	account, market := g.account(), g.market()
	id, at := g.named(risk.KindFill)
	if g.fills++; g.opts.Liquidation && !g.opts.NoBackstop && g.fills%6 == 0 {
		account = g.opts.Accounts // the liquidator, who sells what it took, or anything
	}
	isOrder := g.r.IntN(3) == 0 && len(g.orders) > 0
	if isOrder {
		account, market = id.Account(), at
	}
	c := g.dealt(risk.KindFill, account, market, g.money(60_000*million))
	if isOrder {
		c.OrderHi, c.OrderLo, c.OrderForm = id.OrderHi, id.OrderLo, id.OrderForm
		c.Flags |= risk.FlagOrderID
	}
	g.charge(&c, 2)
	if c.Has(risk.FlagFee) && g.r.IntN(8) == 0 {
		c.Ref[risk.RefToken] = g.r.Uint32N(uint32(len(universeTokens)))
	}
	return []risk.Command{c}
}

// charge adds a fee of cents, at times a rebate.
func (g *Generator) charge(c *risk.Command, number int) {
	if g.r.IntN(3) != 0 {
		c.Flags |= risk.FlagFee
		c.SetNum(number, g.r.Int64N(40_000)-2_000, 4)
	}
}

func (g *Generator) trade() []risk.Command {
	head := g.dealt(risk.KindTrade, g.account(), g.market(), g.money(60_000*million))
	head.Flags = 0
	seller := risk.Command{Kind: risk.KindPartSeller}
	seller.Ref[risk.RefAccount] = g.account()
	g.charge(&head, 2)
	g.charge(&seller, 0)
	if len(g.orders) > 0 && g.r.IntN(3) == 0 {
		id, market := g.named(risk.KindTrade)
		head.Ref[risk.RefMarket] = market
		like := g.dealt(risk.KindTrade, 0, market, g.money(10_000*million))
		head.SetNum(0, like.Num[0], like.Dec[0])
		head.SetNum(1, like.Num[1], like.Dec[1])
		to := &head
		if g.r.IntN(2) == 0 {
			to = &seller
		}
		to.Ref[risk.RefAccount], to.OrderHi, to.OrderLo, to.OrderForm = id.Account(), id.OrderHi, id.OrderLo, id.OrderForm
		to.Flags |= risk.FlagOrderID
	}
	return []risk.Command{head, seller}
}

func (g *Generator) leverage() []risk.Command {
	n := g.r.Uint32N(uint32(len(universePerps)))
	c := risk.Command{Kind: risk.KindSetLeverage, Leverage: uint16(1 + g.r.IntN(int(universePerps[n].tiers[1])))}
	c.Ref = [4]uint32{g.account(), 0, n, 0}
	if universePerps[n].mode != risk.MarginNormal || g.r.IntN(3) == 0 {
		c.Flags |= risk.FlagIsolated
	}
	return []risk.Command{c}
}

func (g *Generator) isolatedMargin() []risk.Command {
	c := risk.Command{Kind: risk.KindIsolatedMargin}
	c.Ref = [4]uint32{g.account(), 0, g.r.Uint32N(uint32(len(universePerps))), 0}
	v := g.money(5_000 * million)
	if g.r.IntN(2) == 0 {
		v = -v
	}
	c.SetNum(0, v, 6)
	return []risk.Command{c}
}

// fullTick prices everything.
func (g *Generator) fullTick() []risk.Command {
	var b tickBuilder
	for n := range universePerps {
		b.add(risk.PriceMark, uint32(n), at(g.perps[n], 6-universePerps[n].sz), 6-universePerps[n].sz)
		b.add(risk.PriceOracle, uint32(n), g.perps[n], 6)
	}
	for n, s := range universeSpots {
		px := 8 - universeTokens[s.base].sz
		b.add(risk.PriceSpot, risk.SpotBit|uint32(n), at(g.spotPrice(s), px), px)
	}
	for n := range universeTokens[3:5] {
		b.add(risk.PriceTokenOracle, uint32(3+n), g.tokens[3+n], 6)
	}
	return b.group
}

// tick moves a few prices, at times far.
func (g *Generator) tick() []risk.Command {
	span := []int64{2, 10, 50, 250}[g.r.IntN(4)] // per mille
	for range 1 + g.r.IntN(4) {
		n := g.r.IntN(len(g.perps))
		g.perps[n] = g.moved(g.perps[n], span, universePerps[n].price)
		for i := range universeTokens {
			if universeTokens[i].perp == uint32(n) {
				g.tokens[i] = g.near(g.perps[n])
			}
		}
	}
	if g.r.IntN(3) == 0 {
		return g.fullTick()
	}
	var b tickBuilder
	for range 1 + g.r.IntN(6) {
		n := g.r.Uint32N(uint32(len(g.perps)))
		px := 6 - universePerps[n].sz
		b.add(risk.PriceMark, n, at(g.perps[n], px), px)
		if g.r.IntN(3) == 0 {
			b.add(risk.PriceOracle, n, g.near(g.perps[n]), 6)
		}
		if g.r.IntN(12) == 0 {
			t := g.r.IntN(len(g.tokens))
			b.add(risk.PriceTokenOracle, uint32(t), g.near(g.tokens[t]), 6)
		}
	}
	return b.group
}

// moved steps a price, held within a factor of five of where it started.
func (g *Generator) moved(price, span, start int64) int64 {
	price += price / 1000 * (g.r.Int64N(2*span+1) - span)
	return max(min(price, 5*start), start/5)
}

// tickBuilder packs prices four to a record.
type tickBuilder struct {
	group []risk.Command
	count int
}

func (b *tickBuilder) add(kind risk.PriceKind, slot uint32, mantissa int64, decimals uint8) {
	if b.count%4 == 0 {
		b.group = append(b.group, risk.Command{Kind: risk.KindPrices})
	}
	b.group[b.count/4].SetPrice(b.count%4, kind, slot, mantissa, decimals)
	b.count++
}
