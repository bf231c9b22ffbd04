package main

import (
	"fmt"
	"io"

	"plimsoll/internal/api"
	"plimsoll/risk"
)

// eventPrinter prints the events of a replay as GET /v1/events gives them, or has them judged.
type eventPrinter struct {
	judge func(e *risk.Event, names *api.Directory) error // nil: they are printed
	out   io.Writer
	after uint64 // events up to this Seq are left out
	line  []byte
}

// print prints events in their order.
func (p *eventPrinter) print(events []risk.Event, names *api.Directory) error {
	after := p.after
	for i := range events {
		e := &events[i]
		if e.Seq <= after {
			continue
		}
		p.after = e.Seq // a replay that begins anew prints nothing twice
		if p.judge != nil {
			if err := p.judge(e, names); err != nil {
				return err
			}
			continue
		}
		p.line = append(api.AppendEvent(p.line[:0], e, names), '\n')
		if _, err := p.out.Write(p.line); err != nil {
			return fmt.Errorf("print events: %w", err)
		}
	}
	return nil
}
