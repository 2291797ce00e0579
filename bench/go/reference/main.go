// Command reference is the peer of the daemon: what a good engineer writes for one
// project with grpc-go and cilium/ebpf. It serves lookups, dumps and loads of maps by id
// with the daemon's own contract, in columns and by batch calls, and nothing else: no
// checks, no policy, no other map types.
//
//	reference ADDRESS [CERTIFICATE KEY]
//
// ADDRESS is unix:PATH or HOST:PORT. It prints "serving" and stops on SIGTERM.
package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "reference:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 && len(args) != 3 {
		return fmt.Errorf("usage: reference ADDRESS [CERTIFICATE KEY]")
	}
	listener, err := listen(args[0])
	if err != nil {
		return err
	}
	options := []grpc.ServerOption{
		grpc.MaxRecvMsgSize(16 << 20),
		grpc.InitialWindowSize(4 << 20),
		grpc.InitialConnWindowSize(4 << 20),
	}
	if len(args) == 3 {
		certificate, err := tls.LoadX509KeyPair(args[1], args[2])
		if err != nil {
			return err
		}
		options = append(options, grpc.Creds(credentials.NewServerTLSFromCert(&certificate)))
	}
	server := grpc.NewServer(options...)
	bpfmapv1.RegisterMapServiceServer(server, &service{})
	bpfmapv1.RegisterHostServiceServer(server, &host{})

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, server.Stop)
	fmt.Println("serving")
	return server.Serve(listener)
}

func listen(address string) (net.Listener, error) {
	if path, isUnix := strings.CutPrefix(address, "unix:"); isUnix {
		return net.Listen("unix", path)
	}
	return net.Listen("tcp", address)
}
