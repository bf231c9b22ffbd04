// Package fixedpoint holds the exact numbers of the engine: signed and unsigned 128-bit integers, decimal
// text, compounding indexes and the hash of a state. There is no float here and nothing depends on the
// machine: equal inputs give equal bits everywhere. Nothing allocates except String, and the Append functions
// when dst has to grow.
//
// Types:
//
//	type     unit                  scale         range                        rounding
//	-------  --------------------  ------------  ---------------------------  --------------------------
//	Int128   the caller's          the caller's  [-2^127, 2^127)              exact, or named Floor/Ceil
//	Uint128  the caller's          the caller's  [0, 2^128)                   exact
//	Decimal  the venue's           10^Decimals   18 digits, 18 decimals       exact, other text refused
//	Index    worth of scaled unit  10^27         (0, 2^128/10^27), ~3.4e11    named Floor/Ceil
//	Hash128  none                  none          [0, 2^128), modular          none
//	Mixer    none                  none          any words and bytes          none
//
// Operations on 64 bits take and give int64 at a scale that the caller keeps in the name (PriceE8, QtyE8).
//
// What a name promises:
//
//	Floor      toward minus infinity, also for negative numbers
//	Ceil       toward plus infinity, also for negative numbers
//	Trunc      toward zero
//	HalfEven   to the nearest, ties to the even neighbour
//	Checked    ok is false, and the result zero, when the exact answer does not fit
//	(bare)     Add, Sub and Neg wrap modulo 2^128, as the machine does
//
// Every function with an ok result gives the zero value beside ok=false, so a forgotten test cannot leak
// half an answer. Data never panics; a scale beyond a table or a divisor that is not positive where no ok
// is returned is a programmer error and does.
//
// How a product travels: the sign is taken off, magnitudes are multiplied to the double width and divided
// by whole words, the remainder decides the rounding, and the sign is put back:
//
//	sign, |a|    sign, |b|
//	     \        /
//	  +------+------+------+------+
//	  |  p3  |  p2  |  p1  |  p0  |   |a|*|b|, up to 256 bits
//	  +------+------+------+------+
//	                |  / |d|          bits.Div64 a word, or three words by two (Knuth, D)
//	         +------+------+
//	         |  q1  |  q0  |  r       q+1 when r is not 0 and the rounding is away from zero
//	         +------+------+
//
// Each function has a twin in math/big in the tests; the parser, the products, the index and ExpFactor have
// a fuzz target as well.
package fixedpoint
