// Package journaltest is a disk in memory whose faults are drawn from a seed. It loses what
// was not synced, tears and reorders what was on its way, forgets names that a folder was
// not synced for, lies about syncs, fails, fills up and flips bits. It satisfies
// journal.Files, so that the log, raft-wal under it and the snapshots can all stand on it.
package journaltest
