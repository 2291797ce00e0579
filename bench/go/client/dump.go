package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/bpfmapd/bpfmapd/bench/go/gen/rows"
	"github.com/bpfmapd/bpfmapd/clients/go/bpfmap"
)

type dumpAnswer struct {
	// Seconds is the median of the dumps.
	Seconds  float64 `json:"seconds"`
	Elements int     `json:"elements"`
}

// timed makes as many dumps as are asked for. A dump gives the number of its elements.
func timed(q question, dump func() (int, error)) (any, error) {
	var taken []float64
	elements := 0
	for range max(1, q.Times) {
		start := time.Now()
		n, err := dump()
		if err != nil {
			return nil, fmt.Errorf("the dump of map %d: %w", q.Map, err)
		}
		taken, elements = append(taken, time.Since(start).Seconds()), n
	}
	slices.Sort(taken)
	return dumpAnswer{taken[len(taken)/2], elements}, nil
}

// dump reads a whole map in columns, as clients do that sum, sort or store it.
func dump(ctx context.Context, client *bpfmap.Client, q question) (any, error) {
	m, err := bpfmap.OpenMap[[]byte, []byte](ctx, client, bpfmap.ID(q.Map), nil)
	if err != nil {
		return nil, err
	}
	return timed(q, func() (int, error) { return dumpOf(ctx, m) })
}

func dumpOf(ctx context.Context, m *bpfmap.Map[[]byte, []byte]) (elements int, err error) {
	read := m.Dump(ctx, nil)
	for chunk := range read.Chunks() {
		elements += int(chunk.GetCount())
	}
	return elements, read.Err()
}

// dumpsAtATime makes a dump for each caller, until the last of them has ended.
func dumpsAtATime(ctx context.Context, client *bpfmap.Client, q question) (any, error) {
	m, err := bpfmap.OpenMap[[]byte, []byte](ctx, client, bpfmap.ID(q.Map), nil)
	if err != nil {
		return nil, err
	}
	counts := make([]int, q.Callers)
	failures := make([]error, q.Callers)
	start := time.Now()
	var callers sync.WaitGroup
	for i := range q.Callers {
		callers.Go(func() { counts[i], failures[i] = dumpOf(ctx, m) })
	}
	callers.Wait()
	answer := dumpAnswer{Seconds: time.Since(start).Seconds()}
	for _, count := range counts {
		answer.Elements += count
	}
	return answer, errors.Join(failures...)
}

// dumpRows reads it with a message for each element.
func dumpRows(ctx context.Context, service rows.RowServiceClient, q question) (any, error) {
	return timed(q, func() (elements int, err error) {
		stream, err := service.DumpRows(ctx, &rows.DumpRowsRequest{MapId: q.Map})
		if err != nil {
			return 0, err
		}
		for {
			response, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				return elements, nil
			}
			if err != nil {
				return 0, err
			}
			elements += len(response.GetRows())
		}
	})
}
