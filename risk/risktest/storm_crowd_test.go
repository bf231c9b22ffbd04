package risktest

import (
	"fmt"
	"slices"

	"plimsoll/risk"
)

// populate lists the universe and imports the accounts.
func (s *storm) populate() {
	for _, group := range s.g.Listings() {
		s.do(group)
	}
	for n := range stormListings {
		s.do(perpGroupOf(&stormListings[n], perpFine+n))
	}
	s.do(s.g.Next()) // a clock and a price for everything
	s.do(s.g.Next())
	s.do(s.tick(perpFine, perpFineToo, perpDust))
	var b tickBuilder
	for n := range stormListings { // these oracles stay
		b.add(risk.PriceOracle, uint32(perpFine+n), stormListings[n].price, 6)
	}
	s.do(b.group)
	for slot := range s.accounts {
		switch {
		case slot < stormDrawn:
			s.do(s.g.Portfolio(slot))
		case slot < stormDrawn+stormPlain:
			s.do(s.plain(slot, false))
		default:
			s.do(s.plain(slot, true))
		}
	}
	s.settle(settleAll)
}

// plain imports an account of the main dex: one to five cross positions, now and then an
// isolated one, and cash about its requirement; under portfolio margin the cash is lent or
// owed, and there may be collateral.
func (s *storm) plain(slot uint32, isDust bool) []risk.Command {
	mode := []risk.Mode{risk.ModeStandard, risk.ModeUnified, risk.ModePortfolio}[s.r.IntN(3)]
	c := risk.Command{Kind: risk.KindImportAccount, Mode: uint8(mode)}
	c.SetName(fmt.Appendf(nil, "plain-%d", slot))
	c.Ref = [4]uint32{slot, risk.NoAccount, 0, 0}
	group := []risk.Command{c}
	held := []int{0, 1, 2, 3, perpFine, perpFineToo}
	s.r.Shuffle(len(held), func(i, j int) { held[i], held[j] = held[j], held[i] })
	switch held = held[:1+s.r.IntN(5)]; {
	case isDust:
		held = []int{perpDust}
	case s.r.IntN(4) < 1:
		held = []int{perpFine + s.r.IntN(2)}
		s.singles = append(s.singles, slot)
	case s.r.IntN(4) == 0:
		held = []int{perpFine, perpFineToo}
	}
	slices.Sort(held)
	var raw, required int64 // at 1e-6: cash of the dex, and what positions ask
	for _, n := range held {
		part, cash, need := s.position(n, isDust)
		group = append(group, part)
		raw, required = raw+cash, required+need
	}
	equity := mulDiv(required, 50+s.r.Int64N(250), 100)
	if s.r.IntN(6) == 0 {
		equity *= 1 + s.r.Int64N(20)
	}
	w := risk.Command{Kind: risk.KindPartWallet}
	switch mode {
	case risk.ModePortfolio:
		w.SetNum(0, raw+required, 6) // the dex covers itself, the rest is lent or owed
		group = append(group, w)
		group = append(group, s.lent(equity-required, required, isDust)...)
	default:
		w.SetNum(0, raw+equity, 6)
		group = append(group, w)
	}
	return group
}

// position draws a position and returns it with the cash that makes its value zero and what it
// requires, at 1e-6.
func (s *storm) position(n int, isDust bool) (c risk.Command, cash, required int64) {
	p := s.listed(n)
	price := s.perps[n]
	value := s.g.money(30_000 * million)
	size := max(1, value/price)
	if isDust {
		size = 1 + s.r.Int64N(40)
	}
	notional := size * price
	c = risk.Command{Kind: risk.KindPartPosition, Leverage: uint16(1 + s.r.IntN(int(p.tiers[1])))}
	c.Ref[risk.RefMarket] = uint32(n)
	required = notional/int64(c.Leverage) + 1
	if s.r.IntN(2) == 0 {
		size, notional = -size, -notional
	}
	c.SetNum(0, size, p.sz)
	c.SetNum(1, max(notional, -notional), 6)
	if s.r.IntN(8) == 0 {
		c.Flags |= risk.FlagIsolated
		c.SetNum(2, -notional+mulDiv(required, 30+s.r.Int64N(150), 100), 6)
		return c, 0, 0
	}
	return c, -notional, required
}

// lent makes balances worth about so much, at 1e-6 US dollars: the numeraire lent or owed, and
// perhaps collateral. A total is what dexes are worth and what is lent, together.
func (s *storm) lent(net, worth int64, isDust bool) []risk.Command {
	var group []risk.Command
	b := risk.Command{Kind: risk.KindPartBalance}
	collateral := int64(0)
	if s.r.IntN(2) == 0 || net < 0 {
		collateral = max(net, -net) + s.g.money(20_000*million)
		if isDust {
			collateral = max(net, -net) + s.r.Int64N(20_000)
		}
	}
	switch net -= collateral / 4; {
	case net >= 0:
		b.SetNum(0, worth+net, 6)
		b.SetNum(1, net, 6)
	default:
		b.SetNum(0, worth, 6)
		b.SetNum(2, -net, 6)
	}
	group = append(group, b)
	if collateral > 0 {
		token := 1 + s.r.Uint32N(2)
		v := max(1, mulDiv(collateral, million, universeTokens[token].price))
		b = risk.Command{Kind: risk.KindPartBalance}
		b.Ref[risk.RefToken] = token
		b.SetNum(0, v, 6)
		b.SetNum(1, v, 6)
		group = append(group, b)
	}
	return group
}
