package risk

import "unsafe"

// Kind names what a Command asks for. The numbers are part of the wire and journal
// format: they are never reused.
type Kind uint8

// Command kinds. A group (see Command.GroupLeft) starts with one kind and may go on
// with the part kinds at the end of the list.
const (
	KindNone           Kind = 0
	KindListToken      Kind = 1
	KindListDex        Kind = 2
	KindListPerp       Kind = 3
	KindListSpot       Kind = 4
	KindSetParameters  Kind = 5
	KindOpenAccount    Kind = 6
	KindImportAccount  Kind = 7
	KindSetMode        Kind = 8
	KindDeposit        Kind = 9
	KindWithdraw       Kind = 10
	KindTransfer       Kind = 11
	KindSupply         Kind = 12
	KindUnsupply       Kind = 13
	KindBorrow         Kind = 14
	KindRepay          Kind = 15
	KindSetLeverage    Kind = 16
	KindIsolatedMargin Kind = 17
	KindOrder          Kind = 18
	KindModify         Kind = 19
	KindCancel         Kind = 20
	KindCancelAll      Kind = 21
	KindTrigger        Kind = 22
	KindTrade          Kind = 23
	KindFill           Kind = 24
	KindPrices         Kind = 25
	KindFunding        Kind = 26
	KindClock          Kind = 27
	KindHalt           Kind = 28
	KindResume         Kind = 29
	KindOpenClient     Kind = 30 // Other: the client's number; its name
	KindRecheck        Kind = 31 // Account: evaluated exactly and told

	// Parts: they only follow the head of their group.
	KindPartName     Kind = 64 // name of the listing at the head: NameBytes
	KindPartTiers    Kind = 65 // up to four margin tiers: Num lower bounds, Ref maximum leverages
	KindPartRates    Kind = 66 // token: Num = ltv, base, slope, kink
	KindPartLimits   Kind = 67 // token: Num = reserve factor, takeover width, then -, -
	KindPartBalance  Kind = 68 // import: Token; Num = total, supplied, borrowed, entry notional
	KindPartWallet   Kind = 69 // import: Market = dex; Num[0] = raw cash of the dex
	KindPartPosition Kind = 70 // import: Market, Leverage, FlagIsolated; Num = size, entry notional, raw cash, funding
	KindPartOrder    Kind = 71 // import: an order; Num = size, price, trigger price, original size
	KindPartSeller   Kind = 72 // trade: the selling side: Account, OrderHi/Lo, Num[0] = fee
)

// Flags of a Command.
type Flags uint16

// Flag bits. Their numbers are part of the wire format.
const (
	FlagSell          Flags = 1 << 0  // side is sell; otherwise buy
	FlagReduceOnly    Flags = 1 << 1  // order may only reduce a position
	FlagTrigger       Flags = 1 << 2  // order rests untriggered; Num[2] is the trigger price
	FlagTriggerMarket Flags = 1 << 3  // the triggered order is a market order
	FlagTakeProfit    Flags = 1 << 4  // tpsl is "tp"; otherwise "sl"
	FlagIsolated      Flags = 1 << 5  // margin is isolated; otherwise cross
	FlagAll           Flags = 1 << 6  // amount is "all"; halt and resume: everything
	FlagOrderID       Flags = 1 << 7  // OrderHi/OrderLo are given
	FlagFee           Flags = 1 << 8  // a fee is given
	FlagBorrowable    Flags = 1 << 9  // list_token: may be borrowed
	FlagMarket        Flags = 1 << 10 // halt, resume, cancel_all: Market is given
	FlagAccount       Flags = 1 << 11 // halt, resume: Account is given
	FlagLiquidation   Flags = 1 << 12 // fill, a side of a trade: caused by the liquidation Aux
	FlagSecond        Flags = 1 << 13 // an optional second number is given, see the kind
	FlagThird         Flags = 1 << 14 // an optional third number is given, see the kind
	FlagBackstop      Flags = 1 << 15 // liquidation method is backstop; otherwise market
)

// Slots that name nothing: what ingress writes for a name it has never seen, or for an
// optional reference that was not given.
const (
	NoAccount uint32 = 1<<32 - 1
	NoSlot    uint32 = 1<<32 - 1
	// SpotBit marks a Market that is a spot slot rather than a perp slot.
	SpotBit uint32 = 1 << 31
)

// Offsets of Event.Field for numbers of the parts of a list_token group.
const (
	FieldRates  = 4 // PartRates: ltv, base, slope, kink
	FieldLimits = 8 // PartLimits: reserve factor, takeover width
)

// SzDecimalsKept in Command.Leverage of a list_token means: as listed, or 2 when new.
const (
	SzDecimalsKept    = 1<<16 - 1
	szDecimalsDefault = 2
)

// WalletDefault and its kin name the wallet of a deposit, withdrawal or transfer.
const (
	WalletDefault uint32 = 0 // by mode: see MODEL.md §8
	WalletSpot    uint32 = 1
	WalletPerp    uint32 = 2 // WalletPerp + dex slot
)

// Command is one record of the total order: ring slot, wire record and journal record
// are these same 128 bytes, little-endian, pointer-free. Which fields count depends on
// Kind (docs/WIRE.md has the table). Numbers travel as mantissa and decimals and are
// rescaled exactly by the machine, so that a batch may list an instrument and trade it.
type Command struct {
	Seq     uint64    //   0 place in the total order, stamped by the sequencer
	TimeMs  int64     //   8 engine time, ms since 1970 UTC, stamped by the sequencer; 0 = not given
	IDHi    uint64    //  16 idempotency id of the client, with IDForm
	IDLo    uint64    //  24
	OrderHi uint64    //  32 order id, unique per account, with OrderForm
	OrderLo uint64    //  40
	Num     [4]int64  //  48 mantissas
	Ref     [4]uint32 //  80 account, other account or index, market, token; prices: four names
	Dec     [4]uint8  //  96 decimals of Num
	Kind    Kind      // 100
	Mode    uint8     // 101 account mode, margin mode or offset mode, by kind
	Flags   Flags     // 102

	GroupLeft uint16    // 104 records of this group that follow; 0 = alone or last
	Client    uint16    // 106 client that the ids belong to
	Ticket    uint32    // 108 who waits for the answer; not state, 0 in the journal
	Leverage  uint16    // 112
	IDForm    IDForm    // 114 form of the idempotency id; FormNone = none
	OrderForm IDForm    // 115
	Wallets   [2]uint16 // 116 wallets of from and to
	Aux       uint64    // 120 by kind: liquidation id, parameter, price kinds
}

var _ [CommandSize]byte = [unsafe.Sizeof(Command{})]byte{} // two cache lines

// CommandSize is the size of a Command in bytes.
const CommandSize = 128

// IDForm is the spelling of an id; it is part of the identity.
type IDForm uint8

// Forms of an id.
const (
	FormNone IDForm = 0
	FormUint IDForm = 1 // unsigned integer below 2^64
	FormHex  IDForm = 2 // 0x and 32 hex digits
	FormUUID IDForm = 3
)

// Indices into Command.Ref.
const (
	RefAccount = 0
	RefOther   = 1
	RefMarket  = 2
	RefToken   = 3
)

// Account returns the account slot of a command.
func (c *Command) Account() uint32 { return c.Ref[RefAccount] }

// Market returns the market slot of a command, SpotBit marking spots.
func (c *Command) Market() uint32 { return c.Ref[RefMarket] }

// Token returns the token slot of a command.
func (c *Command) Token() uint32 { return c.Ref[RefToken] }

// Other returns the second account, or by kind an index.
func (c *Command) Other() uint32 { return c.Ref[RefOther] }

// Has reports whether all bits of f are set.
func (c *Command) Has(f Flags) bool { return c.Flags&f == f }

// PriceKind names what a slot of a KindPrices record quotes.
type PriceKind uint8

// Price kinds, two bits each in Command.Aux, slot i at bits 2i; Mode holds how many of
// the four slots are used.
const (
	PriceMark        PriceKind = 0 // perp mark price
	PriceOracle      PriceKind = 1 // perp oracle price
	PriceSpot        PriceKind = 2 // spot market price (mid of the book)
	PriceTokenOracle PriceKind = 3 // oracle price of a token in US dollars
)

// PriceKindAt returns the kind of price slot i of a KindPrices record.
func (c *Command) PriceKindAt(i int) PriceKind { return PriceKind(c.Aux >> (2 * uint(i)) & 3) }

// SetPrice writes price slot i of a KindPrices record.
func (c *Command) SetPrice(i int, kind PriceKind, slot uint32, mantissa int64, decimals uint8) {
	c.Ref[i], c.Num[i], c.Dec[i] = slot, mantissa, decimals
	c.Aux = c.Aux&^(3<<(2*uint(i))) | uint64(kind)<<(2*uint(i))
	if c.Mode <= uint8(i) {
		c.Mode = uint8(i) + 1
	}
}

// SetNum writes number i.
func (c *Command) SetNum(i int, mantissa int64, decimals uint8) {
	c.Num[i], c.Dec[i] = mantissa, decimals
}

// NameMax is the longest name, in bytes, of an account or a listing.
const NameMax = 42

// SetName lays name over the 48 bytes of OrderHi, OrderLo and Num; its length goes to
// Dec[0]. It reports false when the name is longer than NameMax.
func (c *Command) SetName(name []byte) bool {
	if len(name) > NameMax {
		return false
	}
	var words [6]uint64
	for i, b := range name {
		words[i/8] |= uint64(b) << (8 * uint(i%8))
	}
	c.OrderHi, c.OrderLo = words[0], words[1]
	for i := range c.Num {
		c.Num[i] = int64(words[2+i])
	}
	c.Dec[0] = uint8(len(name))
	return true
}

// AppendName appends the name that SetName laid down.
func (c *Command) AppendName(dst []byte) []byte {
	words := [6]uint64{c.OrderHi, c.OrderLo, uint64(c.Num[0]), uint64(c.Num[1]), uint64(c.Num[2]), uint64(c.Num[3])}
	for i := range int(min(c.Dec[0], NameMax)) {
		dst = append(dst, byte(words[i/8]>>(8*uint(i%8))))
	}
	return dst
}

// Mode is how an account is margined.
type Mode uint8

// Account modes.
const (
	ModeNone      Mode = 0
	ModeStandard  Mode = 1
	ModeUnified   Mode = 2
	ModePortfolio Mode = 3
)

// MarginMode is what a perp allows.
type MarginMode uint8

// Margin modes of a perp.
const (
	MarginNormal         MarginMode = 0
	MarginNoCross        MarginMode = 1
	MarginStrictIsolated MarginMode = 2
)
