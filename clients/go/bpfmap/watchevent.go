package bpfmap

import (
	"time"

	bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"
)

// EventKind says what an event of a watch is.
type EventKind int

const (
	// EventCreated comes first, and each time the stream was made anew: Event.Created.
	EventCreated EventKind = iota + 1
	// EventPut is an element that was added or changed: Event.Key and Event.Value.
	EventPut
	// EventDelete is an element that was deleted: Event.Key.
	EventDelete
	// EventSynced says that a snapshot is whole: keys that were in neither its puts nor
	// changes since the EventResync before it (or since the start) are not in the map.
	EventSynced
	// EventBookmark says that everything up to its revision has been told.
	EventBookmark
	// EventResync says that what was told so far may no longer be the map's contents: a
	// snapshot follows.
	EventResync
	// EventGone says that the map was freed. With WatchOptions.Follow another one is
	// waited for, otherwise it is the last event.
	EventGone
)

// String names the kind.
func (k EventKind) String() string {
	names := [...]string{"none", "created", "put", "delete", "synced", "bookmark", "resync", "gone"}
	if k < 0 || int(k) >= len(names) {
		return "unknown"
	}
	return names[k]
}

// Event is what a watch yields. Which fields it has depends on its kind.
type Event[K, V any] struct {
	// Kind says what it is.
	Kind EventKind

	// Key is that of a put or delete.
	Key K
	// Value is that of a put; zero with KeysOnly.
	Value V
	// Previous is the value before a put or delete, with WatchOptions.PreviousValues and
	// where it is known; otherwise nil.
	Previous *V
	// Initial tells whether a put is part of a snapshot.
	Initial bool
	// Revision is that of a put, delete, bookmark or sync.
	Revision uint64
	// Writer is who made a put or delete, where it is known; otherwise nil.
	Writer *bpfmapv1.WatchWriter
	// SeenAfter and SeenBefore are times of the host's clock: a put's value was in the
	// map at some instant between them.
	SeenAfter, SeenBefore time.Time

	// Created is the start of the stream, for EventCreated.
	Created *bpfmapv1.WatchCreated
	// Bookmark is where the stream stands, for EventSynced and EventBookmark.
	Bookmark *bpfmapv1.WatchBookmark
	// Reason is why the stream starts over, for EventResync. It is UNSPECIFIED where the
	// connection was lost before there was anything to resume from.
	Reason bpfmapv1.ResyncReason
	// Lost is the number of changes that were lost, for EventResync; 0 where it is not
	// known.
	Lost uint64
	// GoneID is the id that the map had, for EventGone.
	GoneID uint32
}

// changes yields the puts and deletes of a message, as long as they are wanted.
func (w *Watch[K, V]) changes(message *bpfmapv1.WatchEvents, yield func(Event[K, V]) bool) (bool, error) {
	if w.created == nil {
		return false, protocolError("sent changes before it named the map")
	}
	if err := w.checkChanges(message); err != nil {
		return false, err
	}
	base := Event[K, V]{
		Revision:   message.GetRevision(),
		SeenAfter:  message.GetSeenAfter().AsTime(),
		SeenBefore: message.GetSeenBefore().AsTime(),
	}
	puts := int(message.GetPuts().GetCount())
	from := changed{
		message: message,
		keys:    keysOf(message.GetPuts()), values: valuesOf(message.GetPuts()), deleted: keysOf(message.GetDeletes()),
		previous: previousOf(message),
	}
	for i := range puts + int(message.GetDeletes().GetCount()) {
		event, err := w.change(base, from, i, puts)
		if err != nil {
			return false, err
		}
		if !yield(event) {
			return false, nil
		}
	}
	return true, nil
}

// changed is a message of changes with its columns.
type changed struct {
	message                         *bpfmapv1.WatchEvents
	keys, values, deleted, previous *column
}

func previousOf(message *bpfmapv1.WatchEvents) *column {
	return &column{bytes: message.GetPrevious(), texts: message.GetJsonPrevious()}
}

// change is the i-th change of a message: the puts come first.
func (w *Watch[K, V]) change(event Event[K, V], from changed, i, puts int) (Event[K, V], error) {
	var err error
	message := from.message
	if i < puts {
		event.Kind, event.Initial = EventPut, message.GetInitial()
		if event.Key, err = w.m.key.at(from.keys, i); err != nil {
			return event, err
		}
		if !w.options.KeysOnly {
			if event.Value, err = w.m.value.at(from.values, i); err != nil {
				return event, err
			}
		}
	} else {
		event.Kind = EventDelete
		if event.Key, err = w.m.key.at(from.deleted, i-puts); err != nil {
			return event, err
		}
	}
	if i < len(message.GetWriters()) {
		event.Writer = message.GetWriters()[i]
	}
	if present := message.GetPreviousPresent(); i/8 < len(present) && present[i/8]>>(i%8)&1 == 1 {
		previous, err := w.m.value.at(from.previous, i)
		if err != nil {
			return event, err
		}
		event.Previous = &previous
	}
	return event, nil
}

// checkChanges refuses columns that are not as many elements as they say.
func (w *Watch[K, V]) checkChanges(message *bpfmapv1.WatchEvents) error {
	puts, deletes := int(message.GetPuts().GetCount()), int(message.GetDeletes().GetCount())
	values, previous := puts, 0
	if w.options.KeysOnly {
		values = 0
	}
	if len(message.GetPreviousPresent()) > 0 {
		previous = puts + deletes
	}
	if !w.m.key.has(keysOf(message.GetPuts()), puts) ||
		!w.m.key.has(keysOf(message.GetDeletes()), deletes) ||
		!w.m.value.has(valuesOf(message.GetPuts()), values) ||
		!w.m.value.has(previousOf(message), previous) {
		return protocolError("sent changes of %s that are not of its sizes", w.m)
	}
	return nil
}
