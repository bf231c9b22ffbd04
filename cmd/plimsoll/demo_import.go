package main

import (
	"strconv"

	"plimsoll/internal/universe"
)

// importCommand is import_account of the HTTP contract.
type importCommand struct {
	Type      string           `json:"type"`
	Account   string           `json:"account"`
	Mode      string           `json:"mode"`
	Balances  []importBalance  `json:"balances"`
	Dexes     []importDex      `json:"dexes,omitempty"`
	Positions []importPosition `json:"positions"`
	Orders    []importOrder    `json:"orders"`
}

type importBalance struct {
	Token    string `json:"token"`
	Total    string `json:"total"`
	Supplied string `json:"supplied,omitempty"`
	Borrowed string `json:"borrowed,omitempty"`
	EntryNtl string `json:"entry_ntl,omitempty"`
}

type importDex struct {
	Dex    string `json:"dex"`
	RawUsd string `json:"raw_usd"`
}

type importPosition struct {
	Perp          string `json:"perp"`
	Size          string `json:"size"`
	EntryNotional string `json:"entry_notional"`
	Leverage      int    `json:"leverage"`
	Margin        string `json:"margin"`
	RawUsd        string `json:"raw_usd,omitempty"`
	CumFunding    string `json:"cum_funding,omitempty"`
}

type importOrder struct {
	OrderID    string `json:"order_id"`
	Market     string `json:"market"`
	Side       string `json:"side"`
	Price      string `json:"price"`
	Size       string `json:"size"`
	OrigSize   string `json:"orig_size,omitempty"`
	ReduceOnly bool   `json:"reduce_only,omitempty"`
}

// Decimals in which amounts are imported.
const (
	usdDecimals = 6 // cash of dexes and positions, entry notionals: the venue's
	ntlDecimals = 8 // entry notionals of spot balances
	perpDigits  = 6 // a perp price has this many decimals less those of its size
	spotDigits  = 8 // a spot price
)

// importer turns captures into commands for the markets that are listed.
type importer struct {
	u       *universe.Universe
	skipped int // positions and balances of markets and tokens that no capture lists
}

// command returns the import of a capture. Amounts are rounded to the instruments. The
// amounts of a scaled capture are scaled once more, by what makes its largest position
// whole: its figures stay the venue's up to the rounding of the rest.
func (im *importer) command(c *captured) importCommand {
	f := im.wholeFactor(c)
	cmd := importCommand{
		Type: "import_account", Account: c.account, Mode: c.mode,
		Balances: []importBalance{}, Positions: []importPosition{}, Orders: []importOrder{},
	}
	var missing num // equity of isolated positions that cannot be listed
	for i := range c.dexes {
		missing = missing.add(im.addDex(&cmd, &c.dexes[i], f))
	}
	for i := range c.balances {
		im.addBalance(&cmd, &c.balances[i], missing, f)
	}
	for i := range c.orders {
		im.addOrder(&cmd, &c.orders[i], i, f)
	}
	return cmd
}

// wholeFactor returns what a scaled capture is scaled by, 1 for the others.
func (im *importer) wholeFactor(c *captured) num {
	one := numInt(1)
	if !c.isScaled {
		return one
	}
	var largest *capturedPosition
	for i := range c.dexes {
		for k := range c.dexes[i].positions {
			p := &c.dexes[i].positions[k]
			if _, ok := im.u.Perp(p.coin); ok && (largest == nil || p.value.sub(largest.value).sign() > 0) {
				largest = p
			}
		}
	}
	if largest == nil {
		return one
	}
	perp, _ := im.u.Perp(largest.coin)
	return largest.size.round(perp.SzDecimals).div(largest.size)
}

// addDex adds the cash and the positions of a dex and returns the equity of isolated
// positions that are in no listed market.
func (im *importer) addDex(cmd *importCommand, d *capturedDex, f num) (missing num) {
	isListed := false
	for i := range im.u.Dexes {
		isListed = isListed || im.u.Dexes[i].Name == d.name
	}
	if isListed && d.crossRaw.sign() != 0 {
		cmd.Dexes = append(cmd.Dexes, importDex{Dex: d.name, RawUsd: d.crossRaw.mul(f).text(usdDecimals)})
	}
	for i := range d.positions {
		p := &d.positions[i]
		perp, ok := im.u.Perp(p.coin)
		size := p.size.mul(f).text(perp.SzDecimals)
		if !ok || isZeroText(size) {
			im.skipped++
			if p.isIsolated {
				missing = missing.add(p.marginUsed)
			}
			continue
		}
		q := importPosition{
			Perp: p.coin, Size: size, EntryNotional: p.entryNotional().mul(f).text(usdDecimals),
			Leverage: min(p.leverage, perp.MaxLeverage), Margin: "cross", CumFunding: p.funding.mul(f).text(usdDecimals),
		}
		if p.isIsolated {
			q.Margin, q.RawUsd = "isolated", p.raw.mul(f).text(usdDecimals)
		}
		cmd.Positions = append(cmd.Positions, q)
	}
	return missing
}

// addBalance adds a balance of a listed token; empty ones are left out.
func (im *importer) addBalance(cmd *importCommand, b *capturedBalance, missing, f num) {
	if b.total.sign() == 0 && b.supplied.sign() == 0 && b.borrowed.sign() == 0 {
		return
	}
	token, ok := im.u.Token(b.coin)
	if !ok {
		im.skipped++
		return
	}
	total := b.total
	if token.Index == 0 {
		total = total.sub(missing)
	}
	q := importBalance{
		Token: b.coin, Total: total.mul(f).text(token.WeiDecimals), EntryNtl: b.entry.mul(f).text(ntlDecimals),
	}
	if b.supplied.sign() > 0 {
		q.Supplied = b.supplied.mul(f).text(token.WeiDecimals)
	}
	if b.borrowed.sign() > 0 {
		q.Borrowed = b.borrowed.mul(f).text(token.WeiDecimals)
	}
	cmd.Balances = append(cmd.Balances, q)
}

// addOrder adds a resting order. Captures without order ids get the order's place.
func (im *importer) addOrder(cmd *importCommand, o *capturedOrder, place int, f num) {
	market, szDecimals, ok := im.market(o.coin)
	size := o.size.mul(f).text(szDecimals)
	if !ok || isZeroText(size) {
		return
	}
	id := o.oid
	if id == 0 {
		id = uint64(place) + 1
	}
	q := importOrder{
		OrderID: strconv.FormatUint(id, 10), Market: market, Side: "buy", Price: o.price.text(spotDigits - szDecimals),
		Size: size, OrigSize: o.orig.mul(f).text(szDecimals), ReduceOnly: o.isReduceOnly,
	}
	if o.side == "A" {
		q.Side = "sell"
	}
	cmd.Orders = append(cmd.Orders, q)
}

// market returns the listed market of a venue name, and the decimals of its sizes.
func (im *importer) market(coin string) (name string, szDecimals int, ok bool) {
	if perp, ok := im.u.Perp(coin); ok {
		return perp.Name, perp.SzDecimals, true
	}
	for i := range im.u.Spots {
		if s := &im.u.Spots[i]; s.VenueName == coin || s.Name == coin {
			base, _ := im.u.Token(s.Base)
			return s.Name, base.SzDecimals, true
		}
	}
	return "", 0, false
}

func isZeroText(text string) bool {
	n, err := parseNum(text)
	return err != nil || n.sign() == 0
}
