package main

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/bpfmapd/bpfmapd/clients/go/bpfmap"
	bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"
)

// Commands on elements.
func init() {
	register("lookup", lookup)
	register("update", update)
	register("delete", deleteKeys)
	register("take", take)
	register("next_key", nextKey)
	register("push", push)
	register("pop", pop)
	register("peek", peek)
	register("may_contain", mayContain)
	register("together", together)
	register("update_json", updateJSON)
	register("lookup_json", lookupJSON)
	register("dump_json", dumpJSON)
}

type keyed struct {
	target
	Keys     []hexBytes
	Continue bool
}

func (k *keyed) options() *bpfmap.BatchOptions {
	return &bpfmap.BatchOptions{ContinueOnError: k.Continue}
}

func lookup(ctx context.Context, r *runner, args keyed) (any, error) {
	m, err := args.elements(ctx, r)
	if err != nil {
		return nil, err
	}
	return found(m.BatchLookup(ctx, bytesOf(args.Keys)))
}

func take(ctx context.Context, r *runner, args keyed) (any, error) {
	m, err := args.elements(ctx, r)
	if err != nil {
		return nil, err
	}
	return found(m.BatchLookupAndDelete(ctx, bytesOf(args.Keys)))
}

// found gives null for keys that are not there.
func found(values [][]byte, err error) (any, error) {
	var batch *bpfmap.BatchError
	if errors.As(err, &batch) {
		for _, each := range batch.Failures {
			if !errors.Is(each.Err, bpfmap.ErrKeyNotExist) {
				return nil, each.Err
			}
		}
		err = nil
	}
	return map[string]any{"values": hexOf(values)}, err
}

func update(ctx context.Context, r *runner, args struct {
	keyed
	Elements pairs
	Mode     string
}) (any, error) {
	m, err := args.elements(ctx, r)
	if err != nil {
		return nil, err
	}
	options := args.options()
	options.Flags = map[string]bpfmap.UpdateFlags{"NOEXIST": bpfmap.UpdateNoExist, "EXIST": bpfmap.UpdateExist}[args.Mode]
	keys, values := args.Elements.columns()
	applied, err := m.BatchUpdate(ctx, keys, values, options)
	return written(applied, err, args.Continue)
}

func deleteKeys(ctx context.Context, r *runner, args keyed) (any, error) {
	m, err := args.elements(ctx, r)
	if err != nil {
		return nil, err
	}
	applied, err := m.BatchDelete(ctx, bytesOf(args.Keys), args.options())
	return written(applied, err, args.Continue)
}

// written lists the failures of a call that went on after them.
func written(applied int, err error, goesOn bool) (any, error) {
	failures := []any{}
	var batch *bpfmap.BatchError
	if goesOn && errors.As(err, &batch) {
		for _, each := range batch.Failures {
			failures = append(failures, map[string]any{"index": each.Index, "reason": each.Err.Reason})
		}
		err = nil
	}
	return map[string]any{"applied": applied, "failures": failures}, err
}

func nextKey(ctx context.Context, r *runner, args struct {
	target
	Key hexBytes
}) (any, error) {
	m, err := args.elements(ctx, r)
	if err != nil {
		return nil, err
	}
	var key []byte
	if args.Key == nil {
		key, err = m.FirstKey(ctx)
	} else {
		key, err = m.NextKey(ctx, args.Key)
	}
	if errors.Is(err, bpfmap.ErrKeyNotExist) {
		key, err = nil, nil
	}
	return map[string]any{"key": hexBytes(key)}, err
}

func push(ctx context.Context, r *runner, args struct {
	target
	Values          []hexBytes
	OverwriteOldest bool `json:"overwrite_oldest"`
}) (any, error) {
	h, err := args.open(ctx, r)
	if err != nil {
		return nil, err
	}
	answer := map[string]any{"applied": len(args.Values)}
	if h.Info().GetType() == bpfmap.BloomFilter {
		filter, err := bpfmap.OpenBloomFilter[[]byte](ctx, r.client, args.ref())
		if err != nil {
			return nil, err
		}
		return answer, filter.Add(ctx, bytesOf(args.Values)...)
	}
	queue, err := bpfmap.OpenQueue[[]byte](ctx, r.client, args.ref())
	if err != nil {
		return nil, err
	}
	if args.OverwriteOldest {
		return answer, queue.PushOverwriting(ctx, bytesOf(args.Values)...)
	}
	return answer, queue.Push(ctx, bytesOf(args.Values)...)
}

func pop(ctx context.Context, r *runner, args struct {
	target
	MaxCount uint32 `json:"max_count"`
}) (any, error) {
	queue, err := bpfmap.OpenQueue[[]byte](ctx, r.client, args.ref())
	if err != nil {
		return nil, err
	}
	values, err := queue.PopUpTo(ctx, max(args.MaxCount, 1))
	return map[string]any{"values": hexOf(values)}, err
}

func peek(ctx context.Context, r *runner, args target) (any, error) {
	queue, err := bpfmap.OpenQueue[[]byte](ctx, r.client, args.ref())
	if err != nil {
		return nil, err
	}
	value, err := queue.Peek(ctx)
	if errors.Is(err, bpfmap.ErrKeyNotExist) {
		value, err = nil, nil
	}
	return map[string]any{"value": hexBytes(value)}, err
}

func mayContain(ctx context.Context, r *runner, args struct {
	target
	Value hexBytes
}) (any, error) {
	filter, err := bpfmap.OpenBloomFilter[[]byte](ctx, r.client, args.ref())
	if err != nil {
		return nil, err
	}
	found, err := filter.MayContain(ctx, args.Value)
	return map[string]any{"found": found}, err
}

// together makes single calls at the same time, which are gathered.
func together(ctx context.Context, r *runner, args struct {
	target
	Elements pairs
}) (any, error) {
	m, err := args.elements(ctx, r)
	if err != nil {
		return nil, err
	}
	each := func(call func(key, value []byte) error) int64 {
		var done atomic.Int64
		var group sync.WaitGroup
		for _, pair := range args.Elements {
			group.Go(func() {
				if call(pair[0], pair[1]) == nil {
					done.Add(1)
				}
			})
		}
		group.Wait()
		return done.Load()
	}
	return struct {
		Updated int64 `json:"updated"`
		Found   int64 `json:"found"`
		Deleted int64 `json:"deleted"`
	}{
		each(func(key, value []byte) error { return m.Put(ctx, key, value) }),
		each(func(key, _ []byte) error { _, err := m.Lookup(ctx, key); return err }),
		each(func(key, _ []byte) error { return m.Delete(ctx, key) }),
	}, nil
}

// typed opens the map for JSON.
func (t *target) typed(ctx context.Context, r *runner) (*bpfmap.Map[json.RawMessage, json.RawMessage], error) {
	options := &bpfmap.OpenOptions{JSON: true, Types: t.types()}
	return bpfmap.OpenMap[json.RawMessage, json.RawMessage](ctx, r.client, t.ref(), options)
}

func updateJSON(ctx context.Context, r *runner, args struct {
	target
	Elements [][2]json.RawMessage
}) (any, error) {
	m, err := args.typed(ctx, r)
	if err != nil {
		return nil, err
	}
	for _, element := range args.Elements {
		if err := m.Put(ctx, element[0], element[1]); err != nil {
			return nil, err
		}
	}
	return nothing{}, nil
}

func lookupJSON(ctx context.Context, r *runner, args struct {
	target
	Key json.RawMessage
}) (any, error) {
	m, err := args.typed(ctx, r)
	if err != nil {
		return nil, err
	}
	value, err := m.Lookup(ctx, args.Key)
	if errors.Is(err, bpfmap.ErrKeyNotExist) {
		value, err = nil, nil
	}
	return map[string]any{"value": value}, err
}

func dumpJSON(ctx context.Context, r *runner, args struct {
	target
	Order *struct {
		Field      string
		Descending bool
		Limit      uint32
	}
}) (any, error) {
	m, err := args.typed(ctx, r)
	if err != nil {
		return nil, err
	}
	options := &bpfmap.DumpOptions{}
	if args.Order != nil {
		options.Order = &bpfmapv1.ElementOrder{
			Field: args.Order.Field, Descending: args.Order.Descending, Limit: args.Order.Limit,
		}
	}
	elements := [][2]json.RawMessage{}
	dump := m.Dump(ctx, options)
	for key, value := range dump.All() {
		elements = append(elements, [2]json.RawMessage{key, value})
	}
	return map[string]any{"elements": elements}, dump.Err()
}
