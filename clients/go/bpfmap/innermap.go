package bpfmap

import (
	"context"
	"errors"
	"iter"

	bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"
)

// ReplaceInner fills a new inner map with elements and puts it into a slot of a map of
// maps, in one update: programs see the old contents or the new ones and never a mixture.
// The new map is like the one in the slot, or where the slot is empty like another inner
// map. LoadOptions.Strategy has no meaning here.
//
// Fails with ErrObjectUnsuitable where there is no inner map to be like, and otherwise as
// Map.Load; the slot then stays as it is.
func ReplaceInner[S, K, V any](
	ctx context.Context, outer *Map[S, Object], slot S, elements iter.Seq2[K, V], options *LoadOptions,
) (*LoadResult, error) {
	if options == nil {
		options = &LoadOptions{}
	}
	key, err := outer.key.one(slot)
	if err != nil {
		return nil, err
	}
	handle, err := innerOf(ctx, outer, slot)
	if err != nil {
		return nil, err
	}
	inner, err := typed[K, V](ctx, handle, nil)
	if err != nil {
		return nil, err
	}
	return inner.load(ctx, elements, options.ChunkBytes, &bpfmapv1.LoadStart{
		Map:      outer.ref.Proto(),
		Strategy: bpfmapv1.LoadStrategy_LOAD_STRATEGY_REPLACE_ATOMIC,
		OuterKey: key.bytes,
		DryRun:   options.DryRun,
	})
}

// innerOf gives the inner map in a slot, or what another one tells of their sizes.
func innerOf[S any](ctx context.Context, outer *Map[S, Object], slot S) (*Handle, error) {
	object, err := outer.Lookup(ctx, slot)
	if err != nil && !errors.Is(err, ErrKeyNotExist) {
		return nil, err
	}
	if object.GetMap() != nil {
		return outer.client.Open(ctx, Ref{object.GetMap()})
	}
	info, err := outer.Inspect(ctx, Detail{InnerMap: true})
	if err != nil {
		return nil, err
	}
	spec := info.GetInnerMapSpec()
	if spec == nil {
		e := invalid(ErrObjectUnsuitable, "", "%s has no inner map that the new one could be like", outer)
		e.Code = reasons[e.Reason].code
		return nil, e
	}
	host, err := outer.client.knownHost(ctx)
	if err != nil {
		return nil, err
	}
	return outer.client.planned(host, spec.GetType(), spec.GetName(), spec.GetKeySize(), spec.GetValueSize()), nil
}
