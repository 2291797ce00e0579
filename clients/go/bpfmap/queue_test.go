package bpfmap_test

import (
	"fmt"
	"testing"

	"github.com/bpfmapd/bpfmapd/clients/go/bpfmap"
)

func TestQueuesAndStacksGiveValuesInTheirOrder(t *testing.T) {
	t.Parallel()
	client := connect(t, shared)
	for _, c := range []struct {
		of    bpfmap.MapType
		first uint32
		rest  string
	}{{bpfmap.Queue, 1, "[2 3]"}, {bpfmap.Stack, 3, "[2 1]"}} {
		t.Run(c.of.String(), func(t *testing.T) {
			ctx := within(t)
			q, err := bpfmap.CreateQueue[uint32](ctx, client, &bpfmap.Spec{Type: c.of, MaxEntries: 3}, &bpfmap.CreateOptions{Hold: holdName(client, t)})
			must(t, err)
			_, err = q.Pop(ctx)
			wantError(t, err, bpfmap.ErrKeyNotExist)
			_, err = q.Peek(ctx)
			wantError(t, err, bpfmap.ErrKeyNotExist)
			must(t, q.Push(ctx))
			must(t, q.Push(ctx, 1, 2, 3))
			wantError(t, q.Push(ctx, 4), bpfmap.ErrMapFull)
			value, err := q.Peek(ctx)
			must(t, err)
			equal(t, value, c.first)
			value, err = q.Pop(ctx)
			must(t, err)
			equal(t, value, c.first)
			values, err := q.PopUpTo(ctx, 10)
			must(t, err)
			equal(t, fmt.Sprint(values), c.rest)
			must(t, q.PushOverwriting(ctx, 1, 2, 3, 4))

			_, err = bpfmap.OpenQueue[uint64](ctx, client, q.Ref())
			wantError(t, err, bpfmap.ErrValueSize)
			_, err = bpfmap.OpenMap[uint32, uint32](ctx, client, q.Ref(), nil)
			wantError(t, err, bpfmap.ErrNotSupported)
			_, err = bpfmap.OpenBloomFilter[uint32](ctx, client, q.Ref())
			wantError(t, err, bpfmap.ErrNotSupported)
		})
	}
}

func TestABloomFilterKnowsWhatWasAdded(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	client := connect(t, shared)
	b, err := bpfmap.CreateBloomFilter[uint64](ctx, client, &bpfmap.Spec{MaxEntries: 100}, &bpfmap.CreateOptions{Hold: holdName(client, t)})
	must(t, err)
	found, err := b.MayContain(ctx, 1)
	must(t, err)
	equal(t, found, false)
	must(t, b.Add(ctx, 1, 2))
	again, err := bpfmap.OpenBloomFilter[uint64](ctx, client, b.Ref())
	must(t, err)
	found, err = again.MayContain(ctx, 2)
	must(t, err)
	equal(t, found, true)
	_, err = bpfmap.OpenQueue[uint64](ctx, client, b.Ref())
	wantError(t, err, bpfmap.ErrNotSupported)
}
