package bpfmap

import (
	"context"

	bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"
)

// Map is a map with Go types for its keys and values: see the package's documentation
// for which. It is made by OpenMap or CreateMap, can be used by several goroutines at
// once, holds nothing on the host and needs no closing.
type Map[K, V any] struct {
	*Handle
	key    *codec[K]
	value  *codec[V]
	view   *bpfmapv1.CpuView
	target *bpfmapv1.CpuTarget
	calls  *elementCalls
}

// UpdateFlags say what an update may do. They are the kernel's.
type UpdateFlags uint32

// Flags of updates. UpdateLock can be combined with one of the others by OR.
const (
	// UpdateAny adds the element or changes its value.
	UpdateAny UpdateFlags = 0
	// UpdateNoExist only adds: it fails with ErrKeyExist where the key is there.
	UpdateNoExist UpdateFlags = 1
	// UpdateExist only changes: it fails with ErrKeyNotExist where the key is not there.
	UpdateExist UpdateFlags = 2
	// UpdateLock takes the value's bpf_spin_lock while it is written.
	UpdateLock UpdateFlags = 4
)

// LookupFlags say how a lookup reads. They are the kernel's.
type LookupFlags uint32

// LookupLock takes the value's bpf_spin_lock while it is read.
const LookupLock LookupFlags = 4

// Lookup gives the value of a key. Fails with ErrKeyNotExist.
func (m *Map[K, V]) Lookup(ctx context.Context, key K) (V, error) {
	return m.LookupWithFlags(ctx, key, 0)
}

// LookupWithFlags is Lookup with flags.
func (m *Map[K, V]) LookupWithFlags(ctx context.Context, key K, flags LookupFlags) (V, error) {
	return m.read(ctx, element{kind: lookupElement, lock: flags&LookupLock != 0}, key, uint32(flags&^LookupLock))
}

// LookupAndDelete gives the value of a key and deletes the element, in one step of the
// kernel. Fails with ErrKeyNotExist.
func (m *Map[K, V]) LookupAndDelete(ctx context.Context, key K) (V, error) {
	if m.view != nil || m.target != nil {
		var none V
		return none, m.wholeOnly("LookupAndDelete")
	}
	return m.read(ctx, element{kind: takeElement}, key, 0)
}

func (m *Map[K, V]) read(ctx context.Context, what element, key K, unknown uint32) (V, error) {
	var none V
	if err := m.readable(unknown); err != nil {
		return none, err
	}
	encoded, err := m.key.one(key)
	if err != nil {
		return none, err
	}
	value, err := m.calls.do(ctx, what, encoded, &column{})
	if err != nil {
		return none, err
	}
	return m.value.at(value, 0)
}

// Put adds the element or changes its value: Update with UpdateAny.
func (m *Map[K, V]) Put(ctx context.Context, key K, value V) error {
	return m.Update(ctx, key, value, UpdateAny)
}

// Update writes an element, as far as the flags allow. Fails with ErrKeyExist,
// ErrKeyNotExist, ErrMapFull or ErrMapFrozen.
func (m *Map[K, V]) Update(ctx context.Context, key K, value V, flags UpdateFlags) error {
	what, err := m.updating(flags)
	if err != nil {
		return err
	}
	k, err := m.key.one(key)
	if err != nil {
		return err
	}
	v, err := m.value.one(value)
	if err != nil {
		return err
	}
	_, err = m.calls.do(ctx, what, k, v)
	return err
}

// Delete deletes an element. Fails with ErrKeyNotExist.
func (m *Map[K, V]) Delete(ctx context.Context, key K) error {
	encoded, err := m.key.one(key)
	if err != nil {
		return err
	}
	_, err = m.calls.do(ctx, element{kind: deleteElement}, encoded, &column{})
	return err
}

// FirstKey gives the first key in the kernel's order. Fails with ErrKeyNotExist where
// the map is empty.
func (m *Map[K, V]) FirstKey(ctx context.Context) (K, error) {
	return m.nextKey(ctx, &bpfmapv1.NextKeyRequest{})
}

// NextKey gives the key after another in the kernel's order. Fails with ErrKeyNotExist
// after the last. Where the given key is not in the map, the kernel starts again at the
// first. For more than a few keys use Dump.
func (m *Map[K, V]) NextKey(ctx context.Context, key K) (K, error) {
	encoded, err := m.key.one(key)
	if err != nil {
		var none K
		return none, err
	}
	request := &bpfmapv1.NextKeyRequest{Key: encoded.bytes}
	if len(encoded.texts) > 0 {
		request.JsonKey = &encoded.texts[0]
	}
	return m.nextKey(ctx, request)
}

func (m *Map[K, V]) nextKey(ctx context.Context, request *bpfmapv1.NextKeyRequest) (K, error) {
	var none K
	if err := m.listable(); err != nil {
		return none, err
	}
	request.Map, request.Format, request.Typing = m.ref.Proto(), m.format(), m.typing()
	answer, err := call(ctx, m.client, m.client.maps.NextKey, request)
	if err != nil {
		return none, err
	}
	next := &column{bytes: answer.GetNextKey(), texts: []string{answer.GetNextJsonKey()}}
	if !m.key.has(next, 1) {
		return none, protocolError("sent a key of %d bytes, %s has keys of %d", len(next.bytes), m, m.key.size)
	}
	return m.key.at(next, 0)
}

// format is how elements stand in answers.
func (m *Map[K, V]) format() bpfmapv1.Format {
	if m.key.form == inJSON {
		return bpfmapv1.Format_FORMAT_JSON
	}
	return bpfmapv1.Format_FORMAT_BYTES
}

// typing is the types that elements as JSON are of; nil for the map's own.
func (m *Map[K, V]) typing() *bpfmapv1.Typing {
	if m.key.form == inJSON {
		return m.types.proto()
	}
	return nil
}

// listable refuses to list keys that are kernel objects, which the kernel cannot name.
func (m *Map[K, V]) listable() error {
	if m.key.form == inObjectKeys {
		return unsupported("the kernel does not list the keys of %s by their objects", m)
	}
	return nil
}

// updating checks flags and gives what they ask for.
func (m *Map[K, V]) updating(flags UpdateFlags) (element, error) {
	if m.view != nil && m.target == nil {
		return element{}, invalid(ErrFieldInvalid, "cpu_target", "%s was opened for reading single values only: give OpenOptions.Target too", m)
	}
	mode := flags &^ UpdateLock
	if mode > UpdateExist {
		return element{}, invalid(ErrUnknownFlag, "mode", "there are no update flags %#x", uint32(flags))
	}
	return element{kind: updateElement, mode: mode, lock: flags&UpdateLock != 0}, nil
}

// readable refuses to read single values where only their writing was asked for.
func (m *Map[K, V]) readable(unknown uint32) error {
	if unknown != 0 {
		return invalid(ErrUnknownFlag, "lock", "there are no lookup flags %#x", unknown)
	}
	if m.target != nil && m.view == nil {
		return invalid(ErrFieldInvalid, "cpu_view", "%s was opened for writing single values only: give OpenOptions.View too", m)
	}
	return nil
}

func (m *Map[K, V]) wholeOnly(what string) error {
	return invalid(ErrFieldInvalid, "cpu_view", "%s gives whole values: open %s without View and Target", what, m)
}
