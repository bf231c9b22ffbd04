package universe

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestEmbeddedHoldsTheVenuesPerps(t *testing.T) {
	t.Parallel()
	u := Embedded()
	if got, want := len(u.Perps), 228+43; got != want {
		t.Errorf("Embedded has %d perps, want %d", got, want)
	}
	wantDexes := []Dex{{CollateralToken: "USDC"}, {Name: "xyz", Index: 1, CollateralToken: "USDC"}}
	if !reflect.DeepEqual(u.Dexes, wantDexes) {
		t.Errorf("dexes = %+v, want %+v", u.Dexes, wantDexes)
	}
	single := func(leverage int) []Tier { return []Tier{{"0.0", leverage}} }
	for _, want := range []Perp{
		{
			Name: "BTC", SzDecimals: 5, MaxLeverage: 40, MarginMode: MarginNormal,
			Tiers: []Tier{{"0.0", 40}, {"150000000.0", 20}}, MarkPx: "66344.0", OraclePx: "66383.0", MidPx: "66371.5",
			PrevDayPx: "69557.0", Funding: "-0.000003688", OpenInterest: "22727.78266",
		},
		{
			Name: "MATIC", Index: 3, SzDecimals: 1, MaxLeverage: 20, MarginMode: MarginNormal, Tiers: single(20),
			MarkPx: "0.37621", OraclePx: "0.3754", PrevDayPx: "0.37621", Funding: "0.0", OpenInterest: "0.0", IsDelisted: true,
		},
		{
			Name: "xyz:XYZ100", Dex: "xyz", SzDecimals: 4, MaxLeverage: 25, OnlyIsolated: true, MarginMode: MarginNoCross,
			Tiers: single(25), MarkPx: "24657.0", OraclePx: "24657.0", MidPx: "24656.0", PrevDayPx: "24671.0",
			Funding: "0.00000625", OpenInterest: "4643.1444",
		},
	} {
		if got, _ := u.Perp(want.Name); !reflect.DeepEqual(got, want) {
			t.Errorf("Perp(%q) =\n%+v, want\n%+v", want.Name, got, want)
		}
	}
	if tesla, ok := u.Perp("xyz:TSLA"); !ok || tesla.MarginMode != MarginStrictIsolated {
		t.Errorf("xyz:TSLA is %+v, want it listed as %s", tesla, MarginStrictIsolated)
	}
	if _, ok := u.Perp("TSLA"); ok {
		t.Error("TSLA is found without its dex")
	}
}

func TestEmbeddedIsCoherent(t *testing.T) {
	t.Parallel()
	u := Embedded()
	perps, spots, venueNames := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, p := range u.Perps {
		if perps[p.Name] {
			t.Errorf("perp %s is listed twice", p.Name)
		}
		perps[p.Name] = true
		if p.Tiers[0].MaxLeverage != p.MaxLeverage {
			t.Errorf("%s: first tier allows %d, the perp %d", p.Name, p.Tiers[0].MaxLeverage, p.MaxLeverage)
		}
		for what, price := range map[string]string{"mark": p.MarkPx, "oracle": p.OraclePx} {
			if _, decimals, _ := strings.Cut(strings.TrimRight(price, "0"), "."); len(decimals) > 6-p.SzDecimals {
				t.Errorf("%s: %s %s has more than %d decimals", p.Name, what, price, 6-p.SzDecimals)
			}
		}
	}
	for _, s := range u.Spots {
		if spots[s.Name] || venueNames[s.VenueName] {
			t.Errorf("spot %s (%s) is listed twice", s.Name, s.VenueName)
		}
		spots[s.Name], venueNames[s.VenueName] = true, true
		base, ok := u.Token(s.Base)
		if _, ok2 := u.Token(s.Quote); !ok || !ok2 {
			t.Errorf("spot %s: a token is not listed", s.Name)
		}
		if _, decimals, _ := strings.Cut(strings.TrimRight(s.StartPx, "0"), "."); len(decimals) > 8-base.SzDecimals {
			t.Errorf("%s: start price %s has more than %d decimals", s.Name, s.StartPx, 8-base.SzDecimals)
		}
		if !isDecimal(s.StartPx) {
			t.Errorf("%s has no start price", s.Name)
		}
	}
}

func TestTokensOfPortfolioMarginAreListed(t *testing.T) {
	t.Parallel()
	u := Embedded()
	for _, want := range []Token{
		{"USDC", 0, 8, 8, "0x6d1e7cde53ba9467b783cb7c530ce054", ""},
		{"HYPE", 150, 2, 8, "0x0d01dc56dcaaca66ad901c959b4011ec", "Hyperliquid"},
		{"UBTC", 197, 5, 10, "0x8f254b963e8468305d409b33aa137c67", "Unit Bitcoin"},
		{"UETH", 221, 4, 9, "0xe1edd30daaf5caac3fe63569e24748da", "Unit Ethereum"},
		{"USDE", 235, 2, 8, "0x2e6d84f2d7ca82e6581e03523e4389f7", "USDe"},
		{"USDT0", 268, 2, 8, "0x25faedc3f054130dbb4e4203aca63567", "USDT0"},
		{"USDH", 360, 2, 8, "0x54e00a5988577cb0b0c9ab0cb6ef7f4b", "USDH"},
	} {
		if got, ok := u.Token(want.Name); !ok || got != want {
			t.Errorf("Token(%q) = %+v, %v, want %+v", want.Name, got, ok, want)
		}
	}
	for _, r := range Reserves() {
		if token, ok := u.Token(r.Token); !ok || token.Index != r.Index {
			t.Errorf("reserve %s %d: token is %+v", r.Token, r.Index, token)
		}
		if r.OraclePerpName != "" {
			if _, ok := u.Perp(r.OraclePerpName); !ok {
				t.Errorf("reserve %s: perp %s is not listed", r.Token, r.OraclePerpName)
			}
		}
	}
}

func TestSpotsOpenAtTheirPerpsOracle(t *testing.T) {
	t.Parallel()
	spots := map[string]Spot{}
	for _, s := range Embedded().Spots {
		spots[s.Name] = s
	}
	for _, want := range []Spot{
		{"HYPE/USDC", "@107", 107, "HYPE", "USDC", "34.277"},
		{"UBTC/USDC", "@142", 142, "UBTC", "USDC", "66383.0"},
		{"USDT0/USDC", "@166", 166, "USDT0", "USDC", "1.00005"},
		{"PURR/USDC", "PURR/USDC", 0, "PURR", "USDC", "0.0664375"},
		{"USDH/USDC", "@230", 230, "USDH", "USDC", "1.00005"},
	} {
		if got := spots[want.Name]; got != want {
			t.Errorf("spot %s = %+v, want %+v", want.Name, got, want)
		}
	}
}

func TestReservesCarryTheDocumentedTerms(t *testing.T) {
	t.Parallel()
	var lines []string
	for _, r := range Reserves() {
		borrowable := "-"
		if r.Borrowable {
			borrowable = "borrowable"
		}
		lines = append(lines, strings.Join([]string{
			r.Token, r.LTV, borrowable, r.SupplyCap, r.BorrowCap, r.UserSupplyCap, r.UserBorrowCap, r.TakeoverWidth,
			r.RateBase, r.RateSlope, r.RateKink, r.ReserveFactor, r.OraclePerpName,
		}, " "))
	}
	want := []string{
		"USDC 0 borrowable 1000000000 500000000 250000000 50000000 0 0.05 4.75 0.8 0.1 ",
		"HYPE 0.65 - 10000000 0 1000000 0 3000000 0.05 4.75 0.8 0.1 HYPE",
		"UBTC 0.5 - 2000 0 200 0 300000 0.05 4.75 0.8 0.1 BTC",
		"USDT0 0 borrowable 50000000 10000000 5000000 1000000 0 0.05 4.75 0.8 0.1 ",
		"USDH 0 borrowable 0 0 0 0 0 0.05 4.75 0.8 0.1 ",
	}
	if !reflect.DeepEqual(lines, want) {
		t.Errorf("Reserves() =\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
}

func TestMovesSpanTheCaptures(t *testing.T) {
	t.Parallel()
	moves := Moves()
	if got, want := len(moves), 165; got != want {
		t.Errorf("Moves has %d perps, want %d", got, want)
	}
	want := Move{"BTC", "113776.0", "113080.0", "89926.5", "69557.0", "66344.0"}
	if moves[0] != want {
		t.Errorf("first move = %+v, want %+v", moves[0], want)
	}
	for _, m := range moves {
		for _, price := range []string{m.Aug21, m.Aug22, m.Dec13, m.Feb05, m.Feb06} {
			if !isDecimal(price) || strings.Trim(price, "0.") == "" {
				t.Errorf("%s: %q is no price", m.Perp, price)
			}
		}
	}
}

func TestAccountsAreTheCaptures(t *testing.T) {
	t.Parallel()
	var names []string
	for _, a := range Accounts() {
		names = append(names, a.Name)
		if !bytes.Contains(a.JSON, []byte(`"accountValue"`)) {
			t.Errorf("%s holds no account value", a.Name)
		}
	}
	want := []string{
		"lifi_portfolio_margin", "lifi_unified_isolated", "lifi_unified_isolated_short",
		"tula_default_mode_cross_rows", "tula_portfolio_margin_collateral", "tula_standard_mode_cross_rows",
		"tula_unified_builder_dex", "tula_unified_cross_short", "tula_unified_isolated_main_and_xyz",
	}
	if !reflect.DeepEqual(names, want) {
		t.Errorf("Accounts() = %q, want %q", names, want)
	}
}

// TestCopiesEqualTestdata keeps the embedded copies and the conformance home together.
func TestCopiesEqualTestdata(t *testing.T) {
	t.Parallel()
	home := filepath.Join("..", "..", "testdata", "hyperliquid")
	compare := func(copied, original string) {
		want, err := os.ReadFile(filepath.Join(home, original))
		if err != nil {
			t.Errorf("%s: %v", copied, err)
		} else if !bytes.Equal(read(copied), want) {
			t.Errorf("%s differs from testdata/hyperliquid/%s", copied, original)
		}
	}
	for _, file := range []string{fileMain, fileMainOld, fileXYZ, fileSpots, fileMids} {
		compare(file, filepath.Join("go-hyperliquid", filepath.Base(file)))
	}
	folders := map[string]string{"lifi": "lifi-perps-sdk", "tula": "tula"}
	entries, err := files.ReadDir("data/accounts")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		source, name, _ := strings.Cut(entry.Name(), "_")
		compare("data/accounts/"+entry.Name(), filepath.Join(folders[source], name))
	}
}

func TestLoadRefusesWhatIsNotTheVenuesShape(t *testing.T) {
	t.Parallel()
	const (
		spot = `{"tokens":[{"name":"USDC","index":0,"szDecimals":8,"weiDecimals":8,"tokenId":"0x"}],"universe":[]}`
		perp = `{"name":"A","szDecimals":1,"maxLeverage":5,"marginTableId":5}`
		ctx  = `{"markPx":"1.0","oraclePx":"1.0","midPx":null,"prevDayPx":"1.0","funding":"-0.1","openInterest":"0.0"}`
		good = `[{"universe":[` + perp + `],"marginTables":[]},[` + ctx + `]]`
	)
	if _, err := Load([]byte(good), []byte(spot)); err != nil {
		t.Fatalf("the least universe is refused: %v", err)
	}
	replace := func(old, with string) string { return strings.Replace(good, old, with, 1) }
	for _, c := range []struct {
		name string
		meta string
		want error
	}{
		{"empty", ``, ErrShape},
		{"bytes behind", good + `[]`, ErrShape},
		{"one element", `[{"universe":[]}]`, ErrShape},
		{"no perps", `[{"universe":[]},[]]`, ErrShape},
		{"context missing", `[{"universe":[` + perp + `]},[]]`, ErrShape},
		{"number for a price", replace(`"markPx":"1.0"`, `"markPx":1.0`), ErrShape},
		{"exponent", replace(`"markPx":"1.0"`, `"markPx":"1e3"`), ErrShape},
		{"negative price", replace(`"oraclePx":"1.0"`, `"oraclePx":"-1.0"`), ErrShape},
		{"price missing", replace(`"oraclePx":"1.0",`, ``), ErrShape},
		{"mid without digits", replace(`"midPx":null`, `"midPx":"."`), ErrShape},
		{"fractional leverage", replace(`"maxLeverage":5`, `"maxLeverage":5.5`), ErrShape},
		{"decimals missing", replace(`"szDecimals":1,`, ``), ErrShape},
		{"margin table missing", replace(`,"marginTableId":5`, ``), ErrShape},
		{"unknown margin table", replace(`"marginTableId":5`, `"marginTableId":51`), ErrReference},
		{"unknown margin mode", replace(`"marginTableId":5`, `"marginTableId":5,"marginMode":"odd"`), ErrShape},
		{"table not from zero", replace(`"marginTables":[]`,
			`"marginTables":[[5,{"marginTiers":[{"lowerBound":"1.0","maxLeverage":5}]}]]`), ErrShape},
		{"unknown collateral", replace(`"marginTables":[]`, `"collateralToken":7`), ErrReference},
		{"perp twice", `[{"universe":[` + perp + `,` + perp + `]},[` + ctx + `,` + ctx + `]]`, ErrDuplicate},
		{
			"two dexes in one reply",
			`[{"universe":[` + perp + `,` + strings.Replace(perp, `"A"`, `"x:A"`, 1) + `]},[` + ctx + `,` + ctx + `]]`, ErrShape,
		},
	} {
		if _, err := Load([]byte(c.meta), []byte(spot)); !errors.Is(err, c.want) {
			t.Errorf("%s: error %v, want %v", c.name, err, c.want)
		}
	}
	for _, c := range []struct {
		name string
		spot string
		want error
	}{
		{"unknown token in a pair", strings.Replace(spot, `"universe":[]`, `"universe":[{"name":"@1","index":1,"tokens":[3,0]}]`, 1), ErrReference},
		{"three tokens in a pair", strings.Replace(spot, `"universe":[]`, `"universe":[{"name":"@1","index":1,"tokens":[0,0,0]}]`, 1), ErrShape},
		{"index missing", strings.Replace(spot, `"index":0,`, ``, 1), ErrShape},
		{"null", `null`, ErrReference}, // no tokens, so no collateral
	} {
		if _, err := Load([]byte(good), []byte(c.spot)); !errors.Is(err, c.want) {
			t.Errorf("%s: error %v, want %v", c.name, err, c.want)
		}
	}
}

func TestFromVenueReadsBothForms(t *testing.T) {
	t.Parallel()
	meta, spots := response(fileXYZ), response(fileSpots)
	object := []byte(`{"metaAndAssetCtxs":` + string(meta) + `,"spotMeta":` + string(spots) + `}`)
	fromObject, err := FromVenue(object, nil)
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := Load(meta, spots)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(fromObject, loaded) {
		t.Error("the object form differs from Load of its parts")
	}
	if want := "xyz"; len(loaded.Dexes) != 2 || loaded.Dexes[1].Name != want || loaded.Dexes[1].Index != 1 {
		t.Errorf("dexes of a builder dex's reply = %+v, want the main one and %s", loaded.Dexes, want)
	}
	fromArray, err := FromVenue(append([]byte("\n "), meta...), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := fromArray.Token("USDH"); !ok || len(fromArray.Perps) != 43 {
		t.Errorf("the array form has %d perps, embedded tokens: %v", len(fromArray.Perps), ok)
	}
	for _, file := range []string{`{}`, `{"metaAndAssetCtxs":[],"spotmeta":{}}`, ``, `7`} {
		if _, err := FromVenue([]byte(file), nil); !errors.Is(err, ErrShape) {
			t.Errorf("FromVenue(%q): error %v, want %v", file, err, ErrShape)
		}
	}
}

func TestOldOnlyIsolatedMeansStrict(t *testing.T) {
	t.Parallel()
	u, err := Load(response(fileMainOld), response(fileSpots))
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := u.Perp("HPOS"); got.MarginMode != MarginStrictIsolated {
		t.Errorf("HPOS of 2025 is %q, want %q", got.MarginMode, MarginStrictIsolated)
	}
}

func FuzzFromVenue(f *testing.F) {
	f.Add([]byte(`[{"universe":[{"name":"A","szDecimals":1,"maxLeverage":5,"marginTableId":5}]},[{"markPx":"1.0"}]]`))
	f.Add([]byte(`{"metaAndAssetCtxs":[],"spotMeta":{"tokens":[],"universe":[]}}`))
	f.Fuzz(func(t *testing.T, file []byte) {
		u, err := FromVenue(file, nil)
		if err == nil && (len(u.Perps) == 0 || len(u.Perps[0].Tiers) == 0) {
			t.Errorf("accepted %q without a perp or a tier", file)
		}
	})
}

func TestARecordedReplyIsAUniverse(t *testing.T) {
	file, err := os.ReadFile("../../testdata/hyperliquid/go-hyperliquid/metaAndAssetCtxs_main_2025-08-22.json")
	if err != nil {
		t.Fatal(err)
	}
	u, err := FromVenue(file, nil)
	if err != nil || len(u.Perps) < 150 {
		t.Errorf("%d perps, %v", len(u.Perps), err)
	}
}
