// Package risktest is the second opinion on package risk: an oracle that computes every
// figure with math/big from docs/MODEL.md, a seeded generator of command groups, a driver
// that runs one history on several shards in lockstep, and the invariants that must hold
// after every group.
//
// Read in this order: generate.go (what comes in), shards.go (the driver), check.go (the
// invariants), oracle.go (the shadow state), figures.go (MODEL.md §2 and §3), view.go (what
// readers see). Nothing here is fast; everything is meant to be obvious.
package risktest
