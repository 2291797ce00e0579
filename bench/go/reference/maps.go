package main

import (
	"context"
	"sync"

	"github.com/cilium/ebpf"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"
)

// service serves maps by id. A map stays open once it was asked for.
type service struct {
	bpfmapv1.UnimplementedMapServiceServer
	maps     sync.Map  // of uint32 to *ebpf.Map
	prepared *prepared // nil where dumps are read
}

func (s *service) open(ref *bpfmapv1.MapRef) (*ebpf.Map, error) {
	id := ref.GetId()
	if known, ok := s.maps.Load(id); ok {
		return known.(*ebpf.Map), nil
	}
	m, err := ebpf.NewMapFromID(ebpf.MapID(id))
	if err != nil {
		return nil, status.Errorf(codes.NotFound, "map %d: %v", id, err)
	}
	if known, isKnown := s.maps.LoadOrStore(id, m); isKnown {
		_ = m.Close()
		return known.(*ebpf.Map), nil
	}
	return m, nil
}

func (s *service) GetMap(_ context.Context, request *bpfmapv1.GetMapRequest) (*bpfmapv1.GetMapResponse, error) {
	m, err := s.open(request.GetMap())
	if err != nil {
		return nil, err
	}
	return &bpfmapv1.GetMapResponse{Map: infoOf(m, request.GetMap())}, nil
}

func infoOf(m *ebpf.Map, ref *bpfmapv1.MapRef) *bpfmapv1.Map {
	return &bpfmapv1.Map{
		Id:          ref.GetId(),
		Type:        bpfmapv1.MapType(m.Type()),
		KeySize:     m.KeySize(),
		ValueSize:   m.ValueSize(),
		ValueStride: m.ValueSize(),
		MaxEntries:  m.MaxEntries(),
	}
}

// host tells clients the byte order, which they ask for.
type host struct {
	bpfmapv1.UnimplementedHostServiceServer
}

func (*host) GetHost(context.Context, *bpfmapv1.GetHostRequest) (*bpfmapv1.GetHostResponse, error) {
	order := bpfmapv1.ByteOrder_BYTE_ORDER_LITTLE_ENDIAN
	return &bpfmapv1.GetHostResponse{Host: &bpfmapv1.Host{ByteOrder: order}}, nil
}
