package bpfmap_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/bpfmapd/bpfmapd/clients/go/bpfmap"
)

// dropTime is how long packets are dropped: BPFMAPD_DROP_SECONDS=60 shows a whole minute,
// in which gRPC finds the connection dead. The time here is bridged by TCP.
func dropTime(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("BPFMAPD_DROP_SECONDS")
	if text == "" {
		return 2 * time.Second
	}
	seconds, err := strconv.Atoi(text)
	must(t, err)
	return time.Duration(seconds) * time.Second
}

// openSockets counts the sockets of this process.
func openSockets(t *testing.T) int {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	count := 0
	for _, file := range files {
		if name, err := os.Readlink("/proc/self/fd/" + file.Name()); err == nil && strings.HasPrefix(name, "socket:") {
			count++
		}
	}
	return count
}

// This test does not run beside others, so that what is left is its own.
func TestAWatchSurvivesTenRestartsAndDroppedPacketsAndLeavesNothingBehind(t *testing.T) {
	ctx := within(t)
	daemon := daemonOf(t)
	goroutines, sockets := goleak.IgnoreCurrent(), openSockets(t)

	way := relayTo(t, daemon.Socket)
	far := way.dial()
	near, err := bpfmap.Dial(daemon.Address())
	must(t, err)
	defer func() { _ = near.Close() }()
	spec := hash(64)
	m, err := bpfmap.CreateMap[uint32, uint64](ctx, near, &spec, &bpfmap.CreateOptions{Hold: "survives"})
	must(t, err)
	watched, err := bpfmap.OpenMap[uint32, uint64](ctx, far, m.Ref(), nil)
	must(t, err)
	seen, stop := following(t, watched, fast())
	// A first call that fails ends the watch: it may have a wrong address.
	waitFor(t, "the watch has begun", func() bool { seen.mu.Lock(); defer seen.mu.Unlock(); return seen.synced > 0 })
	want := map[uint32]uint64{}
	defer func() {
		if t.Failed() {
			t.Logf("the map should hold %v; the watch: %s", want, seen.describe())
		}
	}()
	agree := func() bool { return maps.Equal(seen.holds(), want) }
	put := func(key uint32) {
		must(t, near.WaitReady(ctx))
		must(t, m.Put(ctx, key, uint64(key)))
		want[key] = uint64(key)
	}

	const restarts = 10
	for i := range uint32(restarts) {
		put(i)
		if i > 2 {
			must(t, m.Delete(ctx, i-2))
			delete(want, i-2)
		}
		if i == restarts/2 {
			waitFor(t, "the watch holds what the map holds", agree)
			way.drop(true)
			put(20)
			time.Sleep(dropTime(t) / 2)
		}
		restart(t, daemon, i%2 == 0)
		if i == restarts/2 {
			put(21)
			time.Sleep(dropTime(t) / 2)
			if agree() {
				t.Error("the watch saw a change while all packets were dropped")
			}
			way.drop(false)
			waitFor(t, "the watch holds what the map holds, after packets were dropped", agree)
		}
	}
	put(63)
	waitFor(t, "the watch holds what the map holds", agree)
	equal(t, fmt.Sprint(maps.Collect(m.Dump(ctx, nil).All())), fmt.Sprint(want))

	wantError(t, stop(), context.Canceled)
	must(t, far.Close())
	must(t, near.Close())
	way.close()
	goleak.VerifyNone(t, goroutines,
		goleak.IgnoreAnyFunction("github.com/bpfmapd/bpfmapd/clients/go/internal/daemontest.(*process).run"))
	equal(t, openSockets(t), sockets)
}
