package universe

import (
	"embed"
	"encoding/json"
	"fmt"
)

//go:embed data/*.json data/accounts/*.json
var files embed.FS

// The captures; their names carry the day on which they were taken.
const (
	fileMain    = "data/metaAndAssetCtxs_main_2026-02-06.json"
	fileMainOld = "data/metaAndAssetCtxs_main_2025-08-22.json"
	fileXYZ     = "data/metaAndAssetCtxs_xyz_2026-02-06.json"
	fileSpots   = "data/spotMeta_2025-08-22.json"
	fileMids    = "data/allMids_2025-12-13.json"
)

// Embedded returns the main dex and the builder dex xyz as of 6 February 2026, and the
// tokens and pairs of 22 August 2025 with supplements. Delisted perps are kept, flagged.
func Embedded() Universe {
	u := embeddedSpots()
	for _, file := range []string{fileMain, fileXYZ} {
		if err := u.addDex(response(file)); err != nil {
			panic(fmt.Sprintf("universe: BUG: %s: %v", file, err))
		}
	}
	u.setStartPrices(spotMids())
	return u
}

// embeddedSpots returns tokens and pairs only.
func embeddedSpots() Universe {
	var u Universe
	if err := u.addSpotMeta(response(fileSpots)); err != nil {
		panic(fmt.Sprintf("universe: BUG: %s: %v", fileSpots, err))
	}
	u.Tokens = append(u.Tokens, supplementTokens()...)
	u.Spots = append(u.Spots, supplementSpots()...)
	return u
}

// supplementTokens returns the tokens that portfolio margin or a captured account names and
// that were listed after the spotMeta capture. HYPE 150, UBTC 197, UETH 221, USDE 235 and
// USDT0 268 are in the capture itself.
//
// Source of USDH: the venue's spotMeta of 2026 as quoted by public clients (test data of
// thrasher-corp/gocryptotrader, exchanges/hyperliquid; two further clients agree on the
// wei decimals, the token id and the pair).
func supplementTokens() []Token {
	return []Token{
		{
			Name: "USDH", Index: 360, SzDecimals: 2, WeiDecimals: 8,
			TokenID: "0x54e00a5988577cb0b0c9ab0cb6ef7f4b", FullName: "USDH",
		},
	}
}

// supplementSpots returns the pairs of supplementTokens, from the same source.
func supplementSpots() []Spot {
	return []Spot{
		{Name: "USDH/USDC", VenueName: "@230", Index: 230, Base: "USDH", Quote: "USDC"},
	}
}

// spotMids returns the venue's mids of 13 December 2025 by market name.
func spotMids() map[string]string {
	var mids map[string]string
	if err := decode(response(fileMids), &mids); err != nil {
		panic(fmt.Sprintf("universe: BUG: %s: %v", fileMids, err))
	}
	return mids
}

// response returns the reply that a capture file wraps with its request and date.
func response(file string) []byte {
	var capture struct {
		Response json.RawMessage `json:"response"`
	}
	if err := decode(read(file), &capture); err != nil {
		panic(fmt.Sprintf("universe: BUG: %s: %v", file, err))
	}
	return capture.Response
}

// read returns an embedded file, which is there: the compiler has put it there.
func read(file string) []byte {
	data, err := files.ReadFile(file)
	if err != nil {
		panic(fmt.Sprintf("universe: BUG: %s: %v", file, err))
	}
	return data
}
