package journal

import (
	"fmt"
	"sync/atomic"
	"time"
)

const (
	spaceEvery       = 100 * time.Millisecond // between two looks at the free space
	hangChecks       = 20                     // looks at a write within HangLimit
	hangEveryMax     = 250 * time.Millisecond
	freeAgainPercent = 110 // of FreeLowBytes: what must be free for Space to say so again
	percent          = 100
)

// spaceWatch keeps what is free on the disk of the data directory.
type spaceWatch struct {
	files Files
	dir   string
	low   uint64 // bytes
	free  atomic.Uint64
	isLow atomic.Bool
}

// look asks the disk once.
func (s *spaceWatch) look() error {
	free, err := s.files.Free(s.dir)
	if err != nil {
		return err
	}
	s.free.Store(free)
	switch {
	case free < s.low:
		s.isLow.Store(true)
	case free >= s.low/percent*freeAgainPercent:
		s.isLow.Store(false)
	}
	return nil
}

// watchSpace looks until the log is closed.
func (l *Log) watchSpace() {
	every := time.NewTicker(spaceEvery)
	defer every.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-every.C:
		}
		wasLow := l.space.isLow.Load()
		if err := l.space.look(); err != nil {
			l.o.Log.Warn("the free space is not known", "dir", l.o.Dir, "error", err)
		}
		if isLow := l.space.isLow.Load(); isLow != wasLow {
			l.o.Log.Warn("free space", "dir", l.o.Dir, "bytes", l.space.free.Load(), "low", isLow)
		}
	}
}

// watchHangs ends the process when a write does not come back.
func (l *Log) watchHangs() {
	every := time.NewTicker(min(hangEveryMax, l.o.HangLimit/hangChecks))
	defer every.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-l.failed:
			return
		case <-every.C:
		}
		if what, took := l.guard.slowest(); took > l.o.HangLimit {
			l.fault(ExitStorageHangs, fmt.Errorf("journal: the disk hangs: %s has not come back for %s", what, took))
		}
	}
}

// watchLead reports when raft lets go of the log, which a group of one does only at a fault.
func (l *Log) watchLead() {
	for {
		select {
		case <-l.stop:
			return
		case <-l.failed:
			return
		case leads := <-l.raft.LeaderCh():
			if !leads {
				l.fault(ExitStorageFault, errLostLead)
			}
		}
	}
}
