package main

import (
	"cmp"
	"slices"

	"plimsoll/internal/universe"
)

// prices returns the tick at which a capture values its account: its positions' marks, its
// spot mids, and for a portfolio account the price at which its collateral was weighed.
// movedPPM is how far marks had to go from the positions' reply to the moment of the
// ratio's, in millionths, see align.
func (im *importer) prices(c *captured) (tick priceCommand, movedPPM int64) {
	tick = priceCommand{Type: "prices", Marks: map[string]string{}, Oracles: map[string]string{}, Spots: map[string]string{}}
	moves := im.align(c)
	for i := range c.dexes {
		for k := range c.dexes[i].positions {
			p := &c.dexes[i].positions[k]
			perp, ok := im.u.Perp(p.coin)
			if !ok {
				continue
			}
			mark := p.mark().round(perpDigits - perp.SzDecimals)
			if move := moves[p.coin]; move != 0 {
				change := numInt(move).mul(tickOf(&perp))
				ppm, _ := change.abs().div(mark).mul(numInt(1_000_000)).units(0)
				movedPPM = max(movedPPM, ppm)
				mark = mark.add(change)
			}
			text := mark.text(perpDigits - perp.SzDecimals)
			tick.Marks[p.coin], tick.Oracles[p.coin] = text, text
		}
	}
	for coin, mid := range c.spotMids {
		if name, szDecimals, ok := im.market(coin); ok {
			if px := spotPrice(mid.text(spotDigits-szDecimals), szDecimals); px != "" {
				tick.Spots[name] = px
			}
		}
	}
	im.addCollateralPrice(c, &tick)
	return tick, movedPPM
}

// addCollateralPrice adds the borrow oracle price that a capture implies where exactly one
// token is supplied as collateral: available after maintenance = N - MM + supplied x price x
// (1+LTV)/2 (MODEL.md §3). It is the median of spot, mark and oracle, so spot and oracle
// carry it.
func (im *importer) addCollateralPrice(c *captured, tick *priceCommand) {
	weighed, ltv, count := im.collateral(c)
	if count != 1 || c.mode != modePortfolio || !c.afterMaint.isGiven() {
		return
	}
	token, _ := im.u.Token(weighed.coin)
	value := c.afterMaint.sub(c.netBalance()).add(c.maintenance())
	weight := numInt(1).add(ltv).div(numInt(2))
	price := value.div(weighed.supplied.mul(weight)).text(spotDigits - token.SzDecimals)
	perp := universe.OraclePerp(weighed.coin)
	for i := range im.u.Spots {
		if s := &im.u.Spots[i]; s.Base == weighed.coin && s.Quote == im.u.Tokens[0].Name {
			tick.Spots[s.Name] = price
		}
	}
	if _, ok := tick.Marks[perp]; ok {
		tick.Oracles[perp] = price
	}
}

// collateral returns the last balance that is supplied as collateral, its loan-to-value,
// and how many there are.
func (im *importer) collateral(c *captured) (last *capturedBalance, ltv num, count int) {
	for _, r := range universe.Reserves() {
		for i := range c.balances {
			b := &c.balances[i]
			weight, err := parseNum(r.LTV)
			if err == nil && b.coin == r.Token && b.supplied.sign() > 0 && weight.sign() > 0 {
				last, ltv = b, weight
				count++
			}
		}
	}
	return last, ltv, count
}

// netBalance returns the total of the settlement token, maintenance the cross maintenance
// margin over all dexes, as the capture reports them.
func (c *captured) netBalance() num {
	for i := range c.balances {
		if c.balances[i].coin == "USDC" {
			return c.balances[i].total
		}
	}
	return num{}
}

func (c *captured) maintenance() (sum num) {
	for i := range c.dexes {
		sum = sum.add(c.dexes[i].crossMaintenance)
	}
	return sum
}

// Bounds of align: how far a mark is moved at most, in millionths, and how well the
// maintenance margin is to be met, in US dollars at 1e-8 (a ratio of 10 digits shows less).
const (
	alignPPMMax   = 500
	alignWithinE8 = 20_000
)

// alignPosition is a position whose mark may move.
type alignPosition struct {
	coin     string
	slopeE8  int64 // maintenance margin of one tick
	ticksMax int64 // ticks in alignPPMMax of its mark
}

// align finds the marks of the moment at which the venue computed a portfolio account's
// ratio. A capture is two replies taken seconds apart: positions with their marks, and
// balances with the ratio. The second implies the maintenance margin at its own moment, N -
// available after maintenance; where that is not the first one's, the marks are moved by
// the smallest parts that explain the difference. Accounts with collateral are left alone.
func (im *importer) align(c *captured) map[string]int64 {
	if _, _, count := im.collateral(c); c.mode != modePortfolio || count > 0 || !c.afterMaint.isGiven() {
		return nil
	}
	gapE8, ok := c.netBalance().sub(c.afterMaint).sub(c.maintenance()).units(8)
	if !ok || max(gapE8, -gapE8) <= alignWithinE8 {
		return nil
	}
	var all []alignPosition
	for i := range c.dexes {
		for k := range c.dexes[i].positions {
			p := &c.dexes[i].positions[k]
			if perp, ok := im.u.Perp(p.coin); ok && !p.isIsolated {
				all = append(all, newAlignPosition(p, tickOf(&perp)))
			}
		}
	}
	slices.SortFunc(all, func(a, b alignPosition) int { return cmp.Compare(b.ticksMax, a.ticksMax) })
	all = append(all, make([]alignPosition, alignDepth)...)[:alignDepth]
	moves, ok := leastMoves((*[alignDepth]alignPosition)(all), gapE8)
	if !ok {
		return nil
	}
	found := map[string]int64{}
	for i := range all {
		found[all[i].coin] = moves[i]
	}
	return found
}

func newAlignPosition(p *capturedPosition, tick num) alignPosition {
	a := alignPosition{coin: p.coin}
	rate := numInt(1).div(numInt(2 * int64(p.maxLeverage))) // of the first tier
	a.slopeE8, _ = p.size.abs().mul(tick).mul(rate).units(8)
	a.ticksMax, _ = p.mark().div(tick).mul(numInt(alignPPMMax)).div(numInt(1_000_000)).units(0)
	return a
}

// alignDepth is how many marks move: those with the finest ticks.
const alignDepth = 4

// leastMoves solves Σ slope x ticks = gap within alignWithinE8 such that the largest part
// of ticksMax that any mark moves by is smallest. The first position is solved for.
func leastMoves(all *[alignDepth]alignPosition, gapE8 int64) (best [alignDepth]int64, ok bool) {
	if all[0].slopeE8 == 0 {
		return best, false
	}
	least := int64(1_000_001) // of ticksMax, in millionths
	for b := -all[1].ticksMax; b <= all[1].ticksMax; b++ {
		for c := -all[2].ticksMax; c <= all[2].ticksMax; c++ {
			for d := -all[3].ticksMax; d <= all[3].ticksMax; d++ {
				rest := gapE8 - b*all[1].slopeE8 - c*all[2].slopeE8 - d*all[3].slopeE8
				a := rest / all[0].slopeE8
				off := rest - a*all[0].slopeE8
				if 2*max(off, -off) > all[0].slopeE8 { // the next tick is nearer
					a += max(-1, min(off, 1))
					off = rest - a*all[0].slopeE8
				}
				if max(off, -off) > alignWithinE8 {
					continue
				}
				moves := [alignDepth]int64{a, b, c, d}
				if part := widestPart(all, &moves); part < least {
					best, least, ok = moves, part, true
				}
			}
		}
	}
	return best, ok
}

// widestPart returns the largest |ticks| / ticksMax in millionths.
func widestPart(all *[alignDepth]alignPosition, moves *[alignDepth]int64) (widest int64) {
	for i, m := range moves {
		if m != 0 {
			widest = max(widest, max(m, -m)*1_000_000/max(all[i].ticksMax, 1))
		}
	}
	return widest
}

// tickOf returns the smallest step of a perp's mark.
func tickOf(p *universe.Perp) num {
	tick := numInt(1)
	for range perpDigits - p.SzDecimals {
		tick = tick.div(numInt(10))
	}
	return tick
}
