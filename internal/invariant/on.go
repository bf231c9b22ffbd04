//go:build race || invariants

package invariant

// Enabled is true in builds with -race or -tags invariants.
const Enabled = true
