package bpfmap_test

import (
	"encoding/binary"
	"errors"
	"math"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/bpfmapd/bpfmapd/clients/go/bpfmap"
	fleetv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/fleet/v1"
	bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"
	"github.com/bpfmapd/bpfmapd/clients/go/internal/daemontest"
)

// startFleet gives a client of a fleet with hosts go-a, which is its relay, and go-b.
func startFleet(t *testing.T) *bpfmap.Client {
	t.Helper()
	store := filepath.Join(t.TempDir(), "store")
	relay := daemontest.Start(t, "--fleet", "--host-id", "go-a", "--store-directory", store)
	daemontest.Start(t, "--host-id", "go-b", "--label", "zone=b", "--join", relay.Address())
	client := connect(t, relay)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		connected := 0
		for host, err := range client.FleetHosts(within(t), nil) {
			if err != nil {
				t.Fatal(err)
			}
			if host.GetLiveness() == fleetv1.Liveness_LIVENESS_CONNECTED {
				connected++
			}
		}
		if connected == 2 {
			return client
		}
		if time.Now().After(deadline) {
			t.Fatal("the hosts do not register")
		}
	}
}

func TestACallIsMadeOnEveryHostOfAFleetThatMatches(t *testing.T) {
	client := startFleet(t)
	ctx := within(t)
	spec := &bpfmapv1.MapSpec{Type: bpfmapv1.MapType_MAP_TYPE_HASH, Name: "go_fleet", KeySize: 4, ValueSize: 4, MaxEntries: 1}
	create := &bpfmapv1.CreateMapRequest{Spec: spec, Hold: &bpfmapv1.HoldSpec{Name: "go-fleet"}}
	onB := &bpfmap.FanOutOptions{Hosts: &bpfmap.HostSelector{Labels: map[string]string{"zone": "b"}}}
	if results, err := client.FanOut(ctx, onB, create).Results(); err != nil || len(results) != 1 {
		t.Fatalf("created on %v: %v", results, err)
	}

	get := client.FanOut(ctx, nil, &bpfmapv1.GetMapRequest{Map: bpfmap.Held("go-fleet").Proto()})
	results, err := get.Results()
	if err != nil {
		t.Fatal(err)
	}
	found, ok := results["go-b"].Response.(*bpfmapv1.GetMapResponse)
	if !ok || found.GetMap().GetName() != "go_fleet" || results["go-b"].Outcome != bpfmap.HostOK {
		t.Errorf("go-b answered %v", results["go-b"])
	}
	missing := results["go-a"]
	if missing.Outcome != bpfmap.HostFailed || !errors.Is(missing.Err, bpfmap.ErrHoldNotExist) {
		t.Errorf("go-a answered %v: %v", missing.Outcome, missing.Err)
	}
	if s := get.Summary(); s.GetMatched() != 2 || s.GetOk() != 1 || s.GetFailed() != 1 {
		t.Errorf("the summary is %v", s)
	}

	messages := 0
	dump := client.FanOut(ctx, onB, &bpfmapv1.DumpMapRequest{Map: bpfmap.Held("go-fleet").Proto()})
	for answer := range dump.All() {
		if _, ok := answer.Message.(*bpfmapv1.DumpMapResponse); ok {
			messages++
		}
	}
	if dump.Err() != nil || messages == 0 {
		t.Errorf("%d messages of a dump: %v", messages, dump.Err())
	}
}

func TestAFanOutThatCannotBeMadeFailsAsAWhole(t *testing.T) {
	client := startFleet(t)
	ctx := within(t)
	nowhere := &bpfmap.FanOutOptions{Hosts: &bpfmap.HostSelector{Labels: map[string]string{"zone": "z"}}}
	_, err := client.FanOut(ctx, nowhere, &bpfmapv1.ListMapsRequest{}).Results()
	if !errors.Is(err, bpfmap.ErrNoHostMatches) {
		t.Errorf("without a host that matches: %v", err)
	}
	_, err = client.FanOut(ctx, nil, &bpfmapv1.GetHostRequest{}).Results()
	if !errors.Is(err, bpfmap.ErrFieldInvalid) {
		t.Errorf("with a request that is none of MapService: %v", err)
	}
	options := &bpfmap.FanOutOptions{MaxFailures: proto.Uint32(0), Concurrency: 1}
	missing := &bpfmapv1.GetMapRequest{Map: bpfmap.Held("go-none").Proto()}
	results, err := client.FanOut(ctx, options, missing).Results()
	if err != nil || results["go-b"].Outcome != bpfmap.HostSkipped {
		t.Errorf("after the first failure: %v, %v", results["go-b"], err)
	}
}

// makeCounters makes a map of u64 counters on each host, and writes them.
func makeCounters(t *testing.T, client *bpfmap.Client, counters map[string]map[uint32]uint64) {
	t.Helper()
	spec := &bpfmapv1.MapSpec{Type: bpfmapv1.MapType_MAP_TYPE_HASH, Name: "go_counters", KeySize: 4, ValueSize: 8, MaxEntries: 100}
	for host, values := range counters {
		elements := &bpfmapv1.Elements{Count: uint32(len(values))}
		for key, value := range values {
			elements.Keys = binary.NativeEndian.AppendUint32(elements.Keys, key)
			elements.Values = binary.NativeEndian.AppendUint64(elements.Values, value)
		}
		on := &bpfmap.FanOutOptions{Hosts: &bpfmap.HostSelector{HostIds: []string{host}}}
		create := &bpfmapv1.CreateMapRequest{Spec: spec, Hold: &bpfmapv1.HoldSpec{Name: "go-counters"}, InitialElements: elements}
		results, err := client.FanOut(within(t), on, create).Results()
		if err != nil || results[host].Err != nil {
			t.Fatalf("no map on %s: %v, %v", host, results[host], err)
		}
	}
}

func TestNumbersAreFoldedOverTheHostsOfAFleet(t *testing.T) {
	client := startFleet(t)
	makeCounters(t, client, map[string]map[uint32]uint64{
		"go-a": {1: math.MaxUint64, 2: 5},
		"go-b": {1: math.MaxUint64, 3: 7},
	})
	fields := []bpfmap.NumberField{{Type: bpfmap.U64}}
	options := &bpfmap.FleetAggregateOptions{PerHost: true}
	options.Top = 2
	answers := 0
	for answer, err := range client.FleetAggregate(within(t), bpfmap.Held("go-counters"), fields, options) {
		if err != nil {
			t.Fatal(err)
		}
		answers++
		if c := answer.Coverage; c.Matched != 2 || c.Answered != 2 || len(c.Failures) != 0 {
			t.Errorf("the coverage is %v", c)
		}
		if sum := answer.Totals[0].Sum.String(); sum != "36893488147419103242" {
			t.Errorf("the sum is %s", sum)
		}
		if top := answer.Top[0]; top.AtLeast.String() != "36893488147419103230" || top.AtMost.Cmp(top.AtLeast) != 0 || top.Hosts != 2 {
			t.Errorf("the first of the top is %v", top)
		}
		if len(answer.Top) != 2 || answer.OthersMax.Int64() != 5 || len(answer.Hosts) != 2 {
			t.Errorf("answered %v", answer)
		}
	}
	if answers != 1 {
		t.Errorf("%d answers", answers)
	}
	missing := bpfmap.Held("go-nothing")
	for answer, err := range client.FleetAggregate(within(t), missing, fields, nil) {
		if err != nil || answer.Coverage.Failed != 2 || !errors.Is(answer.Coverage.Failures["go-b"], bpfmap.ErrHoldNotExist) {
			t.Errorf("answered %v: %v", answer, err)
		}
	}
}

func TestAMapIsWatchedOnAllHostsOfAFleet(t *testing.T) {
	client := startFleet(t)
	makeCounters(t, client, map[string]map[uint32]uint64{"go-a": {1: 10}, "go-b": {2: 20}})
	watch := client.FleetWatch(within(t), bpfmap.Held("go-counters"), nil)
	told, synced := map[string]uint64{}, 0
	for event := range watch.Events() {
		switch {
		case event.Kind == bpfmap.FleetStarted && event.Hosts != 2:
			t.Errorf("%d hosts match", event.Hosts)
		case event.Event.Kind == bpfmap.EventPut:
			told[event.HostID] += binary.NativeEndian.Uint64(event.Event.Value)
		case event.Event.Kind == bpfmap.EventSynced:
			synced++
		}
		if synced == 2 {
			break
		}
	}
	if watch.Err() != nil || told["go-a"] != 10 || told["go-b"] != 20 {
		t.Errorf("told %v: %v", told, watch.Err())
	}
	positions := watch.Positions()
	if len(positions) != 2 {
		t.Fatalf("stands at %v", positions)
	}
	resumed := 0
	again := client.FleetWatch(within(t), bpfmap.Held("go-counters"), &bpfmap.FleetWatchOptions{Positions: positions})
	for event := range again.Events() {
		if event.Kind == bpfmap.FleetHostBegun && event.Resumed {
			resumed++
		}
		if resumed == 2 {
			break
		}
	}
	if again.Err() != nil {
		t.Error(again.Err())
	}
}
