package risk

import "slices"

// Accounts are looked at in the order in which they lie, when there are many: their lines then
// come one after the other, and their events need no sorting.

// sortMin is from how many on that pays.
const (
	sortMin   = 32
	radixMin  = 1024
	radixBits = 11
	radixSize = 1 << radixBits
)

// sortPassed orders entries by account.
func (b *bands) sortPassed(passed []wheelEntry) {
	switch {
	case len(passed) < sortMin:
	case len(passed) < radixMin:
		slices.SortFunc(passed, func(x, y wheelEntry) int { return int(x.local) - int(y.local) })
	default:
		p := &b.passing
		p.spare = slices.Grow(p.spare[:0], len(passed))[:len(passed)]
		radix(passed, p.spare, func(e wheelEntry) uint32 { return e.local })
	}
}

// sortAwake orders the accounts that are awake, those that could not be given a band by
// themselves.
func (b *bands) sortAwake() {
	fresh := b.awake[b.tried:]
	if len(fresh) < sortMin || slices.IsSorted(fresh) {
		return
	}
	if len(fresh) < radixMin {
		slices.Sort(fresh)
		return
	}
	b.localBuf = slices.Grow(b.localBuf[:0], len(fresh))[:len(fresh)]
	radix(fresh, b.localBuf, func(local uint32) uint32 { return local })
}

// radix sorts by a key, eleven bits at a time, stable; spare is as long.
func radix[T any](items, spare []T, key func(T) uint32) {
	var most uint32
	for _, x := range items {
		most = max(most, key(x))
	}
	from, to := items, spare
	for shift := uint(0); most>>shift != 0; shift += radixBits {
		var at [radixSize]uint32
		for _, x := range from {
			at[key(x)>>shift&(radixSize-1)]++
		}
		sum := uint32(0)
		for i, count := range &at {
			at[i] = sum
			sum += count
		}
		for _, x := range from {
			k := key(x) >> shift & (radixSize - 1)
			to[at[k]] = x
			at[k]++
		}
		from, to = to, from
	}
	if len(items) > 0 && &from[0] != &items[0] {
		copy(items, from)
	}
}
