package journal

// Link returns the hash of the encoded header. As the header holds the hash of the body and
// the Link of the frame before, it stands for the whole log up to here.
func (h *Header) Link() Hash {
	var b [HeaderSize]byte
	return hashOf(h.appendTo(b[:0], h.Count*h.RecordSize))
}

// Chain is where a log stands: after which frame, which command, with which hash over all of
// it. The zero Chain is an empty log.
type Chain struct {
	Number uint64 `json:"number"` // of the last frame
	Seq    uint64 `json:"seq"`    // of its last record
	Link   Hash   `json:"link"`   // of its header
}

// Next moves the chain over the frame with header h. It does not accept a frame that is
// there already, or that follows another frame than the chain's last: one that a former
// leader built, which every replica drops alike. An error says that frames are missing.
func (c *Chain) Next(h *Header) (accept bool, err error) {
	if h.Number <= c.Number {
		return false, nil
	}
	if h.Number != c.Number+1 {
		return false, damaged(noOffset, "frame %d follows frame %d: those between are missing", h.Number, c.Number)
	}
	if h.Prev != c.Link {
		return false, nil
	}
	if h.FirstSeq != c.Seq+1 || h.LastSeq < h.FirstSeq {
		return false, damaged(noOffset, "frame %d holds commands %d to %d and follows command %d", h.Number, h.FirstSeq, h.LastSeq, c.Seq)
	}
	*c = Chain{Number: h.Number, Seq: h.LastSeq, Link: h.Link()}
	return true, nil
}
