package api

import (
	"plimsoll/risk"
)

// decimalsMax is the most decimals a number of a record may claim; the text form stops at
// 18 digits of its own.
const decimalsMax = 18

// readRecords reads 128-byte records. Kinds and the shape of groups are judged here; slots
// and numbers are the machine's to judge.
func (d *Decoder) readRecords() {
	d.push(step{name: "records", index: -1})
	if len(d.body)%risk.CommandSize != 0 {
		d.fail(codeInvalidRecord, "", "the body is not a whole number of 128-byte records", "")
		return
	}
	count := len(d.body) / risk.CommandSize
	if count > recordsMax {
		d.fail(codeLimitExceeded, "", "one request fits at most 8192 records: split it", limitRecords)
		return
	}
	for i := 0; i < count && d.err == nil; {
		d.push(step{index: i})
		size := d.readGroup(i, count)
		d.pop()
		i += size
	}
}

// readGroup reads the group whose head is record i and returns its size.
func (d *Decoder) readGroup(i, count int) (size int) {
	first := len(d.records)
	head := d.record(i)
	if d.err != nil {
		return 1
	}
	head.Client = d.client
	left := int(head.GroupLeft)
	switch {
	case head.Kind == risk.KindNone || head.Kind == risk.KindOpenClient || head.Kind > risk.KindRecheck:
		d.fail(codeInvalidRecord, "kind", "a group starts with a command, kinds 1 to 29 and 31", "")
	case left >= risk.GroupMax:
		d.fail(codeLimitExceeded, "group_left", "one command fits at most 4096 records: split it", limitGroup)
	case i+left >= count:
		d.fail(codeInvalidRecord, "group_left", "the body ends before its last group does", "")
	}
	for k := 1; k <= left && d.err == nil; k++ {
		d.path[d.depth-1].index = i + k
		part := d.record(i + k)
		switch {
		case d.err != nil:
		case int(part.GroupLeft) != left-k:
			d.fail(codeInvalidRecord, "group_left", "group_left counts down to 0 within a group", "")
		case !isPartOf(d.records[first].Kind, part.Kind):
			d.fail(codeInvalidRecord, "kind", "this kind is no part of the group", "")
		case part.IDForm != risk.FormNone || part.TimeMs != 0:
			d.fail(codeInvalidRecord, "id", "id and time belong to the head of a group", "")
		}
	}
	if d.err != nil {
		return 1 + left
	}
	group := d.records[first:]
	d.groups = append(d.groups, groupAt{record: uint32(first), offset: uint32(i * risk.CommandSize)})
	d.path[d.depth-1].index = i
	d.groupShape(group)
	d.listRecord(group, uint32(first))
	return 1 + left
}

// record appends record i of the body with what the engine stamps left blank.
func (d *Decoder) record(i int) *risk.Command {
	var c risk.Command
	risk.DecodeCommand(d.body[i*risk.CommandSize:], &c)
	c.Seq, c.Ticket, c.Client = 0, 0, 0
	isOpening := c.Kind == risk.KindOpenAccount || c.Kind == risk.KindImportAccount
	switch {
	case c.TimeMs < 0 || c.TimeMs > timeMsMax:
		d.fail(codeInvalidRecord, "time", "time is 0 (not given) to the year 9999", "")
	case !isID(c.IDHi, c.IDLo, c.IDForm):
		d.fail(codeInvalidRecord, "id", "the id does not fit its form", "")
	case isOpening || c.Kind == risk.KindPartName:
		if c.Dec[0] > risk.NameMax || c.OrderForm != risk.FormNone {
			d.fail(codeNameTooLong, "name", "a name is longer than 42 bytes", limitName)
		}
	case !isID(c.OrderHi, c.OrderLo, c.OrderForm) || c.Has(risk.FlagOrderID) != (c.OrderForm != risk.FormNone):
		d.fail(codeInvalidRecord, "order_id", "the order id does not fit its form", "")
	case max(c.Dec[0], c.Dec[1], c.Dec[2], c.Dec[3]) > decimalsMax:
		d.fail(codeInvalidRecord, "decimals", "a number has at most 18 decimals", "decimals_max=18")
	}
	d.records = append(d.records, c)
	return d.top()
}

// isID reports whether an id could have been written in its form.
func isID(hi, lo uint64, form risk.IDForm) bool {
	switch form {
	case risk.FormNone:
		return hi|lo == 0
	case risk.FormUint:
		return hi == 0
	default:
		return form <= risk.FormUUID
	}
}

// isPartOf reports whether a record of kind part may stand in a group headed by head.
func isPartOf(head, part risk.Kind) bool {
	switch head {
	case risk.KindListToken:
		return part >= risk.KindPartName && part <= risk.KindPartLimits && part != risk.KindPartTiers
	case risk.KindListPerp:
		return part == risk.KindPartName || part == risk.KindPartTiers
	case risk.KindListDex, risk.KindListSpot:
		return part == risk.KindPartName
	case risk.KindImportAccount:
		return part >= risk.KindPartBalance && part <= risk.KindPartOrder
	case risk.KindTrade:
		return part == risk.KindPartSeller
	case risk.KindPrices, risk.KindFunding:
		return part == head
	default:
		return false
	}
}

// groupShape judges what a kind needs beyond the right parts.
func (d *Decoder) groupShape(group []risk.Command) {
	head := &group[0]
	switch head.Kind {
	case risk.KindTrade:
		if len(group) != 2 {
			d.fail(codeInvalidRecord, "group_left", "a trade is two records", "")
		}
	case risk.KindOrder, risk.KindModify, risk.KindCancel, risk.KindTrigger:
		if !head.Has(risk.FlagOrderID) {
			d.fail(codeMissingField, "order_id", "the order id is missing", "")
		}
	case risk.KindClock:
		if head.TimeMs == 0 {
			d.fail(codeMissingField, "time", "a clock command has a time", "")
		}
	case risk.KindPrices, risk.KindFunding:
		for i := range group {
			if group[i].Mode > 4 {
				d.fail(codeInvalidRecord, "mode", "a record holds at most four prices", "")
			}
		}
	case risk.KindHalt, risk.KindResume:
		given := head.Flags & (risk.FlagAll | risk.FlagAccount | risk.FlagMarket)
		if given == 0 || given&(given-1) != 0 {
			d.fail(codeMissingField, "flags", "exactly one of account, market and all is needed", "")
		}
	}
}

// listRecord has the name that a group opens or lists given its slot. The slots stay the
// api's to give: a record that claims one must claim the one its name has.
func (d *Decoder) listRecord(group []risk.Command, record uint32) {
	kind, place := nameAccount, placeAccount
	switch group[0].Kind {
	case risk.KindOpenAccount, risk.KindImportAccount:
	case risk.KindListToken:
		kind, place = nameToken, placeToken
	case risk.KindListPerp:
		kind, place = namePerp, placeMarket
	case risk.KindListDex:
		kind, place = nameDex, placeMarket
	case risk.KindListSpot:
		kind, place = nameSpot, placeMarket
	default:
		return
	}
	start := len(d.text)
	text, ok := groupName(group, d.text)
	if d.text = text; !ok {
		d.text = d.text[:start]
		d.fail(codeMissingField, "name", "a listing needs a record that carries its name", "")
		return
	}
	name := d.text[start:len(d.text):len(d.text)]
	if kind != nameDex || len(name) > 0 {
		d.checkName(name, "name")
	}
	if kind == nameAccount {
		d.checkAccountName(name, "name")
	}
	d.fixups = append(d.fixups, fixup{name: name, record: record, kind: kind, place: place, isListing: true})
	d.listing++
}
