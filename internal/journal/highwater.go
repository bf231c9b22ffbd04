package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	highwaterSlotBytes = 4096 // a page each, so that one write cannot tear both
	highwaterSize      = 16   // index u64, Seq u64
)

// highwater remembers what was committed at least. It is written before a commit is
// acknowledged and not synced: it survives the process, not always the machine. A log that ends below it
// has lost something, where one that ends at or above it was only interrupted.
type highwater struct {
	slots *slotFile
	index uint64 // raft's
	seq   uint64
}

func openHighwater(files Files, dir string) (*highwater, error) {
	slots, value, err := openSlots(files, dir, highwaterName, highwaterSlotBytes)
	if err != nil {
		return nil, err
	}
	h := &highwater{slots: slots}
	if len(value) == highwaterSize {
		h.index, h.seq = binary.LittleEndian.Uint64(value), binary.LittleEndian.Uint64(value[8:])
	}
	return h, nil
}

// advance writes where the log stands now.
func (h *highwater) advance(index, seq uint64) error {
	if index <= h.index {
		return nil
	}
	var value [highwaterSize]byte
	binary.LittleEndian.PutUint64(value[:], index)
	binary.LittleEndian.PutUint64(value[8:], seq)
	if err := h.slots.write(h.slots.number+1, value[:]); err != nil {
		return fmt.Errorf("journal: write %s: %w", highwaterName, err)
	}
	h.index, h.seq = index, seq
	return nil
}

// Close makes it durable.
func (h *highwater) Close() error {
	return errors.Join(h.slots.file.Sync(), h.slots.file.Close())
}
