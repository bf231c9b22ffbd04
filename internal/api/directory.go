package api

import (
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"plimsoll/risk"
)

// Directory gives names their slots: accounts, clients, tokens, perps, spots and dexes.
// Slots are dense, given in the order in which names are first listed, and never taken
// back: a listing that the machine refuses keeps its slot for the next attempt. Lookups
// take no lock; new names take a mutex outside the pipeline.
type Directory struct {
	accounts *nameTable
	clients  *nameTable
	tokens   *nameTable
	perps    *nameTable
	spots    *nameTable
	dexes    *nameTable

	opened [clientsMax]atomic.Bool // clients whose number the journal has; pairs: open and isOpen

	learning sync.RWMutex // read-held from the submission of listings until they are learned

	mu    sync.Mutex // guards what follows
	subs  map[uint32][]uint32
	links []subLink           // the same in the order of opening, for snapshots
	subOf map[uint32]struct{} // accounts that have a link
}

// subLink says that an account was opened under a master.
type subLink struct{ master, sub uint32 }

// nameKind says which table a name belongs to.
type nameKind uint8

const (
	nameAccount nameKind = iota
	nameToken
	namePerp
	nameSpot
	nameDex
	nameMarket // a perp or a spot
)

// NewDirectory returns a directory for at most accountsMax accounts; the main dex has
// the empty name and slot 0, the default client the empty name and number 0.
func NewDirectory(accountsMax uint32) *Directory {
	d := &Directory{
		accounts: newNameTable(accountsMax),
		clients:  newNameTable(clientsMax),
		tokens:   newNameTable(risk.TokensMax),
		perps:    newNameTable(risk.PerpsMax),
		spots:    newNameTable(risk.SpotsMax),
		dexes:    newNameTable(risk.DexesMax),
		subs:     map[uint32][]uint32{},
		subOf:    map[uint32]struct{}{},
	}
	d.dexes.allocate(nil)
	d.clients.allocate(nil)
	d.opened[0].Store(true)
	return d
}

// Observe learns the slot that an accepted group of the journal gave a name. Recovery
// calls it with every group; it reports false when the group contradicts what is known. A
// group that names no slot was refused, and teaches nothing.
func (d *Directory) Observe(group []risk.Command) bool {
	var scratch [risk.NameMax]byte
	name, ok := groupName(group, scratch[:0])
	if !ok || ownSlot(&group[0]) == risk.NoSlot {
		return true
	}
	c := &group[0]
	switch c.Kind { //nolint:exhaustive // groupName names those that have a name
	case risk.KindOpenAccount, risk.KindImportAccount:
		if !d.accounts.bind(name, c.Account(), true) {
			return false
		}
		d.addSub(c.Other(), c.Account())
		return true
	case risk.KindOpenClient:
		if !d.clients.bind(name, c.Other(), true) {
			return false
		}
		d.opened[c.Other()].Store(true)
		return true
	case risk.KindListToken:
		return d.tokens.bind(name, c.Token(), true)
	case risk.KindListPerp:
		return d.perps.bind(name, c.Market(), true)
	case risk.KindListDex:
		return d.dexes.bind(name, c.Market(), true)
	case risk.KindListSpot:
		if !d.spots.bind(name, c.Market()&^risk.SpotBit, true) {
			return false
		}
		d.aliasSpot(c)
		return true
	default:
		return true
	}
}

// aliasSpot binds the venue's names of an accepted list_spot: "@107", and "HYPE/USDC" when
// it was listed under another name. A name that is taken stays where it is.
func (d *Directory) aliasSpot(c *risk.Command) {
	var scratch [aliasMax]byte
	slot := c.Market() &^ risk.SpotBit
	d.spots.bind(appendIndexAlias(scratch[:0], c), slot, false)
	if pair := d.appendPairAlias(scratch[:0], c); len(pair) > 0 {
		d.spots.bind(pair, slot, false)
	}
}

// aliasMax is the longest alias: two names and a slash.
const aliasMax = 2*risk.NameMax + 1

// appendIndexAlias writes the name that the venue derives from the index of a list_spot.
func appendIndexAlias(dst []byte, c *risk.Command) []byte {
	return strconv.AppendUint(append(dst, '@'), uint64(c.Other()), 10)
}

// appendPairAlias writes the pair of a list_spot, or nothing while its tokens are unknown.
func (d *Directory) appendPairAlias(dst []byte, c *risk.Command) []byte {
	base, quote := d.tokens.name(c.Token()), d.tokens.name(c.Account())
	if base == nil || quote == nil {
		return dst
	}
	return append(append(append(dst, base...), '/'), quote...)
}

// Client returns the number of a client name that has one. It is safe to put into
// commands when isOpen: the journal has it then, and a restart gives the name no other.
func (d *Directory) Client(name []byte) (number uint16, isOpen bool) {
	slot, ok := d.clients.find(name)
	if !ok {
		return 0, false
	}
	return uint16(slot), d.opened[slot].Load()
}

// claimClient returns the number of a client name, giving it one below limit when it has
// none; it reports false when there are no more. Until Observe or openClient the number is
// set aside only.
func (d *Directory) claimClient(name []byte, limit int) (number uint16, ok bool) {
	slot := d.clients.allocateBelow(name, uint32(limit))
	return uint16(slot), slot < uint32(limit)
}

// openClient notes that the journal has the number of a client.
func (d *Directory) openClient(number uint16) { d.opened[number].Store(true) }

// Account returns the slot of an account name, or risk.NoAccount. Addresses compare
// without case.
func (d *Directory) Account(name []byte) uint32 {
	var scratch [risk.NameMax]byte
	slot, _ := d.accounts.find(foldAddress(name, &scratch))
	return slot
}

// AccountName returns the name of an account slot, or nil.
func (d *Directory) AccountName(slot uint32) []byte { return d.accounts.name(slot) }

// AccountCount returns how many account slots have been given out.
func (d *Directory) AccountCount() uint32 { return d.accounts.count() }

// MarketName returns the name of a market slot, or nil.
func (d *Directory) MarketName(market uint32) []byte {
	if market != risk.NoSlot && market&risk.SpotBit != 0 {
		return d.spots.name(market &^ risk.SpotBit)
	}
	return d.perps.name(market)
}

// TokenName returns the name of a token slot, or nil.
func (d *Directory) TokenName(slot uint32) []byte { return d.tokens.name(slot) }

// DexName returns the name of a dex slot; the main dex has the empty one.
func (d *Directory) DexName(slot uint32) []byte { return d.dexes.name(slot) }

// lookup returns the slot of a name, markets with their SpotBit.
func (d *Directory) lookup(kind nameKind, name []byte) (uint32, bool) {
	switch kind {
	case nameAccount:
		if slot, ok := d.accounts.find(name); ok || len(name) != addressBytes {
			return slot, ok
		}
		var scratch [risk.NameMax]byte
		return d.accounts.find(foldAddress(name, &scratch))
	case nameToken:
		return d.tokens.find(name)
	case namePerp:
		return d.perps.find(name)
	case nameDex:
		return d.dexes.find(name)
	case nameMarket:
		if slot, ok := d.perps.find(name); ok {
			return slot, true
		}
	}
	slot, ok := d.spots.find(name)
	if ok {
		slot |= risk.SpotBit
	}
	return slot, ok
}

// list returns the slot of a name that is being listed, giving it one when it is new.
func (d *Directory) list(kind nameKind, name []byte) uint32 {
	switch kind {
	case nameAccount:
		var scratch [risk.NameMax]byte
		return d.accounts.allocate(foldAddress(name, &scratch))
	case nameToken:
		return d.tokens.allocate(name)
	case namePerp:
		return d.perps.allocate(name)
	case nameDex:
		return d.dexes.allocate(name)
	default:
		if slot := d.spots.allocate(name); slot != risk.NoSlot {
			return slot | risk.SpotBit
		}
		return risk.NoSlot
	}
}

// groupName returns the name that a group opens or lists.
func groupName(group []risk.Command, dst []byte) (name []byte, ok bool) {
	if len(group) == 0 {
		return nil, false
	}
	switch group[0].Kind {
	case risk.KindOpenAccount, risk.KindImportAccount, risk.KindOpenClient:
		return group[0].AppendName(dst), true
	case risk.KindListToken, risk.KindListPerp, risk.KindListSpot, risk.KindListDex:
		for i := range group {
			if group[i].Kind == risk.KindPartName && group[i].Mode == 0 {
				return group[i].AppendName(dst), true
			}
		}
	}
	return nil, false
}

// ownSlot returns the slot of what a group opens or lists.
func ownSlot(c *risk.Command) uint32 {
	switch c.Kind { //nolint:exhaustive // the others are markets
	case risk.KindOpenAccount, risk.KindImportAccount:
		return c.Account()
	case risk.KindOpenClient:
		return c.Other()
	case risk.KindListToken:
		return c.Token()
	default:
		return c.Market()
	}
}

// addressBytes is the length of 0x and 40 hex digits.
const addressBytes = 42

// foldAddress returns name, in lower case when it is an address.
func foldAddress(name []byte, scratch *[risk.NameMax]byte) []byte {
	if len(name) != addressBytes || name[0] != '0' || name[1]|0x20 != 'x' {
		return name
	}
	hasUpper := name[1] == 'X'
	for _, b := range name[2:] {
		switch {
		case b-'0' <= 9 || b-'a' <= 5:
		case b-'A' <= 5:
			hasUpper = true
		default:
			return name
		}
	}
	if !hasUpper {
		return name
	}
	for i, b := range name {
		if b-'A' <= 'Z'-'A' {
			b |= 0x20
		}
		scratch[i] = b
	}
	return scratch[:]
}

// addSub notes that an account was opened under a master.
func (d *Directory) addSub(master, sub uint32) {
	if master == risk.NoAccount || sub == risk.NoAccount {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, isKnown := d.subOf[sub]; isKnown {
		return
	}
	d.subOf[sub] = struct{}{}
	d.subs[master] = append(d.subs[master], sub)
	d.links = append(d.links, subLink{master: master, sub: sub})
}

// Subs returns the accounts opened under a master, in order of opening.
func (d *Directory) Subs(master uint32) []uint32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.subs[master])
}
