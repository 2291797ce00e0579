package main

import (
	"errors"

	"github.com/cilium/ebpf"
	"google.golang.org/grpc"

	bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"
)

const (
	// Of 1 k to 64 k elements a batch these were the fastest, for small and large ones.
	batchElements = 8192
	batchBytes    = 512 << 10
	// ahead is how many batches are read before they are sent.
	ahead = 2
)

// DumpMap sends a map in batches. One is read while the one before it is sent.
func (s *service) DumpMap(
	request *bpfmapv1.DumpMapRequest, stream grpc.ServerStreamingServer[bpfmapv1.DumpMapResponse],
) error {
	m, err := s.open(request.GetMap())
	if err != nil {
		return err
	}
	header := &bpfmapv1.DumpHeader{Map: infoOf(m, request.GetMap()), ValueStride: m.ValueSize()}
	err = stream.Send(&bpfmapv1.DumpMapResponse{Kind: &bpfmapv1.DumpMapResponse_Header{Header: header}})
	if err != nil {
		return err
	}
	batches := make(chan batch, ahead)
	go read(m, batches, stream.Context().Done())
	var sent uint64
	for b := range batches {
		if b.err != nil {
			return b.err
		}
		sent += uint64(b.elements.GetCount())
		message := &bpfmapv1.DumpMapResponse{Kind: &bpfmapv1.DumpMapResponse_Elements{Elements: b.elements}}
		if err := stream.Send(message); err != nil {
			return err
		}
	}
	summary := &bpfmapv1.DumpSummary{Sent: sent, Scanned: sent, Complete: true}
	return stream.Send(&bpfmapv1.DumpMapResponse{Kind: &bpfmapv1.DumpMapResponse_Summary{Summary: summary}})
}

type batch struct {
	elements *bpfmapv1.Elements
	err      error
}

func read(m *ebpf.Map, batches chan<- batch, done <-chan struct{}) {
	defer close(batches)
	keySize, valueSize := int(m.KeySize()), int(m.ValueSize())
	count := max(1, min(batchElements, batchBytes/(keySize+valueSize)))
	var cursor ebpf.MapBatchCursor
	for ended := false; !ended; {
		keys, values := make([]byte, count*keySize), make([]byte, count*valueSize)
		n, err := m.BatchLookup(&cursor, items(keys, keySize), items(values, valueSize), nil)
		ended = errors.Is(err, ebpf.ErrKeyNotExist)
		b := batch{elements: &bpfmapv1.Elements{
			Count: uint32(n), Keys: keys[:n*keySize], Values: values[:n*valueSize],
		}}
		if err != nil && !ended {
			b.err, ended = err, true
		}
		select {
		case batches <- b:
		case <-done:
			return
		}
	}
}
