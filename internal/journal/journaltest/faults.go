package journaltest

import (
	"fmt"
	"slices"
)

const sectorSize = 512 // bytes; a crash tears writes between sectors, and sometimes within one

// CutPowerAfter turns the power off within the changing operation (create, write, sync,
// rename, delete) after the next ops.
func (d *Disk) CutPowerAfter(ops int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.opsLeft = ops
}

// CutPower turns the power off now.
func (d *Disk) CutPower() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.isOff = true
}

// IsOff reports whether the power is off.
func (d *Disk) IsOff() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.isOff
}

// Ops returns the number of changing operations so far.
func (d *Disk) Ops() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ops
}

// FailSyncsAfter makes every sync after the next syncs fail; negative = none fails. As on
// Linux, what it should have written is seen until the power goes, and a later sync that
// succeeds does not write it: whoever wants it must write it again.
func (d *Disk) FailSyncsAfter(syncs int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.syncsLeft = syncs
}

// FailWritesAfter makes every write after the next writes fail, half done; negative = none.
func (d *Disk) FailWritesAfter(writes int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.writesLeft = writes
}

// LieAboutSyncs makes syncs say that they are done without doing anything.
func (d *Disk) LieAboutSyncs(lie bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.isLying = lie
}

// SetSpace limits the bytes that may still be allocated; negative = no limit.
func (d *Disk) SetSpace(bytes int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.space = bytes
}

// Flip flips one bit of a file, durably.
func (d *Disk) Flip(dir, name string, bit int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, node, err := d.find(dir, name)
	if err != nil {
		return err
	}
	at := bit / 8
	if at >= int64(len(node.bytes)) {
		return fmt.Errorf("journaltest: %s has %d bytes, none at %d", name, len(node.bytes), at)
	}
	node.bytes[at] ^= 1 << (bit % 8)
	if at < int64(len(node.durable)) {
		node.durable[at] = node.bytes[at]
	}
	return nil
}

// Bytes returns a copy of a file's bytes, nil when there is none.
func (d *Disk) Bytes(dir, name string) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, node, err := d.find(dir, name)
	if err != nil {
		return nil
	}
	return slices.Clone(node.bytes)
}

// Restart turns the power on. What was durable is there; of what was on its way, the seed
// draws which writes arrived, whole, by sectors or up to a byte, and which names. All limits
// and faults are lifted.
func (d *Disk) Restart() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cuts++
	d.isOff, d.isLying = false, false
	d.opsLeft, d.syncsLeft, d.writesLeft, d.space = -1, -1, -1, -1
	dirs := make([]string, 0, len(d.folders))
	for dir := range d.folders {
		dirs = append(dirs, dir)
	}
	slices.Sort(dirs) // the seed's draws must not depend on a map's order
	for _, dir := range dirs {
		f := d.folders[dir]
		for _, c := range f.pending {
			if d.rng.IntN(2) == 0 {
				c.apply(f.durable)
			}
		}
		f.pending, f.names = nil, map[string]*inode{}
		names := make([]string, 0, len(f.durable))
		for name := range f.durable {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			f.names[name] = f.durable[name]
			d.crash(f.durable[name])
		}
	}
}

// crash draws what is left of a file. Its length is never less than what was synced; what
// was reserved and not synced may be there, as zeros.
func (d *Disk) crash(n *inode) {
	left := slices.Clone(n.durable)
	if len(n.bytes) > len(left) && d.rng.IntN(2) == 0 {
		left = append(left, make([]byte, len(n.bytes)-len(left))...)
	}
	left = d.land(left, n.pending)
	n.bytes, n.durable, n.pending = left, slices.Clone(left), nil
}

// land draws which writes reach the medium, and how much of each.
func (d *Disk) land(left []byte, writes []write) []byte {
	for _, w := range writes {
		switch d.rng.IntN(4) {
		case 0: // lost
		case 1:
			left = w.apply(left)
		case 2: // torn at a byte
			part := write{w.offset, w.bytes[:d.rng.IntN(len(w.bytes)+1)]}
			left = part.apply(left)
		case 3: // any of its sectors
			for at := 0; at < len(w.bytes); {
				end := min(len(w.bytes), at+sectorSize-int(w.offset+int64(at))%sectorSize)
				if d.rng.IntN(2) == 0 {
					left = write{w.offset + int64(at), w.bytes[at:end]}.apply(left)
				}
				at = end
			}
		}
	}
	return left
}

// Repair lifts all limits and faults of a disk whose power is on: the process ended and a
// new one starts. What was written and not synced is still on its way.
func (d *Disk) Repair() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.isLying = false
	d.opsLeft, d.syncsLeft, d.writesLeft, d.space = -1, -1, -1, -1
}
