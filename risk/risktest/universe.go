package risktest

import "plimsoll/risk"

// The universe that a Generator lists: four dexes over three collateral tokens of 8, 6
// and 12 decimals, perps of every margin mode with tiers that small books reach, and
// spots that quote in two borrowable tokens.

// listedToken is one token; caps in tokens: global supply and borrow, user supply and borrow.
type listedToken struct {
	name         string
	index        uint32
	wei, sz      uint8
	isBorrowable bool
	ltvPercent   int64
	caps         [4]int64
	perp         uint32
	price        int64 // where it starts, in US dollars at 1e-6
}

// listedPerp is one perpetual; tiers alternate lower bound and leverage.
type listedPerp struct {
	name       string
	dex        uint16
	token      uint32
	sz         uint8
	mode       risk.MarginMode
	openCap    int64 // in whole sizes, 0 = none
	fundingCap int64 // at 1e-6 an hour, 0 = none
	maxAgeMs   int64
	price      int64 // where it starts, at 1e-6
	tiers      []int64
}

// listedSpot is one spot market.
type listedSpot struct {
	base, quote uint32
	index       uint32
	price       int64 // quote per base at 1e-6
}

const million = 1_000_000

var universeTokens = []listedToken{
	{"USDC", 0, 8, 2, true, 0, [4]int64{8 * million, 2 * million, 3 * million, 150_000}, risk.NoSlot, million},
	{"HYPE", 150, 8, 2, false, 65, [4]int64{60_000, 0, 9_000, 0}, 2, 40 * million},
	{"UBTC", 197, 10, 5, false, 50, [4]int64{300, 0, 20, 0}, 0, 100_000 * million},
	{"USDT0", 268, 6, 2, true, 0, [4]int64{4 * million, 900_000, 2 * million, 60_000}, risk.NoSlot, 999_100},
	{"USDE", 235, 12, 2, false, 0, [4]int64{}, risk.NoSlot, 1_000_300},
	{"UETH", 221, 18, 4, false, 0, [4]int64{}, 1, 2_500 * million},
}

// universeDexes gives the collateral token of each dex slot.
var universeDexes = []struct {
	name  string
	token uint32
}{{"", 0}, {"xyz", 0}, {"flx", 3}, {"vntl", 4}}

var universePerps = []listedPerp{
	{"BTC", 0, 0, 5, risk.MarginNormal, 0, 0, 0, 100_000 * million, []int64{0, 40, 10_000, 25, 50_000, 10}},
	{"ETH", 0, 0, 4, risk.MarginNormal, 0, 40_000, 0, 2_500 * million, []int64{0, 25, 20_000, 10, 50_000, 5}},
	{"HYPE", 0, 0, 2, risk.MarginNormal, 20_000, 0, 0, 40 * million, []int64{0, 10, 100_000, 5}},
	{"PENGU", 0, 0, 0, risk.MarginNormal, 0, 0, 3_600_000, 9_198, []int64{0, 5}},
	{"SOL", 0, 0, 2, risk.MarginNoCross, 0, 0, 0, 150 * million, []int64{0, 20, 70_000, 10}},
	{"DOGE", 0, 0, 0, risk.MarginStrictIsolated, 0, 0, 0, 214_300, []int64{0, 10}},
	{"xyz:GOLD", 1, 0, 4, risk.MarginNormal, 0, 0, 0, 3_300 * million, []int64{0, 25, 30_000, 15}},
	{"xyz:TSLA", 1, 0, 3, risk.MarginNormal, 300, 0, 0, 400 * million, []int64{0, 10}},
	{"flx:OIL", 2, 3, 2, risk.MarginNormal, 0, 0, 0, 71 * million, []int64{0, 20, 10_000, 7, 40_000, 3}},
	{"vntl:SPX", 3, 4, 3, risk.MarginNormal, 0, 0, 0, 6_400 * million, []int64{0, 50, 25_000, 20}},
}

var universeSpots = []listedSpot{
	{1, 0, 107, 40 * million},
	{2, 0, 142, 100_000 * million},
	{1, 3, 207, 40 * million},
	{5, 0, 151, 2_500 * million},
	{4, 0, 150, 1_000_300},
}

func nameRecord(name string) risk.Command {
	c := risk.Command{Kind: risk.KindPartName}
	c.SetName([]byte(name))
	return c
}

// tokenGroup lists token n with its caps scaled by percent.
func tokenGroup(n int, percent int64) []risk.Command {
	return tokenGroupOf(&universeTokens[n], n, percent)
}

// tokenGroupOf lists a token at slot n.
func tokenGroupOf(t *listedToken, n int, percent int64) []risk.Command {
	c := risk.Command{Kind: risk.KindListToken, Mode: t.wei, Leverage: uint16(t.sz)}
	c.Ref = [4]uint32{0, t.index, t.perp, uint32(n)}
	if t.isBorrowable {
		c.Flags = risk.FlagBorrowable
	}
	for i, v := range t.caps {
		c.SetNum(i, v*percent, 2)
	}
	rates, limits := risk.Command{Kind: risk.KindPartRates}, risk.Command{Kind: risk.KindPartLimits}
	rates.SetNum(0, t.ltvPercent, 2)
	rates.SetNum(1, 5, 2)
	rates.SetNum(2, 475, 2)
	rates.SetNum(3, 80, 2)
	limits.SetNum(0, 10, 2)
	return []risk.Command{c, rates, limits, nameRecord(t.name)}
}

func perpGroup(n int) []risk.Command { return perpGroupOf(&universePerps[n], n) }

// perpGroupOf lists a perp at slot n.
func perpGroupOf(p *listedPerp, n int) []risk.Command {
	c := risk.Command{Kind: risk.KindListPerp, Leverage: uint16(p.sz), Mode: uint8(p.mode), Wallets: [2]uint16{p.dex}}
	c.Ref = [4]uint32{0, uint32(n), uint32(n), p.token}
	if p.fundingCap > 0 {
		c.Flags |= risk.FlagSecond
		c.SetNum(0, p.fundingCap, 6)
	}
	if p.openCap > 0 {
		c.Flags |= risk.FlagThird
		c.SetNum(1, p.openCap, 0)
	}
	c.SetNum(2, p.maxAgeMs, 0)
	tiers := risk.Command{Kind: risk.KindPartTiers, Mode: uint8(len(p.tiers) / 2)}
	for i := 0; i < len(p.tiers); i += 2 {
		tiers.SetNum(i/2, p.tiers[i], 0)
		tiers.Ref[i/2] = uint32(p.tiers[i+1])
	}
	return []risk.Command{c, tiers, nameRecord(p.name)}
}

// universeListings lists everything, caps at percent of the table's.
func universeListings(percent int64) [][]risk.Command {
	var out [][]risk.Command
	for n := range universeTokens {
		out = append(out, tokenGroup(n, percent))
	}
	for n, d := range universeDexes {
		c := risk.Command{Kind: risk.KindListDex}
		c.Ref = [4]uint32{0, uint32(n), uint32(n), d.token}
		out = append(out, []risk.Command{c, nameRecord(d.name)})
	}
	for n := range universePerps {
		out = append(out, perpGroup(n))
	}
	for n, s := range universeSpots {
		c := risk.Command{Kind: risk.KindListSpot}
		c.Ref = [4]uint32{s.quote, s.index, risk.SpotBit | uint32(n), s.base}
		out = append(out, []risk.Command{c, nameRecord(universeTokens[s.base].name + "/" + universeTokens[s.quote].name)})
	}
	return out
}
