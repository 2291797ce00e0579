package bpfmap

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"unsafe"
)

// layout is how a Go type of a fixed size lies in memory, which is also how it stands in
// a map, apart from the order of the bytes within numbers.
type layout struct {
	size int
	// numbers are those of more than one byte.
	numbers []span
	blanks  []span
	bools   []int
}

type span struct{ offset, size int }

// layoutOf gives the layout of a type, or says why it cannot stand for the bytes of a
// map.
func layoutOf(t reflect.Type) (*layout, error) {
	l := &layout{size: int(t.Size())}
	if err := l.add(t, 0); err != nil {
		return nil, err
	}
	return l, nil
}

func (l *layout) add(t reflect.Type, offset int) error {
	switch t.Kind() {
	case reflect.Int8, reflect.Uint8:
	case reflect.Bool:
		l.bools = append(l.bools, offset)
	case reflect.Int16, reflect.Uint16, reflect.Int32, reflect.Uint32, reflect.Int64, reflect.Uint64,
		reflect.Float32, reflect.Float64:
		l.numbers = append(l.numbers, span{offset, int(t.Size())})
	case reflect.Array:
		// A long array of bytes has nothing to note, so it is not walked.
		if kind := t.Elem().Kind(); kind == reflect.Uint8 || kind == reflect.Int8 {
			return nil
		}
		for i := range t.Len() {
			if err := l.add(t.Elem(), offset+i*int(t.Elem().Size())); err != nil {
				return err
			}
		}
	case reflect.Struct:
		return l.addStruct(t, offset)
	case reflect.Int, reflect.Uint, reflect.Uintptr:
		return fmt.Errorf("%s has no fixed size: use int64, uint32 and so on", t)
	default:
		return fmt.Errorf("%s is no type of a fixed size", t)
	}
	return nil
}

func (l *layout) addStruct(t reflect.Type, offset int) error {
	end := 0
	before := "its start"
	for i := range t.NumField() {
		field := t.Field(i)
		if gap := int(field.Offset) - end; gap > 0 {
			return paddingError(t, gap, before)
		}
		end = int(field.Offset) + int(field.Type.Size())
		before = field.Name
		if field.Name == "_" {
			l.blanks = append(l.blanks, span{offset + int(field.Offset), int(field.Type.Size())})
			continue
		}
		if err := l.add(field.Type, offset+int(field.Offset)); err != nil {
			return fmt.Errorf("%s.%s: %w", t, field.Name, err)
		}
	}
	if gap := int(t.Size()) - end; gap > 0 {
		return paddingError(t, gap, before)
	}
	return nil
}

func paddingError(t reflect.Type, gap int, before string) error {
	return fmt.Errorf("%s has %d bytes of padding after %s: name them there with a field `_ [%d]byte`",
		t, gap, before, gap)
}

// encode makes what stands in Go's memory what stands in the map.
func (l *layout) encode(bytes []byte, swap bool) {
	for _, blank := range l.blanks {
		clear(bytes[blank.offset : blank.offset+blank.size])
	}
	if swap {
		l.swap(bytes)
	}
}

// decode is the reverse of encode, still outside of Go's typed memory.
func (l *layout) decode(bytes []byte, swap bool) error {
	for _, at := range l.bools {
		if bytes[at] > 1 {
			return fmt.Errorf("byte %d is %d, which is no bool", at, bytes[at])
		}
	}
	if swap {
		l.swap(bytes)
	}
	return nil
}

func (l *layout) swap(bytes []byte) {
	for _, n := range l.numbers {
		number := bytes[n.offset : n.offset+n.size]
		for i, j := 0, len(number)-1; i < j; i, j = i+1, j-1 {
			number[i], number[j] = number[j], number[i]
		}
	}
}

// bytesOf gives the memory of a value of a fixed size.
func bytesOf[T any](value *T, size int) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(value)), size)
}

// isNative tells whether the host has the byte order of this program.
func isNative(order binary.ByteOrder) bool {
	return order.Uint16([]byte{1, 0}) == binary.NativeEndian.Uint16([]byte{1, 0})
}
