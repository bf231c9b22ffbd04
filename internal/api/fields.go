package api

import "encoding/binary"

// field is a field name of the HTTP contract. One numbering serves all commands, so that
// a key is looked up once and a whole object is checked with two masks.
type field uint8

const (
	fieldType field = iota
	fieldID
	fieldTime
	fieldAccount
	fieldMarket
	fieldSide
	fieldSize
	fieldPrice
	fieldOrderID
	fieldReduceOnly
	fieldTrigger
	fieldIsMarket
	fieldTpsl
	fieldToken
	fieldAmount
	fieldWallet
	fieldFrom
	fieldTo
	fieldFromWallet
	fieldToWallet
	fieldPerp
	fieldLeverage
	fieldMargin
	fieldBuyer
	fieldSeller
	fieldFee
	fieldFeeToken
	fieldLiquidation
	fieldMethod
	fieldMarks
	fieldOracles
	fieldSpots
	fieldTokenOracles
	fieldRates
	fieldAll
	fieldMode
	fieldMaster
	fieldBalances
	fieldDexes
	fieldPositions
	fieldOrders
	fieldTotal
	fieldSupplied
	fieldBorrowed
	fieldBasis
	fieldEntryNtl
	fieldRawUsd
	fieldEntryNotional
	fieldCumFunding
	fieldOrigSize
	fieldIndex
	fieldWeiDecimals
	fieldSzDecimals
	fieldLTV
	fieldBorrowable
	fieldSupplyCap
	fieldBorrowCap
	fieldUserSupplyCap
	fieldUserBorrowCap
	fieldRate
	fieldBase
	fieldSlope
	fieldKink
	fieldReserveFactor
	fieldTakeoverWidth
	fieldFullName
	fieldTokenID
	fieldOraclePerp
	fieldDex
	fieldCollateralToken
	fieldTiers
	fieldLowerBound
	fieldMaxLeverage
	fieldMarginMode
	fieldFundingCap
	fieldOpenInterestCap
	fieldMaxPriceAge
	fieldPriceBand
	fieldSpot
	fieldQuote
	fieldOffsetMode
	fieldOrderMarginBasis
	fieldHLCompat
	fieldRebalanceHourly
	fieldMaxClockStep
	fieldMinBorrowOffset
	fieldUser
	fieldCoin
	fieldStartTime
	fieldEndTime
	fieldAggregateByTime
	fieldBackstopAccount
	fieldBackstopTWAP
	fieldBackstopCrossOnly
	fieldBackstopLimit
	fieldCount
)

var fieldNames = [fieldCount]string{
	"type", "id", "time", "account", "market", "side", "size", "price", "order_id", "reduce_only",
	"trigger", "is_market", "tpsl", "token", "amount", "wallet", "from", "to", "from_wallet", "to_wallet",
	"perp", "leverage", "margin", "buyer", "seller", "fee", "fee_token", "liquidation", "method", "marks",
	"oracles", "spots", "token_oracles", "rates", "all", "mode", "master", "balances", "dexes",
	"positions", "orders", "total", "supplied", "borrowed", "basis", "entry_ntl", "raw_usd",
	"entry_notional", "cum_funding", "orig_size", "index", "wei_decimals", "sz_decimals", "ltv",
	"borrowable", "supply_cap", "borrow_cap", "user_supply_cap", "user_borrow_cap", "rate", "base",
	"slope", "kink", "reserve_factor", "takeover_width", "full_name", "token_id", "oracle_perp", "dex",
	"collateral_token", "tiers", "lower_bound", "max_leverage", "margin_mode", "funding_cap",
	"open_interest_cap", "max_price_age", "price_band", "spot", "quote", "offset_mode", "order_margin_basis",
	"hl_compat", "rebalance_hourly", "max_clock_step", "min_borrow_offset", "user", "coin", "startTime",
	"endTime", "aggregateByTime", "backstop_account", "backstop_twap", "backstop_cross_only", "backstop_limit",
}

var fieldTable = newWordTable(fieldNames[:])

// nextToken is a field as it stands in a body without needless spaces, after the field before:
// its first and last eight bytes, which overlap when it is short and are masked when it
// is shorter.
type nextToken struct {
	first, last, mask uint64
	size, lastAt      uint8 // lastAt is where last starts
	need              uint8 // bytes of the body that a comparison reads
}

// isAt reports whether a token stands at i.
func (t *nextToken) isAt(b []byte, i int) bool {
	if i+int(t.need) > len(b) {
		return false
	}
	first, last := load64(b, i), load64(b, i+int(t.lastAt))
	return ((first^t.first)|(last^t.last))&t.mask == 0
}

func newToken(name string) nextToken {
	text := `,"` + name + `":`
	if len(text) > 16 { // too long for two words: never found, so that the key is looked up
		return nextToken{mask: 1<<64 - 1, last: 1<<64 - 1, need: 8}
	}
	t := nextToken{size: uint8(len(text)), need: uint8(max(len(text), 8)), mask: 1<<64 - 1}
	t.lastAt = t.need - 8
	if t.size < 8 {
		t.mask >>= 64 - 8*t.size
	}
	padded := append([]byte(text), 0, 0, 0, 0, 0, 0, 0)
	t.first, t.last = binary.LittleEndian.Uint64(padded), binary.LittleEndian.Uint64(padded[t.lastAt:])
	return t
}

var nextTokens = func() (tokens [fieldCount]nextToken) {
	for i, name := range fieldNames {
		tokens[i] = newToken(name)
	}
	return tokens
}()

// typeToken starts nearly every command.
const typeToken = `"type":`

// mask is a set of fields.
type mask [2]uint64

var _ = [1]struct{}{}[fieldCount>>7] // two words are enough

func maskOf(fields ...field) mask {
	var m mask
	for _, f := range fields {
		m.add(f)
	}
	return m
}

func (m *mask) add(f field)      { m[f>>6&1] |= 1 << (f & 63) }
func (m *mask) has(f field) bool { return m[f>>6&1]>>(f&63)&1 != 0 }
func (m mask) or(o mask) mask    { return mask{m[0] | o[0], m[1] | o[1]} }
func (m mask) minus(o mask) mask { return mask{m[0] &^ o[0], m[1] &^ o[1]} }
func (m mask) isEmpty() bool     { return m[0]|m[1] == 0 }

// first returns the lowest field of a set that is not empty.
func (m mask) first() field {
	for f := range fieldCount {
		if m.has(f) {
			return f
		}
	}
	return fieldCount
}

// wordTable finds a word of a fixed list: open addressing over a hash of the length and
// three bytes. The multipliers were searched for: no two field names share a cell.
type wordTable struct {
	cells [512]uint8 // word number + 1; 0 = empty
	words []string
}

func newWordTable(words []string) *wordTable {
	t := &wordTable{words: words}
	for i, w := range words {
		h := wordHash([]byte(w))
		for t.cells[h] != 0 {
			h = (h + 1) % uint(len(t.cells))
		}
		t.cells[h] = uint8(i + 1)
	}
	return t
}

func wordHash(w []byte) uint {
	n := uint(len(w))
	return (n*91 + uint(w[0])*237 + uint(w[n-1])*253 + uint(w[n/2])*429) % 512
}

// find returns the number of a word, -1 when the list does not have it.
func (t *wordTable) find(w []byte) int {
	if len(w) == 0 {
		return -1
	}
	for h := wordHash(w); t.cells[h] != 0; h = (h + 1) % uint(len(t.cells)) {
		if i := int(t.cells[h]) - 1; t.words[i] == string(w) {
			return i
		}
	}
	return -1
}
