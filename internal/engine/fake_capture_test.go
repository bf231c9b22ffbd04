package engine

import (
	"encoding/binary"
	"errors"
	"unsafe"

	"plimsoll/fixedpoint"
)

// fakeCapture is what the fake machine needs to be hashed and captured while it runs.
type fakeCapture struct {
	marked      fixedpoint.Hash128 // state hash at the checkpoint
	owed        int                // steps until it is given out
	isCapturing bool
	swept       int
	backlog     []byte
	neglects    bool // negative control: an account is changed without being encoded first
	isRestoring bool
}

const (
	fakeRecord = 4 + 16*fakePools
	fakeSteps  = 5
)

// indexOf returns the place of an account in the table.
func (m *fakeMachine) indexOf(a *fakeAccount) int {
	return int((uintptr(unsafe.Pointer(a)) - uintptr(unsafe.Pointer(&m.accounts[0]))) / unsafe.Sizeof(*a))
}

func (m *fakeMachine) touchAccount(a *fakeAccount) {
	m.touched = append(m.touched, m.indexOf(a))
	m.wakeUp(m.indexOf(a))
	if a.isWanted && !m.neglects {
		m.backlog = m.appendAccount(m.backlog, m.indexOf(a))
	}
}

func (m *fakeMachine) appendAccount(dst []byte, i int) []byte {
	a := &m.accounts[i]
	a.isWanted = false
	if a.isEmpty() {
		return dst
	}
	dst = binary.LittleEndian.AppendUint32(dst, uint32(i)*m.shards+m.shard)
	for p := range fakePools {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(a.cash[p]))
		dst = binary.LittleEndian.AppendUint64(dst, uint64(a.debt[p]))
	}
	return dst
}

func (m *fakeMachine) Checkpoint() { m.marked, m.owed = m.StateHash(), fakeSteps }

func (m *fakeMachine) CheckpointStep(accounts int) (fixedpoint.Hash128, bool) {
	m.owed -= accounts
	return m.marked, m.owed <= 0
}

func (m *fakeMachine) BeginCapture(dst []byte) []byte {
	m.isCapturing, m.swept, m.backlog = true, 0, m.backlog[:0]
	for i := range m.accounts {
		m.accounts[i].isWanted = true
	}
	return append(dst, byte(m.shard))
}

func (m *fakeMachine) AppendShared(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, m.seq)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(m.pools))
	for _, f := range m.folded {
		dst = binary.LittleEndian.AppendUint64(dst, f)
	}
	return dst
}

func (m *fakeMachine) Capture(dst []byte, accounts int) ([]byte, bool) {
	if !m.isCapturing {
		panic("fake: captures without a beginning")
	}
	dst = append(dst, m.backlog...)
	m.backlog = m.backlog[:0]
	for ; m.swept < len(m.accounts); m.swept++ {
		if !m.accounts[m.swept].isWanted {
			continue
		}
		if accounts--; accounts < 0 {
			return dst, false
		}
		dst = m.appendAccount(dst, m.swept)
	}
	return dst, true
}

func (m *fakeMachine) EndCapture() {
	m.isCapturing = false
	for i := range m.accounts {
		m.accounts[i].isWanted = false
	}
}

var errFake = errors.New("fake: damaged")

func (m *fakeMachine) RestoreShared(b []byte) error {
	if len(b) != 8*(2+fakePools) || m.isRestoring || m.seq != 0 {
		return errFake
	}
	m.isRestoring = true
	m.seq, m.pools = binary.LittleEndian.Uint64(b), int(binary.LittleEndian.Uint64(b[8:]))
	for i := range m.folded {
		m.folded[i] = binary.LittleEndian.Uint64(b[16+8*i:])
	}
	return nil
}

func (m *fakeMachine) RestoreShard(b []byte) error {
	if len(b) != 1 || !m.isRestoring {
		return errFake
	}
	return nil
}

func (m *fakeMachine) RestoreAccounts(b []byte) error {
	if len(b)%fakeRecord != 0 || !m.isRestoring {
		return errFake
	}
	for ; len(b) > 0; b = b[fakeRecord:] {
		a := m.account(binary.LittleEndian.Uint32(b))
		if a == nil {
			continue
		}
		for p := range fakePools {
			a.cash[p] = int64(binary.LittleEndian.Uint64(b[4+16*p:]))
			a.debt[p] = int64(binary.LittleEndian.Uint64(b[12+16*p:]))
			m.own[p].Cash = m.own[p].Cash.Add(fixedpoint.I128(a.cash[p]))
			m.own[p].Debt = m.own[p].Debt.Add(fixedpoint.I128(a.debt[p]))
		}
	}
	return nil
}

func (m *fakeMachine) FinishRestore() error {
	if !m.isRestoring {
		return errFake
	}
	m.isRestoring = false
	for i := range m.accounts {
		m.told[i] = m.accounts[i].isPoor()
		m.wakeUp(i)
	}
	return nil
}

// neglectful makes machines for a negative control.
func neglectful(cfg *Config) []machine {
	machines := fakeHouse(cfg)
	for _, m := range machines {
		m.(*fakeMachine).neglects = true
	}
	return machines
}

func (m *fakeMachine) CaptureBacklog() int { return 0 }
