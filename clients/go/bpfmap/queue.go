package bpfmap

import (
	"context"

	bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"
)

// QueueMap is a queue or stack with a Go type for its values. It can be used by several
// goroutines at once.
type QueueMap[V any] struct {
	*Handle
	value *codec[V]
}

// OpenQueue opens a queue or stack. Fails with ErrNotSupported for other maps, and with
// ErrValueSize where V does not have the map's value size.
func OpenQueue[V any](ctx context.Context, client *Client, ref Ref) (*QueueMap[V], error) {
	handle, err := client.Open(ctx, ref)
	if err != nil {
		return nil, err
	}
	return queueOf[V](ctx, handle)
}

// CreateQueue creates a queue or stack, as Spec.Type says.
func CreateQueue[V any](ctx context.Context, client *Client, spec *Spec, options *CreateOptions) (*QueueMap[V], error) {
	handle, err := createKeyless[V](ctx, client, spec, options)
	if err != nil {
		return nil, err
	}
	return queueOf[V](ctx, handle)
}

func queueOf[V any](ctx context.Context, handle *Handle) (*QueueMap[V], error) {
	if t := handle.info.GetType(); t != Queue && t != Stack {
		return nil, unsupported("%s is no queue or stack", handle)
	}
	value, err := keylessCodec[V](ctx, handle)
	if err != nil {
		return nil, err
	}
	return &QueueMap[V]{handle, value}, nil
}

func createKeyless[V any](ctx context.Context, client *Client, spec *Spec, options *CreateOptions) (*Handle, error) {
	sized, err := sizedSpec[[]byte, V](spec)
	if err != nil {
		return nil, err
	}
	if options == nil {
		options = &CreateOptions{}
	}
	return client.create(ctx, sized, options, nil)
}

func keylessCodec[V any](ctx context.Context, handle *Handle) (*codec[V], error) {
	host, err := handle.client.knownHost(ctx)
	if err != nil {
		return nil, err
	}
	return newCodec[V](handle.valueShape(host, true))
}

// Push adds values, in order. Fails with ErrMapFull, with those before it added.
func (q *QueueMap[V]) Push(ctx context.Context, values ...V) error {
	return push(ctx, q.Handle, q.value, values, false)
}

// PushOverwriting adds values, in order, and drops the oldest ones where there is no
// room.
func (q *QueueMap[V]) PushOverwriting(ctx context.Context, values ...V) error {
	return push(ctx, q.Handle, q.value, values, true)
}

func push[V any](ctx context.Context, h *Handle, of *codec[V], values []V, overwrite bool) error {
	if len(values) == 0 {
		return nil
	}
	encoded, err := of.column(values)
	if err != nil {
		return err
	}
	_, err = call(ctx, h.client, h.client.maps.PushElements, &bpfmapv1.PushElementsRequest{
		Map: h.ref.Proto(), Values: encoded.bytes, Count: uint32(len(values)), OverwriteOldest: overwrite,
	})
	return err
}

// Pop takes the next value: the oldest of a queue, the newest of a stack. Fails with
// ErrKeyNotExist where it is empty.
func (q *QueueMap[V]) Pop(ctx context.Context) (V, error) {
	var none V
	values, err := q.PopUpTo(ctx, 1)
	if err != nil {
		return none, err
	}
	if len(values) == 0 {
		return none, q.empty()
	}
	return values[0], nil
}

// PopUpTo takes as many values as there are, up to a number, in the order they come out.
func (q *QueueMap[V]) PopUpTo(ctx context.Context, count uint32) ([]V, error) {
	if count == 0 {
		return nil, nil
	}
	answer, err := call(ctx, q.client, q.client.maps.PopElements, &bpfmapv1.PopElementsRequest{
		Map: q.ref.Proto(), MaxCount: count,
	})
	if err != nil {
		return nil, err
	}
	count, popped := answer.GetElements().GetCount(), valuesOf(answer.GetElements())
	if !q.value.has(popped, int(count)) {
		return nil, protocolError("sent %d bytes for %d values of %s", len(popped.bytes), count, q)
	}
	values := make([]V, count)
	for i := range values {
		if values[i], err = q.value.at(popped, i); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// Peek gives the value that Pop would take. Fails with ErrKeyNotExist where there is
// none.
func (q *QueueMap[V]) Peek(ctx context.Context) (V, error) {
	var none V
	answer, err := call(ctx, q.client, q.client.maps.PeekElement, &bpfmapv1.PeekElementRequest{Map: q.ref.Proto()})
	if err != nil {
		return none, err
	}
	if !answer.GetFound() {
		return none, q.empty()
	}
	if len(answer.GetValue()) != q.value.size {
		return none, protocolError("sent a value of %d bytes, %s has %d", len(answer.GetValue()), q, q.value.size)
	}
	return q.value.get(answer.GetValue())
}

func (q *QueueMap[V]) empty() error {
	e := errorOfElement(bpfmapv1.ErrorReason_ERROR_REASON_ELEMENT_NOT_FOUND, "pop", q.String())
	e.Message = q.String() + " is empty"
	return e
}

// BloomFilterMap is a bloom filter with a Go type for its values.
type BloomFilterMap[V any] struct {
	*Handle
	value *codec[V]
}

// OpenBloomFilter opens a bloom filter. Fails with ErrNotSupported for other maps.
func OpenBloomFilter[V any](ctx context.Context, client *Client, ref Ref) (*BloomFilterMap[V], error) {
	handle, err := client.Open(ctx, ref)
	if err != nil {
		return nil, err
	}
	return bloomFilterOf[V](ctx, handle)
}

// CreateBloomFilter creates a bloom filter; Spec.Type can be left out.
func CreateBloomFilter[V any](ctx context.Context, client *Client, spec *Spec, options *CreateOptions) (*BloomFilterMap[V], error) {
	typed := Spec{}
	if spec != nil {
		typed = *spec
	}
	if typed.Type == bpfmapv1.MapType_MAP_TYPE_UNSPECIFIED {
		typed.Type = BloomFilter
	}
	handle, err := createKeyless[V](ctx, client, &typed, options)
	if err != nil {
		return nil, err
	}
	return bloomFilterOf[V](ctx, handle)
}

func bloomFilterOf[V any](ctx context.Context, handle *Handle) (*BloomFilterMap[V], error) {
	if handle.info.GetType() != BloomFilter {
		return nil, unsupported("%s is no bloom filter", handle)
	}
	value, err := keylessCodec[V](ctx, handle)
	if err != nil {
		return nil, err
	}
	return &BloomFilterMap[V]{handle, value}, nil
}

// Add adds values.
func (b *BloomFilterMap[V]) Add(ctx context.Context, values ...V) error {
	return push(ctx, b.Handle, b.value, values, false)
}

// MayContain tells whether a value may have been added; false means that it surely was
// not.
func (b *BloomFilterMap[V]) MayContain(ctx context.Context, value V) (bool, error) {
	encoded, err := b.value.one(value)
	if err != nil {
		return false, err
	}
	answer, err := call(ctx, b.client, b.client.maps.PeekElement, &bpfmapv1.PeekElementRequest{
		Map: b.ref.Proto(), Value: encoded.bytes,
	})
	return answer.GetFound(), err
}
