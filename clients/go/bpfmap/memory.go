package bpfmap

import (
	"context"

	bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"
)

// ReadMemory reads bytes of the memory of an Arena, or of an Array with
// CREATE_FLAG_MMAPABLE, whose values stand there rounded up to 8 bytes each. offset is in
// bytes from the map's start; length is at most the daemon's limit on messages
// (HostInfo.max_message_bytes). Reading a page of an arena that no program has touched
// allocates it.
//
// Fails with ErrFieldInvalid for a stretch outside the map, with ErrNotSupported for other
// maps, and with ErrObjectUnsuitable for an arena without an address that nobody has
// mapped yet.
func (h *Handle) ReadMemory(ctx context.Context, offset uint64, length uint32) ([]byte, error) {
	answer, err := call(ctx, h.client, h.client.maps.ReadMemory, &bpfmapv1.ReadMemoryRequest{
		Map: h.ref.Proto(), Offset: offset, Length: length,
	})
	if err != nil {
		return nil, err
	}
	if len(answer.GetData()) != int(length) {
		return nil, protocolError("answered %d bytes of memory, asked were %d", len(answer.GetData()), length)
	}
	return answer.GetData(), nil
}

// WriteMemory writes bytes into such memory. Programs may see a part of them before the
// whole. Fails as ReadMemory, and with ErrMapFrozen.
func (h *Handle) WriteMemory(ctx context.Context, offset uint64, data []byte) error {
	_, err := call(ctx, h.client, h.client.maps.WriteMemory, &bpfmapv1.WriteMemoryRequest{
		Map: h.ref.Proto(), Offset: offset, Data: data,
	})
	return err
}
