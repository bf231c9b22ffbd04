package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"plimsoll/internal/engine"
	"plimsoll/internal/journal"
)

// verify checks a data directory.
func verify(_ context.Context, p *process) int {
	var dir string
	shards, detect := 1, detectBands
	f := newFlags("verify", "Checks the checksums of every frame and chunk, the chain from frame to frame, and, by replaying all\n"+
		"there is, the state hash of every snapshot and every one that the log carries. Exit code 3 when anything differs. The\n"+
		"directory is not changed and may be in use.")
	f.operand(&dir, "DIR")
	f.number(&shards, option{"shards", "N", "Accounts are split this many ways.", "proof that the hashes do not depend on it."})
	addDetectFlag(f, &detect)
	if code, done := p.parse(f); done {
		return code
	}
	if err := detectOf(detect, &engine.Config{}); err != nil {
		return p.misused(f, err)
	}
	past, err := newPast(dir, shards, 0)
	if err != nil {
		return p.failed("verify", err)
	}
	past.detect = detect
	v := &verifier{past: past, out: p}
	code := exitDone
	for _, err := range v.all() {
		if c := p.failed("verify", err); code != exitDamage {
			code = c
		}
	}
	if code == exitDone {
		printf(p.stdout, "good: %d snapshots, %s frames, %s commands up to seq %d; the state hash of every snapshot, "+
			"and %s in the log, agree\n", v.snapshots, countText(v.report.Frames), countText(v.report.Commands), v.report.Last.Seq,
			countText(v.points))
	}
	return code
}

type verifier struct {
	past      *past
	out       *process
	report    journal.ScanReport
	snapshots int
	points    uint64            // state hashes in the log
	want      map[uint64]string // hashes of snapshots by Seq
}

// all returns every fault.
func (v *verifier) all() (faults []error) {
	files, err := filepath.Glob(filepath.Join(v.past.dataDir, "snapshots", "*.snap"))
	if err != nil {
		return []error{err}
	}
	v.want = map[uint64]string{}
	var oldest *journal.SnapshotInfo
	for _, file := range files {
		info, err := v.snapshot(file)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		v.snapshots++
		v.want[info.Seq] = info.StateHash
		if oldest == nil || info.Seq < oldest.Seq {
			oldest = info
		}
	}
	return append(faults, v.log(oldest)...)
}

// snapshot restores one, which verifies every checksum, and compares its state hash.
func (v *verifier) snapshot(file string) (*journal.SnapshotInfo, error) {
	r, err := journal.OpenSnapshot(file)
	if err != nil {
		return nil, err
	}
	info := &journal.SnapshotInfo{File: file, SnapshotMeta: r.Meta()}
	if err := errors.Join(r.Close(), v.past.restore(info)); err != nil {
		return nil, err
	}
	if got := hashText(v.past.rebuild.StateHash()); got != info.StateHash {
		return nil, &journal.DamageError{
			File: file, Offset: 0, What: fmt.Sprintf("its state hashes to %s, its manifest says %s", got, info.StateHash),
			Do: "move it away: the snapshot before it and the log give the same state",
		}
	}
	return info, nil
}

// log replays every frame, from the first when the log still has it, else from a snapshot.
func (v *verifier) log(oldest *journal.SnapshotInfo) (faults []error) {
	isPlaced := false
	report, err := journal.Scan(v.past.dataDir, func(place journal.Place, h *journal.Header, body []byte) error {
		if !isPlaced {
			isPlaced = true
			if err := v.begin(h, oldest); err != nil {
				return err
			}
		}
		if h.HashSeq > 0 {
			v.points++
		}
		if _, err := v.past.frame(place, h, body); err != nil {
			return err
		}
		if want, ok := v.want[h.LastSeq]; ok && v.past.rebuild.Seq() == h.LastSeq {
			if got := hashText(v.past.rebuild.StateHash()); got != want {
				faults = append(faults, &journal.DamageError{
					File: place.File, Offset: place.Offset, Do: "replay with the binary that wrote the log and compare",
					What: fmt.Sprintf("replay to seq %d hashes to %s, the snapshot of that place to %s", h.LastSeq, got, want),
				})
			}
		}
		return nil
	})
	v.report = report
	if err != nil {
		faults = append(faults, err)
	}
	return faults
}

// begin puts the state before the first frame that is there.
func (v *verifier) begin(h *journal.Header, oldest *journal.SnapshotInfo) error {
	if h.FirstSeq == 1 || oldest == nil {
		return v.past.empty()
	}
	return v.past.restore(oldest)
}
