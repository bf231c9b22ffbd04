// Package bench measures every hot path of Plimsoll beside a reference loop that does the
// least the path could do, or the same with what others use. Both run in turn in one process,
// at least ten pairs; the median of the pair ratios is x-ref. On a shared machine nanoseconds
// move by a factor of two within minutes and ratios by a few hundredths, so goals are ratios.
// No test fails on a time; every benchmark fails on a wrong answer.
//
//	make bench BENCH=Pass            one topic, or all without BENCH
//	make bench COUNT=10 > new.txt    a run for benchstat, beside a file of baseline/
//	make bench-compare               this tree against the commit it branched off, in turn
//	make bench-results               RESULTS.md: the goals of safe bands
//
// The files that are no tests are the load tool behind plimsoll bench (docs/BENCH.md), which loads a
// whole daemon over HTTP: loadconfig.go what is sent, loadvenue.go and loadgen.go to whom and how,
// loadschedule.go when, loadfleet.go and loadconn.go over which connections, loadrecord.go what came
// of it, loadrun.go in which order, report*.go what is told.
//
// With go test -short the large crowds shrink or are left out; PLIMSOLL_BENCH_LARGE=1 adds ten
// million accounts to Tick and Memory.
//
//	Benchmark         Ours                                         Reference                       Goal
//	OrderCheck        Machine.Apply of an order, 4 positions       the check's bare arithmetic     1,000 ns/op, 0 allocs
//	Cancel            Machine.Apply of its cancel                  the same                        0 allocs
//	Fill              Machine.Apply of a fill                      the same                        0 allocs
//	Pass/of=sums      exact pass over a million accounts           plain read of the same bytes    x-ref 10, 0 allocs
//	Pass/of=tick      a tick of all marks over them                the same                        x-ref 10, 0 allocs
//	PassShards        exact pass by two shards on two threads      one shard alone                 x-rate 1.7
//	FullEvaluation    exact pass, every account with orders        the same                        -
//	Tick              1 bp of the most-held asset, by crossings    exact pass                      200 ns, 1 us + k 500 ns
//	Storm             192 assets at once; a crash of 5 %           exact pass, twin that sweeps    p99 100 us; x-ref 2
//	TickToEvent       HTTP tick to health_changed on the stream    bare fasthttp echo              p99 300 us
//	Memory            1 or 10 million accounts, bands included     -                               500 B/account
//	DecimalParse      fixedpoint.ParseDecimal                      shopspring/decimal              x-rate 4
//	DecimalMultiply   fixedpoint.Mul64, MulDivFloor                shopspring/decimal              x-rate 20
//	DecodeOrder       api.Decoder, names resolved                  encoding/json                   x-rate 8, 0 allocs
//	                                                               fastjson's parse alone          x-rate 1
//	EncodeAccount     Server.Handle of GET account                 the read without text           -
//	RingHop           ringbuf.SPSC, two threads                    channel of slices               -
//	HTTPOrder         one order a request, 64 connections          bare fasthttp echo              x-rate 0.85
//	HTTPBatch         256 binary records a request                 bare fasthttp echo              1,000,000 commands/s
//	Pipeline          Engine.Submit                                Machine.Apply alone             -
//	Replay            Engine.Replay of a history                   Machine.Do alone                -
//
// x-ref is time by time, so less is better; x-rate is its inverse. pairs.run says what the
// other figures are. The rings stand beside minimal rings, channels, xsync and a ping-pong of
// one cache line in package ringbuf; RingHop is here so that the guard of CI sees a ring.
//
// # What is not in the figures
//
// The crowd is drawn, not captured: four positions of 500 to 5,000 dollars in 192 perps of
// seven leverages, two tiers, one dex, one pool, no spot collateral, no isolated positions,
// and, but for FullEvaluation, no resting orders. Ticks have their own, drawHeld: 3.8 positions
// on average, one asset held by six in ten, a tenth of all within 5 % of their line. OrderCheck
// measures accepted orders, whose account has none yet. Passes are over blocks of positions
// that lie in the order of the accounts, unless the name says shuffled: a venue that has grown
// lies between the two.
// Machine benchmarks leave out the rings; Pipeline, HTTPOrder, HTTPBatch and Replay leave out
// the journal, which does not exist yet. HTTP runs over loopback and shares the cores with its
// callers, so a request costs about half of what it shows; one connection's latency includes
// the wait for 63 others.
package bench
