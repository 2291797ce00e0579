package bpfmap_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/bpfmapd/bpfmapd/clients/go/bpfmap"
	bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"
)

// pipelined makes calls until they go over a pipeline: the first of a client do not.
func pipelined(ctx context.Context, t *testing.T, made *rpcs, m *bpfmap.Map[uint32, uint64]) {
	t.Helper()
	waitFor(t, "calls go over a pipeline", func() bool {
		_, err := m.Lookup(ctx, 0)
		if err != nil && !errors.Is(err, bpfmap.ErrKeyNotExist) {
			t.Fatal(err)
		}
		return made.count("Pipeline") > 0
	})
}

func TestErrorsOfCallsInAPipelineAreThoseOfCallsAlone(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	var made rpcs
	client := connect(t, shared, made.option())
	m := create[uint32, uint64](t, client, hash(1))
	pipelined(ctx, t, &made, m)
	must(t, m.Put(ctx, 1, 1))
	// Headers of a caller's own make a call go alone.
	alone := metadata.AppendToOutgoingContext(ctx, "x-caller", "me")
	for name, call := range map[string]func(context.Context) error{
		"no such key": func(ctx context.Context) error { _, err := m.Lookup(ctx, 7); return err },
		"a full map":  func(ctx context.Context) error { return m.Put(ctx, 7, 7) },
		"a key that is there": func(ctx context.Context) error {
			return m.Update(ctx, 1, 1, bpfmap.UpdateNoExist)
		},
		"nothing to delete": func(ctx context.Context) error { return m.Delete(ctx, 7) },
	} {
		there, by := call(ctx), call(alone)
		if by == nil || describe(there) != describe(by) {
			t.Errorf("%s: %s in a pipeline, %s alone", name, describe(there), describe(by))
		}
	}
}

var pid = regexp.MustCompile(`pid \d+`)

// describe tells all that an error has.
func describe(err error) string {
	var e *bpfmap.Error
	if !errors.As(err, &e) {
		return fmt.Sprint(err)
	}
	return pid.ReplaceAllString(fmt.Sprint(e.Code, e.Reason, e.Message, e.Metadata, e.Violations), "pid")
}

func TestCallsThatAreLeftInAPipelineLeaveTheOthersTheirAnswers(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	var made rpcs
	client := connect(t, shared, made.option(), bpfmap.WithoutBatching())
	m := create[uint32, uint64](t, client, hash(64))
	for key := range uint32(64) {
		must(t, m.Put(ctx, key, uint64(key)*1000))
	}
	pipelined(ctx, t, &made, m)
	together(32, func(uint32) {
		for range 100 {
			short, cancel := context.WithTimeout(ctx, time.Duration(rand.IntN(2000))*time.Microsecond)
			key := rand.Uint32N(64)
			value, err := m.Lookup(short, key)
			cancel()
			if err != nil && !errors.Is(err, context.DeadlineExceeded) || err == nil && value != uint64(key)*1000 {
				t.Errorf("lookup of %d: %d, %v", key, value, err)
			}
		}
	})
}

// Two such values are all that a pipeline takes at a time: what is more goes by itself.
func TestWhatGoesBesideAPipelineOvertakesNoCallThatWasLeft(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	var made rpcs
	client := connect(t, shared, made.option(), bpfmap.WithoutBatching())
	small := create[uint32, uint64](t, client, hash(1))
	pipelined(ctx, t, &made, small)
	m := create[uint32, [12 << 10]byte](t, client, hash(16))
	together(8, func(caller uint32) {
		for i := range byte(40) {
			short, cancel := context.WithTimeout(ctx, time.Duration(rand.IntN(1500))*time.Microsecond)
			_ = m.Put(short, caller, [12 << 10]byte{i, 1})
			cancel()
			must(t, m.Put(ctx, caller, [12 << 10]byte{i, 2}))
			value, err := m.Lookup(ctx, caller)
			must(t, err)
			if value[0] != i || value[1] != 2 {
				t.Errorf("%d: the call that was left came later", i)
			}
		}
	})
}

func TestAPipelineIsMadeAnewWhereItWasCut(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	address, c := cut(t, shared, 3)
	var made rpcs
	client, err := bpfmap.Dial(address, made.option())
	must(t, err)
	defer func() { must(t, client.Close()) }()
	other := create[uint32, uint64](t, connect(t, shared), hash(4))
	m, err := bpfmap.OpenMap[uint32, uint64](ctx, client, other.Ref(), nil)
	must(t, err)
	c.method.Store(bpfmapv1.MapService_Pipeline_FullMethodName)
	for streams := range 3 {
		c.code.Store(uint32(codes.Unavailable))
		waitFor(t, "the pipeline is cut", func() bool {
			_, err := m.Lookup(ctx, 1)
			var e *bpfmap.Error
			if errors.As(err, &e) && e.Code != codes.Unavailable && !errors.Is(err, bpfmap.ErrKeyNotExist) {
				t.Fatal(err)
			}
			return c.code.Load() == 0
		})
		waitFor(t, "calls go on", func() bool {
			return m.Put(ctx, 1, 1) == nil && made.count("Pipeline") > streams
		})
		must(t, other.Delete(ctx, 1))
	}
}

func TestADaemonWithoutPipelinesIsAskedCallByCall(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	address, c := cut(t, shared, 0)
	var made rpcs
	client, err := bpfmap.Dial(address, made.option())
	must(t, err)
	defer func() { must(t, client.Close()) }()
	c.method.Store(bpfmapv1.MapService_Pipeline_FullMethodName)
	c.code.Store(uint32(codes.Unimplemented))
	other := create[uint32, uint64](t, connect(t, shared), hash(64))
	m, err := bpfmap.OpenMap[uint32, uint64](ctx, client, other.Ref(), nil)
	must(t, err)
	for key := range uint32(64) {
		must(t, m.Put(ctx, key, uint64(key)))
		value, err := m.Lookup(ctx, key)
		must(t, err)
		equal(t, value, uint64(key))
	}
	equal(t, made.count("Pipeline"), 1)
}
