package risktest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"plimsoll/fixedpoint"
	"plimsoll/risk"
)

// scenarioCommands are the commands of a story, by their first word. Names stand for slots, a
// size bears its sign, an amount may have commas and end in k or M.
var scenarioCommands = map[string]func(*scenario, []string){
	"list":      (*scenario).list,        // list usual | token BTC key=value... | perp BTC key=value...
	"quiet":     (*scenario).quieten,     // everyday lending is not told from here on
	"figures":   (*scenario).withFigures, // changes of health are told with figures from here on
	"open":      (*scenario).open,        // open alice portfolio|unified|standard
	"set":       (*scenario).set,         // set liquidator alice|none, set offset none|add|floor, set liquidation|sale|cross-only on|off, set limit 50k
	"deposit":   (*scenario).money,       // deposit alice 1,000 USDC [dex xyz]
	"withdraw":  (*scenario).money,       // the same
	"supply":    (*scenario).money,       // and these four
	"unsupply":  (*scenario).money,       //
	"borrow":    (*scenario).money,       //
	"repay":     (*scenario).money,       //
	"leverage":  (*scenario).leverage,    // leverage alice BTC 10 [isolated]
	"margin":    (*scenario).margin,      // margin alice BTC +100
	"fill":      (*scenario).fill,        // fill alice BTC +1 @ 100000
	"trade":     (*scenario).trade,       // trade alice BTC +1 @ 100000 with bob
	"order":     (*scenario).order,       // order alice BTC -1 @ 100000 [reduce-only]
	"price":     (*scenario).price,       // price BTC 90000 HYPE 40: marks, oracles and token prices of that name
	"mark":      (*scenario).price,       // mark BTC 90000: marks only
	"oracle":    (*scenario).price,       // oracle BTC 90000: token prices only
	"clock":     (*scenario).clock,       // clock +3s
	"funding":   (*scenario).funding,     // funding BTC 0.001
	"answer":    (*scenario).answer,      // answer alice [50%] [@ price]: the book fills what a liquidation asks for
	"show":      (*scenario).shows,       // show alice bob
	"pool":      (*scenario).pools,       // pool USDC
	"ledger":    (*scenario).ledgers,     // ledger
	"forget":    (*scenario).forget,      // forget alice: orders nobody will answer
	"liquidate": (*scenario).liquidate,   // liquidate alice BTC -1 @ 100000 of 17: a fill flagged so
}

func (s *scenario) command(words []string) {
	f, ok := scenarioCommands[words[0]]
	if !ok {
		s.t.Fatalf("no such command: %s", words[0])
	}
	defer func() {
		if r := recover(); r != nil {
			s.t.Fatalf("%s: %v", strings.Join(words, " "), r)
		}
	}()
	f(s, words)
}

// place returns the place of a name in a list.
func place(list []string, name string) uint32 {
	i := slices.Index(list, name)
	if i < 0 {
		panic("no such name: " + name)
	}
	return uint32(i)
}

// number writes a decimal as number i of a record.
func (s *scenario) number(c *risk.Command, i int, text string) {
	text = strings.TrimPrefix(strings.ReplaceAll(text, ",", ""), "+")
	zeros := 0
	switch {
	case strings.HasSuffix(text, "k"):
		text, zeros = text[:len(text)-1], 3
	case strings.HasSuffix(text, "M"):
		text, zeros = text[:len(text)-1], 6
	}
	whole, frac, _ := strings.Cut(text, ".")
	for range zeros {
		whole, frac = whole+(frac + "0")[:1], strings.TrimPrefix(frac, (frac + "0")[:1])
	}
	if frac != "" {
		whole += "." + frac
	}
	set(c, i, whole)
}

// signed writes a signed size as number 0 and its sign as a flag.
func (s *scenario) signed(c *risk.Command, text string) {
	if rest, isSell := strings.CutPrefix(text, "-"); isSell {
		text = rest
		c.Flags |= risk.FlagSell
	}
	s.number(c, 0, text)
}

func (s *scenario) quieten([]string) { s.quiet = true }

func (s *scenario) withFigures([]string) { s.figures = true }

func (s *scenario) open(w []string) {
	mode := map[string]risk.Mode{"standard": risk.ModeStandard, "unified": risk.ModeUnified, "portfolio": risk.ModePortfolio}[w[2]]
	s.names.accounts = append(s.names.accounts, w[1])
	c := risk.Command{Kind: risk.KindOpenAccount, Mode: uint8(mode)}
	c.Ref = [4]uint32{uint32(len(s.names.accounts) - 1), risk.NoAccount, 0, 0}
	c.SetName([]byte(w[1]))
	s.do(c)
}

func (s *scenario) set(w []string) {
	c := risk.Command{Kind: risk.KindSetParameters}
	switch w[1] {
	case "liquidator":
		c.Aux, c.Ref[risk.RefAccount] = risk.ParamBackstopAccount, risk.NoAccount
		if w[2] != "none" {
			c.Ref[risk.RefAccount] = place(s.names.accounts, w[2])
		}
	case "offset":
		c.Aux, c.Mode = risk.ParamOffsetMode, uint8(place([]string{"none", "add", "floor"}, w[2]))
	case "liquidation":
		c.Aux = risk.ParamLiquidation
		if w[2] == "on" {
			c.Aux |= risk.ParamLiquidationValue
		}
	case "sale":
		c.Aux = risk.ParamBackstopTWAP
		if w[2] == "on" {
			c.Aux |= risk.ParamTWAPValue
		}
	case "cross-only":
		c.Aux = risk.ParamBackstopCross
		if w[2] == "on" {
			c.Aux |= risk.ParamCrossValue
		}
	case "limit":
		c.Aux = risk.ParamBackstopLimit
		s.number(&c, 2, w[2])
	default:
		panic("no such parameter")
	}
	s.do(c)
}

func (s *scenario) money(w []string) {
	kind := map[string]risk.Kind{
		"deposit": risk.KindDeposit, "withdraw": risk.KindWithdraw, "supply": risk.KindSupply, "unsupply": risk.KindUnsupply,
		"borrow": risk.KindBorrow, "repay": risk.KindRepay,
	}[w[0]]
	c := risk.Command{Kind: kind}
	c.Ref = [4]uint32{place(s.names.accounts, w[1]), 0, 0, place(s.names.tokens, w[3])}
	if w[2] == "all" {
		c.Flags |= risk.FlagAll
	} else {
		s.number(&c, 0, w[2])
	}
	if len(w) > 5 {
		c.Wallets[0] = uint16(risk.WalletPerp + place(s.names.dexes, w[5]))
	}
	s.do(c)
}

func (s *scenario) leverage(w []string) {
	c := risk.Command{Kind: risk.KindSetLeverage}
	c.Ref = [4]uint32{place(s.names.accounts, w[1]), 0, place(s.names.perps, w[2]), 0}
	n, err := strconv.ParseUint(w[3], 10, 16)
	if err != nil {
		panic(err)
	}
	c.Leverage = uint16(n)
	if len(w) > 4 {
		c.Flags |= risk.FlagIsolated
	}
	s.do(c)
}

func (s *scenario) margin(w []string) {
	c := risk.Command{Kind: risk.KindIsolatedMargin}
	c.Ref = [4]uint32{place(s.names.accounts, w[1]), 0, place(s.names.perps, w[2]), 0}
	s.number(&c, 0, w[3])
	s.do(c)
}

// dealt makes a record of a fill or an order: account, market, size, @, price.
func (s *scenario) dealt(kind risk.Kind, w []string) risk.Command {
	c := risk.Command{Kind: kind}
	c.Ref = [4]uint32{place(s.names.accounts, w[0]), 0, s.marketAt(w[1]), risk.NoSlot}
	s.signed(&c, w[2])
	s.number(&c, 1, w[4])
	return c
}

func (s *scenario) marketAt(name string) uint32 {
	if i := slices.Index(s.names.spots, name); i >= 0 {
		return risk.SpotBit | uint32(i)
	}
	return place(s.names.perps, name)
}

func (s *scenario) fill(w []string) { s.do(s.dealt(risk.KindFill, w[1:])) }

func (s *scenario) liquidate(w []string) {
	c := s.dealt(risk.KindFill, w[1:])
	n, err := strconv.ParseUint(w[7], 10, 64)
	if err != nil {
		panic(err)
	}
	c.Flags, c.Aux = c.Flags|risk.FlagLiquidation, n
	s.do(c)
}

func (s *scenario) trade(w []string) {
	c := s.dealt(risk.KindTrade, w[1:])
	other := risk.Command{Kind: risk.KindPartSeller}
	buyer, seller := c.Account(), place(s.names.accounts, w[7])
	if c.Has(risk.FlagSell) {
		buyer, seller = seller, buyer
		c.Flags &^= risk.FlagSell
	}
	c.Ref[risk.RefAccount], other.Ref[risk.RefAccount] = buyer, seller
	s.do(c, other)
}

func (s *scenario) order(w []string) {
	c := s.dealt(risk.KindOrder, w[1:])
	c.OrderForm, c.OrderLo = risk.FormUint, s.sets[0].seq
	c.Flags |= risk.FlagOrderID
	if len(w) > 6 {
		c.Flags |= risk.FlagReduceOnly
	}
	s.do(c)
}

// price sets prices by name: a perp's mark and oracle, a token's oracle. A mark is cut to the
// digits that its perp has.
func (s *scenario) price(w []string) {
	var b tickBuilder
	for i := 1; i+1 < len(w); i += 2 {
		name, text := w[i], strings.ReplaceAll(w[i+1], ",", "")
		if n := slices.Index(s.names.perps, name); n >= 0 && w[0] != "oracle" {
			s.marks[name] = s.cut(uint32(n), text)
			s.addPrice(&b, risk.PriceMark, uint32(n), s.marks[name])
			if w[0] == "price" {
				s.addPrice(&b, risk.PriceOracle, uint32(n), text)
			}
		}
		if n := slices.Index(s.names.tokens, name); n >= 0 && w[0] != "mark" {
			s.addPrice(&b, risk.PriceTokenOracle, uint32(n), text)
		}
	}
	s.do(b.group...)
}

func (s *scenario) addPrice(b *tickBuilder, kind risk.PriceKind, slot uint32, text string) {
	var c risk.Command
	set(&c, 0, text)
	b.add(kind, slot, c.Num[0], c.Dec[0])
}

// cut drops the digits of a price that a perp has not.
func (s *scenario) cut(perp uint32, text string) string {
	whole, frac, hasFrac := strings.Cut(text, ".")
	keep := 6 - int(universeOf(s, perp))
	if !hasFrac || len(frac) <= keep {
		return text
	}
	if keep == 0 {
		return whole
	}
	return whole + "." + frac[:keep]
}

func universeOf(s *scenario, perp uint32) uint8 {
	for _, p := range s.sets[0].Machines[0].ReadPerps() {
		if p.Slot == perp {
			return p.SzDecimals
		}
	}
	return 0
}

func (s *scenario) clock(w []string) {
	text := strings.TrimPrefix(w[1], "+")
	unit := int64(1000)
	switch text[len(text)-1] {
	case 'm':
		unit = 60_000
	case 'h':
		unit = 3_600_000
	case 'd':
		unit = 86_400_000
	}
	var c risk.Command
	set(&c, 0, text[:len(text)-1])
	s.timeMs += c.Num[0] * unit / fixedpoint.Pow10(c.Dec[0])
	s.do(risk.Command{Kind: risk.KindClock, TimeMs: s.timeMs})
}

func (s *scenario) funding(w []string) {
	c := risk.Command{Kind: risk.KindFunding, Mode: 1}
	c.Ref[0] = place(s.names.perps, w[1])
	s.number(&c, 0, w[2])
	s.do(c)
}

// answer fills what a liquidation has asked for, at the mark or a price given.
func (s *scenario) answer(w []string) {
	slot, share, price := place(s.names.accounts, w[1]), int64(100), ""
	for i := 2; i < len(w); i++ {
		if w[i] == "@" {
			price = w[i+1]
		} else if n, ok := strings.CutSuffix(w[i], "%"); ok {
			share, _ = strconv.ParseInt(n, 10, 64)
		}
	}
	mine := slices.Clone(s.orders)
	s.orders = slices.DeleteFunc(s.orders, func(o standing) bool { return o.account == slot })
	count := 0
	for _, o := range mine {
		if o.account != slot {
			continue
		}
		count++
		c := risk.Command{Kind: risk.KindFill, Flags: risk.FlagLiquidation, Aux: o.number}
		c.Ref = [4]uint32{slot, 0, o.perp, risk.NoSlot}
		size := o.size * share / 100
		if size < 0 {
			size = -size
			c.Flags |= risk.FlagSell
		}
		c.SetNum(0, size, o.decimals)
		if price == "" {
			s.number(&c, 1, s.marks[s.names.perps[o.perp]])
		} else {
			s.number(&c, 1, price)
		}
		s.do(c)
	}
	if count == 0 {
		fmt.Fprintln(&s.out, "nothing to answer")
	}
}

func (s *scenario) forget(w []string) {
	slot := place(s.names.accounts, w[1])
	s.orders = slices.DeleteFunc(s.orders, func(o standing) bool { return o.account == slot })
}

func (s *scenario) shows(w []string) {
	for _, name := range w[1:] {
		s.show(place(s.names.accounts, name))
	}
}

func (s *scenario) pools(w []string) { s.pool(place(s.names.tokens, w[1])) }

func (s *scenario) ledgers([]string) { s.ledger() }
