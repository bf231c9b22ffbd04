package api

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"plimsoll/internal/journal"
)

// snapshot answers POST /v1/snapshot when the snapshot is published: the state as of one
// place in the order, written while commands go on.
func (s *Server) snapshot(ctx *fasthttp.RequestCtx) {
	if s.engine.Status().NothingIsKept {
		s.fail(ctx, &Error{
			Status: http.StatusConflict, Code: codeNoJournal,
			Message: "this daemon keeps nothing (--data none): start it with --data DIR to take snapshots",
		})
		return
	}
	info, err := s.engine.Snapshot()
	keep(ctx, time.Now()) // writing one may take longer than a reply may
	switch {
	case errors.Is(err, journal.ErrSnapshotRunning):
		s.fail(ctx, &Error{
			Status: http.StatusConflict, Code: codeSnapshotRunning,
			Message: "a snapshot is being taken already; /v1/status shows it as last_snapshot when it is done",
		})
	case err != nil:
		s.fail(ctx, s.refused(err))
	default:
		s.reply(ctx, http.StatusOK, append(appendSnapshotInfo([]byte{'{'}, &info), '}'), info.Seq)
	}
}

// appendSnapshotInfo writes what is told of a snapshot.
func appendSnapshotInfo(dst []byte, info *journal.SnapshotInfo) []byte {
	dst = appendUintField(dst, "seq", info.Seq)
	dst = appendTextField(dst, "file", info.File)
	dst = appendIntField(dst, "bytes", info.Bytes)
	dst = appendSecondsField(dst, "seconds", info.Seconds)
	dst = appendTextField(dst, "state_hash", info.StateHash)
	dst = appendUintField(dst, "accounts", info.Accounts)
	dst = appendIntField(dst, "time", info.TimeMs)
	dst = appendIntField(dst, "taken", info.TakenUnixMs)
	return appendIntField(dst, "shards", int64(info.Shards))
}

// appendSecondsField writes seconds as a number with three decimals.
func appendSecondsField(dst []byte, name string, seconds float64) []byte {
	const decimals = 3
	return strconv.AppendFloat(appendKey(dst, name), seconds, 'f', decimals, 64)
}

// appendRecovery writes what the start of this process found, or null.
func appendRecovery(dst []byte, r *journal.Report) []byte {
	dst = appendKey(dst, "recovery")
	if r == nil {
		return append(dst, "null"...)
	}
	dst = append(dst, '{')
	dst = appendTextField(dst, "snapshot_file", r.SnapshotFile)
	dst = appendUintField(dst, "snapshot_seq", r.SnapshotSeq)
	dst = appendUintField(dst, "frames", r.Frames)
	dst = appendUintField(dst, "commands", r.Commands)
	dst = appendUintField(dst, "last_seq", r.LastSeq)
	dst = appendIntField(dst, "bytes_cut", r.BytesCut)
	dst = appendTextField(dst, "cut_reason", r.CutReason)
	dst = appendUintField(dst, "hash_checked_seq", r.HashChecked)
	return append(appendSecondsField(dst, "seconds", r.Seconds), '}')
}

// appendLastSnapshot writes the newest snapshot, or null.
func appendLastSnapshot(dst []byte, info *journal.SnapshotInfo) []byte {
	dst = appendKey(dst, "last_snapshot")
	if info == nil {
		return append(dst, "null"...)
	}
	return append(appendSnapshotInfo(append(dst, '{'), info), '}')
}
