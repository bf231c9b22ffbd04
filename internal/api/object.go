package api

import "math/bits"

// object reads the object at i into f and returns the position after it. Callers write
// the fields of a command in the same order every time: so the comma and the key that
// came last time are tried before the key is looked up.
func (d *Decoder) object(i int, f *frame) (end int) {
	b := d.body
	f.seen = mask{}
	if i >= len(b) || b[i] != '{' {
		d.failAt(i, "a JSON object is expected")
		return i
	}
	if i = skipSpace(b, i+1); i < len(b) && b[i] == '}' {
		return i + 1
	}
	id, at := fieldType, i+len(typeToken)
	if at > len(b) || string(b[i:at]) != typeToken {
		id, at = d.key(i)
	}
	for i = at; d.err == nil; {
		if f.seen.has(id) {
			d.fail(codeDuplicateField, fieldNames[id], fieldNames[id]+" stands twice in one object", "")
			return i
		}
		f.seen.add(id)
		stop := 0
		if i+9 <= len(b) && b[i] == '"' {
			if marks := marksIn(load64(b, i+1)); marks != 0 {
				stop = i + 1 + bits.TrailingZeros64(marks)>>3
			} else {
				stop = firstMark(b, i+9)
			}
		}
		if stop > 0 && stop < len(b) && b[stop] == '"' {
			v := &f.vals[id]
			v.off, v.end, v.kind = uint32(i+1), uint32(stop), kindString
			i = stop + 1
		} else if i = d.value(skipSpace(b, i), &f.vals[id], id); d.err != nil {
			return i
		}
		next := d.follows[id]
		if t := &nextTokens[next]; t.isAt(b, i) {
			id, i = next, i+int(t.size)
			continue
		}
		i = skipSpace(b, i)
		switch {
		case i < len(b) && b[i] == '}':
			return i + 1
		case i < len(b) && b[i] == ',':
			next, i = d.key(skipSpace(b, i+1))
			d.follows[id], id = next, next
		default:
			d.failAt(i, "a comma or } must follow the value of "+fieldNames[id])
		}
	}
	return i
}

// key reads a field name and its colon; at is the start of the value.
func (d *Decoder) key(i int) (id field, at int) {
	raw, at, isEscaped := d.keyText(i)
	if isEscaped && d.err == nil {
		raw = d.unescaped(raw)
	}
	if d.err != nil {
		return 0, at
	}
	n := fieldTable.find(raw)
	if n < 0 {
		d.fail(codeUnknownField, clipped(raw), "there is no field "+quoted(raw), "")
		return 0, at
	}
	return field(n), at
}

// keyText reads a quoted key and its colon: the text as it stands, and where its value
// starts.
func (d *Decoder) keyText(i int) (raw []byte, at int, isEscaped bool) {
	b := d.body
	if i >= len(b) || b[i] != '"' {
		d.failAt(i, "a field name in double quotes is expected")
		return nil, i, false
	}
	end := firstMark(b, i+1)
	if end < len(b) && b[end] == '\\' {
		end, isEscaped = stringEnd(b, end)
	}
	if end < 0 || end == len(b) {
		d.failAt(i, "a field name has no closing quote")
		return nil, i, false
	}
	raw = b[i+1 : end]
	if i = skipSpace(b, end+1); i >= len(b) || b[i] != ':' {
		d.failAt(i, "a colon must follow a field name")
		return nil, i, false
	}
	return raw, skipSpace(b, i+1), isEscaped
}

// value finds the extent of the value at i, without looking into objects and arrays.
func (d *Decoder) value(i int, v *value, id field) (end int) {
	b := d.body
	if i >= len(b) {
		d.failAt(i, "the request ends where a value is expected")
		return i
	}
	if b[i] != '"' {
		return d.bareValue(i, v, id)
	}
	kind, stop := kindString, firstMark(b, i+1)
	if stop < len(b) && b[stop] == '\\' {
		kind = kindEscaped
		stop, _ = stringEnd(b, stop)
	}
	if stop < 0 || stop == len(b) {
		d.failAt(i, "a string has no closing quote")
		return i
	}
	v.off, v.end, v.kind = uint32(i+1), uint32(stop), kind
	return stop + 1
}

// bareValue finds the extent of a value that is no string.
func (d *Decoder) bareValue(i int, v *value, id field) (end int) {
	b, kind, stop := d.body, kindNumber, -1
	switch c := b[i]; {
	case c == '-' || c-'0' <= 9:
		stop = numberEnd(b, i)
	case c == '{' || c == '[':
		if kind = kindObject; c == '[' {
			kind = kindArray
		}
		if stop = nestedEnd(b, i); stop == -2 {
			d.fail(codeTooDeep, d.nameOf(id), "a command nests at most 6 objects and arrays", limitDepth)
			return i
		}
	case wordAt(b, i, "true"):
		kind, stop = kindTrue, i+4
	case wordAt(b, i, "false"):
		kind, stop = kindFalse, i+5
	case wordAt(b, i, "null"):
		kind, stop = kindNull, i+4
	case wordAt(b, i, "NaN") || wordAt(b, i, "Infinity"):
		d.fail(codeInvalidNumber, d.nameOf(id), "NaN and Infinity are not numbers here", "")
		return i
	}
	if stop < 0 {
		d.failAt(i, "a JSON value is expected after "+d.nameOf(id))
		return i
	}
	v.off, v.end, v.kind = uint32(i), uint32(stop), kind
	return stop
}
