package universe

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// FromVenue reads what --universe FILE names: either an object
// {"metaAndAssetCtxs": [...], "spotMeta": {...}} or the array of a metaAndAssetCtxs reply
// alone, or a recorded reply under "response". Where file holds no spotMeta the given one is read, and the embedded one where
// that is nil too.
func FromVenue(file, spotMeta []byte) (Universe, error) {
	meta := file
	if bytes.HasPrefix(bytes.TrimLeft(file, " \t\r\n"), []byte{'{'}) {
		fields, err := fieldsOf(file)
		if err != nil {
			return Universe{}, fmt.Errorf("universe: file: %w", err)
		}
		meta = fields["metaAndAssetCtxs"]
		if own, ok := fields["spotMeta"]; ok {
			spotMeta = own
		}
	}
	if spotMeta != nil {
		return Load(meta, spotMeta)
	}
	u := embeddedSpots()
	if err := u.addDex(meta); err != nil {
		return Universe{}, err
	}
	u.setStartPrices(spotMids())
	return u, nil
}

// fieldsOf reads the object form. Its fields are ours, so an unknown one is a slip.
func fieldsOf(file []byte) (map[string]json.RawMessage, error) {
	var fields map[string]json.RawMessage
	if err := decode(file, &fields); err != nil {
		return nil, err
	}
	if reply, ok := fields["response"]; ok { // a recorded reply, with its request beside it
		return map[string]json.RawMessage{"metaAndAssetCtxs": reply}, nil
	}
	for name := range fields {
		if name != "metaAndAssetCtxs" && name != "spotMeta" {
			return nil, fmt.Errorf("unknown field %q: %w", name, ErrShape)
		}
	}
	if _, ok := fields["metaAndAssetCtxs"]; !ok {
		return nil, fmt.Errorf("metaAndAssetCtxs is missing: %w", ErrShape)
	}
	return fields, nil
}
