package bpfmap_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"testing"

	"github.com/bpfmapd/bpfmapd/clients/go/bpfmap"
	bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"
)

// timespec is the kernel's struct timespec64 as JSON.
type timespec struct {
	Seconds     int64 `json:"tv_sec,string"`
	Nanoseconds int64 `json:"tv_nsec,string"`
}

// typed opens a map of u32 and struct timespec64 as JSON, and as bytes.
func typed(t *testing.T) (*bpfmap.Map[uint32, timespec], *bpfmap.Map[uint32, [2]int64]) {
	t.Helper()
	client := connect(t, shared)
	plain := create[uint32, [2]int64](t, client, hash(16))
	m, err := bpfmap.OpenMap[uint32, timespec](within(t), client, plain.Ref(), &bpfmap.OpenOptions{
		JSON: true, Types: bpfmap.KernelTypes("vmlinux", "__u32", "struct timespec64"),
	})
	must(t, err)
	return m, plain
}

func TestTheDaemonEncodesAndDecodesByTheTypes(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	m, plain := typed(t)
	must(t, m.Put(ctx, 1, timespec{-5, 1 << 60}))
	bytes, err := plain.Lookup(ctx, 1)
	must(t, err)
	equal(t, bytes, [2]int64{-5, 1 << 60})
	must(t, plain.Put(ctx, 2, [2]int64{2, 3}))
	value, err := m.Lookup(ctx, 2)
	must(t, err)
	equal(t, value, timespec{2, 3})
	wantError(t, m.Update(ctx, 1, value, bpfmap.UpdateNoExist), bpfmap.ErrKeyExist)
	_, err = m.Lookup(ctx, 3)
	wantError(t, err, bpfmap.ErrKeyNotExist)
	first, err := m.FirstKey(ctx)
	must(t, err)
	second, err := m.NextKey(ctx, first)
	must(t, err)
	equal(t, first+second, 3)
	value, err = m.LookupAndDelete(ctx, 1)
	must(t, err)
	equal(t, value, timespec{-5, 1 << 60})
	must(t, m.Delete(ctx, 2))
	wantError(t, m.Delete(ctx, 2), bpfmap.ErrKeyNotExist)
}

func TestWholeMapsAreReadAndWrittenAsJSON(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	m, plain := typed(t)
	want := map[uint32]timespec{1: {1, 1}, 2: {2, 4}, 3: {3, 9}}
	_, err := m.Load(ctx, maps.All(want), &bpfmap.LoadOptions{Strategy: bpfmap.Replace})
	must(t, err)
	equal(t, fmt.Sprint(maps.Collect(plain.Dump(ctx, nil).All())), "map[1:[1 1] 2:[2 4] 3:[3 9]]")
	dump := m.Dump(ctx, nil)
	equal(t, fmt.Sprint(maps.Collect(dump.All())), fmt.Sprint(want))
	must(t, dump.Err())

	top := m.Dump(ctx, &bpfmap.DumpOptions{
		Filter: &bpfmapv1.ElementFilter{Fields: []*bpfmapv1.FieldCondition{{
			Field: "value.tv_sec", Comparison: bpfmapv1.Comparison_COMPARISON_LESS, JsonValue: "3",
		}}},
		Order: &bpfmapv1.ElementOrder{Field: "value.tv_nsec", Descending: true, Limit: 1},
	})
	equal(t, fmt.Sprint(maps.Collect(top.All())), "map[2:{2 4}]")
	must(t, top.Err())
	count, err := m.Count(ctx, &bpfmapv1.ElementFilter{Fields: []*bpfmapv1.FieldCondition{{
		Field: "key", Comparison: bpfmapv1.Comparison_COMPARISON_GREATER, JsonValue: "1",
	}}})
	must(t, err)
	equal(t, count.Elements, 2)

	values, err := m.BatchLookup(ctx, []uint32{3, 7, 1})
	wantError(t, err, bpfmap.ErrKeyNotExist)
	equal(t, fmt.Sprint(values), "[{3 9} {0 0} {1 1}]")
	done, err := m.BatchUpdate(ctx, []uint32{4, 5}, []timespec{{4, 0}, {5, 0}}, nil)
	must(t, err)
	equal(t, done, 2)
	done, err = m.BatchDelete(ctx, []uint32{1, 2, 3}, nil)
	must(t, err)
	equal(t, done, 3)
	equal(t, fmt.Sprint(maps.Collect(m.Dump(ctx, nil).All())), "map[4:{4 0} 5:{5 0}]")
}

func TestAWatchTellsChangesAsJSON(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	m, plain := typed(t)
	must(t, plain.Put(ctx, 1, [2]int64{1, 2}))
	options := fast()
	options.PreviousValues = true
	watch := m.Watch(ctx, options)
	var told []string
	for event := range watch.Events() {
		switch event.Kind {
		case bpfmap.EventSynced:
			bpftool(t, "map", "update", "id", fmt.Sprint(m.ID()), "key", "hex", "01", "00", "00", "00",
				"value", "hex", "03", "00", "00", "00", "00", "00", "00", "00", "04", "00", "00", "00", "00", "00", "00", "00")
		case bpfmap.EventPut:
			if told = append(told, fmt.Sprint(event.Key, event.Value)); !event.Initial {
				told = append(told, fmt.Sprint(*event.Previous))
				must(t, plain.Delete(ctx, 1))
			}
		case bpfmap.EventDelete:
			told = append(told, fmt.Sprint("delete ", event.Key))
		}
		if event.Kind == bpfmap.EventDelete {
			break
		}
	}
	must(t, watch.Err())
	equal(t, fmt.Sprint(told), "[1 {1 2} 1 {3 4} {1 2} delete 1]")
}

func TestCallsOfJSONAreGatheredLikeOthers(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	m, _ := typed(t)
	together(16, func(caller uint32) {
		want := timespec{Seconds: int64(caller)}
		if err := m.Put(ctx, caller, want); err != nil {
			t.Errorf("put: %v", err)
		}
		if value, err := m.Lookup(ctx, caller); err != nil || value != want {
			t.Errorf("the value of %d is %v: %v", caller, value, err)
		}
	})
}

func TestWhatIsNotOfTheTypeIsRefused(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	client := connect(t, shared)
	typedMap, plain := typed(t)
	open := func(types *bpfmap.Types) *bpfmap.Map[any, json.RawMessage] {
		m, err := bpfmap.OpenMap[any, json.RawMessage](ctx, client, plain.Ref(), &bpfmap.OpenOptions{JSON: true, Types: types})
		must(t, err)
		return m
	}
	none := open(nil)
	_, err := none.Lookup(ctx, 1)
	wantError(t, err, bpfmap.ErrNoTypes)
	_, err = none.Schema(ctx)
	wantError(t, err, bpfmap.ErrNoTypes)
	_, err = open(bpfmap.KernelTypes("vmlinux", "__u64", "")).Schema(ctx)
	wantError(t, err, bpfmap.ErrTypeSizeMismatch)
	_, err = open(bpfmap.KernelTypes("vmlinux", "no_such_type", "")).Schema(ctx)
	wantError(t, err, bpfmap.ErrTypeNotFound)
	schema, err := typedMap.Schema(ctx)
	must(t, err)
	equal(t, schema.GetSource(), "vmlinux")

	m := open(bpfmap.KernelTypes("vmlinux", "__u32", "struct timespec64"))
	wantError(t, m.Put(ctx, 1<<32, json.RawMessage(`{}`)), bpfmap.ErrJSONInvalid)
	wantError(t, m.Put(ctx, 1, json.RawMessage(`{"no_member": 1}`)), bpfmap.ErrJSONInvalid)
	wantError(t, m.Put(ctx, make(chan int), json.RawMessage(`{}`)), bpfmap.ErrJSONInvalid)
	must(t, m.Put(ctx, 1, json.RawMessage(`{"tv_sec": 7}`)))
	_, err = open(bpfmap.KernelTypes("vmlinux", "__u32", "struct timespec64")).Lookup(ctx, "1")
	must(t, err)
	numbers, err := bpfmap.OpenMap[uint32, []int](ctx, client, plain.Ref(), &bpfmap.OpenOptions{
		JSON: true, Types: bpfmap.KernelTypes("vmlinux", "__u32", "struct timespec64"),
	})
	must(t, err)
	_, err = numbers.Lookup(ctx, 1)
	wantError(t, err, bpfmap.ErrJSONInvalid)
}

func TestPerCPUValuesAsJSONAreOneForEachCPUOrOne(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	client := connect(t, shared)
	plain := create[uint32, []uint64](t, client, bpfmap.Spec{Type: bpfmap.PerCPUArray, MaxEntries: 1})
	types := bpfmap.KernelTypes("vmlinux", "__u32", "__u64")
	all, err := bpfmap.OpenMap[uint32, []json.Number](ctx, client, plain.Ref(), &bpfmap.OpenOptions{JSON: true, Types: types})
	must(t, err)
	slots := make([]uint64, len(plain.CPUs()))
	slots[0] = 1 << 63
	must(t, plain.Put(ctx, 0, slots))
	values, err := all.Lookup(ctx, 0)
	must(t, err)
	equal(t, values[0], "9223372036854775808")
	equal(t, len(values), len(slots))
	sum, err := bpfmap.OpenMap[uint32, uint64](ctx, client, plain.Ref(), &bpfmap.OpenOptions{
		JSON: true, Types: types, View: bpfmap.Folded(bpfmap.SumU64),
	})
	must(t, err)
	value, err := sum.Lookup(ctx, 0)
	must(t, err)
	equal(t, value, 1<<63)
}

func TestAMapIsCreatedWithItsOwnTypes(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	client := connect(t, shared)
	options := &bpfmap.CreateOptions{Hold: holdName(client, t), Open: bpfmap.OpenOptions{JSON: true}}
	m, err := bpfmap.CreateMapWith(ctx, client, &bpfmap.Spec{
		Type: bpfmap.Hash, KeySize: 4, ValueSize: 4, MaxEntries: 4, BTF: intBTF(), KeyTypeID: 1, ValueTypeID: 1,
	}, options, maps.All(map[int32]int32{-1: 1}))
	must(t, err)
	equal(t, fmt.Sprint(maps.Collect(m.Dump(context.Background(), nil).All())), "map[-1:1]")
	schema, err := m.Schema(ctx)
	must(t, err)
	equal(t, schema.GetSource(), "map")
	equal(t, schema.GetTypes()[0].GetName(), "int")
}
