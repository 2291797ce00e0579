package bpfmap_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/bpfmapd/bpfmapd/clients/go/bpfmap"
	bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"
)

func TestBatchesReadAndWriteManyElements(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	// More than one RPC holds, in elements and in bytes.
	const count = 100_000
	m := create[uint32, [64]byte](t, connect(t, shared), hash(count))
	keys, values := make([]uint32, count), make([][64]byte, count)
	for i := range keys {
		keys[i], values[i] = uint32(i), [64]byte{byte(i), byte(i >> 8)}
	}
	written, err := m.BatchUpdate(ctx, keys, values, nil)
	must(t, err)
	equal(t, written, count)
	found, err := m.BatchLookup(ctx, keys)
	must(t, err)
	for i := range found {
		equal(t, found[i], values[i])
	}
	taken, err := m.BatchLookupAndDelete(ctx, keys[:10])
	must(t, err)
	equal(t, taken[9], values[9])
	deleted, err := m.BatchDelete(ctx, keys[10:], nil)
	must(t, err)
	equal(t, deleted, count-10)
	n, err := m.Count(ctx, nil)
	must(t, err)
	equal(t, n, bpfmap.Count{Elements: 0, MaxEntries: count, Complete: true})
}

func TestBatchesTellWhichElementsWereRefused(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	m := create[uint32, uint32](t, connect(t, shared), hash(8))
	must(t, m.Put(ctx, 2, 20))

	values, err := m.BatchLookup(ctx, []uint32{1, 2, 3})
	wantError(t, err, bpfmap.ErrKeyNotExist)
	equal(t, fmt.Sprint(values), "[0 20 0]")
	equal(t, fmt.Sprint(failed(t, err)), "[0 2]")

	keys, ones := []uint32{1, 2, 3}, []uint32{1, 1, 1}
	written, err := m.BatchUpdate(ctx, keys, ones, &bpfmap.BatchOptions{Flags: bpfmap.UpdateNoExist})
	wantError(t, err, bpfmap.ErrKeyExist)
	equal(t, written, 1)
	equal(t, fmt.Sprint(failed(t, err)), "[1]")
	written, err = m.BatchUpdate(ctx, keys, ones, &bpfmap.BatchOptions{Flags: bpfmap.UpdateNoExist, ContinueOnError: true})
	wantError(t, err, bpfmap.ErrKeyExist)
	equal(t, written, 1)
	equal(t, fmt.Sprint(failed(t, err)), "[0 1]")

	deleted, err := m.BatchDelete(ctx, []uint32{9, 1, 8, 2}, &bpfmap.BatchOptions{ContinueOnError: true})
	wantError(t, err, bpfmap.ErrKeyNotExist)
	equal(t, deleted, 2)
	equal(t, fmt.Sprint(failed(t, err)), "[0 2]")

	_, err = m.BatchUpdate(ctx, keys, ones[1:], nil)
	wantError(t, err, bpfmap.ErrFieldInvalid)
}

func TestABatchStopsWhereTheMapIsFull(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	m := create[uint32, uint32](t, connect(t, shared), hash(3))
	keys := []uint32{1, 2, 3, 4, 5}
	written, err := m.BatchUpdate(ctx, keys, keys, nil)
	wantError(t, err, bpfmap.ErrMapFull)
	equal(t, written, 3)
	equal(t, fmt.Sprint(failed(t, err)), "[3]")
	written, err = m.BatchUpdate(ctx, keys, keys, &bpfmap.BatchOptions{ContinueOnError: true})
	wantError(t, err, bpfmap.ErrMapFull)
	equal(t, written, 3)
	equal(t, fmt.Sprint(failed(t, err)), "[3 4]")
}

// failed gives the indices of the elements that were refused.
func failed(tb testing.TB, err error) []int {
	tb.Helper()
	var batch *bpfmap.BatchError
	if !errors.As(err, &batch) {
		tb.Fatalf("%v is no *bpfmap.BatchError", err)
	}
	var indices []int
	for _, failure := range batch.Failures {
		indices = append(indices, failure.Index)
	}
	return indices
}

// rpcs counts calls by method, those in a pipeline too.
type rpcs struct {
	mu     sync.Mutex
	counts map[string]int
}

func (r *rpcs) option() bpfmap.DialOption {
	return bpfmap.WithGRPC(grpc.WithChainUnaryInterceptor(func(
		ctx context.Context, method string, request, answer any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption,
	) error {
		r.add(method)
		return invoke(ctx, method, request, answer, conn, options...)
	}), grpc.WithChainStreamInterceptor(func(
		ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, options ...grpc.CallOption,
	) (grpc.ClientStream, error) {
		stream, err := open(ctx, desc, conn, method, options...)
		r.add(method)
		return &countedStream{stream, r}, err
	}))
}

func (r *rpcs) add(method string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.counts == nil {
		r.counts = map[string]int{}
	}
	r.counts[method]++
}

// countedStream counts the calls that a pipeline is sent.
type countedStream struct {
	grpc.ClientStream
	rpcs *rpcs
}

func (s *countedStream) SendMsg(message any) error {
	switch message.(*bpfmapv1.PipelineRequest).GetCall().(type) {
	case *bpfmapv1.PipelineRequest_LookupElements:
		s.rpcs.add(bpfmapv1.MapService_LookupElements_FullMethodName)
	case *bpfmapv1.PipelineRequest_UpdateElements:
		s.rpcs.add(bpfmapv1.MapService_UpdateElements_FullMethodName)
	case *bpfmapv1.PipelineRequest_DeleteElements:
		s.rpcs.add(bpfmapv1.MapService_DeleteElements_FullMethodName)
	}
	return s.ClientStream.SendMsg(message)
}

func (r *rpcs) count(method string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counts["/bpfmap.v1.MapService/"+method]
}

func TestGathersCallsThatComeTogether(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	var made rpcs
	m := create[uint32, uint64](t, connect(t, shared, made.option()), hash(4096))
	const callers, each = 64, 32
	var group sync.WaitGroup
	for caller := range uint32(callers) {
		group.Go(func() {
			for i := range uint32(each) {
				key := caller*each + i
				if err := m.Put(ctx, key, uint64(key)*3); err != nil {
					t.Errorf("put %d: %v", key, err)
				}
				if value, err := m.Lookup(ctx, key); err != nil || value != uint64(key)*3 {
					t.Errorf("lookup %d: %d, %v", key, value, err)
				}
			}
		})
	}
	group.Wait()
	n, err := m.Count(ctx, nil)
	must(t, err)
	equal(t, n.Elements, callers*each)
	// With 64 callers an RPC has dozens of calls; a quarter of that is enough to know.
	if updates := made.count("UpdateElements"); updates > callers*each/8 {
		t.Errorf("%d updates took %d RPCs", callers*each, updates)
	}
}

func TestEachGatheredCallHasItsOwnResult(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	m := create[uint32, uint32](t, connect(t, shared), hash(16))
	var group sync.WaitGroup
	for caller := range uint32(64) {
		group.Go(func() {
			err := m.Update(ctx, caller%32, caller, bpfmap.UpdateNoExist)
			if err != nil && !errors.Is(err, bpfmap.ErrKeyExist) && !errors.Is(err, bpfmap.ErrMapFull) {
				t.Errorf("caller %d: %v", caller, err)
			}
			gone, cancel := context.WithCancel(ctx)
			cancel()
			if _, err := m.Lookup(gone, caller); !errors.Is(err, context.Canceled) {
				t.Errorf("caller %d: %v", caller, err)
			}
			if _, err := m.Lookup(ctx, 1000+caller); !errors.Is(err, bpfmap.ErrKeyNotExist) {
				t.Errorf("caller %d: %v", caller, err)
			}
		})
	}
	group.Wait()
	n, err := m.Count(ctx, nil)
	must(t, err)
	equal(t, n.Elements, 16)
}

func TestAMalformedCallSpoilsNoGatheredOne(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	m := create[uint32, uint32](t, connect(t, shared), bpfmap.Spec{Type: bpfmap.Array, MaxEntries: 32})
	var group sync.WaitGroup
	for caller := range uint32(64) {
		group.Go(func() {
			for range 8 {
				err := m.Put(ctx, caller, caller)
				if caller < 32 && err != nil || caller >= 32 && !errors.Is(err, bpfmap.ErrKeyOutOfRange) {
					t.Errorf("put %d: %v", caller, err)
				}
				value, err := m.Lookup(ctx, caller)
				if caller < 32 && (err != nil || value != caller) || caller >= 32 && !errors.Is(err, bpfmap.ErrKeyOutOfRange) {
					t.Errorf("lookup %d: %d, %v", caller, value, err)
				}
			}
		})
	}
	group.Wait()
}

func TestGatheringCanBeTurnedOff(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	var made rpcs
	client := connect(t, shared, made.option(), bpfmap.WithoutBatching())
	m := create[uint32, uint32](t, client, hash(128))
	together(64, func(caller uint32) { must(t, m.Put(ctx, caller, caller)) })
	equal(t, made.count("UpdateElements"), 64)

	gathering, err := bpfmap.OpenMap[uint32, uint32](ctx, client, m.Ref(), &bpfmap.OpenOptions{Batching: &bpfmap.Batching{}})
	must(t, err)
	headers := metadata.AppendToOutgoingContext(ctx, "x-caller", "me")
	together(64, func(caller uint32) { must(t, gathering.Delete(headers, caller)) })
	equal(t, made.count("DeleteElements"), 64)
}

func together(callers uint32, call func(caller uint32)) {
	var group sync.WaitGroup
	for caller := range callers {
		group.Go(func() { call(caller) })
	}
	group.Wait()
}

// Each goroutine has keys of its own and knows what each of its calls must give, on a
// real map, with calls that it leaves.
func TestGatheredCallsKeepTheOrderOfEachCaller(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	m := create[uint32, uint32](t, connect(t, shared), hash(64))
	together(32, func(caller uint32) {
		for i := range uint32(60) {
			if err := m.Put(ctx, caller, i); err != nil {
				t.Errorf("put: %v", err)
			}
			if value, err := m.Lookup(ctx, caller); err != nil || value != i {
				t.Errorf("caller %d read %d after it wrote %d: %v", caller, value, i, err)
			}
			if i%3 == 0 {
				if err := m.Delete(ctx, caller); err != nil {
					t.Errorf("delete: %v", err)
				}
				if _, err := m.Lookup(ctx, caller); !errors.Is(err, bpfmap.ErrKeyNotExist) {
					t.Errorf("caller %d found what it deleted: %v", caller, err)
				}
			}
		}
	})
}
