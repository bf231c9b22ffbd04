package risktest

import (
	"slices"

	"plimsoll/risk"
)

// Oracle is the shadow of a machine: the same accepted commands in, the same figures out,
// computed from docs/MODEL.md with math/big and no thought of speed. It decides nothing
// about acceptance; it is told.
type Oracle struct {
	TimeMs int64
	Params risk.Parameters

	haltAll   bool
	numeraire uint32
	tokens    map[uint32]*token
	dexes     map[uint32]*dex
	perps     map[uint32]*perp
	spots     map[uint32]*spot
	accounts  map[uint32]*account
}

// token is a listed token with its pool; amounts are in its smallest units.
type token struct {
	slot, index               uint32
	wei, sz                   int
	isBorrowable              bool
	oraclePerp                uint32
	spot                      *spot // against the numeraire
	ltv, base, slope, kink    whole // at 1e-12
	reserve                   whole
	supplyCap, borrowCap      whole
	userSupplyCap, userBorCap whole
	given, px                 whole // at 1e-10; zero while unknown
	pool                      *pool // nil without one
}

// dex is a perp venue with one collateral token.
type dex struct {
	slot       uint32
	collateral *token
}

// tier is a row of a maintenance table: rate and deduction as exact fractions over den.
type tier struct {
	lower    whole // units
	leverage int64
}

// perp is a listed perpetual.
type perp struct {
	slot     uint32
	sz       int
	dex      *dex
	mode     risk.MarginMode
	tiers    []tier
	mark     whole // at 1e-(6-sz)
	oracle   whole // at 1e-10
	cum      whole // per size unit at 1e-12
	openLong whole
}

// spot is a listed spot market.
type spot struct {
	slot        uint32
	base, quote *token
	px          whole // at 1e-(8-sz of base)
}

// account is one account's state.
type account struct {
	slot, master uint32
	mode         risk.Mode
	isHalted     bool
	raw          map[uint32]whole    // by dex slot
	balances     map[uint32]*balance // by token slot
	positions    map[uint32]*position
	orders       []*order // in order of placement
}

// balance is one token of an account.
type balance struct {
	cash, lend, basis, entry whole // lend is scaled: positive supply, negative debt
}

// position is one perp of an account; size zero is a leverage setting.
type position struct {
	perp                           *perp
	size, entry, raw, cum, funding whole
	leverage                       int64
	isIsolated, isSet              bool
}

// order is a resting order.
type order struct {
	idHi, idLo     uint64
	form           risk.IDForm
	perp           *perp
	spot           *spot
	market         uint32
	flags          risk.Flags
	size, original whole
	price, trigger whole
	timeMs         int64
}

// NewOracle returns an empty oracle with the documented parameters.
func NewOracle() *Oracle {
	return &Oracle{
		Params: risk.DefaultParameters(), tokens: map[uint32]*token{}, dexes: map[uint32]*dex{},
		perps: map[uint32]*perp{}, spots: map[uint32]*spot{}, accounts: map[uint32]*account{},
	}
}

// keys returns the keys of a map in order, so that nothing depends on chance.
func keys[V any](m map[uint32]V) []uint32 {
	out := make([]uint32, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// Tick moves engine time, as every group does that is not refused for its time.
func (o *Oracle) Tick(timeMs int64) { o.TimeMs = max(o.TimeMs, timeMs) }

// Apply takes an accepted group, with Seq and TimeMs as the machine saw them.
func (o *Oracle) Apply(group []risk.Command) {
	c := &group[0]
	o.Tick(c.TimeMs)
	switch c.Kind {
	case risk.KindListToken:
		o.listToken(group)
	case risk.KindListDex:
		if o.dexes[c.Market()] == nil { // listed again, only its name changes
			o.dexes[c.Market()] = &dex{slot: c.Market(), collateral: o.tokens[c.Token()]}
		}
	case risk.KindListPerp:
		o.listPerp(group)
	case risk.KindListSpot:
		o.listSpot(c)
	case risk.KindSetParameters:
		o.setParameters(c)
	case risk.KindPrices:
		o.prices(group)
	case risk.KindFunding:
		o.funding(group)
	case risk.KindClock:
		o.accrueAll()
	case risk.KindHalt, risk.KindResume:
		o.halt(c)
	case risk.KindOpenAccount:
		o.open(c)
	case risk.KindImportAccount:
		o.importAccount(group)
	case risk.KindTransfer:
		o.transfer(c)
	case risk.KindTrade:
		o.trade(group)
	default:
		o.applyToAccount(c)
	}
}

// applyToAccount takes the commands that concern one account; after all but the explicit
// lending kinds it is rebalanced (MODEL.md §8).
func (o *Oracle) applyToAccount(c *risk.Command) {
	a := o.accounts[c.Account()]
	switch c.Kind {
	case risk.KindSupply, risk.KindUnsupply, risk.KindBorrow, risk.KindRepay:
		o.lend(a, c)
		return
	case risk.KindDeposit:
		o.credit(a, c.Wallets[0], o.tokens[c.Token()], number(c, 0, o.tokens[c.Token()].wei))
	case risk.KindWithdraw:
		o.credit(a, c.Wallets[0], o.tokens[c.Token()], negate(number(c, 0, o.tokens[c.Token()].wei)))
	case risk.KindSetMode:
		a.mode = risk.Mode(c.Mode)
	case risk.KindSetLeverage:
		p := o.position(a, c.Market())
		p.leverage, p.isIsolated, p.isSet = int64(c.Leverage), c.Has(risk.FlagIsolated), true
	case risk.KindIsolatedMargin:
		p := a.positions[c.Market()]
		v := number(c, 0, p.perp.dex.collateral.wei)
		p.raw = add(p.raw, v)
		a.addRaw(p.perp.dex.slot, negate(v))
	case risk.KindFill:
		o.fill(a, c, c, c.Has(risk.FlagSell))
	default:
		o.changeOrders(a, c)
	}
	o.rebalance(a)
}

func (o *Oracle) open(c *risk.Command) {
	o.accounts[c.Account()] = &account{
		slot: c.Account(), master: c.Other(), mode: risk.Mode(c.Mode), raw: map[uint32]whole{},
		balances: map[uint32]*balance{}, positions: map[uint32]*position{},
	}
}

func (o *Oracle) halt(c *risk.Command) {
	isHalt := c.Kind == risk.KindHalt
	switch {
	case c.Has(risk.FlagAccount):
		o.accounts[c.Account()].isHalted = isHalt
	case c.Has(risk.FlagMarket):
	case c.Has(risk.FlagAll):
		o.haltAll = isHalt
	}
}

// rawOf returns the cash of a dex.
func (a *account) rawOf(slot uint32) whole {
	if v, ok := a.raw[slot]; ok {
		return v
	}
	return of(0)
}

func (a *account) addRaw(slot uint32, v whole) {
	if v.Sign() != 0 || a.raw[slot] != nil {
		a.raw[slot] = add(a.rawOf(slot), v)
	}
}

// balance returns the balance of a token, an empty one where there is none.
func (a *account) balance(t *token) *balance {
	b := a.balances[t.slot]
	if b == nil {
		b = &balance{cash: of(0), lend: of(0), basis: of(0), entry: of(0)}
		a.balances[t.slot] = b
	}
	return b
}

// cashOf returns the idle cash of a token.
func (a *account) cashOf(t *token) whole {
	if b := a.balances[t.slot]; b != nil {
		return b.cash
	}
	return of(0)
}

func (a *account) addCash(t *token, v whole) {
	if v.Sign() != 0 {
		b := a.balance(t)
		b.cash = add(b.cash, v)
	}
}

// credit moves funds into (or, negative, out of) a wallet: standard accounts have one per
// dex beside the spot wallet, the default being the main dex where it settles the token.
func (o *Oracle) credit(a *account, code uint16, t *token, v whole) {
	isMain := o.dexes[0] != nil && o.dexes[0].collateral == t
	switch {
	case a.mode == risk.ModeStandard && uint32(code) == risk.WalletDefault && isMain:
		a.addRaw(0, v)
	case a.mode == risk.ModeStandard && uint32(code) >= risk.WalletPerp:
		a.addRaw(uint32(code)-risk.WalletPerp, v)
	default:
		a.addCash(t, v)
	}
}
