package bpfmap_test

import (
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bpfmapd/bpfmapd/clients/go/bpfmap"
	bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"
)

func TestPinsAndHoldsKeepAMap(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	client := connect(t, shared)
	path := filepath.Join(shared.BPFFS, "go-life", "hits")
	m, err := bpfmap.CreateMap[uint32, uint64](ctx, client, &bpfmap.Spec{Type: bpfmap.Hash, Name: "go_life", MaxEntries: 4},
		&bpfmap.CreateOptions{PinPath: path, CreateParents: true})
	must(t, err)
	equal(t, m.Created(), true)
	must(t, m.Put(ctx, 1, 1))

	_, err = bpfmap.CreateMap[uint32, uint64](ctx, client, &bpfmap.Spec{Type: bpfmap.Hash, MaxEntries: 4}, &bpfmap.CreateOptions{PinPath: path})
	wantError(t, err, bpfmap.ErrPinExist)
	_, err = bpfmap.CreateMap[uint32, uint64](ctx, client, &bpfmap.Spec{Type: bpfmap.Hash, MaxEntries: 5}, &bpfmap.CreateOptions{PinPath: path, ReuseCompatible: true})
	wantError(t, err, bpfmap.ErrMapIncompatible)
	same, err := bpfmap.CreateMap[uint32, uint64](ctx, client, &bpfmap.Spec{Type: bpfmap.Hash, MaxEntries: 4}, &bpfmap.CreateOptions{PinPath: path, ReuseCompatible: true})
	must(t, err)
	equal(t, same.Created(), false)
	equal(t, same.ID(), m.ID())
	_, err = bpfmap.CreateMap[uint32, uint64](ctx, client, &bpfmap.Spec{Type: bpfmap.Hash, MaxEntries: 4}, nil)
	wantError(t, err, bpfmap.ErrFieldInvalid)

	wantError(t, m.Pin(ctx, path, false), bpfmap.ErrPinExist)
	wantError(t, m.Pin(ctx, "/somewhere/else", false), bpfmap.ErrPinPathOutsideRoot)
	wantError(t, m.Pin(ctx, "not/absolute", false), bpfmap.ErrPinPathInvalid)
	must(t, m.Pin(ctx, path+"-too", false))
	info, err := m.Inspect(ctx, bpfmap.Detail{Pins: true, Holders: true})
	must(t, err)
	if !slices.Equal(info.GetPinPaths(), []string{path, path + "-too"}) {
		t.Errorf("the pins are %v", info.GetPinPaths())
	}

	hold := holdName(client, t)
	must(t, m.Hold(ctx, hold, time.Minute))
	renewed, err := client.KeepAlive(ctx, hold)
	must(t, err)
	equal(t, renewed[0].GetLease().AsDuration(), time.Minute)
	_, err = client.KeepAlive(ctx, hold, "go-no-such-hold")
	wantError(t, err, bpfmap.ErrHoldNotExist)

	must(t, client.Unpin(ctx, path, false))
	must(t, client.Unpin(ctx, path+"-too", true))
	wantError(t, client.Unpin(ctx, path, false), bpfmap.ErrPinNotExist)
	_, err = m.Lookup(ctx, 1)
	wantError(t, err, bpfmap.ErrPinNotExist)

	held, err := bpfmap.OpenMap[uint32, uint64](ctx, client, bpfmap.Held(hold), nil)
	must(t, err)
	value, err := held.Lookup(ctx, 1)
	must(t, err)
	equal(t, value, 1)
	id := bpfmap.ID(held.ID()).WithBoot(held.Info().GetBootId())
	_, err = client.Open(ctx, id)
	must(t, err)
	_, err = client.Open(ctx, id.WithBoot("another"))
	wantError(t, err, bpfmap.ErrBootChanged)
	must(t, client.Release(ctx, hold))
	wantError(t, client.Release(ctx, hold), bpfmap.ErrHoldNotExist)
	_, err = client.Open(ctx, id)
	for deadline := time.Now().Add(20 * time.Second); err == nil && time.Now().Before(deadline); {
		// The kernel frees a map a little after its last reference went.
		time.Sleep(50 * time.Millisecond)
		_, err = client.Open(ctx, id)
	}
	wantError(t, err, bpfmap.ErrMapNotExist)
}

func TestCreatesAMapWithItsFirstElements(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	client := connect(t, shared)
	m, err := bpfmap.CreateMapWith(ctx, client, &bpfmap.Spec{Type: bpfmap.Hash, MaxEntries: 4},
		&bpfmap.CreateOptions{Hold: holdName(client, t), Freeze: true}, maps.All(map[uint32]uint16{1: 10, 2: 20}))
	must(t, err)
	value, err := m.Lookup(ctx, 2)
	must(t, err)
	equal(t, value, 20)
	wantError(t, m.Put(ctx, 1, 1), bpfmap.ErrMapFrozen)

	host, err := client.Host(ctx)
	must(t, err)
	slots := make([]uint32, len(host.GetPossibleCpus()))
	slots[0] = 5
	perCPU, err := bpfmap.CreateMapWith(ctx, client, &bpfmap.Spec{Type: bpfmap.PerCPUArray, MaxEntries: 1},
		&bpfmap.CreateOptions{Hold: holdName(client, t)}, maps.All(map[uint32][]uint32{0: slots}))
	must(t, err)
	got, err := perCPU.Lookup(ctx, 0)
	must(t, err)
	equal(t, got[0], 5)
}

func TestCreatesMapsOfMaps(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	client := connect(t, shared)
	inner := hash(4)
	inner.KeySize, inner.ValueSize = 4, 4
	outer, err := bpfmap.CreateMap[uint32, uint32](ctx, client, &bpfmap.Spec{Type: bpfmap.HashOfMaps, MaxEntries: 2, Inner: &inner},
		&bpfmap.CreateOptions{Hold: holdName(client, t)})
	must(t, err)
	equal(t, outer.Info().GetType(), bpfmap.HashOfMaps)
}

func TestListsMapsAndCapabilities(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	client := connect(t, shared)
	spec := hash(4)
	spec.Name = "go_listed"
	m := create[uint32, uint32](t, client, spec)
	var ids []uint32
	list := client.Maps(ctx, &bpfmap.ListOptions{Filter: &bpfmapv1.ListMapsFilter{NameGlob: "go_list*"}, Detail: bpfmap.Detail{Pins: true}})
	for range 2 {
		for info, err := range list {
			must(t, err)
			ids = append(ids, info.GetId())
		}
	}
	if !slices.Equal(ids, []uint32{m.ID(), m.ID()}) {
		t.Errorf("listed %v, want %d twice", ids, m.ID())
	}
	types, err := client.Capabilities(ctx, bpfmap.Hash)
	must(t, err)
	equal(t, types[0].GetName(), "hash")

	var last error
	for _, err := range client.Maps(ctx, &bpfmap.ListOptions{Filter: &bpfmapv1.ListMapsFilter{NameGlob: strings.Repeat("x", 300)}}) {
		last = err
	}
	wantError(t, last, bpfmap.ErrFieldInvalid)
}

func TestTheDaemonsRestartKeepsHeldMaps(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	daemon := daemonOf(t)
	client := connect(t, daemon)
	m := create[uint32, uint32](t, client, hash(4))
	must(t, m.Put(ctx, 1, 2))
	must(t, daemon.Restart())
	must(t, client.WaitReady(ctx))
	value, err := m.Lookup(ctx, 1)
	must(t, err)
	equal(t, value, 2)

	must(t, daemon.Stop())
	_, err = m.Lookup(ctx, 1)
	var e *bpfmap.Error
	if !errors.As(err, &e) || !strings.Contains(e.Message, daemon.Socket) {
		t.Errorf("got %v", err)
	}
	must(t, daemon.Start())
	must(t, client.WaitReady(ctx))
}
