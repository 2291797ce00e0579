package bpfmap

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Batching says how single calls on one Map are gathered into one RPC. A call is sent
// at once while no other call of the Map is on its way; those that come meanwhile wait
// until it has been answered, or for MaxDelay, and then go together. What goes together
// waits a little longer for the callers that were just answered: a quarter of the time
// that their answer took.
//
// Each call has its own result. One that is refused, or whose context ends, does not
// spoil the others: it returns at once, and if it has not been sent, it never will be.
// Whether it was done if it has been sent is not known, as with any RPC. Calls that a
// goroutine makes one after the other are done in that order. Calls whose context has
// outgoing gRPC metadata are sent by themselves.
type Batching struct {
	// Off sends each call by itself.
	Off bool
	// MaxSize is the most calls in one RPC; 1024 by default.
	MaxSize int
	// MaxDelay is the longest that a call waits for one before it; 5 milliseconds by
	// default.
	MaxDelay time.Duration
}

const (
	defaultMaxSize  = 1024
	defaultMaxDelay = 5 * time.Millisecond
	// maxRPCBytes bounds what single calls put into one RPC and its answer, far below
	// any daemon's limit on messages.
	maxRPCBytes = 1 << 20
	// returnShare is the part of a round's time, one in so many, that the next round waits
	// for the callers of this one.
	returnShare = 4
	// maxRounds bounds the RPCs that are on their way because those before them were
	// slow.
	maxRounds = 16
)

func (b Batching) withDefaults() Batching {
	if b.MaxSize <= 0 {
		b.MaxSize = defaultMaxSize
	}
	if b.MaxDelay <= 0 {
		b.MaxDelay = defaultMaxDelay
	}
	return b
}

// pendingCall is a call of one goroutine.
type pendingCall struct {
	what       element
	key, value *column
	// bytes is what the call adds to an RPC and its answer.
	bytes int

	// result and err are the sender's until done is closed.
	result *column
	err    error

	// The rest is for calls that are gathered.
	done     chan struct{}
	deadline time.Time
	// round is the round that the call was sent in; nil while it waits.
	round *round
}

// round is a set of calls that are sent together. There is more than one RPC in it only
// where the calls want different things.
type round struct {
	calls []*pendingCall
	// left counts the callers that no longer wait.
	left int
	// over is set once the calls have their results.
	over   bool
	cancel context.CancelFunc
}

// gatherer sends the calls of one map in rounds, one after the other unless one is slow.
//
// Order: a caller's next call can only meet a call of its own that it has left, since it
// waits for all others. A call that was left while it waited is never sent, and no round
// overtakes one with a call that was left after it was sent.
type gatherer struct {
	options Batching
	// timeout is for calls whose context has no deadline; 0 for none.
	timeout time.Duration
	send    func(context.Context, []*pendingCall)

	mu      sync.Mutex
	waiting []*pendingCall
	// rounds is the number of rounds on their way, blocked of those with a call that was
	// left.
	rounds, blocked int
	timer           *time.Timer
	// full is closed when as many calls wait as are expected; nil where none are.
	full     chan struct{}
	expected int
}

func newGatherer(options Batching, timeout time.Duration, send func(context.Context, []*pendingCall)) *gatherer {
	g := &gatherer{options: options, timeout: timeout, send: send}
	return g
}

func (g *gatherer) do(ctx context.Context, one *pendingCall) (*column, error) {
	g.mu.Lock()
	if g.rounds == 0 {
		g.rounds++
		g.mu.Unlock()
		return g.alone(ctx, one)
	}
	one.done = make(chan struct{})
	one.deadline = g.deadlineOf(ctx)
	g.waiting = append(g.waiting, one)
	if g.full != nil && len(g.waiting) >= g.expected {
		close(g.full)
		g.full = nil
	}
	if len(g.waiting) == 1 {
		g.startTimer()
	}
	g.mu.Unlock()
	if ctx.Done() == nil {
		// A receive costs less than a select.
		<-one.done
		return one.result, one.err
	}
	select {
	case <-one.done:
		return one.result, one.err
	case <-ctx.Done():
		return g.leave(ctx, one)
	}
}

// alone makes a call that meets no other, without a goroutine and with all that its
// context has.
func (g *gatherer) alone(ctx context.Context, one *pendingCall) (*column, error) {
	defer func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.rounds--
		if next := g.next(); next != nil {
			go g.run(next)
		}
	}()
	g.send(ctx, []*pendingCall{one})
	return one.result, one.err
}

// leave ends the wait for a call whose context has ended.
func (g *gatherer) leave(ctx context.Context, one *pendingCall) (*column, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if one.round != nil && one.round.over {
		return one.result, one.err
	}
	if one.round == nil {
		i := slices.Index(g.waiting, one)
		g.waiting = slices.Delete(g.waiting, i, i+1)
		return nil, contextError(ctx)
	}
	one.round.left++
	if one.round.left == 1 {
		g.blocked++
	}
	if one.round.left == len(one.round.calls) && one.round.cancel != nil {
		one.round.cancel()
	}
	return nil, contextError(ctx)
}

// run sends a round, and then those that have gathered meanwhile.
func (g *gatherer) run(now *round) {
	for now != nil {
		sent := time.Now()
		g.sendRound(now)
		took := time.Since(sent)
		g.mu.Lock()
		now.over = true
		if now.left > 0 {
			g.blocked--
		}
		g.mu.Unlock()
		// Without the lock, which the callers want when they call again.
		for _, one := range now.calls {
			close(one.done)
		}
		g.await(len(now.calls), took/returnShare)
		g.mu.Lock()
		g.full = nil
		g.rounds--
		now = g.next()
		g.mu.Unlock()
	}
}

// await gives the callers that have just been answered time to call again, as they often
// do at once: with them the next round is as full as the last. The round that is over
// counts as on its way meanwhile, so that the first of them does not go alone.
func (g *gatherer) await(calls int, atMost time.Duration) {
	g.mu.Lock()
	if calls == 1 || len(g.waiting) >= calls {
		g.mu.Unlock()
		return
	}
	full := make(chan struct{})
	g.expected, g.full = calls, full
	g.mu.Unlock()
	late := time.NewTimer(atMost)
	defer late.Stop()
	select {
	case <-full:
	case <-late.C:
	}
}

func (g *gatherer) sendRound(now *round) {
	ctx, cancel := now.context()
	defer cancel()
	g.mu.Lock()
	now.cancel = cancel
	if now.left == len(now.calls) {
		cancel()
	}
	g.mu.Unlock()
	kinds := byElement(now.calls)
	var others sync.WaitGroup
	for _, calls := range kinds[1:] {
		others.Go(func() { g.send(ctx, calls) })
	}
	g.send(ctx, kinds[0])
	others.Wait()
}

// context ends with the last of the calls' deadlines, if all have one.
func (r *round) context() (context.Context, context.CancelFunc) {
	var last time.Time
	for _, one := range r.calls {
		if one.deadline.IsZero() {
			return context.WithCancel(context.Background())
		}
		if one.deadline.After(last) {
			last = one.deadline
		}
	}
	return context.WithDeadline(context.Background(), last)
}

// next takes the calls of the next round from those that wait; nil where nothing waits or
// another round is on its way. The lock is held.
func (g *gatherer) next() *round {
	if g.rounds > 0 || len(g.waiting) == 0 {
		return nil
	}
	return g.take()
}

func (g *gatherer) take() *round {
	count, bytes := 0, 0
	for count < len(g.waiting) && count < g.options.MaxSize {
		one := g.waiting[count]
		bytes += one.bytes
		if count > 0 && bytes > maxRPCBytes {
			break
		}
		count++
	}
	r := &round{calls: slices.Clone(g.waiting[:count])}
	for _, one := range r.calls {
		one.round = r
	}
	g.waiting = slices.Delete(g.waiting, 0, count)
	g.rounds++
	if len(g.waiting) > 0 {
		g.startTimer()
	} else if g.timer != nil {
		g.timer.Stop()
	}
	return r
}

// startTimer sees to it that the calls that wait do so no longer than MaxDelay.
func (g *gatherer) startTimer() {
	if g.timer == nil {
		g.timer = time.AfterFunc(g.options.MaxDelay, g.overdue)
		return
	}
	g.timer.Reset(g.options.MaxDelay)
}

// overdue sends what waits for a round that is slow.
func (g *gatherer) overdue() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.waiting) == 0 {
		return
	}
	if g.blocked > 0 || g.rounds >= maxRounds {
		g.startTimer()
		return
	}
	go g.run(g.take())
}

func (g *gatherer) deadlineOf(ctx context.Context) time.Time {
	if deadline, has := ctx.Deadline(); has {
		return deadline
	}
	if g.timeout <= 0 {
		return time.Time{}
	}
	return time.Now().Add(g.timeout)
}

// byElement parts calls by what they want, each part in their order.
func byElement(calls []*pendingCall) [][]*pendingCall {
	var parts [][]*pendingCall
	for _, one := range calls {
		i := slices.IndexFunc(parts, func(part []*pendingCall) bool { return part[0].what == one.what })
		if i < 0 {
			parts = append(parts, nil)
			i = len(parts) - 1
		}
		parts[i] = append(parts[i], one)
	}
	return parts
}
