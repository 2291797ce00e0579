package bpfmap_test

import (
	"errors"
	"io"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/bpfmapd/bpfmapd/clients/go/bpfmap"
	bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"
	"github.com/bpfmapd/bpfmapd/clients/go/internal/daemontest"
)

// cutter stands between a client and a daemon and ends streams with statuses of its own.
type cutter struct {
	conn *grpc.ClientConn
	// code is what the next watch, or call of another method, ends with after its first
	// messages; 0 for none.
	code   atomic.Uint32
	method atomic.Value
	// after is the number of messages that it lets through before.
	after int
}

// cut gives the address of a cutter before a daemon.
func cut(t *testing.T, daemon *daemontest.Daemon, after int) (string, *cutter) {
	t.Helper()
	conn, err := grpc.NewClient("unix:"+daemon.Socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(t, err)
	c := &cutter{conn: conn, after: after}
	c.method.Store(bpfmapv1.MapService_Watch_FullMethodName)
	socket := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", socket)
	must(t, err)
	server := grpc.NewServer(grpc.UnknownServiceHandler(c.forward))
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		must(t, conn.Close())
	})
	return "unix:" + socket, c
}

// forward passes messages on without looking into them: they are unknown fields of an
// empty message.
func (c *cutter) forward(_ any, down grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(down)
	up, err := c.conn.NewStream(down.Context(), &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, method)
	if err != nil {
		return err
	}
	go func() {
		for message := new(emptypb.Empty); down.RecvMsg(message) == nil; message = new(emptypb.Empty) {
			if up.SendMsg(message) != nil {
				return
			}
		}
		_ = up.CloseSend()
	}()
	for n := 0; ; n++ {
		if code := codes.Code(c.code.Load()); code != 0 && n == c.after && method == c.method.Load() {
			c.code.Store(0)
			return status.Error(code, "cut by the test")
		}
		message := new(emptypb.Empty)
		if err := up.RecvMsg(message); err != nil {
			down.SetTrailer(up.Trailer())
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if err := down.SendMsg(message); err != nil {
			return err
		}
	}
}

func TestAWatchGoesOnAfterItsConnectionEnded(t *testing.T) {
	t.Parallel()
	for _, after := range []int{1, 2, 5} {
		for _, code := range []codes.Code{codes.Unavailable, codes.Internal, codes.Canceled, codes.Unknown, codes.ResourceExhausted} {
			t.Run(code.String(), func(t *testing.T) {
				t.Parallel()
				ctx := within(t)
				address, c := cut(t, shared, after)
				client, err := bpfmap.Dial(address)
				must(t, err)
				defer func() { must(t, client.Close()) }()
				m, err := bpfmap.OpenMap[uint32, uint64](ctx, client, filled(t, connect(t, shared), 3).Ref(), nil)
				must(t, err)
				c.code.Store(uint32(code))
				seen := newMirror()
				watch := m.Watch(ctx, fast())
				for event := range watch.Events() {
					seen.apply(event)
					isPoint := event.Kind == bpfmap.EventSynced || event.Kind == bpfmap.EventBookmark
					if isPoint && c.code.Load() == 0 && len(seen.holds()) == 3 {
						break
					}
				}
				must(t, watch.Err())
			})
		}
	}
}

func TestAWatchEndsWithWhatCannotPass(t *testing.T) {
	t.Parallel()
	for _, code := range []codes.Code{codes.PermissionDenied, codes.Unauthenticated, codes.InvalidArgument, codes.Unimplemented} {
		t.Run(code.String(), func(t *testing.T) {
			t.Parallel()
			ctx := within(t)
			address, c := cut(t, shared, 2)
			client, err := bpfmap.Dial(address)
			must(t, err)
			defer func() { must(t, client.Close()) }()
			m, err := bpfmap.OpenMap[uint32, uint64](ctx, client, filled(t, connect(t, shared), 3).Ref(), nil)
			must(t, err)
			c.code.Store(uint32(code))
			watch := m.Watch(ctx, fast())
			for range watch.Events() {
			}
			equal(t, status.Code(watch.Err()), code)
		})
	}
}
