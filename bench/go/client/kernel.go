package main

import (
	"fmt"
	"time"

	"github.com/cilium/ebpf"

	"github.com/bpfmapd/bpfmapd/bench/go/batches"
)

// kernel does the work by itself with cilium/ebpf, as a program does that runs on the host.
type kernel struct{ maps map[uint32]*ebpf.Map }

func (k *kernel) answer(q question) (any, error) {
	m, err := k.open(q.Map)
	if err != nil {
		return nil, err
	}
	switch q.Work {
	case "lookups":
		return lookupsBy(q, func(key uint32) error {
			var value uint64
			return m.Lookup(key, &value)
		})
	case "dump":
		return timed(q, func() (int, error) { return count(m) })
	case "iterate":
		return timed(q, func() (int, error) { return iterate(m) })
	case "load":
		return update(m, q)
	default:
		return nil, fmt.Errorf("unknown work %q", q.Work)
	}
}

func (k *kernel) open(id uint32) (*ebpf.Map, error) {
	if known, ok := k.maps[id]; ok {
		return known, nil
	}
	m, err := ebpf.NewMapFromID(ebpf.MapID(id))
	if err == nil {
		k.maps[id] = m
	}
	return m, err
}

// count reads a map by batch calls.
func count(m *ebpf.Map) (elements int, err error) {
	err = batches.Read(m, batches.Reused(), func(b batches.Batch) bool {
		elements += b.Count
		return true
	})
	return elements, err
}

// iterate reads a map element by element, which is what works for every type of map.
func iterate(m *ebpf.Map) (elements int, err error) {
	key := make([]byte, m.KeySize())
	value := make([]byte, m.ValueSize())
	entries := m.Iterate()
	if m.Type() == ebpf.PerCPUHash {
		var values []uint64
		for entries.Next(&key, &values) {
			elements++
		}
		return elements, entries.Err()
	}
	for entries.Next(&key, &value) {
		elements++
	}
	return elements, entries.Err()
}

// updateElements is how many a call of BatchUpdate writes.
const updateElements = 8192

// update writes elements that are in memory.
func update(m *ebpf.Map, q question) (any, error) {
	keySize, valueSize := int(m.KeySize()), int(m.ValueSize())
	total := int(q.MaxEntries)
	keys, values := make([]byte, total*keySize), make([]byte, total*valueSize)
	for i := range total {
		fill(keys[i*keySize:(i+1)*keySize], keyOf(uint32(i)))
		fill(values[i*valueSize:(i+1)*valueSize], uint32(i))
	}
	start := time.Now()
	for from := 0; from < total; from += updateElements {
		to := min(total, from+updateElements)
		_, err := m.BatchUpdate(
			batches.Items(keys[from*keySize:to*keySize], keySize),
			batches.Items(values[from*valueSize:to*valueSize], valueSize), nil)
		if err != nil {
			return nil, err
		}
	}
	return loadAnswer{time.Since(start).Seconds(), total}, nil
}
