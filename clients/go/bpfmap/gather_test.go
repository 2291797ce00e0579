package bpfmap

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"pgregory.net/rapid"
)

// sent is what a gatherer has handed to be sent: the keys of each RPC.
type sent struct {
	mu   sync.Mutex
	rpcs [][]uint32
	open atomic.Int32
	most atomic.Int32
}

func (s *sent) note(calls []*pendingCall) {
	keys := make([]uint32, len(calls))
	for i, one := range calls {
		keys[i] = binary.LittleEndian.Uint32(one.key.bytes)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rpcs = append(s.rpcs, keys)
}

func callOf(kind elementKind, key uint32) *pendingCall {
	bytes := binary.LittleEndian.AppendUint32(nil, key)
	return &pendingCall{what: element{kind: kind}, key: &column{bytes: bytes}, value: &column{}, bytes: len(bytes)}
}

// slowly answers each call with its key after a while.
func (s *sent) slowly(d time.Duration) func(context.Context, []*pendingCall) {
	return func(ctx context.Context, calls []*pendingCall) {
		s.note(calls)
		s.most.Store(max(s.most.Load(), s.open.Add(1)))
		defer s.open.Add(-1)
		select {
		case <-time.After(d):
		case <-ctx.Done():
		}
		for _, one := range calls {
			one.result, one.err = one.key, ctx.Err()
		}
	}
}

// inBubble runs a test in time of its own, until the gatherer has come to rest.
func inBubble(t *testing.T, test func(*testing.T)) {
	synctest.Test(t, func(t *testing.T) {
		test(t)
		time.Sleep(24 * time.Hour)
	})
}

func TestACallAloneIsSentAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var s sent
		g := newGatherer(Batching{MaxDelay: time.Hour}.withDefaults(), 0, s.slowly(0))
		start := time.Now()
		for key := range uint32(3) {
			if _, err := g.do(context.Background(), callOf(lookupElement, key)); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("it waited for %s", took)
		}
		if len(s.rpcs) != 3 {
			t.Errorf("sent %v", s.rpcs)
		}
	})
}

func TestCallsGatherWhileOneIsOnItsWay(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var s sent
		g := newGatherer(Batching{MaxDelay: time.Hour, MaxSize: 4}.withDefaults(), 0, s.slowly(time.Second))
		var group sync.WaitGroup
		for key := range uint32(10) {
			group.Go(func() {
				result, err := g.do(context.Background(), callOf(lookupElement, key))
				if err != nil || binary.LittleEndian.Uint32(result.bytes) != key {
					t.Errorf("call %d got %v, %v", key, result, err)
				}
			})
			synctest.Wait()
		}
		group.Wait()
		if got := fmt.Sprint(s.rpcs); got != "[[0] [1 2 3 4] [5 6 7 8] [9]]" {
			t.Errorf("sent %s", got)
		}
	})
}

func TestACallWaitsNoLongerThanMaxDelay(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var s sent
		g := newGatherer(Batching{MaxDelay: time.Millisecond}.withDefaults(), 0, s.slowly(time.Hour))
		start := time.Now()
		var group sync.WaitGroup
		group.Go(func() { _, _ = g.do(context.Background(), callOf(lookupElement, 0)) })
		synctest.Wait()
		group.Go(func() { _, _ = g.do(context.Background(), callOf(lookupElement, 1)) })
		time.Sleep(2 * time.Millisecond)
		synctest.Wait()
		if len(s.rpcs) != 2 {
			t.Errorf("sent %v within %s", s.rpcs, time.Since(start))
		}
		group.Wait()
	})
}

func TestCallsThatWantDifferentThingsGoBesideEachOther(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var s sent
		g := newGatherer(Batching{MaxDelay: time.Hour}.withDefaults(), 0, s.slowly(time.Second))
		var group sync.WaitGroup
		kinds := []elementKind{lookupElement, lookupElement, updateElement, lookupElement, deleteElement}
		for i, kind := range kinds {
			group.Go(func() { _, _ = g.do(context.Background(), callOf(kind, uint32(i))) })
			synctest.Wait()
		}
		start := time.Now()
		group.Wait()
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("took %s", took)
		}
		slices.SortFunc(s.rpcs, func(a, b []uint32) int { return int(a[0]) - int(b[0]) })
		if got := fmt.Sprint(s.rpcs); got != "[[0] [1 3] [2] [4]]" {
			t.Errorf("sent %s", got)
		}
	})
}

func TestACancelledCallSpoilsNoOther(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var s sent
		g := newGatherer(Batching{MaxDelay: time.Hour}.withDefaults(), 0, s.slowly(time.Second))
		start := time.Now()
		var group sync.WaitGroup
		group.Go(func() { _, _ = g.do(context.Background(), callOf(updateElement, 0)) })
		synctest.Wait()
		waits, endWait := context.WithCancel(context.Background())
		group.Go(func() {
			if _, err := g.do(waits, callOf(updateElement, 1)); !errors.Is(err, context.Canceled) {
				t.Errorf("the call that waits got %v", err)
			}
			if took := time.Since(start); took != 0 {
				t.Errorf("it returned after %s", took)
			}
		})
		synctest.Wait()
		underWay, endUnderWay := context.WithTimeout(context.Background(), 1500*time.Millisecond)
		defer endUnderWay()
		group.Go(func() {
			if _, err := g.do(underWay, callOf(updateElement, 2)); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the call under way got %v", err)
			}
			if took := time.Since(start); took != 1500*time.Millisecond {
				t.Errorf("it returned after %s", took)
			}
		})
		synctest.Wait()
		group.Go(func() {
			if _, err := g.do(context.Background(), callOf(updateElement, 3)); err != nil {
				t.Errorf("the other call got %v", err)
			}
		})
		synctest.Wait()
		endWait()
		group.Wait()
		if got := fmt.Sprint(s.rpcs); got != "[[0] [2 3]]" {
			t.Errorf("sent %s", got)
		}
	})
}

func TestNoRoundOvertakesACallThatWasLeft(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var s sent
		g := newGatherer(Batching{MaxDelay: time.Millisecond}.withDefaults(), 0, s.slowly(time.Second))
		var group sync.WaitGroup
		group.Go(func() { _, _ = g.do(context.Background(), callOf(updateElement, 0)) })
		synctest.Wait()
		group.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
			defer cancel()
			_, _ = g.do(ctx, callOf(updateElement, 1))
			// Another caller's call keeps the first one's RPC alive.
			_, _ = g.do(context.Background(), callOf(updateElement, 2))
		})
		group.Go(func() { _, _ = g.do(context.Background(), callOf(updateElement, 1)) })
		time.Sleep(200 * time.Millisecond)
		synctest.Wait()
		if len(s.rpcs) != 2 {
			t.Errorf("after 0.2 s these were sent: %v", s.rpcs)
		}
		group.Wait()
		if got := fmt.Sprint(s.rpcs); got != "[[0] [1 1] [2]]" {
			t.Errorf("sent %s", got)
		}
	})
}

func TestAnRPCThatNobodyWaitsForIsCancelled(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var s sent
		g := newGatherer(Batching{MaxDelay: time.Millisecond}.withDefaults(), 0, s.slowly(time.Hour))
		start := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		var group sync.WaitGroup
		for key := range uint32(3) {
			group.Go(func() { _, _ = g.do(ctx, callOf(lookupElement, key)) })
			synctest.Wait()
		}
		group.Wait()
		synctest.Wait()
		if s.open.Load() != 0 || time.Since(start) != time.Second {
			t.Errorf("%d RPCs are open after %s", s.open.Load(), time.Since(start))
		}
	})
}

// The daemon of this test is a Go map that does what the contract says of each RPC, at
// random speed. Each goroutine has keys of its own, so it knows what each of its calls
// must give, whatever the others do and whichever of its calls it has left.
func TestGatheredCallsDoWhatSingleOnesWould(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		callers := rapid.IntRange(1, 8).Draw(rt, "callers")
		steps := rapid.IntRange(1, 30).Draw(rt, "steps")
		seed := rapid.Uint64().Draw(rt, "seed")
		size := rapid.IntRange(1, 16).Draw(rt, "size")
		delay := time.Duration(rapid.IntRange(1, 50).Draw(rt, "delay")) * time.Millisecond
		inBubble(t, func(t *testing.T) {
			daemon := &modelDaemon{elements: map[string]string{}}
			g := newGatherer(Batching{MaxSize: size, MaxDelay: delay}.withDefaults(), time.Minute, daemon.send)
			var group sync.WaitGroup
			for caller := range callers {
				group.Go(func() {
					c := &modelCaller{t: t, g: g, id: caller, random: rand.New(rand.NewPCG(seed, uint64(caller))), may: map[string][]string{}}
					for range steps {
						c.step()
					}
				})
			}
			group.Wait()
			// RPCs that nobody waits for may still be on their way.
			time.Sleep(time.Minute)
			daemon.mu.Lock()
			defer daemon.mu.Unlock()
			if daemon.largest > size {
				t.Errorf("an RPC had %d calls, more than %d", daemon.largest, size)
			}
		})
		if t.Failed() {
			rt.Fatalf("seed %d", seed)
		}
	})
}

// absent stands for no value.
const absent = ""

type modelDaemon struct {
	mu       sync.Mutex
	elements map[string]string
	largest  int
}

func (d *modelDaemon) send(ctx context.Context, calls []*pendingCall) {
	// On its way there, in the daemon, and on its way back.
	time.Sleep(time.Duration(rand.N(20)) * time.Millisecond)
	d.mu.Lock()
	d.largest = max(d.largest, len(calls))
	for _, one := range calls {
		value, there := d.elements[string(one.key.bytes)]
		switch {
		case one.what.kind == updateElement:
			d.elements[string(one.key.bytes)] = string(one.value.bytes)
		case !there:
			one.err = ErrKeyNotExist
		case one.what.kind == lookupElement:
			one.result = &column{bytes: []byte(value)}
		case one.what.kind == deleteElement:
			delete(d.elements, string(one.key.bytes))
		default:
			one.result = &column{bytes: []byte(value)}
			delete(d.elements, string(one.key.bytes))
		}
	}
	d.mu.Unlock()
	time.Sleep(time.Duration(rand.N(20)) * time.Millisecond)
	if ctx.Err() != nil {
		for _, one := range calls {
			one.err = contextError(ctx)
		}
	}
}

// modelCaller knows what its keys may hold: more than one value after calls that it left.
type modelCaller struct {
	t      *testing.T
	g      *gatherer
	id     int
	random *rand.Rand
	may    map[string][]string
	serial int
}

func (c *modelCaller) step() {
	key := fmt.Sprintf("%d/%d", c.id, c.random.IntN(3))
	if _, known := c.may[key]; !known {
		c.may[key] = []string{absent}
	}
	kind := elementKind(c.random.IntN(4))
	c.serial++
	value := fmt.Sprint(c.serial)
	ctx, cancel := context.Background(), context.CancelFunc(func() {})
	if c.random.IntN(3) == 0 {
		ctx, cancel = context.WithTimeout(ctx, time.Duration(c.random.IntN(60))*time.Millisecond)
	}
	defer cancel()
	result, err := c.g.do(ctx, &pendingCall{what: element{kind: kind}, key: &column{bytes: []byte(key)}, value: &column{bytes: []byte(value)}, bytes: 1})
	if errors.Is(err, context.DeadlineExceeded) {
		// It may have been done or not.
		switch kind {
		case updateElement:
			c.may[key] = append(slices.Clone(c.may[key]), value)
		case deleteElement, takeElement:
			c.may[key] = append(slices.Clone(c.may[key]), absent)
		}
		return
	}
	c.check(kind, key, value, text(result), err)
}

// text is the bytes of a result, absent where there is none.
func text(result *column) string {
	if result == nil {
		return absent
	}
	return string(result.bytes)
}

func (c *modelCaller) check(kind elementKind, key, value, result string, err error) {
	may := c.may[key]
	switch {
	case kind == updateElement:
		if err != nil {
			c.t.Errorf("update of %s: %v", key, err)
		}
		c.may[key] = []string{value}
	case errors.Is(err, ErrKeyNotExist):
		if !slices.Contains(may, absent) {
			c.t.Errorf("%s of %s found nothing, it must be one of %q", kind, key, may)
		}
		c.may[key] = []string{absent}
	case err != nil:
		c.t.Errorf("%s of %s: %v", kind, key, err)
	case kind == deleteElement:
		if len(may) == 1 && may[0] == absent {
			c.t.Errorf("deleted %s, which was not there", key)
		}
		c.may[key] = []string{absent}
	default:
		if !slices.Contains(may, result) {
			c.t.Errorf("%s of %s found %q, it must be one of %q", kind, key, result, may)
		}
		c.may[key] = []string{result}
		if kind == takeElement {
			c.may[key] = []string{absent}
		}
	}
}

func TestSettlesWhatAnRPCThatFailedHasDone(t *testing.T) {
	calls := func(kind elementKind) []*pendingCall {
		all := make([]*pendingCall, 4)
		for i := range all {
			all[i] = callOf(kind, uint32(i))
		}
		return all
	}
	outcome := func(all, again []*pendingCall) string {
		names := map[bool]string{true: "failed", false: "done"}
		var text []string
		for _, one := range all {
			if slices.Contains(again, one) {
				text = append(text, "again")
			} else {
				text = append(text, names[one.err != nil])
			}
		}
		return fmt.Sprint(text)
	}
	failure := func(code codes.Code, metadata ...string) error {
		e := &Error{Code: code, Metadata: map[string]string{}}
		for i := 0; i < len(metadata); i += 2 {
			maps.Copy(e.Metadata, map[string]string{metadata[i]: metadata[i+1]})
		}
		return e
	}
	for _, c := range []struct {
		what string
		kind elementKind
		err  error
		want string
	}{
		{"the daemon is away", updateElement, failure(codes.Unavailable), "[failed failed failed failed]"},
		{"one key is malformed", updateElement, failure(codes.InvalidArgument, "index", "1"), "[again failed again again]"},
		{"the kernel has no memory for one", updateElement, failure(codes.ResourceExhausted, "index", "2", "applied", "2"), "[done done failed failed]"},
		{"as well, after others were refused", updateElement, failure(codes.ResourceExhausted, "index", "2", "applied", "1"), "[failed failed failed failed]"},
		{"the kernel refuses one", updateElement, failure(codes.InvalidArgument, "index", "1", "applied", "1"), "[done failed again again]"},
		{"the kernel refuses to read one", lookupElement, failure(codes.InvalidArgument, "index", "1", "applied", "1"), "[again failed again again]"},
		{"the kernel refuses to take one", takeElement, failure(codes.InvalidArgument, "index", "1", "applied", "1"), "[failed failed again again]"},
		{"the index is none of the calls", updateElement, failure(codes.InvalidArgument, "index", "9"), "[failed failed failed failed]"},
	} {
		t.Run(c.what, func(t *testing.T) {
			all := calls(c.kind)
			again := settle(slices.Clone(all), c.err)
			if got := outcome(all, again); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}
