package main

import (
	"path/filepath"
	"strings"
	"testing"

	"plimsoll/bench"
)

// TestBenchTidiesAfterARest loads slowly: the connection that cancels what rests is wanted for the
// first time when the daemon has given up waiting for the first request of one opened at the start.
func TestBenchTidiesAfterARest(t *testing.T) {
	t.Parallel()
	d := upReal(t, dataNone, "--read-timeout", "1s")
	path := filepath.Join(t.TempDir(), "slow.json")
	var log output
	_, stdout := benchInTest(t, &log, "--url", d.url, "--rate", "30", "--for", "2500ms", "--connections", "2", "--json", path)
	r, err := bench.ReadReport(path)
	if err != nil {
		t.Fatalf("%v: %s %s", err, stdout, log.String())
	}
	for _, fault := range r.Faults {
		if strings.Contains(fault, "tidying") {
			t.Error(fault)
		}
	}
	if r.Tidied == 0 {
		t.Errorf("nothing was tidied: %s", stdout)
	}
}
