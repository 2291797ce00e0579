package bpfmap

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"
)

// element is what a call wants with an element. Calls that want the same can share an
// RPC.
type element struct {
	kind elementKind
	mode UpdateFlags
	lock bool
}

type elementKind uint8

const (
	lookupElement elementKind = iota
	updateElement
	deleteElement
	takeElement
)

func (k elementKind) String() string {
	return [...]string{"lookup", "update", "delete", "lookup and delete"}[k]
}

// elementCalls makes the calls on single elements of one map, gathered where they come
// together.
type elementCalls struct {
	handle *Handle
	view   *bpfmapv1.CpuView
	target *bpfmapv1.CpuTarget
	value  wire
	format bpfmapv1.Format
	typing *bpfmapv1.Typing
	gather *gatherer
}

func newElementCalls[K, V any](m *Map[K, V], batching Batching) *elementCalls {
	c := &elementCalls{
		handle: m.Handle, view: m.view, target: m.target, value: m.value.wire, format: m.format(), typing: m.typing(),
	}
	if !batching.Off {
		c.gather = newGatherer(batching, m.client.timeout, c.send)
	}
	return c
}

// do makes one call and gives the value, for those that have one.
func (c *elementCalls) do(ctx context.Context, what element, key, value *column) (*column, error) {
	if ctx.Err() != nil {
		return nil, contextError(ctx)
	}
	one := &pendingCall{what: what, key: key, value: value, bytes: key.weight() + max(value.weight(), c.value.weight)}
	// Headers of a caller's own cannot be shared with others.
	if headers, _ := metadata.FromOutgoingContext(ctx); c.gather == nil || len(headers) > 0 {
		c.send(ctx, []*pendingCall{one})
		return one.result, one.err
	}
	return c.gather.do(ctx, one)
}

// send makes calls that want the same, and gives each its result. One that the daemon
// refuses as malformed does not spoil the others: they are sent again without it.
func (c *elementCalls) send(ctx context.Context, calls []*pendingCall) {
	ctx, cancel := c.handle.client.bounded(ctx)
	defer cancel()
	for len(calls) > 0 {
		answer, err := c.exchange(ctx, calls)
		if err != nil {
			calls = settle(calls, c.handle.client.errorOf(ctx, err))
			continue
		}
		c.deliver(calls, answer)
		return
	}
}

// answered is what the answers of all four RPCs have.
type answered struct {
	values   *column
	failures []*bpfmapv1.ElementFailure
}

func (c *elementCalls) exchange(ctx context.Context, calls []*pendingCall) (answered, error) {
	ref, count := c.handle.ref.Proto(), uint32(len(calls))
	keys, values := joined(calls)
	what := calls[0].what
	// A single call is answered with a whole status instead of only a reason.
	onError := bpfmapv1.OnError_ON_ERROR_STOP
	if count > 1 {
		onError = bpfmapv1.OnError_ON_ERROR_CONTINUE
	}
	pipeline := c.handle.client.pipeline
	switch what.kind {
	case lookupElement:
		r, err := pipeline.lookup(ctx, &bpfmapv1.LookupElementsRequest{
			Map: ref, Keys: keys.bytes, JsonKeys: keys.texts, ObjectKeys: keys.objectKeys, Count: count,
			CpuView: c.view, Lock: what.lock, OnError: onError, Format: c.format, Typing: c.typing,
		})
		return c.checked(r, count, err)
	case updateElement:
		r, err := pipeline.update(ctx, &bpfmapv1.UpdateElementsRequest{
			Map: ref, Elements: elementsOf(len(calls), keys, values),
			Mode: modeOf(what.mode), CpuTarget: c.target, Lock: what.lock, OnError: onError, Typing: c.typing,
		})
		return answered{failures: r.GetFailures()}, err
	case deleteElement:
		r, err := pipeline.delete(ctx, &bpfmapv1.DeleteElementsRequest{
			Map: ref, Keys: keys.bytes, JsonKeys: keys.texts, ObjectKeys: keys.objectKeys, Count: count,
			OnError: onError, Typing: c.typing,
		})
		return answered{failures: r.GetFailures()}, err
	default:
		r, err := pipeline.take(ctx, &bpfmapv1.TakeElementsRequest{
			Map: ref, Keys: keys.bytes, JsonKeys: keys.texts, ObjectKeys: keys.objectKeys, Count: count,
			OnError: onError, Format: c.format, Typing: c.typing,
		})
		return c.checked(r, count, err)
	}
}

func (c *elementCalls) checked(r interface {
	GetElements() *bpfmapv1.Elements
	GetFailures() []*bpfmapv1.ElementFailure
}, count uint32, err error) (answered, error) {
	if err != nil {
		return answered{}, err
	}
	values := valuesOf(r.GetElements())
	if r.GetElements().GetCount() != count || !c.value.has(values, int(count)) {
		return answered{}, protocolError("answered %d values of %d bytes in all, asked were %d of %d each",
			r.GetElements().GetCount(), values.weight(), count, c.value.weight)
	}
	return answered{values, r.GetFailures()}, nil
}

func (c *elementCalls) deliver(calls []*pendingCall, answer answered) {
	if answer.values != nil {
		for i, one := range calls {
			one.result = c.value.part(answer.values, i, i+1)
		}
	}
	for _, failure := range answer.failures {
		if i := int(failure.GetIndex()); i < len(calls) {
			calls[i].err = errorOfElement(failure.GetReason(), calls[i].what.kind.String(), c.handle.String())
		}
	}
}

// settle gives calls the error that their RPC failed with, and returns those that are to
// be sent again: those that had no part in it.
func settle(calls []*pendingCall, err error) []*pendingCall {
	e, ok := err.(*Error)
	index := -1
	if ok && len(calls) > 1 {
		index = e.number("index")
	}
	if index < 0 || index >= len(calls) {
		fail(calls, err)
		return nil
	}
	calls[index].err = e
	before, after := calls[:index], calls[index+1:]
	if applied := e.number("applied"); applied < 0 {
		// Refused before anything was done.
		return append(before[:index:index], after...)
	} else if applied != index {
		// Some of them were refused and the answer does not say which.
		fail(before, unknownOutcome(e))
	} else if kind := calls[0].what.kind; kind == takeElement {
		fail(before, unknownOutcome(e))
	} else if kind == lookupElement {
		// Done, but their values are in no answer.
		after = append(before[:index:index], after...)
	}
	if e.Code != codes.InvalidArgument {
		// It lies in the map, not in the element: the next ones would end the same way.
		fail(after, err)
		return nil
	}
	return after
}

// fail gives calls the same error.
func fail(calls []*pendingCall, err error) {
	for _, one := range calls {
		one.err = err
	}
}

// unknownOutcome is the error of a call that shared an RPC with the one at fault, and
// may have been done.
func unknownOutcome(e *Error) *Error {
	other := *e
	other.Message = "it is not known whether this was done; another element of the same RPC: " + e.Message
	return &other
}

func joined(calls []*pendingCall) (keys, values *column) {
	first := calls[0]
	if len(calls) == 1 {
		return first.key, first.value
	}
	keys = &column{bytes: make([]byte, 0, len(calls)*len(first.key.bytes))}
	values = &column{bytes: make([]byte, 0, len(calls)*len(first.value.bytes))}
	for _, one := range calls {
		keys.append(one.key)
		values.append(one.value)
	}
	return keys, values
}

func modeOf(flags UpdateFlags) bpfmapv1.UpdateMode {
	switch flags {
	case UpdateNoExist:
		return bpfmapv1.UpdateMode_UPDATE_MODE_NOEXIST
	case UpdateExist:
		return bpfmapv1.UpdateMode_UPDATE_MODE_EXIST
	default:
		return bpfmapv1.UpdateMode_UPDATE_MODE_ANY
	}
}
