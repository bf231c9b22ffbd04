// Package risk is the deterministic core: accounts, instruments, lending pools, margin,
// orders and fills. The same commands give the same state, events and state hash on any
// number of shards; nothing here reads a clock, a disk, a map or chance.
//
// Read in this order: command.go (what comes in), event.go and reason.go (what goes out),
// apply.go (one switch), margin.go (the formulas of docs/MODEL.md §2 and §3), check.go
// (before a trade), fill.go (after it), rebalance.go and pool.go (lending), tick.go and
// sweep.go (prices), read.go (views).
//
// Money is an integer number of a token's smallest units in 128 bits. Requirements and
// debt round up, equity and credit down; where one division serves a whole account or
// position its comment says so.
package risk
