package api

import (
	"errors"
	"strings"
	"unicode/utf8"

	"plimsoll/fixedpoint"
	"plimsoll/risk"
)

// fixup is a name that had no slot when its command was read, or a name being listed.
// They are settled in order once the whole body has been read.
type fixup struct {
	name      []byte
	record    uint32
	kind      nameKind
	place     fixPlace
	isListing bool
}

// fixPlace says which field of a record takes the slot.
type fixPlace uint8

const (
	placeRef     fixPlace = 0 // and 1, 2, 3: Ref[place]
	placeWallet  fixPlace = 4 // and 5: Wallets[place-4] = WalletPerp + dex
	placeDex     fixPlace = 6 // Wallets[0] = dex
	placeMarket           = placeRef + risk.RefMarket
	placeToken            = placeRef + risk.RefToken
	placeAccount          = placeRef + risk.RefAccount
	placeOther            = placeRef + risk.RefOther
)

// unknownSlot is an optional reference that was given but names nothing; NoSlot would
// mean that it was not given.
const unknownSlot = risk.NoSlot - 1

// noDex is a dex or a perp wallet that names nothing.
const noDex = 1<<16 - 1

// resolve gives out slots to what the body lists and settles the names that waited.
func (d *Decoder) resolve() {
	for i := range d.fixups {
		x := &d.fixups[i]
		if x.isListing {
			d.settle(x)
		} else if slot, ok := d.dir.lookup(x.kind, x.name); ok {
			d.set(x.record, x.place, slot)
		} else if slot, ok = d.listedAlias(x); ok {
			d.set(x.record, x.place, slot)
		}
	}
}

// listedAlias returns the spot that this body listed and now calls by a name of the venue:
// the directory learns that name only when the listing is accepted.
func (d *Decoder) listedAlias(x *fixup) (slot uint32, ok bool) {
	if x.kind != nameMarket && x.kind != nameSpot {
		return 0, false
	}
	var scratch [aliasMax]byte
	for _, record := range d.spots {
		c := &d.records[record]
		if string(appendIndexAlias(scratch[:0], c)) == string(x.name) ||
			string(d.dir.appendPairAlias(scratch[:0], c)) == string(x.name) {
			return c.Market(), true
		}
	}
	return 0, false
}

// settle gives a name that is being listed its slot. A record that claims a slot gets none
// unless the name has that very slot: the machine then refuses it.
func (d *Decoder) settle(x *fixup) {
	if x.kind == nameSpot {
		d.spots = append(d.spots, x.record)
	}
	claimed := d.records[x.record].Ref[x.place]
	if claimed == risk.NoSlot {
		d.set(x.record, x.place, d.dir.list(x.kind, x.name))
	} else if slot, ok := d.dir.lookup(x.kind, x.name); !ok || slot != claimed {
		d.set(x.record, x.place, risk.NoSlot)
	}
}

func (d *Decoder) set(record uint32, place fixPlace, slot uint32) {
	c := &d.records[record]
	switch place {
	case placeWallet, placeWallet + 1:
		c.Wallets[place-placeWallet] = uint16(min(uint64(risk.WalletPerp)+uint64(slot), noDex))
	case placeDex:
		c.Wallets[0] = uint16(min(slot, noDex))
	default:
		c.Ref[place] = slot
	}
}

// ref resolves the name in a field into the record last added; a name nobody has listed
// becomes missing, unless this body lists it.
func (d *Decoder) ref(f *frame, id field, kind nameKind, place fixPlace, missing uint32) {
	if name := d.str(f, id); d.err == nil {
		d.refer(name, fieldNames[id], kind, place, missing)
	}
}

// refer resolves a name; only one that is not found needs to be looked at closer.
func (d *Decoder) refer(name []byte, at string, kind nameKind, place fixPlace, missing uint32) {
	record := uint32(len(d.records) - 1)
	slot, ok := d.dir.lookup(kind, name)
	if !ok {
		d.checkName(name, at)
		slot = missing
		d.fixups = append(d.fixups, fixup{name: name, record: record, kind: kind, place: place})
	}
	d.set(record, place, slot)
}

// list has a name given a slot, in the record last added, when the body has been read.
func (d *Decoder) list(name []byte, kind nameKind, place fixPlace) {
	if d.err != nil || len(d.records) == 0 {
		return
	}
	record := uint32(len(d.records) - 1)
	d.set(record, place, risk.NoSlot)
	d.fixups = append(d.fixups, fixup{name: name, record: record, kind: kind, place: place, isListing: true})
	d.listing++
}

// take reports whether a field is of one of the kinds wanted.
func (d *Decoder) take(f *frame, id field, want valueKind) (v *value, ok bool) {
	v = &f.vals[id]
	if d.err != nil {
		return v, false
	}
	if v.kind&want == 0 {
		name := fieldNames[id]
		d.fail(codeWrongType, name, name+" takes "+kindName(want)+", not "+kindName(v.kind), "")
		return v, false
	}
	return v, true
}

// str returns the text of a string field.
func (d *Decoder) str(f *frame, id field) []byte {
	if v := &f.vals[id]; v.kind == kindString && d.err == nil {
		return d.body[v.off:v.end]
	}
	return d.strSlow(f, id)
}

func (d *Decoder) strSlow(f *frame, id field) []byte {
	v, ok := d.take(f, id, kindText)
	if !ok {
		return nil
	}
	return d.unescaped(d.body[v.off:v.end])
}

// unescaped resolves escapes into memory that lives as long as the decode.
func (d *Decoder) unescaped(raw []byte) []byte {
	start := len(d.text)
	text, ok := unescape(d.text, raw)
	if d.text = text; !ok {
		d.fail(codeMalformed, "", "a string has an escape that JSON does not know", "")
		return nil
	}
	return d.text[start:len(d.text):len(d.text)]
}

// name returns a name: 1 to 42 characters that print.
func (d *Decoder) name(f *frame, id field) []byte {
	name := d.str(f, id)
	if d.err == nil {
		d.checkName(name, fieldNames[id])
	}
	return name
}

func (d *Decoder) checkName(name []byte, at string) {
	switch {
	case len(name) == 0:
		d.fail(codeInvalidName, at, "a name is empty", "")
	case len(name) > risk.NameMax:
		d.fail(codeNameTooLong, at, "a name is longer than 42 bytes: "+quoted(name), limitName)
	}
	for _, c := range name {
		if c <= ' ' || c >= 0x7f || c == '"' || c == '\\' {
			d.fail(codeInvalidName, at, "a name has characters that no name has: "+quoted(name), "")
			return
		}
	}
}

// accountName returns the name of an account to open: stricter than one to look up.
func (d *Decoder) accountName(f *frame, id field) []byte {
	name := d.name(f, id)
	d.checkAccountName(name, fieldNames[id])
	return name
}

func (d *Decoder) checkAccountName(name []byte, at string) {
	for _, c := range name {
		switch {
		case c-'0' <= 9, c|0x20-'a' < 26, c == '_', c == '.', c == ':', c == '-':
		default:
			d.fail(codeInvalidName, at, "an account is 1 to 42 of 0-9 A-Z a-z _ . : -, not "+quoted(name), "")
			return
		}
	}
}

// num reads a decimal string into number i of a record.
func (d *Decoder) num(f *frame, id field, c *risk.Command, i int) {
	v := &f.vals[id]
	if d.err != nil || v.kind&kindText == 0 {
		d.take(f, id, kindText)
		return
	}
	dec, err := fixedpoint.ParseDecimal(d.body[v.off:v.end])
	if err != nil {
		d.failNumber(fieldNames[id], d.body[v.off:v.end], err)
		return
	}
	c.Num[i], c.Dec[i] = dec.Mantissa, dec.Decimals
}

// optional reads a decimal string that may be absent and reports whether it was there.
func (d *Decoder) optional(f *frame, id field, c *risk.Command, i int, flag risk.Flags) {
	if f.seen.has(id) {
		d.num(f, id, c, i)
		c.Flags |= flag
	}
}

func (d *Decoder) failNumber(at string, text []byte, err error) {
	code, limit, why := codeInvalidNumber, "", "is not a decimal such as 12500.0"
	switch {
	case errors.Is(err, fixedpoint.ErrEmpty):
		why = "is empty"
	case errors.Is(err, fixedpoint.ErrExponent):
		why = "has an exponent: write the digits out"
	case errors.Is(err, fixedpoint.ErrNotANumber):
		why = "is not a number"
	case errors.Is(err, fixedpoint.ErrTooManyDigits):
		code, limit, why = codeTooManyDigits, limitDigits, "has more digits than a 64-bit number holds"
	}
	d.fail(code, at, at+" "+why+": "+quoted(text), limit)
}

// integer reads a JSON integer from 0 to most.
func (d *Decoder) integer(f *frame, id field, most int64) int64 {
	v, ok := d.take(f, id, kindNumber)
	if !ok {
		return 0
	}
	text, n := d.body[v.off:v.end], int64(0)
	for _, c := range text {
		if c-'0' > 9 || n > most {
			n = -1
			break
		}
		n = n*10 + int64(c-'0')
	}
	if n < 0 || n > most {
		d.fail(codeInvalidNumber, fieldNames[id],
			fieldNames[id]+" takes an integer from 0 to "+string(appendInt(nil, most))+", not "+clipped(text), "")
		return 0
	}
	return n
}

// boolean reads true or false.
func (d *Decoder) boolean(f *frame, id field) bool {
	v, ok := d.take(f, id, kindBool)
	return ok && v.kind == kindTrue
}

// flag sets a flag when an optional boolean is true.
func (d *Decoder) flag(f *frame, id field, c *risk.Command, flag risk.Flags) {
	if f.seen.has(id) && d.boolean(f, id) {
		c.Flags |= flag
	}
}

// word reads one of a few words and returns its number.
func (d *Decoder) word(f *frame, id field, words ...string) int {
	text := d.str(f, id)
	for i, w := range words {
		if string(text) == w {
			return i
		}
	}
	list := strings.Join(words, ", ")
	d.fail(codeInvalidValue, fieldNames[id], fieldNames[id]+" is one of "+list+", not "+quoted(text), "")
	return 0
}

// id reads an id of one of the three forms.
func (d *Decoder) id(f *frame, id field) (hi, lo uint64, form risk.IDForm) {
	text := d.str(f, id)
	if d.err != nil {
		return 0, 0, risk.FormNone
	}
	if hi, lo, form = parseID(text); form == risk.FormNone {
		d.fail(codeInvalidID, fieldNames[id], fieldNames[id]+
			" is an integer below 2^64, 0x and 32 hex digits, or a UUID, in lower case, not "+quoted(text), "")
	}
	return hi, lo, form
}

// order reads the order id of a record.
func (d *Decoder) orderID(f *frame, c *risk.Command) {
	if f.seen.has(fieldOrderID) {
		c.OrderHi, c.OrderLo, c.OrderForm = d.id(f, fieldOrderID)
		c.Flags |= risk.FlagOrderID
	}
}

// nested reads the object in a field into another frame. The path then leads into it:
// the caller pops it when done.
func (d *Decoder) nested(f *frame, id field, into *frame, required, allowed *mask) bool {
	v, ok := d.take(f, id, kindObject)
	if !ok {
		return false
	}
	d.push(step{name: fieldNames[id], index: -1})
	d.object(int(v.off), into)
	return d.err == nil && d.checkFields(into, required, allowed)
}

// each reads the objects of an array one by one.
func (d *Decoder) each(f *frame, id field, e *element) {
	v, ok := d.take(f, id, kindArray)
	if !ok {
		return
	}
	d.push(step{name: fieldNames[id], index: -1})
	i := skipSpace(d.body, int(v.off)+1)
	if d.body[i] == ']' {
		d.pop()
		return
	}
	into := &d.frames[1]
	for n := 0; d.err == nil; n++ {
		d.push(step{index: n})
		i = d.object(i, into)
		if d.err == nil && d.checkFields(into, &e.required, &e.allowed) {
			e.build(d, into, n)
		}
		d.pop()
		i = skipSpace(d.body, i)
		if i < len(d.body) && d.body[i] == ']' {
			break
		}
		if i >= len(d.body) || d.body[i] != ',' {
			d.failAt(i, "a comma or ] must follow an element of "+fieldNames[id])
			return
		}
		i = skipSpace(d.body, i+1)
	}
	d.pop()
}

// element is what the objects of an array look like and who reads them.
type element struct {
	required, allowed mask
	build             func(d *Decoder, f *frame, n int)
}

// fullName lays a name that may hold spaces and any letters into a part.
func (d *Decoder) fullName(f *frame, c *risk.Command) {
	text := d.str(f, fieldFullName)
	if len(text) > risk.NameMax {
		d.fail(codeNameTooLong, fieldNames[fieldFullName], "full_name is longer than 42 bytes", limitName)
		return
	}
	for _, b := range text {
		if b < ' ' || b == 0x7f {
			d.fail(codeInvalidName, fieldNames[fieldFullName], "full_name has control characters", "")
		}
	}
	if !utf8.Valid(text) {
		d.fail(codeInvalidName, fieldNames[fieldFullName], "full_name is not UTF-8", "")
	}
	c.SetName(text)
}
