// Package universe holds the markets that Plimsoll starts with: perpetuals, margin tables,
// tokens and spot pairs as one venue's public API described them, and the reserve table of
// its lending pools.
//
//	data/metaAndAssetCtxs_main_2026-02-06.json   perps of the main dex, with prices     ─┐
//	data/metaAndAssetCtxs_xyz_2026-02-06.json    perps of the builder dex xyz           ─┼─► Embedded
//	data/spotMeta_2025-08-22.json                tokens and spot pairs                  ─┤
//	data/allMids_2025-12-13.json                 spot mids                              ─┴┐
//	data/metaAndAssetCtxs_main_2025-08-22.json   the same perps half a year earlier     ──┴► Moves
//	data/accounts/*.json                         captured accounts, byte for byte       ───► Accounts
//
// Every number stays the decimal string that the venue sent: nothing here rounds, and no
// float exists on the way. The files are copies of those under testdata/hyperliquid, where
// their sources and licences are listed; a test keeps the copies equal.
package universe
