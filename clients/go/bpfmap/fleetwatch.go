package bpfmap

import (
	"context"
	"errors"
	"io"
	"iter"

	fleetv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/fleet/v1"
	bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"
)

// FleetWatchOptions say what is watched on which hosts.
type FleetWatchOptions struct {
	// WatchOptions are those of each host. ResumeToken is of one host, and not used.
	WatchOptions
	// Hosts chooses them; nil for all of the fleet. Those that come to match are watched
	// from then on.
	Hosts *HostSelector
	// View is what of per-CPU values is told; all slots by default.
	View CPUView
	// Positions is where an earlier watch stood (FleetWatch.Positions): those hosts go on
	// there, all others begin anew.
	Positions map[string][]byte
	// Concurrency is how many hosts' contents are read at a time; 0 for 64.
	Concurrency uint32
}

// FleetEventKind says what an event of a FleetWatch is.
type FleetEventKind int

const (
	// FleetStarted comes first, and each time the stream was made anew: FleetEvent.Hosts.
	FleetStarted FleetEventKind = iota + 1
	// FleetHostBegun says that a host's stream has begun. Unless FleetEvent.Resumed, what
	// was told of the host counts no more, and its contents follow.
	FleetHostBegun
	// FleetHostEvent is what a host's stream tells: FleetEvent.Event.
	FleetHostEvent
	// FleetHostLost says that a host's stream is not there, for now: FleetEvent.Err. Where
	// that is nil its map is gone, and no other is waited for.
	FleetHostLost
	// FleetHostLeft says that a host is not watched any more: what was told of it counts no
	// more.
	FleetHostLeft
)

// FleetEvent is what a FleetWatch yields. What is told of one host is in order.
type FleetEvent struct {
	// Kind says what it is.
	Kind FleetEventKind
	// HostID is the host; empty for FleetStarted.
	HostID string
	// Hosts is how many match, for FleetStarted.
	Hosts int
	// Resumed tells whether the host goes on where it was, for FleetHostBegun.
	Resumed bool
	// Event is what the host's stream tells, keys and values as bytes.
	Event Event[[]byte, []byte]
	// Err is why the host is lost, an *Error, or nil.
	Err error
}

// FleetWatch is a map on many hosts, to be read once. It outlives cut connections and relays
// that go: it connects again, with growing pauses, and each host goes on where it was.
type FleetWatch struct {
	ctx     context.Context
	client  *Client
	request *fleetv1.WatchFleetRequest
	hosts   map[string]*watchedHost
	started bool
	read    bool
	err     error
}

// watchedHost is what is known of a host.
type watchedHost struct {
	created  *bpfmapv1.WatchCreated
	position []byte
}

// FleetWatch prepares to watch a map on every host that matches, as hosts come and go.
// Nothing is sent until it is read. The map is best named by a pin, a name or a hold: ids
// are of one host.
func (c *Client) FleetWatch(ctx context.Context, ref Ref, options *FleetWatchOptions) *FleetWatch {
	if options == nil {
		options = &FleetWatchOptions{}
	}
	w := &FleetWatch{ctx: ctx, client: c, hosts: map[string]*watchedHost{}}
	for hostID, position := range options.Positions {
		w.hosts[hostID] = &watchedHost{position: position}
	}
	o := options.WatchOptions
	watch := &bpfmapv1.WatchRequest{
		Map:              ref.Proto(),
		Filter:           o.Filter,
		Fidelity:         o.Fidelity,
		PollInterval:     durationOf(o.PollInterval),
		CpuView:          options.View.proto,
		PreviousValues:   o.PreviousValues,
		BookmarkInterval: durationOf(o.BookmarkInterval),
	}
	if o.KeysOnly {
		watch.Projection = bpfmapv1.Projection_PROJECTION_KEYS
	}
	if o.Follow {
		watch.OnRecreate = bpfmapv1.OnRecreate_ON_RECREATE_FOLLOW
	}
	if o.UpdatesOnly {
		watch.Start = &bpfmapv1.WatchRequest_From{From: bpfmapv1.WatchStart_WATCH_START_UPDATES}
	}
	w.request = &fleetv1.WatchFleetRequest{Selector: options.Hosts, Watch: watch, Concurrency: options.Concurrency}
	if w.request.Selector == nil {
		w.request.Selector = &HostSelector{}
	}
	return w
}

// Positions is where the hosts stand: what a later watch can go on from, by any relay of the
// fleet.
func (w *FleetWatch) Positions() map[string][]byte {
	positions := map[string][]byte{}
	for hostID, host := range w.hosts {
		if host.position != nil {
			positions[hostID] = host.position
		}
	}
	return positions
}

// Err tells, after the loop, what ended the watch: the end of its context, or what cannot
// pass, such as a relay that is not there at first, a bad request or a refused permission.
// It is nil where the loop was left.
func (w *FleetWatch) Err() error { return w.err }

// Events yields what happens, until ctx ends or the loop is left.
func (w *FleetWatch) Events() iter.Seq[FleetEvent] {
	return func(yield func(FleetEvent) bool) {
		if w.read {
			w.err = invalid(ErrFieldInvalid, "", "a watch can be read once: call FleetWatch again")
			return
		}
		w.read = true
		pause := newPauses()
		for {
			more, err := w.stream(pause, yield)
			if !more {
				w.err = err
				return
			}
			if !w.started || !w.client.canPass(err) {
				w.err = err
				return
			}
			if !w.forget(yield) {
				return
			}
			if !pause.wait(w.ctx) {
				w.err = contextError(w.ctx)
				return
			}
		}
	}
}

// stream makes one call and yields what comes. more is false where another call must not
// follow.
func (w *FleetWatch) stream(pause *pauses, yield func(FleetEvent) bool) (more bool, err error) {
	ctx, cancel := context.WithCancel(w.ctx)
	defer cancel()
	w.request.Positions = nil
	for hostID, position := range w.Positions() {
		w.request.Positions = append(w.request.Positions, &fleetv1.HostPosition{HostId: hostID, ResumeToken: position})
	}
	if w.started {
		w.request.Watch.Start = nil
	}
	stream, err := w.client.fleet.WatchFleet(ctx, w.request)
	if err != nil {
		return true, w.client.errorOf(w.ctx, err)
	}
	for {
		message, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return true, w.client.errorOf(w.ctx, err)
		}
		if message.GetMessage() != nil {
			pause.reset()
		}
		if more, err := w.take(message, yield); !more || err != nil {
			return false, err
		}
	}
}

// forget tells that hosts that cannot go on are not watched: nothing would be heard of those
// that leave meanwhile.
func (w *FleetWatch) forget(yield func(FleetEvent) bool) bool {
	for hostID, host := range w.hosts {
		if host.position != nil {
			continue
		}
		delete(w.hosts, hostID)
		if !yield(FleetEvent{Kind: FleetHostLeft, HostID: hostID}) {
			return false
		}
	}
	return true
}

// take yields what a message tells.
func (w *FleetWatch) take(message *fleetv1.WatchFleetResponse, yield func(FleetEvent) bool) (bool, error) {
	switch event := message.GetEvent().(type) {
	case *fleetv1.WatchFleetResponse_Started:
		w.started = true
		return yield(FleetEvent{Kind: FleetStarted, Hosts: int(event.Started.GetHosts())}), nil
	case *fleetv1.WatchFleetResponse_Begun:
		hostID, resumed := event.Begun.GetHostId(), event.Begun.GetResumed()
		if !resumed {
			w.hosts[hostID] = &watchedHost{}
		}
		return yield(FleetEvent{Kind: FleetHostBegun, HostID: hostID, Resumed: resumed}), nil
	case *fleetv1.WatchFleetResponse_Message:
		return w.takeOf(event.Message.GetHostId(), event.Message.GetResponse(), yield)
	case *fleetv1.WatchFleetResponse_Lost:
		err := hostErrorIn(event.Lost.GetError())
		return yield(FleetEvent{Kind: FleetHostLost, HostID: event.Lost.GetHostId(), Err: err}), nil
	case *fleetv1.WatchFleetResponse_Left:
		delete(w.hosts, event.Left.GetHostId())
		return yield(FleetEvent{Kind: FleetHostLeft, HostID: event.Left.GetHostId()}), nil
	default:
		return false, protocolError("sent an empty message in a watch")
	}
}

// takeOf yields what a host's stream tells.
func (w *FleetWatch) takeOf(hostID string, response *bpfmapv1.WatchResponse, yield func(FleetEvent) bool) (bool, error) {
	host := w.hosts[hostID]
	if host == nil {
		host = &watchedHost{}
		w.hosts[hostID] = host
	}
	tell := func(event Event[[]byte, []byte]) bool {
		return yield(FleetEvent{Kind: FleetHostEvent, HostID: hostID, Event: event})
	}
	switch kind := response.GetKind().(type) {
	case *bpfmapv1.WatchResponse_Created:
		host.created = kind.Created
		return tell(Event[[]byte, []byte]{Kind: EventCreated, Created: kind.Created}), nil
	case *bpfmapv1.WatchResponse_Events:
		return bytesChanges(host.created, kind.Events, tell)
	case *bpfmapv1.WatchResponse_Bookmark:
		host.position = kind.Bookmark.GetResumeToken()
		event := Event[[]byte, []byte]{Kind: EventBookmark, Bookmark: kind.Bookmark, Revision: kind.Bookmark.GetRevision()}
		if kind.Bookmark.GetSnapshotDone() {
			event.Kind = EventSynced
		}
		return tell(event), nil
	case *bpfmapv1.WatchResponse_Resync:
		// Until its contents are whole there is nothing to go on from.
		host.position = nil
		return tell(Event[[]byte, []byte]{Kind: EventResync, Reason: kind.Resync.GetReason(), Lost: kind.Resync.GetLost()}), nil
	case *bpfmapv1.WatchResponse_MapGone:
		host.position = nil
		return tell(Event[[]byte, []byte]{Kind: EventGone, GoneID: kind.MapGone.GetId()}), nil
	default:
		return false, protocolError("sent an empty message of host %s", hostID)
	}
}

// bytesChanges yields the puts and deletes of a message, with views of its bytes.
func bytesChanges(created *bpfmapv1.WatchCreated, message *bpfmapv1.WatchEvents, tell func(Event[[]byte, []byte]) bool) (bool, error) {
	if created == nil {
		return false, protocolError("sent changes before it named the map")
	}
	keySize, stride := int(created.GetMap().GetKeySize()), int(created.GetValueStride())
	puts, deletes := int(message.GetPuts().GetCount()), int(message.GetDeletes().GetCount())
	previous, present := message.GetPrevious(), message.GetPreviousPresent()
	if len(message.GetPuts().GetKeys()) != puts*keySize || len(message.GetPuts().GetValues()) != puts*stride ||
		len(message.GetDeletes().GetKeys()) != deletes*keySize ||
		len(present) > 0 && (len(previous) != (puts+deletes)*stride || len(present) < (puts+deletes+7)/8) {
		return false, protocolError("sent changes whose sizes are not those of the map")
	}
	for i := range puts + deletes {
		event := Event[[]byte, []byte]{
			Kind:       EventDelete,
			Revision:   message.GetRevision(),
			SeenAfter:  message.GetSeenAfter().AsTime(),
			SeenBefore: message.GetSeenBefore().AsTime(),
		}
		if i < puts {
			event.Kind, event.Initial = EventPut, message.GetInitial()
			event.Key = message.GetPuts().GetKeys()[i*keySize : (i+1)*keySize]
			event.Value = message.GetPuts().GetValues()[i*stride : (i+1)*stride]
		} else {
			event.Key = message.GetDeletes().GetKeys()[(i-puts)*keySize : (i-puts+1)*keySize]
		}
		if len(present) > 0 && present[i>>3]>>(i&7)&1 == 1 {
			value := previous[i*stride : (i+1)*stride]
			event.Previous = &value
		}
		if i < len(message.GetWriters()) {
			event.Writer = message.GetWriters()[i]
		}
		if !tell(event) {
			return false, nil
		}
	}
	return true, nil
}
