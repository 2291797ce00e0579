// Command client is the Go client at work, for the cases of make bench: it answers the
// questions of the process that started it, one at a time, as bench/clients do.
//
//	client [-ca FILE] [-token TOKEN] ADDRESS
//
// ADDRESS is of a daemon or of the reference server; TCP is plain unless there is a CA.
// The address "kernel" stands for none of them: the work is done with cilium/ebpf.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/cilium/ebpf"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/bpfmapd/bpfmapd/bench/go/gen/rows"
	"github.com/bpfmapd/bpfmapd/clients/go/bpfmap"
)

// question says what to do; the kinds of work know the rest.
type question struct {
	Work       string  `json:"work"`
	Map        uint32  `json:"map"`
	MaxEntries uint32  `json:"maxEntries"`
	Shape      string  `json:"shape"`
	KeySize    int     `json:"keySize"`
	ValueSize  int     `json:"valueSize"`
	Times      int     `json:"times"`
	Callers    int     `json:"callers"`
	Batching   bool    `json:"batching"`
	Seconds    float64 `json:"seconds"`
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "client:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("client", flag.ContinueOnError)
	ca := flags.String("ca", "", "certificates to trust, for TLS")
	token := flags.String("token", "", "bearer token to send with each call")
	if err := flags.Parse(args); err != nil {
		return err
	}
	address := flags.Arg(0)
	if address == "kernel" {
		return serve((&kernel{maps: map[uint32]*ebpf.Map{}}).answer)
	}
	client, err := dial(address, *ca, *token)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx := context.Background()
	ready, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := client.WaitReady(ready); err != nil {
		return err
	}
	return serve(func(q question) (any, error) { return answer(ctx, client, address, q) })
}

func dial(address, ca, token string) (*bpfmap.Client, error) {
	var options []bpfmap.DialOption
	switch {
	case ca != "":
		pem, err := os.ReadFile(ca)
		if err != nil {
			return nil, err
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(pem)
		options = append(options, bpfmap.WithTLS(&tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13}))
	case !strings.HasPrefix(address, "unix:"):
		options = append(options, bpfmap.WithPlaintext())
	}
	if token != "" {
		options = append(options, bpfmap.WithGRPC(grpc.WithPerRPCCredentials(bearer(token))))
	}
	return bpfmap.Dial(address, options...)
}

// bearer is a token that goes over plain connections too, which the client refuses to do.
type bearer string

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}

func (bearer) RequireTransportSecurity() bool { return false }

func answer(ctx context.Context, client *bpfmap.Client, address string, q question) (any, error) {
	switch q.Work {
	case "lookups":
		return lookups(ctx, client, q)
	case "dump":
		return dump(ctx, client, q)
	case "dumps":
		return dumpsAtATime(ctx, client, q)
	case "rows":
		service, err := rowsOf(address)
		if err != nil {
			return nil, err
		}
		return dumpRows(ctx, service, q)
	case "load":
		return load(ctx, client, q)
	default:
		return nil, fmt.Errorf("unknown work %q", q.Work)
	}
}

// windowBytes is what the client allows too.
const windowBytes = 4 << 20

var rowService rows.RowServiceClient

// rowsOf is the row service at a unix socket, connected at the first question.
func rowsOf(address string) (rows.RowServiceClient, error) {
	if rowService != nil {
		return rowService, nil
	}
	conn, err := grpc.NewClient(address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithInitialWindowSize(windowBytes), grpc.WithInitialConnWindowSize(windowBytes))
	if err == nil {
		rowService = rows.NewRowServiceClient(conn)
	}
	return rowService, err
}
