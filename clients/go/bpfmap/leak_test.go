package bpfmap_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/bpfmapd/bpfmapd/clients/go/bpfmap"
	"github.com/bpfmapd/bpfmapd/clients/go/internal/bpftest"
)

// These tests do not run beside others, so that every goroutine that is left is theirs.

func TestNoGoroutineIsLeftBehind(t *testing.T) {
	for name, use := range map[string]func(context.Context, *testing.T, *bpfmap.Client, *bpfmap.Map[uint32, uint64]){
		"by a dump that was left": func(ctx context.Context, t *testing.T, _ *bpfmap.Client, m *bpfmap.Map[uint32, uint64]) {
			for range m.Dump(ctx, nil).All() {
				break
			}
		},
		"by a watch that was left": func(ctx context.Context, t *testing.T, _ *bpfmap.Client, m *bpfmap.Map[uint32, uint64]) {
			for event := range m.Watch(ctx, nil).Events() {
				if event.Kind == bpfmap.EventSynced {
					break
				}
			}
		},
		"by a load that failed": func(ctx context.Context, t *testing.T, _ *bpfmap.Client, m *bpfmap.Map[uint32, uint64]) {
			ctx, cancel := context.WithCancel(ctx)
			_, err := m.Load(ctx, func(yield func(uint32, uint64) bool) { yield(1, 1); cancel() }, nil)
			wantError(t, err, context.Canceled)
		},
		"by calls that were gathered and left": func(ctx context.Context, t *testing.T, _ *bpfmap.Client, m *bpfmap.Map[uint32, uint64]) {
			var group sync.WaitGroup
			for caller := range uint32(32) {
				group.Go(func() {
					for range 20 {
						short, cancel := context.WithTimeout(ctx, time.Duration(caller)*100*time.Microsecond)
						_, err := m.Lookup(short, caller)
						if err != nil && !errors.Is(err, bpfmap.ErrKeyNotExist) && !errors.Is(err, context.DeadlineExceeded) {
							t.Error(err)
						}
						cancel()
					}
				})
			}
			group.Wait()
		},
		"by a client that was closed under its calls": func(ctx context.Context, t *testing.T, client *bpfmap.Client, m *bpfmap.Map[uint32, uint64]) {
			var group sync.WaitGroup
			watch := m.Watch(ctx, nil)
			group.Go(func() {
				for event := range watch.Events() {
					if event.Kind == bpfmap.EventSynced {
						must(t, client.Close())
					}
				}
			})
			for range 8 {
				group.Go(func() {
					for {
						if _, err := m.Lookup(ctx, 1); err != nil {
							return
						}
					}
				})
			}
			group.Wait()
			if watch.Err() == nil {
				t.Error("the watch of a closed client ended without an error")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := within(t)
			// The map is another client's, so that this one can be closed.
			name := filled(t, connect(t, shared), 100).Ref()
			before := goleak.IgnoreCurrent()
			client, err := bpfmap.Dial(shared.Address())
			must(t, err)
			m, err := bpfmap.OpenMap[uint32, uint64](ctx, client, name, nil)
			must(t, err)
			use(ctx, t, client, m)
			must(t, client.Close())
			goleak.VerifyNone(t, before)
		})
	}
}

func TestNoGoroutineIsLeftBehindByRecords(t *testing.T) {
	ctx := within(t)
	client := connect(t, shared)
	from := ring(t, client, 4096)
	to := keyless(t, client, bpfmap.Spec{Type: bpfmap.UserRingBuf, MaxEntries: 4096})
	bpftest.RingWriter(t, from.ID(), []byte("record")).Run(t, 3)
	// The client stays open: only the RPCs' own goroutines may go.
	before := goleak.IgnoreCurrent()
	for range open(t, from, exclusively()).All() {
		break
	}
	must(t, open(t, from, exclusively()).Close())
	_, err := from.ReadRecords(ctx, nil)
	wantError(t, err, bpfmap.ErrFieldInvalid)
	_, err = to.WriteRecords(ctx, slices.Values([][]byte{make([]byte, 4096)}), nil)
	wantError(t, err, bpfmap.ErrRecordTooLarge)
	func() {
		defer func() { _ = recover() }()
		_, _ = to.WriteRecords(ctx, func(func([]byte) bool) { panic("the source has failed") }, nil)
	}()
	goleak.VerifyNone(t, before)
}

func TestADumpThatIsLeftEndsItsRPC(t *testing.T) {
	ctx := within(t)
	m := filled(t, connect(t, shared), 10_000)
	before := goleak.IgnoreCurrent()
	// The client stays open: only the RPC's own goroutines may go.
	for range m.Dump(ctx, &bpfmap.DumpOptions{MaxElementsPerSecond: 1000}).All() {
		break
	}
	goleak.VerifyNone(t, before)
}
