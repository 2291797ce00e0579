package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/bpfmapd/bpfmapd/clients/go/bpfmap"
)

// traffic is a counter of the program: struct traffic of bpf/blocklist.bpf.c.
type traffic struct{ Packets, Bytes uint64 }

// reading is what the counters were at one time, by verdict.
type reading struct {
	at     time.Time
	totals map[verdict]traffic
}

// printRates prints what became of packets since the line before, until ctx ends.
func printRates(ctx context.Context, client *bpfmap.Client, pin string, every time.Duration) {
	var last reading
	canRead := true
	for ok := true; ok; ok = sleep(ctx, every) {
		now, err := readCounters(ctx, client, pin)
		if err != nil {
			if canRead && ctx.Err() == nil {
				slog.Warn("cannot read the counters", "error", err)
			}
			canRead = false
			continue
		}
		if last.totals != nil {
			slog.Info("dropped", rates(last, now, drop)...)
			slog.Info("passed", rates(last, now, pass)...)
		}
		last, canRead = now, true
	}
}

// readCounters reads the counters, which the host adds up over its CPUs.
func readCounters(ctx context.Context, client *bpfmap.Client, pin string) (reading, error) {
	now := reading{time.Now(), map[verdict]traffic{}}
	verdicts, err := bpfmap.OpenMap[verdict, traffic](ctx, client, bpfmap.Pinned(pin),
		&bpfmap.OpenOptions{View: bpfmap.Folded(bpfmap.SumU64)})
	if err != nil {
		return reading{}, err
	}
	dump := verdicts.Dump(ctx, nil)
	for of, total := range dump.All() {
		now.totals[of] = total
	}
	return now, dump.Err()
}

// rates are those of one verdict, for the log.
func rates(last, now reading, of verdict) []any {
	before, after := last.totals[of], now.totals[of]
	seconds := now.at.Sub(last.at).Seconds()
	// Where another program took its place, its counters begin at zero.
	if after.Packets < before.Packets {
		before = traffic{}
	}
	return []any{
		"packets/s", float64(after.Packets-before.Packets) / seconds,
		"bytes/s", float64(after.Bytes-before.Bytes) / seconds,
		"packets", after.Packets,
		"bytes", after.Bytes,
	}
}
