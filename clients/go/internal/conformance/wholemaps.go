package main

import (
	"context"

	"github.com/bpfmapd/bpfmapd/clients/go/bpfmap"
	bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"
)

// Commands on all elements of a map.
func init() {
	register("count", count)
	register("dump", dump)
	register("load", load)
	register("clear", func(ctx context.Context, r *runner, args target) (any, error) {
		h, err := args.open(ctx, r)
		if err != nil {
			return nil, err
		}
		removed, err := h.Clear(ctx)
		return map[string]any{"removed": removed}, err
	})
}

// prefixed chooses elements by the first bytes of their keys.
type prefixed struct {
	target
	KeyPrefix hexBytes `json:"key_prefix"`
}

func (p *prefixed) filter() *bpfmapv1.ElementFilter {
	if p.KeyPrefix == nil {
		return nil
	}
	return &bpfmapv1.ElementFilter{KeyPrefix: p.KeyPrefix}
}

func count(ctx context.Context, r *runner, args prefixed) (any, error) {
	h, err := args.open(ctx, r)
	if err != nil {
		return nil, err
	}
	counted, err := h.Count(ctx, args.filter())
	return map[string]any{
		"count": counted.Elements, "max_entries": counted.MaxEntries, "complete": counted.Complete,
	}, err
}

func dump(ctx context.Context, r *runner, args struct {
	prefixed
	Projection  string
	MaxElements uint64 `json:"max_elements"`
}) (any, error) {
	m, err := args.elements(ctx, r)
	if err != nil {
		return nil, err
	}
	d := m.Dump(ctx, &bpfmap.DumpOptions{Filter: args.filter(), MaxElements: args.MaxElements})
	elements := pairs{}
	switch args.Projection {
	case "KEYS":
		for key := range d.Keys() {
			elements = append(elements, [2]hexBytes{key, {}})
		}
	case "VALUES":
		for value := range d.Values() {
			elements = append(elements, [2]hexBytes{{}, value})
		}
	default:
		for key, value := range d.All() {
			elements = append(elements, [2]hexBytes{key, value})
		}
	}
	return map[string]any{
		"elements": elements, "complete": d.Summary().GetComplete(), "sent": d.Summary().GetSent(),
	}, d.Err()
}

func load(ctx context.Context, r *runner, args struct {
	target
	Elements pairs
	Replace  bool
	DryRun   bool `json:"dry_run"`
}) (any, error) {
	m, err := args.elements(ctx, r)
	if err != nil {
		return nil, err
	}
	options := &bpfmap.LoadOptions{DryRun: args.DryRun}
	if args.Replace {
		options.Strategy = bpfmap.Replace
	}
	result, err := m.Load(ctx, args.Elements.all, options)
	if err != nil {
		return nil, err
	}
	return struct {
		Received  uint64  `json:"received"`
		Written   uint64  `json:"written"`
		Added     *uint64 `json:"added,omitempty"`
		Changed   *uint64 `json:"changed,omitempty"`
		Unchanged *uint64 `json:"unchanged,omitempty"`
		Removed   *uint64 `json:"removed,omitempty"`
	}{result.GetReceived(), result.GetWritten(), result.Added, result.Changed, result.Unchanged, result.Removed}, nil
}
