package bpfmap_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/bpfmapd/bpfmapd/clients/go/bpfmap"
)

// callers is how many goroutines make single calls at once.
const benchCallers = 64

// The gain of gathering: compare gathered with single.
func BenchmarkSingleUpdatesOf64Callers(b *testing.B) {
	benchmarkCallers(b, func(ctx context.Context, m *bpfmap.Map[uint32, uint64], key uint32) error {
		return m.Put(ctx, key, 1)
	})
}

func BenchmarkSingleLookupsOf64Callers(b *testing.B) {
	benchmarkCallers(b, func(ctx context.Context, m *bpfmap.Map[uint32, uint64], key uint32) error {
		_, err := m.Lookup(ctx, key)
		return err
	})
}

func benchmarkCallers(b *testing.B, call func(context.Context, *bpfmap.Map[uint32, uint64], uint32) error) {
	for name, batching := range map[string]bpfmap.Batching{"gathered": {}, "single": {Off: true}} {
		b.Run(name, func(b *testing.B) {
			ctx := context.Background()
			client := connect(b, shared)
			m := create[uint32, uint64](b, client, hash(1024), bpfmap.OpenOptions{Batching: &batching})
			for key := range uint32(1024) {
				must(b, m.Put(ctx, key, 0))
			}
			b.ResetTimer()
			var next atomic.Int64
			var group sync.WaitGroup
			for range benchCallers {
				group.Go(func() {
					for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
						if err := call(ctx, m, uint32(i)%1024); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			group.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
		})
	}
}

func BenchmarkSequentialLookups(b *testing.B) {
	for name, batching := range map[string]bpfmap.Batching{"gathered": {}, "single": {Off: true}} {
		b.Run(name, func(b *testing.B) {
			ctx := context.Background()
			m := create[uint32, uint64](b, connect(b, shared), hash(16), bpfmap.OpenOptions{Batching: &batching})
			must(b, m.Put(ctx, 1, 1))
			for b.Loop() {
				if _, err := m.Lookup(ctx, 1); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDump(b *testing.B) {
	const count = 1_000_000
	ctx := context.Background()
	m := filled(b, connect(b, shared), count)
	read := map[string]func(*bpfmap.Dump[uint32, uint64]) int{
		"chunks": func(dump *bpfmap.Dump[uint32, uint64]) (n int) {
			for chunk := range dump.Chunks() {
				n += int(chunk.GetCount())
			}
			return n
		},
		"elements": func(dump *bpfmap.Dump[uint32, uint64]) (n int) {
			for range dump.All() {
				n++
			}
			return n
		},
	}
	for name, each := range read {
		b.Run(fmt.Sprintf("%s of %d", name, count), func(b *testing.B) {
			for b.Loop() {
				dump := m.Dump(ctx, nil)
				if n := each(dump); n != count || dump.Err() != nil {
					b.Fatal(n, dump.Err())
				}
			}
			b.ReportMetric(float64(count)*float64(b.N)/b.Elapsed().Seconds(), "elements/s")
		})
	}
}

func BenchmarkLoad(b *testing.B) {
	const count = 1_000_000
	m := create[uint32, uint64](b, connect(b, shared), hash(count))
	for b.Loop() {
		if _, err := m.Load(context.Background(), squares(count), nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(count)*float64(b.N)/b.Elapsed().Seconds(), "elements/s")
}
