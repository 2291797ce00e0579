package bpfmap

import (
	"context"
	"errors"
	"io"
	"iter"
	"strconv"
	"sync"

	bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"
)

// WriteRecordsOptions say how records are written.
type WriteRecordsOptions struct {
	// FailWhenFull fails with ErrRingFull where the ring has no room; without it the call
	// waits until a program has drained it.
	FailWhenFull bool
	// ChunkBytes is the size of a message to aim at; 64 KiB by default.
	ChunkBytes int
}

const (
	recordChunkBytes = 64 << 10
	// mostRecords bounds the records of one message, so that many empty ones make no
	// endless message.
	mostRecords = 16 << 10
)

// WriteRecords writes records into a UserRingBuf, in order and at the pace at which
// programs drain it, and tells how many were written, as far as that is known; they stay
// where it fails. An iterator that takes its time has what it yielded sent meanwhile. It is run until its
// end, an error of the daemon, or the end of ctx, which is looked at between records.
//
// Fails with ErrRecordTooLarge, ErrRingFull, ErrRingBusy where another call writes, or
// ErrNotSupported for other maps. Like all streams it has no time limit but ctx.
func (h *Handle) WriteRecords(ctx context.Context, records iter.Seq[[]byte], options *WriteRecordsOptions) (uint64, error) {
	if options == nil {
		options = &WriteRecordsOptions{}
	}
	// Where it ends early, the stream must not look as if it had come to its end.
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := h.client.maps.WriteRecords(inner)
	if err != nil {
		return 0, h.client.errorOf(ctx, err)
	}
	w := newRecordWriter(stream, options.ChunkBytes)
	defer w.fail()
	defer context.AfterFunc(ctx, w.fail)()
	sent := make(chan error, 1)
	go func() { sent <- w.sendAll(startOf(h.ref, options)) }()
	for record := range records {
		if !w.add(record) {
			break
		}
	}
	w.finish()
	err = <-sent
	if ctx.Err() != nil {
		return 0, contextError(ctx)
	}
	var answer *bpfmapv1.WriteRecordsResponse
	if err == nil || errors.Is(err, io.EOF) {
		answer, err = stream.CloseAndRecv()
	}
	if err != nil {
		return writtenBefore(h.client.errorOf(ctx, err))
	}
	return answer.GetWritten(), nil
}

func startOf(ref Ref, options *WriteRecordsOptions) *bpfmapv1.WriteRecordsRequest {
	start := &bpfmapv1.WriteRecordsStart{Map: ref.Proto()}
	if options.FailWhenFull {
		start.WhenFull = bpfmapv1.FullRing_FULL_RING_FAIL
	}
	return &bpfmapv1.WriteRecordsRequest{Kind: &bpfmapv1.WriteRecordsRequest_Start{Start: start}}
}

// writtenBefore tells how many records were written before an error.
func writtenBefore(err error) (uint64, error) {
	var e *Error
	if !errors.As(err, &e) {
		return 0, err
	}
	// Where the daemon does not say, nobody knows.
	written, _ := strconv.ParseUint(e.Metadata["written"], 10, 64)
	return written, err
}

// recordWriter hands records from the iterator to the one who sends them: while a message
// is on its way, the next one gathers.
type recordWriter struct {
	stream     bpfmapv1.MapService_WriteRecordsClient
	chunkBytes int

	mu      sync.Mutex
	changed *sync.Cond
	next    *bpfmapv1.Records
	// ended says that no record follows, failed that none is wanted.
	ended, failed bool
}

func newRecordWriter(stream bpfmapv1.MapService_WriteRecordsClient, chunkBytes int) *recordWriter {
	if chunkBytes <= 0 {
		chunkBytes = recordChunkBytes
	}
	w := &recordWriter{stream: stream, chunkBytes: chunkBytes, next: &bpfmapv1.Records{}}
	w.changed = sync.NewCond(&w.mu)
	return w
}

// add takes a copy of a record, once there is room; false where no more is wanted.
func (w *recordWriter) add(record []byte) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for !w.failed && w.isFull() {
		w.changed.Wait()
	}
	if w.failed {
		return false
	}
	w.next.Sizes = append(w.next.Sizes, uint32(len(record)))
	w.next.Data = append(w.next.Data, record...)
	w.changed.Broadcast()
	return true
}

func (w *recordWriter) isFull() bool {
	return len(w.next.Data) >= w.chunkBytes || len(w.next.Sizes) >= mostRecords
}

func (w *recordWriter) finish() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	w.changed.Broadcast()
}

func (w *recordWriter) fail() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failed = true
	w.changed.Broadcast()
}

func (w *recordWriter) sendAll(start *bpfmapv1.WriteRecordsRequest) error {
	defer w.fail()
	if err := w.stream.Send(start); err != nil {
		return err
	}
	for {
		records := w.take()
		if records == nil {
			return nil
		}
		message := &bpfmapv1.WriteRecordsRequest{Kind: &bpfmapv1.WriteRecordsRequest_Records{Records: records}}
		if err := w.stream.Send(message); err != nil {
			return err
		}
	}
}

// take waits for records to send; nil where none follow.
func (w *recordWriter) take() *bpfmapv1.Records {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.next.Sizes) == 0 && !w.ended && !w.failed {
		w.changed.Wait()
	}
	if len(w.next.Sizes) == 0 {
		return nil
	}
	records := w.next
	w.next = &bpfmapv1.Records{}
	w.changed.Broadcast()
	return records
}
