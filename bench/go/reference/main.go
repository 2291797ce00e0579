// Command reference is the peer of the daemon: what a good engineer writes for one
// project with grpc-go and cilium/ebpf. It serves lookups, dumps and loads of maps by id
// with the daemon's own contract, in columns and by batch calls, and nothing else: no
// checks, no policy, no other map types.
//
//	reference [-prepared] [-cert FILE -key FILE] ADDRESS
//
// ADDRESS is unix:PATH or HOST:PORT. It prints "serving" and stops on SIGTERM. With
// -prepared, dumps are sent out of memory as they were when they were first asked for.
package main

import (
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/bpfmapd/bpfmapd/bench/go/gen/rows"
	bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "reference:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("reference", flag.ContinueOnError)
	isPrepared := flags.Bool("prepared", false, "send dumps out of memory")
	cert := flags.String("cert", "", "certificate, for TLS")
	key := flags.String("key", "", "its key")
	if err := flags.Parse(args); err != nil {
		return err
	}
	listener, err := listen(flags.Arg(0))
	if err != nil {
		return err
	}
	options := []grpc.ServerOption{
		grpc.MaxRecvMsgSize(16 << 20),
		grpc.InitialWindowSize(4 << 20),
		grpc.InitialConnWindowSize(4 << 20),
	}
	if *cert != "" {
		certificate, err := tls.LoadX509KeyPair(*cert, *key)
		if err != nil {
			return err
		}
		options = append(options, grpc.Creds(credentials.NewServerTLSFromCert(&certificate)))
	}
	maps := &service{}
	if *isPrepared {
		maps.prepared = &prepared{dumps: map[uint32][]encoded{}}
		options = append(options, passEncoded())
	}
	server := grpc.NewServer(options...)
	bpfmapv1.RegisterMapServiceServer(server, maps)
	rows.RegisterRowServiceServer(server, &rowService{service: maps})
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
