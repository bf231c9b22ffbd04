package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"plimsoll/client"
)

// A deposit, and the events that follow it. The daemon is a stand-in here.
func Example() {
	daemon := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/commands":
			_, _ = fmt.Fprint(w, `{"seq":42,"ok":true,"time":1790091087693}`)
		default:
			_, _ = fmt.Fprintln(w, `{"seq":43,"n":1,"type":"health_changed","time":1790091087693,"account":"alice","from":"healthy","to":"at_risk"}`)
		}
	}))
	defer daemon.Close()
	ctx := context.Background()

	c, err := client.New(daemon.URL, client.Options{Name: "desk-1"})
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := c.Do(ctx, client.Deposit{Account: "alice", Token: "USDC", Amount: "12500.0"})
	var refusal *client.Error
	switch {
	case errors.As(err, &refusal) && refusal.IsRefusal():
		fmt.Println("refused:", refusal.Code)
		return
	case err != nil:
		fmt.Println(err)
		return
	}
	for event, err := range c.Events(ctx, client.After(result.Seq), client.Filter{}) {
		var gap *client.GapError
		switch {
		case errors.As(err, &gap):
			fmt.Println("read the accounts anew, then follow from their seq:", gap)
			return
		case err != nil:
			fmt.Println(err)
			return
		}
		fmt.Println(event.Cursor(), event.Type, event.Account, event.From, "to", event.To)
		break
	}
	// Output: 43.1 health_changed alice healthy to at_risk
}
