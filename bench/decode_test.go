package bench

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/valyala/fastjson"

	"plimsoll/internal/api"
	"plimsoll/risk"
)

// orderText is an order as a client sends it; account, id and order_id are overwritten in
// place by the load generator.
const orderText = `{"type":"order","id":"00000000-0000-4000-8000-000000000000",` +
	`"account":"0x0000000000000000000000000000000000000000","market":"P17","side":"buy","size":"12.46","price":"43.5334",` +
	`"order_id":"00000000-0000-4000-8000-000000000000","reduce_only":false,"time":1760000000000}`

// newDirectory knows the venue and the accounts of a crowd.
func newDirectory(b *testing.B, w *crowd) *api.Directory {
	b.Helper()
	dir := api.NewDirectory(uint32(w.accounts))
	observe := func(group []risk.Command) {
		if !dir.Observe(group) {
			b.Fatal("name refused")
		}
	}
	listVenue(observe)
	for i := range w.accounts {
		observe([]risk.Command{w.open(i)})
	}
	return dir
}

// BenchmarkDecodeOrder turns one order into a record, all names resolved, beside what others
// need to read the text alone: encoding/json into a struct of strings, fastjson into its tree.
func BenchmarkDecodeOrder(b *testing.B) {
	dir := newDirectory(b, draw(shape{accounts: 10_000, mode: risk.ModePortfolio}))
	compact := strings.Replace(orderText, "0x0000000000000000000000000000000000000000", string(appendAddress(nil, 4711)), 1)
	spaced := strings.ReplaceAll(strings.ReplaceAll(compact, `":`, `": `), `,"`, `, "`)
	for _, form := range []struct{ name, body string }{{"compact", compact}, {"spaced", spaced}} {
		b.Run("text="+form.name+"/ref=encoding_json", func(b *testing.B) {
			decodeOrder(b, dir, []byte(form.body), readStruct)
		})
		b.Run("text="+form.name+"/ref=fastjson_parse", func(b *testing.B) {
			var parser fastjson.Parser
			decodeOrder(b, dir, []byte(form.body), func(body []byte) error {
				_, err := parser.ParseBytes(body)
				return err
			})
		})
	}
}

func decodeOrder(b *testing.B, dir *api.Directory, body []byte, reference func([]byte) error) {
	b.Helper()
	const rounds = 4000
	d := api.NewDecoder(dir)
	p := pairs{items: rounds}
	p.ours = func() {
		for range rounds {
			if fault := d.Decode(body, api.FormJSON, 0); fault != nil {
				b.Fatal(fault)
			}
		}
	}
	p.reference = func() {
		for range rounds {
			if err := reference(body); err != nil {
				b.Fatal(err)
			}
		}
	}
	p.run(b)
	p.rate(b)
	b.ReportMetric(float64(len(body)), "B/body")
	c := &d.Records()[0]
	if c.Kind != risk.KindOrder || c.Account() != 4711 || c.Market() != 17 || c.Num[0] != 1246 || c.Num[1] != 435334 {
		b.Fatalf("decoded %+v", c)
	}
}

// readStruct reads an order with encoding/json.
func readStruct(body []byte) error {
	var o struct {
		Type       string `json:"type"`
		ID         string `json:"id"`
		Account    string `json:"account"`
		Market     string `json:"market"`
		Side       string `json:"side"`
		Size       string `json:"size"`
		Price      string `json:"price"`
		OrderID    string `json:"order_id"`
		ReduceOnly bool   `json:"reduce_only"`
		Time       int64  `json:"time"`
	}
	return json.Unmarshal(body, &o)
}
