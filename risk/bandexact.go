//go:build !bandmutant

package risk

// boundSlip is how many steps every bound is too far out: none.
const boundSlip = 0
