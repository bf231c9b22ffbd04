package risk

import "slices"

// The nearest accounts of a pass stand in a heap whose root is the best of them, the one
// that goes when a worse comes: v.Nearest, until sortNearest.

// nearestInfinite stands for a ratio whose denominator is gone, or next to it.
const nearestInfinite = 1 << 62

// isNearer orders accounts by ratio, the highest first, of equal ones by account.
func (n *Nearest) isNearer(o *Nearest) bool {
	if c := n.RatioE10.Cmp(o.RatioE10); c != 0 {
		return c > 0
	}
	return n.Account < o.Account
}

// nearer keeps an account if it is among the nearest; true if the root may have changed.
func (v *TotalsView) nearer(n *Nearest) bool {
	if len(v.Nearest) < v.NearestLimit {
		v.Nearest = append(v.Nearest, *n)
		v.rise(len(v.Nearest) - 1)
		return true
	}
	if len(v.Nearest) == 0 || !n.isNearer(&v.Nearest[0]) {
		return false
	}
	v.Nearest[0] = *n
	v.sink()
	return true
}

// rise moves an entry towards the root while its parent is nearer.
func (v *TotalsView) rise(at int) {
	for h := v.Nearest; at > 0; {
		up := (at - 1) / 2
		if !h[up].isNearer(&h[at]) {
			return
		}
		h[up], h[at] = h[at], h[up]
		at = up
	}
}

// sink moves the root down to where its children are nearer.
func (v *TotalsView) sink() {
	h := v.Nearest
	for at := 0; ; {
		down := 2*at + 1
		if down >= len(h) {
			return
		}
		if down+1 < len(h) && h[down].isNearer(&h[down+1]) {
			down++
		}
		if !h[at].isNearer(&h[down]) {
			return
		}
		h[at], h[down] = h[down], h[at]
		at = down
	}
}

// SortNearest puts the nearest accounts in order, worst first, after the last Add.
func (v *TotalsView) SortNearest() {
	slices.SortFunc(v.Nearest, func(a, b Nearest) int {
		switch {
		case a.isNearer(&b):
			return -1
		case b.isNearer(&a):
			return 1
		default:
			return 0
		}
	})
}
