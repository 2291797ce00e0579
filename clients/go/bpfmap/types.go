package bpfmap

import (
	"context"

	bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"
)

// Types names types for a map that has no BTF, or to be used instead of its own. Each is
// the name of a type, such as "struct flow_key" or "__u32", of the map's size; "" for
// bytes without a type. For per-CPU maps the value's type is that of one CPU's value.
//
// Calls fail with ErrTypeNotFound, ErrTypeSizeMismatch or ErrObjectNotFound.
type Types struct{ typing *bpfmapv1.Typing }

// KernelTypes are found in the BTF of the kernel ("vmlinux") or of one of its modules.
func KernelTypes(module, key, value string) *Types {
	return &Types{&bpfmapv1.Typing{Source: &bpfmapv1.Typing_Kernel{Kernel: module}, KeyType: key, ValueType: value}}
}

// ProgramTypes are found in the BTF of a program.
func ProgramTypes(program ProgramRef, key, value string) *Types {
	return &Types{&bpfmapv1.Typing{Source: &bpfmapv1.Typing_Program{Program: program}, KeyType: key, ValueType: value}}
}

// BTFTypes are found in the BTF with an id.
func BTFTypes(id uint32, key, value string) *Types {
	return &Types{&bpfmapv1.Typing{Source: &bpfmapv1.Typing_BtfId{BtfId: id}, KeyType: key, ValueType: value}}
}

func (t *Types) proto() *bpfmapv1.Typing {
	if t == nil {
		return nil
	}
	return t.typing
}

// WithTypes gives a handle of the same map that uses types instead of the map's own, for
// Schema and Count.
func (h *Handle) WithTypes(types *Types) *Handle {
	other := *h
	other.types = types
	return &other
}

// Schema is the types of a map's keys and values.
type Schema = bpfmapv1.MapTypes

// Schema tells the types of the map's keys and values. Fails with ErrNoTypes where the map
// has none, and none are named.
func (h *Handle) Schema(ctx context.Context) (*Schema, error) {
	answer, err := call(ctx, h.client, h.client.maps.GetMapSchema, &bpfmapv1.GetMapSchemaRequest{
		Map:    h.ref.Proto(),
		Typing: h.types.proto(),
	})
	if err != nil {
		return nil, err
	}
	if answer.GetSchema() == nil {
		return nil, protocolError("answered without a schema")
	}
	return answer.GetSchema(), nil
}
