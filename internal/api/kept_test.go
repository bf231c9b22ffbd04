package api

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
)

// TestLargeRequestsLeaveNothingBehind: connections and pools keep the memory of ordinary requests,
// and not that of the largest that ever came; else a client that sends a few bodies of 8 MB on
// connection after connection makes all of them that large.
func TestLargeRequestsLeaveNothingBehind(t *testing.T) {
	h := newHouse(t, 1)
	for _, c := range []struct {
		name   string
		body   string
		isKept bool
	}{
		{"ordinary", `[` + strings.Repeat(`{"type":"ordre"},`, 100) + `{}]`, true},
		{"large", strings.Repeat(" ", 4<<20) + `{"type":"clock","time":1}`, false},
	} {
		var ctx fasthttp.RequestCtx
		fill := func() {
			ctx.Request.Header.SetMethod(http.MethodPost)
			ctx.Request.Header.SetContentType("application/json")
			ctx.Request.SetRequestURI("/v1/commands")
			ctx.Request.SetBodyString(c.body)
		}
		fill()
		h.server.Handle(&ctx)
		if isKept := len(ctx.Request.Body()) > 0; isKept != c.isKept {
			t.Errorf("%s: the body is kept: %v, want %v", c.name, isKept, c.isKept)
		}
		fill()
		h.server.refuseFault(&ctx, errors.New("broken"))
		if isKept := len(ctx.Request.Body()) > 0; isKept != c.isKept {
			t.Errorf("%s, refused: the body is kept: %v, want %v", c.name, isKept, c.isKept)
		}
	}
	r := &request{decoder: NewDecoder(h.server.dir)}
	body := `[` + strings.Repeat(`{"type":"clock","time":1},`, commandsMax-1) + `{"type":"clock","time":1}]`
	if fault := r.decoder.Decode([]byte(body), FormJSON, 0); fault != nil {
		t.Fatal(fault)
	}
	if got := cap(r.decoder.records); got <= recordsKept {
		t.Fatalf("%d commands fit %d records", commandsMax, got)
	}
	h.server.giveBack(r)
	for range 64 { // a pool gives what it likes
		if x := h.server.requests.Get().(*request); x == r {
			t.Fatal("a decoder of 8,192 records is kept")
		}
	}
}
