package api

import (
	"testing"

	"github.com/valyala/fasthttp"

	"plimsoll/fixedpoint"
	"plimsoll/internal/engine"
	"plimsoll/risk"
)

// instant answers at once: what remains is the text side alone.
type instant struct{ Engine }

func (instant) Submit(records []risk.Command, results []engine.Result) error {
	for i := range results {
		results[i] = engine.Result{
			Seq: 123456789, TimeMs: 1790091087693, HasAmounts: true, Rule: risk.RuleInitialMargin,
			Required: fixedpoint.I128(37_072_312_500), Available: fixedpoint.I128(4_620_350_000_000), Decimals: 8,
		}
	}
	return nil
}

// Read finds every client known.
func (instant) Read(uint32, func(m *risk.Machine)) (uint64, error) { return 0, nil }

func orderRequest() *fasthttp.RequestCtx {
	ctx := new(fasthttp.RequestCtx)
	ctx.Request.Header.SetMethod("POST")
	ctx.Request.SetRequestURI("/v1/commands")
	ctx.Request.Header.SetContentType("application/json")
	ctx.Request.Header.Set("X-Plimsoll-Client", "desk-1")
	ctx.Request.SetBodyString(orderBody)
	return ctx
}

func benchServer() *Server {
	return NewServer(&Config{Engine: instant{}, Directory: testDirectory(), Shards: 1, ClientsMax: 64})
}

func TestOrderRequestAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	s, ctx := benchServer(), orderRequest()
	if n := testing.AllocsPerRun(200, func() { s.Handle(ctx) }); n != 0 {
		t.Errorf("an order request allocates %v times, want 0", n)
	}
	if ctx.Response.StatusCode() != 200 {
		t.Errorf("%d %s", ctx.Response.StatusCode(), ctx.Response.Body())
	}
}

// BenchmarkOrderRequest measures what the order path adds to a request that fasthttp has
// read: decode, a pipeline that answers at once, encode, headers. echo is the least that
// any handler does.
func BenchmarkOrderRequest(b *testing.B) {
	s := benchServer()
	for _, c := range []struct {
		name    string
		handler fasthttp.RequestHandler
	}{
		{"plimsoll", s.Handle},
		{"echo", func(ctx *fasthttp.RequestCtx) {
			ctx.SetContentType("application/json")
			ctx.SetBody(ctx.PostBody())
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			ctx := orderRequest()
			b.ReportAllocs()
			for b.Loop() {
				c.handler(ctx)
			}
		})
	}
}

// full turns every request away.
type full struct{ instant }

func (full) Submit([]risk.Command, []engine.Result) error { return engine.ErrBusy }

func TestFullRingSaysWhenToComeBack(t *testing.T) {
	s := NewServer(&Config{Engine: full{}, Directory: testDirectory(), Shards: 1, ClientsMax: 64})
	ctx := orderRequest()
	s.Handle(ctx)
	if code, after := ctx.Response.StatusCode(), string(ctx.Response.Header.Peek("Retry-After")); code != 429 || after != "1" {
		t.Errorf("%d with Retry-After %q: %s", code, after, ctx.Response.Body())
	}
}

func TestClientsAreBounded(t *testing.T) {
	s := NewServer(&Config{Engine: instant{}, Directory: testDirectory(), Shards: 1, ClientsMax: 3})
	for i, want := range []int{200, 200, 400} {
		ctx := orderRequest()
		ctx.Request.Header.Set("X-Plimsoll-Client", "desk-"+string(appendInt(nil, int64(i))))
		s.Handle(ctx)
		if got := ctx.Response.StatusCode(); got != want {
			t.Errorf("client %d: %d %s, want %d", i, got, ctx.Response.Body(), want)
		}
	}
}
