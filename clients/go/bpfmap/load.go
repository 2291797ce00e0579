package bpfmap

import (
	"context"
	"errors"
	"io"
	"iter"

	bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"
)

// LoadStrategy says what becomes of the elements that a map has already.
type LoadStrategy = bpfmapv1.LoadStrategy

const (
	// Merge writes the elements and leaves all others.
	Merge = bpfmapv1.LoadStrategy_LOAD_STRATEGY_MERGE
	// Replace makes the map's contents equal to the elements: those that are not among
	// them are removed at the end, and those of arrays set to zero. Elements that are
	// there with the same value are not written.
	Replace = bpfmapv1.LoadStrategy_LOAD_STRATEGY_REPLACE
)

// LoadOptions say how a load is done.
type LoadOptions struct {
	// Strategy is Merge unless it is Replace.
	Strategy LoadStrategy
	// DryRun only tells what the load would do.
	DryRun bool
	// ChunkBytes is the size of a message to aim at; 256 KiB by default.
	ChunkBytes int
}

// LoadResult is what a load did.
type LoadResult = bpfmapv1.LoadMapResponse

const defaultChunkBytes = 256 << 10

// Load writes elements into the map, at the daemon's pace. The iterator is run until its
// end, an error of the daemon, or the end of ctx, which is looked at between elements.
//
// A key that comes twice takes its last value. Where the load fails, what was written
// stays, and nothing is removed. An iterator that fails itself should cancel ctx, best
// with a cause: the load then fails, so that Replace does not take it for a short list.
func (m *Map[K, V]) Load(ctx context.Context, elements iter.Seq2[K, V], options *LoadOptions) (*LoadResult, error) {
	if options == nil {
		options = &LoadOptions{}
	}
	if _, err := m.updating(UpdateAny); err != nil {
		return nil, err
	}
	return m.load(ctx, elements, options.ChunkBytes, &bpfmapv1.LoadStart{
		Map:       m.ref.Proto(),
		Strategy:  options.Strategy,
		DryRun:    options.DryRun,
		CpuTarget: m.target,
		Typing:    m.typing(),
	})
}

func (m *Map[K, V]) load(
	ctx context.Context, elements iter.Seq2[K, V], chunkBytes int, start *bpfmapv1.LoadStart,
) (*LoadResult, error) {
	// Where the load ends early, the stream must not look as if it had come to its end.
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := m.client.maps.LoadMap(inner)
	if err != nil {
		return nil, m.client.errorOf(ctx, err)
	}
	l := &load[K, V]{m: m, ctx: ctx, stream: stream, columns: newColumns(m.key, m.value), chunkBytes: chunkBytes}
	if l.chunkBytes <= 0 {
		l.chunkBytes = defaultChunkBytes
	}
	if err := l.send(&bpfmapv1.LoadMapRequest{Kind: &bpfmapv1.LoadMapRequest_Start{Start: start}}); err != nil {
		return nil, err
	}
	if err := l.sendAll(elements); err != nil {
		return nil, err
	}
	answer, err := stream.CloseAndRecv()
	return answer, m.client.errorOf(ctx, err)
}

type load[K, V any] struct {
	m          *Map[K, V]
	ctx        context.Context
	stream     bpfmapv1.MapService_LoadMapClient
	columns    *columns[K, V]
	chunkBytes int
}

func (l *load[K, V]) sendAll(elements iter.Seq2[K, V]) error {
	index := 0
	for key, value := range elements {
		if l.ctx.Err() != nil {
			return contextError(l.ctx)
		}
		if err := l.columns.add(key, value); err != nil {
			return atIndex(err, index)
		}
		index++
		if l.columns.weight < l.chunkBytes {
			continue
		}
		if err := l.sendChunk(); err != nil {
			return err
		}
	}
	if l.ctx.Err() != nil {
		return contextError(l.ctx)
	}
	if l.columns.count == 0 {
		return nil
	}
	return l.sendChunk()
}

func (l *load[K, V]) sendChunk() error {
	err := l.send(&bpfmapv1.LoadMapRequest{
		Kind: &bpfmapv1.LoadMapRequest_Elements{Elements: l.columns.proto()},
	})
	// Send has made a copy.
	l.columns.reset()
	return err
}

// send gives the daemon's error where it has ended the call.
func (l *load[K, V]) send(message *bpfmapv1.LoadMapRequest) error {
	err := l.stream.Send(message)
	if errors.Is(err, io.EOF) {
		err = l.stream.RecvMsg(new(bpfmapv1.LoadMapResponse))
		if err == nil {
			return protocolError("ended a load before its end")
		}
	}
	return l.m.client.errorOf(l.ctx, err)
}
