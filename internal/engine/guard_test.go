//go:build !race

package engine

import (
	"testing"

	"plimsoll/risk"
)

func TestSubmitAllocatesNothing(t *testing.T) {
	for name, j := range map[string]Journal{"no journal": NoJournal{}, "journal": &instantJournal{}} {
		t.Run(name, func(t *testing.T) { submitAllocatesNothing(t, j) })
	}
}

func submitAllocatesNothing(t *testing.T, j Journal) {
	t.Helper()
	cfg := testConfig(2)
	cfg.Journal, cfg.hashEvery = j, 16
	cfg.IDWindow = 16
	e := startFake(t, cfg)
	must(t, e, risk.Command{Kind: risk.KindListToken})
	id := uint64(0)
	batch := []risk.Command{deposit(1, 1), deposit(2, 1), {}, {Kind: risk.KindPrices, GroupLeft: 1}, {Kind: risk.KindPrices}}
	results := make([]Result, 4)
	submit := func() {
		id++
		batch[2] = withID(deposit(3, 1), 1, id/2) // every second one is a repeat
		if err := e.Submit(batch, results); err != nil {
			t.Error(err)
		}
	}
	for range 4 * blockEvents { // past the first round of windows and history blocks
		submit()
	}
	for range cfg.EventHistory / 2 {
		submit()
	}
	if n := testing.AllocsPerRun(1000, submit); n != 0 {
		t.Errorf("Submit allocates %v times, want 0", n)
	}
	var seen uint64
	read := func(m *risk.Machine) { seen++ }
	if n := testing.AllocsPerRun(1000, func() { _, _ = e.Read(1, read) }); n != 0 {
		t.Errorf("Read allocates %v times, want 0", n)
	}
}
