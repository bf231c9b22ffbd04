// Package risk is the deterministic core: accounts, instruments, lending pools, margin,
// orders and fills. The same commands give the same state, events and state hash on any
// number of shards; nothing here reads a clock, a disk, a map or chance.
//
// Read in this order: command.go (what comes in), event.go and reason.go (what goes out),
// apply.go (one switch), margin.go (the formulas of docs/MODEL.md §2 and §3), check.go
// (before a trade), fill.go (after it), rebalance.go and pool.go (lending), tick.go and
// sweep.go (prices), read.go (views), touch.go (what is done before an account changes),
// capture.go and restore.go (the state as bytes).
//
// The state hash (statehash.go) is a sum mod 2^128 of one hash per entity: listings, pools,
// clients and parameters, counted by shard 0, and accounts with what they hold, each by its
// owner. It is keyed by names, so it knows neither shards nor slots. A running sum is kept:
// the first touch of an account since the hash was last asked takes its hash out, asking puts
// it back, so that the cost follows what was touched, not how many accounts there are.
// Seq, time, times of orders and the bands last told stand outside the hash.
//
// A captured state holds all of that, and everything else that what comes next depends on,
// bands and times included. Derived columns are left out and derived anew on restoring. An
// account is encoded before it changes, the others when the sweep gets to them; every record
// stands by itself and says which account it is, so any number of shards can take them.
//
// Money is an integer number of a token's smallest units in 128 bits. Requirements and
// debt round up, equity and credit down; where one division serves a whole account or
// position its comment says so.
package risk
