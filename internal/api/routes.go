package api

import (
	"bytes"
	"net/http"

	"github.com/valyala/fasthttp"

	"plimsoll/risk"
)

// readAccount copies an account at one place in the order; isOpen is false when nobody
// opened it.
func (s *Server) readAccount(slot uint32, v *risk.AccountView) (isOpen bool, seq uint64, err error) {
	seq, err = s.engine.Read(slot, func(m *risk.Machine) {
		v.TimeMs = m.TimeMs()
		isOpen = slot != risk.NoAccount && m.ReadAccount(slot, v)
	})
	return isOpen, seq, err
}

// account answers GET /v1/accounts/{account} and what lies below it.
func (s *Server) account(ctx *fasthttp.RequestCtx, rest []byte) {
	name, part, _ := bytes.Cut(rest, []byte("/"))
	method := "GET"
	if string(part) == "simulate" {
		method = "POST"
	}
	if !allow(ctx, s, method) {
		return
	}
	switch string(part) {
	case "", "margin":
	case "explain":
		s.explain(ctx, name)
		return
	case "liquidation_prices":
		s.liquidationPrices(ctx, name)
		return
	case "simulate":
		s.simulate(ctx, name)
		return
	default:
		s.fail(ctx, &Error{
			Status: http.StatusNotFound, Code: codeNotFound,
			Message: "an account has no " + quoted(part) + "; / lists the routes",
		})
		return
	}
	l, err := s.static()
	if err != nil {
		s.fail(ctx, unavailable(err))
		return
	}
	v := s.views.Get().(*risk.AccountView)
	defer s.views.Put(v)
	isOpen, seq, err := s.readAccount(s.dir.Account(name), v)
	if !s.isRead(ctx, name, isOpen, err) {
		return
	}
	r := s.requests.Get().(*request)
	defer s.giveBack(r)
	switch string(part) {
	case "margin":
		r.reply = appendMarginReply(r.reply[:0], seq, v, l, s.dir)
	default:
		r.reply = appendAccount(r.reply[:0], seq, v, l, s.dir)
	}
	s.reply(ctx, http.StatusOK, r.reply, seq)
}

// listed answers the reference data.
func (s *Server) listed(ctx *fasthttp.RequestCtx, path string) {
	l, err := s.readListing()
	if err != nil {
		s.fail(ctx, unavailable(err))
		return
	}
	dst := appendUintField([]byte{'{'}, "seq", l.seq)
	dst = appendIntField(dst, "time", l.timeMs)
	dst = append(appendKey(dst, path[len("/v1/"):]), '[')
	switch path {
	case "/v1/tokens":
		for _, t := range l.tokensByIndex() {
			dst = appendToken(appendSep(dst), t, l)
		}
	case "/v1/perps":
		for i := range l.perps {
			dst = appendPerp(appendSep(dst), &l.perps[i], l)
		}
	case "/v1/spots":
		for i := range l.spots {
			dst = appendSpot(appendSep(dst), &l.spots[i], l)
		}
	case "/v1/pools":
		for _, t := range l.tokensByIndex() {
			if t.HasPool {
				dst = append(appendPool(append(appendSep(dst), '{'), t), '}')
			}
		}
	}
	s.reply(ctx, http.StatusOK, append(dst, ']', '}'), l.seq)
}

// pool answers GET /v1/pools/{token}.
func (s *Server) pool(ctx *fasthttp.RequestCtx, name []byte) {
	name, part, isPart := bytes.Cut(name, []byte("/"))
	if isPart {
		s.poolHistory(ctx, name, part)
		return
	}
	l, err := s.readListing()
	if err != nil {
		s.fail(ctx, unavailable(err))
		return
	}
	slot, ok := s.dir.lookup(nameToken, name)
	t := l.token(slot)
	if !ok || !t.HasPool {
		s.fail(ctx, &Error{
			Status: http.StatusNotFound, Code: codeUnknownToken, Field: "token",
			Message: "no token " + quoted(name) + " with a lending pool is listed",
		})
		return
	}
	dst := appendUintField([]byte{'{'}, "seq", l.seq)
	s.reply(ctx, http.StatusOK, append(appendPool(dst, t), '}'), l.seq)
}

// info answers POST /info.
func (s *Server) info(ctx *fasthttp.RequestCtx) {
	r := s.requests.Get().(*request)
	defer s.giveBack(r)
	if fault := r.decoder.decodeInfo(ctx.PostBody(), &r.info); fault != nil {
		s.fail(ctx, fault)
		return
	}
	reply, seq, fault := s.infoReply(r.reply[:0], &r.info)
	if r.reply = reply; fault != nil {
		s.fail(ctx, fault)
		return
	}
	s.reply(ctx, http.StatusOK, reply, seq)
}

// plain answers the routes for whoever watches the process.
func (s *Server) plain(ctx *fasthttp.RequestCtx, path string) {
	if path == "/readyz" {
		if err := s.unready(); err != nil {
			s.fail(ctx, notReady(err))
			return
		}
	}
	s.stamp(ctx, s.lastSeq.Load())
	ctx.SetContentType("text/plain; charset=utf-8")
	ctx.SetBodyString("ok\n")
}

// unready returns why the daemon is not ready, or nil. One that takes no commands because
// its disk is full is ready: it answers reads.
func (s *Server) unready() error {
	if s.ready != nil {
		if err := s.ready(); err != nil {
			return err
		}
	}
	if !s.isOpen.Load() {
		return errRecovering
	}
	return nil
}

// isAnsweredClosed reports whether a route is answered before there is an engine.
func isAnsweredClosed(path []byte) bool {
	switch string(path) {
	case "/", "/healthz", "/readyz", "/metrics", "/openapi.json":
		return true
	default:
		return bytes.HasPrefix(path, []byte("/dashboard/"))
	}
}

const routeList = `Plimsoll: a portfolio-margin risk engine

POST /v1/commands                              one command, an array, lines (application/x-ndjson),
                                               or records (application/vnd.plimsoll.commands)
GET  /v1/accounts/{account}                    balances, positions, orders, margin
GET  /v1/accounts/{account}/margin             the margin figures alone
GET  /v1/accounts/{account}/explain            every term of the ratio, as trees that re-add exactly
GET  /v1/accounts/{account}/liquidation_prices where each position and collateral is liquidated, and
                                               the least joint move of all prices that does it
POST /v1/accounts/{account}/simulate           {"commands":[...],"prices":{...}}: the account before and
                                               after, and every refusal; changes nothing
GET  /v1/accounts?order=risk&limit=100         the accounts nearest to liquidation
GET  /v1/tokens /v1/perps /v1/spots /v1/pools /v1/pools/{token}
GET  /v1/pools/{token}/history                 hour by hour: rates, totals, indices (?start=&end=&limit=)
GET  /v1/totals                                sums over all accounts, and the solvency identity
GET  /v1/whatif?market=BTC&move=-0.1           accounts by health if prices moved so; without market, all of them
GET  /v1/dashboard/stream                      what the dashboard shows, as server-sent events
GET  /v1/events?after=SEQ&account=&types=A,B   server-sent events, or lines (Accept: application/x-ndjson)
GET  /v1/status                                how far each stage is, last snapshot, last recovery
POST /v1/snapshot                              writes a snapshot now
GET  /healthz /readyz                          alive; ready to answer
GET  /metrics                                  counters, gauges and histograms for Prometheus
GET  /openapi.json                             all of this as an OpenAPI 3.1 document
GET  /debug/pprof/{profile}                    profiles of the process: admin, or from this machine
POST /info                                     reads in the shape of Hyperliquid's API
GET  /                                         this; for a browser, the dashboard, with the files in /dashboard/
`
