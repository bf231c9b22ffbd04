package bench

import (
	"context"
	"errors"
	"net"

	"github.com/valyala/fasthttp"
)

// echoServer is the least that an HTTP server can do: a bare fasthttp server in this process,
// which sends back what it is sent.
type echoServer struct {
	http *fasthttp.Server
	addr net.Addr
	done chan error
}

func startEcho(ctx context.Context) (*echoServer, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	const bodyMax = 64 << 20
	e := &echoServer{addr: l.Addr(), done: make(chan error, 1), http: &fasthttp.Server{
		Handler:               func(ctx *fasthttp.RequestCtx) { ctx.SetBody(ctx.PostBody()) },
		MaxRequestBodySize:    bodyMax,
		NoDefaultDate:         true,
		NoDefaultServerHeader: true,
		CloseOnShutdown:       true,
	}}
	go func() { e.done <- e.http.Serve(l) }()
	return e, nil
}

// stop ends the server; its callers have gone.
func (e *echoServer) stop() error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := e.http.ShutdownWithContext(ctx)
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	return errors.Join(err, <-e.done)
}
