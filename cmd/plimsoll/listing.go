package main

import (
	"slices"
	"strconv"

	"plimsoll/fixedpoint"
	"plimsoll/internal/universe"
	"plimsoll/risk"
)

// hourlyFundingCap is the venue's bound of one hourly funding rate (its documentation,
// page funding: 4 % an hour).
const hourlyFundingCap = "0.04"

// listCommand is one listing command of the HTTP contract; absent fields stay absent.
type listCommand struct {
	Type string `json:"type"`

	Token         string     `json:"token,omitempty"`
	Perp          string     `json:"perp,omitempty"`
	Spot          string     `json:"spot,omitempty"`
	Dex           *string    `json:"dex,omitempty"`
	Index         *int       `json:"index,omitempty"`
	SzDecimals    *int       `json:"sz_decimals,omitempty"`
	WeiDecimals   *int       `json:"wei_decimals,omitempty"`
	LTV           string     `json:"ltv,omitempty"`
	Borrowable    *bool      `json:"borrowable,omitempty"`
	SupplyCap     string     `json:"supply_cap,omitempty"`
	BorrowCap     string     `json:"borrow_cap,omitempty"`
	UserSupplyCap string     `json:"user_supply_cap,omitempty"`
	UserBorrowCap string     `json:"user_borrow_cap,omitempty"`
	Rate          *rateModel `json:"rate,omitempty"`
	TakeoverWidth string     `json:"takeover_width,omitempty"`
	FullName      string     `json:"full_name,omitempty"`
	TokenID       string     `json:"token_id,omitempty"`
	OraclePerp    string     `json:"oracle_perp,omitempty"`

	CollateralToken string `json:"collateral_token,omitempty"`
	Tiers           []tier `json:"tiers,omitempty"`
	MarginMode      string `json:"margin_mode,omitempty"`
	FundingCap      string `json:"funding_cap,omitempty"`
	Base            string `json:"base,omitempty"`
	Quote           string `json:"quote,omitempty"`
	Market          string `json:"market,omitempty"`
}

type rateModel struct {
	Base          string `json:"base"`
	Slope         string `json:"slope"`
	Kink          string `json:"kink"`
	ReserveFactor string `json:"reserve_factor"`
}

type tier struct {
	LowerBound  string `json:"lower_bound"`
	MaxLeverage int    `json:"max_leverage"`
}

// priceCommand is one tick.
type priceCommand struct {
	Type    string            `json:"type"`
	Marks   map[string]string `json:"marks,omitempty"`
	Oracles map[string]string `json:"oracles,omitempty"`
	Spots   map[string]string `json:"spots,omitempty"`
}

// load lists a universe and gives it its first prices.
func (d *daemon) load(u *universe.Universe) error {
	_, err := d.loadMissing(u)
	return err
}

// loadMissing lists what of a universe is not listed yet, gives a first price to what has
// none, and returns how many commands that took: after a recovery none.
func (d *daemon) loadMissing(u *universe.Universe) (commands int, err error) {
	had, err := readMarket(d)
	if err != nil {
		return 0, err
	}
	missing := had.missing(listCommands(u))
	if err := apply(d, missing); err != nil {
		return 0, err
	}
	tick := startPrices(u)
	had.dropPriced(&tick)
	if len(tick.Marks)+len(tick.Oracles)+len(tick.Spots) == 0 {
		return len(missing), nil
	}
	return len(missing) + 1, apply(d, []priceCommand{tick})
}

// missing returns the commands that list what m does not have. A halt goes with its listing:
// who has lifted one since does not want it back.
func (m *market) missing(commands []listCommand) []listCommand {
	names := map[string]bool{}
	for i := range m.tokens {
		names["list_token "+m.tokens[i].Name] = true
	}
	for i := range m.dexes {
		names["list_dex "+m.dexes[i].Name] = true
	}
	for i := range m.perps {
		names["list_perp "+m.perps[i].Name], names["halt "+m.perps[i].Name] = true, true
	}
	for i := range m.spots {
		names["list_spot "+m.spots[i].Name] = true
	}
	return slices.DeleteFunc(commands, func(c listCommand) bool {
		name := c.Token + c.Perp + c.Spot + c.Market
		if c.Type == "list_dex" {
			name = *c.Dex
		}
		return names[c.Type+" "+name]
	})
}

// dropPriced takes out of a tick what has a price.
func (m *market) dropPriced(tick *priceCommand) {
	for i := range m.perps {
		if p := &m.perps[i]; p.MarkPx.V.Sign() != 0 {
			delete(tick.Marks, p.Name)
		}
		if p := &m.perps[i]; p.OraclePx.V.Sign() != 0 {
			delete(tick.Oracles, p.Name)
		}
	}
	for i := range m.spots {
		if s := &m.spots[i]; s.Px.V.Sign() != 0 {
			delete(tick.Spots, s.Name)
		}
	}
}

// listCommands returns the commands that list a universe: tokens with their lending
// pools, dexes, perps with their tiers, spot markets. Delisted perps are listed and
// halted, so that who holds one can still reduce.
func listCommands(u *universe.Universe) []listCommand {
	reserves := map[string]universe.Reserve{}
	for _, r := range universe.Reserves() {
		reserves[r.Token] = r
	}
	var commands []listCommand
	for i := range u.Tokens {
		commands = append(commands, listToken(&u.Tokens[i], reserves, u))
	}
	for i := range u.Dexes {
		dex := &u.Dexes[i]
		commands = append(commands, listCommand{
			Type: "list_dex", Dex: &dex.Name, Index: &dex.Index, CollateralToken: dex.CollateralToken,
		})
	}
	for i := range u.Perps {
		commands = append(commands, listPerp(&u.Perps[i], u))
	}
	for i := range u.Spots {
		s := &u.Spots[i]
		commands = append(commands, listCommand{Type: "list_spot", Spot: s.Name, Index: &s.Index, Base: s.Base, Quote: s.Quote})
	}
	for i := range u.Perps {
		if u.Perps[i].IsDelisted {
			commands = append(commands, listCommand{Type: "halt", Market: u.Perps[i].Name})
		}
	}
	return commands
}

// listToken lists a token; one without a reserve can neither be lent nor borrowed.
func listToken(t *universe.Token, reserves map[string]universe.Reserve, u *universe.Universe) listCommand {
	r, ok := reserves[t.Name]
	if !ok || r.Index != t.Index {
		r = universe.Reserve{
			LTV: "0", SupplyCap: "0", BorrowCap: "0", UserSupplyCap: "0", UserBorrowCap: "0", TakeoverWidth: "0",
			RateBase: "0", RateSlope: "0", RateKink: "0", ReserveFactor: "0", OraclePerpName: universe.OraclePerp(t.Name),
		}
	}
	if _, ok := u.Perp(r.OraclePerpName); !ok {
		r.OraclePerpName = ""
	}
	fullName := t.FullName
	if len(fullName) > risk.NameMax { // it is for show only, and half a name would be another one
		fullName = ""
	}
	return listCommand{
		Type: "list_token", Token: t.Name, Index: &t.Index, SzDecimals: &t.SzDecimals, WeiDecimals: &t.WeiDecimals,
		LTV: r.LTV, Borrowable: &r.Borrowable, SupplyCap: r.SupplyCap, BorrowCap: r.BorrowCap,
		UserSupplyCap: r.UserSupplyCap, UserBorrowCap: r.UserBorrowCap, TakeoverWidth: r.TakeoverWidth,
		Rate:     &rateModel{Base: r.RateBase, Slope: r.RateSlope, Kink: r.RateKink, ReserveFactor: r.ReserveFactor},
		FullName: fullName, TokenID: t.TokenID, OraclePerp: r.OraclePerpName,
	}
}

func listPerp(p *universe.Perp, u *universe.Universe) listCommand {
	c := listCommand{
		Type: "list_perp", Perp: p.Name, Index: &p.Index, Dex: &p.Dex, SzDecimals: &p.SzDecimals,
		MarginMode: p.MarginMode, FundingCap: hourlyFundingCap,
	}
	for _, dex := range u.Dexes {
		if dex.Name == p.Dex {
			c.CollateralToken = dex.CollateralToken
		}
	}
	for _, t := range p.Tiers {
		c.Tiers = append(c.Tiers, tier(t))
	}
	return c
}

// startPrices returns the first tick: marks and oracles as captured, spots at their
// opening prices, cut to the digits that their market takes.
func startPrices(u *universe.Universe) priceCommand {
	c := priceCommand{Type: "prices", Marks: map[string]string{}, Oracles: map[string]string{}, Spots: map[string]string{}}
	for i := range u.Perps {
		p := &u.Perps[i]
		if isPositive(p.MarkPx) {
			c.Marks[p.Name] = p.MarkPx
		}
		if isPositive(p.OraclePx) {
			c.Oracles[p.Name] = p.OraclePx
		}
	}
	for i := range u.Spots {
		s := &u.Spots[i]
		base, _ := u.Token(s.Base)
		if px := spotPrice(s.StartPx, base.SzDecimals); px != "" {
			c.Spots[s.Name] = px
		}
	}
	return c
}

func isPositive(text string) bool {
	d, err := fixedpoint.ParseDecimalString(text)
	return err == nil && d.Mantissa > 0
}

// spotPrice cuts a price to the venue's digits of a spot market, "" when nothing is left.
func spotPrice(text string, szDecimals int) string {
	d, err := fixedpoint.ParseDecimalString(text)
	if err != nil || szDecimals < 0 || szDecimals > 8 {
		return ""
	}
	d = fixedpoint.QuantizePriceDown(d, uint8(szDecimals), true)
	if d.Mantissa <= 0 {
		return ""
	}
	return decimalText(d.Mantissa, d.Decimals)
}

// decimalText prints an exact decimal.
func decimalText(mantissa int64, decimals uint8) string {
	return string(fixedpoint.AppendDecimal(make([]byte, 0, 24), mantissa, decimals))
}

// countText prints a count with thin separators, for people: 1,000,000.
func countText(n uint64) string {
	digits := strconv.FormatUint(n, 10)
	var text []byte
	for i := range len(digits) {
		if i > 0 && (len(digits)-i)%3 == 0 {
			text = append(text, ',')
		}
		text = append(text, digits[i])
	}
	return string(text)
}

// market is what is listed, as the engine tells it at one place in the order.
type market struct {
	tokens    []risk.TokenView
	perps     []risk.PerpView
	spots     []risk.SpotView
	dexes     []risk.DexInfo
	numeraire uint32 // slot of the token with index 0
}

// readMarket reads the listings and the prices in force.
func readMarket(d *daemon) (*market, error) {
	m := &market{}
	_, err := d.engine.Read(0, func(machine *risk.Machine) {
		m.tokens, m.perps = machine.ReadTokens(nil), machine.ReadPerps()
		m.spots, m.dexes = machine.ReadSpots(), machine.ReadDexes()
	})
	for i := range m.tokens {
		if m.tokens[i].Index == 0 {
			m.numeraire = m.tokens[i].Slot
		}
	}
	return m, err
}

// token returns the token of a slot, or nil.
func (m *market) token(slot uint32) *risk.TokenView {
	for i := range m.tokens {
		if m.tokens[i].Slot == slot {
			return &m.tokens[i]
		}
	}
	return nil
}
