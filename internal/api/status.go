package api

import (
	"net/http"

	"github.com/valyala/fasthttp"

	"plimsoll/risk"
)

// status answers GET /v1/status.
func (s *Server) status(ctx *fasthttp.RequestCtx) {
	hash, seq, err := s.engine.StateHash()
	if err != nil {
		s.fail(ctx, unavailable(err))
		return
	}
	var accounts uint32
	if _, err = s.engine.Read(0, func(m *risk.Machine) { accounts = m.AccountCount() }); err != nil {
		s.fail(ctx, unavailable(err))
		return
	}
	t := s.engine.Status()
	dst := appendUintField([]byte{'{'}, "seq", seq)
	dst = appendTextField(dst, "version", s.version)
	dst = appendTextField(dst, "role", "leader")       // one node: it leads itself
	dst = appendUintField(dst, "term", max(t.Term, 1)) // without a journal there is one term
	dst = appendUintField(dst, "sequenced", t.Sequenced)
	dst = appendUintField(dst, "durable", t.Durable)
	dst = append(appendKey(dst, "applied"), '[')
	for _, applied := range t.Applied {
		dst = appendInt(appendSep(dst), int64(applied))
	}
	dst = append(appendKey(append(dst, ']'), "state_hash"), '"')
	dst = append(appendHex(appendHex(dst, hash.Hi, 16), hash.Lo, 16), '"')
	dst = appendUintField(dst, "accounts", uint64(accounts))
	dst = appendBoolField(dst, "nothing_is_kept", t.NothingIsKept)
	dst = appendBoolField(dst, "read_only", t.ReadOnly)
	if free, ok := s.free(); ok {
		dst = appendUintField(dst, "free_bytes", free)
	}
	dst = appendLastSnapshot(dst, t.LastSnapshot)
	if t.NothingIsKept {
		dst = appendRecovery(dst, nil)
	} else {
		dst = appendRecovery(dst, &t.Recovery.Report)
	}
	dst = appendBands(dst, &t.Bands)
	dst = append(appendKey(dst, "rings"), '{')
	dst = appendIntField(dst, "ingress", int64(t.IngressDepth))
	dst = appendIntField(dst, "sequenced", int64(t.SequenceDepth))
	dst = appendIntField(dst, "broadcast", int64(t.BroadcastDepth))
	dst = append(appendKey(dst, "outboxes"), '[')
	for _, depth := range t.OutboxDepths {
		dst = appendInt(appendSep(dst), int64(depth))
	}
	dst = appendUintField(append(dst, ']', '}'), "events", t.Events)
	dst = appendUintField(dst, "conflated_ticks", t.ConflatedTicks)
	dst = appendUintField(dst, "conflated_prices", t.ConflatedPrices)
	dst = appendIntField(dst, "event_streams", int64(s.streams.Load()))
	s.reply(ctx, http.StatusOK, append(dst, '}'), seq)
}
