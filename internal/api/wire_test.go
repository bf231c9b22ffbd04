package api

import (
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"plimsoll/risk"
)

// TestExamplesOfWireMd wants the hex of docs/WIRE.md to be what the example commands encode
// to: the page and the code cannot drift apart.
func TestExamplesOfWireMd(t *testing.T) {
	page, err := os.ReadFile("../../docs/WIRE.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{
		`{"type":"order","account":"bob","market":"BTC","side":"sell","size":"0.5","price":"60000","order_id":"42"}`,
		`{"type":"open_account","account":"carol","mode":"portfolio"}`,
		`{"type":"prices","marks":{"BTC":"60000.5"},"spots":{"HYPE/USDC":"40.45"}}`,
	} {
		d := NewDecoder(testDirectory())
		if err := d.Decode([]byte(body), FormJSON, 0); err != nil {
			t.Fatal(err)
		}
		c := d.Records()[0]
		if c.Kind == risk.KindOpenAccount {
			c.Ref[risk.RefAccount] = risk.NoAccount // as a client sends it
		}
		want := wireLines(risk.AppendCommand(nil, &c))
		if !strings.Contains(string(page), body) || !strings.Contains(string(page), want) {
			t.Errorf("docs/WIRE.md lacks\n%s\n\n%s", body, want)
		}
	}
}

// wireLines prints a record as the page shows it: 16 bytes a line.
func wireLines(wire []byte) string {
	var lines strings.Builder
	for i := 0; i < len(wire); i += 16 {
		text := hex.EncodeToString(wire[i : i+16])
		lines.WriteString(string(appendHex(nil, uint64(i), 2)))
		for k := 0; k < len(text); k += 8 {
			lines.WriteString("  " + text[k:k+8])
		}
		lines.WriteString("\n")
	}
	return lines.String()
}
