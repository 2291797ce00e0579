package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"github.com/bpfmapd/bpfmapd/clients/go/bpfmap"
	bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"
)

// hexBytes are bytes, or null.
type hexBytes []byte

func (b hexBytes) MarshalJSON() ([]byte, error) {
	if b == nil {
		return []byte("null"), nil
	}
	return json.Marshal(hex.EncodeToString(b))
}

func (b *hexBytes) UnmarshalJSON(text []byte) error {
	var digits string
	if err := json.Unmarshal(text, &digits); err != nil {
		return err
	}
	bytes, err := hex.DecodeString(digits)
	*b = bytes
	return err
}

func bytesOf(all []hexBytes) [][]byte {
	plain := make([][]byte, len(all))
	for i, bytes := range all {
		plain[i] = bytes
	}
	return plain
}

func hexOf(all [][]byte) []hexBytes {
	wrapped := make([]hexBytes, len(all))
	for i, bytes := range all {
		wrapped[i] = bytes
	}
	return wrapped
}

// pairs are elements: [key, value].
type pairs [][2]hexBytes

func (p pairs) columns() (keys, values [][]byte) {
	keys, values = make([][]byte, len(p)), make([][]byte, len(p))
	for i, pair := range p {
		keys[i], values[i] = pair[0], pair[1]
	}
	return keys, values
}

func (p pairs) all(yield func(key, value []byte) bool) {
	for _, pair := range p {
		if !yield(pair[0], pair[1]) {
			return
		}
	}
}

// milliseconds is a duration.
type milliseconds int64

func (m milliseconds) duration() time.Duration { return time.Duration(m) * time.Millisecond }

// target is the map of a command, and which of its CPUs.
type target struct {
	Map struct {
		ID      *uint32
		PinPath *string `json:"pin_path"`
		Name    *string
		Held    *string
		BootID  *string `json:"boot_id"`
	}
	CPU     *uint32
	AllCPUs bool `json:"all_cpus"`
	Fold    string
	Typing  *struct {
		Kernel    string
		KeyType   string `json:"key_type"`
		ValueType string `json:"value_type"`
	}
}

func (t *target) ref() bpfmap.Ref {
	var ref bpfmap.Ref
	switch m := t.Map; {
	case m.ID != nil:
		ref = bpfmap.ID(*m.ID)
	case m.PinPath != nil:
		ref = bpfmap.Pinned(*m.PinPath)
	case m.Name != nil:
		ref = bpfmap.Named(*m.Name)
	case m.Held != nil:
		ref = bpfmap.Held(*m.Held)
	}
	if t.Map.BootID != nil {
		ref = ref.WithBoot(*t.Map.BootID)
	}
	return ref
}

func (t *target) types() *bpfmap.Types {
	if t.Typing == nil {
		return nil
	}
	return bpfmap.KernelTypes(t.Typing.Kernel, t.Typing.KeyType, t.Typing.ValueType)
}

func (t *target) open(ctx context.Context, r *runner) (*bpfmap.Handle, error) {
	return r.client.Open(ctx, t.ref())
}

// elements opens the map for bytes.
func (t *target) elements(ctx context.Context, r *runner) (*bpfmap.Map[[]byte, []byte], error) {
	options := &bpfmap.OpenOptions{}
	switch {
	case t.CPU != nil:
		options.View, options.Target = bpfmap.ReadCPU(*t.CPU), bpfmap.WriteCPU(*t.CPU)
	case t.Fold != "":
		options.View = bpfmap.Folded(bpfmap.CPUFold(bpfmapv1.CpuFold_value["CPU_FOLD_"+t.Fold]))
	case t.AllCPUs:
		options.Target = bpfmap.WriteAllCPUs()
	}
	return bpfmap.OpenMap[[]byte, []byte](ctx, r.client, t.ref(), options)
}

type holdShape struct {
	Name  string        `json:"name"`
	Lease *milliseconds `json:"lease,omitempty"`
}

func (h *holdShape) lease() time.Duration {
	if h.Lease == nil {
		return 0
	}
	return h.Lease.duration()
}

func holdsOf(holds []*bpfmapv1.Hold) []holdShape {
	shapes := make([]holdShape, len(holds))
	for i, hold := range holds {
		shapes[i].Name = hold.GetName()
		if hold.GetLease() != nil {
			lease := milliseconds(hold.GetLease().AsDuration().Milliseconds())
			shapes[i].Lease = &lease
		}
	}
	return shapes
}

type mapShape struct {
	ID          uint32      `json:"id"`
	Name        string      `json:"name"`
	Type        string      `json:"type"`
	KeySize     uint32      `json:"key_size"`
	ValueSize   uint32      `json:"value_size"`
	ValueStride uint32      `json:"value_stride"`
	MaxEntries  uint32      `json:"max_entries"`
	Frozen      bool        `json:"frozen"`
	PinPaths    []string    `json:"pin_paths"`
	Holds       []holdShape `json:"holds"`
}

func mapOf(info *bpfmap.MapInfo) mapShape {
	return mapShape{
		ID: info.GetId(), Name: info.GetName(), Type: strings.TrimPrefix(info.GetType().String(), "MAP_TYPE_"),
		KeySize: info.GetKeySize(), ValueSize: info.GetValueSize(), ValueStride: info.GetValueStride(),
		MaxEntries: info.GetMaxEntries(), Frozen: info.GetFrozen(), PinPaths: info.GetPinPaths(), Holds: holdsOf(info.GetHolds()),
	}
}

func typeOf(name string) bpfmap.MapType {
	return bpfmap.MapType(bpfmapv1.MapType_value["MAP_TYPE_"+name])
}

func typesOf(names []string) []bpfmap.MapType {
	types := make([]bpfmap.MapType, len(names))
	for i, name := range names {
		types[i] = typeOf(name)
	}
	return types
}
