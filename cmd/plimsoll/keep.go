package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"plimsoll/internal/engine"
	"plimsoll/internal/journal"
)

const (
	mib = 1 << 20
	// keepPause is how often the schedule looks whether a snapshot is due.
	keepPause = 100 * time.Millisecond
	// keepRetry is how long a snapshot that failed is not tried again.
	keepRetry = 10 * time.Second
)

// keepOptions are the flags of plimsoll serve about its data directory.
type keepOptions struct {
	every     time.Duration
	bytes     uint64
	kept      int
	freeLowMB int
	hangLimit time.Duration
}

func defaultKeep() keepOptions {
	const every, bytes = 15 * time.Minute, 1 << 30
	o := journal.DefaultOptions("")
	return keepOptions{
		every: every, bytes: bytes, kept: o.SnapshotsKept, freeLowMB: int(o.FreeLowBytes / mib), hangLimit: o.HangLimit,
	}
}

// addKeepFlags adds the flags about the data directory.
func (o *serveOptions) addKeepFlags(f *flags) {
	k := &o.keep
	f.duration(&k.every, option{
		"snapshot-every", "TIME", "A snapshot is taken this long after the last, if anything has happened; 0 = never.",
		"shorter makes a restart after a crash faster, at the price of disk writes.",
	})
	f.number64(&k.bytes, option{
		"snapshot-bytes", "BYTES", "A snapshot is taken after this much journal, whatever the time; 0 = never.",
		"bounds how much is replayed after a crash, and so how long that takes.",
	})
	f.number(&k.kept, option{
		"snapshots-kept", "N", "Snapshots kept, and the journal since the oldest of them.",
		"going back further with 'plimsoll replay', at the price of disk space.",
	})
	f.number(&k.freeLowMB, option{
		"free-low-mb", "MB", "Free disk space below which writes get 503 read_only; reads go on.",
		"a small disk, or one that others fill too.",
	})
	f.duration(&k.hangLimit, option{
		"hang-limit", "TIME", "A disk write that takes longer ends the process with code 71.",
		"a disk that is known to pause for longer.",
	})
}

// check says what is wrong with the flags.
func (k *keepOptions) check() error {
	switch {
	case k.every < 0:
		return fmt.Errorf("--snapshot-every is %s, want 0 or more", k.every)
	case k.kept < 1:
		return fmt.Errorf("--snapshots-kept is %d, want 1 or more", k.kept)
	case k.freeLowMB < 1:
		return fmt.Errorf("--free-low-mb is %d, want 1 or more", k.freeLowMB)
	case k.hangLimit <= 0:
		return fmt.Errorf("--hang-limit is %s, want more than 0", k.hangLimit)
	default:
		return nil
	}
}

// journal returns how the data directory is written. A storage fault ends the process at
// once: what the disk then holds is unknown, and only a new start can find out.
func (k *keepOptions) journal(dir string, p *process, log *slog.Logger) journal.Options {
	o := journal.DefaultOptions(dir)
	o.FreeLowBytes, o.HangLimit, o.SnapshotsKept, o.Log = uint64(k.freeLowMB)*mib, k.hangLimit, k.kept, log
	o.Fatal = func(code int, err error) {
		printf(p.stderr, "plimsoll serve: %v; exit code %d: start it again, nothing acknowledged is lost\n", err, code)
		os.Exit(code)
	}
	return o
}

// recover opens the data directory, rebuilds the state, and starts the engine on it.
func (d *daemon) recover(cfg *engine.Config, o journal.Options, log *slog.Logger) error {
	had, isNew, err := checkSettings(o.Dir, cfg)
	if err != nil {
		return err
	}
	e, r, err := engine.Recover(*cfg, o, d.dir)
	now := settingsOf(cfg)
	now.CRC32C = had.CRC32C
	hasChanged := !isNew && now != had
	if hasChanged && (err != nil || r.Frames > 0) {
		if err == nil {
			e.Close()
		}
		return fmt.Errorf("--accounts-max, --clients-max were %d, %d when the journal was written and are %d, %d now: "+
			"start with the former and stop with SIGTERM, which takes a snapshot, and then change them: %w",
			had.AccountsMax, had.ClientsMax, now.AccountsMax, now.ClientsMax, errors.Join(errSettings, err))
	}
	if err != nil {
		return whatToDo(err, o.Dir)
	}
	if hasChanged {
		if err := now.write(o.Dir); err != nil {
			e.Close()
			return err
		}
	}
	from := "none"
	if r.SnapshotFile != "" {
		from = filepath.Base(r.SnapshotFile)
	}
	log.Info("recovered", "snapshot", from, "snapshot_seq", r.SnapshotSeq, "frames", r.Frames, "commands", r.Commands,
		"last_seq", r.LastSeq, "bytes_cut", r.BytesCut, "cut_reason", r.CutReason, "hash_checked", r.HashChecked, "seconds", r.Seconds)
	d.keeps = true
	d.open(e)
	return nil
}

// errSettings says that the settings of a data directory are others.
var errSettings = errors.New("the settings have changed")

// checkSettings reads the settings of a data directory, or writes those of a new one before
// anything else is written there.
func checkSettings(dir string, cfg *engine.Config) (s settings, isNew bool, err error) {
	s, err = readSettings(dir)
	if !errors.Is(err, fs.ErrNotExist) {
		return s, false, err
	}
	if _, err := os.Stat(filepath.Join(dir, "wal")); err == nil {
		return s, false, &journal.DamageError{
			File: filepath.Join(dir, settingsName), Offset: 0, What: "it is missing, and there is a journal",
			Do: "copy it from another directory started with the same flags; a restore that was cut short is begun again",
		}
	}
	s = settingsOf(cfg)
	return s, true, s.write(dir)
}

// whatToDo adds a way out to errors that have none.
func whatToDo(err error, dir string) error {
	if errors.Is(err, journal.ErrLocked) {
		return fmt.Errorf("%w: %s; stop the other one, or name another --data", err, dir)
	}
	return err
}

// hasNews reports whether anything was journaled after the last snapshot.
func (d *daemon) hasNews() bool {
	s := d.engine.Status()
	return s.LastSnapshot == nil || s.LastSnapshot.Seq < s.Durable
}

// keepSnapshots takes snapshots on schedule until stop, which waits for one being taken.
func (d *daemon) keepSnapshots(k *keepOptions, log *slog.Logger) (stop func()) {
	if !d.keeps {
		return func() {}
	}
	over := make(chan struct{})
	var wait sync.WaitGroup
	wait.Go(func() {
		tick := time.NewTicker(keepPause)
		defer tick.Stop()
		last, notBefore := time.Now(), time.Time{}
		for {
			select {
			case <-over:
				return
			case now := <-tick.C:
				isDue := k.every > 0 && now.Sub(last) >= k.every && d.hasNews() ||
					k.bytes > 0 && d.engine.JournalBytesSinceSnapshot() >= k.bytes
				if !isDue || now.Before(notBefore) {
					continue
				}
				last = now
				if err := d.takeSnapshot(log); err != nil {
					notBefore = now.Add(keepRetry)
				}
			}
		}
	})
	return func() {
		close(over)
		wait.Wait()
	}
}

// takeSnapshot takes one and says so.
func (d *daemon) takeSnapshot(log *slog.Logger) error {
	info, err := d.engine.Snapshot()
	if errors.Is(err, journal.ErrSnapshotRunning) {
		return nil
	}
	if err != nil {
		log.Error("no snapshot", "error", err)
		return err
	}
	log.Info("snapshot", "file", filepath.Base(info.File), "seq", info.Seq, "bytes", info.Bytes, "accounts", info.Accounts,
		"seconds", info.Seconds, "state_hash", info.StateHash)
	return nil
}
