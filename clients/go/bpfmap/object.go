package bpfmap

import (
	"reflect"

	bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"
)

// Object is a value that is a kernel object: a program, a map, a cgroup, an interface, a
// socket and so on, as the type of the map has it. A map of them is opened as
// Map[uint32, Object]. What is written names the object, by one of the functions below;
// the daemon opens it for the time of the call. What is read has it by its id, name or
// cookie, or is empty where the kernel tells nobody.
type Object = *bpfmapv1.ObjectValue

// ObjectKey is a key that is a kernel object: that of a storage, opened as
// Map[ObjectKey, V].
type ObjectKey = *bpfmapv1.ObjectKey

// ProgramRef names a loaded BPF program of the host.
type ProgramRef = *bpfmapv1.ProgramRef

// ProgramID names a program by the kernel's program id.
func ProgramID(id uint32) ProgramRef {
	return &bpfmapv1.ProgramRef{Ref: &bpfmapv1.ProgramRef_Id{Id: id}}
}

// ProgramPinned names a program by the absolute path of its pin, inside one of the
// daemon's bpffs roots.
func ProgramPinned(path string) ProgramRef {
	return &bpfmapv1.ProgramRef{Ref: &bpfmapv1.ProgramRef_PinPath{PinPath: path}}
}

// CgroupRef names a cgroup of version 2.
type CgroupRef = *bpfmapv1.CgroupRef

// CgroupPath names a cgroup by its path below the host's cgroup2 mount: "/" is the root.
func CgroupPath(path string) CgroupRef {
	return &bpfmapv1.CgroupRef{Ref: &bpfmapv1.CgroupRef_Path{Path: path}}
}

// CgroupID names a cgroup by its id: the inode number of its directory.
func CgroupID(id uint64) CgroupRef {
	return &bpfmapv1.CgroupRef{Ref: &bpfmapv1.CgroupRef_Id{Id: id}}
}

// InterfaceRef names a network interface in the daemon's network namespace.
type InterfaceRef = *bpfmapv1.InterfaceRef

// InterfaceName names an interface by its name, such as "eth0".
func InterfaceName(name string) InterfaceRef {
	return &bpfmapv1.InterfaceRef{Ref: &bpfmapv1.InterfaceRef_Name{Name: name}}
}

// InterfaceIndex names an interface by its index.
func InterfaceIndex(index uint32) InterfaceRef {
	return &bpfmapv1.InterfaceRef{Ref: &bpfmapv1.InterfaceRef_Index{Index: index}}
}

// Program is an entry of a ProgramArray.
func Program(program ProgramRef) Object {
	return &bpfmapv1.ObjectValue{Object: &bpfmapv1.ObjectValue_Program{Program: program}}
}

// InnerMap is an entry of an ArrayOfMaps or HashOfMaps: a map like its template.
func InnerMap(ref Ref) Object {
	return &bpfmapv1.ObjectValue{Object: &bpfmapv1.ObjectValue_Map{Map: ref.Proto()}}
}

// Cgroup is an entry of a CGroupArray.
func Cgroup(cgroup CgroupRef) Object {
	return &bpfmapv1.ObjectValue{Object: &bpfmapv1.ObjectValue_Cgroup{Cgroup: cgroup}}
}

// Device is an entry of a DevMap or DevMapHash: an interface, and for maps with values of
// 8 bytes the XDP program that runs on the way out, or nil.
func Device(device InterfaceRef, program ProgramRef) Object {
	return &bpfmapv1.ObjectValue{Object: &bpfmapv1.ObjectValue_Device{
		Device: &bpfmapv1.DeviceValue{Interface: device, Program: program},
	}}
}

// CPUQueue is an entry of a CPUMap: the frames that the CPU's queue holds, 1 to 16384, and
// for maps with values of 8 bytes the XDP program that runs on that CPU, or nil.
func CPUQueue(frames uint32, program ProgramRef) Object {
	return &bpfmapv1.ObjectValue{Object: &bpfmapv1.ObjectValue_Cpu{
		Cpu: &bpfmapv1.CpuValue{QueueSize: frames, Program: program},
	}}
}

// Socket is an entry of a SockMap, SockHash, ReusePortSockArray or XSKMap: the socket that
// a process of the host has as a file descriptor.
func Socket(pid, fd uint32) Object {
	return &bpfmapv1.ObjectValue{Object: &bpfmapv1.ObjectValue_Socket{Socket: socketOf(pid, fd)}}
}

// PerfEvent is an entry of a PerfEventArray: an event that the daemon opens on one CPU and
// keeps as long as the element. eventType and config are perf_event_attr's, such as 1
// (software) and 10 (PERF_COUNT_SW_BPF_OUTPUT).
func PerfEvent(eventType uint32, config uint64, cpu uint32) Object {
	return perfEvent(&bpfmapv1.PerfEventRef{Ref: &bpfmapv1.PerfEventRef_Spec{
		Spec: &bpfmapv1.PerfEventSpec{Type: eventType, Config: config, Cpu: cpu},
	}})
}

// ProcessPerfEvent is an entry of a PerfEventArray: the event that a process of the host
// has as a file descriptor.
func ProcessPerfEvent(pid, fd uint32) Object {
	return perfEvent(&bpfmapv1.PerfEventRef{Ref: &bpfmapv1.PerfEventRef_File{File: fileOf(pid, fd)}})
}

func perfEvent(ref *bpfmapv1.PerfEventRef) Object {
	return &bpfmapv1.ObjectValue{Object: &bpfmapv1.ObjectValue_PerfEvent{PerfEvent: ref}}
}

// SocketKey is a key of an SkStorage: the socket that a process of the host has as a file
// descriptor.
func SocketKey(pid, fd uint32) ObjectKey {
	return &bpfmapv1.ObjectKey{Object: &bpfmapv1.ObjectKey_Socket{Socket: socketOf(pid, fd)}}
}

// InodeKey is a key of an InodeStorage: the inode at an absolute path of the daemon's file
// systems.
func InodeKey(path string) ObjectKey {
	return &bpfmapv1.ObjectKey{Object: &bpfmapv1.ObjectKey_Path{Path: path}}
}

// TaskKey is a key of a TaskStorage: a process of the host.
func TaskKey(pid uint32) ObjectKey {
	return &bpfmapv1.ObjectKey{Object: &bpfmapv1.ObjectKey_Task{Task: &bpfmapv1.TaskRef{Pid: pid}}}
}

// CgroupKey is a key of a CgrpStorage.
func CgroupKey(cgroup CgroupRef) ObjectKey {
	return &bpfmapv1.ObjectKey{Object: &bpfmapv1.ObjectKey_Cgroup{Cgroup: cgroup}}
}

// AttachmentKey is a key of a CGroupStorage or PerCPUCGroupStorage. attachType is one of
// enum bpf_attach_type, for maps with keys of 16 bytes; otherwise 0.
func AttachmentKey(cgroup CgroupRef, attachType uint32) ObjectKey {
	return &bpfmapv1.ObjectKey{Object: &bpfmapv1.ObjectKey_Attachment{
		Attachment: &bpfmapv1.CgroupAttachment{Cgroup: cgroup, AttachType: attachType},
	}}
}

func fileOf(pid, fd uint32) *bpfmapv1.ProcessFileRef {
	return &bpfmapv1.ProcessFileRef{Pid: pid, Fd: fd}
}

func socketOf(pid, fd uint32) *bpfmapv1.SocketRef {
	return &bpfmapv1.SocketRef{Ref: &bpfmapv1.SocketRef_File{File: fileOf(pid, fd)}}
}

var (
	objectType    = reflect.TypeFor[Object]()
	objectKeyType = reflect.TypeFor[ObjectKey]()
)

func isObject(t reflect.Type) bool { return t == objectType || t == objectKeyType }

// hasObjectValues tells whether the values of a type are kernel objects.
func hasObjectValues(t MapType) bool {
	switch t {
	case ProgramArray, PerfEventArray, CGroupArray, ArrayOfMaps, HashOfMaps, DevMap, DevMapHash, CPUMap,
		SockMap, SockHash, ReusePortSockArray, XSKMap, StackTrace:
		return true
	default:
		return false
	}
}

// hasObjectKeys tells whether the keys of a type are kernel objects.
func hasObjectKeys(t MapType) bool {
	switch t {
	case SkStorage, InodeStorage, TaskStorage, CgrpStorage, CGroupStorage, PerCPUCGroupStorage:
		return true
	default:
		return false
	}
}

// objectCodec is that of kernel objects.
func objectCodec[T any](s shape, t reflect.Type) (*codec[T], error) {
	asKey := t == objectKeyType
	if asKey != (s.what == "key") || !s.objects {
		return nil, s.invalid("the %ss of %s are bytes, not %s", s.what, s.label, t)
	}
	c := &codec[T]{wire: wire{form: inObjectValues, weight: objectWeight}}
	if asKey {
		c.form = inObjectKeys
	}
	c.write = func(to *column, value T) (int, error) {
		switch object := any(value).(type) {
		case ObjectKey:
			to.objectKeys = append(to.objectKeys, object)
		case Object:
			to.objectValues = append(to.objectValues, object)
		}
		return objectWeight, nil
	}
	c.read = func(from *column, index int) (T, error) {
		if asKey {
			return any(from.objectKeys[index]).(T), nil
		}
		return any(from.objectValues[index]).(T), nil
	}
	return c, nil
}

// objectWeight is about what a kernel object adds to a message. The frames of a stack
// trace with their symbols are the longest.
const objectWeight = 1 << 10
