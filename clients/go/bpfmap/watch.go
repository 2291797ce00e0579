package bpfmap

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"google.golang.org/grpc/codes"

	bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"
)

// WatchOptions say what is watched and how.
type WatchOptions struct {
	// Filter chooses elements, on the host; nil for all.
	Filter *bpfmapv1.WatchFilter
	// UpdatesOnly begins with changes from now on; without it the contents come first.
	UpdatesOnly bool
	// ResumeToken goes on where an earlier watch of the same map with the same filter,
	// columns and view stood (Watch.ResumeToken). Where that cannot be, an EventResync
	// comes first.
	ResumeToken []byte
	// Fidelity is how much must not be missed; LATEST by default.
	Fidelity bpfmapv1.WatchFidelity
	// PollInterval is the longest time between two scans, from 10 milliseconds; 0 for
	// the daemon's default.
	PollInterval time.Duration
	// KeysOnly sends no values.
	KeysOnly bool
	// PreviousValues sends the value that a change replaced, where the daemon knows it.
	PreviousValues bool
	// BookmarkInterval is the longest time without a bookmark, from 100 milliseconds; 0
	// for 10 seconds.
	BookmarkInterval time.Duration
	// Follow waits, when the map is gone, for its pin, name or hold to stand for another
	// one.
	Follow bool
}

// Watch is a map's contents and their changes, to be read once:
//
//	watch := m.Watch(ctx, nil)
//	for event := range watch.Events() {
//		switch event.Kind {
//		case bpfmap.EventPut: ...
//		}
//	}
//	if err := watch.Err(); err != nil { ... }
//
// It outlives cut connections and restarts of the daemon: it connects again, with
// growing pauses, and goes on where it was; where that cannot be, an EventResync says so
// and the contents follow anew. What may be relied on is written in the daemon's
// docs/watch.md.
type Watch[K, V any] struct {
	m       *Map[K, V]
	ctx     context.Context
	options WatchOptions
	started bool
	err     error

	token   []byte
	created *bpfmapv1.WatchCreated
	// startingOver is whether nothing was told since it was said that the contents follow
	// anew.
	startingOver bool
}

// Watch prepares to watch the map. Nothing is sent until it is read. The watch keeps no
// map alive. Values that are kernel objects are told as the kernel's bytes only (ids): a
// map of them is to be opened with values of bytes for that.
func (m *Map[K, V]) Watch(ctx context.Context, options *WatchOptions) *Watch[K, V] {
	w := &Watch[K, V]{m: m, ctx: ctx, err: errors.Join(m.readable(0), m.listable())}
	if options != nil {
		w.options = *options
	}
	if m.value.form == inObjectValues && (!w.options.KeysOnly || w.options.PreviousValues) {
		w.err = errors.Join(w.err, unsupported("a watch tells the values of %s as the kernel's bytes, not as kernel objects: "+
			"open it with values of []byte or a number, or ask for KeysOnly", m))
	}
	w.token = w.options.ResumeToken
	return w
}

// ResumeToken is where the stream stands: what a later watch can resume from while the
// daemon runs. It is nil while there is nothing to resume from.
func (w *Watch[K, V]) ResumeToken() []byte { return w.token }

// Err tells, after the loop, what ended the watch: the end of its context, or what
// cannot pass, such as a map that is not there at the first call, a bad request or a
// refused permission. It is nil where the loop was left or the map is gone.
func (w *Watch[K, V]) Err() error { return w.err }

// Events yields what happens, until the map is gone, ctx ends, or the loop is left.
func (w *Watch[K, V]) Events() iter.Seq[Event[K, V]] {
	return func(yield func(Event[K, V]) bool) {
		if w.err != nil {
			return
		}
		if w.started {
			w.err = invalid(ErrFieldInvalid, "", "a watch can be read once: call Watch again")
			return
		}
		w.started = true
		w.run(yield)
	}
}

func (w *Watch[K, V]) run(yield func(Event[K, V]) bool) {
	pause := newPauses()
	for {
		more, err := w.stream(pause, yield)
		if !more {
			w.err = err
			return
		}
		if err != nil && !w.canPass(err) {
			if w.isGone(err) {
				yield(Event[K, V]{Kind: EventGone, GoneID: w.created.GetMap().GetId()})
				return
			}
			w.err = err
			return
		}
		if err == nil {
			// The daemon ends a stream by itself where the map is gone.
			return
		}
		if !pause.wait(w.ctx) {
			w.err = contextError(w.ctx)
			return
		}
		// Nothing to resume from: what comes is a snapshot, which replaces what was told.
		if w.token == nil && !w.startingOver {
			w.startingOver = true
			if !yield(Event[K, V]{Kind: EventResync}) {
				return
			}
		}
	}
}

// stream makes one call and yields what comes. more is false where another call must not
// follow, because no more is wanted or because of what the daemon sent; otherwise err is
// what the call failed with, nil where the daemon ended it.
func (w *Watch[K, V]) stream(pause *pauses, yield func(Event[K, V]) bool) (more bool, err error) {
	ctx, cancel := context.WithCancel(w.ctx)
	defer cancel()
	stream, err := w.m.client.maps.Watch(ctx, w.request())
	if err != nil {
		return true, w.m.client.errorOf(w.ctx, err)
	}
	for {
		message, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return true, nil
		}
		if err != nil {
			return true, w.m.client.errorOf(w.ctx, err)
		}
		// Not before: what ends again at once must not be called without a pause.
		if message.GetBookmark() != nil {
			pause.reset()
		}
		if more, err := w.take(message, yield); !more || err != nil {
			return false, err
		}
	}
}

// take yields what a message tells.
func (w *Watch[K, V]) take(message *bpfmapv1.WatchResponse, yield func(Event[K, V]) bool) (bool, error) {
	switch kind := message.GetKind().(type) {
	case *bpfmapv1.WatchResponse_Created:
		w.created = kind.Created
		if err := w.checkMap(kind.Created); err != nil {
			return false, err
		}
		return yield(Event[K, V]{Kind: EventCreated, Created: kind.Created}), nil
	case *bpfmapv1.WatchResponse_Events:
		w.startingOver = false
		return w.changes(kind.Events, yield)
	case *bpfmapv1.WatchResponse_Bookmark:
		w.startingOver = false
		w.token = kind.Bookmark.GetResumeToken()
		event := Event[K, V]{Kind: EventBookmark, Bookmark: kind.Bookmark, Revision: kind.Bookmark.GetRevision()}
		if kind.Bookmark.GetSnapshotDone() {
			event.Kind = EventSynced
		}
		return yield(event), nil
	case *bpfmapv1.WatchResponse_Resync:
		// Until the snapshot is whole there is nothing to resume from.
		w.token = nil
		w.startingOver = true
		return yield(Event[K, V]{Kind: EventResync, Reason: kind.Resync.GetReason(), Lost: kind.Resync.GetLost()}), nil
	case *bpfmapv1.WatchResponse_MapGone:
		w.token = nil
		return yield(Event[K, V]{Kind: EventGone, GoneID: kind.MapGone.GetId()}), nil
	default:
		return false, protocolError("sent an empty message in a watch")
	}
}

// checkMap refuses a map that took the place of the one that was opened and has other
// sizes.
func (w *Watch[K, V]) checkMap(created *bpfmapv1.WatchCreated) error {
	info := created.GetMap()
	if w.m.key.isOther(info.GetKeySize()) || !w.options.KeysOnly && w.m.value.isOther(created.GetValueStride()) {
		return w.m.changed(info, created.GetValueStride())
	}
	return nil
}

// canPass tells whether another attempt can succeed. The first call fails at once: it may
// be a wrong address.
func (w *Watch[K, V]) canPass(err error) bool {
	var e *Error
	if w.created == nil || w.ctx.Err() != nil || !errors.As(err, &e) {
		return false
	}
	// Made by a daemon whose key is lost; the contents come anew.
	if errors.Is(err, ErrResumeTokenInvalid) && w.token != nil {
		w.token = nil
		return true
	}
	if e.Code == codes.NotFound {
		return w.options.Follow
	}
	return w.m.client.canPass(err)
}

// isGone tells whether the map was freed while the connection was lost.
func (w *Watch[K, V]) isGone(err error) bool {
	var e *Error
	return w.created != nil && errors.As(err, &e) && e.Code == codes.NotFound
}

func (w *Watch[K, V]) request() *bpfmapv1.WatchRequest {
	o := &w.options
	request := &bpfmapv1.WatchRequest{
		Map:              w.m.ref.Proto(),
		Filter:           o.Filter,
		Fidelity:         o.Fidelity,
		PollInterval:     durationOf(o.PollInterval),
		CpuView:          w.m.view,
		PreviousValues:   o.PreviousValues,
		BookmarkInterval: durationOf(o.BookmarkInterval),
		Format:           w.m.format(),
		Typing:           w.m.typing(),
	}
	if o.KeysOnly {
		request.Projection = bpfmapv1.Projection_PROJECTION_KEYS
	}
	if o.Follow {
		request.OnRecreate = bpfmapv1.OnRecreate_ON_RECREATE_FOLLOW
	}
	switch {
	case w.token != nil:
		request.Start = &bpfmapv1.WatchRequest_ResumeToken{ResumeToken: w.token}
	case w.created == nil && o.UpdatesOnly:
		request.Start = &bpfmapv1.WatchRequest_From{From: bpfmapv1.WatchStart_WATCH_START_UPDATES}
	}
	return request
}
