package risktest

import (
	"strings"
	"testing"

	"plimsoll/risk"
)

// desk is a run with words, for examples that read like a dealing desk. Every accepted
// group is checked against the invariants, every account against the oracle.
type desk struct {
	run
	t     *testing.T
	oid   uint64
	loose bool // the oracle is not asked: for tests of one known figure
}

func newDesk(t *testing.T, shards uint32) *desk {
	t.Helper()
	d := &desk{run: *newRun(shards), t: t}
	d.must(risk.Command{Kind: risk.KindSetParameters, Aux: risk.ParamLiquidation}) // the oracle tells lines only
	return d
}

// set writes a plain decimal as number i of a record.
func set(c *risk.Command, i int, s string) {
	digits, isNegative := strings.CutPrefix(s, "-")
	whole, frac, _ := strings.Cut(digits, ".")
	var v int64
	for _, d := range whole + frac {
		v = v*10 + int64(d-'0')
	}
	if isNegative {
		v = -v
	}
	c.SetNum(i, v, uint8(len(frac)))
}

// try runs a group and returns its events.
func (d *desk) try(group ...risk.Command) []risk.Event {
	d.t.Helper()
	events, err := d.do(group)
	if err != nil {
		d.t.Fatalf("kind %d: %v", group[0].Kind, err)
	}
	if d.loose {
		return events
	}
	for _, x := range append(d.differences(keys(d.o.accounts)), d.poolDifferences()...) {
		d.t.Errorf("after kind %d: %s", group[0].Kind, x)
	}
	return events
}

// must runs a group that has to be accepted.
func (d *desk) must(group ...risk.Command) []risk.Event {
	d.t.Helper()
	events := d.try(group...)
	if events[0].Reason != risk.ReasonNone {
		d.t.Fatalf("kind %d refused: %v, field %d", group[0].Kind, events[0].Reason, events[0].Field)
	}
	return events
}

// token lists a token; ltv "" is none; its caps are wide.
func (d *desk) token(slot, index uint32, wei, sz uint8, isBorrowable bool, ltv string) {
	d.t.Helper()
	c := risk.Command{Kind: risk.KindListToken, Mode: wei, Leverage: uint16(sz)}
	c.Ref = [4]uint32{0, index, risk.NoSlot, slot}
	if isBorrowable {
		c.Flags = risk.FlagBorrowable
	}
	if isBorrowable || ltv != "" {
		for i := range 4 {
			set(&c, i, "50000000000")
		}
	}
	rates, limits := risk.Command{Kind: risk.KindPartRates}, risk.Command{Kind: risk.KindPartLimits}
	for i, s := range []string{ltv, "0.05", "4.75", "0.8"} {
		set(&rates, i, s)
	}
	set(&limits, 0, "0.1")
	d.must(c, rates, limits, nameRecord("token-"+string(rune('a'+slot))))
}

// perp lists a perp settled in token 0; tiers alternate lower bound and leverage.
func (d *desk) perp(slot uint32, dex uint16, sz uint8, tiers ...string) {
	d.t.Helper()
	if dex > 0 {
		c := risk.Command{Kind: risk.KindListDex}
		c.Ref = [4]uint32{0, uint32(dex), uint32(dex), 0}
		d.must(c, nameRecord("dex"))
	}
	c := risk.Command{Kind: risk.KindListPerp, Leverage: uint16(sz), Wallets: [2]uint16{dex}}
	c.Ref = [4]uint32{0, slot, slot, 0}
	part := risk.Command{Kind: risk.KindPartTiers, Mode: uint8(len(tiers) / 2)}
	for i := 0; i < len(tiers); i += 2 {
		set(&part, i/2, tiers[i])
		var lev risk.Command
		set(&lev, 0, tiers[i+1])
		part.Ref[i/2] = uint32(lev.Num[0])
	}
	d.must(c, part, nameRecord("perp-"+string(rune('a'+slot))))
}

func (d *desk) spotMarket(slot, base, quote uint32) {
	d.t.Helper()
	c := risk.Command{Kind: risk.KindListSpot}
	c.Ref = [4]uint32{quote, slot, risk.SpotBit | slot, base}
	d.must(c, nameRecord("spot-"+string(rune('a'+slot))))
}

// price sets one price.
func (d *desk) price(kind risk.PriceKind, slot uint32, s string) []risk.Event {
	d.t.Helper()
	var n risk.Command
	set(&n, 0, s)
	c := risk.Command{Kind: risk.KindPrices}
	c.SetPrice(0, kind, slot, n.Num[0], n.Dec[0])
	return d.must(c)
}

func named(kind risk.Kind, slot uint32, mode risk.Mode) risk.Command {
	c := risk.Command{Kind: kind, Mode: uint8(mode)}
	c.Ref = [4]uint32{slot, risk.NoAccount, 0, 0}
	c.SetName([]byte("account-" + string(rune('a'+slot))))
	return c
}

func (d *desk) open(slot uint32, mode risk.Mode) {
	d.t.Helper()
	d.must(named(risk.KindOpenAccount, slot, mode))
}

func funds(kind risk.Kind, account, token uint32, amount string) risk.Command {
	c := risk.Command{Kind: kind}
	c.Ref = [4]uint32{account, 0, 0, token}
	set(&c, 0, amount)
	return c
}

// deal makes an order, fill or trade; a negative size sells.
func deal(kind risk.Kind, account, market uint32, size, price string) risk.Command {
	c := risk.Command{Kind: kind}
	c.Ref = [4]uint32{account, 0, market, risk.NoSlot}
	size, isSell := strings.CutPrefix(size, "-")
	if isSell {
		c.Flags |= risk.FlagSell
	}
	set(&c, 0, size)
	set(&c, 1, price)
	return c
}

func (d *desk) order(account, market uint32, size, price string) risk.Command {
	c := deal(risk.KindOrder, account, market, size, price)
	d.oid++
	c.Flags |= risk.FlagOrderID
	c.OrderLo, c.OrderForm = d.oid, risk.FormUint
	return c
}

func leverage(account, perp uint32, times uint16, flags risk.Flags) risk.Command {
	c := risk.Command{Kind: risk.KindSetLeverage, Leverage: times, Flags: flags}
	c.Ref = [4]uint32{account, 0, perp, 0}
	return c
}

// Parts of an import.

func balancePart(token uint32, total, supplied, borrowed string) risk.Command {
	c := risk.Command{Kind: risk.KindPartBalance}
	c.Ref[risk.RefToken] = token
	for i, s := range []string{total, supplied, borrowed} {
		set(&c, i, s)
	}
	return c
}

func positionPart(perp uint32, times uint16, size, entry string, flags risk.Flags, raw string) risk.Command {
	c := risk.Command{Kind: risk.KindPartPosition, Leverage: times, Flags: flags}
	c.Ref[risk.RefMarket] = perp
	for i, s := range []string{size, entry, raw} {
		set(&c, i, s)
	}
	return c
}

func walletPart(dex uint32, raw string) risk.Command {
	c := risk.Command{Kind: risk.KindPartWallet}
	c.Ref[risk.RefMarket] = dex
	set(&c, 0, raw)
	return c
}

func (d *desk) view(slot uint32) *risk.AccountView {
	d.t.Helper()
	var v risk.AccountView
	if !d.s.ReadAccount(slot, &v) {
		d.t.Fatalf("account %d cannot be read", slot)
	}
	return &v
}

func (d *desk) balance(slot, token uint32) risk.BalanceView {
	d.t.Helper()
	for _, b := range d.view(slot).Balances {
		if b.Token == token {
			return b
		}
	}
	d.t.Fatalf("account %d shows no token %d", slot, token)
	return risk.BalanceView{}
}

func wants(t *testing.T, name string, got risk.Amount, want string) {
	t.Helper()
	if s := Text(got); s != want {
		t.Errorf("%s = %s, want %s", name, s, want)
	}
}

// lendingDesk lists dollars (token 0), HYPE (token 1) and BTC (token 2) at half weight,
// and opens account 0 with a million dollars lent.
func lendingDesk(t *testing.T) *desk {
	t.Helper()
	d := newDesk(t, 1)
	d.token(0, 0, 8, 2, true, "")
	d.token(1, 150, 8, 2, false, "0.5")
	d.token(2, 197, 10, 5, false, "0.5")
	d.perp(0, 0, 5, "0", "40")
	d.must(named(risk.KindImportAccount, 0, risk.ModePortfolio), balancePart(0, "1000000", "1000000", "0"))
	return d
}
