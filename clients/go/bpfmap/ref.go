package bpfmap

import (
	"fmt"

	bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"
)

// Ref names one map of the host. It is resolved anew by each call: a handle opened by
// its pin, name or hold follows them to another map, where they are given to one.
type Ref struct {
	proto *bpfmapv1.MapRef
}

// ID names a map by the kernel's map id. An id that was kept is only safe together with
// WithBoot.
func ID(id uint32) Ref {
	return Ref{&bpfmapv1.MapRef{Ref: &bpfmapv1.MapRef_Id{Id: id}}}
}

// Pinned names a map by the absolute path of its pin, inside one of the daemon's bpffs
// roots.
func Pinned(path string) Ref {
	return Ref{&bpfmapv1.MapRef{Ref: &bpfmapv1.MapRef_PinPath{PinPath: path}}}
}

// Named names a map by its name, at most 15 bytes. A name that several maps share is
// refused with ErrNameAmbiguous.
func Named(name string) Ref {
	return Ref{&bpfmapv1.MapRef{Ref: &bpfmapv1.MapRef_Name{Name: name}}}
}

// Held names a map by a hold of the daemon.
func Held(hold string) Ref {
	return Ref{&bpfmapv1.MapRef{Ref: &bpfmapv1.MapRef_Held{Held: hold}}}
}

// WithBoot guards the reference: calls fail with ErrBootChanged unless the host still
// runs the boot with this id, which a map's info has.
func (r Ref) WithBoot(bootID string) Ref {
	return Ref{&bpfmapv1.MapRef{Ref: r.Proto().GetRef(), BootId: &bootID}}
}

// Proto gives the message, for calls of Client.MapService.
func (r Ref) Proto() *bpfmapv1.MapRef {
	if r.proto == nil {
		return &bpfmapv1.MapRef{}
	}
	return r.proto
}

// String names the map for people.
func (r Ref) String() string {
	switch ref := r.Proto().GetRef().(type) {
	case *bpfmapv1.MapRef_Id:
		return fmt.Sprintf("map %d", ref.Id)
	case *bpfmapv1.MapRef_PinPath:
		return "map pinned at " + ref.PinPath
	case *bpfmapv1.MapRef_Name:
		return fmt.Sprintf("map %q", ref.Name)
	case *bpfmapv1.MapRef_Held:
		return fmt.Sprintf("map held as %q", ref.Held)
	default:
		return "no map"
	}
}
