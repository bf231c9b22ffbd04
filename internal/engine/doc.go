// Package engine is the pipeline around the machines: threads, clock and gate. It puts
// commands into one order, lets N shards apply it, and releases what all have applied.
// It knows no formula, no JSON and no HTTP.
//
//	callers                                                          ╔═► shard 0 ═SPSC═╗
//	Submit ═╗                                                        ║   risk.Machine  ║
//	Submit ═╬═MPSC═► sequencer ═SPSC═► journaler ═══════broadcast════╬═► shard 1 ═SPSC═╬═► egress
//	Read   ═╝        Seq, time, ids    frame, sync                   ╠═► shard N-1 ════╝   │
//	   ▲                                                             ╚═════ order ════════►│ gate
//	   └──────────────────── ticket: results, woken after release ◄────────────────────────┤
//	                                               history of public events ◄──────────────┘
//
//	stage      file          reads                              writes, alone
//	ingress    ingress.go    -                                  claims in the MPSC ring (all callers), its ticket
//	sequencer  sequencer.go  MPSC ring, clock                   SPSC ring or broadcast ring, id windows, engine time, sequenced
//	           conflate.go   quotes of shard 0, applied         followers of merged ticks
//	journaler  journaler.go  SPSC ring, journal, shares         broadcast ring, journal, durable
//	shard i    shard.go      broadcast ring, others' cursors,   its machine, its outbox, its versions,
//	           joint.go      versions, verdicts, requests       verdict, requests, cursors done, voted, asked
//	           background.go its lane's free buffers            shares of the state hash, pieces in its lane
//	           bands.go      what the auditor allows            its bands, counts of them, misses
//	egress     egress.go     broadcast ring, outboxes, done     results by id, history, tickets
//	           captureids.go its lane's free buffers            its share (ids), pieces in its lane
//	writer     capture.go    lanes                              snapshot, free buffers
//	auditor    audit.go      clock, sequenced, misses           allowances, rechecks in the MPSC ring
//
// Without a journal there is no journaler, and the sequencer writes to the broadcast ring.
//
// Read engine.go (wire puts the stages together in the order of the data), then the files
// in the order of the table, then runner.go; then recover.go, restore.go and replay.go,
// which run before Start. sim_test.go runs the pipeline on one goroutine, simcrash_test.go
// the durable house: it crashes, restarts and compares.
//
// # Order
//
// Sequencer and journaler pass groups on whole. A stage shows what it has done once per
// flushEvery groups, and at the end of its Poll at the latest. Every shard and egress read the same
// broadcast ring, and count its records: a place is a number of records since the start.
// A group that starts at place p and ends before place q is applied by a shard when its
// done cursor has reached q. Reads, and repeats of an id, ride the ring as markers: they
// have a place but no Seq, and no journal sees them; so do the journaler's own markers. So a read is linearizable: its marker
// is claimed after every command acknowledged before it was released; and it cannot
// starve, since it queues like a command.
//
// Events of one Seq lie in the outboxes in order. Egress takes the least head by
// risk.Event.Before, but only while every shard that is not done shows one; it holds the
// answer back, and shows events to readers, when all shards are done.
//
// # Pools
//
// A machine's Plan says what a group needs of the other shards (rulings 1):
//
//	local   nothing
//	totals  others done >= p; their pool totals as of p
//	joint   others done >= p; all voted >= q; all asked >= q       (joint.go)
//
// Totals are published with the place from which they hold, in versioned rings
// (versions.go), so a shard that runs ahead does not disturb one that is behind. The
// outcome of a group is then a function of the order alone, for any number of shards and
// any interleaving; the simulator compares 1, 2, 4 and 8.
//
// # No deadlock
//
// Let p be the least done cursor, s a shard that has it, and q the end of its group. What
// can s wait for? Others done >= p: they are. Room for a version: it comes when all are
// done with the second oldest entry of the ring, whose place is at most p. Votes and
// requests of the others: each needs only done >= p, room for a version, and its own
// outbox for what came before p, which it has told. Room in its outbox: egress is at p or
// before; before p all shards are done, so egress needs nobody; at p it needs a head or
// done of every shard, and s, with a full outbox, shows one; the others reach done or
// show theirs by this same argument, for their events of this group do not wait for s.
// Egress waits for no ring: history overwrites, tickets take what they get. So the group
// at p is always finished, everywhere, and the broadcast ring moves on; with it move
// journaler (if the journal syncs), sequencer and ingress.
//
// # Durable
//
// The journaler packs what has arrived into frames and passes on what the journal says is
// durable; nothing is applied, and so nothing acknowledged, before. After every frame whose
// number journal.HashEvery divides it puts a marker of a hash point: each shard remembers
// which accounts it owes to the hash as of there and works them off between groups, egress
// adds the ids, and a later frame's header carries the sum. Replay hashes at the same
// places and stops at the first header that says otherwise (ErrDiverged).
//
// A snapshot is asked for by the journal between two frames, while Durable stands at the
// end of the first. The journaler looks for it after Durable, so it has not passed on
// anything later, and puts its marker there. From the marker on shards and egress encode
// what is about to change before they change it, and sweep the rest, a little per Poll, as
// buffers come back from the writer: no group ever waits for the disk. What is not the
// machines': the last Seq, the sequencer's timeline, which egress follows from the
// records, the ids with their results, and the names, which may be ahead (see Names).
//
// A restart restores into any number of shards, compares the state hash, and replays the
// frames that follow. Windows of ids and results come back as they were, so a repeat gets
// its first answer; so do the public events from before the snapshot, as far as the history
// reached then (captureevents.go). Whoever asks for older ones is told (ErrHistory). Engine time goes on from the last stamp.
//
// # What "lock-free" claims
//
// Between the claim in ingress and the release in egress no mutex and no channel of ours
// is taken; what a journal does inside is its own affair. Around that, a caller that finds
// its answer not yet there sleeps on its ticket's channel, and an idle pump on its waker:
// both are touched after the release, or when there is nothing to do. A caller that the
// scheduler stops between claim and publish holds up those who claimed after it: the
// claim is bounded by a copy of its records, but it is not wait-free.
//
// # Back-pressure
//
// A full ring stops the stage in front of it, until ingress is full; then Submit says
// ErrBusy and has done nothing. So does a full ticket table. Nobody waits in the dark.
// By the wall clock ticks that wait side by side in ingress become one (conflate.go). There
// the sequencer leaves a tick while a shard has two to apply: it waits for cursors of
// shards only, for groups that they have already, so the argument above holds.
package engine
