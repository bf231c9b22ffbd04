package api_test

import (
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// listedPerp and listedToken are what the venue's metadata say of an instrument.
type (
	listedPerp struct {
		index, sizeDigits int
		maxLeverage       int64
		tiers             []tier
		mode              string
	}
	listedToken struct{ index, wei, size int }
	universe    struct {
		perps  map[string]listedPerp
		tokens map[string]listedToken
	}
)

// readUniverse reads the metadata of February 2026 (perps with their tier tables) and
// August 2025 (tokens), and adds what no metadata of ours has: decimals of later listings,
// chosen to hold the captured marks and amounts.
func readUniverse(t *testing.T) *universe {
	t.Helper()
	u := &universe{perps: map[string]listedPerp{}, tokens: map[string]listedToken{}}
	for _, file := range []string{"metaAndAssetCtxs_main_2026-02-06.json", "metaAndAssetCtxs_xyz_2026-02-06.json"} {
		u.addPerps(t, "go-hyperliquid/"+file)
	}
	var spots struct {
		Response struct {
			Tokens []struct {
				Name                           string
				Index, SzDecimals, WeiDecimals int
			}
		}
	}
	readCapture(t, "go-hyperliquid/spotMeta_2025-08-22.json", &spots)
	for _, x := range spots.Response.Tokens {
		u.tokens[x.Name] = listedToken{x.Index, x.WeiDecimals, x.SzDecimals}
	}
	u.tokens["USDH"] = listedToken{360, 8, 2} // spotMeta of 2026
	u.tokens["MAX"] = listedToken{734, 6, 0}
	u.perps["xyz:BRENTOIL"] = listedPerp{60, 2, 20, []tier{{ratOf(0), 20}}, "strict_isolated"}
	u.perps["io:ANTH"] = listedPerp{0, 5, 6, []tier{{ratOf(0), 6}}, "strict_isolated"}
	return u
}

func (u *universe) addPerps(t *testing.T, path string) {
	t.Helper()
	var file struct{ Response []json.RawMessage }
	readCapture(t, path, &file)
	var meta struct {
		Universe []struct {
			Name, MarginMode          string
			SzDecimals, MarginTableID int
			MaxLeverage               int64
		}
		MarginTables [][]json.RawMessage
	}
	if err := json.Unmarshal(file.Response[0], &meta); err != nil {
		t.Fatal(err)
	}
	tables := map[string][]tier{}
	for _, pair := range meta.MarginTables {
		var table struct {
			MarginTiers []struct {
				LowerBound  string
				MaxLeverage int64
			}
		}
		if err := json.Unmarshal(pair[1], &table); err != nil {
			t.Fatal(err)
		}
		for _, x := range table.MarginTiers {
			tables[string(pair[0])] = append(tables[string(pair[0])], tier{rat(x.LowerBound), x.MaxLeverage})
		}
	}
	for i, x := range meta.Universe {
		p := listedPerp{index: i, sizeDigits: x.SzDecimals, maxLeverage: x.MaxLeverage, mode: "normal"}
		if x.MarginMode == "strictIsolated" {
			p.mode = "strict_isolated"
		}
		p.tiers = tables[strconv.Itoa(x.MarginTableID)]
		if len(p.tiers) == 0 { // spec 2.2: a table below 50 is one tier of that leverage
			p.tiers = []tier{{ratOf(0), int64(x.MarginTableID)}}
		}
		u.perps[x.Name] = p
	}
}

// perp returns the terms of a perp as they were when an account was captured: the tier
// table of our metadata where the maximum leverage is still the same, else one tier.
func (u *universe) perp(t *testing.T, coin string, maxLeverage int64) listedPerp {
	t.Helper()
	p, ok := u.perps[coin]
	if !ok {
		t.Fatalf("no metadata of %s", coin)
	}
	if maxLeverage != p.maxLeverage {
		p.maxLeverage, p.tiers = maxLeverage, []tier{{ratOf(0), maxLeverage}}
	}
	return p
}

// lendTerms are the terms of the venue's lending tokens on 19 August 2026 (spec section 3).
type lendTerms struct {
	token                                     string
	ltv, userSupplyCap, userBorrowCap, priced string
	isBorrowable                              bool
}

var venueLending = []lendTerms{
	{"USDC", "0", "250000000", "50000000", "1", true},
	{"HYPE", "0.65", "1000000", "0", "", false},
	{"UBTC", "0.5", "200", "0", "", false},
	{"USDT0", "0", "5000000", "1000000", "1", true},
	{"USDH", "0", "0", "0", "1", true}, // caps of zero: shown, neither lent nor borrowed,
}

// build makes the account of a scenario with every digit that the capture has.
func (s *scenario) build(t *testing.T, u *universe) *account {
	t.Helper()
	a := &account{mode: s.capture.mode, raw: map[string]*big.Rat{}, dexToken: map[string]string{}}
	for dex, state := range s.capture.dexes {
		a.dexToken[dex] = "USDC"
		a.raw[dex] = rat(state.CrossMarginSummary.TotalRawUsd)
		if raw := s.raws[dex]; raw != "" {
			a.raw[dex] = rat(raw)
		}
		for i := range state.AssetPositions {
			a.positions = append(a.positions, s.position(t, u, dex, &state.AssetPositions[i].Position))
		}
	}
	for dex, token := range s.collaterals {
		a.dexToken[dex], a.raw[dex] = token, ratOf(0)
	}
	slices.SortStableFunc(a.positions, func(x, y position) int { return strings.Compare(x.dex, y.dex) })
	s.buildHoldings(t, u, a)
	s.buildOrders(t, u, a)
	s.fill(a)
	return a
}

func (s *scenario) position(t *testing.T, u *universe, dex string, x *venuePosition) position {
	t.Helper()
	maxLeverage := int64(x.MaxLeverage)
	if maxLeverage == 0 {
		maxLeverage = s.maxLeverage
	}
	terms := u.perp(t, x.Coin, maxLeverage)
	p := position{
		coin: x.Coin, dex: dex, size: rat(x.Szi), leverage: int64(x.Leverage.Value), isIsolated: x.Leverage.Type == "isolated",
		sizeDigits: terms.sizeDigits, maxLeverage: maxLeverage, tiers: slices.Clone(terms.tiers), mode: terms.mode,
	}
	for i := range p.tiers {
		if s.tierScale != nil {
			p.tiers[i].lower = mul(p.tiers[i].lower, s.tierScale)
		}
	}
	side := ratOf(int64(p.size.Sign()))
	value := rat(x.PositionValue)
	p.mark = round(quo(value, abs(p.size)), 6-p.sizeDigits) // marks have at most 6 - szDecimals decimals
	p.entry = abs(sub(mul(p.size, p.mark), rat(x.UnrealizedPnl)))
	if p.isIsolated {
		p.raw = rat(x.Leverage.RawUsd)
	}
	if mark := s.marks[p.coin]; mark != "" {
		p.mark = rat(mark)
	}
	if size := s.sizes[p.coin]; size != "" {
		p.size = mul(rat(size), side)
	}
	return p
}

func (s *scenario) buildHoldings(t *testing.T, u *universe, a *account) {
	t.Helper()
	var shown []venueBalance
	if s.capture.spot != nil {
		shown = s.capture.spot.Balances
	}
	for _, b := range shown {
		if strings.HasPrefix(b.Coin, "+") { // an outcome, no token
			continue
		}
		a.holdings = append(a.holdings, s.holding(t, u, b))
	}
	if len(a.holdings) == 0 {
		a.holdings = append(a.holdings, s.holding(t, u, venueBalance{Coin: "USDC", Total: "0"}))
	}
}

func (s *scenario) holding(t *testing.T, u *universe, b venueBalance) holding {
	t.Helper()
	terms, ok := u.tokens[b.Coin]
	if !ok {
		t.Fatalf("no metadata of token %s", b.Coin)
	}
	orZero := func(text string) *big.Rat {
		if text == "" {
			return ratOf(0)
		}
		return rat(text)
	}
	h := holding{
		token: b.Coin, index: terms.index, wei: terms.wei, total: rat(b.Total), supplied: orZero(b.Supplied),
		borrowed: orZero(b.Borrowed), entry: orZero(b.EntryNtl), ltv: ratOf(0), px: ratOf(1), userSupplyCap: ratOf(0),
		userBorCap: ratOf(0),
	}
	if total := s.totals[b.Coin]; total != "" {
		h.total = rat(total)
	}
	if supplied := s.supplied[b.Coin]; supplied != "" {
		h.supplied = rat(supplied)
	}
	for _, l := range venueLending {
		if l.token != b.Coin || s.capture.mode != "portfolio" {
			continue
		}
		h.isLent, h.isBorrowable, h.ltv = true, l.isBorrowable, rat(l.ltv)
		h.userSupplyCap, h.userBorCap = rat(l.userSupplyCap), rat(l.userBorrowCap)
		if s.capScale != nil {
			h.userSupplyCap, h.userBorCap = mul(h.userSupplyCap, s.capScale), mul(h.userBorCap, s.capScale)
		}
	}
	if px := s.px[b.Coin]; px != "" {
		h.px = rat(px)
	}
	return h
}

func (s *scenario) buildOrders(t *testing.T, u *universe, a *account) {
	t.Helper()
	for _, o := range s.capture.orders {
		if rat(o.Sz).Sign() == 0 { // sized with its position: shown as zero, holds nothing
			continue
		}
		x := restingOrder{
			market: o.Coin, isSell: o.Side == "A", isIdle: o.ReduceOnly || o.IsTrigger, price: rat(o.LimitPx), size: rat(o.Sz),
			original: rat(o.OrigSz), source: o,
		}
		switch {
		case o.Coin == "@107":
			x.isSpot, x.market, x.sizeDigits = true, "HYPE/USDC", u.tokens["HYPE"].size
		default:
			x.sizeDigits = u.perps[o.Coin].sizeDigits
			if dex, _, ok := strings.Cut(o.Coin, ":"); ok {
				x.dex = dex
			}
		}
		a.orders = append(a.orders, x)
	}
}

// fill adds positions that stand for what a file of rows leaves out: they carry the rest of
// the account's cross notional, margin and maintenance, and its isolated remainder.
func (s *scenario) fill(a *account) {
	if len(s.fillers) == 0 {
		return
	}
	state := s.capture.dexes[""]
	cross := &state.CrossMarginSummary
	notional, margin, maintenance := rat(cross.TotalNtlPos), rat(cross.TotalMarginUsed), rat(state.CrossMaintenanceMarginUsed)
	signed := sub(rat(cross.AccountValue), rat(cross.TotalRawUsd))
	for i := range a.positions {
		p := &a.positions[i]
		n := a.notional(p)
		notional, margin = sub(notional, n), sub(margin, quo(n, ratOf(p.leverage)))
		maintenance, signed = sub(maintenance, p.maintenance(n)), sub(signed, p.signed())
	}
	shares := shareOut(s.fillers, notional, margin, maintenance)
	for i, share := range shares {
		long := quo(add(share, mul(share, quo(signed, notional))), ratOf(2))
		for side, size := range []*big.Rat{long, sub(long, share)} {
			a.positions = append(a.positions, newFiller(fmt.Sprintf("REST%d%d", i, side), size, s.fillers[i], false))
		}
	}
	all := &state.MarginSummary
	raw := sub(rat(all.TotalRawUsd), rat(cross.TotalRawUsd))
	value := sub(rat(all.AccountValue), rat(cross.AccountValue))
	isolated := newFiller("RESTISO", sub(value, raw), s.fillers[0], true)
	isolated.raw = raw
	a.positions = append(a.positions, isolated)
}

type filler struct{ leverage, maxLeverage int64 }

func newFiller(coin string, size *big.Rat, f filler, isIsolated bool) position {
	return position{
		coin: coin, size: size, mark: ratOf(1), entry: abs(size), leverage: f.leverage, maxLeverage: f.maxLeverage,
		isIsolated: isIsolated, isFiller: true, sizeDigits: 6, tiers: []tier{{ratOf(0), f.maxLeverage}}, mode: "normal",
	}
}

// shareOut solves for three notionals with a given sum, margin and maintenance.
func shareOut(f []filler, notional, margin, maintenance *big.Rat) []*big.Rat {
	m := [3][4]*big.Rat{
		{ratOf(1), ratOf(1), ratOf(1), notional}, {nil, nil, nil, margin}, {nil, nil, nil, maintenance},
	}
	for i := range f {
		m[1][i], m[2][i] = big.NewRat(1, f[i].leverage), big.NewRat(1, 2*f[i].maxLeverage)
	}
	for i := range m { // Gauss and Jordan, exact
		for r := i; r < 3; r++ {
			if m[r][i].Sign() != 0 {
				m[i], m[r] = m[r], m[i]
				break
			}
		}
		for c := 3; c >= i; c-- {
			m[i][c] = quo(m[i][c], m[i][i])
		}
		for r := range m {
			for c := 3; r != i && c >= i; c-- {
				m[r][c] = sub(m[r][c], mul(m[r][i], m[i][c]))
			}
		}
	}
	for i := range m {
		if m[i][3].Sign() < 0 {
			panic("conformance: fillers do not span the rest of the account")
		}
	}
	return []*big.Rat{m[0][3], m[1][3], m[2][3]}
}
