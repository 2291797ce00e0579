package bpfmap_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/bpfmapd/bpfmapd/clients/go/bpfmap"
	"github.com/bpfmapd/bpfmapd/clients/go/internal/daemontest"
)

// shared is a daemon for all tests that do not stop or change theirs.
var shared *daemontest.Daemon

func TestMain(m *testing.M) {
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	var err error
	if shared, err = daemontest.New(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if err := shared.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	return code
}

// connect gives a client of a daemon that is closed with the test.
func connect(tb testing.TB, daemon *daemontest.Daemon, options ...bpfmap.DialOption) *bpfmap.Client {
	tb.Helper()
	client, err := bpfmap.Dial(daemon.Address(), options...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := client.Close(); err != nil {
			tb.Error(err)
		}
	})
	return client
}

// within gives a context that no test should reach the end of.
func within(tb testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	tb.Cleanup(cancel)
	return ctx
}

var holds atomic.Int64

// holdName gives a name that no other test has.
func holdName(client *bpfmap.Client, tb testing.TB) string {
	name := fmt.Sprintf("go-%d", holds.Add(1))
	tb.Cleanup(func() {
		if err := client.Release(context.Background(), name); err != nil && !errors.Is(err, bpfmap.ErrHoldNotExist) {
			tb.Errorf("release %s: %v", name, err)
		}
	})
	return name
}

// create makes a map that goes with the test.
func create[K, V any](tb testing.TB, client *bpfmap.Client, spec bpfmap.Spec, open ...bpfmap.OpenOptions) *bpfmap.Map[K, V] {
	tb.Helper()
	options := &bpfmap.CreateOptions{Hold: holdName(client, tb)}
	if len(open) > 0 {
		options.Open = open[0]
	}
	m, err := bpfmap.CreateMap[K, V](within(tb), client, &spec, options)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

func hash(entries uint32) bpfmap.Spec {
	return bpfmap.Spec{Type: bpfmap.Hash, Name: "go_test", MaxEntries: entries}
}

// must fails the test on an error.
func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// wantError fails the test unless err is the wanted one.
func wantError(tb testing.TB, err, wanted error) {
	tb.Helper()
	if !errors.Is(err, wanted) {
		tb.Fatalf("got the error %v, want %v", err, wanted)
	}
}

func equal[T comparable](tb testing.TB, got, want T) {
	tb.Helper()
	if got != want {
		tb.Fatalf("got %v, want %v", got, want)
	}
}

// bpftool is the oracle: what another program finds in the map.
func bpftool(tb testing.TB, args ...string) string {
	tb.Helper()
	output, err := exec.Command("bpftool", args...).CombinedOutput()
	if err != nil {
		tb.Fatalf("bpftool %s: %v\n%s", strings.Join(args, " "), err, output)
	}
	return string(output)
}

// daemonOf gives a daemon for this test alone.
func daemonOf(tb testing.TB, args ...string) *daemontest.Daemon {
	tb.Helper()
	return daemontest.Start(tb, args...)
}
