package api

import (
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// Codes of requests that are turned away.
const (
	codeUnauthorized = "unauthorized" // 401
	codeForbidden    = "forbidden"    // 403
	codeRateLimited  = "rate_limited" // 429
)

// guard judges who sends a request. A server without one lets everybody do everything.
type guard struct {
	tokens atomic.Pointer[Tokens] // replaced whole; pairs with Store in SetTokens

	unauthorized, forbidden, rateLimited atomic.Uint64 // requests turned away
}

// AccessCounts are the requests and connections turned away since the start.
type AccessCounts struct {
	Unauthorized, Forbidden, RateLimited uint64 // requests
	Connections, ConnectionsPerIP        uint64 // connections above a limit
}

// AccessCounts returns what was turned away so far.
func (s *Server) AccessCounts() AccessCounts {
	c := AccessCounts{Connections: s.door.refused.Load(), ConnectionsPerIP: s.door.refusedPerIP.Load()}
	if g := s.guard; g != nil {
		c.Unauthorized, c.Forbidden, c.RateLimited = g.unauthorized.Load(), g.forbidden.Load(), g.rateLimited.Load()
	}
	return c
}

// SetTokens replaces the tokens of a server that was made with some. Requests in flight end
// as they began; event streams of tokens that are gone end within a heartbeat.
func (s *Server) SetTokens(tokens *Tokens) {
	if s.guard == nil {
		panic("api: BUG: SetTokens on a server without tokens")
	}
	tokens.inherit(s.guard.tokens.Load())
	s.guard.tokens.Store(tokens) // pairs with Load in identify
}

// authorize answers 401, 403 or 429 unless the sender of a request may use a route. The
// caller has seen that there is a guard. holder is nil on routes that need no token.
func (s *Server) authorize(ctx *fasthttp.RequestCtx, path []byte) (holder *apiToken, ok bool) {
	need := scopesOf(path)
	if need == scopeFree {
		return nil, true
	}
	holder, scopes := s.identify(ctx)
	switch {
	case holder == nil:
		s.unauthorized(ctx)
		return nil, false
	case scopes&need == 0:
		s.guard.forbidden.Add(1)
		s.auditDenied(ctx, holder, codeForbidden, need)
		s.fail(ctx, forbidden(string(ctx.Method())+" "+clipped(path), authHeader, need, scopes))
		return nil, false
	}
	if rate := &holder.owner.rate; rate.isLimited() {
		now := ctx.Time()
		if now.IsZero() { // not from a socket
			now = time.Now()
		}
		if wait, ok := rate.take(now.UnixNano(), 1); !ok {
			s.limited(ctx, rate, wait)
			return nil, false
		}
	}
	return holder, true
}

const (
	authHeader  = "Authorization"
	bearer      = "Bearer "
	basic       = "Basic "
	secretMax   = 128 // bytes of a token
	credentials = 256 // bytes of what stands behind Basic
)

// identify returns the token that a request carries and what it may do, or nil. A connection
// remembers its last token, because almost every request carries that again and a hash takes
// longer than all the rest: 120 ns.
func (s *Server) identify(ctx *fasthttp.RequestCtx) (holder *apiToken, scopes Scope) {
	header := &ctx.Request.Header
	wasOff := header.DisableNormalizing() // this spelling is the canonical one already
	value := header.Peek(authHeader)
	if !wasOff {
		header.EnableNormalizing()
	}
	tokens := s.guard.tokens.Load() // pairs with Store in SetTokens
	if c, ok := ctx.Conn().(*conn); ok {
		if c.tokens == tokens && subtle.ConstantTimeCompare(c.credential, value) == 1 {
			return c.holder, c.scopes
		}
		holder, scopes = tokens.identify(value)
		if holder != nil {
			c.tokens, c.holder, c.scopes = tokens, holder, scopes
			c.credential = append(c.credential[:0], value...)
		}
		return holder, scopes
	}
	return tokens.identify(value)
}

// identify returns the token of a value of the header Authorization, or nil. A browser can
// show a page only with Basic, and sends that along to every page that asks it to: it counts
// as read alone, whatever the token may do; the name in front of the token is not looked at.
func (t *Tokens) identify(value []byte) (holder *apiToken, scopes Scope) {
	if secret, ok := afterScheme(value, bearer); ok {
		if holder = t.find(secret); holder != nil {
			scopes = holder.scopes
		}
		return holder, scopes
	}
	encoded, ok := afterScheme(value, basic)
	if !ok || len(encoded) > credentials {
		return nil, 0
	}
	var room [credentials]byte
	n, err := base64.StdEncoding.Decode(room[:], encoded)
	if err != nil {
		return nil, 0
	}
	for i, c := range room[:n] {
		if c == ':' {
			if holder = t.find(room[i+1 : n]); holder != nil {
				scopes = holder.scopes & ScopeRead
			}
			return holder, scopes
		}
	}
	return nil, 0
}

// afterScheme returns what follows a scheme, which compares without case.
func afterScheme(value []byte, scheme string) (rest []byte, ok bool) {
	if len(value) <= len(scheme) {
		return nil, false
	}
	for i := range len(scheme) {
		if value[i] != scheme[i] && value[i]|0x20 != scheme[i]|0x20 {
			return nil, false
		}
	}
	return value[len(scheme):], true
}

// unauthorized answers a request without a token that is known.
func (s *Server) unauthorized(ctx *fasthttp.RequestCtx) {
	s.guard.unauthorized.Add(1)
	s.auditDenied(ctx, nil, codeUnauthorized, 0)
	h := &ctx.Response.Header
	h.Set("WWW-Authenticate", `Bearer realm="plimsoll"`)
	if isPage(ctx) {
		h.Add("WWW-Authenticate", `Basic realm="plimsoll", charset="UTF-8"`)
	}
	message := "this token is not known: ask who runs the daemon for one"
	if len(ctx.Request.Header.Peek(authHeader)) == 0 {
		message = "a token is needed: send the header Authorization: Bearer TOKEN"
	}
	s.fail(ctx, &Error{Status: http.StatusUnauthorized, Code: codeUnauthorized, Field: authHeader, Message: message})
}

// limited answers a request of a token that sends more than it may.
func (s *Server) limited(ctx *fasthttp.RequestCtx, rate *bucket, wait time.Duration) {
	s.guard.rateLimited.Add(1)
	s.fail(ctx, &Error{
		Status: http.StatusTooManyRequests, Code: codeRateLimited, Field: authHeader, Limit: "token_rate=" + rate.limit.String(),
		Message: "this token has sent more commands and reads than it may; nothing was applied, come back after Retry-After seconds",
	})
	seconds := (wait + time.Second - 1) / time.Second
	ctx.Response.Header.Set("Retry-After", strconv.FormatInt(int64(max(1, seconds)), 10))
}

// clientOf returns the client number within which the ids of a token are unique: its name is
// that of the client, and X-Plimsoll-Client is not looked at, so that nobody can ask for the
// results of another.
func (s *Server) clientOf(ctx *fasthttp.RequestCtx, holder *apiToken) (client uint16, ok bool) {
	if known := holder.owner.client.Load(); known != 0 {
		return uint16(known - 1), true
	}
	name := []byte(holder.owner.name)
	client, ok = s.dir.Client(name)
	if !ok || int(client) >= s.clientsMax {
		if client, ok = s.openClient(ctx, name); !ok {
			return 0, false
		}
	}
	holder.owner.client.Store(int32(client) + 1)
	return client, true
}

// granted returns what a decoder lets the sender of a request do, or 0 when nobody asks:
// there is no guard, and nothing is written down.
func (s *Server) granted(holder *apiToken) Scope {
	switch {
	case holder != nil:
		return holder.scopes
	case s.audit.log != nil:
		return scopesAll
	default:
		return 0
	}
}

// refuse answers commands of which none was applied.
func (s *Server) refuse(ctx *fasthttp.RequestCtx, holder *apiToken, d *Decoder, fault *Error) {
	if fault.Code == codeForbidden {
		s.guard.forbidden.Add(1)
	}
	s.auditRefused(ctx, holder, d, fault)
	s.fail(ctx, fault)
}

// strangerBodyMax is the largest body that is read before anybody asks whose it is, in bytes:
// what one packet or two carry.
const strangerBodyMax = 64 << 10

// glance looks at the header of a request before its body is read: without a token nobody
// makes the daemon hold a large one.
func (s *Server) glance(h *fasthttp.RequestHeader) (c fasthttp.RequestConfig) {
	if size := h.ContentLength(); size > strangerBodyMax || size == -1 { // -1: in chunks
		if holder, _ := s.guard.tokens.Load().identify(h.Peek(authHeader)); holder == nil {
			c.MaxRequestBodySize = strangerBodyMax
		}
	}
	return c
}

// isStranger reports whether a request carries no token that is known, where one is needed.
func (s *Server) isStranger(ctx *fasthttp.RequestCtx) bool {
	if s.guard == nil {
		return false
	}
	holder, _ := s.guard.tokens.Load().identify(ctx.Request.Header.Peek(authHeader))
	return holder == nil
}

// isRevoked reports whether the token of an open stream is no longer what it was.
func (s *Server) isRevoked(holder *apiToken) bool {
	return holder != nil && !s.guard.tokens.Load().has(holder)
}

// isOfThisPage reports whether a body without a content type may be taken for JSON. A browser
// asks before it sends JSON for a page of somebody else, and is told no; a body without a type
// it sends unasked, also to a daemon on loopback, and then says whose page it was.
func isOfThisPage(ctx *fasthttp.RequestCtx) bool { return len(ctx.Request.Header.Peek("Origin")) == 0 }
