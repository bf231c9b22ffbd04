package journal

// SnapshotVersion is the version of the file format that this program writes. It reads no
// newer one; docs/JOURNAL.md has the rule.
const SnapshotVersion = 1

const (
	// ChunkBytesMax is the most that one chunk may hold, in bytes before compression.
	ChunkBytesMax = 16 << 20
	chunksMax     = 1 << 20 // of one file; limits what a damaged manifest can ask for
)

// SnapshotMeta says what a snapshot holds: the state after Chain.Seq. It stands in the
// manifest as JSON.
type SnapshotMeta struct {
	Version     int    `json:"version"`       // of the file format
	Seq         uint64 `json:"seq"`           // last command in the state
	TimeMs      int64  `json:"time_ms"`       // engine time of that command, Unix milliseconds
	Chain       Chain  `json:"chain"`         // where the log stood
	StateHash   string `json:"state_hash"`    // hex; empty when the source gave none
	Shards      int    `json:"shards"`        // of the engine that wrote it; any number may read it
	Accounts    uint64 `json:"accounts"`      // count
	RaftIndex   uint64 `json:"raft_index"`    // last log entry in the state; the store fills it
	RaftTerm    uint64 `json:"raft_term"`     // of that entry; the store fills it
	TakenUnixMs int64  `json:"taken_unix_ms"` // wall clock at publication, for people only
}

// SnapshotInfo describes a published snapshot.
type SnapshotInfo struct {
	File  string // path
	Bytes int64  // length of the file
	SnapshotMeta
	Seconds float64 //nolint:forbidigo // for people: how long it took to write; 0 of one that another process wrote
}

// Chunk is one piece of a snapshot. The kinds are its writer's; the file does not know them.
type Chunk struct {
	Kind    uint8
	Shard   uint16
	Payload []byte // valid until the function that was given it returns
}
