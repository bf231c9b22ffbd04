//go:build bandmutant

package risk

// boundSlip is how many steps every bound is too far out, after it was verified.
const boundSlip = 1
