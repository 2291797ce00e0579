// Command client is the Go client at work, for the cases of make bench: it answers the
// questions of the process that started it, one at a time, as bench/clients do.
//
//	client ADDRESS [CA]
//
// ADDRESS is of a daemon or of the reference server; TCP is plain unless there is a CA.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/bpfmapd/bpfmapd/clients/go/bpfmap"
)

// question says what to do; the kinds of work know the rest.
type question struct {
	Work       string  `json:"work"`
	Map        uint32  `json:"map"`
	MaxEntries uint32  `json:"maxEntries"`
	Shape      string  `json:"shape"`
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
	if len(args) == 0 {
		return fmt.Errorf("usage: client ADDRESS [CA]")
	}
	client, err := dial(args[0], args[1:])
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
	return serve(func(q question) (any, error) { return answer(ctx, client, q) })
}

func dial(address string, ca []string) (*bpfmap.Client, error) {
	switch {
	case len(ca) > 0:
		pem, err := os.ReadFile(ca[0])
		if err != nil {
			return nil, err
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(pem)
		return bpfmap.Dial(address, bpfmap.WithTLS(&tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13}))
	case strings.HasPrefix(address, "unix:"):
		return bpfmap.Dial(address)
	default:
		return bpfmap.Dial(address, bpfmap.WithPlaintext())
	}
}

func answer(ctx context.Context, client *bpfmap.Client, q question) (any, error) {
	switch q.Work {
	case "lookups":
		return lookups(ctx, client, q)
	case "dump":
		return dump(ctx, client, q)
	case "load":
		return load(ctx, client, q)
	default:
		return nil, fmt.Errorf("unknown work %q", q.Work)
	}
}
