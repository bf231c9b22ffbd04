package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"plimsoll/internal/api"
	"plimsoll/internal/engine"
	"plimsoll/internal/journal"
)

// past is the state of a data directory as of a place in its order, rebuilt without
// writing into the directory, which may be in use.
type past struct {
	dataDir  string
	settings settings
	shards   int
	detect   string        // as --detect
	until    uint64        // last Seq wanted; 0 = all there is
	events   *eventPrinter // nil: events are not wanted

	rebuild *engine.Rebuild
	names   *api.Directory
	from    *journal.SnapshotInfo // nil: from the first frame
	frames  uint64
	took    time.Duration
}

// errEnough ends a scan.
var errEnough = errors.New("enough")

// newPast reads what a data directory is kept with.
func newPast(dir string, shards int, until uint64) (*past, error) {
	if _, err := os.Stat(dir); err != nil {
		return nil, err
	}
	s, err := readSettings(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is no data directory: it has no %s", dir, settingsName)
	}
	return &past{dataDir: dir, settings: s, shards: shards, detect: detectBands, until: until}, err
}

// empty makes the state that of no command.
func (p *past) empty() (err error) {
	cfg := engine.DefaultConfig()
	p.settings.impose(&cfg)
	cfg.Shards, cfg.Clock, cfg.AccrueMs = p.shards, engine.ClockCommands, 0 // reads alone move nothing
	if err := detectOf(p.detect, &cfg); err != nil {
		return err
	}
	p.names, p.from, p.frames = api.NewDirectory(cfg.AccountsMax), nil, 0
	p.rebuild, err = engine.NewRebuild(cfg, p.names)
	if err == nil && p.events != nil {
		p.rebuild.CollectEvents()
	}
	return err
}

// open rebuilds the state from the newest snapshot that reaches no further than wanted.
func (p *past) open() error {
	start := time.Now()
	defer func() { p.took = time.Since(start) }()
	const tries = 3 // a directory in use may drop a snapshot or a segment under our hands
	for try := 1; ; try++ {
		err := p.openOnce()
		if err == nil || try == tries || !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
}

func (p *past) openOnce() error {
	snapshots, err := journal.ListSnapshots(p.dataDir)
	if err != nil {
		return err
	}
	var faults []error
	for i := range snapshots {
		if p.until > 0 && snapshots[i].Seq > p.until || p.events != nil && snapshots[i].Seq > p.events.after {
			continue
		}
		if err := p.restore(&snapshots[i]); err != nil {
			faults = append(faults, err)
			continue
		}
		return errors.Join(p.follow(faults), nil)
	}
	if err := p.empty(); err != nil {
		return err
	}
	return p.follow(faults)
}

// restore takes the state from a snapshot.
func (p *past) restore(info *journal.SnapshotInfo) error {
	if err := p.empty(); err != nil {
		return err
	}
	r, err := journal.OpenSnapshot(info.File)
	if err != nil {
		return err
	}
	if err := errors.Join(p.rebuild.Restore(r), r.Close()); err != nil {
		return fmt.Errorf("%s: %w", info.File, err)
	}
	p.from = info
	return nil
}

// follow applies the frames behind the state. faults are those of the snapshots passed over,
// told when the log alone does not reach.
func (p *past) follow(faults []error) error {
	if p.until > 0 && p.rebuild.Seq() == p.until {
		return nil
	}
	_, err := journal.Scan(p.dataDir, func(place journal.Place, h *journal.Header, body []byte) error {
		done, err := p.frame(place, h, body)
		if err == nil && done {
			return errEnough
		}
		return err
	})
	if err != nil && !errors.Is(err, errEnough) {
		return errors.Join(append(faults, err)...)
	}
	if p.until > p.rebuild.Seq() {
		return fmt.Errorf("seq %d is not in %s: the last committed one is %d", p.until, p.dataDir, p.rebuild.Seq())
	}
	return nil
}

// frame applies what of a frame is behind the state and not behind what is wanted.
func (p *past) frame(place journal.Place, h *journal.Header, body []byte) (done bool, err error) {
	seq := p.rebuild.Seq()
	if h.LastSeq <= seq {
		return false, nil
	}
	if h.FirstSeq != seq+1 {
		return false, fmt.Errorf("%s at byte %d: frame %d begins with seq %d, and no usable snapshot reaches further than %d",
			place.File, place.Offset, h.Number, h.FirstSeq, seq)
	}
	if err := p.rebuild.Replay(h, body, p.until); err != nil {
		return false, fmt.Errorf("%s at byte %d, frame %d: %w", place.File, place.Offset, h.Number, err)
	}
	p.frames++
	if p.events != nil {
		if err := p.events.print(p.rebuild.TakeEvents(), p.names); err != nil {
			return false, err
		}
	}
	return p.until > 0 && p.rebuild.Seq() >= p.until, nil
}
