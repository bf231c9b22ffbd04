package api_test

import (
	"slices"
	"testing"
)

// Replies without a formula of their own in the model: they are compared as they stand.

// compareText holds one word or number of a reply against the captured one.
func (s *scenario) compareText(t *testing.T, ts tallies, k key, want, got string) {
	t.Helper()
	if reason := s.excludes(k); reason != "" {
		ts.exclude(k.figure, reason)
		return
	}
	x := ts.of(k.figure)
	x.checked++
	if got != want {
		t.Errorf("%s: %v = %s, the venue says %s", s, k, got, want)
		return
	}
	x.identical++
}

// compareNumber is compareText for numbers that differ in noise or zeros only.
func (s *scenario) compareNumber(t *testing.T, ts tallies, k key, want, got string, decimals int) {
	t.Helper()
	s.compareText(t, ts, k, plain(round(rat(want), decimals), decimals), plain(rat(got), decimals))
}

// compareAssets compares activeAssetData of the coins that belong to the moment.
func (s *scenario) compareAssets(t *testing.T, ts tallies, d *desk, user string) {
	t.Helper()
	for _, coin := range s.assets {
		want := s.capture.active[coin]
		var got activeAsset
		d.info(command{"type": "activeAssetData", "user": user, "coin": coin}, &got)
		s.compareNumber(t, ts, key{"active", coin, "markPx"}, want.MarkPx, got.MarkPx, 6)
		s.compareText(t, ts, key{"active", coin, "leverage type"}, want.Leverage.Type, got.Leverage.Type)
		for side, name := range []string{" buy", " sell"} {
			s.compareNumber(t, ts, key{"active", coin, "availableToTrade" + name}, want.AvailableToTrade[side],
				got.AvailableToTrade[side], 6)
			s.compareNumber(t, ts, key{"active", coin, "maxTradeSzs" + name}, want.MaxTradeSzs[side], got.MaxTradeSzs[side], 6)
		}
	}
}

// compareLending compares borrowLendUserState. The principal at the last touch is not
// compared: an import is a touch.
func (s *scenario) compareLending(t *testing.T, ts tallies, d *desk, user string) {
	t.Helper()
	if !s.hasLending {
		return
	}
	want := s.capture.lending
	var got lendState
	d.info(command{"type": "borrowLendUserState", "user": user}, &got)
	for i := range want.TokenToState {
		x := &want.TokenToState[i]
		at := slices.IndexFunc(got.TokenToState, func(y lendToken) bool { return y.token == x.token })
		if at < 0 {
			t.Errorf("%s: token %d is missing from borrowLendUserState", s, x.token)
			continue
		}
		y := &got.TokenToState[at]
		s.compareNumber(t, ts, key{"lending", "", "supply value"}, x.state.Supply.Value, y.state.Supply.Value, 8)
		s.compareNumber(t, ts, key{"lending", "", "borrow value"}, x.state.Borrow.Value, y.state.Borrow.Value, 8)
		ts.exclude("basis", "the principal at the last touch: an import is a touch")
	}
	s.compareText(t, ts, key{"lending", "", "health"}, want.Health, got.Health)
	s.compareText(t, ts, key{"lending", "", "healthFactor"}, orNull(want.HealthFactor), orNull(got.HealthFactor))
}

// compareAbstraction compares the account's mode by the venue's word.
func (s *scenario) compareAbstraction(t *testing.T, ts tallies, d *desk, user string) {
	t.Helper()
	if s.capture.abstraction == "" || !s.hasPerps {
		return
	}
	var got string
	d.info(command{"type": "userAbstraction", "user": user}, &got)
	s.compareText(t, ts, key{"user", "", "userAbstraction"}, s.capture.abstraction, got)
}
