//go:build !race

package ringbuf

import "testing"

// wide is as large as a command of the engine.
type wide [16]uint64

func TestRingsDoNotAllocate(t *testing.T) {
	s, m, b, w := NewSPSC[wide](8), NewMPSC[wide](8), NewBroadcast[wide](8, 2), NewWaker()
	idler := NewIdler(1, 0, w)
	var v wide
	for name, f := range map[string]func(){
		"SPSC": func() {
			s.TryPush(&v)
			s.TryPop(&v)
			s.Claim(2)
			s.Slot(1)[3] = 7
			s.Publish(2)
			s.Available()
			v = *s.Peek(1)
			s.Release(2)
		},
		"MPSC": func() {
			first, _ := m.TryClaim(3)
			m.Slot(first + 2)[3] = 7
			m.Publish(first, 3)
			m.Available(8)
			v = *m.Peek(2)
			m.Release(3)
		},
		"Broadcast": func() {
			b.Claim(3)
			b.Slot(2)[3] = 7
			b.Publish(3)
			for reader := range 2 {
				b.Available(reader)
				v = *b.Peek(reader, 2)
				b.Release(reader, 3)
			}
		},
		"Waker and Idler": func() {
			w.Prepare()
			w.Wake()
			w.Park()
			idler.Wait(0)
			idler.Wait(0)
			idler.Wait(1)
		},
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s allocates %v times, want 0", name, n)
		}
	}
}
