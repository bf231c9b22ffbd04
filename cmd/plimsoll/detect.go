package main

import (
	"encoding/json"
	"fmt"
	"log/slog"

	"plimsoll/internal/engine"
	"plimsoll/risk"
)

// What --detect may say.
const (
	detectBands = "bands"
	detectSweep = "sweep"
)

// addDetectFlag adds --detect to a verb that runs machines. It is none of the settings that
// a data directory keeps, because it changes no outcome.
func addDetectFlag(f *flags, detect *string) {
	f.text(detect, option{
		"detect", "bands|sweep", "How a tick finds the accounts whose health may have changed: by safe bands, which " +
			"wake only those, or by a pass over all accounts. Events and state are the same.",
		"\"sweep\" as proof that the bands miss nobody, or to save their memory when ticks are rare.",
	})
}

// detectOf reads --detect into an engine's configuration.
func detectOf(detect string, cfg *engine.Config) error {
	switch detect {
	case detectBands:
		cfg.Detect = risk.DetectBands
	case detectSweep:
		cfg.Detect = risk.DetectSweep
	default:
		return fmt.Errorf("--detect is bands or sweep, not %q", detect)
	}
	return nil
}

// logMiss reports an account whose band did not hold, with everything that is known of it.
func (d *daemon) logMiss(log *slog.Logger) func(*engine.BandMiss) {
	return func(m *engine.BandMiss) {
		view, err := json.Marshal(m.View)
		if err != nil {
			view = fmt.Appendf(nil, "%+v", m.View)
		}
		log.Error("BUG: a band did not hold; the account is rechecked: please report this line",
			"account", string(d.dir.AccountName(m.Account)), "slot", m.Account, "shard", m.Shard, "seq", m.Seq,
			"told", m.Told.String(), "exact", m.Exact.String(), "view", string(view))
	}
}
