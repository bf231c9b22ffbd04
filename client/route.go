package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
)

// Get reads any route that answers JSON, such as /v1/pools, into v.
func (c *Client) Get(ctx context.Context, path string, v any) error { return c.get(ctx, path, v) }

// Info asks POST /info, the reads in the shapes of Hyperliquid's API: request is an object with a
// type, such as map[string]any{"type": "meta"}; the reply is read into v.
func (c *Client) Info(ctx context.Context, request, v any) error {
	return c.post(ctx, "/info", request, v)
}

// Simulate tries commands, and then prices, on a copy of an account: v is what the daemon would
// answer before and after. Nothing changes.
func (c *Client) Simulate(ctx context.Context, account string, commands []Command, prices *Prices, v any) error {
	body := map[string]any{}
	if len(commands) > 0 {
		list := make([]json.RawMessage, len(commands))
		for i, command := range commands {
			encoded, err := encode(command)
			if err != nil {
				return err
			}
			list[i] = encoded
		}
		body["commands"] = list
	}
	if prices != nil {
		body["prices"] = prices
	}
	return c.post(ctx, "/v1/accounts/"+url.PathEscape(account)+"/simulate", body, v)
}

// post asks a route that changes nothing.
func (c *Client) post(ctx context.Context, path string, ask, v any) error {
	body, err := json.Marshal(ask)
	if err != nil {
		return fmt.Errorf("client: encode %s: %w", path, err)
	}
	reply, err := c.repeat(ctx, &request{method: http.MethodPost, path: path, contentType: "application/json", body: body})
	if err != nil {
		return err
	}
	if err := json.Unmarshal(reply, v); err != nil {
		return fmt.Errorf("client: POST %s answers %.100q: %w", path, reply, err)
	}
	return nil
}
