package api

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"path"
	"strings"
	"sync"

	"github.com/valyala/fasthttp"
)

// The dashboard is a page of plain files that are built into the daemon: nothing is fetched
// from anywhere else, and its policy says so. The page and its files need no token; what it
// shows does, and the page asks for one when it is refused.

//go:embed dashboard
var dashboardFiles embed.FS

const (
	dashboardPage   = "index.html"
	dashboardPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)

// dashboardFile is one file as it is served.
type dashboardFile struct {
	kind string // content type
	tag  string // ETag: a digest of body
	body []byte
}

// dashboardKinds are the content types by extension.
var dashboardKinds = map[string]string{
	".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

// dashboardAssets are all files by name.
var dashboardAssets = sync.OnceValue(func() map[string]*dashboardFile {
	const folder = "dashboard"
	entries, err := dashboardFiles.ReadDir(folder)
	if err != nil {
		panic("api: BUG: " + err.Error())
	}
	files := map[string]*dashboardFile{}
	for _, entry := range entries {
		body, err := dashboardFiles.ReadFile(folder + "/" + entry.Name())
		kind := dashboardKinds[path.Ext(entry.Name())]
		if err != nil || kind == "" {
			panic("api: BUG: the dashboard has the file " + entry.Name())
		}
		sum := sha256.Sum256(body)
		files[entry.Name()] = &dashboardFile{kind: kind, tag: `"` + hex.EncodeToString(sum[:8]) + `"`, body: body}
	}
	return files
})

// dashboardAsset answers GET /dashboard/{file}.
func (s *Server) dashboardAsset(ctx *fasthttp.RequestCtx, name []byte) {
	file := dashboardAssets()[string(name)]
	if file == nil || string(name) == dashboardPage {
		s.fail(ctx, &Error{
			Status: http.StatusNotFound, Code: codeNotFound,
			Message: "the dashboard has no file " + quoted(name) + "; / is the page",
		})
		return
	}
	s.sendAsset(ctx, file)
}

// root answers GET /: the dashboard for a browser, else the list of routes.
func (s *Server) root(ctx *fasthttp.RequestCtx) {
	ctx.Response.Header.Set("Vary", "Accept")
	if isPage(ctx) || ctx.IsHead() && strings.Contains(string(ctx.Request.Header.Peek("Accept")), "text/html") {
		s.sendAsset(ctx, dashboardAssets()[dashboardPage])
		return
	}
	s.stamp(ctx, s.lastSeq.Load())
	ctx.SetContentType("text/plain; charset=utf-8")
	ctx.SetBodyString(routeList)
}

// sendAsset sends a file, or says that the one the browser has is the same.
func (s *Server) sendAsset(ctx *fasthttp.RequestCtx, file *dashboardFile) {
	s.stamp(ctx, s.lastSeq.Load())
	h := &ctx.Response.Header
	h.Set("Content-Security-Policy", dashboardPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-cache") // asked again each time, by its tag
	h.Set("ETag", file.tag)
	if string(ctx.Request.Header.Peek("If-None-Match")) == file.tag {
		ctx.SetStatusCode(http.StatusNotModified)
		return
	}
	ctx.SetContentType(file.kind)
	ctx.SetBody(file.body)
}
