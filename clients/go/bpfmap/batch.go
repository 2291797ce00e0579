package bpfmap

import (
	"context"
	"errors"
	"slices"

	bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"
)

// BatchOptions say how a batch is done.
type BatchOptions struct {
	// Flags are those of each update.
	Flags UpdateFlags
	// ContinueOnError goes on after an element that was refused; without it a batch ends
	// at the first. Lookups always go on.
	ContinueOnError bool
}

func (o *BatchOptions) onError() bpfmapv1.OnError {
	if o != nil && o.ContinueOnError {
		return bpfmapv1.OnError_ON_ERROR_CONTINUE
	}
	return bpfmapv1.OnError_ON_ERROR_STOP
}

// BatchLookup gives the values of keys, in their order. Where keys are not there it also
// fails with a *BatchError that lists them; their values are zero, those of the others
// are good.
//
// As all batches it is split into RPCs of 1 MiB and 65536 elements, which are made one
// after the other.
func (m *Map[K, V]) BatchLookup(ctx context.Context, keys []K) ([]V, error) {
	if err := m.readable(0); err != nil {
		return nil, err
	}
	return m.readBatch(ctx, keys, lookupElement)
}

// BatchLookupAndDelete is BatchLookup that deletes the elements too, each in one step of
// the kernel.
func (m *Map[K, V]) BatchLookupAndDelete(ctx context.Context, keys []K) ([]V, error) {
	if m.view != nil || m.target != nil {
		return nil, m.wholeOnly("BatchLookupAndDelete")
	}
	return m.readBatch(ctx, keys, takeElement)
}

func (m *Map[K, V]) readBatch(ctx context.Context, keys []K, kind elementKind) ([]V, error) {
	encoded, err := m.key.column(keys)
	if err != nil {
		return nil, err
	}
	values := make([]V, len(keys))
	var failures []ElementError
	for start, part := range m.parts(len(keys)) {
		answer, err := m.readPart(ctx, kind, m.key.part(encoded, start, start+part), part)
		if err != nil {
			return values, err
		}
		failed := m.failuresOf(answer.failures, kind, start)
		failures = append(failures, failed...)
		for i := range part {
			if isFailed(failed, start+i) {
				continue
			}
			if values[start+i], err = m.value.at(answer.values, i); err != nil {
				return values, err
			}
		}
	}
	return values, batchError(failures)
}

func (m *Map[K, V]) readPart(ctx context.Context, kind elementKind, keys *column, count int) (answered, error) {
	c, ref, n := m.client, m.ref.Proto(), uint32(count)
	if kind == takeElement {
		r, err := call(ctx, c, c.maps.TakeElements, &bpfmapv1.TakeElementsRequest{
			Map: ref, Keys: keys.bytes, JsonKeys: keys.texts, ObjectKeys: keys.objectKeys, Count: n,
			OnError: bpfmapv1.OnError_ON_ERROR_CONTINUE, Format: m.format(), Typing: m.typing(),
		})
		return m.calls.checked(r, n, err)
	}
	r, err := call(ctx, c, c.maps.LookupElements, &bpfmapv1.LookupElementsRequest{
		Map: ref, Keys: keys.bytes, JsonKeys: keys.texts, ObjectKeys: keys.objectKeys, Count: n,
		CpuView: m.view, OnError: bpfmapv1.OnError_ON_ERROR_CONTINUE, Format: m.format(), Typing: m.typing(),
	})
	return m.calls.checked(r, n, err)
}

// BatchUpdate writes elements in order and tells how many were written. Elements that
// were refused are in a *BatchError. keys and values must have the same length.
func (m *Map[K, V]) BatchUpdate(ctx context.Context, keys []K, values []V, options *BatchOptions) (int, error) {
	if len(keys) != len(values) {
		return 0, invalid(ErrFieldInvalid, "elements", "%d keys and %d values given", len(keys), len(values))
	}
	if options == nil {
		options = &BatchOptions{}
	}
	what, err := m.updating(options.Flags)
	if err != nil {
		return 0, err
	}
	keyColumn, err := m.key.column(keys)
	if err != nil {
		return 0, err
	}
	valueColumn, err := m.value.column(values)
	if err != nil {
		return 0, err
	}
	return m.writeBatch(len(keys), updateElement, func(start, part int) (applied, error) {
		return call(ctx, m.client, m.client.maps.UpdateElements, &bpfmapv1.UpdateElementsRequest{
			Map:      m.ref.Proto(),
			Elements: elementsOf(part, m.key.part(keyColumn, start, start+part), m.value.part(valueColumn, start, start+part)),
			Mode:     modeOf(what.mode), Lock: what.lock, CpuTarget: m.target, OnError: options.onError(), Typing: m.typing(),
		})
	})
}

// BatchDelete deletes elements in order and tells how many were deleted. Keys that were
// not there are in a *BatchError.
func (m *Map[K, V]) BatchDelete(ctx context.Context, keys []K, options *BatchOptions) (int, error) {
	encoded, err := m.key.column(keys)
	if err != nil {
		return 0, err
	}
	return m.writeBatch(len(keys), deleteElement, func(start, part int) (applied, error) {
		keys := m.key.part(encoded, start, start+part)
		return call(ctx, m.client, m.client.maps.DeleteElements, &bpfmapv1.DeleteElementsRequest{
			Map: m.ref.Proto(), Keys: keys.bytes, JsonKeys: keys.texts, ObjectKeys: keys.objectKeys, Count: uint32(part),
			OnError: options.onError(), Typing: m.typing(),
		})
	})
}

// applied is what the answers to writes have.
type applied interface {
	GetApplied() uint32
	GetFailures() []*bpfmapv1.ElementFailure
}

func (m *Map[K, V]) writeBatch(count int, kind elementKind, write func(start, part int) (applied, error)) (int, error) {
	done := 0
	var failures []ElementError
	for start, part := range m.parts(count) {
		answer, err := write(start, part)
		if err != nil {
			n, stopped := stoppedAt(err, start, failures)
			return done + n, stopped
		}
		done += int(answer.GetApplied())
		failures = append(failures, m.failuresOf(answer.GetFailures(), kind, start)...)
	}
	return done, batchError(failures)
}

// stoppedAt tells which element a part of a batch ended at, beside those that failed
// before, and how many of the part were done. Errors of the whole call stay as they are.
func stoppedAt(err error, start int, before []ElementError) (int, error) {
	var e *Error
	if !errors.As(err, &e) || e.number("index") < 0 {
		return 0, err
	}
	here := ElementError{start + e.number("index"), e}
	return max(e.number("applied"), 0), &BatchError{append(before, here)}
}

// parts gives the start and length of each RPC of a batch.
func (m *Map[K, V]) parts(count int) func(yield func(start, part int) bool) {
	const maxElements = 65536
	size := min(max(maxRPCBytes/(m.key.weight+m.value.weight), 1), maxElements)
	return func(yield func(start, part int) bool) {
		for start := 0; start < count; start += size {
			if !yield(start, min(size, count-start)) {
				return
			}
		}
	}
}

func (m *Map[K, V]) failuresOf(failures []*bpfmapv1.ElementFailure, kind elementKind, start int) []ElementError {
	all := make([]ElementError, len(failures))
	for i, failure := range failures {
		all[i] = ElementError{start + int(failure.GetIndex()), errorOfElement(failure.GetReason(), kind.String(), m.String())}
	}
	slices.SortFunc(all, func(a, b ElementError) int { return a.Index - b.Index })
	return all
}

func isFailed(failures []ElementError, index int) bool {
	_, found := slices.BinarySearchFunc(failures, index, func(e ElementError, i int) int { return e.Index - i })
	return found
}

func batchError(failures []ElementError) error {
	if len(failures) == 0 {
		return nil
	}
	return &BatchError{failures}
}
