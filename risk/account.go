package risk

import "plimsoll/fixedpoint"

// account is one account's fixed columns. Positions and balances stand in slabs, resting
// orders in a list.
type account struct {
	raw         i128 // cash of the main dex, collateral units; other dexes: balances with dexBit
	positions   span
	balances    span
	orderHead   uint32
	orderTail   uint32
	master      uint32
	orderCount  uint16
	mode        Mode
	flags       accountFlags
	nameHash    uint64
	liquidation uint32 // place in liquidations, plus one; 0 = none
	spotCount   uint16 // of the orders, those of spot markets: derived data
}

type accountFlags uint8

const (
	accountOpen accountFlags = 1 << iota
	accountHalted
	accountUnvalued // imported before its perps had marks: totals still hold what dexes are worth
	accountLiquidating
	// touch.go has the bits that are no state.
)

// balance is one token of an account, or with dexBit the cash of a further dex.
type balance struct {
	cash     i128 // idle, held spot included; negative only where a pool ran dry
	lend     i128 // scaled by the pool's index: positive supply, negative debt
	basis    i128 // principal of lend at its last touch, signed alike
	entryNtl int64
	key      uint16
	bounds   balanceBounds // of the token's price: derived data
}

// dexBit marks a balance that is the cash of dex key&^dexBit.
const dexBit = 1 << 15

// nameSeed salts the hash that names an account in the state hash.
const nameSeed = 0x706c696d736f6c6c

// accountAt returns the open account of a slot that this shard owns, or nil.
func (m *Machine) accountAt(slot uint32) *account {
	if !m.owns(slot) {
		return nil
	}
	a := &m.accounts[slot/m.cfg.Shards]
	if a.flags&accountOpen == 0 {
		return nil
	}
	return a
}

// owns reports whether a slot lives on this shard.
func (m *Machine) owns(slot uint32) bool {
	return slot < m.cfg.AccountsMax && slot%m.cfg.Shards == m.cfg.Shard
}

// exists reports whether an account is open on any shard: every machine sees every
// opening, so all agree.
func (m *Machine) exists(slot uint32) bool {
	return slot < m.cfg.AccountsMax && m.opened[slot/64]>>(slot%64)&1 == 1
}

// openAccount opens an account; every shard marks it, its owner fills it.
func (m *Machine) openAccount(c *Command) Reason {
	slot := c.Account()
	switch {
	case slot >= m.cfg.AccountsMax:
		return ReasonLimitExceeded
	case m.exists(slot):
		return ReasonAccountExists
	case c.Mode < uint8(ModeStandard) || c.Mode > uint8(ModePortfolio):
		return ReasonModeChangeBlocked
	case c.Other() != NoAccount && !m.exists(c.Other()):
		return ReasonUnknownAccount
	}
	m.opened[slot/64] |= 1 << (slot % 64)
	m.accountCount++
	if !m.owns(slot) {
		return ReasonNone
	}
	var buf [NameMax]byte
	mix := fixedpoint.NewMixer(nameSeed)
	mix.Bytes(c.AppendName(buf[:0]))
	m.accounts[slot/m.cfg.Shards] = account{
		mode: Mode(c.Mode), flags: accountOpen, master: c.Other(), nameHash: mix.Sum().Lo,
	}
	m.noteOpened(slot / m.cfg.Shards)
	m.refreshHot(slot)
	return ReasonNone
}

// balanceOf returns an account's balance of a key, or nil.
func (m *Machine) balanceOf(a *account, key uint16) *balance {
	items := m.balances.of(&a.balances)
	for i := range items {
		if items[i].key == key {
			return &items[i]
		}
	}
	return nil
}

// balanceFor returns an account's balance of a key, adding an empty one in key order.
// The pointer is valid until the next balance is added.
func (m *Machine) balanceFor(a *account, key uint16) *balance {
	items := m.balances.of(&a.balances)
	i := 0
	for i < len(items) && items[i].key < key {
		i++
	}
	if i < len(items) && items[i].key == key {
		return &items[i]
	}
	b, ok := m.balances.insert(&a.balances, i)
	if !ok {
		panic("risk: BUG: more balances than tokens and dexes")
	}
	b.key = key
	return b
}

// cashOf returns the idle cash of a token.
func (m *Machine) cashOf(a *account, tokenSlot uint32) i128 {
	if b := m.balanceOf(a, uint16(tokenSlot)); b != nil {
		return b.cash
	}
	return i128{}
}

// addCash changes the idle cash of a token.
func (m *Machine) addCash(a *account, tokenSlot uint32, v i128) {
	if v.IsZero() {
		return
	}
	b := m.balanceFor(a, uint16(tokenSlot))
	b.cash = b.cash.Add(v)
}

// addRaw changes the cash of a perp dex.
func (m *Machine) addRaw(a *account, dexSlot uint16, v i128) {
	if dexSlot == 0 {
		a.raw = a.raw.Add(v)
		return
	}
	if v.IsZero() {
		return
	}
	b := m.balanceFor(a, dexBit|dexSlot)
	b.cash = b.cash.Add(v)
}

// supplied returns the value of a balance's supply, rounded down.
func (m *Machine) supplied(b *balance) i128 {
	if b == nil || b.lend.Sign() <= 0 {
		return i128{}
	}
	return m.pools[m.tokens[b.key].pool].supplyWorth(b.lend)
}

// debt returns the value of a balance's debt, rounded up.
func (m *Machine) debt(b *balance) i128 {
	if b == nil || b.lend.Sign() >= 0 {
		return i128{}
	}
	v, ok := m.pools[m.tokens[b.key].pool].debtIndex.ValueCeil(b.lend.Neg())
	if !ok {
		panic("risk: BUG: debt value above 128 bits")
	}
	return v
}
