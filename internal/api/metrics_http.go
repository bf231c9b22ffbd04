package api

import (
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"plimsoll/internal/metrics"
)

// What is counted of every request: its route, its status, and how long it took from the last
// byte of the request to the last of the reply being made. It costs one clock read and three
// additions, some 40 ns of a request that takes the kernel alone some microseconds; so that
// connections do not fight for a line of the cache, counts are kept in stripes.

// httpStripes is how many sets of counts there are, a power of two; a connection has one.
const httpStripes = 8

// statusTable lists the statuses that are told apart; others count as the last.
var statusTable = [...]int{
	200, 400, 401, 403, 404, 405, 408, 409, 410, 413, 415, 422, 429, 431, 500, 503, 0,
}

// httpCounts are the requests of a set of connections.
type httpCounts struct {
	requests [routeOther + 1][len(statusTable)]atomic.Uint64
	commands metrics.Histogram // durations of POST /v1/commands
	_        [64]byte          // the next stripe is others'
}

// httpMeter is everything that is counted of requests.
type httpMeter struct {
	stripes [httpStripes]httpCounts
	others  [routeOther + 1]metrics.Histogram // durations of all other routes: they are slower, and rarer
	decode  metrics.Histogram                 // of traced commands: see slow.go
	encode  metrics.Histogram
	dropped atomic.Uint64 // event streams that were ended because their reader was too slow
}

// statusIndex returns the place of a status in statusTable.
func statusIndex(status int) int {
	for i, s := range statusTable {
		if s == status {
			return i
		}
	}
	return len(statusTable) - 1
}

// Handle answers one request.
func (s *Server) Handle(ctx *fasthttp.RequestCtx) {
	s.handle(ctx)
	s.observe(ctx)
	ctx.Request.ReleaseBody(bytesKept)
}

// observe counts a request that is answered.
func (s *Server) observe(ctx *fasthttp.RequestCtx) {
	path := ctx.Path()
	row := 0
	if string(path) != routeTable[0].path {
		row = routeOf(path)
	}
	s.meter.count(ctx.ConnID(), row, ctx.Response.StatusCode())
	began := ctx.Time()
	if began.IsZero() {
		return // not from a socket
	}
	took := time.Since(began).Nanoseconds()
	if row == 0 {
		s.meter.stripes[ctx.ConnID()%httpStripes].commands.Record(took, 1)
		if took > s.slowNs {
			s.noteSlow(ctx, took)
		}
		return
	}
	s.meter.others[row].Record(took, 1)
}

func (m *httpMeter) count(connection uint64, row, status int) {
	m.stripes[connection%httpStripes].requests[row][statusIndex(status)].Add(1)
}

// refuseFault answers and counts what never became a request.
func (s *Server) refuseFault(ctx *fasthttp.RequestCtx, err error) {
	s.handleFault(ctx, err)
	s.meter.count(ctx.ConnID(), routeOther, ctx.Response.StatusCode())
	ctx.Request.ReleaseBody(bytesKept)
}

// routeName names a row of the table in /metrics.
func routeName(row int) string {
	if row == routeOther {
		return "other"
	}
	return routeTable[row].path
}

// writeHTTP writes what is counted of requests.
func (s *Server) writeHTTP(t *metrics.Text) {
	t.Family("plimsoll_http_requests_total", metrics.Counter, "Requests answered, by route and status; 0 is any other status.")
	for row := range routeOther + 1 {
		for i, status := range statusTable {
			var count uint64
			for n := range s.meter.stripes {
				count += s.meter.stripes[n].requests[row][i].Load()
			}
			if count > 0 || row == 0 && status == http.StatusOK {
				t.Label("route", routeName(row)).Label("code", strconv.Itoa(status)).Uint(count)
			}
		}
	}
	t.Family("plimsoll_http_request_duration_seconds", metrics.HistogramType,
		"From a request being read whole to its reply being made, by route; every request counts.")
	for row := range routeOther + 1 {
		var sum metrics.Snapshot
		if row == 0 {
			for n := range s.meter.stripes {
				s.meter.stripes[n].commands.AddTo(&sum)
			}
		} else {
			s.meter.others[row].AddTo(&sum)
		}
		if sum.Count > 0 || row == 0 {
			t.Label("route", routeName(row)).Histogram(&sum)
		}
	}
	t.Family("plimsoll_event_streams", metrics.Gauge, "Open streams of GET /v1/events.")
	t.Int(int64(s.streams.Load()))
	t.Family("plimsoll_event_streams_dropped_total", metrics.Counter, "Streams ended because their reader did not keep up.")
	t.Uint(s.meter.dropped.Load())
	access := s.AccessCounts()
	t.Family("plimsoll_http_turned_away_total", metrics.Counter, "Requests and connections turned away before they were looked at.")
	t.Label("reason", "unauthorized").Uint(access.Unauthorized)
	t.Label("reason", "forbidden").Uint(access.Forbidden)
	t.Label("reason", "rate_limited").Uint(access.RateLimited)
	t.Label("reason", "connections").Uint(access.Connections)
	t.Label("reason", "connections_per_ip").Uint(access.ConnectionsPerIP)
}
