package main

import (
	"reflect"
	"unsafe"
)

// items gives columns of fixed-size items, back to back, in the form that cilium/ebpf
// passes to the kernel as it is: a slice of byte arrays over the same memory.
func items(column []byte, size int) any {
	array := reflect.ArrayOf(size, reflect.TypeFor[byte]())
	return reflect.SliceAt(array, unsafe.Pointer(unsafe.SliceData(column)), len(column)/size).Interface()
}
