package api

import (
	"net/http"

	"plimsoll/risk"
)

// Form is how the body of POST /v1/commands is written.
type Form uint8

// Forms of a body.
const (
	FormJSON    Form = iota // one object, or an array of objects
	FormLines               // one object a line
	FormRecords             // 128-byte records, docs/WIRE.md
)

// Decoder turns one body at a time into records. It keeps its buffers, so that a warm
// Decoder allocates nothing; it is not safe for concurrent use. Slices it returns are
// valid until the next Decode, and as long as the body is.
type Decoder struct {
	dir     *Directory
	body    []byte
	records []risk.Command
	groups  []groupAt
	fixups  []fixup
	text    []byte // strings whose escapes were resolved
	isBatch bool
	client  uint16

	err     *Error // the first fault; everything after it is skipped
	path    [8]step
	depth   int
	frames  [3]frame // the command, an element of its arrays, the trigger of that
	prices  priceNames
	listing int      // fixups that give out slots
	isDry   bool     // nothing is given out: the body is only simulated
	granted Scope    // what the sender may do; 0 = nobody asks
	needed  Scope    // what the commands need, if somebody asks
	spots   []uint32 // records that list spots, while names are resolved

	follows [fieldCount]field // the field that came after a field last time
	recent  int               // index into specs of the command before
}

// groupAt is where a command starts: its first record, and its place in the body.
type groupAt struct{ record, offset uint32 }

// frame holds the fields of one object.
type frame struct {
	seen mask
	vals [fieldCount]value // those seen
}

// NewDecoder returns a decoder that resolves names with dir.
func NewDecoder(dir *Directory) *Decoder { return &Decoder{dir: dir} }

// Decode reads a whole body for a client. On an error nothing has been given out: no
// record, and no slot in the directory.
func (d *Decoder) Decode(body []byte, form Form, client uint16) *Error {
	d.body, d.client, d.err, d.depth, d.listing, d.isBatch = body, client, nil, 0, 0, true
	d.records, d.groups, d.fixups, d.text = d.records[:0], d.groups[:0], d.fixups[:0], d.text[:0]
	d.spots = d.spots[:0]
	switch form {
	case FormRecords:
		d.readRecords()
	case FormLines:
		d.readLines()
	default:
		d.readJSON()
	}
	if d.err == nil && len(d.groups) == 0 {
		d.fail(codeEmptyBatch, "", "the body holds no command", "")
	}
	if d.needed = 0; d.granted != 0 && d.err == nil {
		d.judgeScopes()
	}
	if d.err != nil {
		d.records, d.groups = d.records[:0], d.groups[:0]
		return d.err
	}
	if d.listing > 0 && !d.isDry {
		d.resolve()
	}
	return nil
}

// Records returns the records of all commands, in order.
func (d *Decoder) Records() []risk.Command { return d.records }

// Commands returns how many commands the body held.
func (d *Decoder) Commands() int { return len(d.groups) }

// IsBatch reports whether the body was anything but one object.
func (d *Decoder) IsBatch() bool { return d.isBatch }

// Group returns the records of command i.
func (d *Decoder) Group(i int) []risk.Command {
	end := uint32(len(d.records))
	if i+1 < len(d.groups) {
		end = d.groups[i+1].record
	}
	return d.records[d.groups[i].record:end]
}

// readJSON reads one object or an array of them.
func (d *Decoder) readJSON() {
	i := skipSpace(d.body, 0)
	if i < len(d.body) && d.body[i] == '[' {
		i = d.readArray(i + 1)
	} else {
		d.isBatch = false
		i = d.readCommand(i)
	}
	if d.err == nil && skipSpace(d.body, i) != len(d.body) {
		d.failAt(skipSpace(d.body, i), "nothing may follow the end of the request")
	}
}

// readArray reads commands up to the closing bracket.
func (d *Decoder) readArray(i int) (end int) {
	i = skipSpace(d.body, i)
	if i < len(d.body) && d.body[i] == ']' {
		return i + 1
	}
	d.push(step{name: "commands", index: -1})
	for n := 0; d.err == nil; n++ {
		d.push(step{index: n})
		i = skipSpace(d.body, d.readCommand(skipSpace(d.body, i)))
		d.pop()
		switch {
		case d.err != nil:
		case i < len(d.body) && d.body[i] == ',':
			i++
		case i < len(d.body) && d.body[i] == ']':
			d.pop()
			return i + 1
		default:
			d.failAt(i, "a comma or ] must follow a command")
		}
	}
	return i
}

// readLines reads one command a line; empty lines are skipped.
func (d *Decoder) readLines() {
	d.push(step{name: "commands", index: -1})
	for i := skipSpace(d.body, 0); i < len(d.body) && d.err == nil; {
		d.push(step{index: len(d.groups)})
		i = d.readCommand(i)
		d.pop()
		for i < len(d.body) && (d.body[i] == ' ' || d.body[i] == '\t' || d.body[i] == '\r') {
			i++
		}
		if d.err == nil && i < len(d.body) && d.body[i] != '\n' {
			d.failAt(i, "a line break must follow a command")
		}
		i = skipSpace(d.body, i)
	}
}

// readCommand reads the command object at i and appends its records.
func (d *Decoder) readCommand(i int) (end int) {
	if len(d.groups) == commandsMax {
		d.fail(codeLimitExceeded, "", "a request holds at most 8192 commands: split it", limitCommands)
		return i
	}
	if end = d.readFlat(i); end > 0 {
		return end
	}
	f := &d.frames[0]
	if end = d.object(i, f); d.err != nil {
		return end
	}
	s := d.specOf(f)
	if s == nil || !d.checkFields(f, &s.required, &s.allowed) {
		return end
	}
	first := len(d.records)
	d.groups = append(d.groups, groupAt{record: uint32(first), offset: uint32(i)})
	if d.add(s.kind); d.err != nil {
		return end
	}
	s.build(d, f)
	d.head(f, &d.records[first])
	for left, k := uint16(1), len(d.records)-2; k >= first; k, left = k-1, left+1 { // the last has 0
		d.records[k].GroupLeft = left
	}
	return end
}

// specOf returns what the type of a command asks for.
func (d *Decoder) specOf(f *frame) *spec {
	if !f.seen.has(fieldType) {
		d.fail(codeMissingField, fieldNames[fieldType], "every command has a type", "")
		return nil
	}
	word := d.str(f, fieldType)
	if d.err != nil {
		return nil
	}
	if string(word) == specs[d.recent].name {
		return &specs[d.recent]
	}
	i := typeTable.find(word)
	if i < 0 {
		d.fail(codeUnknownType, fieldNames[fieldType], "there is no command of type "+quoted(word), "")
		return nil
	}
	d.recent = i
	return &specs[i]
}

// head fills what every command may carry.
func (d *Decoder) head(f *frame, c *risk.Command) {
	c.Client = d.client
	if f.seen.has(fieldID) {
		c.IDHi, c.IDLo, c.IDForm = d.id(f, fieldID)
	}
	if f.seen.has(fieldTime) {
		c.TimeMs = d.integer(f, fieldTime, timeMsMax)
	}
}

// timeMsMax is the last millisecond of the year 9999.
const timeMsMax = 253402300799999

// add appends a record of a kind to the group at the end and returns it. The pointer is
// valid until the next add.
func (d *Decoder) add(kind risk.Kind) *risk.Command {
	first := 0
	if n := len(d.groups); n > 0 {
		first = int(d.groups[n-1].record)
	}
	switch {
	case len(d.records)-first >= risk.GroupMax:
		d.fail(codeLimitExceeded, "", "one command fits at most 4096 records: split it", limitGroup)
	case len(d.records) >= recordsMax:
		d.fail(codeLimitExceeded, "", "one request fits at most 8192 records: split it", limitRecords)
	default:
		return d.extend(kind)
	}
	return &risk.Command{}
}

// extend appends a record in place: a literal would be built on the stack and copied.
func (d *Decoder) extend(kind risk.Kind) *risk.Command {
	n := len(d.records)
	if n == cap(d.records) {
		d.records = append(d.records, risk.Command{})
	}
	d.records = d.records[:n+1]
	c := &d.records[n]
	*c = risk.Command{}
	c.Kind = kind
	return c
}

// checkFields reports whether an object has all it needs and nothing else.
func (d *Decoder) checkFields(f *frame, required, allowed *mask) bool {
	if f.seen[0]&^allowed[0]|f.seen[1]&^allowed[1]|required[0]&^f.seen[0]|required[1]&^f.seen[1] == 0 {
		return true
	}
	extra, missing := f.seen.minus(*allowed), required.minus(f.seen)
	if !extra.isEmpty() {
		name := fieldNames[extra.first()]
		d.fail(codeUnknownField, name, name+" does not belong here", "")
	} else {
		name := fieldNames[missing.first()]
		d.fail(codeMissingField, name, name+" is missing", "")
	}
	return false
}

func (d *Decoder) nameOf(id field) string {
	if id < fieldCount {
		return fieldNames[id]
	}
	return ""
}

// push and pop keep the path to the value being read, for errors.
func (d *Decoder) push(s step) {
	if d.err == nil {
		d.path[d.depth] = s
		d.depth++
	}
}

func (d *Decoder) pop() {
	if d.err == nil {
		d.depth--
	}
}

// fail keeps the first fault, at a name below the current path.
func (d *Decoder) fail(code, name, message, limit string) {
	if d.err != nil {
		return
	}
	steps := d.path[:d.depth]
	if name != "" {
		d.path[d.depth] = step{name: name, index: -1}
		steps = d.path[:d.depth+1]
	}
	d.err = &Error{
		Status: http.StatusBadRequest, Code: code, Message: message,
		Field: string(appendPath(nil, steps)), Limit: limit,
	}
}
