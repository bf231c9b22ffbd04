package api

import (
	"encoding/binary"
	"errors"
	"fmt"

	"plimsoll/risk"
)

// A snapshot of the directory is a row of pieces, which may be read in any order and twice:
//
//	piece  version 1 | table 1 | entry …
//	name   slot 4 | length 1 | bytes         bit 7 of length: a packed address, bit 6: an alias
//	sub    master 4 | sub 4                  in the order of opening
//
// It holds every name that had a slot when its writing began, and any that came meanwhile.
// Among them are names whose command was refused or is not durable yet: their slots stay
// set aside, as in the process that wrote it, and the machine knows nothing of them. A
// client's number is used only when the machine has it (see Server.openClient).
const (
	namesVersion   = 1
	pieceHead      = 2
	pieceBytesMax  = 256 << 10
	subLinkBytes   = 8
	aliasMark      = 0x40 // risk.NameMax leaves it free
	subsPerPiece   = (pieceBytesMax - pieceHead) / subLinkBytes
	cursorTableBit = 32
)

var _ = [aliasMark - risk.NameMax - 1]struct{}{}

// Tables as pieces name them; the numbers are never reused.
const (
	pieceAccounts = 1
	pieceClients  = 2
	pieceTokens   = 3
	piecePerps    = 4
	pieceSpots    = 5
	pieceDexes    = 6
	pieceSubs     = 7
)

// table returns the name table of a number, or nil.
func (d *Directory) table(number int) *nameTable {
	switch number {
	case pieceAccounts:
		return d.accounts
	case pieceClients:
		return d.clients
	case pieceTokens:
		return d.tokens
	case piecePerps:
		return d.perps
	case pieceSpots:
		return d.spots
	case pieceDexes:
		return d.dexes
	default:
		return nil
	}
}

// AppendSnapshot appends the piece at from, which is 0 for the first, and returns where the
// next one starts: below 0 there is none, and nothing may have been appended. A piece is at
// most 256 KiB. It may run while names are given out and looked up, and holds no lock while
// it copies names.
func (d *Directory) AppendSnapshot(dst []byte, from int) (out []byte, next int) {
	if from == 0 { // whatever the state of the snapshot has, has been learned by now
		d.learning.Lock()   //nolint:gocritic // a barrier: nothing stands between
		d.learning.Unlock() //nolint:gocritic,staticcheck // the same
	}
	start := len(dst)
	number, at := max(from>>cursorTableBit, pieceAccounts), uint32(from) //nolint:gosec // the low half
	for ; number <= pieceSubs; number, at = number+1, 0 {
		dst = append(dst[:start], namesVersion, byte(number)) //nolint:gosec // at most pieceSubs
		var isEnd bool
		if t := d.table(number); t != nil {
			dst, at, isEnd = t.appendNames(dst, at, start+pieceBytesMax)
		} else {
			dst, at, isEnd = d.appendSubs(dst, at)
		}
		if !isEnd {
			return dst, number<<cursorTableBit | int(at)
		}
		if len(dst) > start+pieceHead && number < pieceSubs {
			return dst, (number + 1) << cursorTableBit
		}
	}
	if len(dst) == start+pieceHead {
		dst = dst[:start]
	}
	return dst, -1
}

// appendSubs appends the links from number at on.
func (d *Directory) appendSubs(dst []byte, at uint32) (out []byte, next uint32, isEnd bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	end := min(at+subsPerPiece, uint32(len(d.links))) //nolint:gosec // one of each account
	for _, l := range d.links[min(at, end):end] {
		dst = binary.LittleEndian.AppendUint32(dst, l.master)
		dst = binary.LittleEndian.AppendUint32(dst, l.sub)
	}
	return dst, end, int(end) == len(d.links)
}

var errPiece = errors.New("api: a piece of the snapshot's names is damaged")

// RestoreSnapshot takes one piece of AppendSnapshot. It reports an error when the piece is
// damaged, contradicts what is known, or names a slot beyond the limits of this directory.
func (d *Directory) RestoreSnapshot(chunk []byte) error {
	switch {
	case len(chunk) == 0:
		return nil
	case len(chunk) < pieceHead:
		return errPiece
	case chunk[0] != namesVersion:
		return fmt.Errorf("api: names of a snapshot are of version %d, this program reads %d", chunk[0], namesVersion)
	}
	number, entries := int(chunk[1]), chunk[pieceHead:]
	if number == pieceSubs {
		return d.restoreSubs(entries)
	}
	t := d.table(number)
	if t == nil {
		return fmt.Errorf("%w: it is of table %d, which there is not", errPiece, number)
	}
	return t.restoreNames(entries, number == pieceSpots)
}

func (d *Directory) restoreSubs(entries []byte) error {
	if len(entries)%subLinkBytes != 0 {
		return fmt.Errorf("%w: half a link of a sub account", errPiece)
	}
	for ; len(entries) > 0; entries = entries[subLinkBytes:] {
		master, sub := binary.LittleEndian.Uint32(entries), binary.LittleEndian.Uint32(entries[4:])
		if most := d.accounts.slotsMax; master >= most || sub >= most {
			return fmt.Errorf("%w: account slot %d of at most %d", errPiece, max(master, sub), most)
		}
		d.addSub(master, sub)
	}
	return nil
}

// appendNames appends the entries from place at on while they fit below limit.
func (t *nameTable) appendNames(dst []byte, at uint32, limit int) (out []byte, next uint32, isEnd bool) {
	t.mu.Lock()
	free, ends := t.free, t.ends // what lies below free never changes
	t.mu.Unlock()
	for at = max(at, nameTableBase); at < free; {
		if chunk := int(at / arenaChunk); chunk < len(ends) && at >= ends[chunk] {
			at = (at/arenaChunk + 1) * arenaChunk
			continue
		}
		slot, length, kept := t.at(at)
		if len(dst)+nameHead+len(kept) > limit {
			return dst, at, false
		}
		if t.places[slot/placeChunk].Load()[slot%placeChunk].Load() != at {
			length |= aliasMark
		}
		dst = append(binary.LittleEndian.AppendUint32(dst, slot), length)
		dst = append(dst, kept...)
		at += uint32(nameHead + len(kept)) //nolint:gosec // a name
	}
	return dst, at, true
}

// restoreNames binds the entries of a piece.
func (t *nameTable) restoreNames(entries []byte, mayAlias bool) error {
	for len(entries) > 0 {
		if len(entries) < nameHead {
			return fmt.Errorf("%w: half a name", errPiece)
		}
		slot, length := binary.LittleEndian.Uint32(entries), entries[4]
		isAlias := length&aliasMark != 0
		length &^= aliasMark
		size := int(length &^ addressMark)
		switch {
		case length&addressMark != 0 && size != packedBytes, size > risk.NameMax, nameHead+size > len(entries):
			return fmt.Errorf("%w: a name has %d bytes", errPiece, size)
		case isAlias && !mayAlias:
			return fmt.Errorf("%w: only spots have aliases", errPiece)
		case slot >= t.slotsMax:
			return fmt.Errorf("api: a snapshot names slot %d, and there are only %d: raise the limit it was written with",
				slot, t.slotsMax)
		}
		kept := entries[nameHead : nameHead+size]
		var scratch [packedBytes]byte
		if _, packed := packName(kept, &scratch); length&addressMark == 0 && packed != length {
			return fmt.Errorf("%w: an address is not packed", errPiece)
		}
		if !t.restore(kept, length, slot, isAlias) {
			return fmt.Errorf("api: a snapshot gives slot %d the name %s, which contradicts what is known",
				slot, quoted(unpackName(kept, length)))
		}
		entries = entries[nameHead+size:]
	}
	return nil
}
