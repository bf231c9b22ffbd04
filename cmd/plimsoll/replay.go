package main

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"github.com/valyala/fasthttp"

	"plimsoll/fixedpoint"
	"plimsoll/internal/api"
	"plimsoll/internal/engine"
	"plimsoll/internal/journal"
)

// replayResult is what replay prints.
type replayResult struct {
	Seq         uint64  `json:"seq"`
	Time        int64   `json:"time"` // engine time, ms
	StateHash   string  `json:"state_hash"`
	Snapshot    string  `json:"snapshot"` // "" = from the first frame
	SnapshotSeq uint64  `json:"snapshot_seq"`
	Frames      uint64  `json:"frames"`
	HashChecked uint64  `json:"hash_checked"` // last seq whose hash in the log was compared
	Seconds     float64 `json:"seconds"`
}

// replay rebuilds a state and prints its hash, or the margin of an account.
func replay(_ context.Context, p *process) int {
	var dir, account string
	var seq uint64
	var isJSON bool
	shards, detect := 1, detectBands
	f := newFlags("replay", "Rebuilds the state of a data directory from the newest usable snapshot, or from the first frame, and\n"+
		"prints the last seq, its time and the state hash, which equals GET /v1/status of the daemon at that seq. The directory\n"+
		"is not changed and may be in use.")
	f.operand(&dir, "DIR")
	f.number64(&seq, option{"seq", "N", "The last command to apply; 0 = the last committed.", "what was true at an earlier place."})
	f.number(&shards, option{"shards", "N", "Accounts are split this many ways.", "proof that the hash does not depend on it."})
	addDetectFlag(f, &detect)
	f.text(&account, option{
		"account", "NAME", "Prints the margin of this account as of that seq, as GET /v1/accounts/NAME/margin answers it.",
		"how an account stood when it was liquidated.",
	})
	f.toggle(&isJSON, option{"json", "", "Prints one JSON object.", "scripts read it."})
	events, isEvents := eventPrinter{out: p.stdout}, false
	f.toggle(&isEvents, option{
		"events", "", "Prints the public events instead, a line each, as GET /v1/events gives them.",
		"events that the daemon keeps no longer, or a comparison with what it told.",
	})
	f.number64(&events.after, option{"after", "N", "With --events: the seq after which they begin.", "the rest is known."})
	if code, done := p.parse(f); done {
		return code
	}
	if err := detectOf(detect, &engine.Config{}); err != nil {
		return p.misused(f, err)
	}
	past, err := newPast(dir, shards, seq)
	if err == nil {
		past.detect = detect
		if isEvents {
			past.events = &events
		}
		err = past.open()
	}
	if err != nil {
		return p.failed("replay", err)
	}
	if isEvents {
		return exitDone
	}
	if account != "" {
		return past.printMargin(p, account)
	}
	r := past.result()
	if isJSON {
		return p.printJSON("replay", &r)
	}
	from := "the first frame"
	if r.Snapshot != "" {
		from = fmt.Sprintf("snapshot %s (seq %d)", r.Snapshot, r.SnapshotSeq)
	}
	printf(p.stdout, "seq %d, %s\nstate hash %s\nfrom %s and %s frames, in %.3f s; state hashes in the log agree up to seq %d\n",
		r.Seq, timeText(r.Time), r.StateHash, from, countText(r.Frames), r.Seconds, r.HashChecked)
	return exitDone
}

func (p *past) result() replayResult {
	r := replayResult{
		Seq: p.rebuild.Seq(), Time: p.rebuild.TimeMs(), StateHash: hashText(p.rebuild.StateHash()), Frames: p.frames,
		HashChecked: p.rebuild.HashChecked(), Seconds: p.took.Seconds(),
	}
	if p.from != nil {
		r.Snapshot, r.SnapshotSeq = filepath.Base(p.from.File), p.from.Seq
	}
	return r
}

// printMargin has the HTTP code answer from the rebuilt state.
func (p *past) printMargin(out *process, account string) int {
	e := p.rebuild.Engine()
	e.Start()
	defer e.Close()
	server := api.NewServer(&api.Config{
		Engine: e, Directory: p.names, Shards: p.shards, ClientsMax: p.settings.ClientsMax, Version: versionText(),
	})
	var ctx fasthttp.RequestCtx
	ctx.Request.SetRequestURI("/v1/accounts/" + account + "/margin")
	server.Handle(&ctx)
	body := ctx.Response.Body()
	if ctx.Response.StatusCode() != http.StatusOK {
		return out.failed("replay", fmt.Errorf("as of seq %d: %s", p.rebuild.Seq(), body))
	}
	printf(out.stdout, "%s\n", body)
	return exitDone
}

// failed reports why a verb of a data directory ends, and returns its exit code.
func (p *process) failed(verb string, err error) int {
	printf(p.stderr, "plimsoll %s: %v\n", verb, err)
	return codeOf(err)
}

// codeOf returns the exit code of an error.
func codeOf(err error) int {
	var damage *journal.DamageError
	if errors.As(err, &damage) || isDivergence(err) || errors.Is(err, errWrong) || errors.Is(err, errNewer) {
		return exitDamage
	}
	return exitFault
}

// printJSON prints v on a line.
func (p *process) printJSON(verb string, v any) int {
	line, err := json.Marshal(v)
	if err != nil {
		return p.failed(verb, err)
	}
	printf(p.stdout, "%s\n", line)
	return exitDone
}

// isDivergence reports whether a state is another than the log says.
func isDivergence(err error) bool { return errors.Is(err, engine.ErrDiverged) }

// hashText prints a state hash as GET /v1/status does.
func hashText(h fixedpoint.Hash128) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], h.Hi)
	binary.BigEndian.PutUint64(b[8:], h.Lo)
	return hex.EncodeToString(b[:])
}

// timeText prints engine time for people.
func timeText(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z") }
