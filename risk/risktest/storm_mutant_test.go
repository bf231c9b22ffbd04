package risktest

import (
	"errors"
	"os/exec"
	"strings"
	"testing"

	"plimsoll/internal/invariant"
)

// TestStormFindsABoundOneStepTooFar runs the storm on machines whose every bound is put one
// step further out after it was verified (-tags bandmutant): it must fail, and for that reason.
func TestStormFindsABoundOneStepTooFar(t *testing.T) {
	if testing.Short() || invariant.Enabled {
		t.Skip("it builds the core anew")
	}
	t.Parallel()
	out, err := exec.Command("go", "test", "-tags", "bandmutant", "-count=1", "-run", "^TestStorm$", ".").CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatalf("go test: %v", err)
	}
	text := string(out)
	isCaught := strings.Contains(text, "events, want") || strings.Contains(text, ", want {Seq") || strings.Contains(text, "audit on")
	if err == nil || !strings.Contains(text, "--- FAIL: TestStorm/") || !isCaught {
		t.Errorf("bounds one step too far out were not found:\n%s", text)
	}
}
