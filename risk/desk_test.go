package risk

import (
	"strings"
	"testing"

	"plimsoll/fixedpoint"
)

// desk is a machine with names, for tests that read like a dealing desk.
type desk struct {
	t      testing.TB
	m      *Machine
	seq    uint64
	time   int64
	tokens map[string]uint32
	perps  map[string]uint32
	spots  map[string]uint32
	names  map[string]uint32
	oid    uint64
	quick  bool // skips the identities, for large crowds
}

func newDesk(t testing.TB) *desk {
	t.Helper()
	return &desk{
		t: t, m: New(Config{Shards: 1, AccountsMax: 256}), tokens: map[string]uint32{}, perps: map[string]uint32{},
		spots: map[string]uint32{}, names: map[string]uint32{},
	}
}

// num parses a plain decimal for a test.
func num(t testing.TB, s string) (mantissa int64, decimals uint8) {
	t.Helper()
	isNegative := strings.HasPrefix(s, "-")
	s = strings.TrimPrefix(s, "-")
	whole, frac, _ := strings.Cut(s, ".")
	for _, c := range whole + frac {
		mantissa = mantissa*10 + int64(c-'0')
	}
	if isNegative {
		mantissa = -mantissa
	}
	return mantissa, uint8(len(frac))
}

func (d *desk) set(c *Command, i int, s string) {
	v, dec := num(d.t, s)
	c.SetNum(i, v, dec)
}

// do runs a group and returns its answer.
func (d *desk) do(group ...Command) Event {
	d.t.Helper()
	d.seq++
	for i := range group {
		group[i].Seq, group[i].TimeMs, group[i].GroupLeft = d.seq, d.time, uint16(len(group)-1-i)
	}
	events := d.m.Do(group)
	if len(events) == 0 || events[0].Kind != EventResult {
		d.t.Fatalf("kind %d gave no answer", group[0].Kind)
	}
	d.checkIdentities()
	return events[0]
}

// must runs a group that has to be accepted.
func (d *desk) must(group ...Command) Event {
	d.t.Helper()
	e := d.do(group...)
	if e.Reason != ReasonNone {
		d.t.Fatalf("kind %d refused: %v field %d", group[0].Kind, e.Reason, e.Field)
	}
	return e
}

// refuses runs a group that has to be refused for a reason and change nothing.
func (d *desk) refuses(want Reason, group ...Command) Event {
	d.t.Helper()
	before := d.m.StateHash()
	e := d.do(group...)
	if e.Reason != want {
		d.t.Errorf("kind %d: got %v, want %v", group[0].Kind, e.Reason, want)
	}
	if d.m.StateHash() != before {
		d.t.Errorf("kind %d: a refused command changed the state", group[0].Kind)
	}
	return e
}

func nameRecord(name string) Command {
	c := Command{Kind: KindPartName}
	c.SetName([]byte(name))
	return c
}

type tokenTerms struct {
	name                                string
	index                               uint32
	wei, sz                             uint8
	isBorrowable                        bool
	ltv                                 string
	supply, borrow, userSupply, userBor string
	perp                                string
}

func (d *desk) listToken(x tokenTerms) {
	d.t.Helper()
	slot, ok := d.tokens[x.name]
	if !ok {
		slot = uint32(len(d.tokens))
		d.tokens[x.name] = slot
	}
	c := Command{Kind: KindListToken, Mode: x.wei, Leverage: uint16(x.sz)}
	c.Ref = [4]uint32{0, x.index, NoSlot, slot}
	if p, ok := d.perps[x.perp]; ok {
		c.Ref[RefMarket] = p
	}
	if x.isBorrowable {
		c.Flags = FlagBorrowable
	}
	for i, s := range []string{x.supply, x.borrow, x.userSupply, x.userBor} {
		if s != "" {
			d.set(&c, i, s)
		}
	}
	rates, limits := Command{Kind: KindPartRates}, Command{Kind: KindPartLimits}
	ltv := x.ltv
	if ltv == "" {
		ltv = "0"
	}
	for i, s := range []string{ltv, "0.05", "4.75", "0.8"} {
		d.set(&rates, i, s)
	}
	d.set(&limits, 0, "0.1")
	d.must(c, rates, limits, nameRecord(x.name))
}

// listPerp lists a perp of the main dex; tiers alternate lower bound and leverage.
func (d *desk) listPerp(name string, sz uint8, tiers ...string) {
	d.t.Helper()
	d.listPerpOn(name, 0, "USDC", sz, tiers...)
}

func (d *desk) listPerpOn(name string, dexSlot uint16, collateral string, sz uint8, tiers ...string) {
	d.t.Helper()
	slot, ok := d.perps[name]
	if !ok {
		slot = uint32(len(d.perps))
		d.perps[name] = slot
	}
	c := Command{Kind: KindListPerp, Leverage: uint16(sz), Wallets: [2]uint16{dexSlot}}
	c.Ref = [4]uint32{0, slot, slot, d.tokens[collateral]}
	part := Command{Kind: KindPartTiers, Mode: uint8(len(tiers) / 2)}
	for i := 0; i < len(tiers); i += 2 {
		d.set(&part, i/2, tiers[i])
		lev, _ := num(d.t, tiers[i+1])
		part.Ref[i/2] = uint32(lev)
	}
	d.must(c, part, nameRecord(name))
}

func (d *desk) listSpot(base, quote string, index uint32) {
	d.t.Helper()
	slot := uint32(len(d.spots))
	d.spots[base+"/"+quote] = slot | SpotBit
	c := Command{Kind: KindListSpot}
	c.Ref = [4]uint32{d.tokens[quote], index, slot | SpotBit, d.tokens[base]}
	d.must(c, nameRecord(base+"/"+quote))
}

// standard lists the venue's lending tokens with the caps of spec section 3, and a few
// perps with their real tier tables.
func (d *desk) standard() {
	d.t.Helper()
	d.listToken(tokenTerms{"USDC", 0, 8, 2, true, "0", "1000000000", "500000000", "250000000", "50000000", ""})
	d.listPerp("BTC", 5, "0", "40", "150000000", "20")
	d.listPerp("ETH", 4, "0", "25", "100000000", "15")
	d.listPerp("HYPE", 2, "0", "10", "20000000", "5")
	d.listPerp("NEAR", 1, "0", "10", "20000000", "5")
	d.listPerp("PENGU", 0, "0", "5")
	d.listPerp("XPL", 0, "0", "10", "3000000", "5")
	d.listToken(tokenTerms{"HYPE", 150, 8, 2, false, "0.65", "10000000", "0", "1000000", "0", "HYPE"})
	d.listToken(tokenTerms{"UBTC", 197, 10, 5, false, "0.5", "2000", "0", "200", "0", "BTC"})
	d.listToken(tokenTerms{"USDT0", 268, 8, 2, true, "0", "50000000", "10000000", "5000000", "1000000", ""})
	d.listSpot("HYPE", "USDC", 107)
	d.listSpot("UBTC", "USDC", 142)
}

func (d *desk) open(name string, mode Mode) uint32 {
	d.t.Helper()
	slot := uint32(len(d.names))
	d.names[name] = slot
	c := Command{Kind: KindOpenAccount, Mode: uint8(mode)}
	c.SetName([]byte(name))
	c.Ref = [4]uint32{slot, NoAccount, 0, 0}
	d.must(c)
	return slot
}

// prices sets marks, oracles (o:NAME), spots (A/B) and token oracles (t:NAME).
func (d *desk) prices(pairs ...string) {
	d.t.Helper()
	var group []Command
	for i := 0; i < len(pairs); i += 2 {
		if i%8 == 0 {
			group = append(group, Command{Kind: KindPrices})
		}
		c := &group[len(group)-1]
		v, dec := num(d.t, pairs[i+1])
		name := pairs[i]
		switch {
		case strings.HasPrefix(name, "o:"):
			c.SetPrice(i/2%4, PriceOracle, d.perps[name[2:]], v, dec)
		case strings.HasPrefix(name, "t:"):
			c.SetPrice(i/2%4, PriceTokenOracle, d.tokens[name[2:]], v, dec)
		case strings.Contains(name, "/"):
			c.SetPrice(i/2%4, PriceSpot, d.spots[name], v, dec)
		default:
			c.SetPrice(i/2%4, PriceMark, d.perps[name], v, dec)
		}
	}
	d.must(group...)
}

func (d *desk) market(name string) uint32 {
	if s, ok := d.spots[name]; ok {
		return s
	}
	return d.perps[name]
}

func (d *desk) fund(kind Kind, account uint32, token, amount string) Command {
	c := Command{Kind: kind}
	c.Ref = [4]uint32{account, 0, 0, d.tokens[token]}
	d.set(&c, 0, amount)
	return c
}

// fillOf makes a fill; a negative size sells.
func (d *desk) fillOf(account uint32, market, size, price string) Command {
	c := Command{Kind: KindFill}
	if strings.HasPrefix(size, "-") {
		c.Flags |= FlagSell
		size = size[1:]
	}
	c.Ref = [4]uint32{account, 0, d.market(market), NoSlot}
	d.set(&c, 0, size)
	d.set(&c, 1, price)
	return c
}

// orderOf makes an order with the next id; a negative size sells.
func (d *desk) orderOf(account uint32, market, size, price string) Command {
	c := d.fillOf(account, market, size, price)
	d.oid++
	c.Kind, c.Flags, c.OrderLo, c.OrderForm = KindOrder, c.Flags|FlagOrderID, d.oid, FormUint
	return c
}

func (d *desk) leverage(account uint32, perp string, leverage uint16, isIsolated bool) Command {
	c := Command{Kind: KindSetLeverage, Leverage: leverage}
	c.Ref = [4]uint32{account, 0, d.perps[perp], 0}
	if isIsolated {
		c.Flags = FlagIsolated
	}
	return c
}

func (d *desk) view(account uint32) *AccountView {
	d.t.Helper()
	var v AccountView
	if !d.m.ReadAccount(account, &v) {
		d.t.Fatalf("account %d cannot be read", account)
	}
	return &v
}

func (d *desk) balance(account uint32, token string) BalanceView {
	d.t.Helper()
	for _, b := range d.view(account).Balances {
		if b.Token == d.tokens[token] {
			return b
		}
	}
	d.t.Fatalf("account %d shows no %s", account, token)
	return BalanceView{}
}

// text prints an amount as a plain decimal for messages and comparison.
func text(a Amount) string {
	if a.IsNull {
		return "null"
	}
	v := a.V
	sign := ""
	if v.Sign() < 0 {
		sign, v = "-", v.Neg()
	}
	digits := ""
	for !v.IsZero() || len(digits) <= int(a.Decimals) {
		q := v.DivFloor(10)
		ten, _ := q.MulInt64(10)
		r, _ := v.Sub(ten).Int64()
		digits = string(rune('0'+r)) + digits
		v = q
	}
	whole, frac := digits[:len(digits)-int(a.Decimals)], digits[len(digits)-int(a.Decimals):]
	frac = strings.TrimRight(frac, "0")
	if frac == "" {
		frac = "0"
	}
	return sign + whole + "." + frac
}

func wants(t *testing.T, name string, got Amount, want string) {
	t.Helper()
	if s := text(got); s != want {
		t.Errorf("%s = %s, want %s", name, s, want)
	}
}

// checkIdentities holds the ledger identities after every command.
func (d *desk) checkIdentities() {
	d.t.Helper()
	if d.quick {
		return
	}
	for _, id := range d.m.ReadIdentities() {
		if id.External != id.Held {
			d.t.Fatalf("token %d: external %v, held %v", id.Token, text(Amount{V: id.External, Decimals: 8}), text(Amount{V: id.Held, Decimals: 8}))
		}
	}
	for n := range d.m.pools {
		p := &d.m.pools[n]
		if p.token == NoSlot {
			continue
		}
		s := p.sumsOf(d.m.totalsOf(n))
		dust := s.cash.Add(s.debt).Sub(s.supply).Sub(p.buffer)
		if dust.Sign() < 0 || fixedpoint.I128(100_000).Less(dust) {
			d.t.Fatalf("pool %d: cash + debt - supply - buffer = %v", n, dust)
		}
	}
}
