package universe

import "fmt"

// Move is one main perp's price on five days, so that volatilities and correlations can be
// taken from what happened. Aug21 to Aug22 was a quiet day, Feb05 to Feb06 a sharp fall.
type Move struct {
	Perp  string
	Aug21 string // mark, 24 hours before Aug22
	Aug22 string // mark, 22 August 2025, 07:17 UTC
	Dec13 string // mid, 13 December 2025, 21:28 UTC
	Feb05 string // mark, 24 hours before Feb06
	Feb06 string // mark, 6 February 2026, 12:54 UTC
}

// Moves returns every main perp that traded at all three captures, in the venue's order.
func Moves() []Move {
	spots := embeddedSpots()
	newer, older := spots, spots
	if err := newer.addDex(response(fileMain)); err != nil {
		panic(fmt.Sprintf("universe: BUG: %s: %v", fileMain, err))
	}
	if err := older.addDex(response(fileMainOld)); err != nil {
		panic(fmt.Sprintf("universe: BUG: %s: %v", fileMainOld, err))
	}
	mids := spotMids()
	moves := make([]Move, 0, len(newer.Perps))
	for i := range newer.Perps {
		now := &newer.Perps[i]
		before, ok := older.Perp(now.Name)
		mid := mids[now.Name]
		if !ok || mid == "" || now.IsDelisted || before.IsDelisted {
			continue
		}
		moves = append(moves, Move{
			Perp: now.Name, Aug21: before.PrevDayPx, Aug22: before.MarkPx, Dec13: mid,
			Feb05: now.PrevDayPx, Feb06: now.MarkPx,
		})
	}
	return moves
}
