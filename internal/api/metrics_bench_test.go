package api

import "testing"

// BenchmarkScrape is one GET /metrics of a daemon with two shards, without the socket.
func BenchmarkScrape(b *testing.B) {
	h := newHouse(b, 2)
	h.furnish()
	ctx := requestOf("GET", "/metrics")
	for range b.N {
		h.server.Handle(ctx)
	}
	b.ReportMetric(float64(len(ctx.Response.Body())), "B/scrape")
}

// BenchmarkObserve is what counting adds to every request.
func BenchmarkObserve(b *testing.B) {
	s, ctx := benchServer(), orderRequest()
	s.Handle(ctx)
	for range b.N {
		s.observe(ctx)
	}
}
