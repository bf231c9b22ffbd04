package main

import (
	"context"
	"errors"
	"sync/atomic"

	"plimsoll/client"
)

// watcher follows the events of the demo as an exchange would: over HTTP, with the client.
type watcher struct {
	client *client.Client
	events atomic.Uint64
	gaps   atomic.Uint64

	// What of them is of liquidations.
	begun       atomic.Uint64
	ended       atomic.Uint64
	takenOver   atomic.Uint64 // positions
	deleveraged atomic.Uint64 // positions
	covered     atomic.Uint64 // losses, or parts of them
	done        chan struct{}
}

// watch follows a daemon until ctx ends. After a gap, when events were overwritten faster
// than they were read, it goes on with those that come.
func watch(ctx context.Context, url string) (*watcher, error) {
	c, err := client.New(url, client.Options{Name: "demo"})
	if err != nil {
		return nil, err
	}
	w := &watcher{client: c, done: make(chan struct{})}
	go w.run(ctx)
	return w, nil
}

func (w *watcher) run(ctx context.Context) {
	defer close(w.done)
	defer w.client.Close()
	for isGap := true; isGap; {
		isGap = false
		for event, err := range w.client.Events(ctx, client.Now(), client.Filter{}) {
			var gap *client.GapError
			if isGap = errors.As(err, &gap); isGap {
				w.gaps.Add(1)
			} else if err == nil {
				w.events.Add(1)
				w.count(&event)
			}
		}
	}
}

// count counts what is of liquidations.
func (w *watcher) count(e *client.Event) {
	switch e.Type {
	case "liquidation_started":
		w.begun.Add(1)
	case "liquidation_ended":
		w.ended.Add(1)
	case "backstop_takeover":
		if e.Size != "" {
			w.takenOver.Add(1)
		}
	case "adl":
		w.deleveraged.Add(1)
	case "loss_covered":
		w.covered.Add(1)
	}
}
