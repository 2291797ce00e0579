package main

import (
	"github.com/cilium/ebpf"
	"google.golang.org/grpc"

	"github.com/bpfmapd/bpfmapd/bench/go/batches"
	bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"
)

// ahead is how many batches are read before they are sent.
const ahead = 2

// DumpMap sends a map in batches. One is read while the one before it is sent.
func (s *service) DumpMap(
	request *bpfmapv1.DumpMapRequest, stream grpc.ServerStreamingServer[bpfmapv1.DumpMapResponse],
) error {
	m, err := s.open(request.GetMap())
	if err != nil {
		return err
	}
	if s.prepared != nil {
		return s.prepared.send(m, request.GetMap(), stream)
	}
	if err := stream.Send(header(m, request.GetMap())); err != nil {
		return err
	}
	var sent uint64
	err = whileReading(m, stream, func(b batches.Batch) error {
		sent += uint64(b.Count)
		return stream.Send(elementsOf(b))
	})
	if err != nil {
		return err
	}
	return stream.Send(summary(sent))
}

func header(m *ebpf.Map, ref *bpfmapv1.MapRef) *bpfmapv1.DumpMapResponse {
	header := &bpfmapv1.DumpHeader{Map: infoOf(m, ref), ValueStride: m.ValueSize()}
	return &bpfmapv1.DumpMapResponse{Kind: &bpfmapv1.DumpMapResponse_Header{Header: header}}
}

func elementsOf(b batches.Batch) *bpfmapv1.DumpMapResponse {
	elements := &bpfmapv1.Elements{Count: uint32(b.Count), Keys: b.Keys, Values: b.Values}
	return &bpfmapv1.DumpMapResponse{Kind: &bpfmapv1.DumpMapResponse_Elements{Elements: elements}}
}

func summary(sent uint64) *bpfmapv1.DumpMapResponse {
	summary := &bpfmapv1.DumpSummary{Sent: sent, Scanned: sent, Complete: true}
	return &bpfmapv1.DumpMapResponse{Kind: &bpfmapv1.DumpMapResponse_Summary{Summary: summary}}
}

// whileReading sends batches on a stream while those after them are read.
func whileReading(m *ebpf.Map, stream grpc.ServerStream, send func(batches.Batch) error) error {
	read := make(chan batches.Batch, ahead)
	var failure error
	go func() {
		defer close(read)
		failure = batches.Read(m, batches.Fresh, func(b batches.Batch) bool {
			select {
			case read <- b:
				return true
			case <-stream.Context().Done():
				return false
			}
		})
	}()
	for b := range read {
		if err := send(b); err != nil {
			return err
		}
	}
	return failure
}
