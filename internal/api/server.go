package api

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"plimsoll/internal/engine"
	"plimsoll/risk"
)

// Config is what a Server needs, in full.
type Config struct {
	Engine     Engine // nil: Open gives it when it has recovered; until then the routes answer not_ready
	Directory  *Directory
	Shards     int          // machines behind Engine: how many ReadAll visits
	ClientsMax int          // clients whose ids the engine remembers, 1 to clientsMax
	Version    string       // shown by GET /v1/status
	Ready      func() error // why the daemon is not ready, or nil

	Tokens *Tokens      // who may do what; nil: everybody may do everything
	TLS    *tls.Config  // nil: none
	Limits Limits       // fields that are zero have their defaults
	Audit  *slog.Logger // takes a line for each action of scope admin; nil: none

	FreeLowBytes uint64 // free space below which the journal takes nothing: for messages; 0 = not told
}

// Server serves the HTTP contract.
type Server struct {
	engine     Engine
	dir        *Directory
	shards     int
	clientsMax int
	version    string
	ready      func() error
	freeLow    uint64 // bytes
	http       *fasthttp.Server

	guard  *guard // nil: everybody may do everything
	audit  audit
	limits Limits
	door   door
	tls    *tls.Config // nil: none

	telemetry telemetry // engine, or nil
	meter     httpMeter
	slow      slowLog
	slowNs    int64 // from when on commands are slow
	passes    totalsKeeper
	dashboard dashboard
	document  func() []byte // the contract
	made      time.Time

	listings  listingCache
	requests  sync.Pool     // of *request
	views     sync.Pool     // of *risk.AccountView
	sandboxes sync.Pool     // of *sandbox, without New: see simulate.go
	lastSeq   atomic.Uint64 // highest place any reply has reflected
	streams   atomic.Int32  // open streams of events
	listeners listeners     // those that run
	isOpen    atomic.Bool   // engine is there; pairs with Store in Open
	closing   chan struct{} // closed by Shutdown: ends streams
	once      sync.Once
}

// request is what one request to /v1/commands or /info works with; it is pooled, so that
// the order path allocates nothing.
type request struct {
	decoder *Decoder
	results []engine.Result
	reply   []byte
	info    infoRequest
	trace   engine.Trace
}

// NewServer returns a server that does not listen yet.
func NewServer(cfg *Config) *Server {
	s := &Server{
		engine: cfg.Engine, dir: cfg.Directory, shards: cfg.Shards, version: cfg.Version, ready: cfg.Ready,
		clientsMax: min(cfg.ClientsMax, clientsMax), freeLow: cfg.FreeLowBytes, closing: make(chan struct{}),
	}
	s.limits, s.tls, s.audit.log = cfg.Limits.orDefaults(), cfg.TLS, cfg.Audit
	s.door = door{all: s.limits.Connections, perIP: s.limits.ConnectionsPerIP, byIP: map[netip.Addr]int{}}
	s.requests.New = func() any { return &request{decoder: NewDecoder(s.dir)} }
	s.views.New = func() any { return new(risk.AccountView) }
	s.http = &fasthttp.Server{
		Handler:                      s.Handle,
		ErrorHandler:                 s.refuseFault,
		Concurrency:                  s.limits.Connections + 1, // the door turns away before
		ReadBufferSize:               s.limits.HeaderBytes,
		MaxRequestBodySize:           s.limits.BodyBytes,
		ConnState:                    changed, // and so no timeouts here: see conn
		NoDefaultDate:                true,
		NoDefaultServerHeader:        true, // 80 ns a request that tell nobody anything
		DisablePreParseMultipartForm: true,
		CloseOnShutdown:              true,
		Logger:                       quiet{},
	}
	if cfg.Tokens != nil {
		s.guard = new(guard)
		s.guard.tokens.Store(cfg.Tokens)
		s.http.HeaderReceived = s.glance
	}
	s.watch(cfg)
	if cfg.Engine != nil {
		s.isOpen.Store(true)
	}
	return s
}

// Open gives a server that listens already the engine that it answers from. It is called
// once, when the engine has recovered.
func (s *Server) Open(e Engine) {
	if s.isOpen.Load() {
		panic("api: BUG: Open of an open server")
	}
	s.setEngine(e)
	s.isOpen.Store(true)
}

// quiet drops what fasthttp logs of single connections: whoever sent the request has been
// answered, and a flood of bad ones must not become a flood of lines.
type quiet struct{}

// Printf drops the line.
func (quiet) Printf(string, ...any) {}

// Serve answers requests from l until Shutdown.
func (s *Server) Serve(l net.Listener) error { return s.http.Serve(listener{l, s}) }

// Shutdown ends event streams, lets requests in flight finish, and stops listening.
func (s *Server) Shutdown(ctx context.Context) error {
	s.once.Do(func() {
		close(s.closing)
		s.endStreams()
	})
	err := s.http.ShutdownWithContext(ctx)
	return errors.Join(err, s.awaitStreams(ctx), s.passes.end(ctx))
}

// DropListings forgets what is kept of listings; whoever applies listings that did not
// come through this server calls it.
func (s *Server) DropListings() { s.listings.drop() }

// handle answers one request; Handle counts it as well.
func (s *Server) handle(ctx *fasthttp.RequestCtx) {
	keep(ctx, ctx.Time())
	path := ctx.Path()
	var holder *apiToken
	if s.guard != nil {
		var ok bool
		if holder, ok = s.authorize(ctx, path); !ok {
			return
		}
	}
	if !s.isOpen.Load() && !isAnsweredClosed(path) { // pairs with Store in Open
		s.fail(ctx, notReady(errRecovering))
		return
	}
	switch string(path) {
	case "/v1/commands":
		if allow(ctx, s, "POST") {
			s.commands(ctx, holder)
		}
	case "/info":
		if allow(ctx, s, "POST") {
			s.info(ctx)
		}
	case "/v1/accounts":
		if allow(ctx, s, "GET") {
			s.nearest(ctx)
		}
	case "/v1/tokens", "/v1/perps", "/v1/spots", "/v1/pools":
		if allow(ctx, s, "GET") {
			s.listed(ctx, string(path))
		}
	case "/v1/totals":
		if allow(ctx, s, "GET") {
			s.totals(ctx)
		}
	case "/v1/events":
		if allow(ctx, s, "GET") {
			s.events(ctx, holder)
		}
	case "/v1/status":
		if allow(ctx, s, "GET") {
			s.status(ctx)
		}
	case "/v1/snapshot":
		if allow(ctx, s, "POST") {
			s.audited(ctx, holder, s.snapshot)
		}
	case "/metrics":
		if allow(ctx, s, "GET") {
			s.metrics(ctx)
		}
	case "/openapi.json":
		if allow(ctx, s, "GET") {
			s.contract(ctx)
		}
	case "/v1/whatif":
		if allow(ctx, s, "GET") {
			s.whatIf(ctx)
		}
	case "/healthz", "/readyz":
		if allow(ctx, s, "GET") {
			s.plain(ctx, string(path))
		}
	default:
		s.handleNamed(ctx, path, holder)
	}
}

// handleNamed answers the page, and the routes that carry a name.
func (s *Server) handleNamed(ctx *fasthttp.RequestCtx, path []byte, holder *apiToken) {
	const accounts, pools, profiles, assets = "/v1/accounts/", "/v1/pools/", "/debug/pprof/", "/dashboard/"
	switch {
	case string(path) == "/":
		if allow(ctx, s, "GET") {
			s.root(ctx)
		}
	case string(path) == "/v1/dashboard/stream":
		if allow(ctx, s, "GET") {
			s.dashboardStream(ctx, holder)
		}
	case len(path) > len(accounts) && string(path[:len(accounts)]) == accounts:
		s.account(ctx, path[len(accounts):])
	case len(path) > len(pools) && string(path[:len(pools)]) == pools:
		if allow(ctx, s, "GET") {
			s.pool(ctx, path[len(pools):])
		}
	case len(path) > len(assets) && string(path[:len(assets)]) == assets:
		if allow(ctx, s, "GET") {
			s.dashboardAsset(ctx, path[len(assets):])
		}
	case len(path) > len(profiles) && string(path[:len(profiles)]) == profiles:
		if allow(ctx, s, "GET") {
			s.audited(ctx, holder, func(ctx *fasthttp.RequestCtx) { s.profile(ctx, string(path[len(profiles):])) })
		}
	default:
		s.fail(ctx, &Error{
			Status: http.StatusNotFound, Code: codeNotFound,
			Message: "there is no route " + quoted(path) + "; / lists them",
		})
	}
}

// allow reports whether a route takes the method of a request, and answers 405 if not.
// HEAD goes where GET goes.
func allow(ctx *fasthttp.RequestCtx, s *Server, method string) bool {
	got := ctx.Method()
	if string(got) == method || method == "GET" && string(got) == "HEAD" {
		return true
	}
	if method == "GET" {
		method = "GET, HEAD"
	}
	ctx.Response.Header.Set("Allow", method)
	s.fail(ctx, &Error{
		Status: http.StatusMethodNotAllowed, Code: codeMethodNotAllowed,
		Message: "this route takes " + method + ", not " + clipped(got),
	})
	return false
}

// commands answers POST /v1/commands.
func (s *Server) commands(ctx *fasthttp.RequestCtx, holder *apiToken) {
	form, ok := s.form(ctx)
	if !ok {
		return
	}
	client, ok := s.client(ctx, holder)
	if !ok {
		return
	}
	r := s.requests.Get().(*request)
	defer s.giveBack(r)
	r.decoder.granted = s.granted(holder)
	if fault := r.decoder.Decode(ctx.PostBody(), form, client); fault != nil {
		s.refuse(ctx, holder, r.decoder, fault)
		return
	}
	count := r.decoder.Commands()
	if holder != nil {
		holder.owner.rate.overdraw(count - 1)
	}
	if cap(r.results) < count {
		r.results = make([]engine.Result, count)
	}
	r.results = r.results[:count]
	if err := s.submit(r); err != nil {
		s.refuse(ctx, holder, r.decoder, s.refused(err))
		return
	}
	if r.decoder.needed&ScopeAdmin != 0 && s.audit.log != nil {
		s.auditResults(ctx, holder, r.decoder, r.results)
	}
	r.reply = appendResults(r.reply[:0], r.decoder, r.results)
	status := http.StatusOK
	if !r.decoder.IsBatch() && r.results[0].Reason != risk.ReasonNone {
		status = http.StatusUnprocessableEntity
	}
	s.reply(ctx, status, r.reply, r.results[count-1].Seq)
	if r.trace.IsWhole {
		s.endTrace(ctx, r)
	}
}

// giveBack keeps what a request worked with for another.
func (s *Server) giveBack(r *request) {
	if cap(r.decoder.records) <= recordsKept && cap(r.reply) <= bytesKept {
		s.requests.Put(r)
	}
}

// form returns how the body of a request is written, by its content type.
func (s *Server) form(ctx *fasthttp.RequestCtx) (form Form, ok bool) {
	kind := ctx.Request.Header.ContentType()
	if string(kind) != "application/json" {
		for i, c := range kind {
			if c == ';' || c == ' ' {
				kind = kind[:i]
				break
			}
		}
	}
	if len(ctx.Request.Header.ContentEncoding()) == 0 {
		switch string(kind) {
		case "application/json":
			return FormJSON, true
		case "":
			if isOfThisPage(ctx) {
				return FormJSON, true
			}
		case "application/x-ndjson":
			return FormLines, true
		case "application/vnd.plimsoll.commands":
			return FormRecords, true
		}
	}
	s.fail(ctx, &Error{
		Status: http.StatusUnsupportedMediaType, Code: codeUnsupportedMedia, Field: "Content-Type",
		Message: "a body is application/json, application/x-ndjson or application/vnd.plimsoll.commands, " +
			"not compressed",
	})
	return FormJSON, false
}

// client returns the number of the client that a request names.
func (s *Server) client(ctx *fasthttp.RequestCtx, holder *apiToken) (client uint16, ok bool) {
	if holder != nil {
		return s.clientOf(ctx, holder)
	}
	header := &ctx.Request.Header
	wasOff := header.DisableNormalizing() // this spelling is the canonical one already
	name := header.Peek(clientHeader)
	if !wasOff {
		header.EnableNormalizing()
	}
	if len(name) == 0 {
		return 0, true
	}
	client, ok = s.dir.Client(name)
	if !ok || int(client) >= s.clientsMax {
		return s.openClient(ctx, name)
	}
	return client, true
}

// submit has the engine take a request, and learns from what it listed before a snapshot of
// the directory can miss it.
func (s *Server) submit(r *request) error {
	if r.decoder.listing > 0 {
		s.dir.learning.RLock()
		defer s.dir.learning.RUnlock()
	}
	if err := s.submitTraced(r); err != nil {
		return err
	}
	s.learn(r.decoder, r.results)
	return nil
}

// learn takes from accepted commands what the directory and the listings keep of them.
func (s *Server) learn(d *Decoder, results []engine.Result) {
	if d.listing == 0 && d.records[0].Kind != risk.KindSetParameters {
		return
	}
	for i := range results {
		c := &d.Group(i)[0]
		if results[i].Reason != risk.ReasonNone || results[i].IsDuplicate {
			continue
		}
		switch c.Kind {
		case risk.KindListSpot:
			s.dir.aliasSpot(c)
			s.listings.drop()
		case risk.KindListToken, risk.KindListPerp, risk.KindListDex:
			s.listings.drop()
		case risk.KindOpenAccount, risk.KindImportAccount:
			s.dir.addSub(c.Other(), c.Account())
		}
	}
}

// reply sends a JSON body that reflects a place in the order.
func (s *Server) reply(ctx *fasthttp.RequestCtx, status int, body []byte, seq uint64) {
	s.stamp(ctx, seq)
	ctx.SetStatusCode(status)
	ctx.SetContentType("application/json")
	ctx.SetBody(body)
}

// stamp sets X-Plimsoll-Seq.
func (s *Server) stamp(ctx *fasthttp.RequestCtx, seq uint64) {
	for last := s.lastSeq.Load(); seq > last && !s.lastSeq.CompareAndSwap(last, seq); last = s.lastSeq.Load() {
	}
	var digits [20]byte
	ctx.Response.Header.SetCanonical([]byte("X-Plimsoll-Seq"), strconv.AppendUint(digits[:0], seq, 10))
}

// fail answers with an error.
func (s *Server) fail(ctx *fasthttp.RequestCtx, e *Error) {
	if e.Status == http.StatusTooManyRequests || e.Status == http.StatusServiceUnavailable {
		ctx.Response.Header.Set("Retry-After", "1")
	}
	s.reply(ctx, e.Status, appendError(nil, e), s.lastSeq.Load())
}

// handleFault answers what never became a request.
func (s *Server) handleFault(ctx *fasthttp.RequestCtx, err error) {
	e := &Error{Status: http.StatusBadRequest, Code: codeMalformed, Message: "this is no HTTP/1.1 request"}
	var small *fasthttp.ErrSmallBuffer
	var timeout net.Error
	switch {
	case errors.Is(err, fasthttp.ErrBodyTooLarge) && s.isStranger(ctx):
		keep(ctx, time.Now())
		s.unauthorized(ctx)
		ctx.SetConnectionClose()
		return
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		e.Status, e.Code = http.StatusRequestEntityTooLarge, codeBodyTooLarge
		e.Limit = limitText("body_bytes_max", s.limits.BodyBytes)
		e.Message = "the body is above what one request may hold; send it in parts"
	case errors.As(err, &small):
		e.Status, e.Code = http.StatusRequestHeaderFieldsTooLarge, codeHeaderTooLarge
		e.Limit = limitText("header_bytes_max", s.limits.HeaderBytes)
		e.Message = "the header is above what one request may hold"
	case errors.As(err, &timeout) && timeout.Timeout():
		e.Status, e.Message = http.StatusRequestTimeout, "the request did not arrive in time"
	}
	keep(ctx, time.Now()) // the request's own time is that of the one before
	s.fail(ctx, e)
	ctx.SetConnectionClose()
}
