package api

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	cdpruntime "github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// A real browser is used where there is one: $PLIMSOLL_CHROMIUM, or one of these on the path.
// PLIMSOLL_BROWSER=required makes it a fault when there is none. Screenshots go to
// $PLIMSOLL_ARTEFACTS, or to where go test puts what a test leaves.
var browserNames = []string{"chromium", "chromium-browser", "google-chrome"}

// tabTimeout bounds what one test does in a browser.
const tabTimeout = 20 * time.Second

// browser is one headless process for all tests of the page; each test has its own profile.
type browser struct {
	ctx       context.Context
	artefacts string
}

func findBrowser(t *testing.T) string {
	t.Helper()
	if name := os.Getenv("PLIMSOLL_CHROMIUM"); name != "" {
		return name
	}
	for _, name := range browserNames {
		if found, err := exec.LookPath(name); err == nil {
			return found
		}
	}
	if os.Getenv("PLIMSOLL_BROWSER") == "required" {
		t.Fatalf("no browser is found: install chromium, or name one in PLIMSOLL_CHROMIUM")
	}
	t.Skipf("no browser is found, the page is not tested: install chromium, or name one in PLIMSOLL_CHROMIUM")
	return ""
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(findBrowser(t)),
		chromedp.Flag("hide-scrollbars", true))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	ctx, end := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), options...)
	t.Cleanup(end)
	ctx, endBrowser := chromedp.NewContext(ctx)
	t.Cleanup(endBrowser)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("the browser does not start: %v", err)
	}
	b := &browser{ctx: ctx, artefacts: os.Getenv("PLIMSOLL_ARTEFACTS")}
	if b.artefacts == "" {
		b.artefacts = t.ArtifactDir()
	}
	return b
}

// tab is one page in a profile of its own.
type tab struct {
	t       *testing.T
	browser *browser
	ctx     context.Context
	base    string // of the daemon

	mu     sync.Mutex
	faults []string // what the console said
	hosts  []string // who was asked
}

// look says how a tab looks at the page.
type look struct {
	width, height int64
	scheme        string // dark or light
}

var desktop, phone = look{1440, 900, "dark"}, look{360, 740, "dark"}

// open opens an empty tab. What the console says and who is asked is written down.
func (b *browser) open(t *testing.T, base string, l look) *tab {
	t.Helper()
	ctx, end := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext())
	t.Cleanup(end)
	ctx, stop := context.WithTimeout(ctx, tabTimeout)
	t.Cleanup(stop)
	p := &tab{t: t, browser: b, ctx: ctx, base: base}
	p.do() // a tab must be there before it is listened to
	if err := chromedp.Listen(ctx, p.listen); err != nil {
		t.Fatal(err)
	}
	call(p, cdplog.Enable, cdp.Empty{})
	call(p, cdpruntime.Enable, cdp.Empty{})
	call(p, network.Enable, network.EnableParams{})
	p.size(l.width, l.height)
	p.scheme(l.scheme)
	return p
}

func (p *tab) listen(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *cdpruntime.EventConsoleAPICalled:
		if e.Type == cdpruntime.ConsoleAPICalledTypeError || e.Type == cdpruntime.ConsoleAPICalledTypeWarning {
			p.faults = append(p.faults, fmt.Sprintf("console: %v", e.Args))
		}
	case *cdpruntime.EventExceptionThrown:
		p.faults = append(p.faults, "exception: "+e.ExceptionDetails.Text)
		if e.ExceptionDetails.Exception != nil {
			p.faults = append(p.faults, e.ExceptionDetails.Exception.Description)
		}
	case *cdplog.EventEntryAdded:
		if e.Entry.Level == cdplog.EntryLevelError || e.Entry.Level == cdplog.EntryLevelWarning {
			p.faults = append(p.faults, fmt.Sprintf("%s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL))
		}
	case *network.EventRequestWillBeSent:
		if u, err := url.Parse(e.Request.URL); err == nil && u.Host != "" {
			p.hosts = append(p.hosts, u.Host)
		}
	}
}

// call sends one command of the protocol.
func call[P, R any](p *tab, command cdp.Command[P, R], params P) R {
	p.t.Helper()
	result, err := chromedp.Call(p.ctx, command, params)
	if err != nil {
		p.t.Fatalf("%s: %v", command.Method, err)
	}
	return result
}

func (p *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, steps...); err != nil {
		p.t.Fatal(err)
	}
}

func (p *tab) size(width, height int64) {
	call(p, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: width, Height: height, DeviceScaleFactor: 1, Mobile: width < 600,
	})
}

func (p *tab) scheme(name string) {
	call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: name}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
}

// visit opens the page and waits until it is live.
func (p *tab) visit() {
	p.t.Helper()
	p.do(chromedp.Navigate(p.base + "/"))
	p.await("the page is live", `document.body?.dataset.state === "live"`)
}

// eval returns what an expression in the page gives.
func eval[T any](p *tab, expression string) T {
	p.t.Helper()
	value, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		p.t.Fatalf("%s: %v", expression, err)
	}
	return value
}

// await waits until an expression in the page holds.
func (p *tab) await(what, expression string) {
	p.t.Helper()
	for {
		isTrue, err := chromedp.Run(p.ctx, chromedp.Evaluate[bool]("Boolean("+expression+")"))
		if err == nil && isTrue {
			return
		}
		if p.ctx.Err() != nil || err != nil && !strings.Contains(err.Error(), "context") {
			p.t.Fatalf("%s: never (%v); the console says %q", what, err, p.said())
		}
		time.Sleep(15 * time.Millisecond)
	}
}

// said returns what the console said so far.
func (p *tab) said() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.faults)
}

// press presses keys, one after the other.
func (p *tab) press(keys ...string) {
	p.t.Helper()
	for _, key := range keys {
		p.do(chromedp.KeyEvent(key))
	}
}

// text returns the text of the first element that a selector finds.
func (p *tab) text(selector string) string {
	p.t.Helper()
	return eval[string](p, fmt.Sprintf(`document.querySelector(%q)?.textContent ?? ""`, selector))
}

// keep keeps a screenshot of the whole page as an artefact.
func (p *tab) keep(name string) {
	p.t.Helper()
	png, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		p.t.Fatal(err)
	}
	if err := os.MkdirAll(p.browser.artefacts, 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.browser.artefacts, "dashboard-"+name+".png"), png, 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// isQuiet wants an empty console, and that nobody but the daemon was asked. Where a test
// takes the daemon away the browser itself notes that requests fail.
func (p *tab) isQuiet(isTakenAway bool) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, fault := range p.faults {
		if !isTakenAway || !strings.HasPrefix(fault, "network: Failed to load resource") {
			p.t.Errorf("the console says %s", fault)
		}
	}
	for _, host := range p.hosts {
		if "http://"+host != p.base {
			p.t.Errorf("the page asked %s", host)
		}
	}
	if len(p.hosts) == 0 {
		p.t.Error("nothing was asked: the test sees no requests")
	}
}

// pageHouse is a house whose dashboard is as quick as a browser beside other tests can follow.
func pageHouse(t testing.TB, shards int) *house {
	t.Helper()
	h := newHouse(t, shards)
	h.server.dashboard.every = 120 * time.Millisecond
	return h
}

// walk has prices move until the test ends.
func (h *house) walk() {
	done := make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			case <-time.After(40 * time.Millisecond):
				h.tick(60000 + i%7*20)
			}
		}
	})
	h.t.Cleanup(func() {
		close(done)
		group.Wait()
	})
}

// restart takes the server away and puts another in its place, on the same address.
func (h *house) restart(between func()) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(h.t.Context()), 5*time.Second)
	defer cancel()
	old := h.server
	if err := old.Shutdown(ctx); err != nil {
		h.t.Fatal(err)
	}
	_ = h.listen.Close() // a server that was stopped before it served leaves it open
	between()
	listen, err := net.Listen("tcp", h.listen.Addr().String())
	if err != nil {
		h.t.Fatal(err)
	}
	h.server = NewServer(&Config{Engine: h.engine, Directory: old.dir, Shards: old.shards, ClientsMax: old.clientsMax, Version: "after"})
	h.server.dashboard.every = old.dashboard.every
	h.listen = listen
	go func() { _ = h.server.Serve(listen) }()
}
