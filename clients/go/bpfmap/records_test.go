package bpfmap_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/bpfmapd/bpfmapd/clients/go/bpfmap"
	"github.com/bpfmapd/bpfmapd/clients/go/internal/bpftest"
)

// ring makes a ring buffer that goes with the test.
func ring(tb testing.TB, client *bpfmap.Client, size uint32) *bpfmap.Handle {
	tb.Helper()
	return keyless(tb, client, bpfmap.Spec{Type: bpfmap.RingBuf, MaxEntries: size})
}

// keyless makes a map without elements that goes with the test.
func keyless(tb testing.TB, client *bpfmap.Client, spec bpfmap.Spec) *bpfmap.Handle {
	tb.Helper()
	h, err := client.Create(within(tb), &spec, &bpfmap.CreateOptions{Hold: holdName(client, tb)})
	must(tb, err)
	return h
}

func exclusively() *bpfmap.RecordOptions { return &bpfmap.RecordOptions{Exclusive: true} }

func open(tb testing.TB, h *bpfmap.Handle, options *bpfmap.RecordOptions) *bpfmap.RecordReader {
	tb.Helper()
	reader, err := h.ReadRecords(within(tb), options)
	must(tb, err)
	return reader
}

// take reads so many records.
func take(tb testing.TB, reader *bpfmap.RecordReader, count int) []string {
	tb.Helper()
	var got []string
	for record := range reader.All() {
		if record.Lost != nil {
			tb.Fatalf("lost %+v", record.Lost)
		}
		got = append(got, fmt.Sprintf("%d:%s", record.Sequence, record.Data))
		if len(got) == count {
			break
		}
	}
	must(tb, reader.Err())
	return got
}

func TestRecordsComeInOrderWithWhatTheRingHeldFirst(t *testing.T) {
	t.Parallel()
	h := ring(t, connect(t, shared), 4096)
	bpftest.RingWriter(t, h.ID(), []byte("one"), nil).Run(t, 1)
	reader := open(t, h, exclusively())
	equal(t, reader.Started().GetMap().GetId(), h.ID())
	bpftest.RingWriter(t, h.ID(), []byte("a longer one")).Run(t, 1)
	equal(t, fmt.Sprint(take(t, reader, 3)), "[0:one 1: 2:a longer one]")
	for record := range reader.All() {
		t.Errorf("a reader that was left gives %v", record)
	}
	wantError(t, reader.Err(), bpfmap.ErrFieldInvalid)
}

func TestReadersOfOneRingEachSeeEveryRecord(t *testing.T) {
	t.Parallel()
	h := ring(t, connect(t, shared), 4096)
	bpftest.RingWriter(t, h.ID(), []byte("old")).Run(t, 1)
	options := exclusively()
	options.FromNow = true
	first, second := open(t, h, options), open(t, h, exclusively())
	bpftest.RingWriter(t, h.ID(), []byte("a"), []byte("b")).Run(t, 1)
	equal(t, len(take(t, first, 2)), 2)
	count := 0
	for batch := range second.Batches() {
		count += len(batch.GetSizes())
		if !bytes.HasPrefix([]byte("ab"), batch.GetData()) && !bytes.Equal(batch.GetData(), []byte("b")) {
			t.Errorf("got %q", batch.GetData())
		}
		if count == 2 {
			break
		}
	}
	must(t, second.Err())
}

func TestRecordsOfAPerfEventArrayHaveTheirCPUAndTime(t *testing.T) {
	t.Parallel()
	client := connect(t, shared)
	h := keyless(t, client, bpfmap.Spec{Type: bpfmap.PerfEventArray, KeySize: 4, ValueSize: 4, MaxEntries: 64})
	options := exclusively()
	options.PagesPerCPU = 1
	reader := open(t, h, options)
	bpftest.PerfWriter(t, h.ID(), []byte("0123456789ab")).Run(t, 1)
	for record := range reader.All() {
		equal(t, string(record.Data[:12]), "0123456789ab")
		host, err := client.Host(within(t))
		must(t, err)
		if !slices.Contains(host.GetOnlineCpus(), uint32(record.CPU)) || record.Time <= 0 {
			t.Errorf("written by CPU %d at %s", record.CPU, record.Time)
		}
		break
	}
	must(t, reader.Err())

	all := open(t, h, exclusively())
	_, err := h.ReadRecords(within(t), &bpfmap.RecordOptions{Exclusive: true, Slot: &bpfmap.PerfSlot{CPU: 0, Index: 0}})
	wantError(t, err, bpfmap.ErrRingBusy)
	must(t, all.Close())
}

func TestASlowReaderIsToldHowManyRecordsItLost(t *testing.T) {
	t.Parallel()
	h := ring(t, connect(t, shared), 32<<20)
	options := exclusively()
	options.QueueBytes = 64 << 10
	reader := open(t, h, options)
	const count = 100_000
	bpftest.RingWriter(t, h.ID(), bytes.Repeat([]byte("r"), 256)).Run(t, count)
	seen, lost, next := 0, uint64(0), uint64(0)
	for record := range reader.All() {
		if record.Lost != nil {
			equal(t, record.Lost.Reason, bpfmap.LostBySlowReader)
			lost += record.Lost.Count
			next += record.Lost.Count
		} else {
			equal(t, record.Sequence, next)
			next++
			seen++
		}
		if seen+int(lost) == count {
			break
		}
		if seen == 1 {
			// Slow once is enough: the ring is drained meanwhile.
			waitFor(t, "the ring is empty", func() bool { return isDrained(t, h) })
		}
	}
	must(t, reader.Err())
	if lost == 0 {
		t.Error("nothing was lost, so this showed nothing")
	}
}

// isDrained tells whether a second reader, which begins with what comes, sees a new record
// at once: those before it are out of the ring.
func isDrained(t *testing.T, h *bpfmap.Handle) bool {
	t.Helper()
	second := open(t, h, exclusively())
	defer func() { must(t, second.Close()) }()
	return second.Started().GetNextSequence() >= 100_000
}

func TestRecordsThatCannotBeReadAreRefused(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	client := connect(t, shared)
	h := ring(t, client, 4096)
	_, err := h.ReadRecords(ctx, nil)
	wantError(t, err, bpfmap.ErrFieldInvalid)
	_, err = h.ReadRecords(ctx, &bpfmap.RecordOptions{Exclusive: true, QueueBytes: 1})
	wantError(t, err, bpfmap.ErrFieldInvalid)
	m := create[uint32, uint32](t, client, hash(1))
	_, err = m.ReadRecords(ctx, exclusively())
	wantError(t, err, bpfmap.ErrNotSupported)
	_, err = m.WriteRecords(ctx, slices.Values([][]byte{nil}), nil)
	wantError(t, err, bpfmap.ErrNotSupported)
}

func TestAReaderEndsWithItsContextOrWhenItIsClosed(t *testing.T) {
	t.Parallel()
	h := ring(t, connect(t, shared), 4096)
	ctx, cancel := context.WithCancel(context.Background())
	reader, err := h.ReadRecords(ctx, exclusively())
	must(t, err)
	time.AfterFunc(50*time.Millisecond, cancel)
	for record := range reader.All() {
		t.Errorf("got %v", record)
	}
	wantError(t, reader.Err(), context.Canceled)

	closed := open(t, h, exclusively())
	time.AfterFunc(50*time.Millisecond, func() { _ = closed.Close() })
	for record := range closed.All() {
		t.Errorf("got %v", record)
	}
	must(t, closed.Err())
}

func TestAReaderGoesOnAfterRestartsOfTheDaemonWhereItIsAskedTo(t *testing.T) {
	t.Parallel()
	daemon := daemonOf(t)
	client := connect(t, daemon)
	h := ring(t, client, 4096)
	plain := open(t, h, exclusively())
	options := exclusively()
	options.FromNow, options.Reconnect = true, true
	patient := open(t, h, options)
	seen := make(chan string, 100)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for record := range patient.All() {
			if record.Lost != nil {
				seen <- fmt.Sprint("lost ", *record.Lost == bpfmap.Loss{Reason: bpfmap.LostConnection, CPU: -1})
			} else {
				seen <- string(record.Data)
			}
		}
	}()
	for i := range 2 {
		bpftest.RingWriter(t, h.ID(), []byte("before")).Run(t, 1)
		equal(t, <-seen, "before")
		if i == 0 {
			must(t, daemon.Kill())
		} else {
			must(t, daemon.Stop())
		}
		bpftest.RingWriter(t, h.ID(), []byte("meanwhile")).Run(t, 1)
		must(t, daemon.Start())
		equal(t, <-seen, "lost true")
		equal(t, <-seen, "meanwhile")
	}
	must(t, patient.Close())
	<-ended
	must(t, patient.Err())
	for range plain.All() {
	}
	if plain.Err() == nil {
		t.Error("a reader that was not to go on ended without an error")
	}
}

func TestRecordsAreWrittenUntilTheRingIsFull(t *testing.T) {
	t.Parallel()
	ctx := within(t)
	h := keyless(t, connect(t, shared), bpfmap.Spec{Type: bpfmap.UserRingBuf, MaxEntries: 4096})
	written, err := h.WriteRecords(ctx, slices.Values([][]byte{[]byte("one"), nil}), nil)
	must(t, err)
	equal(t, written, 2)
	written, err = h.WriteRecords(ctx, slices.Values([][]byte(nil)), nil)
	must(t, err)
	equal(t, written, 0)
	_, err = h.WriteRecords(ctx, slices.Values([][]byte{make([]byte, 4096)}), nil)
	wantError(t, err, bpfmap.ErrRecordTooLarge)

	half := make([]byte, 2048)
	source := func(yield func([]byte) bool) {
		for yield(half) {
		}
	}
	written, err = h.WriteRecords(ctx, source, &bpfmap.WriteRecordsOptions{FailWhenFull: true})
	wantError(t, err, bpfmap.ErrRingFull)
	equal(t, written, 1)
	short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	_, err = h.WriteRecords(short, source, nil)
	wantError(t, err, context.DeadlineExceeded)
}

func TestARecordIsSentWhileItsSourceTakesItsTime(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	h := keyless(t, connect(t, shared), bpfmap.Spec{Type: bpfmap.UserRingBuf, MaxEntries: 4096})
	// The source has no end of its own and fills no message: it only ends because the
	// daemon has had its first record and refused it.
	_, err := h.WriteRecords(ctx, func(yield func([]byte) bool) {
		for record := make([]byte, 4096); yield(record); record = nil {
			time.Sleep(5 * time.Millisecond)
		}
	}, nil)
	wantError(t, err, bpfmap.ErrRecordTooLarge)
}
