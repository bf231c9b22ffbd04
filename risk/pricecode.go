package risk

import "math/bits"

// A price code orders prices by ratio in 31 bits, without a logarithm: the length of the
// price in bits, then the 25 bits after its first one. Codes are as far apart as 3e-8 of the
// price; below 2^26 every price has its own. What belongs to one code is an interval, and a
// bound is always taken at the end of it that is the safer one.
const (
	codeBits    = 25            // of the mantissa
	codeOne     = 1 << codeBits // codes of one doubling of the price
	codePrice   = 1<<62 - 1     // the highest price that has a code
	bucketBits  = 12            // buckets of one doubling: 1.2 to 2.4 basis points each
	bucketShift = codeBits - bucketBits
	bucketsPage = 1 << bucketBits
	pagesMax    = 64
)

// codeOf returns the code of a price, which is in 1 … codePrice.
func codeOf(price uint64) uint32 {
	n := uint(bits.Len64(price))
	return uint32(n)<<codeBits | uint32(price<<(64-n)<<1>>(64-codeBits))
}

// codeLowest returns the lowest price whose code is at or above code.
func codeLowest(code uint32) uint64 {
	n := uint(code >> codeBits)
	mantissa := uint64(code&(codeOne-1)) | codeOne
	if n > codeBits {
		return mantissa << (n - codeBits - 1)
	}
	shift := codeBits + 1 - n
	return (mantissa + 1<<shift - 1) >> shift
}

// codeHighest returns the highest price whose code is at or below code.
func codeHighest(code uint32) uint64 { return codeLowest(code+1) - 1 }

// codeAbove returns the lowest code that only prices at or above price have.
func codeAbove(price uint64) uint32 {
	code := codeOf(price)
	if codeLowest(code) < price {
		code++
	}
	return code
}

// codeBelow returns the highest code that only prices at or below price have.
func codeBelow(price uint64) uint32 {
	code := codeOf(price)
	if codeHighest(code) > price {
		code--
	}
	return code
}
