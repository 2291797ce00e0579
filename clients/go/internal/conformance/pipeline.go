package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/genproto/googleapis/rpc/status"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"
)

func init() {
	register("pipeline", pipeline)
}

// pipelined is a call of a pipeline.
type pipelined struct {
	Lookup, Delete, Take []hexBytes
	Update               pairs
}

func pipeline(ctx context.Context, r *runner, args struct {
	target
	Calls []pipelined
}) (any, error) {
	stream, err := r.client.MapService().Pipeline(ctx)
	if err != nil {
		return nil, err
	}
	ref := args.ref().Proto()
	for _, call := range args.Calls {
		if err := stream.Send(call.request(ref)); err != nil {
			return nil, err
		}
	}
	if err := stream.CloseSend(); err != nil {
		return nil, err
	}
	answers := make([]any, len(args.Calls))
	for i := range answers {
		answer, err := stream.Recv()
		if err != nil {
			return nil, err
		}
		if answers[i], err = pipelineAnswer(answer); err != nil {
			return nil, err
		}
	}
	return map[string]any{"answers": answers}, nil
}

func (p *pipelined) request(ref *bpfmapv1.MapRef) *bpfmapv1.PipelineRequest {
	switch {
	case p.Lookup != nil:
		return &bpfmapv1.PipelineRequest{Call: &bpfmapv1.PipelineRequest_LookupElements{
			LookupElements: &bpfmapv1.LookupElementsRequest{Map: ref, Keys: slices.Concat(bytesOf(p.Lookup)...), Count: uint32(len(p.Lookup))},
		}}
	case p.Delete != nil:
		return &bpfmapv1.PipelineRequest{Call: &bpfmapv1.PipelineRequest_DeleteElements{
			DeleteElements: &bpfmapv1.DeleteElementsRequest{Map: ref, Keys: slices.Concat(bytesOf(p.Delete)...), Count: uint32(len(p.Delete))},
		}}
	case p.Take != nil:
		return &bpfmapv1.PipelineRequest{Call: &bpfmapv1.PipelineRequest_TakeElements{
			TakeElements: &bpfmapv1.TakeElementsRequest{Map: ref, Keys: slices.Concat(bytesOf(p.Take)...), Count: uint32(len(p.Take))},
		}}
	default:
		keys, values := p.Update.columns()
		elements := &bpfmapv1.Elements{
			Count: uint32(len(p.Update)), Keys: slices.Concat(keys...), Values: slices.Concat(values...),
		}
		return &bpfmapv1.PipelineRequest{Call: &bpfmapv1.PipelineRequest_UpdateElements{
			UpdateElements: &bpfmapv1.UpdateElementsRequest{Map: ref, Elements: elements},
		}}
	}
}

func pipelineAnswer(answer *bpfmapv1.PipelineResponse) (any, error) {
	switch answer := answer.GetAnswer().(type) {
	case *bpfmapv1.PipelineResponse_LookupElements:
		return valuesIn(answer.LookupElements.GetElements()), nil
	case *bpfmapv1.PipelineResponse_TakeElements:
		return valuesIn(answer.TakeElements.GetElements()), nil
	case *bpfmapv1.PipelineResponse_UpdateElements:
		return map[string]any{"applied": answer.UpdateElements.GetApplied()}, nil
	case *bpfmapv1.PipelineResponse_DeleteElements:
		return map[string]any{"applied": answer.DeleteElements.GetApplied()}, nil
	case *bpfmapv1.PipelineResponse_Error:
		s := new(status.Status)
		if err := proto.Unmarshal(answer.Error, s); err != nil {
			return nil, err
		}
		return map[string]any{"reason": reasonIn(grpcstatus.FromProto(s))}, nil
	default:
		return nil, fmt.Errorf("an answer of no kind: %v", answer)
	}
}

func valuesIn(elements *bpfmapv1.Elements) any {
	values := make([]hexBytes, elements.GetCount())
	size := len(elements.GetValues()) / max(len(values), 1)
	for i := range values {
		values[i] = elements.GetValues()[i*size : (i+1)*size]
	}
	return map[string]any{"values": values}
}

func reasonIn(s *grpcstatus.Status) string {
	for _, detail := range s.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return info.GetReason()
		}
	}
	return strings.ToUpper(s.Code().String())
}
