package engine

import (
	"math/rand/v2"

	"plimsoll/risk"
)

// generator makes histories of real commands for risk.Machine: a small venue whose pools
// sit at binding caps, accounts in every mode that trade, borrow and move funds across
// shards, prices that crash, and a share of nonsense. To extend it add a method and a line
// in table.
type generator struct {
	rng    *rand.Rand
	timeMs int64
	orders uint64
	placed []placed // where orders went, refused ones included
	group  []risk.Command
	price  [genPerps]int64 // last marks, in cents
}

// placed is an order that was sent.
type placed struct {
	account, market uint32
	id              uint64
}

const (
	genTokens   = 4
	genPerps    = 4
	genSpots    = 2
	genAccounts = 40
	genSlots    = 48 // AccountsMax: some slots are never opened, some names are beyond
)

// realHistory makes the history of a seed.
func realHistory(seed uint64) script {
	g := &generator{
		rng: rand.New(rand.NewPCG(seed, 0x6E)), timeMs: 1_700_000_000_000, price: [genPerps]int64{6_000_000, 300_000, 2_500, 100},
	}
	h := script{g.listings(), g.accounts()}
	for range 20 + g.rng.IntN(40) {
		var batch []risk.Command
		for range 1 + g.rng.IntN(6) {
			batch = append(batch, g.command()...)
		}
		h = append(h, batch)
	}
	return h
}

// command draws one group.
func (g *generator) command() []risk.Command {
	table := []struct {
		weight int
		make   func(*generator)
	}{
		{12, (*generator).ticks},
		{10, (*generator).order},
		{10, (*generator).fill},
		{8, (*generator).trade},
		{8, (*generator).transfer},
		{8, (*generator).funds},
		{10, (*generator).lending},
		{5, (*generator).cancels},
		{4, (*generator).leverage},
		{3, (*generator).funding},
		{3, (*generator).clock},
		{2, (*generator).modes},
		{2, (*generator).parameters},
		{2, (*generator).halts},
		{2, (*generator).rechecks},
		{1, (*generator).imports},
		{1, (*generator).relist},
		{3, (*generator).nonsense},
	}
	sum := 0
	for _, row := range table {
		sum += row.weight
	}
	at := g.rng.IntN(sum)
	for _, row := range table {
		if at -= row.weight; at < 0 {
			g.group = nil
			row.make(g)
			break
		}
	}
	head := &g.group[0]
	if g.rng.IntN(4) == 0 {
		head.Client, head.IDForm, head.IDLo = uint16(g.rng.IntN(4)), risk.FormUint, g.rng.Uint64N(40)
	}
	if head.TimeMs == 0 && g.rng.IntN(3) == 0 {
		g.timeMs += g.rng.Int64N(1500)
		head.TimeMs = g.timeMs
	}
	return seal(g.group)
}

// seal numbers the records of a group.
func seal(group []risk.Command) []risk.Command {
	for i := range group {
		group[i].GroupLeft = uint16(len(group) - 1 - i)
	}
	return group
}

func (g *generator) add(kind risk.Kind) *risk.Command {
	g.group = append(g.group, risk.Command{Kind: kind})
	return &g.group[len(g.group)-1]
}

func (g *generator) slot() uint32 {
	switch g.rng.IntN(40) {
	case 0:
		return risk.NoAccount
	case 1:
		return genSlots + g.rng.Uint32N(3)
	default:
		return g.rng.Uint32N(genAccounts + 2)
	}
}

func (g *generator) token() uint32 { return g.rng.Uint32N(genTokens + 1) }

func (g *generator) market() uint32 {
	if g.rng.IntN(4) == 0 {
		return risk.SpotBit | g.rng.Uint32N(genSpots)
	}
	return g.rng.Uint32N(genPerps)
}

// coin reports true once in n.
func (g *generator) coin(n int) bool { return g.rng.IntN(n) == 0 }

// sizeAndPrice writes a size and a price near the market's.
func (g *generator) sizeAndPrice(c *risk.Command, size, price int) {
	m := c.Market() &^ risk.SpotBit % genPerps
	c.SetNum(size, 1+g.rng.Int64N(40), uint8(g.rng.IntN(2)))
	c.SetNum(price, max(1, g.price[m]*(90+g.rng.Int64N(20))/100), 2)
	if g.coin(30) {
		c.Dec[g.rng.IntN(2)] = uint8(g.rng.IntN(20))
	}
	if g.coin(50) {
		c.Num[g.rng.IntN(2)] = int64(g.rng.Uint64()) >> g.rng.IntN(64)
	}
}

func (g *generator) listToken(slot uint32, name string, wei uint8, isBorrowable bool, ltv int64, perp uint32) []risk.Command {
	g.group = nil
	c := g.add(risk.KindListToken)
	c.Mode, c.Leverage = wei, 2
	c.Ref = [4]uint32{0, slot * 10, perp, slot}
	if isBorrowable {
		c.Flags = risk.FlagBorrowable
	}
	for i, v := range [4]int64{60_000, 15_000, 20_000, 4_000} { // caps that bind
		c.SetNum(i, v, 0)
	}
	rates := g.add(risk.KindPartRates)
	for i, v := range [4]int64{ltv, 5, 475, 80} {
		rates.SetNum(i, v, 2)
	}
	g.add(risk.KindPartLimits).SetNum(0, 1, 1)
	g.add(risk.KindPartName).SetName([]byte(name))
	return seal(g.group)
}

func (g *generator) listPerp(slot uint32, dex uint16, collateral uint32, name string) []risk.Command {
	g.group = nil
	c := g.add(risk.KindListPerp)
	c.Leverage, c.Wallets[0] = 2, dex
	c.Ref = [4]uint32{0, slot, slot, collateral}
	if slot == 1 {
		c.Flags = risk.FlagThird
		c.SetNum(1, 500, 0) // an open interest cap that binds
	}
	if slot == 2 {
		c.Mode = uint8(risk.MarginNoCross)
	}
	tiers := g.add(risk.KindPartTiers)
	tiers.Mode, tiers.Ref[0], tiers.Ref[1] = 2, 20, 5
	tiers.SetNum(0, 0, 0)
	tiers.SetNum(1, 50_000, 0)
	g.add(risk.KindPartName).SetName([]byte(name))
	return seal(g.group)
}

// listings is the first batch: everything is listed and priced.
func (g *generator) listings() []risk.Command {
	var batch []risk.Command
	batch = append(batch, g.listToken(0, "USDC", 8, true, 0, risk.NoSlot)...)
	dex := risk.Command{Kind: risk.KindListDex, GroupLeft: 1}
	dex.Ref = [4]uint32{0, 1, 1, 3}
	name := risk.Command{Kind: risk.KindPartName}
	name.SetName([]byte("xyz"))
	batch = append(batch, g.listToken(3, "USDT0", 8, true, 0, risk.NoSlot)...)
	batch = append(batch, dex, name)
	batch = append(batch, g.listPerp(0, 0, 0, "BTC")...)
	batch = append(batch, g.listPerp(1, 0, 0, "ETH")...)
	batch = append(batch, g.listPerp(2, 0, 0, "HYPE")...)
	batch = append(batch, g.listPerp(3, 1, 3, "xyz:TSLA")...)
	batch = append(batch, g.listToken(1, "UBTC", 10, false, 50, 0)...)
	batch = append(batch, g.listToken(2, "HYPE", 8, g.coin(2), 65, 2)...)
	for i, base := range []uint32{1, 2} {
		c := risk.Command{Kind: risk.KindListSpot, GroupLeft: 1}
		c.Ref = [4]uint32{0, uint32(i), uint32(i) | risk.SpotBit, base}
		name := risk.Command{Kind: risk.KindPartName}
		name.SetName([]byte{'S', byte('0' + i)})
		batch = append(batch, c, name)
	}
	for range 3 {
		g.group = nil
		g.ticks()
		batch = append(batch, seal(g.group)...)
	}
	batch[len(batch)-1].TimeMs = 0
	return batch
}

// accounts is the second batch: accounts of every mode with funds.
func (g *generator) accounts() []risk.Command {
	var batch []risk.Command
	for slot := range uint32(genAccounts) {
		c := risk.Command{Kind: risk.KindOpenAccount, Mode: uint8(1 + (slot+1)%3)}
		c.SetName([]byte{'a', byte('0' + slot/10), byte('0' + slot%10)})
		c.Ref = [4]uint32{slot, risk.NoAccount, 0, 0}
		if slot > 30 {
			c.Ref[risk.RefOther] = slot % 5
		}
		batch = append(batch, c)
		for range 1 + g.rng.IntN(3) {
			d := risk.Command{Kind: risk.KindDeposit}
			d.Ref = [4]uint32{slot, 0, 0, g.rng.Uint32N(genTokens)}
			d.SetNum(0, 1+g.rng.Int64N(9_000), 0)
			batch = append(batch, d)
		}
	}
	return batch
}

func (g *generator) ticks() {
	crash := g.coin(6)
	for range 1 + g.rng.IntN(3) {
		c := g.add(risk.KindPrices)
		for i := range 1 + g.rng.IntN(4) {
			n := g.rng.Uint32N(genPerps)
			move := 970 + g.rng.Int64N(60)
			if crash {
				move = 600 + g.rng.Int64N(700)
			}
			g.price[n] = max(1, g.price[n]*move/1000)
			switch kind := risk.PriceKind(g.rng.IntN(4)); kind {
			case risk.PriceSpot:
				c.SetPrice(i, kind, g.rng.Uint32N(genSpots)|risk.SpotBit, max(1, g.price[n]), 2)
			case risk.PriceTokenOracle:
				c.SetPrice(i, kind, g.rng.Uint32N(genTokens), 95+g.rng.Int64N(10), 2)
			default:
				c.SetPrice(i, kind, n, g.price[n], 2)
			}
		}
	}
}

func (g *generator) side(c *risk.Command) {
	if g.coin(2) {
		c.Flags |= risk.FlagSell
	}
}

func (g *generator) orderID(c *risk.Command) {
	c.Flags |= risk.FlagOrderID
	c.OrderForm, c.OrderLo = risk.FormUint, 1+g.rng.Uint64N(g.orders+2)
}

// ofOrder points a command at an order that was sent, mostly a recent one.
func (g *generator) ofOrder(c *risk.Command) {
	if len(g.placed) == 0 || g.coin(8) {
		g.orderID(c)
		return
	}
	recent := g.placed[max(0, len(g.placed)-12):]
	p := recent[g.rng.IntN(len(recent))]
	c.Flags |= risk.FlagOrderID
	c.OrderForm, c.OrderLo = risk.FormUint, p.id
	c.Ref[risk.RefAccount], c.Ref[risk.RefMarket] = p.account, p.market
}

func (g *generator) order() {
	c := g.add(risk.KindOrder)
	c.Ref = [4]uint32{g.slot(), 0, g.market(), 0}
	g.sizeAndPrice(c, 0, 1)
	g.side(c)
	g.orders++
	g.orderID(c)
	c.OrderLo = g.orders
	switch g.rng.IntN(8) {
	case 0:
		c.Flags |= risk.FlagReduceOnly
	case 1:
		c.Flags |= risk.FlagTrigger | risk.FlagTakeProfit
		c.Num[2], c.Dec[2] = c.Num[1], c.Dec[1]
	case 2:
		c.OrderLo = 1 + g.rng.Uint64N(g.orders)
	}
	g.placed = append(g.placed, placed{account: c.Account(), market: c.Market(), id: c.OrderLo})
}

func (g *generator) fill() {
	c := g.add(risk.KindFill)
	c.Ref = [4]uint32{g.slot(), 0, g.market(), risk.NoSlot}
	g.sizeAndPrice(c, 0, 1)
	g.side(c)
	if g.coin(2) {
		c.Flags |= risk.FlagFee
		c.SetNum(2, g.rng.Int64N(200)-20, 2)
		if g.coin(3) {
			c.Ref[risk.RefToken] = g.token()
		}
	}
	if g.coin(3) {
		g.ofOrder(c)
	}
}

func (g *generator) trade() {
	c := g.add(risk.KindTrade)
	c.Ref = [4]uint32{g.slot(), 0, g.market(), risk.NoSlot}
	if g.coin(3) {
		g.ofOrder(c)
	}
	g.sizeAndPrice(c, 0, 1)
	if g.coin(2) {
		c.Flags |= risk.FlagFee
		c.SetNum(2, g.rng.Int64N(100), 2)
	}
	s := g.add(risk.KindPartSeller)
	s.Ref = [4]uint32{g.slot(), 0, 0, 0}
	if g.coin(3) {
		g.orderID(s)
	}
}

func (g *generator) wallet() uint16 {
	if g.coin(3) {
		return uint16(g.rng.IntN(5))
	}
	return uint16(risk.WalletDefault)
}

func (g *generator) amount(c *risk.Command) {
	c.SetNum(0, 1+g.rng.Int64N(4_000), 0)
	if g.coin(3) {
		c.SetNum(0, 1+g.rng.Int64N(1_000_000), uint8(g.rng.IntN(9)))
	}
}

func (g *generator) transfer() {
	c := g.add(risk.KindTransfer)
	c.Ref = [4]uint32{g.slot(), g.slot(), 0, g.token()}
	if g.coin(5) {
		c.Ref[risk.RefOther] = c.Ref[risk.RefAccount]
	}
	c.Wallets = [2]uint16{g.wallet(), g.wallet()}
	g.amount(c)
}

func (g *generator) funds() {
	c := g.add(risk.KindDeposit)
	if g.coin(2) {
		c.Kind = risk.KindWithdraw
	}
	c.Ref = [4]uint32{g.slot(), 0, 0, g.token()}
	c.Wallets[0] = g.wallet()
	g.amount(c)
}

func (g *generator) lending() {
	c := g.add(risk.KindSupply + risk.Kind(g.rng.IntN(4)))
	c.Ref = [4]uint32{g.slot(), 0, 0, g.token()}
	g.amount(c)
	if g.coin(4) {
		c.Flags |= risk.FlagAll
	}
}
