package bpfmap_test

import (
	"errors"
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
