package main

import (
	"context"
	"encoding/json"
	"math/big"

	"github.com/bpfmapd/bpfmapd/clients/go/bpfmap"
	bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"
)

// Commands on all elements of a map.
func init() {
	register("count", count)
	register("aggregate", aggregate)
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

// numberField is a path, or {offset, type, fold?, histogram?}.
type numberField bpfmap.NumberField

func (f *numberField) UnmarshalJSON(data []byte) error {
	if json.Unmarshal(data, &f.Path) == nil {
		return nil
	}
	var raw struct {
		Offset     uint32
		Type, Fold string
		Histogram  bool
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	f.Offset, f.Histogram = raw.Offset, raw.Histogram
	f.Type = bpfmap.NumberType(bpfmapv1.NumberType_value["NUMBER_TYPE_"+raw.Type])
	f.Fold = bpfmapv1.FieldFold(bpfmapv1.FieldFold_value["FIELD_FOLD_"+raw.Fold])
	return nil
}

func aggregate(ctx context.Context, r *runner, args struct {
	prefixed
	Fields []numberField
	Top    struct{ Limit, Field uint32 }
}) (any, error) {
	h, err := args.open(ctx, r)
	if err != nil {
		return nil, err
	}
	fields := []bpfmap.NumberField{}
	for _, field := range args.Fields {
		fields = append(fields, bpfmap.NumberField(field))
	}
	answer, err := h.Aggregate(ctx, fields, &bpfmap.AggregateOptions{
		Filter: args.filter(), Top: args.Top.Limit, TopField: args.Top.Field,
	})
	if err != nil {
		return nil, err
	}
	totals := []any{}
	for _, each := range answer.Totals {
		told := map[string]any{
			"count": each.Count, "sum": decimal(each.Sum), "min": decimal(each.Min), "max": decimal(each.Max),
		}
		if each.Histogram != nil {
			buckets := append([]uint64{}, each.Histogram.GetBuckets()...)
			told["histogram"] = map[string]any{"negative": each.Histogram.GetNegative(), "buckets": buckets}
		}
		totals = append(totals, told)
	}
	keys := [][2]any{}
	for _, each := range answer.Top {
		keys = append(keys, [2]any{hexBytes(each.Key), decimal(each.Number)})
	}
	return map[string]any{
		"elements": answer.Elements, "complete": answer.Complete, "totals": totals,
		"top": map[string]any{"keys": keys, "others_max": decimal(answer.OthersMax)},
	}, nil
}

// decimal is a number as text, or null.
func decimal(number *big.Int) any {
	if number == nil {
		return nil
	}
	return number.String()
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
