package bpfmap

import (
	"encoding"
	"encoding/binary"
	"fmt"
	"reflect"
	"unsafe"

	bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"
)

// codec turns values of T into items of columns and back.
type codec[T any] struct {
	wire
	// put writes a value to dst, which has size bytes. []byte that get reads from src
	// stays a view of it. Both are for bytes.
	put func(dst []byte, value T) error
	get func(src []byte) (T, error)
	// write adds a value to a column, and tells what it adds to a message. Both are for
	// other forms than bytes.
	write func(to *column, value T) (weight int, err error)
	read  func(from *column, index int) (T, error)
}

// form is which of the contract's forms the items of a column have.
type form uint8

const (
	inBytes form = iota
	inJSON
	inObjectKeys
	inObjectValues
)

// wire is how the items of a column stand in messages.
type wire struct {
	form form
	// size is the bytes of one item, where the form is bytes.
	size int
	// weight is about what one item adds to a message.
	weight int
}

func wireOfBytes(size int) wire { return wire{inBytes, size, size} }

// has tells whether a column is so many items.
func (w wire) has(c *column, count int) bool {
	switch w.form {
	case inBytes:
		return len(c.bytes) == count*w.size
	case inJSON:
		return len(c.texts) == count
	case inObjectKeys:
		return len(c.objectKeys) == count
	default:
		return len(c.objectValues) == count
	}
}

// isOther tells whether a map's items of a size are not what the column is for.
func (w wire) isOther(size uint32) bool { return w.form == inBytes && int(size) != w.size }

// part gives some of a column's items.
func (w wire) part(c *column, from, to int) *column {
	switch w.form {
	case inBytes:
		return &column{bytes: c.bytes[from*w.size : to*w.size : to*w.size]}
	case inJSON:
		return &column{texts: c.texts[from:to:to]}
	case inObjectKeys:
		return &column{objectKeys: c.objectKeys[from:to:to]}
	default:
		return &column{objectValues: c.objectValues[from:to:to]}
	}
}

// shape is what bytes have to be: of one item, or of slots for several CPUs.
type shape struct {
	// what names the bytes in errors: "key" or "value".
	what string
	// size is the bytes of the item, or of one slot.
	size int
	// cpus is the number of slots; 0 where there is one item without slots.
	cpus  int
	order binary.ByteOrder
	// objects says that it stands for a kernel object.
	objects bool
	// json says that it is to be read and written as JSON.
	json  bool
	label string
}

func (s shape) sentinel() error {
	if s.what == "key" {
		return ErrKeySize
	}
	return ErrValueSize
}

// stride is the bytes of all slots. Each is rounded up to 8 bytes, as the kernel has it.
func (s shape) stride() int {
	if s.cpus == 0 {
		return s.size
	}
	return s.slot() * s.cpus
}

func (s shape) slot() int { return (s.size + 7) &^ 7 }

func (s shape) invalid(format string, args ...any) *Error {
	return invalid(s.sentinel(), s.what, format, args...)
}

func orderOf(host *HostInfo) binary.ByteOrder {
	if host.GetByteOrder() == bpfmapv1.ByteOrder_BYTE_ORDER_BIG_ENDIAN {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

var (
	marshaler   = reflect.TypeFor[encoding.BinaryMarshaler]()
	unmarshaler = reflect.TypeFor[encoding.BinaryUnmarshaler]()
)

// newCodec makes the codec of T for what has a shape, or says why there is none.
func newCodec[T any](s shape) (*codec[T], error) {
	t := reflect.TypeFor[T]()
	switch {
	case s.json:
		return jsonCodec[T](s), nil
	case isObject(t):
		return objectCodec[T](s, t)
	case isBytes(t):
		return rawCodec[T](s), nil
	case isSlice(t):
		if s.cpus == 0 {
			return nil, s.invalid("%s stands for the slots of a per-CPU map, and %s has none", t, s.label)
		}
		return slotsCodec[T](s, t)
	case s.cpus > 0:
		return nil, s.invalid("%s is per-CPU: its values are a slice, such as []%s, unless OpenOptions chooses one CPU or a fold",
			s.label, t)
	default:
		return itemCodec[T](s, t)
	}
}

func isBytes(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8
}

func isSlice(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && !reflect.PointerTo(t).Implements(marshaler)
}

func isMarshaler(t reflect.Type) bool {
	pointer := reflect.PointerTo(t)
	return pointer.Implements(marshaler) && pointer.Implements(unmarshaler)
}

// rawCodec passes bytes on as they are.
func rawCodec[T any](s shape) *codec[T] {
	size := s.stride()
	return &codec[T]{
		wire: wireOfBytes(size),
		put: func(dst []byte, value T) error {
			bytes := *(*[]byte)(unsafe.Pointer(&value))
			if len(bytes) != size {
				return s.invalid("%d bytes given, a %s of %s has %d", len(bytes), s.what, s.label, size)
			}
			copy(dst, bytes)
			return nil
		},
		get: func(src []byte) (value T, err error) {
			*(*[]byte)(unsafe.Pointer(&value)) = src[:size:size]
			return value, nil
		},
	}
}

// itemCodec is that of a fixed size, or of a type that marshals itself.
func itemCodec[T any](s shape, t reflect.Type) (*codec[T], error) {
	if isMarshaler(t) {
		return marshalCodec[T](s, t), nil
	}
	l, err := s.layoutOf(t)
	if err != nil {
		return nil, err
	}
	size, swap := s.size, !isNative(s.order)
	return &codec[T]{
		wire: wireOfBytes(size),
		put: func(dst []byte, value T) error {
			copy(dst, bytesOf(&value, size))
			l.encode(dst[:size], swap)
			return nil
		},
		get: func(src []byte) (value T, err error) {
			if !swap && len(l.bools) == 0 {
				copy(bytesOf(&value, size), src)
				return value, nil
			}
			bytes := append([]byte(nil), src[:size]...)
			if err := l.decode(bytes, swap); err != nil {
				return value, s.cannotDecode(t, err)
			}
			copy(bytesOf(&value, size), bytes)
			return value, nil
		},
	}, nil
}

func marshalCodec[T any](s shape, t reflect.Type) *codec[T] {
	return &codec[T]{
		wire: wireOfBytes(s.size),
		put: func(dst []byte, value T) error {
			bytes, err := any(&value).(encoding.BinaryMarshaler).MarshalBinary()
			if err != nil {
				return s.invalid("%s: %v", t, err)
			}
			if len(bytes) != s.size {
				return s.invalid("%s made %d bytes, a %s of %s has %d", t, len(bytes), s.what, s.label, s.size)
			}
			copy(dst, bytes)
			return nil
		},
		get: func(src []byte) (value T, err error) {
			if err := any(&value).(encoding.BinaryUnmarshaler).UnmarshalBinary(src[:s.size]); err != nil {
				return value, s.cannotDecode(t, err)
			}
			return value, nil
		},
	}
}

// slotsCodec is that of a slice with an item for each CPU.
func slotsCodec[T any](s shape, t reflect.Type) (*codec[T], error) {
	if isBytes(t.Elem()) {
		return rawSlotsCodec[T](s), nil
	}
	l, err := s.layoutOf(t.Elem())
	if err != nil {
		return nil, err
	}
	slot, stride, swap := s.slot(), s.stride(), !isNative(s.order)
	return &codec[T]{
		wire: wireOfBytes(stride),
		put: func(dst []byte, value T) error {
			items := reflect.ValueOf(value)
			if items.Len() != s.cpus {
				return s.wrongSlots(items.Len())
			}
			memory := unsafe.Slice((*byte)(items.UnsafePointer()), s.size*s.cpus)
			clear(dst[:stride])
			for i := range s.cpus {
				item := dst[i*slot : i*slot+s.size]
				copy(item, memory[i*s.size:])
				l.encode(item, swap)
			}
			return nil
		},
		get: func(src []byte) (value T, err error) {
			items := reflect.MakeSlice(t, s.cpus, s.cpus)
			memory := unsafe.Slice((*byte)(items.UnsafePointer()), s.size*s.cpus)
			scratch := src
			if swap {
				scratch = append([]byte(nil), src...)
			}
			for i := range s.cpus {
				item := scratch[i*slot : i*slot+s.size]
				if err := l.decode(item, swap); err != nil {
					return value, s.cannotDecode(t, err)
				}
				copy(memory[i*s.size:], item)
			}
			return items.Interface().(T), nil
		},
	}, nil
}

// rawSlotsCodec is that of [][]byte, with the value_size bytes of each CPU.
func rawSlotsCodec[T any](s shape) *codec[T] {
	slot, stride := s.slot(), s.stride()
	return &codec[T]{
		wire: wireOfBytes(stride),
		put: func(dst []byte, value T) error {
			items := *(*[][]byte)(unsafe.Pointer(&value))
			if len(items) != s.cpus {
				return s.wrongSlots(len(items))
			}
			clear(dst[:stride])
			for i, item := range items {
				if len(item) != s.size {
					return s.invalid("%d bytes given for CPU slot %d, one of %s has %d", len(item), i, s.label, s.size)
				}
				copy(dst[i*slot:], item)
			}
			return nil
		},
		get: func(src []byte) (value T, err error) {
			items := make([][]byte, s.cpus)
			for i := range items {
				items[i] = src[i*slot : i*slot+s.size : i*slot+s.size]
			}
			*(*[][]byte)(unsafe.Pointer(&value)) = items
			return value, nil
		},
	}
}

func (s shape) layoutOf(t reflect.Type) (*layout, error) {
	l, err := layoutOf(t)
	if err != nil {
		return nil, s.invalid("%v", err)
	}
	if l.size != s.size {
		return nil, s.invalid("%s has %d bytes, a %s of %s has %d", t, l.size, s.what, s.label, s.size)
	}
	return l, nil
}

func (s shape) wrongSlots(given int) *Error {
	return s.invalid("%d items given, %s has %d possible CPUs", given, s.label, s.cpus)
}

func (s shape) cannotDecode(t reflect.Type, err error) *Error {
	return protocolError("sent a %s of %s that is no %s: %v", s.what, s.label, t, err)
}

// one gives a column of one value.
func (c *codec[T]) one(value T) (*column, error) {
	to := c.empty(1)
	_, err := c.add(to, value)
	return to, err
}

// column gives the column of values.
func (c *codec[T]) column(values []T) (*column, error) {
	to := c.empty(len(values))
	for i, value := range values {
		if _, err := c.add(to, value); err != nil {
			return nil, atIndex(err, i)
		}
	}
	return to, nil
}

// empty gives a column with room for so many values.
func (c *codec[T]) empty(count int) *column {
	if c.form != inBytes {
		return &column{}
	}
	return &column{bytes: make([]byte, 0, c.size*count)}
}

// add adds a value to a column, and tells about what it adds to a message.
func (c *codec[T]) add(to *column, value T) (weight int, err error) {
	if c.form != inBytes {
		return c.write(to, value)
	}
	bytes := grown(to.bytes, c.size)
	if err := c.put(bytes[len(to.bytes):], value); err != nil {
		return 0, err
	}
	to.bytes = bytes
	return c.size, nil
}

// at reads the value at a position of a column.
func (c *codec[T]) at(from *column, index int) (T, error) {
	if c.form != inBytes {
		return c.read(from, index)
	}
	return c.get(from.bytes[index*c.size : (index+1)*c.size])
}

// fixedSize gives the size of values of T, or 0 where the type alone does not tell.
// Items of a slice count by themselves.
func fixedSize[T any]() (uint32, error) {
	t := reflect.TypeFor[T]()
	if isObject(t) {
		// What the kernel takes is a file descriptor.
		return 4, nil
	}
	if isBytes(t) {
		return 0, nil
	}
	if isSlice(t) {
		t = t.Elem()
	}
	if isBytes(t) || isMarshaler(t) {
		return 0, nil
	}
	l, err := layoutOf(t)
	if err != nil {
		return 0, err
	}
	return uint32(l.size), nil
}

func atIndex(err error, index int) error {
	if e, ok := err.(*Error); ok {
		e.Message = fmt.Sprintf("element %d: %s", index, e.Message)
		e.Metadata = map[string]string{"index": fmt.Sprint(index)}
	}
	return err
}
