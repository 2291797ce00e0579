package main

import (
	"context"
	"log/slog"
	"maps"
	"path"
	"time"

	"github.com/bpfmapd/bpfmapd/clients/go/bpfmap"
)

const (
	// retry is the pause before what failed is tried again.
	retry = time.Second
	// patience is how long a write may take before it counts as failed.
	patience = time.Minute
)

// keeper keeps one trie equal to what is wanted.
type keeper[Prefix comparable] struct {
	client *bpfmap.Client
	pin    string
	wanted chan map[Prefix]verdict
}

func newKeeper[Prefix comparable](client *bpfmap.Client, pin string) *keeper[Prefix] {
	return &keeper[Prefix]{client, pin, make(chan map[Prefix]verdict)}
}

// want says what the map is to hold from now on.
func (k *keeper[Prefix]) want(ctx context.Context, list map[Prefix]verdict) {
	select {
	case k.wanted <- list:
	case <-ctx.Done():
	}
}

// run works until ctx ends.
func (k *keeper[Prefix]) run(ctx context.Context) {
	var list map[Prefix]verdict
	events := k.events(ctx)
	// Whether the map may be something else than the list.
	differs := false
	for {
		var again <-chan time.Time
		if differs && list != nil {
			if err := k.write(ctx, list); err != nil {
				k.warn(ctx, "the map stays as it is", err)
				again = time.After(retry)
			} else {
				differs = false
			}
		}
		select {
		case list = <-k.wanted:
			differs = true
		case event := <-events:
			differs = differs || tellsDifference(event, list)
		case <-again:
		case <-ctx.Done():
			return
		}
	}
}

// events are those of the map, for as long as ctx lasts; maps that come later to the pin
// count as well.
func (k *keeper[Prefix]) events(ctx context.Context) <-chan bpfmap.Event[Prefix, verdict] {
	events := make(chan bpfmap.Event[Prefix, verdict])
	go func() {
		for {
			err := k.watch(ctx, events)
			k.warn(ctx, "cannot watch the map", err)
			if !sleep(ctx, retry) {
				return
			}
		}
	}()
	return events
}

// watch lasts as long as ctx: the watch goes on by itself when the connection was lost. It
// fails where the map is not there at first, or one of other sizes came into its place.
func (k *keeper[Prefix]) watch(ctx context.Context, events chan<- bpfmap.Event[Prefix, verdict]) error {
	blocked, err := bpfmap.OpenMap[Prefix, verdict](ctx, k.client, bpfmap.Pinned(k.pin), nil)
	if err != nil {
		return err
	}
	watch := blocked.Watch(ctx, &bpfmap.WatchOptions{Follow: true})
	for event := range watch.Events() {
		select {
		case events <- event:
		case <-ctx.Done():
		}
	}
	return watch.Err()
}

// tellsDifference tells whether, after an event, the map may be something else than the list.
// What this controller writes itself tells none.
func tellsDifference[Prefix comparable](event bpfmap.Event[Prefix, verdict], list map[Prefix]verdict) bool {
	wanted, isWanted := list[event.Key]
	switch event.Kind {
	case bpfmap.EventPut:
		return !isWanted || event.Value != wanted
	case bpfmap.EventDelete:
		return isWanted
	case bpfmap.EventSynced:
		// The contents were told, but not what is missing in them.
		return true
	default:
		return false
	}
}

// write makes the map hold the list and nothing else; what is there already is not written.
func (k *keeper[Prefix]) write(ctx context.Context, list map[Prefix]verdict) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	blocked, err := bpfmap.OpenMap[Prefix, verdict](ctx, k.client, bpfmap.Pinned(k.pin), nil)
	if err != nil {
		return err
	}
	result, err := blocked.Load(ctx, maps.All(list), &bpfmap.LoadOptions{Strategy: bpfmap.Replace})
	if err != nil {
		return err
	}
	slog.Info("in step", "map", path.Base(k.pin), "prefixes", result.GetReceived(),
		"added", result.GetAdded(), "changed", result.GetChanged(), "removed", result.GetRemoved())
	return nil
}

func (k *keeper[Prefix]) warn(ctx context.Context, what string, err error) {
	if err != nil && ctx.Err() == nil {
		slog.Warn(what, "map", path.Base(k.pin), "error", err)
	}
}
