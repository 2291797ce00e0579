package bpfmap

import (
	"context"
	"math/big"
	"time"

	bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"
)

// NumberType is the type of a whole number in a value.
type NumberType = bpfmapv1.NumberType

// Types of whole numbers.
const (
	U8  = bpfmapv1.NumberType_NUMBER_TYPE_U8
	U16 = bpfmapv1.NumberType_NUMBER_TYPE_U16
	U32 = bpfmapv1.NumberType_NUMBER_TYPE_U32
	U64 = bpfmapv1.NumberType_NUMBER_TYPE_U64
	I8  = bpfmapv1.NumberType_NUMBER_TYPE_I8
	I16 = bpfmapv1.NumberType_NUMBER_TYPE_I16
	I32 = bpfmapv1.NumberType_NUMBER_TYPE_I32
	I64 = bpfmapv1.NumberType_NUMBER_TYPE_I64
)

// NumberField is a whole number in each element: by a path of the map's types, or by its
// place in the value.
type NumberField struct {
	// Path is "value" or "key", then members and indices, such as "value.bytes". Where it is
	// empty, Offset and Type count.
	Path string
	// Offset is in bytes from the start of the value, of one CPU's value for per-CPU maps.
	Offset uint32
	// Type is what stands there.
	Type NumberType
	// Fold is how the slots of a per-CPU value are folded first; the sum where absent.
	Fold bpfmapv1.FieldFold
	// Histogram tells how the numbers are spread.
	Histogram bool
}

func (f NumberField) proto() *bpfmapv1.NumberField {
	field := &bpfmapv1.NumberField{Fold: f.Fold, Histogram: f.Histogram}
	if f.Path != "" {
		field.Field = &bpfmapv1.NumberField_Path{Path: f.Path}
	} else {
		field.Field = &bpfmapv1.NumberField_Raw{Raw: &bpfmapv1.RawNumber{Offset: f.Offset, Type: f.Type}}
	}
	return field
}

// AggregateOptions say what is folded beside the fields.
type AggregateOptions struct {
	// Filter chooses elements, on the host; nil for all.
	Filter *bpfmapv1.ElementFilter
	// Top tells so many keys with the greatest numbers; 0 for none.
	Top uint32
	// TopField is whose numbers these are: its place in the fields, from 0.
	TopField uint32
}

// Aggregate is what a map's numbers come to.
type Aggregate struct {
	// BootID and MapID tell which map this is about: a map of another id has begun anew.
	BootID string
	MapID  uint32
	// Elements is how many were folded.
	Elements uint64
	// Complete tells whether every element that stood still meanwhile was folded once.
	Complete bool
	// ReadStarted and ReadFinished are by the host's clock.
	ReadStarted, ReadFinished time.Time
	// Totals are what each of the fields comes to, in their order.
	Totals []NumberTotals
	// Top are the keys with the greatest numbers, by descending numbers.
	Top []KeyNumber
	// OthersMax is the greatest number of the elements that are not in Top; nil for none.
	OthersMax *big.Int
}

// NumberTotals is what numbers come to, exactly.
type NumberTotals struct {
	// Count is how many numbers these are.
	Count uint64
	// Sum of no numbers is 0; Min and Max are nil then.
	Sum, Min, Max *big.Int
	// Histogram is how they are spread, where asked for.
	Histogram *bpfmapv1.Log2Histogram
}

// KeyNumber is a key and its number.
type KeyNumber struct {
	Key    []byte
	Number *big.Int
}

// Aggregate folds numbers of all elements on the host, without sending them: their sum,
// least and greatest, how they are spread, and the keys that have most. Sums do not wrap
// around. It has no time limit but ctx.
func (h *Handle) Aggregate(ctx context.Context, fields []NumberField, options *AggregateOptions) (*Aggregate, error) {
	if options == nil {
		options = &AggregateOptions{}
	}
	request := options.request(h.ref, fields)
	request.Typing = h.types.proto()
	answer, err := h.client.maps.AggregateElements(ctx, request)
	if err != nil {
		return nil, h.client.errorOf(ctx, err)
	}
	return aggregateOf(answer)
}

func (o *AggregateOptions) request(ref Ref, fields []NumberField) *bpfmapv1.AggregateElementsRequest {
	request := &bpfmapv1.AggregateElementsRequest{Map: ref.Proto(), Filter: o.Filter}
	for _, field := range fields {
		request.Fields = append(request.Fields, field.proto())
	}
	if o.Top > 0 {
		request.Top = &bpfmapv1.TopKeysRequest{Field: o.TopField, Limit: o.Top}
	}
	return request
}

func aggregateOf(answer *bpfmapv1.AggregateElementsResponse) (*Aggregate, error) {
	aggregate := &Aggregate{
		BootID:       answer.GetBootId(),
		MapID:        answer.GetMapId(),
		Elements:     answer.GetElements(),
		Complete:     answer.GetComplete(),
		ReadStarted:  answer.GetReadStarted().AsTime(),
		ReadFinished: answer.GetReadFinished().AsTime(),
	}
	numbers := &decimals{}
	aggregate.Totals = totalsOf(answer.GetTotals(), numbers)
	top := answer.GetTop()
	count := int(top.GetCount())
	if count != len(top.GetNumbers()) || (count > 0 && len(top.GetKeys())%count != 0) {
		return nil, protocolError("sent %d bytes of keys and %d numbers for %d keys", len(top.GetKeys()), len(top.GetNumbers()), count)
	}
	for i, number := range top.GetNumbers() {
		size := len(top.GetKeys()) / count
		key := top.GetKeys()[i*size : (i+1)*size]
		aggregate.Top = append(aggregate.Top, KeyNumber{Key: key, Number: numbers.parse(number)})
	}
	aggregate.OthersMax = numbers.parse(top.GetOthersMax())
	return aggregate, numbers.err()
}

// decimals parses numbers, and keeps the first that is none.
type decimals struct{ wrong string }

// parse gives nil for no number.
func (d *decimals) parse(text string) *big.Int {
	if text == "" {
		return nil
	}
	number, ok := new(big.Int).SetString(text, 10)
	if !ok && d.wrong == "" {
		d.wrong = text
	}
	return number
}

// err tells the first text that is no number.
func (d *decimals) err() error {
	if d.wrong == "" {
		return nil
	}
	return protocolError("sent %q for a number", d.wrong)
}
