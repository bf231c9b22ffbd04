package bench

import (
	"fmt"
	"runtime"
	"sync"
	"testing"

	"plimsoll/risk"
)

// BenchmarkPassShards is the exact pass over a million accounts on two machines of half each,
// on two threads, beside the pass of one machine that has them all. Wall time; x-rate is how
// much two are faster: the goal is 1.7, which a busy second core makes unreachable; cpu-x-ref
// says what sharing costs either way.
func BenchmarkPassShards(b *testing.B) {
	accounts := million
	if testing.Short() {
		accounts = 10_000
	}
	for _, mode := range eachMode() {
		s := shape{accounts: accounts, mode: mode}
		b.Run(fmt.Sprintf("%s/shards=2", s), func(b *testing.B) { passShards(b, s, 2) })
	}
}

func passShards(b *testing.B, s shape, shards int) {
	b.Helper()
	w := draw(s)
	one := newMachine(b, w)
	share := make([]*risk.Machine, shards)
	for n := range share {
		share[n] = risk.New(risk.Config{Shard: uint32(n), Shards: uint32(shards), AccountsMax: uint32(w.accounts)})
		settleShard(share[n], w, n, shards)
	}
	runtime.GC()
	var sums [2]risk.Sums
	p := pairs{isWall: true, items: w.accounts}
	p.reference = func() {
		sums[0] = risk.Sums{}
		one.ReadSums(&sums[0])
	}
	p.ours = func() {
		shares := make([]risk.Sums, shards)
		var group sync.WaitGroup
		for n := 1; n < shards; n++ {
			group.Go(func() { share[n].ReadSums(&shares[n]) })
		}
		share[0].ReadSums(&shares[0])
		group.Wait()
		sums[1] = risk.Sums{}
		for n := range shares {
			sums[1].Add(&shares[n])
		}
	}
	p.run(b)
	p.rate(b)
	if sums[0] != sums[1] {
		b.Fatalf("two shards add up to %+v, one to %+v", sums[1], sums[0])
	}
	w.check(b, &sums[1], marks(0))
}

// settleShard brings a shard's own accounts onto its machine; the check of the sums sees to it
// that nothing was refused.
func settleShard(m *risk.Machine, w *crowd, shard, shards int) {
	w.settle(func(group []risk.Command) {
		switch group[0].Kind {
		case risk.KindOpenAccount, risk.KindDeposit, risk.KindFill:
			if int(group[0].Account())%shards != shard {
				return
			}
		default: // all shards share it
		}
		stamp(group, m.Seq()+1)
		m.Do(group)
	})
}
