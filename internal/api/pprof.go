package api

import (
	"bytes"
	"net"
	"net/http"
	"runtime/pprof"
	"runtime/trace"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"
)

// Profiles of a time take this long, unless they are asked to.
const (
	profileDefault = 30 * time.Second
	profileMax     = 120 * time.Second
)

const (
	codeForbiddenHere  = "forbidden_here"  // 403: only from this machine
	codeUnknownProfile = "unknown_profile" // 404
	codeProfileRunning = "profile_running" // 409
)

const limitProfile = "profile_seconds_max=120"

// isAdmin reports whether the sender of a request may look into the process. Where there are
// tokens, scope admin has let it in already (routeRules); else it must be of this machine.
func (s *Server) isAdmin(ctx *fasthttp.RequestCtx) bool {
	if s.guard != nil {
		return true
	}
	address, ok := ctx.RemoteAddr().(*net.TCPAddr)
	return ok && address.IP.IsLoopback()
}

// profile answers GET /debug/pprof/{profile}.
func (s *Server) profile(ctx *fasthttp.RequestCtx, name string) {
	if !s.isAdmin(ctx) {
		s.fail(ctx, &Error{
			Status: http.StatusForbidden, Code: codeForbiddenHere,
			Message: "without tokens profiles are given to this machine alone: ask from loopback, or start with --auth-file",
		})
		return
	}
	var body bytes.Buffer
	switch name {
	case "profile":
		s.profileFor(ctx, &body, func() error { return pprof.StartCPUProfile(&body) }, pprof.StopCPUProfile)
	case "trace":
		s.profileFor(ctx, &body, func() error { return trace.Start(&body) }, trace.Stop)
	default:
		p := pprof.Lookup(name)
		if p == nil {
			s.fail(ctx, &Error{
				Status: http.StatusNotFound, Code: codeUnknownProfile, Field: "profile",
				Message: "there is no profile " + quoted([]byte(name)) + "; there are profile, trace, " + profileNames(),
			})
			return
		}
		debug := ctx.QueryArgs().GetUintOrZero("debug")
		if err := p.WriteTo(&body, debug); err != nil {
			s.fail(ctx, &Error{Status: http.StatusInternalServerError, Code: codeInternal, Message: err.Error()})
			return
		}
		if debug > 0 {
			s.giveProfile(ctx, &body, "text/plain; charset=utf-8")
			return
		}
		s.giveProfile(ctx, &body, mediaProfile)
	}
}

// profileFor watches the process for a while.
func (s *Server) profileFor(ctx *fasthttp.RequestCtx, body *bytes.Buffer, start func() error, stop func()) {
	length := profileDefault
	if text := ctx.QueryArgs().Peek("seconds"); len(text) > 0 {
		seconds, err := strconv.Atoi(string(text))
		if length = time.Duration(seconds) * time.Second; err != nil || seconds < 1 || length > profileMax {
			s.fail(ctx, &Error{
				Status: http.StatusBadRequest, Code: codeInvalidNumber, Field: "seconds", Limit: limitProfile,
				Message: "seconds is 1 to 120, not " + quoted(text),
			})
			return
		}
	}
	if err := start(); err != nil {
		s.fail(ctx, &Error{
			Status: http.StatusConflict, Code: codeProfileRunning,
			Message: "a profile is being taken already: " + err.Error(),
		})
		return
	}
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.closing:
	}
	stop()
	keep(ctx, time.Now())
	s.giveProfile(ctx, body, mediaProfile)
}

func (s *Server) giveProfile(ctx *fasthttp.RequestCtx, body *bytes.Buffer, kind string) {
	s.stamp(ctx, s.lastSeq.Load())
	ctx.SetContentType(kind)
	ctx.Response.SetBodyRaw(body.Bytes())
}

// profileNames lists what runtime/pprof has.
func profileNames() string {
	var names []byte
	for _, p := range pprof.Profiles() {
		if len(names) > 0 {
			names = append(names, ", "...)
		}
		names = append(names, p.Name()...)
	}
	return string(names)
}
