package ringbuf_test

import (
	"fmt"

	"plimsoll/ringbuf"
)

// One goroutine fills slots in place and publishes them together; another reads them in place.
func ExampleSPSC() {
	ring := ringbuf.NewSPSC[string](4)
	for i := range ring.Claim(2) {
		*ring.Slot(i) = fmt.Sprint("item ", i)
	}
	ring.Publish(2)

	ready := ring.Available()
	for i := range ready {
		fmt.Println(*ring.Peek(i))
	}
	ring.Release(ready)
	// Output:
	// item 0
	// item 1
}

// A batch stays together, whatever other writers do meanwhile.
func ExampleMPSC() {
	ring := ringbuf.NewMPSC[int](8)
	first, ok := ring.TryClaim(3)
	if !ok {
		return // Full: back-pressure is the caller's to pass on.
	}
	for i := range uint64(3) {
		*ring.Slot(first + i) = int(i) * 10
	}
	ring.Publish(first, 3)

	ready := ring.Available(ring.Cap())
	for i := range ready {
		fmt.Println(*ring.Peek(i))
	}
	ring.Release(ready)
	// Output:
	// 0
	// 10
	// 20
}

// Reader 1 sees an item only when reader 0 is done with it.
func ExampleBroadcast() {
	const journaler, shard = 0, 1
	ring := ringbuf.NewBroadcast[int](4, 2)
	ring.GateBehind(shard, journaler)
	*ring.Slot(0) = 7
	ring.Publish(ring.Claim(1))

	fmt.Println(ring.Available(shard))
	ring.Release(journaler, ring.Available(journaler))
	fmt.Println(ring.Available(shard), *ring.Peek(shard, 0))
	// Output:
	// 0
	// 1 7
}

// A reader that sleeps when there is nothing to do, and a writer that wakes it.
func ExampleIdler() {
	ring, waker := ringbuf.NewSPSC[int](4), ringbuf.NewWaker()
	go func() {
		for i := range 3 {
			for !ring.TryPush(&i) {
				continue
			}
			waker.Wake()
		}
	}()

	spins, yields := ringbuf.DefaultIdle(1, 2)
	idler := ringbuf.NewIdler(spins, yields, waker)
	for seen := 0; seen < 3; {
		work, item := 0, 0
		for ring.TryPop(&item) {
			fmt.Println(item)
			work++
		}
		seen += work
		idler.Wait(work)
	}
	// Output:
	// 0
	// 1
	// 2
}
