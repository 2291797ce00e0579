package main

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/bpfmapd/bpfmapd/clients/go/bpfmap"
	fleetv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/fleet/v1"
	bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"
)

// Commands on the hosts of a fleet.
func init() {
	register("fleet_hosts", fleetHosts)
	register("fan_get_map", fanGetMap)
}

type hosts struct {
	HostIDs []string `json:"host_ids"`
	Labels  map[string]string
}

func (h *hosts) selector() *bpfmap.HostSelector {
	return &bpfmap.HostSelector{HostIds: h.HostIDs, Labels: h.Labels}
}

func fleetHosts(ctx context.Context, r *runner, args hosts) (any, error) {
	found := []any{}
	for host, err := range r.client.FleetHosts(ctx, args.selector()) {
		if err != nil {
			return nil, err
		}
		found = append(found, map[string]any{
			"id":        host.GetId(),
			"connected": host.GetLiveness() == fleetv1.Liveness_LIVENESS_CONNECTED,
		})
	}
	return map[string]any{"hosts": found}, nil
}

type hostResult struct {
	Host    string `json:"host"`
	Outcome string `json:"outcome"`
	Name    string `json:"name"`
	Reason  string `json:"reason"`
}

func fanGetMap(ctx context.Context, r *runner, args struct {
	hosts
	target
},
) (any, error) {
	request := &bpfmapv1.GetMapRequest{Map: args.ref().Proto()}
	calls := r.client.FanOut(ctx, &bpfmap.FanOutOptions{Hosts: args.selector()}, request)
	told, err := calls.Results()
	if err != nil {
		return nil, err
	}
	results := []hostResult{}
	for host, each := range told {
		result := hostResult{Host: host, Outcome: strings.TrimPrefix(each.Outcome.String(), "OUTCOME_")}
		if answer, ok := each.Response.(*bpfmapv1.GetMapResponse); ok {
			result.Name = answer.GetMap().GetName()
		}
		var failure *bpfmap.Error
		if errors.As(each.Err, &failure) {
			result.Reason = failure.Reason
		}
		results = append(results, result)
	}
	slices.SortFunc(results, func(a, b hostResult) int { return cmp.Compare(a.Host, b.Host) })
	summary := calls.Summary()
	return map[string]any{"matched": summary.GetMatched(), "ok": summary.GetOk(), "results": results}, nil
}
