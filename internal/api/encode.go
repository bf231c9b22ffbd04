package api

import (
	"strconv"
	"unicode/utf8"

	"plimsoll/fixedpoint"
	"plimsoll/risk"
)

// Writers append JSON to a buffer that the caller owns. A separator is put by whoever
// writes the next thing: it looks at the last byte.

// appendSep puts a comma unless dst ends where an object or array begins.
func appendSep(dst []byte) []byte {
	if n := len(dst); n > 0 && dst[n-1] != '{' && dst[n-1] != '[' && dst[n-1] != ':' && dst[n-1] != '\n' {
		dst = append(dst, ',')
	}
	return dst
}

// appendKey starts a field; name is one of ours and needs no escapes.
func appendKey(dst []byte, name string) []byte {
	dst = append(appendSep(dst), '"')
	dst = append(dst, name...)
	return append(dst, `":`...)
}

func appendInt(dst []byte, v int64) []byte { return strconv.AppendInt(dst, v, 10) }

func appendIntField(dst []byte, name string, v int64) []byte {
	return strconv.AppendInt(appendKey(dst, name), v, 10)
}

func appendUintField(dst []byte, name string, v uint64) []byte {
	return strconv.AppendUint(appendKey(dst, name), v, 10)
}

func appendBoolField(dst []byte, name string, v bool) []byte {
	return strconv.AppendBool(appendKey(dst, name), v)
}

func appendTextField[T string | []byte](dst []byte, name string, text T) []byte {
	return appendText(appendKey(dst, name), text)
}

// appendText writes a JSON string: what is not UTF-8 becomes U+FFFD, what HTML would read
// as markup is left to whoever writes HTML.
func appendText[T string | []byte](dst []byte, text T) []byte {
	dst = append(dst, '"')
	dst = appendEscaped(dst, text)
	return append(dst, '"')
}

func appendEscaped[T string | []byte](dst []byte, text T) []byte {
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < 0x20 || c == 0x7f:
			dst = appendHex(append(dst, `\u`...), uint64(c), 4)
		case c < utf8.RuneSelf:
			dst = append(dst, c)
		default:
			r, size := utf8.DecodeRuneInString(string(text[i:min(len(text), i+utf8.UTFMax)]))
			dst = utf8.AppendRune(dst, r)
			i += size
			continue
		}
		i++
	}
	return dst
}

// appendAmount writes an exact decimal string, or null.
func appendAmount(dst []byte, a risk.Amount) []byte {
	if a.IsNull {
		return append(dst, "null"...)
	}
	dst = append(dst, '"')
	dst = fixedpoint.AppendDecimal128(dst, a.V, a.Decimals)
	return append(dst, '"')
}

func appendAmountField(dst []byte, name string, a risk.Amount) []byte {
	return appendAmount(appendKey(dst, name), a)
}

// appendID128 writes an order or command id as a JSON string.
func appendIDField(dst []byte, name string, hi, lo uint64, form risk.IDForm) []byte {
	if form == risk.FormNone {
		return dst
	}
	dst = append(appendKey(dst, name), '"')
	return append(appendID(dst, hi, lo, form), '"')
}

// appendError writes {"error":{…}}.
func appendError(dst []byte, e *Error) []byte {
	dst = append(dst, `{"error":`...)
	return append(appendErrorBody(dst, e.Code, e.Message, e.Field, e.Limit), '}')
}

func appendErrorBody(dst []byte, code, message, field, limit string) []byte {
	dst = appendTextField(append(dst, '{'), "code", code)
	dst = appendTextField(dst, "message", message)
	if field != "" {
		dst = appendTextField(dst, "field", field)
	}
	if limit != "" {
		dst = appendTextField(dst, "limit", limit)
	}
	return append(dst, '}')
}

// modeNames are account modes on the wire.
var modeNames = [...]string{"none", "standard", "unified", "portfolio"}

func modeName(m risk.Mode) string { return modeNames[min(int(m), len(modeNames)-1)] }

var marginModeNames = [...]string{"normal", "no_cross", "strict_isolated"}

func marginModeName(m risk.MarginMode) string {
	return marginModeNames[min(int(m), len(marginModeNames)-1)]
}

func marginName(isIsolated bool) string {
	if isIsolated {
		return "isolated"
	}
	return "cross"
}

func sideName(isSell bool) string {
	if isSell {
		return "sell"
	}
	return "buy"
}
