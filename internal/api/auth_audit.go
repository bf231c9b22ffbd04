package api

import (
	"bytes"
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"plimsoll/internal/engine"
	"plimsoll/risk"
)

// audit writes a line for everything that needs the scope admin, whether it was allowed,
// refused or failed: who (the name of the token, never the token), from where, which route
// and type of command, what came of it, and the place in the order. A nil log writes nothing.
type audit struct {
	log *slog.Logger

	deniedAtNs atomic.Int64  // when an unknown token was last written down
	suppressed atomic.Uint64 // unknown tokens since
}

// unknownTokenPause is the time between two lines about tokens that are not known, or who
// guesses could fill the disk.
const unknownTokenPause = time.Second

func (s *Server) auditLine(ctx *fasthttp.RequestCtx, holder *apiToken, outcome string, more ...slog.Attr) {
	name := ""
	if holder != nil {
		name = holder.owner.name
	}
	attrs := append([]slog.Attr{
		slog.String("token", name), slog.String("remote", ctx.RemoteIP().String()),
		slog.String("route", clipped(ctx.Method())+" "+clipped(ctx.Path())), slog.String("outcome", outcome),
	}, more...)
	level := slog.LevelInfo
	if outcome == codeUnauthorized || outcome == codeForbidden {
		level = slog.LevelWarn
	}
	s.audit.log.LogAttrs(context.Background(), level, "audit", attrs...)
}

// auditDenied writes down a request that was not let in, if it was for the scope admin or
// nobody knows whose it was.
func (s *Server) auditDenied(ctx *fasthttp.RequestCtx, holder *apiToken, outcome string, need Scope) {
	switch {
	case s.audit.log == nil:
	case holder != nil:
		if need == ScopeAdmin {
			s.auditLine(ctx, holder, outcome)
		}
	default:
		now, last := ctx.Time().UnixNano(), s.audit.deniedAtNs.Load()
		if now-last < int64(unknownTokenPause) || !s.audit.deniedAtNs.CompareAndSwap(last, now) {
			s.audit.suppressed.Add(1)
			return
		}
		s.auditLine(ctx, nil, outcome, slog.Uint64("suppressed", s.audit.suppressed.Swap(0)))
	}
}

// auditRefused writes down commands of which none was applied.
func (s *Server) auditRefused(ctx *fasthttp.RequestCtx, holder *apiToken, d *Decoder, fault *Error) {
	if s.audit.log == nil || d.needed&ScopeAdmin == 0 {
		return
	}
	s.auditLine(ctx, holder, fault.Code, slog.String("field", fault.Field), slog.String("scope", d.needed.String()))
}

// auditResults writes down the commands of a request that need admin, neighbours of one type
// and outcome together.
func (s *Server) auditResults(ctx *fasthttp.RequestCtx, holder *apiToken, d *Decoder, results []engine.Result) {
	type run struct {
		kind    risk.Kind
		outcome string
		count   int
		first   uint64
		last    uint64
	}
	var at run
	flush := func() {
		if at.count > 0 {
			s.auditLine(ctx, holder, at.outcome, slog.String("type", commandName(at.kind)), slog.Int("count", at.count),
				slog.Uint64("seq", at.first), slog.Uint64("last_seq", at.last))
		}
		at = run{}
	}
	for i := range results {
		kind, r := d.Group(i)[0].Kind, &results[i]
		if scopeOf(kind) != ScopeAdmin {
			flush()
			continue
		}
		outcome := "ok"
		switch {
		case r.Reason != risk.ReasonNone:
			outcome = r.Reason.String()
		case r.IsDuplicate:
			outcome = "duplicate"
		}
		if at.count > 0 && (at.kind != kind || at.outcome != outcome) {
			flush()
		}
		if at.count++; at.count == 1 {
			at.kind, at.outcome, at.first = kind, outcome, r.Seq
		}
		at.last = r.Seq
	}
	flush()
}

// audited answers a route that needs admin, and writes it down.
func (s *Server) audited(ctx *fasthttp.RequestCtx, holder *apiToken, handler func(*fasthttp.RequestCtx)) {
	handler(ctx)
	if s.audit.log == nil {
		return
	}
	s.auditLine(ctx, holder, string(appendInt(nil, int64(ctx.Response.StatusCode()))), slog.Uint64("seq", s.lastSeq.Load()))
}

// isPage reports whether a browser asks for a page, which it can show only with Basic.
func isPage(ctx *fasthttp.RequestCtx) bool {
	return ctx.IsGet() && bytes.Contains(ctx.Request.Header.Peek("Accept"), []byte("text/html"))
}
