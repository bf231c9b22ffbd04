package engine

import (
	"testing"

	"plimsoll/risk"
)

// TestTicksBehindAListingAreNotMerged: a listing may give a price a band, and then two ticks
// that are each within it may be outside together. Until shard 0 has shown what it takes after
// the listing, ticks stay apart.
func TestTicksBehindAListingAreNotMerged(t *testing.T) {
	e := idleHouse(t, func(*Config) {})
	tick := tickOf(0, 1, 1)
	list := []risk.Command{{Kind: risk.KindListToken}}
	tickets := []*ticket{post(t, e, tick), post(t, e, tick), post(t, e, list), post(t, e, tick), post(t, e, tick)}
	wantPlaces(t, e, []uint64{1, 1, 2, 3, 4}, tickets...)
	tickets = []*ticket{post(t, e, tick), post(t, e, tick)}
	wantPlaces(t, e, []uint64{5, 5}, tickets...)
}
