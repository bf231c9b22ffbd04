package api_test

import (
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// shown are the figures of a reply by key, as the venue prints them; nil is a null.
type shown map[key]*string

func (s shown) put(scope, coin, figure, value string) {
	if value != "" {
		s[key{scope, coin, figure}] = &value
	}
}

func (s shown) clearinghouse(dex string, x *clearinghouse) {
	for i, m := range []*summary{&x.MarginSummary, &x.CrossMarginSummary} {
		prefix := [...]string{"", "cross "}[i]
		s.put(dexName(dex), "", prefix+"accountValue", m.AccountValue)
		s.put(dexName(dex), "", prefix+"totalNtlPos", m.TotalNtlPos)
		s.put(dexName(dex), "", prefix+"totalRawUsd", m.TotalRawUsd)
		s.put(dexName(dex), "", prefix+"totalMarginUsed", m.TotalMarginUsed)
	}
	s.put(dexName(dex), "", "crossMaintenanceMarginUsed", x.CrossMaintenanceMarginUsed)
	s.put(dexName(dex), "", "withdrawable", x.Withdrawable)
	for i := range x.AssetPositions {
		p := &x.AssetPositions[i].Position
		put := func(figure, value string) { s.put(dexName(dex), p.Coin, figure, value) }
		put("szi", p.Szi)
		put("entryPx", p.EntryPx)
		put("positionValue", p.PositionValue)
		put("unrealizedPnl", p.UnrealizedPnl)
		put("returnOnEquity", p.ReturnOnEquity)
		put("marginUsed", p.MarginUsed)
		put("leverage", strconv.Itoa(p.Leverage.Value))
		put("rawUsd", p.Leverage.RawUsd)
		if p.MaxLeverage > 0 {
			put("maxLeverage", strconv.Itoa(p.MaxLeverage))
		}
		s[key{dexName(dex), p.Coin, "liquidationPx"}] = p.LiquidationPx
	}
}

func (s shown) spot(x *spotState, names map[int]string) {
	for i := range x.Balances {
		b := &x.Balances[i]
		if strings.HasPrefix(b.Coin, "+") {
			continue
		}
		put := func(figure, value string) { s.put("spot", b.Coin, figure, value) }
		put("total", b.Total)
		put("hold", b.Hold)
		put("entryNtl", b.EntryNtl)
		put("spotHold", b.SpotHold)
		put("ltv", b.LTV)
		put("borrowed", b.Borrowed)
		put("supplied", b.Supplied)
	}
	for figure, list := range map[string][]tokenAmount{
		"borrowRatio": x.TokenToPortfolioBorrowRatio, "supplyRatio": x.TokenToPortfolioSupplyRatio,
		"availableAfterMaintenance": x.TokenToAvailableAfterMaintenance,
	} {
		for _, pair := range list {
			s.put("spot", names[pair.token], figure, pair.amount)
		}
	}
	s.put("spot", "", "portfolioMarginRatio", x.PortfolioMarginRatio)
}

// places says to how many decimals the venue means a figure (spec 4.1): what stands behind
// them is noise of its 64-bit floats. scaleFree figures do not grow with the account.
func places(figure string) (decimals int, isScaleFree bool) {
	switch figure {
	case "returnOnEquity", "liquidationPx", "portfolioMarginRatio", "borrowRatio", "supplyRatio", "ltv", "healthFactor":
		return 10, true
	case "entryPx", "maxLeverage", "leverage":
		return 6, true
	case "total", "hold", "spotHold", "supplied", "borrowed", "entryNtl", "availableAfterMaintenance":
		return 8, false
	case "szi":
		return 6, false
	default:
		return 6, false
	}
}

// tally counts what became of the captured figures of one name.
type tally struct {
	checked, identical, withinDigit, byRounding int
	explained                                   *big.Rat       // largest share of a figure that rounding an amount explains
	residue                                     *big.Rat       // largest relative difference that is left
	excluded                                    map[string]int // by reason
}

// matched counts the rows that agree: identical after the venue's float noise is rounded
// off, within the last real digit, or by exactly what rounding an amount explains.
func (x *tally) matched() int { return x.identical + x.withinDigit + x.byRounding }

// tallies is the match table of one way of feeding the captures.
type tallies map[string]*tally

func (ts tallies) of(figure string) *tally {
	if ts[figure] == nil {
		ts[figure] = &tally{explained: ratOf(0), residue: ratOf(0), excluded: map[string]int{}}
	}
	return ts[figure]
}

func (ts tallies) exclude(figure, reason string) { ts.of(figure).excluded[reason]++ }

// log prints the table, a line per figure, then why rows were left out.
func (ts tallies) log(t *testing.T, title string) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%-28s %8s %8s = %9s + %7s + %8s %12s %12s %9s\n", title, "figure", "checked", "matched", "identical",
		"1 digit", "rounding", "max rounding", "max residue", "excluded")
	var sum tally
	reasons := map[string]int{}
	for _, figure := range slices.Sorted(maps.Keys(ts)) {
		x, out := ts[figure], 0
		for reason, n := range x.excluded {
			out += n
			reasons[figure+": "+reason] += n
		}
		explained, _ := x.explained.Float64()
		residue, _ := x.residue.Float64()
		fmt.Fprintf(&b, "%-28s %8d %8d = %9d + %7d + %8d %12.1e %12.1e %9d\n", figure, x.checked, x.matched(), x.identical,
			x.withinDigit, x.byRounding, explained, residue, out)
		sum.checked, sum.identical = sum.checked+x.checked, sum.identical+x.identical
		sum.withinDigit, sum.byRounding = sum.withinDigit+x.withinDigit, sum.byRounding+x.byRounding
	}
	fmt.Fprintf(&b, "%-28s %8d %8d = %9d + %7d + %8d\n", "all", sum.checked, sum.matched(), sum.identical, sum.withinDigit,
		sum.byRounding)
	for _, reason := range slices.Sorted(maps.Keys(reasons)) {
		fmt.Fprintf(&b, "excluded %3d  %s\n", reasons[reason], reason)
	}
	t.Log(b.String())
}

// compare holds our figures against the captured ones. full is the account with every
// captured digit, fed the account on the instruments' grid, times 10^power.
func (s *scenario) compare(t *testing.T, ts tallies, want, got shown, full, fed *account, power int) {
	t.Helper()
	exact, onGrid := full.figures(), fed.figures()
	blur := figures{}
	if s.unit != nil {
		blur = full.blur(s.unit)
	}
	for _, k := range slices.SortedFunc(maps.Keys(want), compareKeys) {
		if reason := s.excludes(k); reason != "" {
			ts.exclude(k.figure, reason)
			continue
		}
		row := row{t: t, s: s, k: k, tally: ts.of(k.figure), blur: blur[k], power: power, positions: len(full.positions)}
		for i := range full.positions {
			if full.positions[i].coin == k.coin {
				row.sizeDigits = full.positions[i].sizeDigits
			}
		}
		ours, ok := got[k]
		if !ok {
			t.Errorf("%s: %v: the reply has no such figure", s, k)
			continue
		}
		_, isModelled := exact[k]
		if !isModelled {
			t.Errorf("%s: %v: no formula for it", s, k)
			continue
		}
		row.check(want[k], ours, exact[k], onGrid[k])
	}
	for k := range got {
		isListed := k.figure == "availableAfterMaintenance" || k.figure == "spotHold" || k.figure == "supplied"
		if _, ok := want[k]; isListed && !ok && s.excludes(k) == "" && k.figure != "" {
			t.Errorf("%s: %v = %s, but the venue does not show it", s, k, *got[k])
		}
	}
}

func compareKeys(a, b key) int {
	return strings.Compare(a.scope+"|"+a.coin+"|"+a.figure, b.scope+"|"+b.coin+"|"+b.figure)
}

// row is one captured figure under test.
type row struct {
	t         *testing.T
	s         *scenario
	k         key
	tally     *tally
	blur      *big.Rat
	power     int
	positions int
	// sizeDigits of the position that the figure belongs to.
	sizeDigits int
}

func (r *row) check(want, got *string, exact, onGrid *big.Rat) {
	r.t.Helper()
	r.tally.checked++
	if want == nil || got == nil {
		if want != got {
			r.t.Errorf("%s: %v = %s, the venue says %s", r.s, r.k, orNull(got), orNull(want))
			return
		}
		r.tally.identical++
		return
	}
	decimals, isScaleFree := places(r.k.figure)
	by := ratOf(1)
	if !isScaleFree {
		by = step(r.power)
	}
	ours, theirs := mul(rat(*got), by), rat(*want)
	explained := ratOf(0)
	if exact != nil && onGrid != nil {
		explained = sub(mul(onGrid, by), exact)
	}
	// What may differ: one unit of the last real digit of the venue, one of ours, ...
	digit := r.s.digit(r.k.figure, *want, decimals, r.sizeDigits)
	allowed := add(digit, mul(step(decimals), by))
	if r.s.unit == nil { // digits behind the real ones are noise
		theirs, allowed = round(theirs, max(decimals, 0)), digit
	}
	if r.blur != nil { // ... what half a unit of the captured amounts moves, ...
		allowed = add(allowed, r.blur)
	}
	allowed = add(allowed, r.s.cut(r.k.figure, r.positions)) // ... and the venue's cut of margins.
	left := sub(sub(ours, theirs), explained)
	switch {
	case abs(left).Cmp(allowed) > 0:
		r.t.Errorf("%s: %v = %s, the venue says %s: off by %s beyond the %s that rounding explains, allowed %s", r.s, r.k,
			ours.FloatString(12), theirs.FloatString(12), left.FloatString(12), explained.FloatString(12), allowed.FloatString(12))
		return
	case ours.Cmp(theirs) == 0:
		r.tally.identical++
	case abs(explained).Cmp(digit) > 0:
		r.tally.byRounding++
	default:
		r.tally.withinDigit++
	}
	if theirs.Sign() != 0 {
		r.tally.explained = maxOf(r.tally.explained, abs(quo(explained, theirs)))
		r.tally.residue = maxOf(r.tally.residue, abs(quo(left, theirs)))
	}
}

func orNull(text *string) string {
	if text == nil {
		return "null"
	}
	return *text
}
