// Package bpftest lets programs of the kernel write into maps, for tests. It makes the
// system calls itself: a test must not find in a ring what this client put there.
package bpftest

import (
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Commands of bpf(2), from include/uapi/linux/bpf.h.
const (
	commandProgLoad       = 5
	commandProgTestRun    = 10
	commandMapGetFDByID   = 14
	commandObjGetInfoByFD = 15
)

const (
	typeSocketFilter = 1

	helperPerfEventOutput = 25
	helperRingbufOutput   = 130

	// currentCPU is BPF_F_CURRENT_CPU.
	currentCPU = 0xffffffff
)

// Program is a loaded program, of the type of socket filters.
type Program struct{ fd int }

// ID is the kernel's id of the program.
func (p *Program) ID(tb testing.TB) uint32 {
	tb.Helper()
	var info [256]byte
	attr := struct {
		fd, length uint32
		info       uint64
	}{uint32(p.fd), uint32(len(info)), addressOf(&info[0])}
	call(tb, commandObjGetInfoByFD, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	runtime.KeepAlive(&info)
	return binary.NativeEndian.Uint32(info[4:])
}

// Run runs the program so many times.
func (p *Program) Run(tb testing.TB, times uint32) {
	tb.Helper()
	var packet [14]byte
	attr := struct {
		fd, result           uint32
		sizeIn, sizeOut      uint32
		in, out              uint64
		repeat, duration     uint32
		contextIn, contextTo uint32
		context, contextOut  uint64
	}{fd: uint32(p.fd), sizeIn: uint32(len(packet)), in: addressOf(&packet[0]), repeat: times}
	call(tb, commandProgTestRun, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	runtime.KeepAlive(&packet)
}

// Load loads a program that does nothing; it goes with the test.
func Load(tb testing.TB) *Program {
	tb.Helper()
	return load(tb, returning(nil))
}

// RingWriter loads a program that writes records, of up to 256 bytes each, into a ring
// buffer each time that it runs.
func RingWriter(tb testing.TB, mapID uint32, records ...[]byte) *Program {
	tb.Helper()
	return writer(tb, mapID, records, func(code []byte, ring int32, at, size int32) []byte {
		code = loadMap(code, 1, ring)
		code = stackAddress(code, 2, at)
		code = setRegister(code, 3, size)
		code = setRegister(code, 4, 0)
		return callHelper(code, helperRingbufOutput)
	})
}

// PerfWriter loads a program that writes records, of up to 256 bytes each, into the slot of
// its CPU in a perf event array each time that it runs.
func PerfWriter(tb testing.TB, mapID uint32, records ...[]byte) *Program {
	tb.Helper()
	return writer(tb, mapID, records, func(code []byte, ring int32, at, size int32) []byte {
		code = copyRegister(code, 1, 6)
		code = loadMap(code, 2, ring)
		code = loadWide(code, 3, 0, currentCPU)
		code = stackAddress(code, 4, at)
		code = setRegister(code, 5, size)
		return callHelper(code, helperPerfEventOutput)
	})
}

func writer(
	tb testing.TB, mapID uint32, records [][]byte, write func(code []byte, ring int32, at, size int32) []byte,
) *Program {
	tb.Helper()
	ring := mapFD(tb, mapID)
	defer func() { _ = unix.Close(ring) }()
	code := copyRegister(nil, 6, 1)
	for _, record := range records {
		room := max(8, (len(record)+7)&^7)
		bytes := make([]byte, room)
		copy(bytes, record)
		for at := 0; at < room; at += 4 {
			code = storeOnStack(code, int16(at-room), int32(binary.NativeEndian.Uint32(bytes[at:])))
		}
		code = write(code, int32(ring), int32(-room), int32(len(record)))
	}
	return load(tb, returning(code))
}

func load(tb testing.TB, code []byte) *Program {
	tb.Helper()
	license := []byte("GPL\x00")
	attr := struct {
		programType, count uint32
		code, license      uint64
		_                  [14]uint64
	}{programType: typeSocketFilter, count: uint32(len(code) / 8), code: addressOf(&code[0]), license: addressOf(&license[0])}
	fd := call(tb, commandProgLoad, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	runtime.KeepAlive(code)
	runtime.KeepAlive(license)
	tb.Cleanup(func() { _ = unix.Close(fd) })
	return &Program{fd}
}

func mapFD(tb testing.TB, id uint32) int {
	tb.Helper()
	attr := struct{ id, next, flags uint32 }{id: id}
	return call(tb, commandMapGetFDByID, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
}

func call(tb testing.TB, command uintptr, attr unsafe.Pointer, size uintptr) int {
	tb.Helper()
	result, _, errno := unix.Syscall(unix.SYS_BPF, command, uintptr(attr), size)
	if errno != 0 {
		tb.Fatal(os.NewSyscallError(fmt.Sprintf("bpf command %d", command), errno))
	}
	return int(result)
}

func addressOf(first *byte) uint64 { return uint64(uintptr(unsafe.Pointer(first))) }

// What follows appends instructions: see Documentation/bpf/standardization/instruction-set.rst.

func instruction(code []byte, op, registers byte, offset int16, immediate int32) []byte {
	code = append(code, op, registers)
	code = binary.NativeEndian.AppendUint16(code, uint16(offset))
	return binary.NativeEndian.AppendUint32(code, uint32(immediate))
}

func setRegister(code []byte, to byte, value int32) []byte {
	return instruction(code, 0xb7, to, 0, value)
}

func copyRegister(code []byte, to, from byte) []byte {
	return instruction(code, 0xbf, to|from<<4, 0, 0)
}

// stackAddress gives a register the address of a place in the stack, whose end is in
// register 10.
func stackAddress(code []byte, to byte, at int32) []byte {
	return instruction(copyRegister(code, to, 10), 0x07, to, 0, at)
}

func storeOnStack(code []byte, at int16, value int32) []byte {
	return instruction(code, 0x62, 10, at, value)
}

// loadWide gives a register 64 bits; kind 1 stands for the map with this fd.
func loadWide(code []byte, to, kind byte, value uint64) []byte {
	code = instruction(code, 0x18, to|kind<<4, 0, int32(uint32(value)))
	return instruction(code, 0, 0, 0, int32(uint32(value>>32)))
}

func loadMap(code []byte, to byte, fd int32) []byte { return loadWide(code, to, 1, uint64(fd)) }

func callHelper(code []byte, helper int32) []byte { return instruction(code, 0x85, 0, 0, helper) }

func returning(code []byte) []byte { return instruction(setRegister(code, 0, 0), 0x95, 0, 0, 0) }
