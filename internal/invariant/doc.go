// Package invariant says whether costly assertions are on: under -race and under
// -tags invariants they are, in a plain build they are not, and the compiler then
// drops every branch that asks:
//
//	if invariant.Enabled {
//		book.checkAll()
//	}
//
// Cheap assertions need no switch: they are always on and panic with "room: BUG: …".
package invariant
