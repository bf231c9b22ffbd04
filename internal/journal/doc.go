// Package journal keeps the log of what was decided, and the snapshots of what it led to, so
// that a state can be made anew after the process, or the machine, has ended at any moment.
//
// The log is made of frames: a batch of records that is written, synced and committed as
// one. Under it stand hashicorp/raft, as a group of one node, and raft-wal; this package adds
// what they leave to chance: a checksum that is verified at every read, an end of the process
// at the first write that fails or hangs, a list of segments and a high-water mark by which
// damage is told from an interrupted write. Frames are chained by their hashes.
//
//	DIR/lock         held while the log is open
//	DIR/wal/*.wal    segments of raft-wal
//	DIR/wal/meta     which segments there are, and raft's term and vote: two slots
//	DIR/highwater    what was committed at least: two slots, not synced
//	DIR/snapshots/   one file each
//
// docs/JOURNAL.md has the formats.
package journal
