package bpfmap

import (
	"context"
	"errors"
	"io"
	"iter"
	"math/big"
	"time"

	fleetv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/fleet/v1"
	bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"
)

// FleetAggregateOptions say over which hosts numbers are folded, and how.
type FleetAggregateOptions struct {
	AggregateOptions
	// Hosts chooses them; nil for all of the fleet.
	Hosts *HostSelector
	// KeysPerHost is how many keys each host tells, for Top: with more, sums are known more
	// closely. 0 for four times Top, at least 100.
	KeysPerHost uint32
	// Concurrency is how many hosts are asked at a time; 0 for 64.
	Concurrency uint32
	// HostTimeout is how long each may take; 0 for 30 seconds.
	HostTimeout time.Duration
	// Interval asks again and again; 0 for once.
	Interval time.Duration
	// PerHost fills FleetAggregate.Hosts.
	PerHost bool
}

// FleetAggregate is what the elements of many hosts come to.
type FleetAggregate struct {
	// Coverage is of how many hosts this is: only those that have answered are in it.
	Coverage FleetCoverage
	// Elements is how many were folded.
	Elements uint64
	// Totals are what each of the fields comes to, in their order.
	Totals []NumberTotals
	// Top are the keys with the greatest sums, by descending AtLeast.
	Top []KeySum
	// OthersMax: no key that is not in Top has more; nil where all are.
	OthersMax *big.Int
	// OldestSample and NewestSample are when the first and the last host began to read, by
	// their clocks; zero where none has answered.
	OldestSample, NewestSample time.Time
	// Steps are what was counted since the answer before, one for each field; empty in the
	// first.
	Steps []FleetStep
	// Hosts are what each host has answered, by id, where asked for.
	Hosts []HostAggregate
}

// FleetCoverage tells of how many hosts an answer is. Answered, Failed and Unreachable add
// up to Matched.
type FleetCoverage struct {
	Matched, Answered, Failed, Unreachable int
	// Incomplete is how many of those that have answered could not read their map
	// completely.
	Incomplete int
	// Failures is why hosts did not answer, an *Error each: the first 100 of them by id.
	Failures map[string]error
}

// KeySum is a key and between which numbers its sum over the hosts lies: it is known where
// they are the same.
type KeySum struct {
	Key             []byte
	AtLeast, AtMost *big.Int
	// Hosts is how many told the key.
	Hosts int
}

// FleetStep is what was counted between two answers, on the hosts that are in both.
type FleetStep struct {
	// By is never negative.
	By *big.Int
	// PerSecond is the hosts' rates added up, each by its own clock.
	PerSecond float64
	// Hosts is how many are in it. Of them, Resets made their map anew, so that its counter
	// began at 0; Fell have less in the same map: what was counted there is not known.
	Hosts, Resets, Fell int
}

// HostAggregate is what one host has answered.
type HostAggregate struct {
	HostID, BootID string
	MapID          uint32
	Elements       uint64
	Complete       bool
	Totals         []NumberTotals
}

// FleetAggregate folds numbers of a map's elements over every host that matches: each folds
// its own, the relay folds hosts. It yields one answer, or with an interval one after the
// other until the loop is left or ctx ends; where it fails, the last pair has the error. The
// map is best named by a pin, a name or a hold: ids are of one host.
func (c *Client) FleetAggregate(ctx context.Context, ref Ref, fields []NumberField, options *FleetAggregateOptions) iter.Seq2[*FleetAggregate, error] {
	if options == nil {
		options = &FleetAggregateOptions{}
	}
	return func(yield func(*FleetAggregate, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		stream, err := c.fleet.Aggregate(ctx, options.request(ref, fields))
		for err == nil {
			var answer *fleetv1.AggregateResponse
			if answer, err = stream.Recv(); err != nil {
				break
			}
			aggregate, wrong := fleetAggregateOf(answer)
			if !yield(aggregate, wrong) || wrong != nil {
				return
			}
		}
		if !errors.Is(err, io.EOF) {
			yield(nil, c.errorOf(ctx, err))
		}
	}
}

func (o *FleetAggregateOptions) request(ref Ref, fields []NumberField) *fleetv1.AggregateRequest {
	elements := o.AggregateOptions.request(ref, fields)
	request := &fleetv1.AggregateRequest{
		Selector:    o.Hosts,
		Elements:    elements,
		KeysPerHost: o.KeysPerHost,
		Concurrency: o.Concurrency,
		HostTimeout: durationOf(o.HostTimeout),
		Interval:    durationOf(o.Interval),
		PerHost:     o.PerHost,
	}
	if request.Selector == nil {
		request.Selector = &HostSelector{}
	}
	return request
}

func fleetAggregateOf(answer *fleetv1.AggregateResponse) (*FleetAggregate, error) {
	numbers := &decimals{}
	aggregate := &FleetAggregate{
		Coverage:  coverageOf(answer.GetCoverage()),
		Elements:  answer.GetElements(),
		Totals:    totalsOf(answer.GetTotals(), numbers),
		OthersMax: numbers.parse(answer.GetTop().GetOthersMax()),
	}
	if answer.GetOldestSample() != nil {
		aggregate.OldestSample = answer.GetOldestSample().AsTime()
		aggregate.NewestSample = answer.GetNewestSample().AsTime()
	}
	for _, sum := range answer.GetTop().GetKeys() {
		aggregate.Top = append(aggregate.Top, KeySum{
			Key:     sum.GetKey(),
			AtLeast: numbers.parse(sum.GetAtLeast()),
			AtMost:  numbers.parse(sum.GetAtMost()),
			Hosts:   int(sum.GetHosts()),
		})
	}
	for _, step := range answer.GetSteps() {
		aggregate.Steps = append(aggregate.Steps, FleetStep{
			By:        numbers.parse(step.GetBy()),
			PerSecond: step.GetPerSecond(),
			Hosts:     int(step.GetHosts()),
			Resets:    int(step.GetResets()),
			Fell:      int(step.GetFell()),
		})
	}
	for _, host := range answer.GetHosts() {
		aggregate.Hosts = append(aggregate.Hosts, HostAggregate{
			HostID:   host.GetHostId(),
			BootID:   host.GetBootId(),
			MapID:    host.GetMapId(),
			Elements: host.GetElements(),
			Complete: host.GetComplete(),
			Totals:   totalsOf(host.GetTotals(), numbers),
		})
	}
	return aggregate, numbers.err()
}

func coverageOf(told *fleetv1.Coverage) FleetCoverage {
	coverage := FleetCoverage{
		Matched:     int(told.GetMatched()),
		Answered:    int(told.GetAnswered()),
		Failed:      int(told.GetFailed()),
		Unreachable: int(told.GetUnreachable()),
		Incomplete:  int(told.GetIncomplete()),
		Failures:    map[string]error{},
	}
	for _, failure := range told.GetFailures() {
		coverage.Failures[failure.GetHostId()] = hostErrorIn(failure.GetError())
	}
	return coverage
}

func totalsOf(told []*bpfmapv1.NumberTotals, numbers *decimals) []NumberTotals {
	all := []NumberTotals{}
	for _, totals := range told {
		all = append(all, NumberTotals{
			Count:     totals.GetCount(),
			Sum:       numbers.parse(totals.GetSum()),
			Min:       numbers.parse(totals.GetMin()),
			Max:       numbers.parse(totals.GetMax()),
			Histogram: totals.GetHistogram(),
		})
	}
	return all
}
