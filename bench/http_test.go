package bench

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"runtime"
	"testing"

	"github.com/valyala/fasthttp"

	"plimsoll/internal/api"
	"plimsoll/internal/engine"
	"plimsoll/risk"
)

const (
	httpAccounts = 16_384
	kindJSON     = "application/json"
	kindRecords  = "application/vnd.plimsoll.commands"
)

// venue is a served engine with a crowd on it, and a bare fasthttp server beside it.
type venue struct {
	w      *crowd
	engine *engine.Engine
	api    net.Addr
	echo   net.Addr
}

func newVenue(b *testing.B, mode risk.Mode, shards int) *venue {
	b.Helper()
	v := &venue{w: draw(shape{accounts: httpAccounts, mode: mode})}
	v.engine = newEngine(b, v.w, shards)
	load(b, v.engine, v.w)
	s := api.NewServer(&api.Config{
		Engine: v.engine, Directory: newDirectory(b, v.w), Shards: shards, ClientsMax: 64, Version: "bench",
		Ready: func() error { return nil },
	})
	v.api = serve(b, s.Serve, s.Shutdown)
	bare := &fasthttp.Server{Handler: func(ctx *fasthttp.RequestCtx) { ctx.SetBody(ctx.PostBody()) }, CloseOnShutdown: true}
	v.echo = serve(b, bare.Serve, bare.ShutdownWithContext)
	return v
}

// serve listens on loopback until the end of the benchmark.
func serve(b *testing.B, run func(net.Listener) error, stop func(context.Context) error) net.Addr {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- run(l) }()
	b.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // the callers are gone or going: nothing to wait for
		_ = stop(ctx)
		if err := <-done; err != nil {
			b.Error(err)
		}
	})
	return l.Addr()
}

// cancelAll takes every resting order off.
func (v *venue) cancelAll(b *testing.B) {
	b.Helper()
	const batch = 256
	results := make([]engine.Result, batch)
	records := make([]risk.Command, batch)
	for at := 0; at < v.w.accounts; at += batch {
		for i := range records {
			records[i] = risk.Command{Kind: risk.KindCancelAll}
			records[i].Ref[risk.RefAccount] = uint32(at + i)
		}
		submit(b, v.engine, records, results)
	}
}

// BenchmarkHTTPOrder is one order check a request: a JSON body of 267 bytes with an id, 64
// keep-alive connections over loopback, server and callers in this process. The orders are
// cancelled between the samples, and no account gets two in one. The reference is a bare
// fasthttp server that sends the body back, under the same callers. Wall time.
//
//	x-rate   our requests a second / the reference's: the goal is 0.85
func BenchmarkHTTPOrder(b *testing.B) {
	for _, mode := range eachMode() {
		b.Run("mode="+modeName(mode)+"/connections=64", func(b *testing.B) { httpOrder(b, mode) })
	}
}

func httpOrder(b *testing.B, mode risk.Mode) {
	b.Helper()
	const connections, each = 64, 200
	v := newVenue(b, mode, 1)
	body := []byte(orderText)
	id := bytes.Index(body, []byte(`"id":"`)) + len(`"id":"`)
	account := bytes.Index(body, []byte(`"account":"`)) + len(`"account":"`)
	orderID := bytes.Index(body, []byte(`"order_id":"`)) + len(`"order_id":"`)
	names := make([][]byte, v.w.accounts)
	for i := range names {
		names[i] = appendAddress(nil, i)
	}
	edit := func(body []byte, number, turn int) {
		v := uint64(turn*connections + number + 1)
		putHex(body[id:id+36], v)
		putHex(body[orderID:orderID+36], v)
		copy(body[account:], names[v%httpAccounts])
	}
	ours := newFleet(b, v.api, connections, "/v1/commands", kindJSON, body, edit)
	echo := newFleet(b, v.echo, connections, "/", kindJSON, body, edit)
	p := pairs{isWall: true, items: connections * each}
	p.ours = func() { ours.send(b, each) }
	p.after = func() { v.cancelAll(b) }
	p.reference = func() { echo.send(b, each) }
	runtime.GC()
	p.run(b)
	p.rate(b)
	b.ReportMetric(1e9/median(p.oursNs), "requests/s")
	reportLatency(b, "", ours)
	reportLatency(b, "ref-", echo)
	if !bytes.Contains(ours[0].reply, []byte(`"ok":true`)) {
		b.Fatalf("last reply: %s", ours[0].reply)
	}
}

// BenchmarkHTTPBatch is 256 binary records a request over 8 connections: orders alone, which
// are cancelled between the samples, or each followed by its cancel. The goal is 1,000,000
// commands a second. The reference echoes the same 32 KiB.
func BenchmarkHTTPBatch(b *testing.B) {
	for _, mode := range eachMode() {
		for _, isPaired := range []bool{false, true} {
			name := "orders"
			if isPaired {
				name = "orders+cancels"
			}
			b.Run(fmt.Sprintf("mode=%s/records=256/of=%s", modeName(mode), name), func(b *testing.B) { httpBatch(b, mode, isPaired) })
		}
	}
}

func httpBatch(b *testing.B, mode risk.Mode, isPaired bool) {
	b.Helper()
	const connections, each, batch = 8, 8, 256
	v := newVenue(b, mode, 1)
	var body []byte
	for i := range batch {
		c := v.w.order(0, i%perpCount, 1)
		if isPaired && i%2 == 1 {
			c = risk.Command{Kind: risk.KindCancel, Flags: risk.FlagOrderID, OrderForm: risk.FormUint}
		}
		body = risk.AppendCommand(body, &c)
	}
	step := 1
	if isPaired {
		step = 2
	}
	edit := func(body []byte, number, turn int) { // a new account and order id for every record, or two
		first := (turn*connections + number) * batch
		for i := range batch {
			record := body[i*risk.CommandSize:]
			v := uint64((first + i) / step)
			binary.LittleEndian.PutUint64(record[40:], v+1)
			binary.LittleEndian.PutUint32(record[80:], uint32(v%httpAccounts))
		}
	}
	ours := newFleet(b, v.api, connections, "/v1/commands", kindRecords, body, edit)
	echo := newFleet(b, v.echo, connections, "/", kindRecords, body, edit)
	p := pairs{isWall: true, items: connections * each * batch}
	p.ours = func() { ours.send(b, each) }
	p.after = func() { v.cancelAll(b) }
	p.reference = func() { echo.send(b, each) }
	runtime.GC()
	p.run(b)
	p.rate(b)
	b.ReportMetric(1e9/median(p.oursNs), "commands/s")
	reportLatency(b, "", ours)
	if got := bytes.Count(ours[0].reply, []byte(`"ok":true`)); got < batch {
		b.Fatalf("%d of the last %d commands accepted: %.300s", got, batch, ours[0].reply)
	}
}
