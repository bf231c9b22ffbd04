package engine

import (
	"math/rand/v2"

	"plimsoll/risk"
)

const fakeAccounts = 24

// fakeHistory makes a history for the fake machine: pools at their caps, transfers
// between shards, ticks that ask for everybody, ids repeated, clocks that jump.
func fakeHistory(seed uint64) script {
	rng := rand.New(rand.NewPCG(seed, 0xFA))
	var h script
	timeMs := int64(1_000_000)
	for range 10 + rng.IntN(30) {
		var batch []risk.Command
		for range 1 + rng.IntN(4) {
			batch = append(batch, fakeGroup(rng, &timeMs)...)
		}
		h = append(h, batch)
	}
	h[0] = append([]risk.Command{{Kind: risk.KindListToken}}, h[0]...)
	return h
}

func fakeGroup(rng *rand.Rand, timeMs *int64) []risk.Command {
	slot := func() uint32 {
		if rng.IntN(20) == 0 {
			return risk.NoAccount
		}
		return rng.Uint32N(fakeAccounts)
	}
	c := risk.Command{Client: uint16(rng.IntN(4))}
	c.Ref = [4]uint32{slot(), slot(), 0, rng.Uint32N(fakePools)}
	c.Num[0] = 1 + rng.Int64N(9)
	if rng.IntN(3) == 0 {
		c.IDForm, c.IDLo = risk.IDForm(1+rng.IntN(2)), rng.Uint64N(12)
	}
	if rng.IntN(4) == 0 {
		*timeMs += rng.Int64N(900)
		c.TimeMs = *timeMs
	}
	group := []risk.Command{c}
	switch kind := rng.IntN(13); kind {
	case 0:
		group[0].Kind = risk.KindListToken
	case 1:
		group[0].Kind = risk.KindClock
	case 2, 3, 4:
		group[0].Kind, group[0].Num[1] = risk.KindDeposit, rng.Int64N(5)
	case 5, 6:
		group[0].Kind = risk.KindBorrow
	case 7:
		group[0].Kind = risk.KindRepay
	case 8, 9:
		group[0].Kind = risk.KindTransfer
	case 12:
		group[0].Kind = risk.KindRecheck
	default:
		group[0].Kind = risk.KindPrices
		for range rng.IntN(5) {
			group = append(group, risk.Command{Kind: risk.KindPrices})
		}
		for i := range group {
			group[i].GroupLeft = uint16(len(group) - 1 - i)
		}
	}
	return group
}
