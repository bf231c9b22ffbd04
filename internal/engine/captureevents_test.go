package engine

import (
	"bytes"
	"reflect"
	"testing"

	"plimsoll/internal/journal"
	"plimsoll/risk"
)

// TestSnapshotsKeepEveryFieldOfAnEvent fails when a field is added to risk.Event and not to
// appendEvent and readEvent: it goes behind the others there.
func TestSnapshotsKeepEveryFieldOfAnEvent(t *testing.T) {
	var e risk.Event
	v := reflect.ValueOf(&e).Elem()
	next := uint64(3)
	for i := range v.NumField() {
		field := v.Field(i)
		if v.Type().Field(i).Name == "Ticket" {
			continue // of answers only
		}
		next += 2
		switch {
		case field.CanUint():
			field.SetUint(next)
		case field.CanInt():
			field.SetInt(-int64(next))
		case field.Kind() == reflect.Struct:
			field.Field(0).SetInt(-int64(next))
			field.Field(1).SetUint(next << 40)
		default:
			t.Fatalf("field %s is of kind %s", v.Type().Field(i).Name, field.Kind())
		}
	}
	b := appendEvent([]byte("before"), &e)
	var got risk.Event
	rest, ok := readEvent(append(b[6:], "rest"...), &got)
	if !ok || string(rest) != "rest" || got != e {
		t.Errorf("got  %+v\nwant %+v, rest %q, %v", got, e, rest, ok)
	}
	for cut := range len(b) - 6 {
		if _, ok := readEvent(b[6:6+cut], &got); ok {
			t.Errorf("cut at %d it still reads", cut)
		}
	}
}

// kept is a chunkWriter that keeps the chunks.
type kept struct{ chunks []journal.Chunk }

func (k *kept) Chunk(kind uint8, shard uint16, payload []byte) error {
	k.chunks = append(k.chunks, journal.Chunk{Kind: kind, Shard: shard, Payload: bytes.Clone(payload)})
	return nil
}

func engineWith(h *history) *Engine { return &Engine{egress: &egress{history: h}} }

func TestEventsComeBackFromASnapshot(t *testing.T) {
	for _, tc := range []struct {
		name              string
		blocks            int
		last, until       uint64
		wantFloor, wantIn uint64
	}{
		{"all of them", 32, 2000, 1900, 0, 3 * 1900},
		{"the snapshot ends where the events do", 32, 2000, 2000, 0, 6000},
		{"what was overwritten is not there", 8, 2000, 1990, 683, 3 * (1990 - 683)},
		{"none is old enough", 8, 2000, 600, 0, 0},
	} {
		h := newHistory(tc.blocks * blockEvents)
		fill(h, 1, tc.last, 3)
		c := &capture{engine: engineWith(h), chain: journal.Chain{Seq: tc.until}}
		var w kept
		if err := c.writeEvents(&w); err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		for i, j := 0, len(w.chunks)-1; i < j; i, j = i+1, j-1 {
			w.chunks[i], w.chunks[j] = w.chunks[j], w.chunks[i]
		}
		back := newHistory(32 * blockEvents)
		if err := engineWith(back).restoreEvents(w.chunks, tc.until); err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		if len(w.chunks) == 0 {
			if back.floor != tc.until || tc.wantIn != 0 {
				t.Errorf("%s: floor %d without events, want %d", tc.name, back.floor, tc.until)
			}
			continue
		}
		if back.floor != tc.wantFloor || back.published.Load() != tc.wantIn {
			t.Errorf("%s: floor %d, %d events, want %d, %d", tc.name, back.floor, back.published.Load(), tc.wantFloor, tc.wantIn)
		}
		got, want := make([]risk.Event, 7), make([]risk.Event, 7)
		from := tc.until - 5
		if n, isWhole := back.after(from, 2, got); n != 7 || !isWhole {
			t.Errorf("%s: %d events after %d.2, whole %v", tc.name, n, from, isWhole)
		}
		if h.after(from, 2, want); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v, want %v", tc.name, got, want)
		}
	}
}

func TestDamagedEventsOfASnapshotAreRefused(t *testing.T) {
	h := newHistory(4 * blockEvents)
	fill(h, 1, 10, 1)
	pieces, _ := h.pieces(10)
	good := pieces[0]
	for name, b := range map[string][]byte{
		"empty": {}, "version": append([]byte{9}, good[1:]...), "cut": good[:len(good)-1], "floor": {eventsVersion, 99},
	} {
		if err := engineWith(newHistory(4*blockEvents)).restoreEvents([]journal.Chunk{{Payload: b}}, 10); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if err := engineWith(newHistory(4*blockEvents)).restoreEvents([]journal.Chunk{{Payload: good}}, 9); err == nil {
		t.Error("an event behind the snapshot is taken")
	}
}
