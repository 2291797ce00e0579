package bpfmap

import (
	"context"
	"fmt"
	"time"

	bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"
)

// Handle is a map without types of its keys and values: what can be done with any map.
// It holds nothing on the host and needs no closing.
type Handle struct {
	client  *Client
	ref     Ref
	info    *MapInfo
	created bool
	types   *Types
}

// Open gives a handle of a map of any type.
func (c *Client) Open(ctx context.Context, ref Ref) (*Handle, error) {
	info, err := c.getMap(ctx, ref, nil)
	if err != nil {
		return nil, err
	}
	return &Handle{client: c, ref: ref, info: info}, nil
}

func (c *Client) getMap(ctx context.Context, ref Ref, detail *bpfmapv1.MapDetail) (*MapInfo, error) {
	answer, err := call(ctx, c, c.maps.GetMap, &bpfmapv1.GetMapRequest{Map: ref.Proto(), Detail: detail})
	if err != nil {
		return nil, err
	}
	if answer.GetMap() == nil {
		return nil, protocolError("answered without a map")
	}
	return answer.GetMap(), nil
}

// Info is the map as it was when the handle was opened.
func (h *Handle) Info() *MapInfo { return h.info }

// Ref is how the map was named.
func (h *Handle) Ref() Ref { return h.ref }

// ID is the kernel's id of the map as it was when the handle was opened.
func (h *Handle) ID() uint32 { return h.info.GetId() }

// Created tells whether the call that gave this handle made the map: false for Open,
// and for a create with ReuseCompatible that found it.
func (h *Handle) Created() bool { return h.created }

// CPUs are the CPUs of a per-CPU map, in the order of the items of its values. It is
// empty for other maps.
func (h *Handle) CPUs() []uint32 { return h.info.GetCpus() }

// String names the map for people.
func (h *Handle) String() string { return labelOf(h.info) }

func labelOf(info *MapInfo) string {
	if info.GetName() == "" {
		return fmt.Sprintf("map %d", info.GetId())
	}
	return fmt.Sprintf("map %d (%s)", info.GetId(), info.GetName())
}

// Detail says what is told of a map beyond what costs next to nothing.
type Detail struct {
	// Pins fills MapInfo.pin_paths, Holders MapInfo.holders, Programs MapInfo.programs and
	// InnerMap MapInfo.inner_map_spec. Each takes time on the host.
	Pins, Holders, Programs, InnerMap bool
}

func (d Detail) proto() *bpfmapv1.MapDetail {
	return &bpfmapv1.MapDetail{Pins: d.Pins, Holders: d.Holders, Programs: d.Programs, InnerMap: d.InnerMap}
}

// Inspect asks for the map as it is now.
func (h *Handle) Inspect(ctx context.Context, detail Detail) (*MapInfo, error) {
	return h.client.getMap(ctx, h.ref, detail.proto())
}

// Pin pins the map at an absolute path inside one of the daemon's bpffs roots, and with
// createParents makes the directories that are missing. Fails with ErrPinExist.
func (h *Handle) Pin(ctx context.Context, path string, createParents bool) error {
	_, err := call(ctx, h.client, h.client.maps.PinMap, &bpfmapv1.PinMapRequest{
		Map:           h.ref.Proto(),
		Path:          path,
		CreateParents: createParents,
	})
	return err
}

// Hold makes the daemon keep the map alive under a name, for the time of the lease
// unless it is renewed with Client.KeepAlive, or without a lease (0) until
// Client.Release. Holding it again under the same name replaces the lease. Fails with
// ErrHoldExist where the name holds another map.
func (h *Handle) Hold(ctx context.Context, name string, lease time.Duration) error {
	_, err := call(ctx, h.client, h.client.maps.HoldMap, &bpfmapv1.HoldMapRequest{
		Map:  h.ref.Proto(),
		Hold: &bpfmapv1.HoldSpec{Name: name, Lease: durationOf(lease)},
	})
	return err
}

// Freeze forbids user space to write the map, for good; programs still can. Fails with
// ErrMapFrozen where it was frozen before.
func (h *Handle) Freeze(ctx context.Context) error {
	_, err := call(ctx, h.client, h.client.maps.FreezeMap, &bpfmapv1.FreezeMapRequest{Map: h.ref.Proto()})
	return err
}

// Clear removes every element and tells how many. Elements of arrays, which cannot be
// removed, are set to zero. It has no time limit but ctx.
func (h *Handle) Clear(ctx context.Context) (uint64, error) {
	answer, err := h.client.maps.ClearMap(ctx, &bpfmapv1.ClearMapRequest{Map: h.ref.Proto()})
	return answer.GetRemoved(), h.client.errorOf(ctx, err)
}

// Count is the answer of Handle.Count.
type Count struct {
	// Elements is their number. Those of arrays always exist.
	Elements uint64
	// MaxEntries is the most that the map can hold.
	MaxEntries uint32
	// Complete tells whether every element that stood still meanwhile was counted.
	Complete bool
}

// Count counts the elements on the host, all (nil) or those that a filter chooses. It
// has no time limit but ctx.
func (h *Handle) Count(ctx context.Context, filter *bpfmapv1.ElementFilter) (Count, error) {
	answer, err := h.client.maps.CountElements(ctx, &bpfmapv1.CountElementsRequest{
		Map:    h.ref.Proto(),
		Filter: filter,
		Typing: h.types.proto(),
	})
	return Count{answer.GetCount(), answer.GetMaxEntries(), answer.GetComplete()}, h.client.errorOf(ctx, err)
}
