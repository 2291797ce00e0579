package main

import (
	"context"
	"encoding/binary"
	"iter"
	"time"

	"github.com/bpfmapd/bpfmapd/clients/go/bpfmap"
)

type loadAnswer struct {
	Seconds float64 `json:"seconds"`
	Written int     `json:"written"`
}

func load(ctx context.Context, client *bpfmap.Client, q question) (any, error) {
	switch q.Shape {
	case "h48":
		return loadOf(ctx, client, q, func(number uint32) (uint32, uint64) {
			return keyOf(number), uint64(number+1)<<32 | uint64(number)
		})
	case "h1664":
		return loadOf(ctx, client, q, func(number uint32) (key [16]byte, value [64]byte) {
			fill(key[:], keyOf(number))
			fill(value[:], number)
			return key, value
		})
	default:
		return loadOf(ctx, client, q, func(number uint32) (key, value []byte) {
			key, value = make([]byte, q.KeySize), make([]byte, q.ValueSize)
			fill(key, keyOf(number))
			fill(value, number)
			return key, value
		})
	}
}

// fill writes consecutive words, as harness/elements.ts does.
func fill(bytes []byte, word uint32) {
	for at := 0; at < len(bytes); at += 4 {
		binary.NativeEndian.PutUint32(bytes[at:], word)
		word++
	}
}

// loadOf loads elements that are made on the way, one by one, as from a list of the program.
func loadOf[K, V any](
	ctx context.Context, client *bpfmap.Client, q question, element func(uint32) (K, V),
) (any, error) {
	m, err := bpfmap.OpenMap[K, V](ctx, client, bpfmap.ID(q.Map), nil)
	if err != nil {
		return nil, err
	}
	var elements iter.Seq2[K, V] = func(yield func(K, V) bool) {
		for number := range q.MaxEntries {
			if !yield(element(number)) {
				return
			}
		}
	}
	start := time.Now()
	result, err := m.Load(ctx, elements, nil)
	if err != nil {
		return nil, err
	}
	return loadAnswer{time.Since(start).Seconds(), int(result.GetWritten())}, nil
}
