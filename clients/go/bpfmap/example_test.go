package bpfmap_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"maps"
	"slices"

	"github.com/bpfmapd/bpfmapd/clients/go/bpfmap"
)

// exampleMap is for examples that are not about how a map comes to be.
func exampleMap(ctx context.Context, client *bpfmap.Client, hold string) *bpfmap.Map[uint32, uint64] {
	m, err := bpfmap.CreateMap[uint32, uint64](ctx, client,
		&bpfmap.Spec{Type: bpfmap.Hash, MaxEntries: 3}, &bpfmap.CreateOptions{Hold: hold})
	if err != nil {
		log.Fatal(err)
	}
	return m
}

func ExampleDial() {
	// Elsewhere than in this test: "unix:/run/bpfmapd/bpfmapd.sock", which "" stands for.
	client, err := bpfmap.Dial(shared.Address())
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	host, err := client.Host(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(host.GetByteOrder())
	// Output: BYTE_ORDER_LITTLE_ENDIAN
}

func ExampleCreateMap() {
	ctx := context.Background()
	client, err := bpfmap.Dial(shared.Address())
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = client.Close() }()

	type flow struct {
		Source, Target [4]byte
		Port           uint16
		_              [2]byte // Padding is named, as the compiler of the BPF program has it.
	}
	flows, err := bpfmap.CreateMap[flow, uint64](ctx, client,
		&bpfmap.Spec{Type: bpfmap.Hash, Name: "flows", MaxEntries: 1024},
		&bpfmap.CreateOptions{Hold: "flows"})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = client.Release(ctx, "flows") }()

	fmt.Println(flows.Info().GetKeySize(), flows.Info().GetValueSize(), flows.Created())
	// Output: 12 8 true
}

func ExampleMap_Update() {
	ctx := context.Background()
	client, err := bpfmap.Dial(shared.Address())
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	m := exampleMap(ctx, client, "example-update")
	defer func() { _ = client.Release(ctx, "example-update") }()

	fmt.Println(m.Update(ctx, 1, 10, bpfmap.UpdateNoExist))
	err = m.Update(ctx, 1, 11, bpfmap.UpdateNoExist)
	fmt.Println(errors.Is(err, bpfmap.ErrKeyExist))
	value, err := m.Lookup(ctx, 1)
	fmt.Println(value, err)
	// Output:
	// <nil>
	// true
	// 10 <nil>
}

func ExampleMap_BatchUpdate() {
	ctx := context.Background()
	client, err := bpfmap.Dial(shared.Address())
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	m := exampleMap(ctx, client, "example-batch") // It has room for three.
	defer func() { _ = client.Release(ctx, "example-batch") }()

	keys, values := []uint32{1, 2, 3, 4, 5}, []uint64{1, 4, 9, 16, 25}
	written, err := m.BatchUpdate(ctx, keys, values, &bpfmap.BatchOptions{ContinueOnError: true})
	fmt.Println(written, errors.Is(err, bpfmap.ErrMapFull))
	var batch *bpfmap.BatchError
	if errors.As(err, &batch) {
		for _, failure := range batch.Failures {
			fmt.Println(keys[failure.Index], failure.Err.Reason)
		}
	}
	// Output:
	// 3 true
	// 4 MAP_FULL
	// 5 MAP_FULL
}

func ExampleMap_Load() {
	ctx := context.Background()
	client, err := bpfmap.Dial(shared.Address())
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	m := exampleMap(ctx, client, "example-load")
	defer func() { _ = client.Release(ctx, "example-load") }()
	if err := m.Put(ctx, 9, 9); err != nil {
		log.Fatal(err)
	}

	wanted := map[uint32]uint64{1: 10, 2: 20}
	result, err := m.Load(ctx, maps.All(wanted), &bpfmap.LoadOptions{Strategy: bpfmap.Replace})
	fmt.Println(result.GetAdded(), result.GetRemoved(), err)

	dump := m.Dump(ctx, nil)
	keys := slices.Sorted(dump.Keys())
	fmt.Println(keys, dump.Err())
	// Output:
	// 2 1 <nil>
	// [1 2] <nil>
}

func ExampleMap_Watch() {
	ctx := context.Background()
	client, err := bpfmap.Dial(shared.Address())
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	m := exampleMap(ctx, client, "example-watch")
	defer func() { _ = client.Release(ctx, "example-watch") }()

	watch := m.Watch(ctx, nil)
	for event := range watch.Events() {
		if event.Kind == bpfmap.EventSynced { // The map is empty so far.
			if err := m.Put(ctx, 1, 10); err != nil {
				log.Fatal(err)
			}
		}
		if event.Kind == bpfmap.EventPut {
			fmt.Println(event.Key, event.Value)
			break
		}
	}
	fmt.Println(watch.Err())
	// Output:
	// 1 10
	// <nil>
}

func ExampleOpenMap_perCPU() {
	ctx := context.Background()
	client, err := bpfmap.Dial(shared.Address())
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	drops, err := bpfmap.CreateMap[uint32, []uint64](ctx, client,
		&bpfmap.Spec{Type: bpfmap.PerCPUArray, MaxEntries: 1}, &bpfmap.CreateOptions{Hold: "example-drops"})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = client.Release(ctx, "example-drops") }()
	slots := make([]uint64, len(drops.CPUs()))
	slots[0] = 5
	if err := drops.Put(ctx, 0, slots); err != nil {
		log.Fatal(err)
	}

	// The host adds the CPUs up.
	sums, err := bpfmap.OpenMap[uint32, uint64](ctx, client, bpfmap.Held("example-drops"),
		&bpfmap.OpenOptions{View: bpfmap.Folded(bpfmap.SumU64)})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(sums.Lookup(ctx, 0))
	// Output: 5 <nil>
}

func ExampleQueueMap() {
	ctx := context.Background()
	client, err := bpfmap.Dial(shared.Address())
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	jobs, err := bpfmap.CreateQueue[uint32](ctx, client,
		&bpfmap.Spec{Type: bpfmap.Queue, MaxEntries: 8}, &bpfmap.CreateOptions{Hold: "example-jobs"})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = client.Release(ctx, "example-jobs") }()

	fmt.Println(jobs.Push(ctx, 1, 2, 3))
	fmt.Println(jobs.Pop(ctx))
	fmt.Println(jobs.PopUpTo(ctx, 10))
	// Output:
	// <nil>
	// 1 <nil>
	// [2 3] <nil>
}
