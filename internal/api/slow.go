package api

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"plimsoll/internal/engine"
	"plimsoll/internal/metrics"
	"plimsoll/risk"
)

// A request of commands that takes longer than a threshold is logged with what each stage took
// of it, as far as that is known: one record of 128 is traced (engine/trace.go), and from the
// first slow one on everything is, for a second. Every request is timed, so none is missed; of
// the first the line may have the whole alone.

const (
	// SlowDefault is from when on a request of commands counts as slow.
	SlowDefault = 100 * time.Millisecond
	// slowEvery is how far lines are apart at least: what came in between is counted in the next.
	slowEvery = time.Second
)

// telemetry is what an engine tells about itself, if it is the real one.
type telemetry interface {
	Count(counter engine.Counter) uint64
	AddLatency(stage engine.Stage, s *metrics.Snapshot)
	JournalAge() (ns int64)
	SubmitTraced(records []risk.Command, results []engine.Result, t *engine.Trace) error
	TraceAll()
	Elapsed(t time.Time) int64
}

// slowLog is the log of slow requests.
type slowLog struct {
	log    *slog.Logger  // nil: none
	lastNs atomic.Int64  // of the last line, since 1970
	left   atomic.Uint64 // slow requests since then
	slow   atomic.Uint64 // slow requests so far
}

// slowParts is what the stages took of one traced request, in ns.
type slowParts [stagesTraced]int64

// The parts of a traced request, in order.
const (
	partDecode = iota
	partRingWait
	partJournal
	partApply
	partGate
	partWake
	partEncode
	stagesTraced
)

// watch sets up what watches requests.
func (s *Server) watch(cfg *Config) {
	s.made, s.slowNs = time.Now(), int64(SlowDefault)
	s.document = sync.OnceValue(func() []byte { return makeContract(cfg.Version) })
	s.setEngine(cfg.Engine)
}

// LogSlow has commands that take longer logged. It is called before Serve.
func (s *Server) LogSlow(log *slog.Logger, from time.Duration) {
	s.slow.log, s.slowNs = log, int64(from)
}

// setEngine gives the server its engine, or nil.
func (s *Server) setEngine(e Engine) {
	s.engine = e
	s.telemetry, _ = e.(telemetry)
}

// submitTraced has the engine take a request; the trace is whole if it was traced.
func (s *Server) submitTraced(r *request) error {
	r.trace.IsWhole = false
	if s.telemetry == nil {
		return s.engine.Submit(r.decoder.Records(), r.results)
	}
	return s.telemetry.SubmitTraced(r.decoder.Records(), r.results, &r.trace)
}

// endTrace measures what this room took of a traced request: before it entered the engine,
// and since it came back. Of one that is slow the parts are kept for the log.
func (s *Server) endTrace(ctx *fasthttp.RequestCtx, r *request) {
	began := ctx.Time()
	if began.IsZero() {
		return
	}
	tr := &r.trace
	began64, end := s.telemetry.Elapsed(began), s.telemetry.Elapsed(time.Now())
	s.meter.decode.Record(tr.Entered-began64, tr.Weight)
	s.meter.encode.Record(end-tr.Resumed, tr.Weight)
	if end-began64 <= s.slowNs {
		return
	}
	parts := &slowParts{
		partDecode: tr.Entered - began64, partRingWait: tr.Sequenced - tr.Entered,
		partApply: tr.Applied - max(tr.Durable, tr.Sequenced), partGate: tr.Released - tr.Applied,
		partWake: tr.Resumed - tr.Released, partEncode: end - tr.Resumed,
	}
	if tr.Durable > 0 {
		parts[partJournal] = tr.Durable - tr.Sequenced
	}
	ctx.SetUserValue(slowKey, parts)
}

// slowKey is where a request keeps its parts.
const slowKey = "plimsoll.slow"

// noteSlow counts a slow request, logs it unless one was just logged, and has those that
// follow traced.
func (s *Server) noteSlow(ctx *fasthttp.RequestCtx, tookNs int64) {
	s.slow.slow.Add(1)
	if s.telemetry != nil {
		s.telemetry.TraceAll()
	}
	if s.slow.log == nil {
		return
	}
	now, last := time.Now().UnixNano(), s.slow.lastNs.Load()
	if now-last < int64(slowEvery) || !s.slow.lastNs.CompareAndSwap(last, now) {
		s.slow.left.Add(1)
		return
	}
	const usNs = 1000
	args := []any{
		"took_us", tookNs / usNs, "status", ctx.Response.StatusCode(), "body_bytes", len(ctx.PostBody()),
		"seq", string(ctx.Response.Header.Peek("X-Plimsoll-Seq")), "not_logged", s.slow.left.Swap(0),
	}
	if parts, ok := ctx.UserValue(slowKey).(*slowParts); ok {
		for part, name := range [stagesTraced]string{
			"decode_us", "ring_wait_us", "journal_us", "apply_us", "gate_us", "wake_us", "encode_us",
		} {
			args = append(args, name, parts[part]/usNs)
		}
	}
	s.slow.log.Warn("slow commands", args...)
}
