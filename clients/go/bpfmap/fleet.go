package bpfmap

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	fleetv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/fleet/v1"
)

// FleetHost is a host as its fleet knows it.
type FleetHost = fleetv1.FleetHost

// HostSelector chooses hosts: by ids, labels, and what labels must be. An empty one
// chooses all.
type HostSelector = fleetv1.HostSelector

// HostOutcome is what came of a host, in a word.
type HostOutcome = fleetv1.FanOutResult_Outcome

// What came of a host.
const (
	// HostOK: the call was answered.
	HostOK = fleetv1.FanOutResult_OUTCOME_OK
	// HostFailed: the host refused the call, or it failed there, or took too long.
	HostFailed = fleetv1.FanOutResult_OUTCOME_FAILED
	// HostUnreachable: the host has no session, or lost it under the call.
	HostUnreachable = fleetv1.FanOutResult_OUTCOME_UNREACHABLE
	// HostSkipped: the host was not called, for too many failures or too little time.
	HostSkipped = fleetv1.FanOutResult_OUTCOME_SKIPPED
)

// FleetService has every RPC of a fleet's relay, as generated. Its calls fail with plain
// gRPC statuses.
func (c *Client) FleetService() fleetv1.FleetServiceClient { return c.fleet }

// FleetHosts lists the hosts of a fleet that match, by id; nil for all. Where the listing
// fails the last pair has the error.
func (c *Client) FleetHosts(ctx context.Context, hosts *HostSelector) iter.Seq2[*FleetHost, error] {
	return func(yield func(*FleetHost, error) bool) {
		request := &fleetv1.ListHostsRequest{Selector: hosts}
		for {
			answer, err := call(ctx, c, c.fleet.ListHosts, request)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, host := range answer.GetHosts() {
				if !yield(host, nil) {
					return
				}
			}
			request.PageToken = answer.GetNextPageToken()
			if request.PageToken == "" {
				return
			}
		}
	}
}

// FanOutOptions says on which hosts a call is made, and how.
type FanOutOptions struct {
	// Hosts chooses them; nil for all of the fleet.
	Hosts *HostSelector
	// Concurrency is how many are called at a time; 0 for 64.
	Concurrency uint32
	// HostTimeout is how long the call may take on each; 0 for 30 seconds.
	HostTimeout time.Duration
	// Timeout is how long all may take: then those left are skipped. 0 for as long as it
	// takes.
	Timeout time.Duration
	// MaxFailures is after how many failures no further host is called; nil for no limit.
	MaxFailures *uint32
}

// HostAnswer is what a fan-out tells of a host: a message of its answer, of RPCs whose
// answer is a stream, or what came of it.
type HostAnswer struct {
	// HostID is the host.
	HostID string
	// Message is one of a streamed answer; nil where Result is there.
	Message proto.Message
	// Result is what came of the host, one for each; nil where Message is there.
	Result *HostResult
}

// HostResult is what came of a host.
type HostResult struct {
	// Outcome is what came of it, in a word.
	Outcome HostOutcome
	// Response is the answer of an RPC that has one; nil unless HostOK.
	Response proto.Message
	// Err is why it failed or cannot be reached, an *Error; nil otherwise.
	Err error
	// MaybeDone tells that the call had been sent when it ended without an answer.
	MaybeDone bool
	// Took is how long it took, from when the host was called.
	Took time.Duration
}

// FanOut is one call on many hosts, made by Client.FanOut.
type FanOut struct {
	ctx     context.Context
	client  *Client
	request *fleetv1.FanOutRequest
	summary *fleetv1.FanOutSummary
	err     error
}

// FanOut makes a call of MapService on every host that matches. The request, such as a
// *bpfmapv1.GetMapRequest, tells the RPC; several for RPCs that take a stream of them.
// Each host decides by its own policy. What fails on a host is a result, not an error of
// the whole. Nothing is sent before the answers are read.
func (c *Client) FanOut(ctx context.Context, options *FanOutOptions, requests ...proto.Message) *FanOut {
	if options == nil {
		options = &FanOutOptions{}
	}
	f := &FanOut{ctx: ctx, client: c}
	selector := options.Hosts
	if selector == nil {
		selector = &HostSelector{}
	}
	f.request = &fleetv1.FanOutRequest{
		Selector:    selector,
		Concurrency: options.Concurrency,
		HostTimeout: durationOf(options.HostTimeout),
		Timeout:     durationOf(options.Timeout),
		MaxFailures: options.MaxFailures,
	}
	for _, request := range requests {
		packed, err := anypb.New(request)
		if err != nil {
			f.err = invalid(ErrFieldInvalid, "requests", "%v", err)
			return f
		}
		f.request.Requests = append(f.request.Requests, packed)
	}
	return f
}

// All makes the call, and yields what hosts answer as it comes. Err tells whether it came
// to its end. A break cancels the call.
func (f *FanOut) All() iter.Seq[HostAnswer] {
	return func(yield func(HostAnswer) bool) {
		if f.err != nil {
			return
		}
		ctx, cancel := context.WithCancel(f.ctx)
		defer cancel()
		stream, err := f.client.fleet.FanOut(ctx, f.request)
		for err == nil {
			var response *fleetv1.FanOutResponse
			if response, err = stream.Recv(); err != nil {
				break
			}
			if f.summary = response.GetSummary(); f.summary != nil {
				continue
			}
			answer, wrong := f.answer(response)
			if wrong != nil {
				f.err = wrong
				return
			}
			if !yield(answer) {
				return
			}
		}
		if errors.Is(err, io.EOF) && f.summary != nil {
			return
		}
		f.err = f.client.errorOf(f.ctx, err)
	}
}

// Results makes the call, drops messages of streamed answers, and gives what came of each
// host.
func (f *FanOut) Results() (map[string]*HostResult, error) {
	results := map[string]*HostResult{}
	for answer := range f.All() {
		if answer.Result != nil {
			results[answer.HostID] = answer.Result
		}
	}
	return results, f.err
}

// Err gives what the fan-out as a whole failed with, once All has ended; nil where it came
// to its end, whatever came of the hosts.
func (f *FanOut) Err() error { return f.err }

// Summary tells how many hosts matched, answered and failed, once All has ended; nil where
// it did not come to its end.
func (f *FanOut) Summary() *fleetv1.FanOutSummary { return f.summary }

func (f *FanOut) answer(response *fleetv1.FanOutResponse) (HostAnswer, error) {
	if message := response.GetMessage(); message != nil {
		decoded, err := message.GetResponse().UnmarshalNew()
		if err != nil {
			return HostAnswer{}, protocolError("told an answer that cannot be read")
		}
		return HostAnswer{HostID: message.GetHostId(), Message: decoded}, nil
	}
	told := response.GetResult()
	result := &HostResult{
		Outcome:   told.GetOutcome(),
		Err:       hostErrorIn(told.GetError()),
		MaybeDone: told.GetMaybeDone(),
		Took:      told.GetTook().AsDuration(),
	}
	if told.GetResponse() != nil {
		decoded, err := told.GetResponse().UnmarshalNew()
		if err != nil {
			return HostAnswer{}, protocolError("told an answer that cannot be read")
		}
		result.Response = decoded
	}
	return HostAnswer{HostID: told.GetHostId(), Result: result}, nil
}

// hostErrorIn is the error in a result: a serialized google.rpc.Status, or nothing.
func hostErrorIn(bytes []byte) error {
	if len(bytes) == 0 {
		return nil
	}
	s := &status.Status{}
	if err := proto.Unmarshal(bytes, s); err != nil || s.GetCode() == int32(codes.OK) {
		return protocolError("told an error that cannot be read")
	}
	// The fan-out's own context and connection have nothing to do with it.
	return hostError(grpcstatus.FromProto(s))
}

// hostError is a host's error as it is, without what errorOf adds of this connection.
func hostError(s *grpcstatus.Status) *Error {
	e := &Error{Code: s.Code(), Message: s.Message()}
	for _, detail := range s.Details() {
		e.take(detail)
	}
	return e
}
