package bpfmap

import (
	"context"
	"errors"
	"io"
	"iter"
	"sync/atomic"
	"time"

	bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"
)

// RecordOptions say how records are read.
type RecordOptions struct {
	// Exclusive must be true: a ring has one reader, so what the daemon reads is taken from
	// every other consumer on the host, and the entries of a PerfEventArray are replaced
	// while it is read. Readers of the same daemon share, and each see every record.
	Exclusive bool
	// FromNow begins with what is written from now on; without it what the ring holds
	// comes first.
	FromNow bool
	// QueueBytes is what the daemon keeps while this reader is too slow, from 64 KiB to
	// 256 MiB; 0 for the daemon's default.
	QueueBytes uint64
	// PagesPerCPU is the size of each CPU's ring of a PerfEventArray, a power of 2 up to
	// 4096; 0 for 64. The first reader decides.
	PagesPerCPU uint32
	// Slot is the one slot of a PerfEventArray to read; nil for one on each CPU.
	Slot *PerfSlot
	// Reconnect goes on where the connection is lost or the daemon restarts: it calls
	// again, with growing pauses, until the context ends. What is in the ring then is not
	// lost; what the daemon had taken out of it is, and a Record with Lost stands for that.
	// Without it the reader ends with the error of the connection.
	Reconnect bool
}

// PerfSlot is a slot of a PerfEventArray: its index, and the CPU whose programs write to
// it.
type PerfSlot struct{ CPU, Index uint32 }

// Record is what a program wrote into a ring, or a place where records are missing.
type Record struct {
	// Data is the record: a view of the message that it came in. That of a PerfEventArray
	// ends in up to 7 bytes of no meaning.
	Data []byte
	// Sequence counts the records that the daemon took from the ring since it began to
	// read.
	Sequence uint64
	// CPU wrote the record, for a PerfEventArray; otherwise -1.
	CPU int
	// Time is when it was written, by CLOCK_MONOTONIC of the host, for a PerfEventArray;
	// otherwise 0.
	Time time.Duration
	// Lost says that this is no record: here some are missing.
	Lost *Loss
}

// LossReason says why records are lost.
type LossReason = bpfmapv1.LossReason

const (
	// LostConnection: the connection was lost and made anew, with RecordOptions.Reconnect.
	LostConnection = bpfmapv1.LossReason_LOSS_REASON_UNSPECIFIED
	// LostBySlowReader: this reader was too slow for its QueueBytes.
	LostBySlowReader = bpfmapv1.LossReason_LOSS_REASON_SLOW_READER
	// LostInFullRing: the ring of a CPU was full, so the kernel dropped them.
	LostInFullRing = bpfmapv1.LossReason_LOSS_REASON_RING_FULL
	// LostAsTooLarge: the record is larger than any message of the daemon.
	LostAsTooLarge = bpfmapv1.LossReason_LOSS_REASON_TOO_LARGE
)

// Loss says how many records are missing, and why.
type Loss struct {
	// Reason is why.
	Reason LossReason
	// Count is how many; 0 where nobody knows, after LostConnection.
	Count uint64
	// CPU is the one whose ring was full, for LostInFullRing; otherwise -1.
	CPU int
}

// RecordBatch is records as they came, which is the fastest way to read them; or, with
// Lost, a place where some are missing.
type RecordBatch struct {
	*bpfmapv1.Records
	Lost *Loss
}

// RecordReader reads the records of a RingBuf or PerfEventArray, once:
//
//	reader, err := events.ReadRecords(ctx, &bpfmap.RecordOptions{Exclusive: true})
//	if err != nil { ... }
//	for record := range reader.All() { ... }
//	if err := reader.Err(); err != nil { ... }
//
// Leaving the loop ends it, and so does ctx; one that is never read must be closed. Where
// the loop is slower than the records, the daemon keeps QueueBytes of them, and a Record
// with Lost stands where more are missing.
type RecordReader struct {
	h       *Handle
	ctx     context.Context
	request *bpfmapv1.ReadRecordsRequest
	again   bool

	// inner is ctx, and ends with Close too.
	inner   context.Context
	end     context.CancelFunc
	closed  atomic.Bool
	stream  bpfmapv1.MapService_ReadRecordsClient
	started *bpfmapv1.RecordsStarted
	taken   bool
	err     error
}

// ReadRecords begins to read the records of the map, and returns when the daemon reads the
// ring: from then on no record is missed without being told. Fails with ErrNotSupported
// for other maps, and with ErrRingBusy where other slots of the map are read.
func (h *Handle) ReadRecords(ctx context.Context, options *RecordOptions) (*RecordReader, error) {
	if options == nil {
		options = &RecordOptions{}
	}
	r := &RecordReader{h: h, ctx: ctx, request: options.request(h.ref), again: options.Reconnect}
	r.inner, r.end = context.WithCancel(ctx)
	if err := r.open(); err != nil {
		r.end()
		return nil, err
	}
	// What is written while the connection is lost is in the ring.
	r.request.Start = bpfmapv1.RecordStart_RECORD_START_BUFFERED
	return r, nil
}

func (o *RecordOptions) request(ref Ref) *bpfmapv1.ReadRecordsRequest {
	request := &bpfmapv1.ReadRecordsRequest{
		Map: ref.Proto(), Exclusive: o.Exclusive, QueueBytes: o.QueueBytes, PagesPerCpu: o.PagesPerCPU,
	}
	if o.FromNow {
		request.Start = bpfmapv1.RecordStart_RECORD_START_NOW
	}
	if o.Slot != nil {
		request.Slot = &bpfmapv1.PerfSlot{Cpu: o.Slot.CPU, Index: o.Slot.Index}
	}
	return request
}

// Started is the map and the number of the first record, as of the last connection.
func (r *RecordReader) Started() *bpfmapv1.RecordsStarted { return r.started }

// Close ends the reading. It can be called from another goroutine than the loop's.
func (r *RecordReader) Close() error {
	r.closed.Store(true)
	r.end()
	return nil
}

// Err tells, after the loop, what ended it: the end of the context, or an error of the
// connection or the daemon. It is nil where the loop was left or the reader was closed.
func (r *RecordReader) Err() error { return r.err }

// All yields records one by one, in the order of the ring; for a PerfEventArray in the
// order of each CPU's ring.
func (r *RecordReader) All() iter.Seq[Record] {
	return func(yield func(Record) bool) {
		r.read(func(batch RecordBatch) bool {
			if batch.Lost != nil {
				return yield(Record{CPU: -1, Lost: batch.Lost})
			}
			return eachRecord(batch.Records, yield)
		})
	}
}

// Batches yields records as they come. A batch is the caller's to keep.
func (r *RecordReader) Batches() iter.Seq[RecordBatch] {
	return func(yield func(RecordBatch) bool) { r.read(yield) }
}

func eachRecord(records *bpfmapv1.Records, yield func(Record) bool) bool {
	data := records.GetData()
	for i, size := range records.GetSizes() {
		record := Record{Data: data[:size:size], Sequence: records.GetFirstSequence() + uint64(i), CPU: -1}
		if i < len(records.GetCpus()) {
			record.CPU = int(records.GetCpus()[i])
		}
		if i < len(records.GetTimesNs()) {
			record.Time = time.Duration(records.GetTimesNs()[i])
		}
		if !yield(record) {
			return false
		}
		data = data[size:]
	}
	return true
}

func (r *RecordReader) read(yield func(RecordBatch) bool) {
	if r.taken {
		r.err = invalid(ErrFieldInvalid, "", "records can be read once: call ReadRecords again")
		return
	}
	r.taken = true
	defer r.end()
	pause := newPauses()
	for {
		batch, err := r.next()
		if err != nil {
			if !r.reopen(pause, err) {
				return
			}
			batch = RecordBatch{Lost: &Loss{Reason: LostConnection, CPU: -1}}
		} else {
			pause.reset()
		}
		if !yield(batch) {
			return
		}
	}
}

// open calls the daemon, and waits until it reads the ring.
func (r *RecordReader) open() error {
	stream, err := r.h.client.maps.ReadRecords(r.inner, r.request)
	if err != nil {
		return r.h.client.errorOf(r.ctx, err)
	}
	message, err := stream.Recv()
	if err != nil {
		return r.h.client.errorOf(r.ctx, err)
	}
	if message.GetStarted() == nil {
		return protocolError("sent records before it said that it reads them")
	}
	r.stream, r.started = stream, message.GetStarted()
	return nil
}

// reopen calls the daemon anew after an error that can pass; false where that is not to be.
func (r *RecordReader) reopen(pause *pauses, err error) bool {
	for {
		if r.closed.Load() {
			return false
		}
		if !r.again || r.ctx.Err() != nil || !r.h.client.canPass(err) {
			r.err = err
			return false
		}
		if !pause.wait(r.inner) {
			err = contextError(r.inner)
			continue
		}
		if err = r.open(); err == nil {
			return true
		}
	}
}

func (r *RecordReader) next() (RecordBatch, error) {
	message, err := r.stream.Recv()
	if errors.Is(err, io.EOF) {
		return RecordBatch{}, protocolError("ended a stream of records")
	}
	if err != nil {
		return RecordBatch{}, r.h.client.errorOf(r.ctx, err)
	}
	switch kind := message.GetKind().(type) {
	case *bpfmapv1.ReadRecordsResponse_Records:
		return RecordBatch{Records: kind.Records}, checkRecords(kind.Records)
	case *bpfmapv1.ReadRecordsResponse_Lost:
		loss := &Loss{Reason: kind.Lost.GetReason(), Count: kind.Lost.GetCount(), CPU: -1}
		if kind.Lost.Cpu != nil {
			loss.CPU = int(kind.Lost.GetCpu())
		}
		return RecordBatch{Lost: loss}, nil
	default:
		return RecordBatch{}, protocolError("sent a message out of place among records")
	}
}

// checkRecords refuses columns that are not whole: a record must never get another's
// bytes.
func checkRecords(records *bpfmapv1.Records) error {
	total := uint64(0)
	for _, size := range records.GetSizes() {
		total += uint64(size)
	}
	count := len(records.GetSizes())
	isWhole := func(length int) bool { return length == 0 || length == count }
	if total != uint64(len(records.GetData())) || !isWhole(len(records.GetCpus())) || !isWhole(len(records.GetTimesNs())) {
		return protocolError("sent %d records of %d bytes with %d bytes of data", count, total, len(records.GetData()))
	}
	return nil
}
