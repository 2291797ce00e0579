package bpfmap

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc/codes"
)

// canPass tells whether a stream that ended with an error can go on after another call.
func (c *Client) canPass(err error) bool {
	var e *Error
	if !errors.As(err, &e) || c.closed.Load() {
		return false
	}
	switch e.Code {
	case codes.Unavailable, codes.Aborted, codes.ResourceExhausted, codes.DeadlineExceeded:
		return true
	case codes.Internal, codes.Canceled, codes.Unknown:
		// gRPC names a connection so that the other side, or a proxy, ended with a code of
		// HTTP/2. The daemon's own errors have a reason.
		return e.Reason == ""
	default:
		return false
	}
}

// pauses are those between attempts: they grow, and are random so that clients do not
// come all at once.
type pauses struct{ longest time.Duration }

const (
	firstPause   = 100 * time.Millisecond
	longestPause = 10 * time.Second
)

func newPauses() *pauses { return &pauses{firstPause} }

func (p *pauses) reset() { p.longest = firstPause }

// wait is false where ctx ended.
func (p *pauses) wait(ctx context.Context) bool {
	timer := time.NewTimer(rand.N(p.longest))
	defer timer.Stop()
	p.longest = min(longestPause, 2*p.longest)
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
