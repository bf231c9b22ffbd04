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
	done   chan struct{}
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
		for _, err := range w.client.Events(ctx, client.Now(), client.Filter{}) {
			var gap *client.GapError
			if isGap = errors.As(err, &gap); isGap {
				w.gaps.Add(1)
			} else if err == nil {
				w.events.Add(1)
			}
		}
	}
}
