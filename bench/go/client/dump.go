package main

import (
	"context"
	"fmt"
	"time"

	"github.com/bpfmapd/bpfmapd/clients/go/bpfmap"
)

type dumpAnswer struct {
	Seconds  float64 `json:"seconds"`
	Elements int     `json:"elements"`
}

func dump(ctx context.Context, client *bpfmap.Client, q question) (any, error) {
	if q.Shape == "h48" {
		return dumpOf[uint32, uint64](ctx, client, q)
	}
	return dumpOf[[16]byte, [64]byte](ctx, client, q)
}

// dumpOf reads a whole map in columns, as clients do that sum, sort or store it.
func dumpOf[K, V any](ctx context.Context, client *bpfmap.Client, q question) (any, error) {
	m, err := bpfmap.OpenMap[K, V](ctx, client, bpfmap.ID(q.Map), nil)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	elements := 0
	read := m.Dump(ctx, nil)
	for chunk := range read.Chunks() {
		elements += int(chunk.GetCount())
	}
	if err := read.Err(); err != nil {
		return nil, fmt.Errorf("the dump of map %d: %w", q.Map, err)
	}
	return dumpAnswer{time.Since(start).Seconds(), elements}, nil
}
