package main

import (
	"io"

	"google.golang.org/grpc"

	"github.com/bpfmapd/bpfmapd/bench/go/batches"
	bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"
)

// LoadMap writes each chunk by one batch call.
func (s *service) LoadMap(
	stream grpc.ClientStreamingServer[bpfmapv1.LoadMapRequest, bpfmapv1.LoadMapResponse],
) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	m, err := s.open(first.GetStart().GetMap())
	if err != nil {
		return err
	}
	var written uint64
	for {
		request, err := stream.Recv()
		if err == io.EOF {
			return stream.SendAndClose(&bpfmapv1.LoadMapResponse{Received: written, Written: written})
		}
		if err != nil {
			return err
		}
		elements := request.GetElements()
		keys := batches.Items(elements.GetKeys(), int(m.KeySize()))
		values := batches.Items(elements.GetValues(), int(m.ValueSize()))
		n, err := m.BatchUpdate(keys, values, nil)
		written += uint64(n)
		if err != nil {
			return err
		}
	}
}
