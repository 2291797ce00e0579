package main

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/bpfmapd/bpfmapd/clients/go/bpfmap"
)

type lookupsAnswer struct {
	Lookups    int     `json:"lookups"`
	Seconds    float64 `json:"seconds"`
	P50Seconds float64 `json:"p50Seconds"`
	P99Seconds float64 `json:"p99Seconds"`
}

// lookups makes single lookups of 4+8 byte elements, each caller one after the other.
func lookups(ctx context.Context, client *bpfmap.Client, q question) (any, error) {
	options := &bpfmap.OpenOptions{Batching: &bpfmap.Batching{Off: !q.Batching}}
	m, err := bpfmap.OpenMap[uint32, uint64](ctx, client, bpfmap.ID(q.Map), options)
	if err != nil {
		return nil, err
	}
	return lookupsBy(q, func(key uint32) error {
		_, err := m.Lookup(ctx, key)
		return err
	})
}

// lookupsBy makes lookups until the time is over.
func lookupsBy(q question, lookup func(key uint32) error) (any, error) {
	start := time.Now()
	end := start.Add(time.Duration(q.Seconds * float64(time.Second)))
	taken := make([][]time.Duration, q.Callers)
	failures := make([]error, q.Callers)
	var callers sync.WaitGroup
	for i := range q.Callers {
		callers.Go(func() {
			taken[i], failures[i] = caller(lookup, uint32(i), q.MaxEntries, end)
		})
	}
	callers.Wait()
	seconds := time.Since(start).Seconds()
	for _, err := range failures {
		if err != nil {
			return nil, err
		}
	}
	all := slices.Concat(taken...)
	slices.Sort(all)
	quantile := func(q float64) float64 { return all[int(q*float64(len(all)-1))].Seconds() }
	return lookupsAnswer{len(all), seconds, quantile(0.5), quantile(0.99)}, nil
}

func caller(
	lookup func(key uint32) error, first, maxEntries uint32, end time.Time,
) ([]time.Duration, error) {
	var taken []time.Duration
	for number, start := first, time.Now(); start.Before(end); number += 61 {
		if err := lookup(keyOf(number % maxEntries)); err != nil {
			return nil, err
		}
		stop := time.Now()
		taken = append(taken, stop.Sub(start))
		start = stop
	}
	return taken, nil
}

// keyOf is the 4-byte key of an element by its number, as in harness/elements.ts.
func keyOf(number uint32) uint32 {
	return number * 0x9e3779b1
}
