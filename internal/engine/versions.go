package engine

import (
	"sync/atomic"

	"plimsoll/risk"
)

// cursor is a place in the broadcast order that one stage writes and others read.
type cursor struct{ v atomic.Uint64 }

func (c *cursor) load() uint64   { return c.v.Load() }
func (c *cursor) store(v uint64) { c.v.Store(v) }

// version is one pool's totals from place pos on.
type version struct {
	pos    uint64
	totals risk.Totals
}

// versions is the versioned ring of one pool of one shard: the shard writes, shards that
// are behind read. No slot needs a lock or a torn-read check:
//
//   - a reader at place p has seen done >= p of the writer, so every version with
//     pos <= p is published, and it takes the newest of those, w;
//   - the writer overwrites w only when every shard has done >= pos of w+1, and the
//     reader stores done > p only after it has read. So w, and all newer ones that the
//     reader passes on its way down to w, stay as they are while it reads.
type versions struct {
	count atomic.Uint64 // versions ever published; written by the owning shard only, pairs with at
	ring  []version
}

// hasRoom reports whether push may overwrite the oldest version when all shards have
// done everything before place done.
func (v *versions) hasRoom(done uint64) bool {
	n, size := v.count.Load(), uint64(len(v.ring))
	return n < size || v.ring[(n-size+1)%size].pos <= done
}

// push publishes totals that hold from place pos on. The caller has seen hasRoom.
func (v *versions) push(pos uint64, totals risk.Totals) {
	n := v.count.Load()
	v.ring[n%uint64(len(v.ring))] = version{pos: pos, totals: totals}
	v.count.Store(n + 1)
}

// at returns the totals as they stood before the group at place pos. The caller has seen
// done >= pos of the owner and has itself not passed pos.
func (v *versions) at(pos uint64) risk.Totals {
	for i := v.count.Load(); i > 0; i-- {
		if entry := &v.ring[(i-1)%uint64(len(v.ring))]; entry.pos <= pos {
			return entry.totals
		}
	}
	return risk.Totals{}
}
