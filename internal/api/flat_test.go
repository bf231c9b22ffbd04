package api

import (
	"slices"
	"strings"
	"testing"
)

// checkOnePass wants the general reader, which a space after the brace calls for, to say
// of a command what the pass over its bytes said.
func checkOnePass(t *testing.T, body string) {
	t.Helper()
	rest, ok := strings.CutPrefix(body, `{"type":"`)
	if !ok {
		return
	}
	flat, general := NewDecoder(testDirectory()), NewDecoder(testDirectory())
	for range 2 { // the second time, the order of the fields is known
		got := flat.Decode([]byte(body), FormJSON, 3)
		want := general.Decode([]byte(`{ "type":"`+rest), FormJSON, 3)
		switch {
		case (got == nil) != (want == nil):
			t.Fatalf("%.300s: %v, want %v", body, got, want)
		case got != nil && (got.Code != want.Code || got.Field != want.Field || got.Limit != want.Limit):
			t.Fatalf("%.300s: %+v, want %+v", body, got, want)
		case !slices.Equal(flat.Records(), general.Records()) || flat.Commands() != general.Commands():
			t.Fatalf("%.300s: %+v, want %+v", body, flat.Records(), general.Records())
		}
	}
}

var onePassBodies = []string{
	orderBody,
	`{"type":"order","time":1790091087693,"account":"0X5E9EE1089755C3435139848E47E6635505D5A13A","market":"HYPE/USDC",` +
		`"side":"sell","size":"1","price":"2","order_id":"0x000000000000000000000000000000ff","reduce_only":true}`,
	order("trigger", `{"price":"59000","is_market":true,"tpsl":"tp"}`),
	order("time", `0`),
	order("time", `253402300799999`),
	order("account", `"b\u006fb"`),
	order("side", `"se\u006cl"`),
	order("market", `"DOGE"`),
	order("order_id", `"18446744073709551615"`),
	`{"type":"fill","account":"bob","market":"BTC","side":"sell","size":"1","price":"2","fee":"-0.1","fee_token":"USDC"}`,
	`{"type":"fill","account":"bob","market":"BTC","side":"sell","size":"1","price":"2","order_id":"7",` +
		`"liquidation":{"id":7,"method":"backstop"}}`,
	`{"type":"cancel","order_id":"12","account":"bob","id":"1"}`,
	`{"type":"cancel","order_id":"12","account":"bob" }`,
	`{"type":"cancel","order_id":"12","account":"bob"`,
	`{"type":"cancel","order_id":"12","account":"bob`,
	`{"type":"cancel","order_id":"12","account":"bob"}}`,
	`{"type":"cancel","order_id":"12","account":"bob","market":"BTC"}`,
	`{"type":"cancel","order_id":"12","account":"bob","type":"cancel"}`,
}

func TestOnePassAgreesWithTheGeneralReader(t *testing.T) {
	for _, body := range onePassBodies {
		checkOnePass(t, body)
	}
	for _, c := range badInputs {
		checkOnePass(t, c.body)
	}
}

// TestOnePassReadsOrders holds that a usual order does not fall back to the general reader.
func TestOnePassReadsOrders(t *testing.T) {
	d := NewDecoder(testDirectory())
	for _, body := range onePassBodies[:3] {
		d.body = []byte(body)
		if end := d.readFlat(0); end != len(body) {
			t.Errorf("readFlat(%s) = %d, want %d", body, end, len(body))
		}
	}
}

// FuzzOnePass holds that both readers agree on every command.
func FuzzOnePass(f *testing.F) {
	for _, body := range onePassBodies {
		f.Add(body)
	}
	f.Fuzz(checkOnePass)
}
