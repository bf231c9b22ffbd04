package journal

import (
	"errors"
	"fmt"
)

// Exit codes that Options.Fatal is called with.
const (
	ExitStorageFault = 70 // the disk refused a write, or gave back other bytes than it was given
	ExitStorageHangs = 71 // a write has not come back within Options.HangLimit
)

var (
	// ErrLocked says that another process uses the data directory.
	ErrLocked = errors.New("journal: the data directory is in use by another process")
	// ErrSnapshotRunning says that a snapshot is being taken already.
	ErrSnapshotRunning = errors.New("journal: a snapshot is being taken already")
	// ErrInFlight says that inFlightMax frames are waiting for the disk already.
	ErrInFlight = errors.New("journal: too many frames are waiting for the disk")
	// ErrClosed says that the log was closed.
	ErrClosed = errors.New("journal: the log is closed")
)

const doRestore = "restore the directory from a backup, or start from the newest snapshot in an empty one"

// noOffset is the Offset of damage that has no place in a file.
const noOffset = -1

// DamageError says that what is on disk is not what was written there. It is never the
// remains of an interrupted write: those are cut off and reported.
type DamageError struct {
	File   string // path; empty when the bytes came from no file
	Offset int64  // in the file, in bytes; negative when the whole file is meant
	What   string // what is wrong there
	Do     string // what the operator can do about it
	Err    error  // what raised it, may be nil
}

// Error names the file, the offset, the fault and the way out.
func (e *DamageError) Error() string {
	text := "journal: damaged"
	if e.File != "" {
		text += " " + e.File
	}
	if e.Offset >= 0 {
		text += fmt.Sprintf(" at byte %d", e.Offset)
	}
	text += ": " + e.What
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	if e.Do != "" {
		text += "; " + e.Do
	}
	return text
}

// Unwrap returns what raised the error.
func (e *DamageError) Unwrap() error { return e.Err }

// damaged reports a fault in a frame, which does not know where it is stored.
func damaged(offset int64, format string, args ...any) *DamageError {
	return &DamageError{Offset: offset, What: fmt.Sprintf(format, args...), Do: doRestore}
}
