package bpfmap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"
)

// DumpOptions say what is dumped and how.
type DumpOptions struct {
	// Filter chooses elements, on the host; nil for all.
	Filter *bpfmapv1.ElementFilter
	// Order sends the first elements of an order by a field instead of all, once all have
	// been read; nil for the kernel's own order.
	Order *bpfmapv1.ElementOrder
	// ChunkBytes is the size of a chunk to aim at, up to 4 MiB; 0 for the daemon's
	// choice.
	ChunkBytes uint32
	// MaxElements stops the dump after so many; 0 for no limit.
	MaxElements uint64
	// MaxElementsPerSecond bounds how fast the kernel is read; 0 for no limit.
	MaxElementsPerSecond uint32
	// Progress is told how far the dump is, each ProgressInterval (from 100
	// milliseconds, 1 second by default). It is called from the loop over the dump.
	Progress         func(*bpfmapv1.DumpProgress)
	ProgressInterval time.Duration
}

// Dump is a map's elements, to be read once, by one of All, Keys, Values and Chunks:
//
//	dump := m.Dump(ctx, nil)
//	for key, value := range dump.All() { ... }
//	if err := dump.Err(); err != nil { ... }
//
// The daemon reads at the pace of the loop, and leaving the loop ends the dump. It is no
// snapshot in time: elements that change meanwhile are seen before or after the change.
// Those that stand still are seen exactly once, unless Err is ErrIncomplete.
type Dump[K, V any] struct {
	m       *Map[K, V]
	ctx     context.Context
	request *bpfmapv1.DumpMapRequest
	options DumpOptions
	started bool
	header  *bpfmapv1.DumpHeader
	summary *bpfmapv1.DumpSummary
	err     error
}

// Dump prepares a dump of the map. Nothing is sent until it is read.
func (m *Map[K, V]) Dump(ctx context.Context, options *DumpOptions) *Dump[K, V] {
	if options == nil {
		options = &DumpOptions{}
	}
	d := &Dump[K, V]{m: m, ctx: ctx, options: *options, err: errors.Join(m.readable(0), m.listable())}
	d.request = &bpfmapv1.DumpMapRequest{
		Map:                  m.ref.Proto(),
		Filter:               options.Filter,
		Order:                options.Order,
		Format:               m.format(),
		Typing:               m.types.proto(),
		CpuView:              m.view,
		ChunkBytes:           options.ChunkBytes,
		MaxElements:          options.MaxElements,
		MaxElementsPerSecond: options.MaxElementsPerSecond,
	}
	if options.Progress != nil {
		interval := options.ProgressInterval
		if interval == 0 {
			interval = time.Second
		}
		d.request.ProgressInterval = durationOf(interval)
	}
	return d
}

// All yields keys and values.
func (d *Dump[K, V]) All() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		keyed(d, bpfmapv1.Projection_PROJECTION_KEYS_AND_VALUES, func(chunk *bpfmapv1.Elements) bool {
			keys, values := keysOf(chunk), valuesOf(chunk)
			for i := range int(chunk.GetCount()) {
				key, err := d.m.key.at(keys, i)
				if err != nil {
					return d.fail(err)
				}
				value, err := d.m.value.at(values, i)
				if err != nil {
					return d.fail(err)
				}
				if !yield(key, value) {
					return false
				}
			}
			return true
		})
	}
}

// Keys yields keys; the values are not sent.
func (d *Dump[K, V]) Keys() iter.Seq[K] {
	return func(yield func(K) bool) {
		keyed(d, bpfmapv1.Projection_PROJECTION_KEYS, each(d, d.m.key, keysOf, yield))
	}
}

// Values yields values; the keys are not sent.
func (d *Dump[K, V]) Values() iter.Seq[V] {
	return func(yield func(V) bool) {
		keyed(d, bpfmapv1.Projection_PROJECTION_VALUES, each(d, d.m.value, valuesOf, yield))
	}
}

// each gives what reads one column of a chunk.
func each[K, V, T any](
	d *Dump[K, V], of *codec[T], get func(*bpfmapv1.Elements) *column, yield func(T) bool,
) func(*bpfmapv1.Elements) bool {
	return func(chunk *bpfmapv1.Elements) bool {
		items := get(chunk)
		for i := range int(chunk.GetCount()) {
			item, err := of.at(items, i)
			if err != nil {
				return d.fail(err)
			}
			if !yield(item) {
				return false
			}
		}
		return true
	}
}

// Chunks yields elements as they come, keys and values back to back; the fastest way. A
// chunk is the caller's to keep.
func (d *Dump[K, V]) Chunks() iter.Seq[*bpfmapv1.Elements] {
	return func(yield func(*bpfmapv1.Elements) bool) {
		keyed(d, bpfmapv1.Projection_PROJECTION_KEYS_AND_VALUES, yield)
	}
}

// Header is the map as it was when the dump began; nil until the loop has begun.
func (d *Dump[K, V]) Header() *bpfmapv1.DumpHeader { return d.header }

// Summary is the end of the dump; nil unless the loop ran to its end.
func (d *Dump[K, V]) Summary() *bpfmapv1.DumpSummary { return d.summary }

// Err tells, after the loop, whether the dump failed. A dump that was cut is an error,
// and so is one that is not complete (ErrIncomplete), unless MaxElements made it so.
// Leaving the loop is none.
func (d *Dump[K, V]) Err() error { return d.err }

func (d *Dump[K, V]) fail(err error) bool {
	d.err = err
	return false
}

// keyed reads the dump with the columns that are wanted, as long as each is true.
func keyed[K, V any](d *Dump[K, V], columns bpfmapv1.Projection, each func(*bpfmapv1.Elements) bool) {
	if d.err != nil {
		return
	}
	if d.started {
		d.err = invalid(ErrFieldInvalid, "", "a dump can be read once: call Dump again")
		return
	}
	d.started = true
	d.request.Projection = columns
	ctx, cancel := context.WithCancel(d.ctx)
	defer cancel()
	stream, err := d.m.client.maps.DumpMap(ctx, d.request)
	for err == nil {
		var message *bpfmapv1.DumpMapResponse
		if message, err = stream.Recv(); err != nil {
			break
		}
		switch kind := message.GetKind().(type) {
		case *bpfmapv1.DumpMapResponse_Header:
			d.header = kind.Header
		case *bpfmapv1.DumpMapResponse_Elements:
			if err = d.check(kind.Elements); err == nil && !each(kind.Elements) {
				return
			}
		case *bpfmapv1.DumpMapResponse_Progress:
			if d.options.Progress != nil {
				d.options.Progress(kind.Progress)
			}
		case *bpfmapv1.DumpMapResponse_Summary:
			d.summary = kind.Summary
		}
	}
	d.err = d.outcome(err)
}

// outcome is the dump's error, from what ended its stream.
func (d *Dump[K, V]) outcome(err error) error {
	switch {
	case !errors.Is(err, io.EOF):
		d.summary = nil
		return d.m.client.errorOf(d.ctx, err)
	case d.summary == nil:
		return protocolError("ended a dump without a summary")
	case d.summary.GetComplete(),
		d.summary.GetIncompleteReason() == bpfmapv1.IncompleteReason_INCOMPLETE_REASON_MAX_ELEMENTS:
		return nil
	default:
		return fmt.Errorf("%w: %s", ErrIncomplete, d.summary.GetIncompleteReason())
	}
}

// check refuses a chunk that is not as many elements as it says.
func (d *Dump[K, V]) check(chunk *bpfmapv1.Elements) error {
	keys, values := int(chunk.GetCount()), int(chunk.GetCount())
	switch d.request.GetProjection() {
	case bpfmapv1.Projection_PROJECTION_KEYS:
		values = 0
	case bpfmapv1.Projection_PROJECTION_VALUES:
		keys = 0
	}
	if d.m.key.has(keysOf(chunk), keys) && d.m.value.has(valuesOf(chunk), values) {
		return nil
	}
	return d.m.changed(d.header.GetMap(), d.header.GetValueStride())
}

// changed is the error of a map that is no longer the one that was opened.
func (m *Map[K, V]) changed(info *MapInfo, stride uint32) error {
	if info != nil && m.key.isOther(info.GetKeySize()) {
		return invalid(ErrKeySize, "key", "%s has keys of %d bytes; %s, which was opened, has %d: open it anew",
			labelOf(info), info.GetKeySize(), m, m.key.size)
	}
	if info != nil && m.value.isOther(stride) {
		return invalid(ErrValueSize, "value", "%s has values of %d bytes; %s, which was opened, has %d: open it anew",
			labelOf(info), stride, m, m.value.size)
	}
	return protocolError("sent elements of %s that are not of its sizes", m)
}
