// Go-blocklist keeps the tries of bpf/blocklist.bpf.c equal to a file of prefixes, and prints
// the rates of what the program lets through and drops. It writes the file into the maps
// when the file changes, when somebody else changes a map, when a map is replaced by another
// one at its pin, and when the daemon has been away.
package main

import (
	"context"
	"flag"
	"log/slog"
	"os"
	"os/signal"
	"path"
	"sync"
	"syscall"
	"time"

	"github.com/bpfmapd/bpfmapd/clients/go/bpfmap"
)

func main() {
	address := flag.String("address", bpfmap.DefaultAddress, "address of bpfmapd")
	pins := flag.String("pins", "/sys/fs/bpf/blocklist", "directory of the program's pinned maps")
	file := flag.String("file", "blocklist.txt", "file of prefixes, one a line")
	every := flag.Duration("every", time.Second, "how often to print rates")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *address, *pins, *file, *every); err != nil {
		slog.Error("ended", "error", err)
		os.Exit(1)
	}
}

// run works until ctx ends. It fails where it cannot begin: a wrong address, or a file that
// cannot be read.
func run(ctx context.Context, address, pins, file string, every time.Duration) error {
	client, err := bpfmap.Dial(address)
	if err != nil {
		return err
	}
	defer client.Close()
	files, err := follow(ctx, file)
	if err != nil {
		return err
	}
	blocked4 := newKeeper[bpfmap.IPv4Prefix](client, path.Join(pins, "blocked4"))
	blocked6 := newKeeper[bpfmap.IPv6Prefix](client, path.Join(pins, "blocked6"))
	var group sync.WaitGroup
	group.Go(func() { blocked4.run(ctx) })
	group.Go(func() { blocked6.run(ctx) })
	group.Go(func() { printRates(ctx, client, path.Join(pins, "verdicts"), every) })
	for list := range files {
		blocked4.want(ctx, list.v4)
		blocked6.want(ctx, list.v6)
	}
	group.Wait()
	return nil
}

// sleep waits, or tells that ctx ended.
func sleep(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
