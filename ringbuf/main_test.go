package ringbuf

import (
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// starts are where the cursors of a test begin: at zero, and so that they overflow soon.
var starts = []uint64{0, ^uint64(0) - 2, ^uint64(0) - 1000}

// mustPanic checks that f refuses a programmer error.
func mustPanic(t *testing.T, what string, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Errorf("%s does not panic", what)
		}
	}()
	f()
}

// within fails the test if f hangs, as it would after a lost wake-up.
func within(t *testing.T, limit time.Duration, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { f(); close(done) }()
	select {
	case <-done:
	case <-time.After(limit):
		buf := make([]byte, 1<<16)
		t.Fatalf("still not done after %v\n%s", limit, buf[:runtime.Stack(buf, true)])
	}
}

// stressItems is how many items a stress test moves: the race detector is about 15 times slower.
func stressItems(t *testing.T) int {
	switch {
	case testing.Short():
		return 5_000
	case raceEnabled:
		return 30_000
	}
	return 300_000
}

// dice returns a source of chance whose seed is the argument, so that a failure repeats.
func dice(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }
