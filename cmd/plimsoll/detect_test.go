package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"plimsoll/client"
	"plimsoll/fixedpoint"
	"plimsoll/internal/api"
	"plimsoll/internal/engine"
	"plimsoll/risk"
)

// TestDetectChangesNoOutcome runs a daemon by bands and one by sweeps, and rebuilds what each
// has journaled in the other way: events, hash and verdict are the same.
func TestDetectChangesNoOutcome(t *testing.T) {
	t.Parallel()
	for _, detect := range []string{detectBands, detectSweep} {
		dir := t.TempDir()
		s := serveInTest(t, "--data", dir, "--clock", "commands", "--shards", "2", "--detect", detect)
		c := newTestClient(t, s.url)
		live := recorded(t, c, client.After(0), stir(t, c, 0))
		_, body := get(t, s.url+"/v1/status")
		var status struct {
			StateHash string `json:"state_hash"`
			Bands     struct {
				Misses *uint64 `json:"band_audit_misses"`
			} `json:"bands"`
		}
		if err := json.Unmarshal([]byte(body), &status); err != nil {
			t.Fatal(err)
		}
		if m := status.Bands.Misses; m == nil || *m != 0 {
			t.Errorf("--detect %s: status says %s", detect, body)
		}
		if code := s.end(t); code != exitDone {
			t.Fatalf("exit code %d; log: %s", code, s.log.String())
		}
		for _, again := range []string{detectBands, detectSweep} {
			for _, shards := range []string{"1", "4"} {
				code, stdout, stderr := execute(t.Context(), nil, "replay", dir, "--events", "--shards", shards, "--detect", again)
				if code != exitDone || stdout != live {
					t.Errorf("%s replayed as %s on %s: exit code %d %s\n%s", detect, again, shards, code, stderr, firstDifference(stdout, live))
				}
			}
			if code, stdout, stderr := execute(t.Context(), nil, "replay", dir, "--json", "--detect", again); code != exitDone ||
				!strings.Contains(stdout, `"state_hash":"`+status.StateHash+`"`) {
				t.Errorf("%s replayed as %s: exit code %d %s%s, want hash %s", detect, again, code, stdout, stderr, status.StateHash)
			}
			if code, _, stderr := execute(t.Context(), nil, "verify", dir, "--detect", again); code != exitDone {
				t.Errorf("%s verified as %s: exit code %d %s", detect, again, code, stderr)
			}
		}
	}
}

// TestAMissIsLoggedWhole holds that the log line has the name and all figures.
func TestAMissIsLoggedWhole(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	cfg := engine.DefaultConfig()
	d := &daemon{dir: api.NewDirectory(cfg.AccountsMax)}
	c := risk.Command{Kind: risk.KindOpenAccount, Ref: [4]uint32{0, risk.NoAccount, 0, 0}}
	c.SetName([]byte("alice"))
	if !d.dir.Observe([]risk.Command{c}) {
		t.Fatal("alice is not known")
	}
	d.logMiss(slog.New(slog.NewJSONHandler(&text, nil)))(&engine.BandMiss{
		Shard: 1, Seq: 17, Account: 0, Told: risk.HealthHealthy, Exact: risk.HealthLiquidatable,
		View: &risk.AccountView{TimeMs: 99, Balances: []risk.BalanceView{{Total: risk.Amount{V: fixedpoint.I128(4_242), Decimals: 8}}}},
	})
	for _, want := range []string{
		`"account":"alice"`, `"told":"healthy"`, `"exact":"liquidatable"`, `"seq":17`, `\"TimeMs\":99`, `4242`,
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the line lacks %s: %s", want, text.String())
		}
	}
}
