package bpfmap

import (
	"context"
	"iter"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/protobuf/types/known/durationpb"

	fleetv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/fleet/v1"
	bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"
)

// MapInfo is what the kernel and the daemon know of a map.
type MapInfo = bpfmapv1.Map

// HostInfo is what the daemon knows of its host.
type HostInfo = bpfmapv1.Host

// Client is a connection to one daemon, made by Dial. It can be used by several
// goroutines at once.
type Client struct {
	conn     *grpc.ClientConn
	address  string
	maps     bpfmapv1.MapServiceClient
	hosts    bpfmapv1.HostServiceClient
	fleet    fleetv1.FleetServiceClient
	timeout  time.Duration
	batching Batching
	pipeline *pipeline
	closed   atomic.Bool
	host     atomic.Pointer[HostInfo]
}

// MapService has every RPC on maps, as generated. Its calls fail with plain gRPC
// statuses.
func (c *Client) MapService() bpfmapv1.MapServiceClient { return c.maps }

// HostService has every RPC on the host, as generated. Its calls fail with plain gRPC
// statuses.
func (c *Client) HostService() bpfmapv1.HostServiceClient { return c.hosts }

// Close ends the connection and all calls that are under way.
func (c *Client) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	return c.conn.Close()
}

// WaitReady waits until there is a connection to the daemon, or ctx ends.
func (c *Client) WaitReady(ctx context.Context) error {
	for {
		state := c.conn.GetState()
		if state == connectivity.Ready {
			return nil
		}
		if state == connectivity.Shutdown {
			return &Error{Code: codes.Canceled, Message: "the client is closed"}
		}
		c.conn.Connect()
		if !c.conn.WaitForStateChange(ctx, state) {
			e := contextError(ctx)
			e.Message = "no connection to bpfmapd at " + c.address + ": " + e.Message
			return e
		}
	}
}

// Host asks for the host's facts: boot, kernel, byte order, CPUs, bpffs roots.
func (c *Client) Host(ctx context.Context) (*HostInfo, error) {
	answer, err := call(ctx, c, c.hosts.GetHost, &bpfmapv1.GetHostRequest{})
	if err != nil {
		return nil, err
	}
	c.host.Store(answer.GetHost())
	return answer.GetHost(), nil
}

// knownHost gives what does not change while a client lives: the byte order, the CPUs.
func (c *Client) knownHost(ctx context.Context) (*HostInfo, error) {
	if host := c.host.Load(); host != nil {
		return host, nil
	}
	return c.Host(ctx)
}

// Capabilities tells what the host's kernel accepts for these map types, or for all.
func (c *Client) Capabilities(ctx context.Context, types ...MapType) ([]*bpfmapv1.MapTypeCapabilities, error) {
	answer, err := call(ctx, c, c.hosts.GetCapabilities, &bpfmapv1.GetCapabilitiesRequest{Types: types})
	return answer.GetTypes(), err
}

// ExplainAccess tells whether the daemon's policy allows something, and why. Nothing is done.
func (c *Client) ExplainAccess(ctx context.Context, request *bpfmapv1.ExplainAccessRequest) (*bpfmapv1.ExplainAccessResponse, error) {
	return call(ctx, c, c.hosts.ExplainAccess, request)
}

// ListOptions chooses maps and what to tell of them.
type ListOptions struct {
	// Filter chooses maps; nil for all.
	Filter *bpfmapv1.ListMapsFilter
	// Detail is what is told of each.
	Detail Detail
}

// Maps lists the host's maps by id. Where the listing fails the last pair has the
// error.
func (c *Client) Maps(ctx context.Context, options *ListOptions) iter.Seq2[*MapInfo, error] {
	if options == nil {
		options = &ListOptions{}
	}
	return func(yield func(*MapInfo, error) bool) {
		request := &bpfmapv1.ListMapsRequest{
			Filter: options.Filter,
			Detail: options.Detail.proto(),
		}
		for {
			answer, err := call(ctx, c, c.maps.ListMaps, request)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, info := range answer.GetMaps() {
				if !yield(info, nil) {
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

// Release ends a hold. With no other reference the kernel then frees the map. Fails
// with ErrHoldNotExist.
func (c *Client) Release(ctx context.Context, hold string) error {
	_, err := call(ctx, c, c.maps.ReleaseMap, &bpfmapv1.ReleaseMapRequest{Name: hold})
	return err
}

// KeepAlive starts the leases of holds anew and tells when they end. Where one of them
// is unknown it fails with ErrHoldNotExist and renews none.
func (c *Client) KeepAlive(ctx context.Context, holds ...string) ([]*bpfmapv1.Hold, error) {
	answer, err := call(ctx, c, c.maps.KeepAlive, &bpfmapv1.KeepAliveRequest{Names: holds})
	return answer.GetHolds(), err
}

// Unpin removes a map's pin, and with removeEmptyParents the directories that are then
// empty. With no other reference the kernel then frees the map. Fails with
// ErrPinNotExist or ErrNotAMap.
func (c *Client) Unpin(ctx context.Context, path string, removeEmptyParents bool) error {
	_, err := call(ctx, c, c.maps.UnpinMap, &bpfmapv1.UnpinMapRequest{
		Path:               path,
		RemoveEmptyParents: removeEmptyParents,
	})
	return err
}

// call makes a unary call, within the client's timeout where ctx has no deadline.
func call[Request, Response any](
	ctx context.Context,
	c *Client,
	method func(context.Context, *Request, ...grpc.CallOption) (*Response, error),
	request *Request,
) (*Response, error) {
	bounded, cancel := c.bounded(ctx)
	defer cancel()
	answer, err := method(bounded, request)
	if err != nil {
		return nil, c.errorOf(ctx, err)
	}
	return answer, nil
}

func (c *Client) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, has := ctx.Deadline(); has || c.timeout <= 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, c.timeout)
}

// durationOf is absent for 0.
func durationOf(d time.Duration) *durationpb.Duration {
	if d == 0 {
		return nil
	}
	return durationpb.New(d)
}
