package api

import (
	"math/bits"

	"plimsoll/fixedpoint"
	"plimsoll/risk"
)

// Most commands are orders, fills and cancels, written without needless spaces, with the
// type first and known names. Those are read in one pass: each value goes straight into its
// record. At anything else, and at any fault, this pass gives up, and the command is read
// again by the general reader, which alone knows what to say.

// flatOp is where the value of a field goes.
type flatOp uint8

const (
	flatNone flatOp = iota // not read in one pass
	flatID
	flatAccount
	flatMarket
	flatSide
	flatSize // and what follows: Num[op-flatSize]
	flatPrice
	flatFee
	flatFeeToken
	flatOrderID
	flatReduceOnly
	flatTime
	flatTrigger
)

// flatFields is above every field that one pass reads.
const flatFields = 32

type flatOps [flatFields]flatOp

func flatOf(kind risk.Kind) *flatOps {
	ops := flatOps{fieldID: flatID, fieldAccount: flatAccount, fieldOrderID: flatOrderID, fieldTime: flatTime}
	switch kind {
	case risk.KindOrder:
		ops[fieldReduceOnly], ops[fieldTrigger] = flatReduceOnly, flatTrigger
	case risk.KindFill:
		ops[fieldFee], ops[fieldFeeToken] = flatFee, flatFeeToken
	case risk.KindCancel:
		return &ops
	default:
		return nil
	}
	ops[fieldMarket], ops[fieldSide], ops[fieldSize], ops[fieldPrice] = flatMarket, flatSide, flatSize, flatPrice
	return &ops
}

// readFlat reads the command at i in one pass. It returns 0, and leaves nothing behind, when
// the general reader has to do it.
func (d *Decoder) readFlat(i int) (end int) {
	s := d.flatSpec(i)
	if s == nil || s.flat == nil || len(d.records) >= recordsMax || d.err != nil {
		return 0
	}
	first := len(d.records)
	c := d.extend(s.kind)
	if s.kind == risk.KindFill {
		c.Ref[risk.RefToken] = risk.NoSlot
	}
	if end = d.flatMembers(i+len(s.flatHead), s, c); end == 0 {
		d.records, d.err = d.records[:first], nil
		return 0
	}
	c.Client = d.client
	d.groups = append(d.groups, groupAt{record: uint32(first), offset: uint32(i)})
	return end
}

// flatSpec returns what the type of a command asks for when it comes first, or nil.
func (d *Decoder) flatSpec(i int) *spec {
	b, s := d.body, &specs[d.recent]
	if wordAt(b, i, s.flatHead) {
		return s
	}
	const head = `{"type":"`
	if !wordAt(b, i, head) {
		return nil
	}
	stop := firstMark(b, i+len(head))
	if stop >= len(b) || b[stop] != '"' {
		return nil
	}
	n := typeTable.find(b[i+len(head) : stop])
	if n < 0 {
		return nil
	}
	d.recent = n
	return &specs[n]
}

// flatMembers reads what follows the type, up to and with the closing brace; 0 means that
// it gave up.
func (d *Decoder) flatMembers(i int, s *spec, c *risk.Command) (end int) {
	b, id, seen := d.body, fieldType, uint64(1)<<fieldType
	for {
		next := d.follows[id]
		if t := &nextTokens[next]; t.isAt(b, i) {
			i += int(t.size)
		} else if i >= len(b) || b[i] == '}' {
			break
		} else if next, i = flatKey(b, i); i == 0 {
			return 0
		}
		d.follows[id], id = next, next
		if id >= flatFields || seen>>id&1 != 0 || i >= len(b) {
			return 0
		}
		seen |= 1 << id
		if b[i] != '"' {
			if i = d.flatBare(i, s.flat[id], c); i == 0 {
				return 0
			}
			continue
		}
		var stop int
		if i+9 <= len(b) {
			if marks := marksIn(load64(b, i+1)); marks != 0 {
				stop = i + 1 + bits.TrailingZeros64(marks)>>3
			} else {
				stop = firstMark(b, i+9)
			}
		} else {
			stop = firstMark(b, i+1)
		}
		if stop >= len(b) || b[stop] != '"' || !d.flatText(b[i+1:stop], s.flat[id], c) {
			return 0
		}
		i = stop + 1
	}
	if i >= len(b) || s.required[0]&^seen != 0 {
		return 0
	}
	return i + 1
}

// flatText puts the text of a field into a record, unless there is anything to say about it.
func (d *Decoder) flatText(text []byte, op flatOp, c *risk.Command) (ok bool) {
	switch op {
	case flatID:
		c.IDHi, c.IDLo, c.IDForm = parseID(text)
		return c.IDForm != risk.FormNone
	case flatOrderID:
		c.OrderHi, c.OrderLo, c.OrderForm = parseID(text)
		c.Flags |= risk.FlagOrderID
		return c.OrderForm != risk.FormNone
	case flatAccount:
		c.Ref[risk.RefAccount], ok = d.dir.lookup(nameAccount, text)
		return ok
	case flatMarket:
		c.Ref[risk.RefMarket], ok = d.dir.lookup(nameMarket, text)
		return ok
	case flatFeeToken:
		c.Ref[risk.RefToken], ok = d.dir.tokens.find(text)
		return ok
	case flatSide:
		if string(text) == "sell" {
			c.Flags |= risk.FlagSell
			return true
		}
		return string(text) == "buy"
	case flatSize, flatPrice, flatFee:
		n, err := fixedpoint.ParseDecimal(text)
		k := (op - flatSize) & 3
		c.Num[k], c.Dec[k] = n.Mantissa, n.Decimals
		if op == flatFee {
			c.Flags |= risk.FlagFee
		}
		return err == nil
	default:
		return false
	}
}

// flatBare reads a field that is no string and returns the position after it, or 0.
func (d *Decoder) flatBare(i int, op flatOp, c *risk.Command) (end int) {
	b := d.body
	switch {
	case op == flatTime && b[i] != '0':
		for ; i < len(b) && b[i]-'0' <= 9 && c.TimeMs <= timeMsMax; i++ {
			c.TimeMs = c.TimeMs*10 + int64(b[i]-'0')
		}
		if c.TimeMs > 0 && c.TimeMs <= timeMsMax && i < len(b) && (b[i] == ',' || b[i] == '}') {
			return i
		}
	case op == flatReduceOnly && wordAt(b, i, "false"):
		return i + 5
	case op == flatReduceOnly && wordAt(b, i, "true"):
		c.Flags |= risk.FlagReduceOnly
		return i + 4
	case op == flatTrigger:
		t := &d.frames[2]
		end = d.object(i, t)
		if d.err == nil && d.checkFields(t, &triggerFields, &triggerFields) {
			d.triggerOf(t, c)
		}
		if d.err == nil {
			return end
		}
	}
	return 0
}

// flatKey reads a comma, a field name and a colon; at is the start of the value, or 0.
func flatKey(b []byte, i int) (id field, at int) {
	if b[i] != ',' || i+1 >= len(b) || b[i+1] != '"' {
		return 0, 0
	}
	stop := firstMark(b, i+2)
	if stop+1 >= len(b) || b[stop] != '"' || b[stop+1] != ':' {
		return 0, 0
	}
	n := fieldTable.find(b[i+2 : stop])
	if n < 0 {
		return 0, 0
	}
	return field(n), stop + 2
}
