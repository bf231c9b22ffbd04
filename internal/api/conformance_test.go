// The conformance suite: real accounts of the venue, loaded through POST /v1/commands and
// read back through POST /info, against what the venue printed.
//
//	testdata/hyperliquid ─► capture ─► scenario.build ─► account (exact) ─► grid ─► import_account
//	                           │                           │                         │
//	                           └──────── want      model: what rounding explains     └─► /info ─► got
//
// A row passes when got - want is what cutting the captured amounts to the instruments'
// decimals explains, to within the last real digit. Nothing else widens a row, and what is
// left out carries its reason into the printed table.
package api_test

import (
	"fmt"
	"math/big"
	"testing"
)

// scenario is one moment of a capture: which of its replies belong together, and what the
// capture does not say.
type scenario struct {
	capture *capture
	moment  string

	hasPerps, hasSpot, hasLending bool

	assets []string // coins of activeAssetData that belong to the moment

	marks, sizes, totals, supplied, raws map[string]string // where another reply of the moment says better
	px                                   map[string]string // token oracle prices
	maxLeverage                          int64             // where the capture has none
	fillers                              []filler          // for a file of rows
	collaterals                          map[string]string // token by a dex on which the account has nothing

	unit      *big.Rat // last digit of the amounts of a scaled capture, nil for an unscaled one
	scale     *big.Rat // upper bound of the hidden scale: the venue cuts margins at 1e-6 before it
	tierScale *big.Rat // scale of tier bounds, where the capture lets it be inferred
	capScale  *big.Rat // scale of the lending caps, where the capture shows it

	liquidationSlack *big.Rat // what a cut input moves the liquidation price of an unscaled capture

	exclude func(key) string // why a figure is not checked, or ""
}

func (s *scenario) String() string { return s.capture.name + " " + s.moment }

func (s *scenario) excludes(k key) string {
	if s.exclude == nil {
		return ""
	}
	return s.exclude(k)
}

// digit is one unit of the last real digit of a captured figure.
func (s *scenario) digit(figure, text string, decimals, sizeDigits int) *big.Rat {
	switch {
	case figure == "entryPx": // shown to five or six digits; ours is rounded to the decimals of a price
		return add(step(shownDecimals(text)), quo(step(6-sizeDigits), ratOf(2)))
	case figure == "returnOnEquity" && s.moment == "before 2025": // eight digits then
		return step(8)
	case s.unit != nil:
		return step(10)
	}
	return step(decimals)
}

// shownDecimals counts the decimals of a figure as printed; a single zero is none.
func shownDecimals(text string) int {
	for i := range text {
		if text[i] == '.' {
			if text[i+1:] == "0" {
				return 0
			}
			return len(text) - i - 1
		}
	}
	return 0
}

// cut is how far a figure may lie below the exact one because the venue cuts the margin
// and the maintenance of each position at 1e-6.
func (s *scenario) cut(figure string, positions int) *big.Rat {
	unit := step(6)
	if s.scale != nil {
		unit = mul(unit, s.scale)
	}
	switch figure {
	case "liquidationPx":
		if s.liquidationSlack != nil {
			return s.liquidationSlack
		}
	case "marginUsed":
		if s.unit == nil {
			return ratOf(0) // ours is cut alike
		}
		return unit
	case "totalMarginUsed", "cross totalMarginUsed", "crossMaintenanceMarginUsed", "availableAfterMaintenance", "hold",
		"spotHold":
		if s.unit == nil && figure != "totalMarginUsed" && figure != "cross totalMarginUsed" {
			return ratOf(0)
		}
		return mul(unit, ratOf(int64(positions)))
	}
	return ratOf(0)
}

// TestConformance feeds every capture three times: on the instruments' decimals to one and
// to four shards, and with its digits moved up so that none is lost.
func TestConformance(t *testing.T) {
	t.Parallel()
	for _, pass := range []struct {
		title  string
		shards int
		power  int
	}{
		{"every capture at its instruments' decimals, 1 shard", 1, 0},
		{"every capture at its instruments' decimals, 4 shards, one copy of each account on each", 4, 0},
		{"scaled captures times 10^5, so that their digits fit the instruments, 1 shard", 1, 5},
	} {
		t.Run(fmt.Sprintf("shards=%d/power=%d", pass.shards, pass.power), func(t *testing.T) {
			t.Parallel()
			u := readUniverse(t)
			ts := tallies{}
			for _, s := range scenarios(t) {
				if pass.power > 0 && s.unit == nil {
					continue
				}
				s.run(t, ts, u, pass.shards, pass.power)
			}
			ts.log(t, pass.title)
		})
	}
}

// run imports an account, once for each shard, and compares every copy.
func (s *scenario) run(t *testing.T, ts tallies, u *universe, shards, power int) {
	t.Helper()
	full := s.build(t, u)
	fed := full.grid(power)
	d := newDesk(t, shards)
	d.must(fed.listings(u)...)
	names := map[int]string{}
	for i := range fed.holdings {
		names[fed.holdings[i].index] = fed.holdings[i].token
	}
	for copied := range shards { // accounts are dealt to the shards in the order of opening
		d.must(fed.imported(fmt.Sprintf("account-%d", copied)))
	}
	var liquidated []any // what the venue shows is not on its way out
	if d.info(command{"type": "liquidatable"}, &liquidated); len(liquidated) > 0 {
		t.Errorf("%s is liquidated: %v", s.capture.name, liquidated)
	}
	for copied := range shards {
		user := fmt.Sprintf("account-%d", copied)
		want, got := shown{}, shown{}
		for dex, state := range s.capture.dexes {
			if s.hasPerps {
				var reply clearinghouse
				d.info(command{"type": "clearinghouseState", "user": user, "dex": dex}, &reply)
				want.clearinghouse(dex, state)
				got.clearinghouse(dex, &reply)
			}
		}
		if s.hasSpot {
			var reply spotState
			d.info(command{"type": "spotClearinghouseState", "user": user}, &reply)
			want.spot(s.capture.spot, names)
			got.spot(&reply, names)
		}
		s.compare(t, ts, want, got, full, fed, power)
		if power == 0 {
			s.compareAssets(t, ts, d, user)
			s.compareLending(t, ts, d, user)
			s.compareAbstraction(t, ts, d, user)
		}
	}
}
