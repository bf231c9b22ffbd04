package api

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"plimsoll/internal/engine"
	"plimsoll/risk"
)

// watched notes in which order clients are opened and used.
type watched struct {
	Engine
	t       *testing.T
	busy    error // what opening a client answers, instead of doing it
	mu      sync.Mutex
	opens   int
	foreign int // commands of clients that the machine did not know
}

func (w *watched) Submit(records []risk.Command, results []engine.Result) error {
	isOpening := records[0].Kind == risk.KindOpenClient
	var known []string
	if _, err := w.Read(0, func(m *risk.Machine) { known = m.ReadClients() }); err != nil {
		return err
	}
	w.mu.Lock()
	for i := range records {
		if n := int(records[i].Client); !isOpening && n != 0 && (n >= len(known) || known[n] == "") {
			w.foreign++
		}
	}
	if isOpening {
		w.opens++
	}
	busy := w.busy
	w.mu.Unlock()
	if isOpening && busy != nil {
		return busy
	}
	err := w.Engine.Submit(records, results)
	if isOpening && (err != nil || results[0].Reason != risk.ReasonNone || results[0].Seq == 0) {
		w.t.Errorf("client %s, number %d: %v, %v", records[0].AppendName(nil), records[0].Other(), results[0].Reason, err)
	}
	return err
}

// watch puts a watched engine under a house.
func watch(t *testing.T, h *house) *watched {
	w := &watched{Engine: h.server.engine, t: t}
	h.server.engine = w
	return w
}

// as sends one command as a client.
func (h *house) as(client, body string) (status int, reply string) {
	h.t.Helper()
	req, err := http.NewRequest(http.MethodPost, h.url()+"/v1/commands", strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(clientHeader, client)
	return h.send(req)
}

func (h *house) machineClients() (names []string) {
	if _, err := h.engine.Read(0, func(m *risk.Machine) { names = m.ReadClients() }); err != nil {
		h.t.Fatal(err)
	}
	return names
}

const depositOne = `{"type":"deposit","id":"77","account":"sub-1","token":"USDC","amount":"1"}`

func TestClientIsOpenedBeforeItsCommands(t *testing.T) {
	h := newHouse(t, 2)
	h.furnish()
	w := watch(t, h)
	for range 3 {
		for _, client := range []string{"desk-1", "desk-2"} {
			if status, reply := h.as(client, depositOne); status != 200 {
				t.Errorf("%s: %d %s", client, status, reply)
			}
		}
	}
	if w.opens != 2 || w.foreign != 0 {
		t.Errorf("%d clients opened and %d commands before that, want 2 and 0", w.opens, w.foreign)
	}
	if got, want := h.machineClients(), []string{"", "desk-1", "desk-2"}; !slices.Equal(got, want) {
		t.Errorf("the machine knows %q, want %q", got, want)
	}
}

func TestRacingFirstRequestsAgreeOnANumber(t *testing.T) {
	h := newHouse(t, 1)
	h.furnish()
	w := watch(t, h)
	names := []string{"a", "b", "c", "d", "e"}
	var group sync.WaitGroup
	for i := range 8 * len(names) {
		group.Go(func() {
			if status, reply := h.as(names[i%len(names)], depositOne); status != 200 {
				t.Errorf("%d %s", status, reply)
			}
		})
	}
	group.Wait()
	if w.foreign != 0 {
		t.Errorf("%d commands went in before their client", w.foreign)
	}
	known := h.machineClients()
	slices.Sort(known)
	if want := append([]string{""}, names...); !slices.Equal(known, want) {
		t.Errorf("the machine knows %q, want %q", known, want)
	}
}

func TestClientThatIsNotOpenedIsTriedAgain(t *testing.T) {
	h := newHouse(t, 1)
	h.furnish()
	w := watch(t, h)
	for _, c := range []struct {
		err    error
		status int
	}{{engine.ErrBusy, 429}, {engine.ErrClosed, 503}, {errors.New("a broken disk"), 503}} {
		w.busy = c.err
		if status, reply := h.as("desk", depositOne); status != c.status {
			t.Errorf("%v: %d %s, want %d", c.err, status, reply, c.status)
		}
	}
	if known := h.machineClients(); len(known) != 0 {
		t.Errorf("the machine knows %q", known)
	}
	w.busy = nil
	if status, reply := h.as("desk", depositOne); status != 200 || w.opens != 4 || w.foreign != 0 {
		t.Errorf("%d %s; %d tries, %d commands before them", status, reply, w.opens, w.foreign)
	}
}

func TestClientKnownAfterRestartIsNotOpenedAgain(t *testing.T) {
	h := newHouse(t, 1)
	h.furnish()
	for _, client := range []string{"desk-1", "desk-2"} {
		if status, reply := h.as(client, depositOne); status != 200 {
			t.Fatalf("%d %s", status, reply)
		}
	}
	all := pieces(t, h.server.dir)

	var replayed risk.Command // desk-1 comes from the journal, desk-2 from the snapshot
	replayed.Kind = risk.KindOpenClient
	replayed.Ref[risk.RefOther] = 1
	replayed.SetName([]byte("desk-1"))
	h.server.dir = restored(t, 1<<12, all)
	if !h.server.dir.Observe([]risk.Command{replayed}) {
		t.Fatal("the journal contradicts the snapshot")
	}
	if _, isOpen := h.server.dir.Client([]byte("desk-1")); !isOpen {
		t.Error("desk-1 is not known from the journal")
	}
	w := watch(t, h)
	for client, want := range map[string]int{"desk-1": 0, "desk-2": 0, "desk-3": 1} {
		before := w.opens
		status, reply := h.as(client, depositOne)
		if status != 200 || w.opens-before != want || w.foreign != 0 {
			t.Errorf("%s: %d %s; opened %d times, want %d", client, status, reply, w.opens-before, want)
		}
		if strings.Contains(reply, `"duplicate":true`) != (want == 0) {
			t.Errorf("%s: %s, want a duplicate of those that came before", client, reply)
		}
	}
}

func TestBadClientNames(t *testing.T) {
	h := newHouse(t, 1)
	h.furnish()
	w := watch(t, h)
	for _, c := range []struct{ name, code string }{
		{strings.Repeat("x", 43), codeNameTooLong},
		{"tab\tin it", codeInvalidName},
	} {
		if status, reply := h.as(c.name, depositOne); status != 400 || !strings.Contains(reply, c.code) {
			t.Errorf("%q: %d %s, want 400 %s", c.name, status, reply, c.code)
		}
	}
	for i := range 100 { // ClientsMax is 64, the default client one of them
		name := "desk-" + string(appendInt(nil, int64(i)))
		status, reply := h.as(name, depositOne)
		if want := i < 63; (status == 200) != want || !want && !strings.Contains(reply, "clients_max=64") {
			t.Errorf("client %d: %d %s", i, status, reply)
		}
	}
	if w.opens != 63 || h.server.dir.clients.count() != 64 {
		t.Errorf("%d opened, %d numbers given; want 63 and 64", w.opens, h.server.dir.clients.count())
	}
}

func TestClientsAreOpenedByTheAPIAlone(t *testing.T) {
	h := newHouse(t, 1)
	var c risk.Command
	c.Kind = risk.KindOpenClient
	c.Ref[risk.RefOther] = 1
	c.SetName([]byte("mallory"))
	status, reply, _ := h.do("POST", "/v1/commands", "application/vnd.plimsoll.commands", string(risk.AppendCommand(nil, &c)))
	if status != 400 || !strings.Contains(reply, codeInvalidRecord) {
		t.Errorf("open_client over the wire: %d %s, want 400", status, reply)
	}
}

func TestKnownClientAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	s := benchServer()
	ctx := orderRequest()
	s.Handle(ctx)
	if n := testing.AllocsPerRun(200, func() { s.client(ctx, nil) }); n != 0 {
		t.Errorf("a known client allocates %v times, want 0", n)
	}
}
