package bench

import (
	"encoding/json"
	"testing"

	"github.com/valyala/fasthttp"

	"plimsoll/internal/api"
	"plimsoll/risk"
)

// BenchmarkEncodeAccount is GET /v1/accounts/{account} without a socket: Server.Handle, from
// the request as fasthttp has read it to the reply as it will write it, of an account with
// four positions. The reference is the same read without text: Engine.Read of
// Machine.ReadAccount; so x-ref is what routing and text add to the figures.
func BenchmarkEncodeAccount(b *testing.B) {
	for _, mode := range eachMode() {
		s := shape{accounts: 1_000, mode: mode}
		b.Run(s.String(), func(b *testing.B) { encodeAccount(b, s) })
	}
}

func encodeAccount(b *testing.B, s shape) {
	b.Helper()
	const rounds, account = 500, 471
	w := draw(s)
	e := newEngine(b, w, 1)
	load(b, e, w)
	server := api.NewServer(&api.Config{
		Engine: e, Directory: newDirectory(b, w), Shards: 1, ClientsMax: 64, Version: "bench", Ready: func() error { return nil },
	})
	ctx := new(fasthttp.RequestCtx)
	ctx.Request.Header.SetMethod("GET")
	ctx.Request.SetRequestURI("/v1/accounts/" + string(appendAddress(nil, account)))
	var view risk.AccountView
	p := pairs{items: rounds}
	p.ours = func() {
		for range rounds {
			ctx.Response.Reset()
			server.Handle(ctx)
		}
	}
	p.reference = func() {
		for range rounds {
			if _, err := e.Read(account, func(m *risk.Machine) { m.ReadAccount(account, &view) }); err != nil {
				b.Fatal(err)
			}
		}
	}
	p.run(b)
	b.ReportMetric(float64(len(ctx.Response.Body())), "B/body")
	var reply struct {
		Account   string            `json:"account"`
		Positions []json.RawMessage `json:"positions"`
	}
	if err := json.Unmarshal(ctx.Response.Body(), &reply); err != nil {
		b.Fatal(err)
	}
	if reply.Account != string(appendAddress(nil, account)) || len(reply.Positions) != positions || len(view.Positions) != positions {
		b.Fatalf("%d %.500s", ctx.Response.StatusCode(), ctx.Response.Body())
	}
}
