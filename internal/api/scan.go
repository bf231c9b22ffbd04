package api

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// valueKind is what a JSON value looks like before anybody reads it.
type valueKind uint8

const (
	kindString  valueKind = 1 << iota // content without quotes, no escapes
	kindEscaped                       // content without quotes, with escapes
	kindNumber
	kindTrue
	kindFalse
	kindNull
	kindObject // with braces, contents unread
	kindArray  // with brackets, contents unread

	kindText = kindString | kindEscaped
	kindBool = kindTrue | kindFalse
)

// kindName returns the JSON word for a set of kinds, for messages.
func kindName(k valueKind) string {
	switch {
	case k&kindText != 0:
		return "a string"
	case k&kindNumber != 0:
		return "a number"
	case k&kindBool != 0:
		return "true or false"
	case k&kindNull != 0:
		return "null"
	case k&kindObject != 0:
		return "an object"
	default:
		return "an array"
	}
}

// value is where a JSON value stands in the body.
type value struct {
	off, end uint32
	kind     valueKind
}

// skipSpace returns the first position at or after i that is not JSON white space.
func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

const (
	bytesLow  = 0x0101010101010101
	bytesHigh = 0x8080808080808080
)

// load64 reads the eight bytes at i; a slice without an end would cost a mask.
func load64(b []byte, i int) uint64 { return binary.LittleEndian.Uint64(b[i : i+8]) }

// marksIn marks quotes and backslashes among eight bytes by their top bits; the lowest
// mark is exact, higher ones need not be (after Mycroft, "Null byte detection").
func marksIn(w uint64) uint64 {
	quote, slash := (w^'"'*bytesLow)-bytesLow, (w^'\\'*bytesLow)-bytesLow
	return (quote | slash) & (bytesHigh &^ w)
}

// firstMark returns the position of the first quote or backslash at or after i, or the
// length of b.
func firstMark(b []byte, i int) int {
	for ; i+8 <= len(b); i += 8 {
		if marks := marksIn(load64(b, i)); marks != 0 {
			return i + bits.TrailingZeros64(marks)>>3
		}
	}
	for i < len(b) && b[i] != '"' && b[i] != '\\' {
		i++
	}
	return i
}

// stringEnd returns the position of the quote that ends a string whose content starts at
// i, or -1. Control characters pass: what takes a string is a name, a word, an id or a
// decimal, and none of these holds one.
func stringEnd(b []byte, i int) (end int, isEscaped bool) {
	for i = firstMark(b, i); i < len(b); i = firstMark(b, i+2) {
		if b[i] == '"' {
			return i, isEscaped
		}
		isEscaped = true
	}
	return -1, isEscaped
}

// numberEnd returns the end of the JSON number that starts at i, or -1. Exponents and
// fractions pass here: what a field takes is decided by its reader.
func numberEnd(b []byte, i int) int {
	if b[i] == '-' {
		i++
	}
	start := i
	for i < len(b) && b[i]-'0' <= 9 {
		i++
	}
	if i == start || b[start] == '0' && i > start+1 {
		return -1
	}
	if i < len(b) && b[i] == '.' {
		start = i + 1
		for i = start; i < len(b) && b[i]-'0' <= 9; i++ {
		}
		if i == start {
			return -1
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		if i++; i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		start = i
		for i < len(b) && b[i]-'0' <= 9 {
			i++
		}
		if i == start {
			return -1
		}
	}
	return i
}

// nestedEnd returns the position after the object or array that starts at i: -1 when it
// does not end, -2 when it nests deeper than depthMax. It only counts brackets: whoever
// reads the inside judges it, and what nobody reads is an unknown field anyway.
func nestedEnd(b []byte, i int) int {
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '{', '[':
			if depth++; depth > depthMax {
				return -2
			}
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		case '"':
			if i, _ = stringEnd(b, i+1); i < 0 {
				return -1
			}
		}
		i++
	}
	return -1
}

// wordAt reports whether word stands at i.
func wordAt(b []byte, i int, word string) bool {
	return len(b)-i >= len(word) && string(b[i:i+len(word)]) == word
}

// unescape appends the content of a JSON string with its escapes resolved; it reports
// false for an escape that JSON does not have or half a surrogate pair.
func unescape(dst, s []byte) ([]byte, bool) {
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			dst = append(dst, s[i])
			continue
		}
		if i++; i >= len(s) {
			return dst, false
		}
		switch s[i] {
		case '"', '\\', '/':
			dst = append(dst, s[i])
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r, size := escapedRune(s[i+1:])
			if size == 0 {
				return dst, false
			}
			dst = utf8.AppendRune(dst, r)
			i += size
		default:
			return dst, false
		}
	}
	return dst, true
}

// escapedRune reads the four hex digits after \u, and a second escape where the first is
// half of a pair. Size 0 means malformed.
func escapedRune(s []byte) (r rune, size int) {
	r, ok := hex4(s)
	if !ok {
		return 0, 0
	}
	if r < 0xd800 || r > 0xdfff {
		return r, 4
	}
	if r > 0xdbff || !wordAt(s, 4, `\u`) {
		return 0, 0
	}
	low, ok := hex4(s[6:])
	if !ok || low < 0xdc00 || low > 0xdfff {
		return 0, 0
	}
	return (r-0xd800)<<10 + (low - 0xdc00) + 0x10000, 10
}

func hex4(s []byte) (r rune, ok bool) {
	if len(s) < 4 {
		return 0, false
	}
	for _, c := range s[:4] {
		d, isHex := hexDigit(c)
		if !isHex {
			return 0, false
		}
		r = r<<4 | rune(d)
	}
	return r, true
}

// hexDigit returns the value of a hex digit of either case.
func hexDigit(c byte) (uint64, bool) {
	switch {
	case c-'0' <= 9:
		return uint64(c - '0'), true
	case c-'a' <= 5:
		return uint64(c-'a') + 10, true
	case c-'A' <= 5:
		return uint64(c-'A') + 10, true
	default:
		return 0, false
	}
}
