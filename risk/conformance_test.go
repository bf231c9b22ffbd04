package risk

import (
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The scaled captures at full precision, straight into the machine. Their amounts have ten
// decimals, more than instruments have; ten to a power times the account has them all, and
// every formula but tier bounds and caps, which are scaled alike, is linear in it. What is
// printed after the run is the precision reached, figure by figure: 1e-9 is asked of all.

// scaledCase is one capture and what it does not say.
type scaledCase struct {
	file  string
	mode  Mode
	power int // 10^power times the account: as far as a position's notional stays below 2^62

	isPart    bool     // a file of rows: one filler carries the rest of equity and maintenance
	tierScale *big.Rat // scale of tier bounds, where a row shows it
	cutScale  *big.Rat // the venue cuts margins at 1e-6 before the scale
	given     string   // "COIN figure" that an assumption was taken from
	noOrders  bool     // resting orders were not captured: no holds
}

// usdWei are the decimals of USDC here: times 10^4 or more the captured amounts need no more,
// and an isolated position has room for larger cash.
const usdWei = 6

var scaledCases = []scaledCase{
	// 215520.3508110474 is the deduction that BNB's liquidation price implies; 150 000 in the table.
	{
		file: "standard_mode_cross_rows_2026-09-14", mode: ModeStandard, power: 6, isPart: true, given: "BNB liquidationPx",
		tierScale: big.NewRat(2155203508110474, 1500000000000000), cutScale: big.NewRat(1437, 1000),
	},
	{file: "default_mode_cross_rows_2026-09-14", mode: ModeStandard, power: 6, isPart: true, cutScale: big.NewRat(141, 100)},
	{file: "portfolio_margin_collateral_2026-09-14", mode: ModePortfolio, power: 6},
	{file: "unified_builder_dex_2026-09-14", mode: ModeUnified, power: 10, noOrders: true},
	{file: "unified_cross_short_2026-09-09", mode: ModeUnified, power: 6},
	{file: "unified_isolated_main_and_xyz_2026-09-14", mode: ModeUnified, power: 7},
}

// fed is a capture in a machine.
type fed struct {
	*desk
	c       *scaledCase
	account *capturedAccount
	perps   map[string]capturedPerp
	view    *AccountView
	reached map[string]*reachedBy
}

// reachedBy is what became of the rows of one figure.
type reachedBy struct {
	rows, fine int      // fine: within 1e-9, relative
	worst      *big.Rat // relative
	at         string
}

func TestScaledCapturesAtFullPrecision(t *testing.T) {
	perps := capturedPerps(t)
	reached := map[string]*reachedBy{}
	for i := range scaledCases {
		c := &scaledCases[i]
		f := &fed{desk: newDesk(t), c: c, account: readCapturedAccount(t, c.file), perps: perps, reached: reached}
		f.quick = c.isPart
		f.load()
		f.view = f.desk.view(0)
		f.checkDexes()
		f.checkPositions()
		f.checkSpot()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "scaled captures in the machine\n%-28s %5s %9s  %-9s %s\n", "figure", "rows", "<= 1e-9", "worst", "at")
	rows, fine := 0, 0
	for _, name := range slices.Sorted(maps.Keys(reached)) {
		r := reached[name]
		worst, _ := r.worst.Float64()
		fmt.Fprintf(&b, "%-28s %5d %9d  %.1e   %s\n", name, r.rows, r.fine, worst, r.at)
		rows, fine = rows+r.rows, fine+r.fine
	}
	fmt.Fprintf(&b, "%-28s %5d %9d  the others by the ten decimals of their size, or the venue's cut of margins at 1e-6\n", "all", rows, fine)
	t.Log(b.String())
}

// up returns an amount times 10^power as text of up to that many decimals and the 18 digits
// that a record holds.
func (f *fed) up(amount *big.Rat, decimals int) string {
	x := new(big.Rat).Mul(amount, tenTo(f.c.power))
	whole := len(strings.TrimLeft(x.FloatString(0), "-0"))
	return digits(x, max(0, min(decimals, 18-whole)))
}

// load lists what the account needs, prices it and imports it as account 0.
func (f *fed) load() {
	f.t.Helper()
	// 1 000 000 USDT0 is 352850.0058727388 in the portfolio capture: its user borrow cap.
	scaled := func(limit int64) string {
		return f.up(new(big.Rat).Mul(new(big.Rat).SetInt64(limit), bigRat("0.3528500058727388")), 6)
	}
	f.listToken(tokenTerms{"USDC", 0, usdWei, 2, true, "0", scaled(1e9), scaled(5e8), scaled(25e7), scaled(5e7), ""})
	f.listToken(tokenTerms{"HYPE", 150, 8, 2, false, "0.65", scaled(1e7), "0", scaled(1e6), "0", ""})
	f.listToken(tokenTerms{"USDT0", 268, 8, 2, true, "0", scaled(5e7), scaled(1e7), scaled(5e6), scaled(1e6), ""})
	f.listSpot("HYPE", "USDC", 107)
	f.prices("t:USDC", "1", "t:HYPE", "80.823332", "t:USDT0", "1")
	head := Command{Kind: KindImportAccount, Mode: uint8(f.c.mode)}
	head.SetName([]byte("captured"))
	head.Ref = [4]uint32{0, NoAccount, 0, 0}
	group := []Command{head}
	for n, dex := range slices.Sorted(maps.Keys(f.account.Dexes)) { // "" comes first
		if n > 0 {
			c := Command{Kind: KindListDex}
			c.Ref = [4]uint32{0, uint32(n), uint32(n), f.tokens["USDC"]}
			f.must(c, nameRecord(dex))
		}
		x := f.account.Dexes[dex]
		raw := bigRat(x.CrossMarginSummary.TotalRawUsd)
		for i := range x.AssetPositions {
			group = append(group, f.position(n, &x.AssetPositions[i].Position))
		}
		if f.c.isPart {
			part := f.filler(x)
			raw.Sub(raw, new(big.Rat).Mul(bigRat(text(Amount{V: i128FromNum(&part), Decimals: part.Dec[0]})), tenTo(-f.c.power)))
			raw.Add(raw, f.missing(x))
			group = append(group, part)
		}
		wallet := Command{Kind: KindPartWallet}
		wallet.Ref[RefMarket] = uint32(n)
		f.set(&wallet, 0, f.up(raw, usdWei))
		group = append(group, wallet)
	}
	for i, o := range f.account.OpenOrders {
		if !o.IsTrigger {
			group = append(group, f.order(i, &o))
		}
	}
	for _, b := range f.account.Spot.Balances {
		if _, ok := f.tokens[b.Coin]; ok {
			c := Command{Kind: KindPartBalance}
			c.Ref[RefToken] = f.tokens[b.Coin]
			f.set(&c, 0, f.up(bigRat(b.Total), usdWei))
			if b.Supplied != "" {
				f.set(&c, 1, f.up(bigRat(b.Supplied), usdWei))
			}
			group = append(group, c)
		}
	}
	c := Command{Kind: KindSetParameters, Aux: ParamHLCompat | ParamHLCompatValue}
	f.must(c)
	f.must(group...)
}

// position lists and prices a perp and returns the part that imports a position in it.
func (f *fed) position(dex int, x *capturedPosition) Command {
	f.t.Helper()
	p, ok := f.perps[x.Coin]
	if !ok {
		f.t.Fatalf("no metadata of %s", x.Coin)
	}
	if p.maxLeverage != x.MaxLeverage { // changed since
		p.tiers = []string{"0", strconv.Itoa(x.MaxLeverage)}
	}
	tiers := slices.Clone(p.tiers)
	for i := 2; i < len(tiers); i += 2 {
		bound := bigRat(tiers[i])
		if f.c.tierScale != nil {
			bound.Mul(bound, f.c.tierScale)
		}
		tiers[i] = f.up(bound, 2)
	}
	f.listPerpOn(x.Coin, uint16(dex), "USDC", p.size, tiers...)
	size := bigRat(x.Szi)
	side := new(big.Rat).SetInt64(int64(size.Sign()))
	mark := bigRat(f.mark(x))
	f.prices(x.Coin, digits(mark, 6))
	entry := new(big.Rat).Sub(new(big.Rat).Mul(size, mark), bigRat(x.UnrealizedPnl))
	c := Command{Kind: KindPartPosition, Leverage: uint16(x.Leverage.Value)}
	c.Ref[RefMarket] = f.desk.perps[x.Coin]
	f.set(&c, 0, f.up(size, int(p.size)))
	f.set(&c, 1, f.up(entry.Mul(entry, side), 6))
	if x.Leverage.Type == "isolated" {
		c.Flags = FlagIsolated
		f.set(&c, 2, f.up(bigRat(x.Leverage.RawUsd), usdWei))
	}
	return c
}

// mark is position value over size at the decimals of a price: prices are not scaled.
func (f *fed) mark(x *capturedPosition) string {
	value := new(big.Rat).Quo(bigRat(x.PositionValue), new(big.Rat).Abs(bigRat(x.Szi)))
	return value.FloatString(6 - int(f.perps[x.Coin].size))
}

// filler is a long position at a price of 1 whose maintenance is what the rows leave open.
func (f *fed) filler(x *capturedDex) Command {
	f.t.Helper()
	rest := bigRat(x.CrossMaintenanceMarginUsed)
	for i := range x.AssetPositions {
		p := &x.AssetPositions[i].Position
		rest.Sub(rest, new(big.Rat).Mul(bigRat(p.PositionValue), big.NewRat(1, int64(2*p.MaxLeverage))))
	}
	f.listPerpOn("REST", 0, "USDC", 6, "0", "5")
	f.prices("REST", "1")
	c := Command{Kind: KindPartPosition, Leverage: 5}
	c.Ref[RefMarket] = f.desk.perps["REST"]
	f.set(&c, 0, f.up(rest.Mul(rest, tenTo(1)), 6))
	f.set(&c, 1, "1")
	return c
}

// missing is the signed value of the positions that a file of rows leaves out.
func (f *fed) missing(x *capturedDex) *big.Rat {
	rest := new(big.Rat).Sub(bigRat(x.CrossMarginSummary.AccountValue), bigRat(x.CrossMarginSummary.TotalRawUsd))
	for i := range x.AssetPositions {
		p := &x.AssetPositions[i].Position
		value := bigRat(p.PositionValue)
		if strings.HasPrefix(p.Szi, "-") {
			value.Neg(value)
		}
		rest.Sub(rest, value)
	}
	return rest
}

func (f *fed) order(n int, o *capturedOrder) Command {
	f.t.Helper()
	market := f.desk.perps[o.Coin]
	if o.Coin == "@107" {
		market = f.spots["HYPE/USDC"]
	}
	c := Command{Kind: KindPartOrder, OrderLo: uint64(n + 1), OrderForm: FormUint, Flags: FlagSecond}
	if o.Side == "A" {
		c.Flags |= FlagSell
	}
	c.Ref[RefMarket] = market
	f.set(&c, 0, f.up(bigRat(o.Sz), 2))
	f.set(&c, 1, o.LimitPx)
	f.set(&c, 3, f.up(bigRat(o.OrigSz), 2))
	return c
}
