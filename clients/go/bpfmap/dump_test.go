package bpfmap_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/bpfmapd/bpfmapd/clients/go/bpfmap"
	bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"
)

// squares yields the numbers below a limit with their squares.
func squares(limit uint32) iter.Seq2[uint32, uint64] {
	return func(yield func(uint32, uint64) bool) {
		for i := range limit {
			if !yield(i, uint64(i)*uint64(i)) {
				return
			}
		}
	}
}

func filled(tb testing.TB, client *bpfmap.Client, count uint32) *bpfmap.Map[uint32, uint64] {
	tb.Helper()
	m := create[uint32, uint64](tb, client, hash(max(count, 1)))
	result, err := m.Load(within(tb), squares(count), nil)
	must(tb, err)
	equal(tb, result.GetWritten(), uint64(count))
	return m
}

func TestDumpsAWholeMap(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	const count = 100_000
	m := filled(t, connect(t, shared), count)

	dump := m.Dump(ctx, nil)
	seen := maps.Collect(dump.All())
	must(t, dump.Err())
	equal(t, len(seen), count)
	for key, value := range seen {
		equal(t, value, uint64(key)*uint64(key))
	}
	equal(t, dump.Header().GetMap().GetId(), m.ID())
	equal(t, dump.Summary().GetSent(), count)

	keys := 0
	dump = m.Dump(ctx, nil)
	for range dump.Keys() {
		keys++
	}
	must(t, dump.Err())
	equal(t, keys, count)

	sum := uint64(0)
	dump = m.Dump(ctx, nil)
	for value := range dump.Values() {
		sum += value
	}
	must(t, dump.Err())
	equal(t, sum, 333328333350000)

	elements := uint32(0)
	dump = m.Dump(ctx, &bpfmap.DumpOptions{ChunkBytes: 4096})
	for chunk := range dump.Chunks() {
		elements += chunk.GetCount()
		equal(t, len(chunk.GetKeys()), int(chunk.GetCount())*4)
	}
	must(t, dump.Err())
	equal(t, elements, count)
}

func TestADumpCanBeFilteredBoundedAndLeft(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	m := filled(t, connect(t, shared), 1000)

	dump := m.Dump(ctx, &bpfmap.DumpOptions{Filter: &bpfmapv1.ElementFilter{KeyPrefix: []byte{7}}})
	equal(t, len(maps.Collect(dump.All())), 4)
	must(t, dump.Err())

	dump = m.Dump(ctx, &bpfmap.DumpOptions{MaxElements: 10})
	equal(t, len(maps.Collect(dump.All())), 10)
	must(t, dump.Err())
	equal(t, dump.Summary().GetComplete(), false)

	dump = m.Dump(ctx, nil)
	for range dump.All() {
		break
	}
	must(t, dump.Err())
	if dump.Summary() != nil {
		t.Error("a dump that was left has a summary")
	}
	for range dump.All() {
		t.Error("a dump was read twice")
	}
	wantError(t, dump.Err(), bpfmap.ErrFieldInvalid)

	told := 0
	dump = m.Dump(ctx, &bpfmap.DumpOptions{
		MaxElementsPerSecond: 2000, ProgressInterval: 100e6,
		Progress: func(*bpfmapv1.DumpProgress) { told++ },
	})
	equal(t, len(maps.Collect(dump.All())), 1000)
	must(t, dump.Err())
	if told == 0 {
		t.Error("no progress was told")
	}
}

func TestADumpThatIsCutIsAnError(t *testing.T) {
	t.Parallel()
	daemon := daemonOf(t)
	client := connect(t, daemon)
	m := filled(t, client, 200_000)

	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	dump := m.Dump(ctx, nil)
	for range dump.All() {
		cancel()
	}
	wantError(t, dump.Err(), context.Canceled)

	dump = m.Dump(within(t), &bpfmap.DumpOptions{MaxElementsPerSecond: 100_000, ChunkBytes: 4096})
	count := 0
	for range dump.Keys() {
		if count++; count == 1000 {
			must(t, daemon.Kill())
		}
	}
	equal(t, status.Code(dump.Err()), codes.Unavailable)
	must(t, daemon.Start())

	dump = m.Dump(within(t), nil)
	must(t, client.WaitReady(within(t)))
	equal(t, len(maps.Collect(dump.All())), 200_000)
	must(t, dump.Err())
}

func TestLoadsMergeAndReplace(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	m := create[uint32, uint64](t, connect(t, shared), hash(2000))
	result, err := m.Load(ctx, squares(1000), &bpfmap.LoadOptions{ChunkBytes: 100})
	must(t, err)
	equal(t, result.GetReceived(), 1000)
	equal(t, result.GetWritten(), 1000)

	wanted := map[uint32]uint64{1: 1, 2: 5, 5000: 1}
	result, err = m.Load(ctx, maps.All(wanted), &bpfmap.LoadOptions{Strategy: bpfmap.Replace, DryRun: true})
	must(t, err)
	equal(t, fmt.Sprint(result.GetAdded(), result.GetChanged(), result.GetUnchanged(), result.GetRemoved()), "1 1 1 998")
	n, err := m.Count(ctx, nil)
	must(t, err)
	equal(t, n.Elements, 1000)

	_, err = m.Load(ctx, maps.All(wanted), &bpfmap.LoadOptions{Strategy: bpfmap.Replace})
	must(t, err)
	if got := maps.Collect(m.Dump(ctx, nil).All()); !maps.Equal(got, wanted) {
		t.Errorf("the map holds %v", got)
	}
	result, err = m.Load(ctx, maps.All(map[uint32]uint64{}), &bpfmap.LoadOptions{Strategy: bpfmap.Replace})
	must(t, err)
	equal(t, result.GetRemoved(), 3)
}

func TestALoadThatFailsRemovesNothing(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	client := connect(t, shared)
	m := filled(t, client, 100)
	replace := &bpfmap.LoadOptions{Strategy: bpfmap.Replace}

	cancelled, cancel := context.WithCancelCause(ctx)
	broken := errors.New("the file is broken")
	_, err := m.Load(cancelled, func(yield func(uint32, uint64) bool) {
		yield(1, 1)
		cancel(broken)
	}, replace)
	wantError(t, err, broken)

	func() {
		defer func() { _ = recover() }()
		_, _ = m.Load(ctx, func(yield func(uint32, uint64) bool) {
			yield(1, 1)
			panic("the iterator is broken")
		}, replace)
	}()

	raw, err := bpfmap.OpenMap[uint32, []byte](ctx, client, m.Ref(), nil)
	must(t, err)
	_, err = raw.Load(ctx, maps.All(map[uint32][]byte{1: make([]byte, 7)}), replace)
	wantError(t, err, bpfmap.ErrValueSize)

	result, err := m.Load(ctx, squares(5000), &bpfmap.LoadOptions{ChunkBytes: 64})
	wantError(t, err, bpfmap.ErrMapFull)
	if result != nil {
		t.Errorf("a load that failed has the result %v", result)
	}
	n, err := m.Count(ctx, nil)
	must(t, err)
	equal(t, n.Elements, 100)
}

func TestALoadEndsWithTheDaemonsError(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	client := connect(t, shared)
	m := filled(t, client, 10)
	must(t, m.Freeze(ctx))
	// An endless iterator: only the daemon's answer can end it.
	_, err := m.Load(ctx, func(yield func(uint32, uint64) bool) {
		for i := uint32(0); yield(i%10, 1); i++ {
		}
	}, nil)
	wantError(t, err, bpfmap.ErrMapFrozen)

	must(t, client.Release(ctx, m.Ref().Proto().GetHeld()))
	_, err = m.Load(ctx, squares(1), nil)
	wantError(t, err, bpfmap.ErrHoldNotExist)
	_, err = m.Clear(ctx)
	wantError(t, err, bpfmap.ErrHoldNotExist)
	dump := m.Dump(ctx, nil)
	for range dump.All() {
		t.Error("a map that is gone has elements")
	}
	wantError(t, dump.Err(), bpfmap.ErrHoldNotExist)
}

func TestClearsAMap(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	m := filled(t, connect(t, shared), 100)
	removed, err := m.Clear(ctx)
	must(t, err)
	equal(t, removed, 100)
}
