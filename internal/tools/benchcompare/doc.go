// Package main is benchcompare: it says whether the working tree is slower than the commit it
// branched off, or allocates where that did not.
//
//	                git worktree           go test -c        A B, B A, A B ... (each -rounds times)
//	base commit ───► temporary folder ────► A/*.test ──┐
//	                                                   ├──► rows ──► judge ──► suspects again ──► verdict
//	working tree ─────────────────────────► B/*.test ──┘
//
// A shared machine changes its speed by a factor of two within minutes, so the two sides take
// turns, and what is compared is the median of the ratios of neighbours. A row is slower when
// that median passes -slowdown and a Mann-Whitney U test on the two sides says p < 0.01; it
// allocates more when the median and the least of its allocs/op both rose. Such a row is
// measured once more, alone; only what shows twice fails. Test binaries that are the same byte
// for byte are not run: they cannot differ. A row that one side alone has is reported and
// judged by nobody.
//
// Times that are none (0 ns/op) and other units are left to the reader. Exit code 0: as good
// as before, or nothing to compare with (no history, a shallow clone, a first commit), which
// is said; 1: rows got worse, named; 2: it could not be measured.
package main
