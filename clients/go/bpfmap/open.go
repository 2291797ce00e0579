package bpfmap

import (
	"context"
	"iter"
	"time"

	bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"
)

// OpenOptions say how a map's values are read and written, and whether its calls are
// gathered.
type OpenOptions struct {
	// View reads per-CPU values as single ones. Values are then no slices.
	View CPUView
	// Target writes per-CPU values from single ones. Values are then no slices.
	Target CPUTarget
	// JSON lets the daemon encode and decode keys and values, by the map's own types (BTF)
	// or those of Types. K and V are then whatever encoding/json makes of the JSON:
	// structs with the names of the C struct's members, any, json.RawMessage and so on.
	// Numbers of 64 bits are told as strings: fields of structs need the tag ",string" or
	// the type json.Number. The rules stand in docs/typed-values.md of the repository.
	// Calls fail with ErrNoTypes where the map has no types and none are named, and with
	// ErrJSONInvalid for what is not of the type.
	JSON bool
	// Types are used instead of the map's own, for JSON and for conditions on fields; nil
	// for the map's own.
	Types *Types
	// Batching replaces the client's; nil to keep it.
	Batching *Batching
}

// OpenMap opens a map with types for its keys and values. They must have the map's
// sizes: it fails with ErrKeySize or ErrValueSize otherwise, and with ErrNotSupported
// for maps without keys.
func OpenMap[K, V any](ctx context.Context, client *Client, ref Ref, options *OpenOptions) (*Map[K, V], error) {
	handle, err := client.Open(ctx, ref)
	if err != nil {
		return nil, err
	}
	return typed[K, V](ctx, handle, options)
}

func typed[K, V any](ctx context.Context, handle *Handle, options *OpenOptions) (*Map[K, V], error) {
	if options == nil {
		options = &OpenOptions{}
	}
	if handle.info.GetKeySize() == 0 {
		return nil, unsupported("%s has no keys: use OpenQueue or OpenBloomFilter", handle)
	}
	host, err := handle.client.knownHost(ctx)
	if err != nil {
		return nil, err
	}
	if options.Types != nil {
		handle = handle.WithTypes(options.Types)
	}
	m := &Map[K, V]{Handle: handle, view: options.View.proto, target: options.Target.proto}
	key, value := handle.keyShape(host), handle.valueShape(host, m.view != nil || m.target != nil)
	key.json, value.json = options.JSON, options.JSON
	if m.key, err = newCodec[K](key); err != nil {
		return nil, err
	}
	if m.value, err = newCodec[V](value); err != nil {
		return nil, err
	}
	batching := handle.client.batching
	if options.Batching != nil {
		batching = options.Batching.withDefaults()
	}
	m.calls = newElementCalls(m, batching)
	return m, nil
}

func (h *Handle) keyShape(host *HostInfo) shape {
	return shape{
		what: "key", size: int(h.info.GetKeySize()), order: orderOf(host), objects: hasObjectKeys(h.info.GetType()),
		label: h.String(),
	}
}

// valueShape is that of single values where a view or target makes them so.
func (h *Handle) valueShape(host *HostInfo, single bool) shape {
	s := shape{
		what: "value", size: int(h.info.GetValueSize()), order: orderOf(host), objects: hasObjectValues(h.info.GetType()),
		label: h.String(),
	}
	if !single {
		s.cpus = len(h.info.GetCpus())
	}
	return s
}

func unsupported(format string, args ...any) *Error {
	e := invalid(ErrNotSupported, "", format, args...)
	e.Code = reasons[e.Reason].code
	return e
}

// Spec is what a map to be created should be. What each type asks for is told by
// Client.Capabilities.
type Spec struct {
	// Type is the map's type.
	Type MapType
	// Name has at most 15 characters of A-Z, a-z, 0-9, '_' and '.'.
	Name string
	// KeySize and ValueSize are bytes. Where they are 0, they are those of the Go
	// types. ValueSize is that of one CPU where the type is per-CPU.
	KeySize, ValueSize uint32
	// MaxEntries is the most elements that the map can hold.
	MaxEntries uint32
	// Flags are bpfmapv1.CreateFlag values, combined with OR.
	Flags uint32
	// Extra is the kernel's map_extra, such as the number of hash functions of a bloom
	// filter.
	Extra uint64
	// NUMANode is where the memory comes from, with CREATE_FLAG_NUMA_NODE.
	NUMANode uint32
	// IfIndex is the network device to offload the map to.
	IfIndex uint32
	// Inner is the template of the inner maps, for maps of maps; or InnerMap, an
	// existing map as template.
	Inner    *Spec
	InnerMap *Ref
	// BTF has the types of keys and values, as the .BTF section of an object file has
	// them; or BTFID names BTF that is loaded. KeyTypeID and ValueTypeID are the types.
	BTF                    []byte
	BTFID                  uint32
	KeyTypeID, ValueTypeID uint32
	// StructOpsTypeID is the type of the value in the kernel's own BTF, for StructOpsMap.
	StructOpsTypeID uint32
}

func (s *Spec) proto() *bpfmapv1.MapSpec {
	if s == nil {
		return nil
	}
	spec := &bpfmapv1.MapSpec{
		Type:         s.Type,
		Name:         s.Name,
		KeySize:      s.KeySize,
		ValueSize:    s.ValueSize,
		MaxEntries:   s.MaxEntries,
		Flags:        s.Flags,
		MapExtra:     s.Extra,
		NumaNode:     s.NUMANode,
		Ifindex:      s.IfIndex,
		InnerMapSpec: s.Inner.proto(),

		Btf:                   s.BTF,
		BtfId:                 s.BTFID,
		BtfKeyTypeId:          s.KeyTypeID,
		BtfValueTypeId:        s.ValueTypeID,
		BtfVmlinuxValueTypeId: s.StructOpsTypeID,
	}
	if s.InnerMap != nil {
		spec.InnerMap = s.InnerMap.Proto()
	}
	return spec
}

// CreateOptions say what keeps a new map alive, and what becomes of it. At least one of
// Hold and PinPath must be given: a map lives only as long as something refers to it.
type CreateOptions struct {
	// Hold is the name of a hold by the daemon, which outlives restarts of the daemon.
	Hold string
	// Lease bounds the hold, from 1 second, unless Client.KeepAlive renews it; 0 for a
	// hold until Client.Release.
	Lease time.Duration
	// PinPath is an absolute path inside one of the daemon's bpffs roots.
	PinPath string
	// CreateParents makes directories of PinPath that are missing.
	CreateParents bool
	// ReuseCompatible answers with the map that has the hold or pin already, if it is as
	// the spec asks; it fails with ErrMapIncompatible if not. Without it an existing
	// one is ErrHoldExist or ErrPinExist.
	ReuseCompatible bool
	// Freeze freezes the map once its first elements are written.
	Freeze bool
	// Open is used for the map that is made.
	Open OpenOptions
}

// CreateMap creates a map with types for its keys and values. Either everything asked
// for is done or nothing is. Fails with ErrSpecInvalid, ErrUnknownFlag or
// ErrUnknownMapType where the kernel has no such map.
func CreateMap[K, V any](ctx context.Context, client *Client, spec *Spec, options *CreateOptions) (*Map[K, V], error) {
	return CreateMapWith[K, V](ctx, client, spec, options, nil)
}

// CreateMapWith is CreateMap with elements that the map has before others can see it.
// They go in one message, so it is for few; Map.Load takes any number. A map that was
// reused does not get them.
func CreateMapWith[K, V any](
	ctx context.Context, client *Client, spec *Spec, options *CreateOptions, elements iter.Seq2[K, V],
) (*Map[K, V], error) {
	if options == nil {
		options = &CreateOptions{}
	}
	sized := spec
	if !options.Open.JSON {
		var err error
		if sized, err = sizedSpec[K, V](spec); err != nil {
			return nil, err
		}
	}
	initial, err := initialElements(ctx, client, sized, options, elements)
	if err != nil {
		return nil, err
	}
	handle, err := client.create(ctx, sized, options, initial)
	if err != nil {
		return nil, err
	}
	return typed[K, V](ctx, handle, &options.Open)
}

// sizedSpec fills in the sizes of the types.
func sizedSpec[K, V any](spec *Spec) (*Spec, error) {
	if spec == nil {
		spec = &Spec{}
	}
	sized := *spec
	for _, size := range []struct {
		field *uint32
		name  string
		of    func() (uint32, error)
	}{
		{&sized.KeySize, "spec.key_size", fixedSize[K]},
		{&sized.ValueSize, "spec.value_size", fixedSize[V]},
	} {
		if *size.field != 0 {
			continue
		}
		var err error
		if *size.field, err = size.of(); err != nil {
			return nil, invalid(ErrFieldInvalid, size.name, "%v", err)
		}
	}
	return &sized, nil
}

// initialElements encodes elements for a map that is not there yet, as if it were.
func initialElements[K, V any](
	ctx context.Context, client *Client, spec *Spec, options *CreateOptions, elements iter.Seq2[K, V],
) (*bpfmapv1.Elements, error) {
	if elements == nil {
		return nil, nil
	}
	if spec == nil {
		spec = &Spec{}
	}
	host, err := client.knownHost(ctx)
	if err != nil {
		return nil, err
	}
	// The contract has no target here, so per-CPU values stand whole.
	if options.Open.Target.proto != nil {
		return nil, invalid(ErrFieldInvalid, "elements", "the first elements of a per-CPU map have whole values: leave out OpenOptions.Target")
	}
	planned := client.planned(host, spec.Type, spec.Name, spec.KeySize, spec.ValueSize)
	keyShape, valueShape := planned.keyShape(host), planned.valueShape(host, false)
	keyShape.json, valueShape.json = options.Open.JSON, options.Open.JSON
	key, err := newCodec[K](keyShape)
	if err != nil {
		return nil, err
	}
	value, err := newCodec[V](valueShape)
	if err != nil {
		return nil, err
	}
	columns := newColumns(key, value)
	for k, v := range elements {
		if err := columns.add(k, v); err != nil {
			return nil, err
		}
	}
	return columns.proto(), nil
}

// planned gives a handle of a map that is not there yet, for the shape of its elements.
func (c *Client) planned(host *HostInfo, t MapType, name string, keySize, valueSize uint32) *Handle {
	info := &MapInfo{Type: t, Name: name, KeySize: keySize, ValueSize: valueSize}
	if isPerCPU(t) {
		info.Cpus = host.GetPossibleCpus()
	}
	return &Handle{client: c, info: info}
}

func isPerCPU(t MapType) bool {
	switch t {
	case PerCPUHash, PerCPUArray, LRUPerCPUHash, PerCPUCGroupStorage:
		return true
	default:
		return false
	}
}

// Create creates a map of any type without types for its keys and values: a ring buffer,
// an arena and so on. It is for maps that have no elements; others are made by CreateMap,
// CreateQueue and CreateBloomFilter, and fail as these do.
func (c *Client) Create(ctx context.Context, spec *Spec, options *CreateOptions) (*Handle, error) {
	if options == nil {
		options = &CreateOptions{}
	}
	return c.create(ctx, spec, options, nil)
}

func (c *Client) create(
	ctx context.Context, spec *Spec, options *CreateOptions, initial *bpfmapv1.Elements,
) (*Handle, error) {
	request := &bpfmapv1.CreateMapRequest{
		Spec:            spec.proto(),
		PinPath:         options.PinPath,
		CreateParents:   options.CreateParents,
		InitialElements: initial,
		Freeze:          options.Freeze,
		Typing:          options.Open.Types.proto(),
	}
	ref := Pinned(options.PinPath)
	if options.Hold != "" {
		request.Hold = &bpfmapv1.HoldSpec{Name: options.Hold, Lease: durationOf(options.Lease)}
		ref = Held(options.Hold)
	}
	if options.ReuseCompatible {
		request.IfExists = bpfmapv1.IfExists_IF_EXISTS_REUSE_COMPATIBLE
	}
	answer, err := call(ctx, c, c.maps.CreateMap, request)
	if err != nil {
		return nil, err
	}
	if answer.GetMap() == nil {
		return nil, protocolError("answered without a map")
	}
	return &Handle{client: c, ref: ref, info: answer.GetMap(), created: answer.GetCreated()}, nil
}
