package universe

import (
	"errors"
	"fmt"
	"strings"
)

// Faults of a venue's document, wrapped with the place.
var (
	ErrShape     = errors.New("not the venue's shape")
	ErrReference = errors.New("names something that is not listed")
	ErrDuplicate = errors.New("listed twice")
)

// lastSingleTier is the highest margin table id that needs no table: such an id is its own
// maximum leverage, in a single tier.
const lastSingleTier = 49

// The venue's shapes. Fields that Plimsoll does not read are passed over, because the venue
// adds some every few months; a field that is read must be there and of its type.
type (
	venueMeta struct {
		Universe        []venuePerp  `json:"universe"`
		MarginTables    []venueTable `json:"marginTables"`
		CollateralToken int          `json:"collateralToken"` // absent before 2026: USDC
	}
	venuePerp struct {
		Name          string `json:"name"`
		SzDecimals    *int   `json:"szDecimals"`
		MaxLeverage   int    `json:"maxLeverage"`
		MarginTableID int    `json:"marginTableId"`
		OnlyIsolated  bool   `json:"onlyIsolated"`
		MarginMode    string `json:"marginMode"`
		IsDelisted    bool   `json:"isDelisted"`
	}
	venueTable struct {
		id    int
		tiers []venueTier
	}
	venueTier struct {
		LowerBound  string `json:"lowerBound"`
		MaxLeverage int    `json:"maxLeverage"`
	}
	venueCtx struct {
		MarkPx       string  `json:"markPx"`
		OraclePx     string  `json:"oraclePx"`
		MidPx        *string `json:"midPx"`
		PrevDayPx    string  `json:"prevDayPx"`
		Funding      string  `json:"funding"`
		OpenInterest string  `json:"openInterest"`
	}
	venueSpotMeta struct {
		Tokens   []venueToken `json:"tokens"`
		Universe []venueSpot  `json:"universe"`
	}
	venueToken struct {
		Name        string  `json:"name"`
		Index       *int    `json:"index"`
		SzDecimals  *int    `json:"szDecimals"`
		WeiDecimals *int    `json:"weiDecimals"`
		TokenID     string  `json:"tokenId"`
		FullName    *string `json:"fullName"`
	}
	venueSpot struct {
		Name   string `json:"name"`
		Index  *int   `json:"index"`
		Tokens []int  `json:"tokens"`
	}
)

// UnmarshalJSON reads the venue's pair [id, {"marginTiers": [...]}].
func (t *venueTable) UnmarshalJSON(data []byte) error {
	var body struct {
		Tiers []venueTier `json:"marginTiers"`
	}
	if err := decodePair(data, &t.id, &body); err != nil {
		return err
	}
	t.tiers = body.Tiers
	return nil
}

// Load reads the venue's replies metaAndAssetCtxs, of one dex, and spotMeta.
func Load(metaAndAssetCtxs, spotMeta []byte) (Universe, error) {
	var u Universe
	if err := u.addSpotMeta(spotMeta); err != nil {
		return Universe{}, err
	}
	if err := u.addDex(metaAndAssetCtxs); err != nil {
		return Universe{}, err
	}
	u.setStartPrices(nil)
	return u, nil
}

// addSpotMeta adds the tokens and pairs of a spotMeta reply.
func (u *Universe) addSpotMeta(data []byte) error {
	var meta venueSpotMeta
	if err := decode(data, &meta); err != nil {
		return fmt.Errorf("universe: spotMeta: %w", err)
	}
	names := map[int]string{}
	for i, t := range meta.Tokens {
		if t.Name == "" || t.Index == nil || t.SzDecimals == nil || t.WeiDecimals == nil {
			return fmt.Errorf("universe: spotMeta: tokens[%d]: %w", i, ErrShape)
		}
		if _, ok := names[*t.Index]; ok {
			return fmt.Errorf("universe: spotMeta: token index %d: %w", *t.Index, ErrDuplicate)
		}
		names[*t.Index] = t.Name
		token := Token{
			Name: t.Name, Index: *t.Index, SzDecimals: *t.SzDecimals, WeiDecimals: *t.WeiDecimals, TokenID: t.TokenID,
		}
		if t.FullName != nil {
			token.FullName = *t.FullName
		}
		if _, ok := u.Token(t.Name); ok {
			return fmt.Errorf("universe: spotMeta: token %q: %w", t.Name, ErrDuplicate)
		}
		u.Tokens = append(u.Tokens, token)
	}
	for i, s := range meta.Universe {
		if s.Name == "" || s.Index == nil || len(s.Tokens) != 2 {
			return fmt.Errorf("universe: spotMeta: universe[%d]: %w", i, ErrShape)
		}
		base, quote := names[s.Tokens[0]], names[s.Tokens[1]]
		if base == "" || quote == "" {
			return fmt.Errorf("universe: spotMeta: %s: tokens %v: %w", s.Name, s.Tokens, ErrReference)
		}
		u.Spots = append(u.Spots, Spot{
			Name: base + "/" + quote, VenueName: s.Name, Index: *s.Index, Base: base, Quote: quote,
		})
	}
	return nil
}

// addDex adds the perps of a metaAndAssetCtxs reply under the dex that their names carry.
// Its collateral token must be listed already.
func (u *Universe) addDex(data []byte) error {
	var meta venueMeta
	var ctxs []venueCtx
	if err := decodePair(data, &meta, &ctxs); err != nil {
		return fmt.Errorf("universe: metaAndAssetCtxs: %w", err)
	}
	if len(meta.Universe) == 0 || len(meta.Universe) != len(ctxs) {
		return fmt.Errorf("universe: metaAndAssetCtxs: %d perps, %d contexts: %w", len(meta.Universe), len(ctxs), ErrShape)
	}
	dex := Dex{Name: dexOf(meta.Universe[0].Name), Index: len(u.Dexes)}
	for _, t := range u.Tokens {
		if t.Index == meta.CollateralToken {
			dex.CollateralToken = t.Name
		}
	}
	if dex.CollateralToken == "" {
		return fmt.Errorf("universe: metaAndAssetCtxs: collateral token %d: %w", meta.CollateralToken, ErrReference)
	}
	if dex.Name == "" && dex.Index != 0 {
		return fmt.Errorf("universe: metaAndAssetCtxs: the main dex: %w", ErrDuplicate)
	}
	if dex.Name != "" && dex.Index == 0 { // slot 0 is the main dex, here without perps
		u.Dexes = append(u.Dexes, Dex{CollateralToken: dex.CollateralToken})
		dex.Index = 1
	}
	u.Dexes = append(u.Dexes, dex)
	tables := map[int][]venueTier{}
	for _, t := range meta.MarginTables {
		tables[t.id] = t.tiers
	}
	seen := map[string]bool{}
	for i := range meta.Universe {
		perp, err := newPerp(&meta.Universe[i], &ctxs[i], tables)
		if err == nil && seen[perp.Name] {
			err = ErrDuplicate
		}
		if err == nil && perp.Dex != dex.Name {
			err = fmt.Errorf("dex %q among perps of %q: %w", perp.Dex, dex.Name, ErrShape)
		}
		if err != nil {
			return fmt.Errorf("universe: metaAndAssetCtxs: universe[%d] %q: %w", i, meta.Universe[i].Name, err)
		}
		seen[perp.Name] = true
		perp.Index = i
		u.Perps = append(u.Perps, perp)
	}
	return nil
}

// newPerp joins a perp's description and its context.
func newPerp(p *venuePerp, c *venueCtx, tables map[int][]venueTier) (Perp, error) {
	if p.Name == "" || p.SzDecimals == nil || *p.SzDecimals < 0 || p.MaxLeverage <= 0 {
		return Perp{}, fmt.Errorf("name, szDecimals or maxLeverage: %w", ErrShape)
	}
	perp := Perp{
		Name: p.Name, Dex: dexOf(p.Name), SzDecimals: *p.SzDecimals, MaxLeverage: p.MaxLeverage,
		OnlyIsolated: p.OnlyIsolated, IsDelisted: p.IsDelisted,
		MarkPx: c.MarkPx, OraclePx: c.OraclePx, PrevDayPx: c.PrevDayPx, Funding: c.Funding, OpenInterest: c.OpenInterest,
	}
	if c.MidPx != nil {
		perp.MidPx = *c.MidPx
		if !isDecimal(perp.MidPx) {
			return Perp{}, fmt.Errorf("midPx %q: %w", perp.MidPx, ErrShape)
		}
	}
	for _, text := range []string{c.MarkPx, c.OraclePx, c.PrevDayPx, c.OpenInterest} {
		if !isDecimal(text) {
			return Perp{}, fmt.Errorf("context number %q: %w", text, ErrShape)
		}
	}
	if !isDecimal(strings.TrimPrefix(c.Funding, "-")) {
		return Perp{}, fmt.Errorf("funding %q: %w", c.Funding, ErrShape)
	}
	var err error
	if perp.MarginMode, err = marginMode(p); err != nil {
		return Perp{}, err
	}
	perp.Tiers, err = tiersOf(p.MarginTableID, tables)
	return perp, err
}

// marginMode translates the venue's word. Before 2026 the venue sent onlyIsolated alone;
// the perps that had it then are strictIsolated in later captures.
func marginMode(p *venuePerp) (string, error) {
	switch p.MarginMode {
	case "":
		if p.OnlyIsolated {
			return MarginStrictIsolated, nil
		}
		return MarginNormal, nil
	case "normal":
		return MarginNormal, nil
	case "noCross":
		return MarginNoCross, nil
	case "strictIsolated":
		return MarginStrictIsolated, nil
	default:
		return "", fmt.Errorf("marginMode %q: %w", p.MarginMode, ErrShape)
	}
}

// tiersOf returns the margin tiers of a table id.
func tiersOf(id int, tables map[int][]venueTier) ([]Tier, error) {
	if id < 1 {
		return nil, fmt.Errorf("marginTableId: %w", ErrShape)
	}
	table, ok := tables[id]
	if !ok {
		if id > lastSingleTier {
			return nil, fmt.Errorf("margin table %d: %w", id, ErrReference)
		}
		return []Tier{{LowerBound: "0.0", MaxLeverage: id}}, nil
	}
	if len(table) == 0 || strings.Trim(table[0].LowerBound, "0.") != "" {
		return nil, fmt.Errorf("margin table %d does not start at zero: %w", id, ErrShape)
	}
	tiers := make([]Tier, len(table))
	for i, t := range table {
		if t.MaxLeverage < 1 || !isDecimal(t.LowerBound) {
			return nil, fmt.Errorf("margin table %d: %w", id, ErrShape)
		}
		tiers[i] = Tier(t)
	}
	return tiers, nil
}

// setStartPrices gives each pair a price to open with: its perp's oracle, else its mid.
func (u *Universe) setStartPrices(mids map[string]string) {
	for i := range u.Spots {
		s := &u.Spots[i]
		s.StartPx = mids[s.VenueName]
		if name := OraclePerp(s.Base); name != "" && s.Quote == "USDC" {
			if p, ok := u.Perp(name); ok {
				s.StartPx = p.OraclePx
			}
		}
	}
}

// dexOf returns the dex that a perp's name carries: "xyz" of "xyz:TSLA", "" of "BTC".
func dexOf(perp string) string {
	dex, _, ok := strings.Cut(perp, ":")
	if !ok {
		return ""
	}
	return dex
}
