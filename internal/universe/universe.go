package universe

// Margin modes of a perp, as list_perp of the HTTP contract names them.
const (
	MarginNormal         = "normal"          // cross or isolated
	MarginNoCross        = "no_cross"        // isolated only, margin may be taken out
	MarginStrictIsolated = "strict_isolated" // isolated only, margin leaves with the position
)

// Universe is everything that can be listed before the first account opens.
type Universe struct {
	Dexes  []Dex
	Tokens []Token
	Perps  []Perp
	Spots  []Spot
}

// Dex is one perp dex; the main dex has the empty name and index 0.
type Dex struct {
	Name            string
	Index           int
	CollateralToken string // name of the token that its perps settle in
}

// Perp is one perpetual. Prices and rates are the venue's decimal strings.
type Perp struct {
	Name         string // "BTC", on a builder dex "xyz:TSLA"
	Index        int    // within its dex
	Dex          string
	SzDecimals   int // decimals of a size; a price has at most 6 - SzDecimals
	MaxLeverage  int
	OnlyIsolated bool
	MarginMode   string // MarginNormal, MarginNoCross or MarginStrictIsolated
	Tiers        []Tier // at least one, the first from "0.0"
	MarkPx       string
	OraclePx     string
	MidPx        string // "" when the book has an empty side
	PrevDayPx    string // mark 24 hours earlier
	Funding      string // rate per hour
	OpenInterest string // in units of the perp
	IsDelisted   bool
}

// Tier is one row of a margin table: from LowerBound (notional, collateral units) upwards
// at most MaxLeverage is allowed.
type Tier struct {
	LowerBound  string
	MaxLeverage int
}

// Token is one spot token.
type Token struct {
	Name        string
	Index       int
	SzDecimals  int // decimals of a spot size
	WeiDecimals int // decimals of an amount
	TokenID     string
	FullName    string // "" when it has none
}

// Spot is one spot pair.
type Spot struct {
	Name      string // "HYPE/USDC", from the names of its tokens
	VenueName string // "@107", or "PURR/USDC"
	Index     int
	Base      string
	Quote     string
	// StartPx is a price to open the market with, "" when none is known: the oracle price
	// of the base token's perp (OraclePerp) where there is one, so that spot and perp agree
	// on the day, else the mid of the newest capture that has it.
	StartPx string
}

// Perp returns the perp of that name.
func (u *Universe) Perp(name string) (Perp, bool) {
	for i := range u.Perps {
		if u.Perps[i].Name == name {
			return u.Perps[i], true
		}
	}
	return Perp{}, false
}

// Token returns the token of that name.
func (u *Universe) Token(name string) (Token, bool) {
	for i := range u.Tokens {
		if u.Tokens[i].Name == name {
			return u.Tokens[i], true
		}
	}
	return Token{}, false
}

// OraclePerp names the main-dex perp whose mark and oracle enter the borrow oracle price of
// a token, "" when there is none. The wrapped tokens are named in the venue's documentation
// of portfolio margin only as "BTC"; balances of live accounts show which token is meant.
func OraclePerp(token string) string {
	switch token {
	case "HYPE":
		return "HYPE"
	case "UBTC":
		return "BTC"
	case "UETH":
		return "ETH"
	case "USOL":
		return "SOL"
	default:
		return ""
	}
}
