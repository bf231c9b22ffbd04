package risk

import "encoding/binary"

// AppendCommand appends the 128 wire bytes of c.
func AppendCommand(dst []byte, c *Command) []byte {
	le := binary.LittleEndian
	dst = le.AppendUint64(dst, c.Seq)
	dst = le.AppendUint64(dst, uint64(c.TimeMs))
	dst = le.AppendUint64(dst, c.IDHi)
	dst = le.AppendUint64(dst, c.IDLo)
	dst = le.AppendUint64(dst, c.OrderHi)
	dst = le.AppendUint64(dst, c.OrderLo)
	for _, v := range c.Num {
		dst = le.AppendUint64(dst, uint64(v))
	}
	for _, v := range c.Ref {
		dst = le.AppendUint32(dst, v)
	}
	dst = append(dst, c.Dec[0], c.Dec[1], c.Dec[2], c.Dec[3], uint8(c.Kind), c.Mode)
	dst = le.AppendUint16(dst, uint16(c.Flags))
	dst = le.AppendUint16(dst, c.GroupLeft)
	dst = le.AppendUint16(dst, c.Client)
	dst = le.AppendUint32(dst, c.Ticket)
	dst = le.AppendUint16(dst, c.Leverage)
	dst = append(dst, uint8(c.IDForm), uint8(c.OrderForm))
	dst = le.AppendUint16(dst, c.Wallets[0])
	dst = le.AppendUint16(dst, c.Wallets[1])
	return le.AppendUint64(dst, c.Aux)
}

// DecodeCommand reads the 128 wire bytes of c; it reports false when src is shorter.
// It judges no field: the machine does.
func DecodeCommand(src []byte, c *Command) bool {
	if len(src) < CommandSize {
		return false
	}
	src = src[:CommandSize]
	le := binary.LittleEndian
	c.Seq = le.Uint64(src)
	c.TimeMs = int64(le.Uint64(src[8:]))
	c.IDHi, c.IDLo = le.Uint64(src[16:]), le.Uint64(src[24:])
	c.OrderHi, c.OrderLo = le.Uint64(src[32:]), le.Uint64(src[40:])
	for i := range c.Num {
		c.Num[i] = int64(le.Uint64(src[48+8*i:]))
	}
	for i := range c.Ref {
		c.Ref[i] = le.Uint32(src[80+4*i:])
	}
	copy(c.Dec[:], src[96:100])
	c.Kind, c.Mode = Kind(src[100]), src[101]
	c.Flags = Flags(le.Uint16(src[102:]))
	c.GroupLeft, c.Client = le.Uint16(src[104:]), le.Uint16(src[106:])
	c.Ticket = le.Uint32(src[108:])
	c.Leverage = le.Uint16(src[112:])
	c.IDForm, c.OrderForm = IDForm(src[114]), IDForm(src[115])
	c.Wallets[0], c.Wallets[1] = le.Uint16(src[116:]), le.Uint16(src[118:])
	c.Aux = le.Uint64(src[120:])
	return true
}
