package clienttest

import (
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
)

const examples = "../../docs/examples/"

// encoders are the programs that run the examples of docs/WIRE.md, and the examples.
func encoders(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{examples + "encode.mjs": node(t)}
	if python, err := exec.LookPath("python3"); err == nil && exec.Command(python, "-c", "").Run() == nil {
		all[examples+"encode.py"] = python
	}
	return all
}

// TestExampleEncodersMakeTheGoldenRecords: what the examples write is what the daemon's own decoder
// makes of the same commands, byte for byte; and they fit on a page.
func TestExampleEncodersMakeTheGoldenRecords(t *testing.T) {
	golden, err := os.ReadFile(examples + "records.golden")
	if err != nil {
		t.Fatal(err)
	}
	slots, rest, _ := strings.Cut(string(golden), "\n")
	lines := strings.Split(strings.TrimSpace(rest), "\n")
	input, want := []string{slots}, []string{}
	for i := 0; i+1 < len(lines); i += 2 {
		input, want = append(input, lines[i]), append(want, lines[i+1])
	}
	if len(want) < 10 {
		t.Fatalf("%d commands", len(want))
	}
	for script, program := range encoders(t) {
		got := strings.Fields(string(run(t, []byte(strings.Join(input, "\n")+"\n"), program, script)))
		if len(got) != len(want) {
			t.Errorf("%s: %d records, want %d", script, len(got), len(want))
			continue
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%s: %s\n got %s\nwant %s", script, input[i+1], got[i], want[i])
			}
		}
		text, err := os.ReadFile(script)
		if n := strings.Count(string(text), "\n"); err != nil || n > 40 {
			t.Errorf("%s has %d lines (%v), at most 40 fit", script, n, err)
		}
	}
}

// TestExampleEncodersSpeakToTheDaemon: slots are read, records are sent, and the order rests.
func TestExampleEncodersSpeakToTheDaemon(t *testing.T) {
	for script, program := range encoders(t) {
		h := newHouse(t)
		h.furnish()
		var account struct{ Index uint32 }
		h.read("/v1/accounts/"+lender, &account)
		var perps struct {
			Perps []struct {
				Perp string
				Slot uint32
			}
		}
		h.read("/v1/perps", &perps)
		markets := map[string]uint32{}
		for _, p := range perps.Perps {
			markets[p.Perp] = p.Slot
		}
		slots, err := json.Marshal(map[string]any{
			"accounts": map[string]uint32{lender: account.Index}, "markets": markets, "tokens": map[string]uint32{"USDC": 0},
		})
		if err != nil {
			t.Fatal(err)
		}
		input := strings.Join([]string{
			string(slots), order(lender, "BTC", "buy", "58000.5", "1", ""), order(lender, "HYPE", "sell", "45", "2", ""),
			`{"type":"cancel","account":"` + lender + `","order_id":"2"}`, order(lender, "NOPE", "buy", "1", "3", ""),
		}, "\n")
		records, err := hex.DecodeString(strings.Join(strings.Fields(string(run(t, []byte(input), program, script))), ""))
		if err != nil {
			t.Fatal(err)
		}
		status, reply := h.post("/v1/commands", "application/vnd.plimsoll.commands", records)
		var results []struct {
			OK    bool
			Error struct{ Code string }
		}
		if err := json.Unmarshal(reply, &results); err != nil || status != http.StatusOK || len(results) != 4 {
			t.Fatalf("%s: %d %s", script, status, reply)
		}
		if !results[0].OK || !results[1].OK || !results[2].OK || results[3].Error.Code != "unknown_market" {
			t.Errorf("%s: %s", script, reply)
		}
		var after struct {
			Orders []struct {
				OrderID string `json:"order_id"`
				Price   string
			}
		}
		if h.read("/v1/accounts/"+lender, &after); len(after.Orders) != 1 || after.Orders[0].OrderID != "1" || after.Orders[0].Price != "58000.5" {
			t.Errorf("%s: the orders are %+v", script, after.Orders)
		}
	}
}

func (h *house) read(path string, into any) {
	h.t.Helper()
	status, reply := h.get(path)
	if err := json.Unmarshal(reply, into); err != nil || status != http.StatusOK {
		h.t.Fatalf("%s: %d %s", path, status, reply)
	}
}
