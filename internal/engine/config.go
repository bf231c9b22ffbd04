package engine

import (
	"errors"
	"fmt"

	"plimsoll/risk"
)

// ClockMode says what moves engine time.
type ClockMode uint8

// Clock modes. ClockWall follows Now and the times that commands give; ClockCommands
// follows commands alone, so that equal sequences give equal state.
const (
	ClockWall     ClockMode = 1
	ClockCommands ClockMode = 2
)

// Config shapes an engine in full: New adds nothing to it. All ring sizes are powers of
// two, because a ring finds its slot with a mask.
type Config struct {
	Shards      int    // machines that share the accounts; more than physical cores slows every tick
	AccountsMax uint32 // account slots, over all shards
	ClientsMax  int    // clients that may use idempotency ids, 0 to ClientsMax-1
	IDWindow    int    // ids remembered for each client; the API contract asks for 65,536

	IngressSlots   int // records waiting for the sequencer; the bound after which Submit says ErrBusy
	SequenceSlots  int // records sequenced and not yet durable
	BroadcastSlots int // durable records that the slowest of shards and egress has not passed
	OutboxSlots    int // events of one shard that egress has not merged
	VersionSlots   int // versions of one pool's totals that a shard ahead keeps for those behind; two at least
	Tickets        int // requests in flight
	EventHistory   int // public events kept for readers; 1,024 at least, a multiple of 512

	GroupMax       int // records of one group; no ring may be smaller
	FrameMax       int // records of one journal frame; a larger group is a frame of its own
	FramesInFlight int // frames handed to the journal and not yet durable
	PollMax        int // groups that one Poll of a stage takes, so that no stage keeps the others waiting

	Threads        int // goroutines that run the stages; 0 = by cores
	Clock          ClockMode
	ClockStepMsMax int64        // a command's time further ahead than this does not move the clock (the machine refuses it)
	AccrueMs       int64        // engine time after which the sequencer puts in a clock command; 0 = never
	Now            func() int64 // ms since 1970 UTC; asked by the sequencer only
	Journal        Journal

	Detect     risk.Detect          // how ticks find whom they concern; changes no outcome
	OnBandMiss func(miss *BandMiss) // told of each defect that the audit finds, on a goroutine of the engine; may be nil

	everyTick bool // for comparison: ticks are never merged

	// For the simulator, whose states are small; 0 = the constants.
	hashEvery   uint64 // distance of the hash points, in frames: journal.HashEvery
	stepMax     int    // accounts that an idle Poll works off beside the order: stepIdle
	bufferBytes int    // of a piece of a snapshot: bufferBytes
}

// DefaultConfig returns the configuration that plimsoll serve starts from: one shard, no
// journal. Rings are as small as the largest group allows, because every slot of a ring
// passes through the caches: with 1,024, 4,096 and 8,192 slots an uncontended Submit took
// 280, 400 and 550 ns (BenchmarkSubmit, 2 cores of an EPYC, busy host, 2026-11). The
// ring before the journal holds 16 frames of 1,024: without a journal it is not made. Now
// is left to the caller.
func DefaultConfig() Config {
	return Config{
		Shards: 1, AccountsMax: 1 << 20, ClientsMax: 64, IDWindow: 1 << 16,
		IngressSlots: 1 << 12, SequenceSlots: 1 << 14, BroadcastSlots: 1 << 12, OutboxSlots: 1 << 10,
		VersionSlots: 64, Tickets: 1 << 12, EventHistory: 1 << 16,
		GroupMax: risk.GroupMax, FrameMax: 1024, FramesInFlight: 16, PollMax: 256,
		Threads: 0, Clock: ClockWall, ClockStepMsMax: risk.MaxClockStepMsDefault, AccrueMs: risk.AccrualIntervalMs, Journal: NoJournal{},
	}
}

// Limits of a Config.
const (
	shardsMax  = 64
	clientsMax = 1 << 16 // Command.Client has 16 bits
	ticketsMax = 1 << 20
)

// Validate reports every fault of c at once, or nil.
func (c *Config) Validate() error {
	var faults []error
	bad := func(format string, args ...any) { faults = append(faults, fmt.Errorf("engine: "+format, args...)) }
	within := func(name string, v, least, most int) {
		if v < least || v > most {
			bad("%s is %d, want %d to %d", name, v, least, most)
		}
	}
	ring := func(name string, v int) {
		if v < 2 || v&(v-1) != 0 {
			bad("%s is %d, want a power of two", name, v)
		}
	}
	within("Shards", c.Shards, 1, shardsMax)
	within("AccountsMax", int(c.AccountsMax), 1, int(risk.NoAccount)-1)
	within("ClientsMax", c.ClientsMax, 1, clientsMax)
	within("IDWindow", c.IDWindow, 1, 1<<24)
	within("VersionSlots", c.VersionSlots, 2, 1<<16)
	within("Tickets", c.Tickets, 1, ticketsMax)
	within("EventHistory", c.EventHistory, 2*blockEvents, 1<<30)
	within("GroupMax", c.GroupMax, 1, risk.GroupMax)
	within("FrameMax", c.FrameMax, 1, 1<<20)
	within("FramesInFlight", c.FramesInFlight, 1, 1<<10)
	within("PollMax", c.PollMax, 1, 1<<20)
	within("Threads", c.Threads, 0, shardsMax+3)
	ring("IngressSlots", c.IngressSlots)
	ring("SequenceSlots", c.SequenceSlots)
	ring("BroadcastSlots", c.BroadcastSlots)
	ring("OutboxSlots", c.OutboxSlots)
	if least := min(c.IngressSlots, c.SequenceSlots, c.BroadcastSlots); c.GroupMax > least {
		bad("GroupMax is %d, but a ring has %d slots: a group must fit every ring", c.GroupMax, least)
	}
	if c.EventHistory%blockEvents != 0 {
		bad("EventHistory is %d, want a multiple of %d", c.EventHistory, blockEvents)
	}
	if c.Clock != ClockWall && c.Clock != ClockCommands {
		bad("Clock is %d, want ClockWall or ClockCommands", c.Clock)
	}
	if c.ClockStepMsMax <= 0 {
		bad("ClockStepMsMax is %d, want more than 0", c.ClockStepMsMax)
	}
	if c.AccrueMs < 0 {
		bad("AccrueMs is %d, want 0 or more", c.AccrueMs)
	}
	if c.Now == nil && c.Clock == ClockWall {
		bad("Now is nil, want a clock in wall mode")
	}
	if c.Detect > risk.DetectSweep {
		bad("Detect is %d, want DetectBands or DetectSweep", c.Detect)
	}
	if c.Journal == nil {
		bad("Journal is nil, want NoJournal to keep nothing")
	}
	return errors.Join(faults...)
}
