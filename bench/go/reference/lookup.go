package main

import (
	"context"

	bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"
)

// LookupElements looks the keys up one by one, as cilium/ebpf does.
func (s *service) LookupElements(
	_ context.Context, request *bpfmapv1.LookupElementsRequest,
) (*bpfmapv1.LookupElementsResponse, error) {
	m, err := s.open(request.GetMap())
	if err != nil {
		return nil, err
	}
	count := int(request.GetCount())
	keySize, valueSize := int(m.KeySize()), int(m.ValueSize())
	values := make([]byte, count*valueSize)
	for i := range count {
		key := request.GetKeys()[i*keySize : (i+1)*keySize]
		value := values[i*valueSize : (i+1)*valueSize]
		if err := m.Lookup(key, value); err != nil {
			return nil, err
		}
	}
	return &bpfmapv1.LookupElementsResponse{
		Elements: &bpfmapv1.Elements{Count: uint32(count), Values: values},
	}, nil
}
