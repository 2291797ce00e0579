package bpfmap_test

import (
	"context"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"

	"github.com/bpfmapd/bpfmapd/clients/go/bpfmap"
)

// relay is a way by TCP to a daemon's unix socket, on which the kernel can be told to drop
// every packet, in both directions and of new connections too. Neither side is told: they
// see what they would see if a cable were pulled.
type relay struct {
	t        *testing.T
	listener *net.TCPListener
	socket   string
	group    sync.WaitGroup

	mu       sync.Mutex
	conns    map[*net.TCPConn]bool
	dropping bool
}

func relayTo(t *testing.T, socket string) *relay {
	t.Helper()
	// Sockets of multipath TCP take no filter.
	var config net.ListenConfig
	config.SetMultipathTCP(false)
	listener, err := config.Listen(context.Background(), "tcp", "127.0.0.1:0")
	must(t, err)
	r := &relay{t: t, listener: listener.(*net.TCPListener), socket: socket, conns: map[*net.TCPConn]bool{}}
	r.group.Go(r.accept)
	t.Cleanup(r.close)
	return r
}

// dial gives a client whose connections go this way.
func (r *relay) dial() *bpfmap.Client {
	r.t.Helper()
	client, err := bpfmap.Dial(r.listener.Addr().String(), bpfmap.WithPlaintext(),
		bpfmap.WithGRPC(grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
			if err != nil {
				return nil, err
			}
			r.track(conn.(*net.TCPConn))
			return conn, nil
		})))
	must(r.t, err)
	r.t.Cleanup(func() { _ = client.Close() })
	return client
}

func (r *relay) accept() {
	for {
		near, err := r.listener.AcceptTCP()
		if err != nil {
			return
		}
		r.track(near)
		far, err := net.Dial("unix", r.socket)
		if err != nil {
			r.end(near)
			continue
		}
		r.group.Go(func() {
			_, _ = io.Copy(far, near)
			_ = far.Close()
		})
		r.group.Go(func() {
			_, _ = io.Copy(near, far)
			r.end(near)
		})
	}
}

func (r *relay) track(conn *net.TCPConn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.conns[conn] = true
	if r.dropping {
		r.filter(conn)
	}
}

func (r *relay) end(conn *net.TCPConn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.conns, conn)
	_ = conn.Close()
}

// drop begins or ends to drop packets.
func (r *relay) drop(dropping bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dropping = dropping
	r.filter(r.listener)
	for conn := range r.conns {
		r.filter(conn)
	}
}

// filter lets a socket's filter take no packet at all, or removes it. A socket that is
// closed has none to lose.
func (r *relay) filter(socket interface {
	SyscallConn() (syscall.RawConn, error)
}) {
	raw, err := socket.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		if !r.dropping {
			_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0)
			return
		}
		none := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: 0}
		if err := unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &none}); err != nil {
			r.t.Errorf("cannot drop packets: %v", err)
		}
	})
}

// close ends the way and every connection that goes it.
func (r *relay) close() {
	_ = r.listener.Close()
	r.mu.Lock()
	for conn := range r.conns {
		_ = conn.Close()
	}
	r.mu.Unlock()
	r.group.Wait()
}
