package main

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settle is how long a file must have been left alone before it is read: whoever writes it
// may not be done.
const settle = 100 * time.Millisecond

// follow yields a file's list, and then each new one, until ctx ends. A file that cannot be
// read at first is an error; later it is only said, and the last good list stays.
func follow(ctx context.Context, file string) (<-chan list, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	first, err := parse(file, text)
	if err != nil {
		return nil, err
	}
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	// The directory, as editors and configuration management put a new file in place of
	// the old one.
	if err := watcher.Add(filepath.Dir(file)); err != nil {
		watcher.Close()
		return nil, err
	}
	lists := make(chan list, 1)
	lists <- first
	go func() {
		defer close(lists)
		defer watcher.Close()
		for changed(ctx, watcher) {
			if next, ok := read(file, &text); ok {
				lists <- next
			}
		}
	}()
	return lists, nil
}

// changed waits until something happened in the directory and nothing more does; false where
// ctx ended.
func changed(ctx context.Context, watcher *fsnotify.Watcher) bool {
	var quiet <-chan time.Time
	for {
		select {
		case <-watcher.Events:
			quiet = time.After(settle)
		case err := <-watcher.Errors:
			// Events may be missing.
			slog.Warn("file events were lost", "error", err)
			quiet = time.After(settle)
		case <-quiet:
			return true
		case <-ctx.Done():
			return false
		}
	}
}

// read gives the file's list, unless its text is the one that was read before.
func read(file string, text *[]byte) (list, bool) {
	now, err := os.ReadFile(file)
	if err == nil && bytes.Equal(now, *text) {
		return list{}, false
	}
	var next list
	if err == nil {
		*text = now
		next, err = parse(file, now)
	}
	if err != nil {
		slog.Warn("the list stays as it was", "error", err)
		return list{}, false
	}
	return next, true
}
