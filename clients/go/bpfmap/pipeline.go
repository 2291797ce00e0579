package bpfmap

import (
	"context"
	"sync"
	"time"

	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/metadata"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"
)

const (
	// maxPipelinedBytes bounds the requests without an answer. It is below what gRPC takes
	// for a stream without waiting, so that no call waits for another to be sent.
	maxPipelinedBytes = 32 << 10
	// pipelineAge is how long a stream takes calls: its credentials and its connection are
	// those of its beginning.
	pipelineAge = time.Minute
	// pipelineIdle is how long a stream without calls is kept.
	pipelineIdle = 10 * time.Second
)

// pipeline makes small calls on elements over one stream (MapService.Pipeline), which
// costs a fraction of what it takes to make them one by one. What it does not take goes
// as a call of its own: where there is no connection yet, headers of the caller's own,
// much on its way already, or a daemon that knows no pipelines.
type pipeline struct {
	client *Client

	mu      sync.Mutex
	current *pipelineStream
	// opening says that a stream is being made, unknown that the daemon has none.
	opening, unknown bool
	// left is the last call that its caller left: the caller's next call must not overtake it.
	left *pipelinedCall
	sent uint64
}

// pipelineStream is one stream and the calls that it has taken, in their order.
type pipelineStream struct {
	stream bpfmapv1.MapService_PipelineClient
	since  time.Time
	idle   *time.Timer
	// closing says that it takes no more calls.
	closing bool
	waiting []*pipelinedCall
	bytes   int
}

// pipelinedCall is a call on its way. done is closed once it has its answer or its error.
type pipelinedCall struct {
	// number is that of the call among all that were sent.
	number uint64
	bytes  int
	answer *bpfmapv1.PipelineResponse
	err    error
	// refused says that the daemon knows no pipelines: nothing was done.
	refused bool
	done    chan struct{}
}

func (p *pipeline) lookup(ctx context.Context, r *bpfmapv1.LookupElementsRequest) (*bpfmapv1.LookupElementsResponse, error) {
	call := &bpfmapv1.PipelineRequest{Call: &bpfmapv1.PipelineRequest_LookupElements{LookupElements: r}}
	if answer, taken, err := p.do(ctx, call); taken {
		return answerOf(answer.GetLookupElements(), err)
	}
	return p.client.maps.LookupElements(ctx, r)
}

func (p *pipeline) update(ctx context.Context, r *bpfmapv1.UpdateElementsRequest) (*bpfmapv1.UpdateElementsResponse, error) {
	call := &bpfmapv1.PipelineRequest{Call: &bpfmapv1.PipelineRequest_UpdateElements{UpdateElements: r}}
	if answer, taken, err := p.do(ctx, call); taken {
		return answerOf(answer.GetUpdateElements(), err)
	}
	return p.client.maps.UpdateElements(ctx, r)
}

func (p *pipeline) delete(ctx context.Context, r *bpfmapv1.DeleteElementsRequest) (*bpfmapv1.DeleteElementsResponse, error) {
	call := &bpfmapv1.PipelineRequest{Call: &bpfmapv1.PipelineRequest_DeleteElements{DeleteElements: r}}
	if answer, taken, err := p.do(ctx, call); taken {
		return answerOf(answer.GetDeleteElements(), err)
	}
	return p.client.maps.DeleteElements(ctx, r)
}

func (p *pipeline) take(ctx context.Context, r *bpfmapv1.TakeElementsRequest) (*bpfmapv1.TakeElementsResponse, error) {
	call := &bpfmapv1.PipelineRequest{Call: &bpfmapv1.PipelineRequest_TakeElements{TakeElements: r}}
	if answer, taken, err := p.do(ctx, call); taken {
		return answerOf(answer.GetTakeElements(), err)
	}
	return p.client.maps.TakeElements(ctx, r)
}

// do makes a call. Where it tells false the call was not taken, and nothing was done.
func (p *pipeline) do(ctx context.Context, request *bpfmapv1.PipelineRequest) (*bpfmapv1.PipelineResponse, bool, error) {
	if headers, _ := metadata.FromOutgoingContext(ctx); len(headers) > 0 {
		return nil, false, nil
	}
	one, left := p.send(request)
	if one == nil && left == nil {
		return nil, false, nil
	}
	if one == nil {
		select {
		case <-left.done:
			return nil, false, nil
		case <-ctx.Done():
			return nil, true, grpcstatus.FromContextError(ctx.Err()).Err()
		}
	}
	select {
	case <-one.done:
		if one.err != nil {
			return nil, !one.refused, one.err
		}
		return one.answer, true, errorIn(one.answer)
	case <-ctx.Done():
		p.leave(one)
		return nil, true, grpcstatus.FromContextError(ctx.Err()).Err()
	}
}

// send takes a call and sends it. Where it is not taken it gives nil, and the call that was
// left last, if that has no answer yet.
func (p *pipeline) send(request *bpfmapv1.PipelineRequest) (one, left *pipelinedCall) {
	one = &pipelinedCall{bytes: proto.Size(request), done: make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.ready()
	if s == nil || s.bytes+one.bytes > maxPipelinedBytes {
		return nil, p.left
	}
	// Never waits: so little is on its way that gRPC has room for it.
	if s.stream.Send(request) != nil {
		s.closing = true
		return nil, p.left
	}
	s.idle.Stop()
	s.waiting = append(s.waiting, one)
	s.bytes += one.bytes
	p.sent++
	one.number = p.sent
	return one, nil
}

// leave notes that nobody waits for a call any more.
func (p *pipeline) leave(one *pipelinedCall) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-one.done:
	default:
		if p.left == nil || p.left.number < one.number {
			p.left = one
		}
	}
}

// ready gives the stream that takes calls; nil where there is none yet, and one is being
// made. The lock is held.
func (p *pipeline) ready() *pipelineStream {
	s := p.current
	if s != nil && !s.closing && time.Since(s.since) > pipelineAge {
		s.close()
	}
	if s != nil && !s.closing {
		return s
	}
	if s != nil && len(s.waiting) > 0 {
		// What is on its way in one stream must not be overtaken by another.
		return nil
	}
	// Without a connection it would wait for one.
	if !p.opening && !p.unknown && p.client.conn.GetState() == connectivity.Ready {
		p.opening = true
		go p.run()
	}
	return nil
}

// run makes a stream and hands out its answers until it ends.
func (p *pipeline) run() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s := p.open(ctx)
	for s != nil {
		answer, err := s.stream.Recv()
		if !p.deliver(s, answer, err) {
			return
		}
	}
}

func (p *pipeline) open(ctx context.Context) *pipelineStream {
	stream, err := p.client.maps.Pipeline(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.opening = false
	if err != nil {
		return nil
	}
	s := &pipelineStream{stream: stream, since: time.Now()}
	s.idle = time.AfterFunc(pipelineIdle, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(s.waiting) == 0 {
			s.close()
		}
	})
	p.current = s
	return s
}

// deliver gives an answer to the call that is first in line; false where the stream is
// over, which all that wait are told.
func (p *pipeline) deliver(s *pipelineStream, answer *bpfmapv1.PipelineResponse, err error) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil && len(s.waiting) == 0 {
		err = protocolError("answered a call that was not made")
	}
	if err != nil {
		p.end(s, err)
		return false
	}
	one := s.waiting[0]
	s.waiting[0] = nil
	s.waiting = s.waiting[1:]
	s.bytes -= one.bytes
	if len(s.waiting) == 0 {
		s.idle.Reset(pipelineIdle)
	}
	one.answer = answer
	p.finish(one)
	return true
}

// close lets the stream end with its last answer. The lock is held.
func (s *pipelineStream) close() {
	s.closing = true
	_ = s.stream.CloseSend()
}

// end gives the error that ended a stream to the calls that have no answer. The lock is
// held.
func (p *pipeline) end(s *pipelineStream, err error) {
	s.closing = true
	s.idle.Stop()
	refused := grpcstatus.Code(err) == codes.Unimplemented
	p.unknown = p.unknown || refused
	for _, one := range s.waiting {
		one.err, one.refused = err, refused
		p.finish(one)
	}
	s.waiting = nil
}

// finish lets a call's caller go on. The lock is held.
func (p *pipeline) finish(one *pipelinedCall) {
	if p.left == one {
		p.left = nil
	}
	close(one.done)
}

// answerOf is the answer of the RPC that was called, which no other may take the place of.
func answerOf[Response any](answer *Response, err error) (*Response, error) {
	if answer == nil && err == nil {
		err = protocolError("answered another call than was made")
	}
	return answer, err
}

// errorIn is the error that a call was answered with.
func errorIn(answer *bpfmapv1.PipelineResponse) error {
	bytes, failed := answer.GetAnswer().(*bpfmapv1.PipelineResponse_Error)
	if !failed {
		return nil
	}
	s := new(status.Status)
	if err := proto.Unmarshal(bytes.Error, s); err != nil || s.GetCode() == int32(codes.OK) {
		return protocolError("answered a call with an error that cannot be read")
	}
	return grpcstatus.FromProto(s).Err()
}
