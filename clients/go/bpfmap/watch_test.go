package bpfmap_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/bpfmapd/bpfmapd/clients/go/bpfmap"
	bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"
	"github.com/bpfmapd/bpfmapd/clients/go/internal/daemontest"
)

// mirror is what a watch's reader may hold: it applies what it is told.
type mirror struct {
	mu       sync.Mutex
	elements map[uint32]uint64
	kinds    []bpfmap.EventKind
	resyncs  []bpfmapv1.ResyncReason
	synced   int
}

func newMirror() *mirror { return &mirror{elements: map[uint32]uint64{}} }

func (m *mirror) apply(event bpfmap.Event[uint32, uint64]) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.kinds = append(m.kinds, event.Kind)
	switch event.Kind {
	case bpfmap.EventPut:
		m.elements[event.Key] = event.Value
	case bpfmap.EventDelete:
		delete(m.elements, event.Key)
	case bpfmap.EventResync:
		clear(m.elements)
		m.resyncs = append(m.resyncs, event.Reason)
	case bpfmap.EventSynced:
		m.synced++
	}
}

func (m *mirror) holds() map[uint32]uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.elements)
}

// describe tells all that was seen, for what failed.
func (m *mirror) describe() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return fmt.Sprintf("holds %v, had %d snapshots, resyncs %v, events %v", m.elements, m.synced, m.resyncs, m.kinds)
}

// waitFor waits until a condition holds.
func waitFor(tb testing.TB, what string, condition func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(3 * time.Minute); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("waited in vain until %s", what)
		}
	}
}

// fast is for tests: scans and bookmarks come often.
func fast() *bpfmap.WatchOptions {
	return &bpfmap.WatchOptions{PollInterval: 20 * time.Millisecond, BookmarkInterval: 100 * time.Millisecond}
}

// following reads a watch into a mirror until the test ends, and then checks how it ended.
func following(t *testing.T, m *bpfmap.Map[uint32, uint64], options *bpfmap.WatchOptions) (*mirror, func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	watch := m.Watch(ctx, options)
	into := newMirror()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for event := range watch.Events() {
			into.apply(event)
		}
	}()
	stop := sync.OnceValue(func() error {
		cancel()
		<-ended
		return watch.Err()
	})
	t.Cleanup(func() { _ = stop() })
	return into, stop
}

func TestAWatchTellsContentsThenChanges(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	m := filled(t, connect(t, shared), 3)
	seen, stop := following(t, m, fast())
	waitFor(t, "the snapshot is whole", func() bool { seen.mu.Lock(); defer seen.mu.Unlock(); return seen.synced == 1 })
	equal(t, fmt.Sprint(seen.holds()), "map[0:0 1:1 2:4]")
	must(t, m.Put(ctx, 1, 100))
	must(t, m.Delete(ctx, 2))
	bpftool(t, "map", "update", "id", fmt.Sprint(m.ID()), "key", "hex", "07", "00", "00", "00", "value", "hex", "09", "00", "00", "00", "00", "00", "00", "00")
	waitFor(t, "the changes are told", func() bool { return fmt.Sprint(seen.holds()) == "map[0:0 1:100 7:9]" })
	wantError(t, stop(), context.Canceled)
	equal(t, seen.kinds[0], bpfmap.EventCreated)
}

func TestAWatchTellsPreviousValuesAndTimes(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	m := filled(t, connect(t, shared), 3)
	options := fast()
	options.PreviousValues, options.Filter = true, &bpfmapv1.WatchFilter{KeyPrefix: []byte{2}}
	puts := 0
	watch := m.Watch(ctx, options)
	for event := range watch.Events() {
		switch event.Kind {
		case bpfmap.EventSynced:
			bpftool(t, "map", "update", "id", fmt.Sprint(m.ID()), "key", "hex", "02", "00", "00", "00", "value", "hex", "09", "00", "00", "00", "00", "00", "00", "00")
		case bpfmap.EventPut:
			puts++
			equal(t, event.Key, 2)
			if event.SeenBefore.Before(event.SeenAfter) || time.Since(event.SeenAfter) > time.Hour {
				t.Errorf("seen between %s and %s", event.SeenAfter, event.SeenBefore)
			}
			if event.Initial {
				equal(t, event.Value, 4)
				continue
			}
			equal(t, event.Value, 9)
			if event.Previous == nil || *event.Previous != 4 {
				t.Errorf("the previous value is %v", event.Previous)
			}
		}
		if puts == 2 {
			break
		}
	}
	must(t, watch.Err())
}

func TestAWatchCanSendKeysOnlyAndUpdatesOnly(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	m := filled(t, connect(t, shared), 3)
	options := fast()
	options.KeysOnly, options.UpdatesOnly = true, true
	watch := m.Watch(ctx, options)
	for event := range watch.Events() {
		switch event.Kind {
		case bpfmap.EventBookmark, bpfmap.EventSynced:
			must(t, m.Put(ctx, 1, 77))
		case bpfmap.EventPut:
			equal(t, event.Key, 1)
			equal(t, event.Value, 0)
			equal(t, event.Initial, false)
		}
		if event.Kind == bpfmap.EventPut {
			break
		}
	}
	must(t, watch.Err())
}

func TestAWatchResumesWhereAnotherStood(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	client := connect(t, shared)
	m := filled(t, client, 3)
	watch := m.Watch(ctx, fast())
	for event := range watch.Events() {
		if event.Kind == bpfmap.EventSynced {
			break
		}
	}
	must(t, watch.Err())
	must(t, m.Put(ctx, 2, 5))
	options := fast()
	options.ResumeToken = watch.ResumeToken()
	again := m.Watch(ctx, options)
	for event := range again.Events() {
		if event.Kind == bpfmap.EventResync || event.Initial {
			t.Errorf("it began anew: %v", event)
		}
		if event.Kind == bpfmap.EventPut {
			equal(t, event.Key, 2)
			equal(t, event.Value, 5)
			break
		}
	}
	must(t, again.Err())

	options.ResumeToken = []byte("no token")
	invalid := m.Watch(ctx, options)
	for event := range invalid.Events() {
		t.Errorf("an invalid token gives %v", event)
	}
	wantError(t, invalid.Err(), bpfmap.ErrResumeTokenInvalid)
}

func TestAWatchEndsWithTheMap(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	client := connect(t, shared)
	m := filled(t, client, 1)
	var gone uint32
	watch := m.Watch(ctx, fast())
	for event := range watch.Events() {
		if event.Kind == bpfmap.EventSynced {
			must(t, client.Release(ctx, m.Ref().Proto().GetHeld()))
		}
		if event.Kind == bpfmap.EventGone {
			gone = event.GoneID
		}
	}
	must(t, watch.Err())
	equal(t, gone, m.ID())

	missing := m.Watch(ctx, nil)
	for event := range missing.Events() {
		t.Errorf("a map that is gone gives %v", event)
	}
	wantError(t, missing.Err(), bpfmap.ErrHoldNotExist)
}

func TestAWatchFollowsAPinToAnotherMap(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	client := connect(t, shared)
	path := filepath.Join(shared.BPFFS, "go-followed")
	pinned := func(spec bpfmap.Spec) error {
		_, err := bpfmap.CreateMap[[]byte, []byte](ctx, client, &spec, &bpfmap.CreateOptions{PinPath: path})
		return err
	}
	spec := hash(4)
	spec.KeySize, spec.ValueSize = 4, 8
	must(t, pinned(spec))
	m, err := bpfmap.OpenMap[uint32, uint64](ctx, client, bpfmap.Pinned(path), nil)
	must(t, err)
	must(t, m.Put(ctx, 1, 1))
	options := fast()
	options.Follow = true
	seen, _ := following(t, m, options)
	waitFor(t, "the first map is told", func() bool { return fmt.Sprint(seen.holds()) == "map[1:1]" })
	must(t, client.Unpin(ctx, path, false))
	must(t, pinned(spec))
	must(t, m.Put(ctx, 2, 2))
	waitFor(t, "the second map is told", func() bool { return fmt.Sprint(seen.holds()) == "map[2:2]" })
	if !slices.Contains(seen.resyncs, bpfmapv1.ResyncReason_RESYNC_REASON_MAP_RECREATED) {
		t.Errorf("the resyncs are %v", seen.resyncs)
	}

	other := m.Watch(ctx, options)
	for event := range other.Events() {
		if event.Kind == bpfmap.EventSynced {
			must(t, client.Unpin(ctx, path, false))
			spec.ValueSize = 16
			must(t, pinned(spec))
		}
	}
	wantError(t, other.Err(), bpfmap.ErrValueSize)
	must(t, client.Unpin(ctx, path, false))
}

// restart starts the daemon anew, after a stop or a crash.
func restart(t *testing.T, daemon *daemontest.Daemon, crash bool) {
	t.Helper()
	if crash {
		must(t, daemon.Kill())
	} else {
		must(t, daemon.Stop())
	}
	must(t, daemon.Start())
}

func TestAWatchEndsWithItsContextWhileTheDaemonIsAway(t *testing.T) {
	t.Parallel()
	daemon := daemonOf(t)
	client := connect(t, daemon)
	m := filled(t, client, 1)
	seen, stop := following(t, m, fast())
	waitFor(t, "the snapshot is whole", func() bool { seen.mu.Lock(); defer seen.mu.Unlock(); return seen.synced == 1 })
	must(t, daemon.Stop())
	time.Sleep(300 * time.Millisecond)
	wantError(t, stop(), context.Canceled)
	must(t, daemon.Start())
	must(t, client.WaitReady(within(t)))
}

func TestTheFirstCallOfAWatchFailsAtOnce(t *testing.T) {
	t.Parallel()
	daemon := daemonOf(t)
	client := connect(t, daemon)
	m := filled(t, client, 1)
	must(t, daemon.Stop())
	watch := m.Watch(within(t), nil)
	for event := range watch.Events() {
		t.Errorf("got %v", event)
	}
	var e *bpfmap.Error
	if !errors.As(watch.Err(), &e) {
		t.Errorf("got %v", watch.Err())
	}
	must(t, daemon.Start())
	must(t, client.WaitReady(within(t)))
}
