package bpfmap_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/bpfmapd/bpfmapd/clients/go/bpfmap"
	bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"
)

type flow struct {
	Source, Target uint32
	Port           uint16
	_              [2]byte
	Weight         float32
}

type counters struct {
	Packets, Bytes uint64
	Last           [3]int32
	Seen           bool
	_              [3]byte
}

func TestReadsAndWritesElementsOfStructs(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	m := create[flow, counters](t, connect(t, shared), hash(8))
	key := flow{Source: 1, Target: 2, Port: 443, Weight: 1.5}
	value := counters{Packets: 1 << 40, Bytes: 7, Last: [3]int32{-1, 0, 1}, Seen: true}

	_, err := m.Lookup(ctx, key)
	wantError(t, err, bpfmap.ErrKeyNotExist)
	must(t, m.Put(ctx, key, value))
	got, err := m.Lookup(ctx, key)
	must(t, err)
	equal(t, got, value)

	wantError(t, m.Update(ctx, key, value, bpfmap.UpdateNoExist), bpfmap.ErrKeyExist)
	other := key
	other.Port = 80
	wantError(t, m.Update(ctx, other, value, bpfmap.UpdateExist), bpfmap.ErrKeyNotExist)
	value.Bytes = 8
	must(t, m.Update(ctx, key, value, bpfmap.UpdateExist))

	taken, err := m.LookupAndDelete(ctx, key)
	must(t, err)
	equal(t, taken, value)
	wantError(t, m.Delete(ctx, key), bpfmap.ErrKeyNotExist)
}

func TestWritesWhatBpftoolReads(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	m := create[uint32, uint64](t, connect(t, shared), hash(8))
	must(t, m.Put(ctx, 0x01020304, 0xa1))
	id := fmt.Sprint(m.ID())
	output := bpftool(t, "map", "lookup", "id", id, "key", "hex", "04", "03", "02", "01")
	if !strings.Contains(output, "value: a1 00 00 00 00 00 00 00") {
		t.Fatalf("bpftool says %s", output)
	}
	bpftool(t, "map", "update", "id", id, "key", "hex", "05", "00", "00", "00", "value", "hex", "00", "01", "00", "00", "00", "00", "00", "00")
	value, err := m.Lookup(ctx, 5)
	must(t, err)
	equal(t, value, 256)
}

func TestPassesBytesOnAsTheyAre(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	spec := hash(4)
	spec.KeySize, spec.ValueSize = 3, 5
	m := create[[]byte, []byte](t, connect(t, shared), spec)
	must(t, m.Put(ctx, []byte("abc"), []byte("value")))
	value, err := m.Lookup(ctx, []byte("abc"))
	must(t, err)
	if !bytes.Equal(value, []byte("value")) {
		t.Fatalf("got %q", value)
	}
	wantError(t, m.Put(ctx, []byte("ab"), []byte("value")), bpfmap.ErrKeySize)
	wantError(t, m.Put(ctx, []byte("abc"), []byte("long value")), bpfmap.ErrValueSize)
	_, err = m.BatchUpdate(ctx, [][]byte{[]byte("abc"), []byte("d")}, [][]byte{[]byte("12345"), []byte("12345")}, nil)
	wantError(t, err, bpfmap.ErrKeySize)
	value, err = m.Lookup(ctx, []byte("abc"))
	must(t, err)
	equal(t, string(value), "value")
}

func TestTakesTypesThatMarshalThemselves(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	spec := hash(4)
	spec.KeySize = 4
	m := create[netip.Addr, uint32](t, connect(t, shared), spec)
	must(t, m.Put(ctx, netip.MustParseAddr("192.0.2.7"), 7))
	wantError(t, m.Put(ctx, netip.MustParseAddr("2001:db8::1"), 7), bpfmap.ErrKeySize)
	for key, value := range m.Dump(ctx, nil).All() {
		equal(t, key, netip.MustParseAddr("192.0.2.7"))
		equal(t, value, 7)
	}
}

func TestRefusesTypesThatDoNotFitTheMap(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	client := connect(t, shared)
	m := create[uint32, uint64](t, client, hash(4))

	_, err := bpfmap.OpenMap[uint64, uint64](ctx, client, m.Ref(), nil)
	wantError(t, err, bpfmap.ErrKeySize)
	if !strings.Contains(err.Error(), "uint64 has 8 bytes") {
		t.Errorf("the error does not say what is wrong: %v", err)
	}
	_, err = bpfmap.OpenMap[uint32, uint32](ctx, client, m.Ref(), nil)
	wantError(t, err, bpfmap.ErrValueSize)
	_, err = bpfmap.OpenMap[uint32, int](ctx, client, m.Ref(), nil)
	wantError(t, err, bpfmap.ErrValueSize)
	_, err = bpfmap.OpenMap[uint32, *uint64](ctx, client, m.Ref(), nil)
	wantError(t, err, bpfmap.ErrValueSize)
	_, err = bpfmap.OpenMap[uint32, []uint64](ctx, client, m.Ref(), nil)
	wantError(t, err, bpfmap.ErrValueSize)
	_, err = bpfmap.OpenMap[uint32, struct {
		A uint32
		B uint64
	}](ctx, client, m.Ref(), nil)
	wantError(t, err, bpfmap.ErrValueSize)
	if !strings.Contains(err.Error(), "4 bytes of padding after A") {
		t.Errorf("the error does not name the padding: %v", err)
	}
	_, err = bpfmap.OpenMap[uint32, uint64](ctx, client, bpfmap.Named("no_such_map"), nil)
	wantError(t, err, bpfmap.ErrMapNotExist)
}

func TestReadsAndWritesPerCPUValues(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	client := connect(t, shared)
	m := create[uint32, []uint32](t, client, bpfmap.Spec{Type: bpfmap.PerCPUHash, MaxEntries: 4})
	cpus := len(m.CPUs())
	if cpus == 0 {
		t.Fatal("the map has no CPUs")
	}
	slots := make([]uint32, cpus)
	for i := range slots {
		slots[i] = uint32(i + 1)
	}
	must(t, m.Put(ctx, 1, slots))
	got, err := m.Lookup(ctx, 1)
	must(t, err)
	if !slices.Equal(got, slots) {
		t.Fatalf("got %v, want %v", got, slots)
	}
	wantError(t, m.Put(ctx, 1, slots[1:]), bpfmap.ErrValueSize)

	_, err = bpfmap.OpenMap[uint32, uint32](ctx, client, m.Ref(), nil)
	wantError(t, err, bpfmap.ErrValueSize)
	sum, err := bpfmap.OpenMap[uint32, uint32](ctx, client, m.Ref(), &bpfmap.OpenOptions{View: bpfmap.Folded(bpfmap.SumU32)})
	must(t, err)
	total, err := sum.Lookup(ctx, 1)
	must(t, err)
	equal(t, total, uint32(cpus*(cpus+1)/2))
	wantError(t, sum.Put(ctx, 1, 1), bpfmap.ErrFieldInvalid)

	one, err := bpfmap.OpenMap[uint32, uint32](ctx, client, m.Ref(), &bpfmap.OpenOptions{
		View: bpfmap.ReadCPU(m.CPUs()[0]), Target: bpfmap.WriteAllCPUs(),
	})
	must(t, err)
	must(t, one.Put(ctx, 1, 9))
	first, err := one.Lookup(ctx, 1)
	must(t, err)
	equal(t, first, 9)
	_, err = one.LookupAndDelete(ctx, 1)
	wantError(t, err, bpfmap.ErrFieldInvalid)

	raw, err := bpfmap.OpenMap[uint32, [][]byte](ctx, client, m.Ref(), nil)
	must(t, err)
	all, err := raw.Lookup(ctx, 1)
	must(t, err)
	equal(t, len(all), cpus)
	equal(t, binary.LittleEndian.Uint32(all[cpus-1]), 9)
	for key, value := range m.Dump(ctx, nil).All() {
		equal(t, key, 1)
		equal(t, value[cpus-1], 9)
	}
}

func TestFindsTheLongestPrefix(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	m := create[bpfmap.IPv4Prefix, uint32](t, connect(t, shared), bpfmap.Spec{
		Type: bpfmap.LPMTrie, MaxEntries: 8, Flags: uint32(bpfmapv1.CreateFlag_CREATE_FLAG_NO_PREALLOC),
	})
	wide, err := bpfmap.IPv4PrefixOf(netip.MustParsePrefix("10.0.0.0/8"))
	must(t, err)
	must(t, m.Put(ctx, wide, 8))
	host, err := bpfmap.IPv4PrefixOf(netip.MustParsePrefix("10.1.2.3/32"))
	must(t, err)
	value, err := m.Lookup(ctx, host)
	must(t, err)
	equal(t, value, 8)
	for key := range m.Dump(ctx, nil).Keys() {
		equal(t, key.Prefix(), netip.MustParsePrefix("10.0.0.0/8"))
	}
	wantError(t, m.Put(ctx, bpfmap.IPv4Prefix{Bits: 33}, 1), bpfmap.ErrKeyOutOfRange)
}

func TestWalksKeys(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	m := create[uint32, uint32](t, connect(t, shared), hash(8))
	_, err := m.FirstKey(ctx)
	wantError(t, err, bpfmap.ErrKeyNotExist)
	for key := range uint32(5) {
		must(t, m.Put(ctx, key, key))
	}
	var keys []uint32
	key, err := m.FirstKey(ctx)
	for err == nil {
		keys = append(keys, key)
		key, err = m.NextKey(ctx, key)
	}
	wantError(t, err, bpfmap.ErrKeyNotExist)
	slices.Sort(keys)
	if !slices.Equal(keys, []uint32{0, 1, 2, 3, 4}) {
		t.Fatalf("walked %v", keys)
	}
}

func TestErrorsTellReasonStatusAndFields(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	client := connect(t, shared)
	_, err := bpfmap.CreateMap[uint32, uint64](ctx, client, &bpfmap.Spec{Type: bpfmap.Hash}, &bpfmap.CreateOptions{Hold: holdName(client, t)})
	wantError(t, err, bpfmap.ErrSpecInvalid)
	var e *bpfmap.Error
	if !errors.As(err, &e) {
		t.Fatalf("%T is no *bpfmap.Error", err)
	}
	equal(t, e.Reason, "SPEC_INVALID")
	equal(t, e.Code, codes.InvalidArgument)
	equal(t, status.Code(err), codes.InvalidArgument)
	if len(e.Violations) == 0 || e.Violations[0].Field != "spec.max_entries" {
		t.Errorf("the violations are %v", e.Violations)
	}
	if errors.Is(err, bpfmap.ErrMapFull) {
		t.Error("the error is of two reasons")
	}

	m := create[uint32, uint64](t, client, hash(1))
	must(t, m.Put(ctx, 1, 1))
	err = m.Put(ctx, 2, 2)
	wantError(t, err, bpfmap.ErrMapFull)
	if !errors.As(err, &e) || e.Metadata["operation"] == "" {
		t.Errorf("the metadata are %v", e.Metadata)
	}
	must(t, m.Freeze(ctx))
	wantError(t, m.Put(ctx, 1, 2), bpfmap.ErrMapFrozen)
	wantError(t, m.Freeze(ctx), bpfmap.ErrMapFrozen)

	cancelled, cancel := context.WithCancelCause(ctx)
	reason := errors.New("the caller had enough")
	cancel(reason)
	_, err = m.Lookup(cancelled, 1)
	wantError(t, err, context.Canceled)
	wantError(t, err, reason)
	equal(t, status.Code(err), codes.Canceled)
}

func TestSaysThatThereIsNoDaemon(t *testing.T) {
	t.Parallel()
	client, err := bpfmap.Dial("unix:" + t.TempDir() + "/none.sock")
	must(t, err)
	_, err = client.Host(within(t))
	equal(t, status.Code(err), codes.Unavailable)
	if !strings.Contains(err.Error(), "none.sock") {
		t.Errorf("the error does not name the address: %v", err)
	}
	must(t, client.Close())
	must(t, client.Close())
	_, err = client.Host(within(t))
	if err == nil || !strings.Contains(err.Error(), "the client is closed") {
		t.Errorf("got %v", err)
	}
}

func TestEndsWithItsContext(t *testing.T) {
	t.Parallel()
	daemon := daemonOf(t)
	client := connect(t, daemon, bpfmap.WithTimeout(0))
	m := create[uint32, uint32](t, client, hash(4))
	resume := daemon.Pause()
	defer resume()
	ctx, cancel := context.WithTimeout(context.Background(), 100e6)
	defer cancel()
	_, err := m.Lookup(ctx, 1)
	wantError(t, err, context.DeadlineExceeded)
	equal(t, status.Code(err), codes.DeadlineExceeded)

	hasty := connect(t, daemon, bpfmap.WithTimeout(100e6))
	_, err = hasty.Host(context.Background())
	wantError(t, err, context.DeadlineExceeded)
}
