package main

import (
	"bytes"
	"context"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/bpfmapd/bpfmapd/clients/go/bpfmap"
	bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"
)

// Commands on watches and records.
func init() {
	register("watch_start", watchStart)
	register("watch_until", watchUntil)
	register("watch_stop", watchStop)
	register("records_start", recordsStart)
	register("records_until", recordsUntil)
	register("records_stop", func(_ context.Context, r *runner, args struct{ Stream string }) (any, error) {
		r.streams[args.Stream].stop()
		return nothing{}, nil
	})
	register("write_records", writeRecords)
}

// picture is a watch in the background, with the picture that its user has.
type picture struct {
	watch     *bpfmap.Watch[[]byte, []byte]
	following bool
	end       context.CancelFunc

	mu       sync.Mutex
	changed  *sync.Cond
	contents map[string]string
	resyncs  []string
	// begun says that the first event came.
	begun, synced, gone, ended bool
}

func (p *picture) run() {
	for event := range p.watch.Events() {
		p.apply(event)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	p.changed.Broadcast()
}

func (p *picture) apply(event bpfmap.Event[[]byte, []byte]) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.begun = true
	switch event.Kind {
	case bpfmap.EventPut:
		p.contents[string(event.Key)] = string(event.Value)
	case bpfmap.EventDelete:
		delete(p.contents, string(event.Key))
	case bpfmap.EventSynced:
		p.synced = true
	case bpfmap.EventResync:
		p.synced = false
		clear(p.contents)
		p.resyncs = append(p.resyncs, strings.TrimPrefix(event.Reason.String(), "RESYNC_REASON_"))
	case bpfmap.EventGone:
		p.gone = !p.following
	}
	p.changed.Broadcast()
}

// wait waits until something is so, or the watch has ended; the lock is then held.
func (p *picture) wait(isSo func() bool) {
	p.mu.Lock()
	for !isSo() && !p.ended {
		p.changed.Wait()
	}
}

// elements are the contents in the order of their keys.
func (p *picture) elements() pairs {
	elements := pairs{}
	for _, key := range slices.Sorted(maps.Keys(p.contents)) {
		elements = append(elements, [2]hexBytes{hexBytes(key), hexBytes(p.contents[key])})
	}
	return elements
}

func watchStart(ctx context.Context, r *runner, args struct {
	prefixed
	Watch            string
	PollInterval     milliseconds `json:"poll_interval"`
	BookmarkInterval milliseconds `json:"bookmark_interval"`
	Follow           bool
	UpdatesOnly      bool `json:"updates_only"`
	Keys             []hexBytes
	ResumeToken      hexBytes `json:"resume_token"`
	Fidelity         string
}) (any, error) {
	m, err := args.elements(ctx, r)
	if err != nil {
		return nil, err
	}
	filter := &bpfmapv1.WatchFilter{KeyPrefix: args.KeyPrefix}
	if args.Keys != nil {
		filter.Keys = bytes.Join(bytesOf(args.Keys), nil)
	}
	inner, end := context.WithCancel(ctx)
	p := &picture{following: args.Follow, end: end, contents: map[string]string{}, resyncs: []string{}}
	p.changed = sync.NewCond(&p.mu)
	p.watch = m.Watch(inner, &bpfmap.WatchOptions{
		Filter: filter, UpdatesOnly: args.UpdatesOnly, ResumeToken: args.ResumeToken, Follow: args.Follow,
		Fidelity:     bpfmapv1.WatchFidelity(bpfmapv1.WatchFidelity_value["WATCH_FIDELITY_"+args.Fidelity]),
		PollInterval: args.PollInterval.duration(), BookmarkInterval: args.BookmarkInterval.duration(),
	})
	go p.run()
	p.wait(func() bool { return p.begun })
	defer p.mu.Unlock()
	if p.ended {
		end()
		return nil, p.watch.Err()
	}
	r.pictures[args.Watch] = p
	return nothing{}, nil
}

func watchUntil(_ context.Context, r *runner, args struct {
	Watch        string
	Elements     *pairs
	Synced, Gone bool
}) (any, error) {
	p := r.pictures[args.Watch]
	if args.Elements != nil {
		slices.SortFunc(*args.Elements, func(a, b [2]hexBytes) int { return bytes.Compare(a[0], b[0]) })
	}
	p.wait(func() bool {
		return (args.Elements == nil || slices.EqualFunc(p.elements(), *args.Elements, same)) &&
			(!args.Synced || p.synced) && p.gone == args.Gone
	})
	defer p.mu.Unlock()
	return map[string]any{"elements": p.elements(), "resyncs": p.resyncs, "gone": p.gone}, nil
}

func same(a, b [2]hexBytes) bool { return bytes.Equal(a[0], b[0]) && bytes.Equal(a[1], b[1]) }

func watchStop(_ context.Context, r *runner, args struct{ Watch string }) (any, error) {
	p := r.pictures[args.Watch]
	p.end()
	p.wait(func() bool { return p.ended })
	defer p.mu.Unlock()
	delete(r.pictures, args.Watch)
	return map[string]any{"resume_token": hexBytes(p.watch.ResumeToken())}, nil
}

// recording is a stream of records, and what it has told.
type recording struct {
	reader  *bpfmap.RecordReader
	next    func() (bpfmap.Record, bool)
	stop    func()
	records []hexBytes
	lost    uint64
}

func recordsStart(ctx context.Context, r *runner, args struct {
	target
	Stream      string
	FromNow     bool   `json:"from_now"`
	QueueBytes  uint64 `json:"queue_bytes"`
	PagesPerCPU uint32 `json:"pages_per_cpu"`
	Slot        *bpfmap.PerfSlot
}) (any, error) {
	h, err := args.open(ctx, r)
	if err != nil {
		return nil, err
	}
	reader, err := h.ReadRecords(ctx, &bpfmap.RecordOptions{
		Exclusive: true, FromNow: args.FromNow, QueueBytes: args.QueueBytes, PagesPerCPU: args.PagesPerCPU, Slot: args.Slot,
	})
	if err != nil {
		return nil, err
	}
	next, stop := iter.Pull(reader.All())
	r.streams[args.Stream] = &recording{reader: reader, next: next, stop: stop, records: []hexBytes{}}
	return nothing{}, nil
}

func recordsUntil(_ context.Context, r *runner, args struct {
	Stream string
	Count  int
}) (any, error) {
	stream := r.streams[args.Stream]
	for len(stream.records)+int(stream.lost) < args.Count {
		record, more := stream.next()
		switch {
		case !more:
			return nil, stream.reader.Err()
		case record.Lost != nil:
			stream.lost += record.Lost.Count
		default:
			stream.records = append(stream.records, append(hexBytes{}, record.Data...))
		}
	}
	return map[string]any{"records": stream.records, "lost": stream.lost}, nil
}

func writeRecords(ctx context.Context, r *runner, args struct {
	target
	Records      []hexBytes
	FailWhenFull bool `json:"fail_when_full"`
}) (any, error) {
	h, err := args.open(ctx, r)
	if err != nil {
		return nil, err
	}
	options := &bpfmap.WriteRecordsOptions{FailWhenFull: args.FailWhenFull}
	count, err := h.WriteRecords(ctx, slices.Values(bytesOf(args.Records)), options)
	return map[string]any{"written": count}, err
}
