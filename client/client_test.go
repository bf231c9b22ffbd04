package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// daemon answers the n-th request, from 1, as told.
func daemon(t *testing.T, answer func(n int, w http.ResponseWriter, r *http.Request, body string)) *Client {
	t.Helper()
	var count atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		answer(int(count.Add(1)), w, r, string(body))
	}))
	t.Cleanup(server.Close)
	c, err := New(server.URL+"/", Options{
		Name: "desk-1", Token: "secret", PauseMin: time.Microsecond, PauseMax: time.Millisecond, HeartbeatMax: 200 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func fail(w http.ResponseWriter, status int, code string) {
	w.Header().Set("X-Plimsoll-Seq", "7")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"error":{"code":%q,"message":"m","field":"f","limit":"l","oldest_seq":5}}`, code)
}

// TestDoSendsTheSameIDUntilItIsAnswered: over busy, not ready and a connection that breaks
// after the command was taken.
func TestDoSendsTheSameIDUntilItIsAnswered(t *testing.T) {
	sentBodies := make(chan string, 10)
	c := daemon(t, func(n int, w http.ResponseWriter, r *http.Request, body string) {
		sentBodies <- body
		if r.Header.Get("X-Plimsoll-Client") != "desk-1" || r.Header.Get("Authorization") != "Bearer secret" {
			t.Errorf("header %v", r.Header)
		}
		switch n {
		case 1:
			fail(w, 429, "ring_full")
		case 2:
			fail(w, 503, "not_ready")
		case 3:
			panic(http.ErrAbortHandler)
		default:
			fmt.Fprint(w, `{"seq":42,"ok":true,"time":9,"duplicate":true}`)
		}
	})
	r, err := c.Do(t.Context(), Deposit{Account: "alice", Token: "USDC", Amount: "12.5"})
	if err != nil || r.Seq != 42 || !r.OK || !r.Duplicate || r.Time != 9 {
		t.Errorf("%+v %v", r, err)
	}
	bodies := []string{<-sentBodies, <-sentBodies, <-sentBodies, <-sentBodies}
	if len(slices.Compact(slices.Clone(bodies))) != 1 {
		t.Errorf("not always the same: %q", bodies)
	}
	var sent map[string]string
	if err := json.Unmarshal([]byte(bodies[0]), &sent); err != nil || len(sent["id"]) != 34 || sent["type"] != "deposit" ||
		sent["account"] != "alice" || sent["amount"] != "12.5" || len(sent) != 5 {
		t.Errorf("%s: %v", bodies[0], err)
	}
}

func TestCommandsAreWrittenAsTheContractSays(t *testing.T) {
	id := Meta{ID: "7"}
	for _, c := range []struct {
		command Command
		want    string
	}{
		{Cancel{id, "a", "9"}, `{"type":"cancel","id":"7","account":"a","order_id":"9"}`},
		{Halt{Meta: Meta{ID: "7", Time: 5}, All: true}, `{"type":"halt","id":"7","time":5,"all":true}`},
		{Raw{Meta: Meta{ID: "7", Time: 5}, Kind: "clock"}, `{"id":"7","type":"clock","time":5}`},
		{Raw{Meta: id, Kind: "supply", Fields: map[string]any{"amount": "all"}}, `{"id":"7","type":"supply","amount":"all"}`},
		{
			Order{Meta: id, Account: "a", Market: "BTC", Side: "buy", Size: "1", Price: "2", OrderID: "3", Trigger: &Trigger{"4", true, "sl"}},
			`{"type":"order","id":"7","account":"a","market":"BTC","side":"buy","size":"1","price":"2","order_id":"3",` +
				`"trigger":{"price":"4","is_market":true,"tpsl":"sl"}}`,
		},
	} {
		if got, err := encode(c.command); err != nil || string(got) != c.want {
			t.Errorf("got  %s (%v)\nwant %s", got, err, c.want)
		}
	}
}

func TestRefusalsAreErrorsForGood(t *testing.T) {
	var tries atomic.Int64
	c := daemon(t, func(n int, w http.ResponseWriter, r *http.Request, body string) {
		tries.Store(int64(n))
		if body[0] == '[' {
			fmt.Fprint(w, `[{"seq":42,"ok":true},{"seq":43,"ok":false,"error":{"code":"unknown_account","message":"m"}}]`)
			return
		}
		w.WriteHeader(http.StatusUnprocessableEntity)
		fmt.Fprint(w, `{"seq":42,"ok":false,"error":{"code":"insufficient_margin","message":"m","field":"size","limit":"1.0"}}`)
	})
	r, err := c.Do(t.Context(), Order{Account: "a"})
	var refusal *Error
	if !errors.As(err, &refusal) || !refusal.IsRefusal() || refusal.Code != "insufficient_margin" || refusal.Seq != 42 || r.Seq != 42 || tries.Load() != 1 {
		t.Errorf("%+v %v after %d tries", r, err, tries.Load())
	}
	results, err := c.DoAll(t.Context(), []Command{Halt{All: true}, Deposit{Account: "x"}})
	if err != nil || len(results) != 2 || !results[0].OK || results[1].Err == nil || results[1].Err.Seq != 43 || !results[1].Err.IsRefusal() {
		t.Errorf("%+v %v", results, err)
	}
	if _, err := c.DoAll(t.Context(), []Command{Halt{}}); err == nil {
		t.Error("two results for one command are taken")
	}
}

func TestReadsAndWhatIsWrongWithThem(t *testing.T) {
	c := daemon(t, func(n int, w http.ResponseWriter, r *http.Request, body string) {
		switch r.URL.Path {
		case "/v1/accounts/a:b/margin":
			fmt.Fprint(w, `{"seq":3,"equity":"1.5","portfolio_margin_ratio":null}`)
		case "/v1/status":
			fmt.Fprint(w, `{"seq":3,"applied":[3,3]}`)
		case "/v1/totals":
			fail(w, 503, "unavailable")
		default:
			fail(w, 404, "unknown_account")
		}
	})
	if m, err := c.Margin(t.Context(), "a:b"); err != nil || m.Equity != "1.5" || m.PortfolioMarginRatio != "" {
		t.Errorf("%+v %v", m, err)
	}
	if s, err := c.Status(t.Context()); err != nil || len(s.Applied) != 2 {
		t.Errorf("%+v %v", s, err)
	}
	var answer *Error
	if _, err := c.Account(t.Context(), "x"); !errors.As(err, &answer) || answer.Status != 404 || answer.Seq != 7 || answer.Field != "f" {
		t.Error(err)
	}
	if _, err := c.Totals(t.Context()); !errors.As(err, &answer) || answer.Status != 503 {
		t.Error(err)
	}
	for _, base := range []string{"", "127.0.0.1:8640", "ftp://x", "http://"} {
		if _, err := New(base, Options{}); err == nil {
			t.Errorf("%q is taken as a base URL", base)
		}
	}
}

func event(seq, n int) string {
	return fmt.Sprintf(`{"seq":%d,"n":%d,"type":"halted","time":1,"all":true}`+"\n", seq, n)
}

// TestEventsGoOnOverEveryKindOfEnd: a broken connection, a line cut off, repeats, silence, an
// end that is announced, a daemon that is busy: each event comes once.
func TestEventsGoOnOverEveryKindOfEnd(t *testing.T) {
	c := daemon(t, func(n int, w http.ResponseWriter, r *http.Request, body string) {
		wantID := map[int]string{1: "", 2: "9.4294967295", 3: "10.2", 4: "11.1", 5: "11.1", 6: "12.1", 7: "13.1", 8: "13.1", 9: "13.1"}[n]
		if got := r.Header.Get("Last-Event-ID"); got != wantID {
			t.Errorf("request %d: Last-Event-ID %q, want %q", n, got, wantID)
		}
		if got := r.Header.Get("Accept"); got != "application/x-ndjson" {
			t.Errorf("accepts %s", got)
		}
		w.Header().Set("X-Plimsoll-Seq", "9")
		say := func(text string) {
			fmt.Fprint(w, text)
			w.(http.Flusher).Flush()
		}
		switch n {
		case 1: // closed at once
		case 2:
			say(event(10, 1) + "\n" + event(10, 2))
		case 3:
			say(event(10, 2) + event(11, 1) + event(11, 2)[:20])
			panic(http.ErrAbortHandler)
		case 4:
			fail(w, 503, "not_ready")
		case 5:
			say(event(11, 2) + event(12, 1))
			<-r.Context().Done() // and then silence
		case 6:
			say(event(13, 1) + `{"seq":13,"n":1,"type":"end","code":"shutting_down","message":"m"}` + "\n")
		case 7:
			fail(w, 429, "too_many_streams")
		case 8:
			say(strings.Repeat("\n", 3))
		default:
			say(event(14, 1))
		}
	})
	want := []Cursor{{10, 1}, {10, 2}, {11, 1}, {11, 2}, {12, 1}, {13, 1}, {14, 1}}
	var got []Cursor
	for e, err := range c.Events(t.Context(), Now(), Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid(e.Raw) || e.Type != "halted" || !e.All {
			t.Errorf("event %+v", e)
		}
		if got = append(got, e.Cursor()); len(got) == len(want) {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestGapsAreTold(t *testing.T) {
	for name, c := range map[string]struct {
		after  Cursor
		answer func(w http.ResponseWriter)
		oldest uint64
		next   Cursor
	}{
		"gone":           {After(3), func(w http.ResponseWriter) { fail(w, 410, "event_history_passed") }, 5, Cursor{}},
		"other history":  {After(3), func(w http.ResponseWriter) { fail(w, 409, "event_cursor_ahead") }, 5, Cursor{}},
		"inside a seq":   {Cursor{4, 1}, func(w http.ResponseWriter) { fmt.Fprint(w, event(4, 3)) }, 0, Cursor{4, 3}},
		"start of a seq": {Cursor{4, 1}, func(w http.ResponseWriter) { fmt.Fprint(w, event(5, 2)) }, 0, Cursor{5, 2}},
	} {
		d := daemon(t, func(n int, w http.ResponseWriter, r *http.Request, body string) { c.answer(w) })
		loops := 0
		for e, err := range d.Events(t.Context(), c.after, Filter{}) {
			var gap *GapError
			if !errors.As(err, &gap) || gap.After != c.after || gap.OldestSeq != c.oldest || gap.Next != c.next || gap.Error() == "" {
				t.Errorf("%s: %+v %v", name, e, err)
			}
			loops++
		}
		if loops != 1 {
			t.Errorf("%s: %d turns of the loop, want 1", name, loops)
		}
	}
}

func TestFilteredEventsMoveTheCursor(t *testing.T) {
	c := daemon(t, func(n int, w http.ResponseWriter, r *http.Request, body string) {
		if got := r.URL.RawQuery; got != "account=a+b&types=halted%2Cresumed" {
			t.Errorf("query %s", got)
		}
		switch n {
		case 1:
			fmt.Fprint(w, event(4, 3), `{"seq":8,"n":2,"type":"cursor"}`+"\n\n")
		default:
			if id := r.Header.Get("Last-Event-ID"); id != "8.2" {
				t.Errorf("resumes at %s, want 8.2", id)
			}
			fmt.Fprint(w, event(9, 2))
		}
	})
	var got []Cursor
	for e, err := range c.Events(t.Context(), After(3), Filter{Account: "a b", Types: []string{"halted", "resumed"}}) {
		if err != nil {
			t.Fatal(err)
		}
		if got = append(got, e.Cursor()); len(got) == 2 {
			break
		}
	}
	if want := []Cursor{{4, 3}, {9, 2}}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestEventsEndWithTheContext(t *testing.T) {
	c := daemon(t, func(n int, w http.ResponseWriter, r *http.Request, body string) {
		fmt.Fprint(w, event(1, 1))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var errs []error
	for _, err := range c.Events(ctx, After(0), Filter{}) {
		errs = append(errs, err)
		cancel()
	}
	if len(errs) != 2 || errs[0] != nil || !errors.Is(errs[1], context.Canceled) {
		t.Errorf("%v, want an event and that the context is cancelled", errs)
	}
}

func TestPausesGrowAndAreSpread(t *testing.T) {
	p := pauses{min: 10 * time.Microsecond, max: 80 * time.Microsecond}
	for _, want := range []time.Duration{10, 20, 40, 80, 80} {
		if err := p.wait(t.Context(), nil); err != nil || p.next != want*time.Microsecond {
			t.Errorf("pause %v (%v), want %v", p.next, err, want*time.Microsecond)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	long := pauses{min: time.Hour, max: time.Hour}
	if err := long.wait(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
