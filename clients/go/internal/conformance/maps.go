package main

import (
	"context"
	"strings"

	"github.com/bpfmapd/bpfmapd/clients/go/bpfmap"
	bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"
)

// Commands on the host, and on maps as a whole.
func init() {
	register("get_host", getHost)
	register("get_capabilities", getCapabilities)
	register("explain_access", explainAccess)
	register("get_map", getMap)
	register("list_maps", listMaps)
	register("create_map", createMap)
	register("hold", hold)
	register("release", func(ctx context.Context, r *runner, args struct{ Name string }) (any, error) {
		return nothing{}, r.client.Release(ctx, args.Name)
	})
	register("keep_alive", func(ctx context.Context, r *runner, args struct{ Names []string }) (any, error) {
		holds, err := r.client.KeepAlive(ctx, args.Names...)
		return map[string]any{"holds": holdsOf(holds)}, err
	})
	register("pin", pin)
	register("unpin", unpin)
	register("freeze", func(ctx context.Context, r *runner, args target) (any, error) {
		h, err := args.open(ctx, r)
		if err != nil {
			return nil, err
		}
		return nothing{}, h.Freeze(ctx)
	})
	register("get_schema", getSchema)
	register("read_memory", readMemory)
	register("write_memory", writeMemory)
}

func getHost(ctx context.Context, r *runner, _ nothing) (any, error) {
	host, err := r.client.Host(ctx)
	order := map[bpfmapv1.ByteOrder]string{
		bpfmapv1.ByteOrder_BYTE_ORDER_LITTLE_ENDIAN: "little", bpfmapv1.ByteOrder_BYTE_ORDER_BIG_ENDIAN: "big",
	}
	return map[string]any{
		"boot_id": host.GetBootId(), "byte_order": order[host.GetByteOrder()],
		"possible_cpus": host.GetPossibleCpus(), "bpffs_roots": host.GetBpffsRoots(),
	}, err
}

func getCapabilities(ctx context.Context, r *runner, args struct{ Types []string }) (any, error) {
	capabilities, err := r.client.Capabilities(ctx, typesOf(args.Types)...)
	types := []any{}
	for _, each := range capabilities {
		operations := []string{}
		for _, operation := range each.GetOperations() {
			operations = append(operations, strings.TrimPrefix(operation.String(), "MAP_OPERATION_"))
		}
		types = append(types, map[string]any{
			"name":         each.GetName(),
			"availability": strings.TrimPrefix(each.GetAvailability().String(), "AVAILABILITY_"),
			"operations":   operations,
		})
	}
	return map[string]any{"types": types}, err
}

func explainAccess(ctx context.Context, r *runner, args struct {
	target
	Verb string
}) (any, error) {
	verb := bpfmapv1.Verb(bpfmapv1.Verb_value["VERB_"+args.Verb])
	answer, err := r.client.ExplainAccess(ctx, &bpfmapv1.ExplainAccessRequest{Verb: verb, Map: args.ref().Proto()})
	return map[string]any{"allowed": answer.GetAllowed(), "enforced": answer.GetEnforced()}, err
}

func getMap(ctx context.Context, r *runner, args struct {
	target
	Pins, Holders bool
}) (any, error) {
	h, err := args.open(ctx, r)
	if err != nil {
		return nil, err
	}
	info, err := h.Inspect(ctx, bpfmap.Detail{Pins: args.Pins, Holders: args.Holders})
	return mapOf(info), err
}

func listMaps(ctx context.Context, r *runner, args struct {
	NameGlob     string `json:"name_glob"`
	Types        []string
	Pinned, Held *bool
}) (any, error) {
	names := []string{}
	filter := &bpfmapv1.ListMapsFilter{
		NameGlob: args.NameGlob, Types: typesOf(args.Types), Pinned: args.Pinned, Held: args.Held,
	}
	for info, err := range r.client.Maps(ctx, &bpfmap.ListOptions{Filter: filter}) {
		if err != nil {
			return nil, err
		}
		names = append(names, info.GetName())
	}
	return map[string]any{"names": names}, nil
}

func createMap(ctx context.Context, r *runner, args struct {
	Spec struct {
		Type, Name string
		KeySize    uint32 `json:"key_size"`
		ValueSize  uint32 `json:"value_size"`
		MaxEntries uint32 `json:"max_entries"`
		Flags      uint32
	}
	Hold          *holdShape
	PinPath       string `json:"pin_path"`
	CreateParents bool   `json:"create_parents"`
	Reuse, Freeze bool
	Elements      pairs
}) (any, error) {
	spec := &bpfmap.Spec{
		Type: typeOf(args.Spec.Type), Name: args.Spec.Name, KeySize: args.Spec.KeySize, ValueSize: args.Spec.ValueSize,
		MaxEntries: args.Spec.MaxEntries, Flags: args.Spec.Flags,
	}
	options := &bpfmap.CreateOptions{
		PinPath: args.PinPath, CreateParents: args.CreateParents, ReuseCompatible: args.Reuse, Freeze: args.Freeze,
	}
	if args.Hold != nil {
		options.Hold, options.Lease = args.Hold.Name, args.Hold.lease()
	}
	m, err := bpfmap.CreateMapWith(ctx, r.client, spec, options, args.Elements.all)
	if err != nil {
		return nil, err
	}
	return struct {
		Created bool `json:"created"`
		mapShape
	}{m.Created(), mapOf(m.Info())}, nil
}

func hold(ctx context.Context, r *runner, args struct {
	target
	holdShape
}) (any, error) {
	h, err := args.open(ctx, r)
	if err != nil {
		return nil, err
	}
	if err := h.Hold(ctx, args.Name, args.lease()); err != nil {
		return nil, err
	}
	info, err := h.Inspect(ctx, bpfmap.Detail{})
	return mapOf(info), err
}

func pin(ctx context.Context, r *runner, args struct {
	target
	Path          string
	CreateParents bool `json:"create_parents"`
}) (any, error) {
	h, err := args.open(ctx, r)
	if err != nil {
		return nil, err
	}
	return nothing{}, h.Pin(ctx, args.Path, args.CreateParents)
}

func unpin(ctx context.Context, r *runner, args struct {
	Path               string
	RemoveEmptyParents bool `json:"remove_empty_parents"`
}) (any, error) {
	return nothing{}, r.client.Unpin(ctx, args.Path, args.RemoveEmptyParents)
}

func getSchema(ctx context.Context, r *runner, args target) (any, error) {
	h, err := args.open(ctx, r)
	if err != nil {
		return nil, err
	}
	schema, err := h.WithTypes(args.types()).Schema(ctx)
	return map[string]any{
		"source": schema.GetSource(), "key": schema.GetKeyDeclaration(), "value": schema.GetValueDeclaration(),
	}, err
}

func readMemory(ctx context.Context, r *runner, args struct {
	target
	Offset uint64
	Length uint32
}) (any, error) {
	h, err := args.open(ctx, r)
	if err != nil {
		return nil, err
	}
	data, err := h.ReadMemory(ctx, args.Offset, args.Length)
	return map[string]any{"data": hexBytes(data)}, err
}

func writeMemory(ctx context.Context, r *runner, args struct {
	target
	Offset uint64
	Data   hexBytes
}) (any, error) {
	h, err := args.open(ctx, r)
	if err != nil {
		return nil, err
	}
	return nothing{}, h.WriteMemory(ctx, args.Offset, args.Data)
}
