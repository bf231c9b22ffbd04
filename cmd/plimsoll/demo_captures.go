package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"

	"plimsoll/internal/universe"
)

// captured is one captured account, whatever the shape of its file. Numbers are exact
// fractions of the venue's decimal strings.
type captured struct {
	name     string // of the capture file
	account  string // address where the capture has one, else name
	mode     string // as import_account takes it
	isScaled bool   // amounts carry one hidden factor; prices and ratios do not
	balances []capturedBalance
	dexes    []capturedDex
	orders   []capturedOrder
	spotMids map[string]num // by the venue's market name

	ratio      string // the venue's portfolioMarginRatio, "" outside portfolio margin
	afterMaint num    // the venue's available after maintenance of token 0; absent: nil
}

type capturedBalance struct {
	coin                             string
	total, supplied, borrowed, entry num
}

type capturedDex struct {
	name             string
	crossValue       num // cross account value
	crossRaw         num // cross cash
	crossMaintenance num
	positions        []capturedPosition
}

type capturedPosition struct {
	coin        string
	size        num // signed
	leverage    int
	maxLeverage int
	isIsolated  bool
	raw         num // cash of an isolated position
	value       num // notional at the mark
	pnl         num // unrealised
	marginUsed  num
	funding     num // since open
}

type capturedOrder struct {
	coin, side   string // side is "B" or "A"
	price        num
	size, orig   num
	oid          uint64
	isReduceOnly bool
}

// The venue's shapes, as far as they are read.
type (
	venueCapture struct {
		SourceNote         string               `json:"source_note"`
		Address            string               `json:"address"`
		Abstraction        string               `json:"userAbstraction"`
		ClearinghouseState *venueDex            `json:"clearinghouseState"`
		Perps              *venueDex            `json:"perps"`
		Dexes              map[string]*venueDex `json:"dexes"`
		SpotState          *venueSpot           `json:"spotClearinghouseState"`
		Spot               *venueSpot           `json:"spot"`
		OpenOrders         []venueOrder         `json:"openOrders"`
		SpotMids           map[string]num       `json:"spotMids"`
		SpotBalances       [][]any              `json:"spotBalances"` // coin, total, hold
		Rows               [][]any              `json:"rows"`         // the columns named in the file
		venueDex
	}
	venueDex struct {
		CrossMarginSummary venueSummary `json:"crossMarginSummary"`
		CrossMaintenance   num          `json:"crossMaintenanceMarginUsed"`
		AssetPositions     []struct {
			Position venuePosition `json:"position"`
		} `json:"assetPositions"`
	}
	venueSummary struct {
		AccountValue num `json:"accountValue"`
		TotalRawUsd  num `json:"totalRawUsd"`
	}
	venuePosition struct {
		Coin     string `json:"coin"`
		Szi      num    `json:"szi"`
		Leverage struct {
			Type   string `json:"type"`
			Value  int    `json:"value"`
			RawUsd num    `json:"rawUsd"`
		} `json:"leverage"`
		PositionValue num `json:"positionValue"`
		UnrealizedPnl num `json:"unrealizedPnl"`
		MarginUsed    num `json:"marginUsed"`
		MaxLeverage   int `json:"maxLeverage"`
		CumFunding    struct {
			SinceOpen num `json:"sinceOpen"`
		} `json:"cumFunding"`
	}
	venueSpot struct {
		Balances []struct {
			Coin     string `json:"coin"`
			Total    num    `json:"total"`
			EntryNtl num    `json:"entryNtl"`
			Supplied num    `json:"supplied"`
			Borrowed num    `json:"borrowed"`
		} `json:"balances"`
		Ratio      string  `json:"portfolioMarginRatio"`
		AfterMaint [][]any `json:"tokenToAvailableAfterMaintenance"` // token index, amount
	}
	venueOrder struct {
		Coin       string `json:"coin"`
		Side       string `json:"side"`
		LimitPx    num    `json:"limitPx"`
		Sz         num    `json:"sz"`
		OrigSz     num    `json:"origSz"`
		Oid        uint64 `json:"oid"`
		ReduceOnly bool   `json:"reduceOnly"`
	}
)

// readCaptures returns the captured accounts, those in portfolio margin last, so that
// the prices of their captures are the ones in force when all are in.
func readCaptures() ([]*captured, error) {
	var all []*captured
	for _, file := range universe.Accounts() {
		c, err := readCapture(file.Name, file.JSON)
		if err != nil {
			return nil, fmt.Errorf("capture %s: %w", file.Name, err)
		}
		all = append(all, c)
	}
	slices.SortStableFunc(all, func(a, b *captured) int { return rankOf(a) - rankOf(b) })
	return all, nil
}

func rankOf(c *captured) int {
	if c.mode == modePortfolio {
		return 1
	}
	return 0
}

// Account modes of the HTTP contract.
const (
	modeStandard  = "standard"
	modeUnified   = "unified"
	modePortfolio = "portfolio"
)

// modeOf translates the venue's word. "default" behaves as standard; the captures without
// a word are unified by their figures.
func modeOf(abstraction string) string {
	switch abstraction {
	case "portfolioMargin":
		return modePortfolio
	case "disabled", "default":
		return modeStandard
	default:
		return modeUnified
	}
}

func readCapture(name string, file []byte) (*captured, error) {
	var v venueCapture
	decoder := json.NewDecoder(bytes.NewReader(file))
	decoder.UseNumber() // tables mix words and numbers
	if err := decoder.Decode(&v); err != nil {
		return nil, err
	}
	c := &captured{
		name: name, account: name, mode: modeOf(v.Abstraction), isScaled: v.SourceNote != "", spotMids: v.SpotMids,
	}
	if v.Address != "" {
		c.account = strings.ToLower(v.Address)
	}
	for _, main := range []*venueDex{v.ClearinghouseState, v.Perps} {
		if main != nil {
			c.addDex("", main)
		}
	}
	if v.Rows != nil {
		if err := c.addRows(&v); err != nil {
			return nil, err
		}
	}
	for _, dex := range slices.Sorted(maps.Keys(v.Dexes)) {
		c.addDex(dex, v.Dexes[dex])
	}
	for _, spot := range []*venueSpot{v.SpotState, v.Spot} {
		if spot != nil {
			if err := c.addSpot(spot); err != nil {
				return nil, err
			}
		}
	}
	for _, row := range v.SpotBalances {
		total, err := numOf(row, 1)
		if err != nil {
			return nil, err
		}
		c.balances = append(c.balances, capturedBalance{coin: textOf(row, 0), total: total})
	}
	for _, o := range v.OpenOrders {
		c.orders = append(c.orders, capturedOrder{
			coin: o.Coin, side: o.Side, price: o.LimitPx, size: o.Sz, orig: o.OrigSz, oid: o.Oid, isReduceOnly: o.ReduceOnly,
		})
	}
	return c, nil
}

func (c *captured) addDex(name string, v *venueDex) {
	d := capturedDex{
		name: name, crossValue: v.CrossMarginSummary.AccountValue, crossRaw: v.CrossMarginSummary.TotalRawUsd,
		crossMaintenance: v.CrossMaintenance,
	}
	for i := range v.AssetPositions {
		p := &v.AssetPositions[i].Position
		d.positions = append(d.positions, capturedPosition{
			coin: p.Coin, size: p.Szi, leverage: p.Leverage.Value, maxLeverage: p.MaxLeverage,
			isIsolated: p.Leverage.Type == "isolated", raw: p.Leverage.RawUsd, value: p.PositionValue,
			pnl: p.UnrealizedPnl, marginUsed: p.MarginUsed, funding: p.CumFunding.SinceOpen,
		})
	}
	c.dexes = append(c.dexes, d)
}

// addRows reads the captures that are cut to the first rows of a table. Their account
// value is that of all rows, so the cash is set such that the rows kept give it.
func (c *captured) addRows(v *venueCapture) error {
	d := capturedDex{crossValue: v.CrossMarginSummary.AccountValue, crossMaintenance: v.CrossMaintenance}
	d.crossRaw = d.crossValue
	for _, row := range v.Rows {
		p := capturedPosition{coin: textOf(row, 0)}
		for _, f := range []struct {
			column int
			into   *num
		}{{1, &p.size}, {4, &p.value}, {5, &p.pnl}, {8, &p.marginUsed}} {
			n, err := numOf(row, f.column)
			if err != nil {
				return err
			}
			*f.into = n
		}
		p.leverage, p.maxLeverage = intOf(row, 2), intOf(row, 9)
		d.crossRaw = d.crossRaw.sub(p.signedValue())
		d.positions = append(d.positions, p)
	}
	c.dexes = append(c.dexes, d)
	return nil
}

func (c *captured) addSpot(v *venueSpot) error {
	c.ratio = v.Ratio
	for _, b := range v.Balances {
		c.balances = append(c.balances, capturedBalance{
			coin: b.Coin, total: b.Total, supplied: b.Supplied, borrowed: b.Borrowed, entry: b.EntryNtl,
		})
	}
	for _, row := range v.AfterMaint {
		if intOf(row, 0) != 0 {
			continue
		}
		n, err := numOf(row, 1)
		if err != nil {
			return err
		}
		c.afterMaint = n
	}
	return nil
}

// signedValue returns what a position is worth beside its cash.
func (p *capturedPosition) signedValue() num {
	if p.size.sign() < 0 {
		return p.value.neg()
	}
	return p.value
}

// entryNotional returns the notional at which a position was opened.
func (p *capturedPosition) entryNotional() num {
	if p.size.sign() < 0 {
		return p.value.add(p.pnl)
	}
	return p.value.sub(p.pnl)
}

// mark returns the price at which the capture values a position.
func (p *capturedPosition) mark() num { return p.value.div(p.size.abs()) }

// num is an exact number of a capture; the zero value is 0.
type num struct{ r *big.Rat }

// UnmarshalJSON reads the venue's decimal string.
func (n *num) UnmarshalJSON(data []byte) error {
	text := string(data)
	if text == "null" {
		return nil
	}
	if len(text) < 2 || text[0] != '"' || text[len(text)-1] != '"' {
		return fmt.Errorf("%s is no decimal string", text)
	}
	v, err := parseNum(text[1 : len(text)-1])
	*n = v
	return err
}

func parseNum(text string) (num, error) {
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		return num{}, fmt.Errorf("%q is no number", text)
	}
	return num{r}, nil
}

func (n num) rat() *big.Rat {
	if n.r == nil {
		return new(big.Rat)
	}
	return n.r
}

func (n num) isGiven() bool { return n.r != nil }
func (n num) sign() int     { return n.rat().Sign() }
func (n num) neg() num      { return num{new(big.Rat).Neg(n.rat())} }
func (n num) abs() num      { return num{new(big.Rat).Abs(n.rat())} }
func (n num) add(o num) num { return num{new(big.Rat).Add(n.rat(), o.rat())} }
func (n num) sub(o num) num { return num{new(big.Rat).Sub(n.rat(), o.rat())} }
func (n num) mul(o num) num { return num{new(big.Rat).Mul(n.rat(), o.rat())} }

// div returns n/o; o is not zero.
func (n num) div(o num) num { return num{new(big.Rat).Quo(n.rat(), o.rat())} }

// text returns n rounded to at most `decimals` decimals, half away from zero, as a
// decimal string.
func (n num) text(decimals int) string { return n.rat().FloatString(decimals) }

// round returns n rounded to decimals.
func (n num) round(decimals int) num {
	r, _ := new(big.Rat).SetString(n.text(decimals))
	return num{r}
}

// units returns n at 10^-decimals, rounded half away from zero; ok is false beyond 63 bits.
func (n num) units(decimals int) (v int64, ok bool) {
	scaled := n.mul(num{new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(decimals)), nil))})
	whole, ok := new(big.Int).SetString(scaled.text(0), 10)
	return whole.Int64(), ok && whole.IsInt64()
}

func numInt(v int64) num { return num{new(big.Rat).SetInt64(v)} }

// textOf, numOf and intOf read a column of a row.
func textOf(row []any, column int) string {
	if column >= len(row) {
		return ""
	}
	text, _ := row[column].(string)
	return text
}

func numOf(row []any, column int) (num, error) { return parseNum(textOf(row, column)) }

// intOf reads a JSON number that is a small integer.
func intOf(row []any, column int) int {
	if column >= len(row) {
		return 0
	}
	n, _ := row[column].(json.Number)
	v, _ := n.Int64()
	return int(v)
}
