package bpfmap_test

import (
	"encoding/binary"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/bpfmapd/bpfmapd/clients/go/bpfmap"
	bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"
	"github.com/bpfmapd/bpfmapd/clients/go/internal/bpftest"
)

// intBTF is BTF with one type, int: see Documentation/bpf/btf.rst.
func intBTF() []byte {
	strings := []byte("\x00int\x00")
	types := []uint32{1, 1 << 24, 4, 1<<24 | 32}
	btf := binary.NativeEndian.AppendUint32(nil, 0x0001eb9f)
	for _, word := range []uint32{24, 0, 16, 16, uint32(len(strings))} {
		btf = binary.NativeEndian.AppendUint32(btf, word)
	}
	for _, word := range types {
		btf = binary.NativeEndian.AppendUint32(btf, word)
	}
	return append(btf, strings...)
}

func TestProgramsAreNamedAndReadBack(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	m := create[uint32, bpfmap.Object](t, connect(t, shared), bpfmap.Spec{Type: bpfmap.ProgramArray, MaxEntries: 2})
	id := bpftest.Load(t).ID(t)
	must(t, m.Put(ctx, 1, bpfmap.Program(bpfmap.ProgramID(id))))
	program, err := m.Lookup(ctx, 1)
	must(t, err)
	equal(t, program.GetProgram().GetId(), id)
	for key, value := range m.Dump(ctx, nil).All() {
		equal(t, key, 1)
		equal(t, value.GetProgram().GetId(), id)
	}
	wantError(t, m.Put(ctx, 0, bpfmap.Program(bpfmap.ProgramID(4_000_000_000))), bpfmap.ErrObjectNotFound)
	wantError(t, m.Put(ctx, 0, bpfmap.Program(bpfmap.ProgramPinned(filepath.Join(shared.BPFFS, "none")))), bpfmap.ErrObjectNotFound)
	must(t, m.Delete(ctx, 1))
	_, err = m.Lookup(ctx, 1)
	wantError(t, err, bpfmap.ErrKeyNotExist)
}

func TestQueuesOfCPUsAreWrittenAndWatched(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	m := create[uint32, bpfmap.Object](t, connect(t, shared), bpfmap.Spec{Type: bpfmap.CPUMap, MaxEntries: 2})
	_, err := m.Load(ctx, maps.All(map[uint32]bpfmap.Object{0: bpfmap.CPUQueue(128, nil)}), nil)
	must(t, err)
	options := fast()
	options.KeysOnly = true
	watch := m.Watch(ctx, options)
	for event := range watch.Events() {
		if event.Kind == bpfmap.EventSynced {
			must(t, m.Put(ctx, 0, bpfmap.CPUQueue(256, nil)))
		}
		if event.Kind == bpfmap.EventPut && !event.Initial {
			value, err := m.Lookup(ctx, event.Key)
			must(t, err)
			equal(t, value.GetCpu().GetQueueSize(), 256)
			break
		}
	}
	must(t, watch.Err())
	refused := m.Watch(ctx, fast())
	for range refused.Events() {
	}
	wantError(t, refused.Err(), bpfmap.ErrNotSupported)
}

func TestWhatTheKernelDoesNotTellIsRefusedOrEmpty(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	client := connect(t, shared)
	groups := create[uint32, bpfmap.Object](t, client, bpfmap.Spec{Type: bpfmap.CGroupArray, MaxEntries: 2})
	must(t, groups.Put(ctx, 0, bpfmap.Cgroup(bpfmap.CgroupPath("/"))))
	_, err := groups.Lookup(ctx, 0)
	wantError(t, err, bpfmap.ErrNotSupported)
	dump := groups.Dump(ctx, nil)
	for _, value := range dump.All() {
		if value.GetObject() != nil {
			t.Errorf("got %v", value)
		}
	}
	must(t, dump.Err())
	events := create[uint32, bpfmap.Object](t, client, bpfmap.Spec{Type: bpfmap.PerfEventArray, MaxEntries: 2})
	must(t, events.Put(ctx, 0, bpfmap.PerfEvent(1, 10, 0)))
	wantError(t, events.Put(ctx, 1, bpfmap.ProcessPerfEvent(uint32(os.Getpid()), 0)), bpfmap.ErrObjectUnsuitable)
}

func TestStoragesHaveKernelObjectsAsKeys(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	client := connect(t, shared)
	spec := bpfmap.Spec{Type: bpfmap.TaskStorage, Flags: uint32(bpfmapv1.CreateFlag_CREATE_FLAG_NO_PREALLOC)}
	tasks := create[bpfmap.ObjectKey, uint64](t, client, spec)
	me := bpfmap.TaskKey(uint32(os.Getpid()))
	must(t, tasks.Put(ctx, me, 7))
	value, err := tasks.Lookup(ctx, me)
	must(t, err)
	equal(t, value, 7)
	must(t, tasks.Delete(ctx, me))
	_, err = tasks.Lookup(ctx, me)
	wantError(t, err, bpfmap.ErrKeyNotExist)
	_, err = tasks.Lookup(ctx, bpfmap.TaskKey(4_000_000))
	wantError(t, err, bpfmap.ErrObjectNotFound)
	_, err = tasks.FirstKey(ctx)
	wantError(t, err, bpfmap.ErrNotSupported)
	dump := tasks.Dump(ctx, nil)
	for range dump.All() {
	}
	wantError(t, dump.Err(), bpfmap.ErrNotSupported)

	spec.Type = bpfmap.InodeStorage
	inodes := create[bpfmap.ObjectKey, uint64](t, client, spec)
	path := t.TempDir()
	done, err := inodes.BatchUpdate(ctx, []bpfmap.ObjectKey{bpfmap.InodeKey(path)}, []uint64{9}, nil)
	must(t, err)
	equal(t, done, 1)
	values, err := inodes.BatchLookup(ctx, []bpfmap.ObjectKey{bpfmap.InodeKey(path), bpfmap.InodeKey("/")})
	wantError(t, err, bpfmap.ErrKeyNotExist)
	if !slices.Equal(values, []uint64{9, 0}) {
		t.Errorf("got %v", values)
	}
}

func TestMapsOfBytesAreNotOpenedAsKernelObjects(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	client := connect(t, shared)
	m := create[uint32, uint32](t, client, hash(1))
	_, err := bpfmap.OpenMap[uint32, bpfmap.Object](ctx, client, m.Ref(), nil)
	wantError(t, err, bpfmap.ErrValueSize)
	_, err = bpfmap.OpenMap[bpfmap.ObjectKey, uint32](ctx, client, m.Ref(), nil)
	wantError(t, err, bpfmap.ErrKeySize)
}

func TestAnInnerMapIsReplacedWhole(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	client := connect(t, shared)
	inner := hash(8)
	inner.KeySize, inner.ValueSize = 4, 8
	outer := create[uint32, bpfmap.Object](t, client, bpfmap.Spec{Type: bpfmap.HashOfMaps, MaxEntries: 2, Inner: &inner})
	_, err := bpfmap.ReplaceInner(ctx, outer, 1, squares(3), nil)
	wantError(t, err, bpfmap.ErrObjectUnsuitable)

	first := filled(t, client, 8)
	must(t, outer.Put(ctx, 1, bpfmap.InnerMap(first.Ref())))
	for _, slot := range []uint32{1, 2} {
		result, err := bpfmap.ReplaceInner(ctx, outer, slot, squares(3), nil)
		must(t, err)
		equal(t, result.GetWritten(), 3)
		object, err := outer.Lookup(ctx, slot)
		must(t, err)
		if object.GetMap().GetId() == first.ID() {
			t.Error("the slot has the old map")
		}
		now, err := bpfmap.OpenMap[uint32, uint64](ctx, client, bpfmap.ID(object.GetMap().GetId()), nil)
		must(t, err)
		if got := maps.Collect(now.Dump(ctx, nil).All()); !maps.Equal(got, maps.Collect(squares(3))) {
			t.Errorf("the inner map holds %v", got)
		}
	}
	equal(t, len(maps.Collect(first.Dump(ctx, nil).All())), 8)
	_, err = bpfmap.ReplaceInner(ctx, outer, 1, maps.All(map[uint32]uint32{1: 1}), nil)
	wantError(t, err, bpfmap.ErrValueSize)
}

func TestTheMemoryOfMapsIsReadAndWritten(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	client := connect(t, shared)
	spec := bpfmap.Spec{Type: bpfmap.Array, MaxEntries: 2, Flags: uint32(bpfmapv1.CreateFlag_CREATE_FLAG_MMAPABLE)}
	m := create[uint32, uint64](t, client, spec)
	must(t, m.WriteMemory(ctx, 8, []byte{1, 2, 3}))
	value, err := m.Lookup(ctx, 1)
	must(t, err)
	equal(t, value, 0x030201)
	data, err := m.ReadMemory(ctx, 7, 4)
	must(t, err)
	if !slices.Equal(data, []byte{0, 1, 2, 3}) {
		t.Errorf("got %v", data)
	}
	_, err = m.ReadMemory(ctx, 0, 17)
	wantError(t, err, bpfmap.ErrFieldInvalid)
	_, err = create[uint32, uint64](t, client, hash(1)).ReadMemory(ctx, 0, 1)
	wantError(t, err, bpfmap.ErrNotSupported)

	arena, err := client.Create(ctx, &bpfmap.Spec{
		Type: bpfmap.Arena, MaxEntries: 1, Flags: spec.Flags, Extra: 1 << 46,
	}, &bpfmap.CreateOptions{Hold: holdName(client, t)})
	if errors.Is(err, bpfmap.ErrUnknownMapType) {
		t.Skip("arenas are of Linux 6.9, and the least that is asked for is 6.1")
	}
	must(t, err)
	must(t, arena.WriteMemory(ctx, 4000, []byte("page")))
	data, err = arena.ReadMemory(ctx, 3999, 6)
	must(t, err)
	equal(t, string(data), "\x00page\x00")
}
