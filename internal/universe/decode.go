package universe

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// isDecimal reports whether s is digits and optionally a point with digits: no sign, no
// exponent, no blank.
func isDecimal(s string) bool {
	whole, fraction, hasPoint := strings.Cut(s, ".")
	return isDigits(whole) && (!hasPoint || isDigits(fraction))
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// decodePair reads a JSON array of exactly two elements.
func decodePair(data []byte, first, second any) error {
	var pair []json.RawMessage
	if err := decode(data, &pair); err != nil {
		return err
	}
	if len(pair) != 2 {
		return fmt.Errorf("%d elements where two belong: %w", len(pair), ErrShape)
	}
	if err := decode(pair[0], first); err != nil {
		return err
	}
	return decode(pair[1], second)
}

// decode reads one JSON value and refuses anything behind it.
func decode(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("%w: %w", ErrShape, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("bytes after the value: %w", ErrShape)
	}
	return nil
}
