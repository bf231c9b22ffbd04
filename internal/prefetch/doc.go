// Package prefetch asks the processor for cache lines ahead of their use. It is the only
// assembly of the house, one instruction: Go has it for its own runtime only.
//
// An order of a venue with many accounts waits for memory more than it computes: each line
// that is in no cache of its core costs 100 ns and more, and a load that waits fills the
// core's queue with what comes after it. A prefetch does not wait, so the lines of an order
// come all at once, while other stages work.
package prefetch
