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
// themselves, and returns all of them in order.
func (b *bands) sortAwake() []uint32 {
	tried, fresh := b.awake[:b.tried], b.awake[b.tried:]
	b.sortLocals(fresh)
	if len(tried) == 0 {
		return fresh
	}
	b.triedBuf = append(b.triedBuf[:0], tried...)
	b.sortLocals(b.triedBuf)
	b.lookBuf = slices.Grow(b.lookBuf[:0], len(b.awake))
	for tried = b.triedBuf; len(tried) > 0; {
		if len(fresh) == 0 || tried[0] < fresh[0] {
			b.lookBuf = append(b.lookBuf, tried[0])
			tried = tried[1:]
			continue
		}
		b.lookBuf = append(b.lookBuf, fresh[0])
		fresh = fresh[1:]
	}
	b.lookBuf = append(b.lookBuf, fresh...)
	return b.lookBuf
}

// sortLocals orders accounts by place.
func (b *bands) sortLocals(locals []uint32) {
	if slices.IsSorted(locals) {
		return
	}
	if len(locals) < radixMin {
		slices.Sort(locals)
		return
	}
	b.localBuf = slices.Grow(b.localBuf[:0], len(locals))[:len(locals)]
	radix(locals, b.localBuf, func(local uint32) uint32 { return local })
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
