package main

import (
	"google.golang.org/grpc"

	"github.com/bpfmapd/bpfmapd/bench/go/batches"
	"github.com/bpfmapd/bpfmapd/bench/go/gen/rows"
	bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"
)

// rowService sends the same dump as service, with a message for each element.
type rowService struct {
	rows.UnimplementedRowServiceServer
	service *service
}

// DumpRows makes the rows of a batch in one piece, over the memory that was read into.
func (s *rowService) DumpRows(
	request *rows.DumpRowsRequest, stream grpc.ServerStreamingServer[rows.DumpRowsResponse],
) error {
	m, err := s.service.open(&bpfmapv1.MapRef{Ref: &bpfmapv1.MapRef_Id{Id: request.GetMapId()}})
	if err != nil {
		return err
	}
	keySize, valueSize := int(m.KeySize()), int(m.ValueSize())
	return whileReading(m, stream, func(b batches.Batch) error {
		all, pointers := make([]rows.Row, b.Count), make([]*rows.Row, b.Count)
		for i := range all {
			all[i].Key = b.Keys[i*keySize : (i+1)*keySize]
			all[i].Value = b.Values[i*valueSize : (i+1)*valueSize]
			pointers[i] = &all[i]
		}
		return stream.Send(&rows.DumpRowsResponse{Rows: pointers})
	})
}
