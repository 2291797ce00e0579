package main

import (
	"sync"

	"github.com/cilium/ebpf"
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // registers the codec that encodes all else
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"github.com/bpfmapd/bpfmapd/bench/go/batches"
	bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"
)

// preparedBytes is about the size of a message, as the daemon's.
const preparedBytes = 1 << 20

// prepared keeps the dumps of maps as messages that are encoded: what is sent of them is
// the rate of the bare stream.
type prepared struct {
	mutex sync.Mutex
	dumps map[uint32][]encoded
}

// encoded is a message that only has to be framed.
type encoded []byte

// codec passes on what is encoded.
type codec struct{ encoding.CodecV2 }

func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	if message, ok := v.(encoded); ok {
		return mem.BufferSlice{mem.SliceBuffer(message)}, nil
	}
	return c.CodecV2.Marshal(v)
}

func passEncoded() grpc.ServerOption {
	return grpc.ForceServerCodecV2(codec{encoding.GetCodecV2("proto")})
}

func (p *prepared) send(m *ebpf.Map, ref *bpfmapv1.MapRef, stream grpc.ServerStream) error {
	messages, err := p.of(m, ref)
	if err != nil {
		return err
	}
	for _, message := range messages {
		if err := stream.SendMsg(message); err != nil {
			return err
		}
	}
	return nil
}

// of reads a map when it is dumped for the first time.
func (p *prepared) of(m *ebpf.Map, ref *bpfmapv1.MapRef) ([]encoded, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if known, ok := p.dumps[ref.GetId()]; ok {
		return known, nil
	}
	var all batches.Batch
	responses := []*bpfmapv1.DumpMapResponse{header(m, ref)}
	var sent uint64
	flush := func() {
		responses = append(responses, elementsOf(all))
		sent += uint64(all.Count)
		all = batches.Batch{}
	}
	err := batches.Read(m, batches.Reused(), func(b batches.Batch) bool {
		all.Count += b.Count
		all.Keys, all.Values = append(all.Keys, b.Keys...), append(all.Values, b.Values...)
		if len(all.Keys)+len(all.Values) >= preparedBytes {
			flush()
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	flush()
	messages, err := encode(append(responses, summary(sent)))
	if err != nil {
		return nil, err
	}
	p.dumps[ref.GetId()] = messages
	return messages, nil
}

func encode(responses []*bpfmapv1.DumpMapResponse) ([]encoded, error) {
	messages := make([]encoded, len(responses))
	for i, response := range responses {
		bytes, err := proto.Marshal(response)
		if err != nil {
			return nil, err
		}
		messages[i] = bytes
	}
	return messages, nil
}
