// Package clienttest has other people's programs use the daemon: Hyperliquid's public SDK for
// JavaScript reads POST /info, public validators read the contract, and the examples of
// docs/WIRE.md write commands.
//
//	package.json, package-lock.json   what is needed from npm, node itself included, pinned
//	schema.mjs                        what the SDK's types say of a reply, as JSON Schema
//	read.mjs                          reads /info through the SDK and checks what comes
//	lint.mjs                          checks /openapi.json, and replies against it
//
// The SDK checks what it sends, not what it gets: its replies are TypeScript types with a pattern
// for each decimal. Its own tests make schemas of those and hold the venue against them; so do
// these, and hold the daemon.
//
// 'npm ci --ignore-scripts' in this folder installs the packages. Without them the tests are
// skipped, or fail where PLIMSOLL_CLIENTS is "required". Nothing here is part of the product.
package clienttest
