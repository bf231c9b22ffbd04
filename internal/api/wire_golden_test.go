package api

import (
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"plimsoll/risk"
)

var rewriteGolden = flag.Bool("rewrite", false, "write the golden file of the wire form anew")

// goldenCommands are what docs/examples encode, in every form of their fields.
var goldenCommands = []string{
	`{"type":"deposit","account":"bob","token":"USDC","amount":"12500.5"}`,
	`{"type":"withdraw","account":"bob","token":"HYPE","amount":"0.00000001","id":"7"}`,
	`{"type":"order","account":"bob","market":"BTC","side":"sell","size":"0.5","price":"60000","order_id":"42"}`,
	`{"type":"order","account":"bob","market":"HYPE/USDC","side":"buy","size":"12.25","price":"40.455","order_id":"0x00000000000000000000000000000abc"}`,
	`{"type":"order","account":"bob","market":"xyz:TSLA","side":"sell","size":"1","price":"399.99","order_id":"123e4567-e89b-12d3-a456-426614174000","reduce_only":true}`,
	`{"type":"order","account":"bob","market":"BTC","side":"sell","size":"0.5","price":"61000","order_id":"18446744073709551615","trigger":{"price":"61500.5","is_market":true,"tpsl":"tp"}}`,
	`{"type":"order","account":"bob","market":"BTC","side":"buy","size":"0.5","price":"61000","order_id":"43","trigger":{"price":"61500","is_market":false,"tpsl":"sl"}}`,
	`{"type":"order","account":"nobody","market":"NOPE","side":"buy","size":"1","price":"1","order_id":"44"}`,
	`{"type":"cancel","account":"bob","order_id":"42","id":"0xfedcba98765432100123456789abcdef","time":1790091087693}`,
	`{"type":"fill","account":"bob","market":"BTC","side":"buy","size":"0.5","price":"59999.5","fee":"-0.25","order_id":"42"}`,
	`{"type":"fill","account":"bob","market":"HYPE/USDC","side":"sell","size":"3","price":"40","fee":"0.01","fee_token":"HYPE"}`,
}

// TestGoldenFileOfTheWireForm holds docs/examples/records.golden against the decoder: after the
// slots, each command and the record that it is. The examples are held against the same file.
func TestGoldenFileOfTheWireForm(t *testing.T) {
	const path = "../../docs/examples/records.golden"
	var text strings.Builder
	text.WriteString(`{"accounts":{"bob":1},"markets":{"BTC":0,"xyz:TSLA":1,"HYPE/USDC":2147483648},"tokens":{"USDC":0,"HYPE":1}}` + "\n")
	for _, body := range goldenCommands {
		d := NewDecoder(testDirectory())
		if err := d.Decode([]byte(body), FormJSON, 0); err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		if n := len(d.Records()); n != 1 {
			t.Fatalf("%s: %d records", body, n)
		}
		wire := risk.AppendCommand(nil, &d.Records()[0])
		fmt.Fprintf(&text, "%s\n%s\n", body, hex.EncodeToString(wire))
		if err := NewDecoder(testDirectory()).Decode(wire, FormRecords, 0); err != nil {
			t.Errorf("%s: its record is refused: %v", body, err)
		}
	}
	if *rewriteGolden {
		if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got, want := strings.Split(text.String(), "\n"), strings.Split(string(golden), "\n")
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("line %d of %s is not what the decoder makes; if the form was to change, run with -rewrite", i+1, path)
		}
	}
}
