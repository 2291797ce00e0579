// Package batches reads maps by batch calls of cilium/ebpf, over columns: keys back to
// back, values back to back.
package batches

import (
	"errors"
	"reflect"
	"unsafe"

	"github.com/cilium/ebpf"
)

const (
	// Of 1 k to 64 k elements a batch these were the fastest, for small and large ones.
	batchElements = 8192
	batchBytes    = 512 << 10
)

// Batch is what one call read.
type Batch struct {
	Count        int
	Keys, Values []byte
}

// Buffers gives the room for the next batch.
type Buffers func(keyBytes, valueBytes int) (keys, values []byte)

// Fresh are buffers that may be kept.
func Fresh(keyBytes, valueBytes int) (keys, values []byte) {
	return make([]byte, keyBytes), make([]byte, valueBytes)
}

// Reused are the same buffers each time.
func Reused() Buffers {
	var keys, values []byte
	return func(keyBytes, valueBytes int) ([]byte, []byte) {
		if keys == nil {
			keys, values = Fresh(keyBytes, valueBytes)
		}
		return keys, values
	}
}

// Read reads a map whose values are not per CPU, until each is false.
func Read(m *ebpf.Map, buffers Buffers, each func(Batch) bool) error {
	keySize, valueSize := int(m.KeySize()), int(m.ValueSize())
	count := max(1, min(batchElements, batchBytes/(keySize+valueSize)))
	var cursor ebpf.MapBatchCursor
	for {
		keys, values := buffers(count*keySize, count*valueSize)
		n, err := m.BatchLookup(&cursor, Items(keys, keySize), Items(values, valueSize), nil)
		ended := errors.Is(err, ebpf.ErrKeyNotExist)
		if err != nil && !ended {
			return err
		}
		if !each(Batch{n, keys[:n*keySize], values[:n*valueSize]}) || ended {
			return nil
		}
	}
}

// Items gives columns of fixed-size items, back to back, in the form that cilium/ebpf
// passes to the kernel as it is: a slice of byte arrays over the same memory.
func Items(column []byte, size int) any {
	array := reflect.ArrayOf(size, reflect.TypeFor[byte]())
	return reflect.SliceAt(array, unsafe.Pointer(unsafe.SliceData(column)), len(column)/size).Interface()
}
