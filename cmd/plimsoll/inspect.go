package main

import (
	"context"
	"encoding/json"
	"path/filepath"

	"plimsoll/internal/journal"
)

// shownFrame is a frame as inspect prints it.
type shownFrame struct {
	Kind      string `json:"kind"`
	Number    uint64 `json:"number"`
	FirstSeq  uint64 `json:"first_seq"`
	LastSeq   uint64 `json:"last_seq"`
	Records   uint32 `json:"records"`
	Time      int64  `json:"time"`
	AckedSeq  uint64 `json:"acked_seq"`
	Version   uint16 `json:"version"`
	Bytes     int    `json:"bytes"`
	HashSeq   uint64 `json:"hash_seq,omitempty"`
	StateHash string `json:"state_hash,omitempty"`
	Prev      string `json:"prev"`
	Link      string `json:"link"`
	File      string `json:"file"`
	Offset    int64  `json:"offset"`
	Index     uint64 `json:"index"`
	Term      uint64 `json:"term"`
}

// shownSnapshot is a snapshot as inspect prints it.
type shownSnapshot struct {
	Kind  string `json:"kind"`
	File  string `json:"file"`
	Bytes int64  `json:"bytes"`
	journal.SnapshotMeta
}

// shownLog is the log as a whole.
type shownLog struct {
	Kind string `json:"kind"`
	journal.ScanReport
}

// inspect prints what a data directory holds.
func inspect(_ context.Context, p *process) int {
	var dir string
	var isJSON, isLiquidations bool
	var after uint64
	f := newFlags("inspect", "Prints the snapshots and every committed frame of a data directory, oldest first. The directory is\n"+
		"not changed and may be in use.")
	f.operand(&dir, "DIR")
	f.toggle(&isJSON, option{"json", "", "Prints JSON, an object a line.", "scripts read it."})
	f.toggle(&isLiquidations, option{
		"liquidations", "", "Replays instead, and judges each decision of a liquidation by its own figures; " +
			"exit code 3: one does not hold.",
		"proof that nobody was liquidated who was safe.",
	})
	f.number64(&after, option{
		"after", "N", "With --liquidations: the seq after which they are judged.",
		"the log begins with a snapshot, or the rest is known.",
	})
	if code, done := p.parse(f); done {
		return code
	}
	past, err := newPast(dir, 1, 0)
	if err != nil {
		return p.failed("inspect", err)
	}
	i := &inspector{p: p, isJSON: isJSON}
	if isLiquidations {
		err = i.liquidations(past, after)
	} else {
		err = i.all(past)
	}
	if err != nil {
		return p.failed("inspect", err)
	}
	return exitDone
}

type inspector struct {
	p      *process
	isJSON bool
}

// line prints v as JSON, or the text for people.
func (i *inspector) line(v any, format string, args ...any) error {
	if !i.isJSON {
		printf(i.p.stdout, format+"\n", args...)
		return nil
	}
	text, err := json.Marshal(v)
	printf(i.p.stdout, "%s\n", text)
	return err
}

func (i *inspector) all(p *past) error {
	s := &p.settings
	err := i.line(s, "settings: accounts_max %d, clients_max %d, id_window %d", s.AccountsMax, s.ClientsMax, s.IDWindow)
	if err != nil {
		return err
	}
	snapshots, err := journal.ListSnapshots(p.dataDir)
	if err != nil {
		return err
	}
	for n := range snapshots {
		x := &snapshots[n]
		err := i.line(&shownSnapshot{"snapshot", x.File, x.Bytes, x.SnapshotMeta},
			"snapshot %s: seq %d, %s, %d accounts, %s bytes, hash %s", filepath.Base(x.File), x.Seq, timeText(x.TimeMs),
			x.Accounts, countText(uint64(max(0, x.Bytes))), x.StateHash)
		if err != nil {
			return err
		}
	}
	report, err := journal.Scan(p.dataDir, i.frame)
	if err != nil {
		return err
	}
	return i.line(&shownLog{"log", report}, "log: %d segments, %s frames, %s commands, %s bytes; after seq %d up to seq %d",
		report.Segments, countText(report.Frames), countText(report.Commands), countText(report.Bytes), report.First.Seq, report.Last.Seq)
}

// frame prints one frame.
func (i *inspector) frame(place journal.Place, h *journal.Header, body []byte) error {
	x := shownFrame{
		Kind: "frame", Number: h.Number, FirstSeq: h.FirstSeq, LastSeq: h.LastSeq, Records: h.Count, Time: h.TimeMs, AckedSeq: h.AckedSeq,
		Version: h.Version, Bytes: journal.HeaderSize + len(body), Prev: h.Prev.String(), Link: h.Link().String(),
		File: filepath.Base(place.File), Offset: place.Offset, Index: place.Index, Term: place.Term,
	}
	proof := ""
	if h.HashSeq > 0 {
		x.HashSeq, x.StateHash = h.HashSeq, h.StateHash.String()
		proof = ", state at seq " + countText(h.HashSeq) + " " + x.StateHash
	}
	return i.line(&x, "frame %d: seq %d to %d, %d records, %s, %s at byte %d, link %s%s",
		x.Number, x.FirstSeq, x.LastSeq, x.Records, timeText(x.Time), x.File, x.Offset, x.Link, proof)
}
