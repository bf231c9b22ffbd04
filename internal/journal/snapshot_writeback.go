package journal

import "golang.org/x/sys/unix"

// starter is a file that can be told to begin writing bytes to the disk without waiting for
// them, and so in small pieces: a sync of a megabyte stands in the way of whatever sync of the
// log comes meanwhile, for one to six milliseconds. It makes nothing durable; Sync does.
type starter interface {
	startWriting(offset, size int64) error
}

var _ starter = (*osFile)(nil)

func (f *osFile) startWriting(offset, size int64) error {
	return unix.SyncFileRange(int(f.Fd()), offset, size, unix.SYNC_FILE_RANGE_WRITE) //nolint:gosec // a descriptor fits an int
}
