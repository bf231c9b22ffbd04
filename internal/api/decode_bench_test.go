package api

import (
	"encoding/json"
	"testing"

	"github.com/valyala/fastjson"

	"plimsoll/risk"
)

const orderBody = `{"type":"order","id":"123456","account":"0x5e9ee1089755c3435139848e47e6635505d5a13a",` +
	`"market":"BTC","side":"buy","size":"0.12345","price":"60123.5",` +
	`"order_id":"7c9e6679-7425-40de-944b-e07fc1f90ae7","reduce_only":false}`

// testDirectory knows two accounts, one token, two perps, one spot and two dexes.
func testDirectory() *Directory {
	dir := NewDirectory(1 << 16)
	dir.list(nameAccount, []byte("0x5e9ee1089755c3435139848e47e6635505d5a13a"))
	dir.list(nameAccount, []byte("bob"))
	dir.list(nameToken, []byte("USDC"))
	dir.list(nameToken, []byte("HYPE"))
	dir.list(namePerp, []byte("BTC"))
	dir.list(namePerp, []byte("xyz:TSLA"))
	dir.list(nameSpot, []byte("HYPE/USDC"))
	dir.list(nameDex, []byte("xyz"))
	return dir
}

func BenchmarkDecodeOrder(b *testing.B) {
	body := []byte(orderBody)
	b.Run("plimsoll", func(b *testing.B) {
		d := NewDecoder(testDirectory())
		b.ReportAllocs()
		b.SetBytes(int64(len(body)))
		for b.Loop() {
			if err := d.Decode(body, FormJSON, 0); err != nil {
				b.Fatal(err)
			}
		}
		if d.Records()[0].Kind != risk.KindOrder {
			b.Fatal("not an order")
		}
	})
	b.Run("fastjson_parse_only", func(b *testing.B) {
		var p fastjson.Parser
		b.ReportAllocs()
		b.SetBytes(int64(len(body)))
		for b.Loop() {
			if _, err := p.ParseBytes(body); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding_json", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(body)))
		for b.Loop() {
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
			}
			if err := json.Unmarshal(body, &o); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkDecodePrices(b *testing.B) {
	dir := NewDirectory(16)
	body := []byte(`{"type":"prices","marks":{`)
	for i := range 500 {
		name := "PERP" + string(appendInt(nil, int64(i)))
		dir.list(namePerp, []byte(name))
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, `"`+name+`":"`+string(appendInt(nil, int64(1000+i)))+`.25"`...)
	}
	body = append(body, "}}"...)
	d := NewDecoder(dir)
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if err := d.Decode(body, FormJSON, 0); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/500, "ns/price")
}

func BenchmarkDecodeBinary(b *testing.B) {
	dir := testDirectory()
	d := NewDecoder(dir)
	if err := d.Decode([]byte(orderBody), FormJSON, 0); err != nil {
		b.Fatal(err)
	}
	var body []byte
	for range 100 {
		body = risk.AppendCommand(body, &d.Records()[0])
	}
	d = NewDecoder(dir)
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if err := d.Decode(body, FormRecords, 0); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/record")
}
