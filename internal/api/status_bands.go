package api

import "plimsoll/risk"

// appendBands writes what the safe bands of all shards do: how many accounts have one or
// are looked at on every tick, and what ticks and the audit have done since the start.
func appendBands(dst []byte, s *risk.BandStats) []byte {
	dst = append(appendKey(dst, "bands"), '{')
	dst = appendUintField(dst, "awake", s.Awake)
	dst = appendUintField(dst, "banded", s.Banded)
	dst = appendUintField(dst, "entries", s.Entries)
	dst = appendUintField(dst, "popped", s.Popped)
	dst = appendUintField(dst, "woken", s.Woken)
	dst = appendUintField(dst, "rebanded", s.Rebanded)
	dst = appendUintField(dst, "sweeps", s.Sweeps)
	dst = appendUintField(dst, "audited", s.Audited)
	dst = appendUintField(dst, "band_audit_misses", s.Misses)
	return append(dst, '}')
}
