package main

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/bpfmapd/bpfmapd/clients/go/bpfmap"
	fleetv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/fleet/v1"
	bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/status"
)

// Commands on map sets, whose elements have 4 + 4 bytes.
func init() {
	register("put_set", putSet)
	register("patch_set", patchSet)
	register("get_set", getSet)
	register("list_sets", listSets)
	register("delete_set", deleteSet)
	register("await_set", awaitSet)
}

const size = 4

type setArgs struct {
	target
	Set        string
	Elements   pairs
	Removed    []hexBytes
	Expected   *uint64
	Generation uint64
}

func (a *setArgs) columns() *bpfmapv1.Elements {
	keys, values := a.Elements.columns()
	return &bpfmapv1.Elements{
		Count:  uint32(len(keys)),
		Keys:   bytes.Join(keys, nil),
		Values: bytes.Join(values, nil),
	}
}

// fleetError is a raw call's error as one of the client's.
func fleetError(err error) error {
	said, ok := status.FromError(err)
	if !ok {
		return err
	}
	told := &bpfmap.Error{Code: said.Code(), Message: said.Message()}
	for _, detail := range said.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			told.Reason = info.GetReason()
		}
	}
	return told
}

func putSet(ctx context.Context, r *runner, args setArgs) (any, error) {
	stream, err := r.client.FleetService().PutMapSet(ctx)
	if err != nil {
		return nil, fleetError(err)
	}
	start := &fleetv1.PutMapSetStart{
		Name: args.Set,
		Spec: &fleetv1.MapSetSpec{
			Selector:  &fleetv1.HostSelector{},
			Target:    &fleetv1.MapSetTarget{Map: args.ref().Proto()},
			KeySize:   size,
			ValueSize: size,
		},
		ExpectedGeneration: args.Expected,
	}
	requests := []*fleetv1.PutMapSetRequest{
		{Kind: &fleetv1.PutMapSetRequest_Start{Start: start}},
		{Kind: &fleetv1.PutMapSetRequest_Elements{Elements: args.columns()}},
	}
	for _, request := range requests {
		if err := stream.Send(request); err != nil && !errors.Is(err, io.EOF) {
			return nil, fleetError(err)
		}
	}
	answer, err := stream.CloseAndRecv()
	if err != nil {
		return nil, fleetError(err)
	}
	set := answer.GetMapSet()
	return map[string]any{
		"generation": set.GetGeneration(), "elements": set.GetElementCount(), "new": answer.GetNewGeneration(),
	}, nil
}

func patchSet(ctx context.Context, r *runner, args setArgs) (any, error) {
	answer, err := r.client.FleetService().PatchMapSet(ctx, &fleetv1.PatchMapSetRequest{
		Name:               args.Set,
		Puts:               args.columns(),
		RemovedKeys:        bytes.Join(bytesOf(args.Removed), nil),
		RemovedCount:       uint32(len(args.Removed)),
		ExpectedGeneration: args.Expected,
	})
	if err != nil {
		return nil, fleetError(err)
	}
	return map[string]any{
		"generation": answer.GetMapSet().GetGeneration(),
		"added":      answer.GetAdded(),
		"changed":    answer.GetChanged(),
		"removed":    answer.GetRemoved(),
		"unchanged":  answer.GetUnchanged(),
	}, nil
}

func getSet(ctx context.Context, r *runner, args setArgs) (any, error) {
	request := &fleetv1.GetMapSetRequest{Name: args.Set, Generation: args.Generation}
	stream, err := r.client.FleetService().GetMapSet(ctx, request)
	if err != nil {
		return nil, fleetError(err)
	}
	var generation uint64
	elements := pairs{}
	for {
		answer, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return map[string]any{"generation": generation, "elements": elements}, nil
		}
		if err != nil {
			return nil, fleetError(err)
		}
		generation = max(generation, answer.GetMapSet().GetGeneration())
		keys, values := answer.GetElements().GetKeys(), answer.GetElements().GetValues()
		for at := 0; at < len(keys); at += size {
			elements = append(elements, [2]hexBytes{keys[at : at+size], values[at : at+size]})
		}
	}
}

func listSets(ctx context.Context, r *runner, _ nothing) (any, error) {
	answer, err := r.client.FleetService().ListMapSets(ctx, &fleetv1.ListMapSetsRequest{})
	if err != nil {
		return nil, fleetError(err)
	}
	names := []string{}
	for _, set := range answer.GetMapSets() {
		names = append(names, set.GetName())
	}
	return map[string]any{"sets": names}, nil
}

func deleteSet(ctx context.Context, r *runner, args setArgs) (any, error) {
	request := &fleetv1.DeleteMapSetRequest{Name: args.Set}
	if _, err := r.client.FleetService().DeleteMapSet(ctx, request); err != nil {
		return nil, fleetError(err)
	}
	return nothing{}, nil
}

func awaitSet(ctx context.Context, r *runner, args setArgs) (any, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	request := &fleetv1.WatchMapSetStatusRequest{Name: args.Set}
	stream, err := r.client.FleetService().WatchMapSetStatus(ctx, request)
	if err != nil {
		return nil, fleetError(err)
	}
	for {
		answer, err := stream.Recv()
		if err != nil {
			return nil, fleetError(err)
		}
		totals := answer.GetTotals()
		if totals != nil && totals.GetGeneration() == args.Generation && totals.GetApplied() == totals.GetHosts() {
			return map[string]any{"hosts": totals.GetHosts()}, nil
		}
	}
}
