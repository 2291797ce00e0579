"""Codec of kernel objects, which the daemon opens and names."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterator, Optional

from bpfmapd._codecs.codec import Bound, Codec, Form, Site
from bpfmapd._gen.bpfmap.v1 import map_pb2, object_pb2
from bpfmapd._ref import map_ref
from bpfmapd.errors import BpfmapError, invalid
from bpfmapd.objects import (
    Cgroup,
    CgroupAttachment,
    CpuQueue,
    Device,
    InnerMap,
    Inode,
    Interface,
    PerfEvent,
    ProcessFile,
    Program,
    Socket,
    StackFrame,
    StackTrace,
    Task,
)


class KernelObject(Codec[Any]):
    """Keys or values that are kernel objects: see bpfmapd.objects.

    A value that cannot be read, or an empty slot, is None. Keys that are objects are only
    written: they are not told by dumps.
    """

    form = Form.OBJECTS

    def bind(self, site: Site) -> Bound[Any]:
        return _BoundObject(site.column)

    def unbound(self, column: str) -> Bound[Any]:
        return _BoundObject(column)


class _BoundObject(Bound[Any]):
    form = Form.OBJECTS
    size = 0

    def __init__(self, column: str) -> None:
        self._column = column
        self._are_keys = column == "keys"

    def encode(self, item: Any) -> Any:
        try:
            return key_message(item) if self._are_keys else value_message(item)
        except BpfmapError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            what = "key" if self._are_keys else "value"
            why = "see bpfmapd.objects" if isinstance(error, KeyError) else error
            raise invalid(
                f"{item!r} is no kernel object that a {what} can be: {why}",
                f"object_{self._column}",
            ) from None

    def decode(self, data: Any) -> Any:
        if self._are_keys:
            raise invalid("keys that are kernel objects are not told: give key=bytes", "keys")
        return object_of(data)

    def decode_column(self, column: Any, count: int) -> Iterator[Any]:
        return map(self.decode, column)


def value_message(item: Any) -> object_pb2.ObjectValue:
    """The message of a value; KeyError where it is none."""
    # A handle of a map stands for the map.
    ref = getattr(item, "ref", None)
    if isinstance(ref, map_pb2.MapRef):
        return object_pb2.ObjectValue(map=ref)
    return _VALUES[type(item)](item)


def key_message(item: Any) -> object_pb2.ObjectKey:
    """The message of a key; KeyError where it is none."""
    return _KEYS[type(item)](item)


def object_of(message: object_pb2.ObjectValue) -> Any:
    """The object of a value; None where there is none, or the kernel does not tell it."""
    kind = message.WhichOneof("object")
    return None if kind is None else _READ[kind](getattr(message, kind))


def _one_of(what: str, made: Any) -> Any:
    """The message, which must have its one field."""
    if made.WhichOneof("ref") is None:
        raise invalid(f"{what} is named by exactly one of its fields")
    return made


def _program(item: Program) -> object_pb2.ProgramRef:
    if item.id is not None and item.pin is not None:
        raise invalid("a program is named by id or pin, not by both")
    made: Any = object_pb2.ProgramRef
    return _one_of("a program", made(id=item.id, pin_path=item.pin))  # type: ignore[no-any-return]


def _optional_program(item: Optional[Program]) -> Optional[object_pb2.ProgramRef]:
    return None if item is None else _program(item)


def _cgroup(item: Cgroup) -> object_pb2.CgroupRef:
    if item.id is not None and item.path is not None:
        raise invalid("a cgroup is named by path or id, not by both")
    made: Any = object_pb2.CgroupRef
    return _one_of("a cgroup", made(id=item.id, path=item.path))  # type: ignore[no-any-return]


def _interface(item: Interface) -> object_pb2.InterfaceRef:
    if item.name is not None and item.index is not None:
        raise invalid("an interface is named by name or index, not by both")
    made: Any = object_pb2.InterfaceRef
    ref = made(name=item.name, index=item.index)
    return _one_of("an interface", ref)  # type: ignore[no-any-return]


def _file(item: Optional[ProcessFile]) -> Optional[object_pb2.ProcessFileRef]:
    return None if item is None else object_pb2.ProcessFileRef(pid=item.pid, fd=item.fd)


def _socket(item: Socket) -> object_pb2.SocketRef:
    if item.file is None:
        raise invalid("a socket is written by a process's fd: give file")
    return object_pb2.SocketRef(file=_file(item.file))


def _perf_event(item: PerfEvent) -> object_pb2.PerfEventRef:
    if (item.file is None) == (item.cpu is None):
        raise invalid("a perf event is one of a process (file) or on a CPU (cpu)")
    if item.file is not None:
        return object_pb2.PerfEventRef(file=_file(item.file))
    spec = object_pb2.PerfEventSpec(type=item.type, config=item.config, cpu=item.cpu or 0)
    return object_pb2.PerfEventRef(spec=spec)


def _inner_map(item: InnerMap) -> object_pb2.ObjectValue:
    ref = map_ref(item.id, item.pin, item.name, item.held, item.boot_id)
    return object_pb2.ObjectValue(map=ref)


def _device(item: Device) -> object_pb2.ObjectValue:
    return object_pb2.ObjectValue(
        device=object_pb2.DeviceValue(
            interface=_interface(item.interface), program=_optional_program(item.program)
        )
    )


def _cpu(item: CpuQueue) -> object_pb2.ObjectValue:
    program = _optional_program(item.program)
    return object_pb2.ObjectValue(
        cpu=object_pb2.CpuValue(queue_size=item.queue_size, program=program)
    )


def _attachment(item: CgroupAttachment) -> object_pb2.ObjectKey:
    attachment = object_pb2.CgroupAttachment(
        cgroup=_cgroup(item.cgroup), attach_type=item.attach_type
    )
    return object_pb2.ObjectKey(attachment=attachment)


_VALUES: Dict[type, Callable[[Any], object_pb2.ObjectValue]] = {
    Program: lambda item: object_pb2.ObjectValue(program=_program(item)),
    InnerMap: _inner_map,
    Cgroup: lambda item: object_pb2.ObjectValue(cgroup=_cgroup(item)),
    Device: _device,
    CpuQueue: _cpu,
    Socket: lambda item: object_pb2.ObjectValue(socket=_socket(item)),
    PerfEvent: lambda item: object_pb2.ObjectValue(perf_event=_perf_event(item)),
}

_KEYS: Dict[type, Callable[[Any], object_pb2.ObjectKey]] = {
    Socket: lambda item: object_pb2.ObjectKey(socket=_socket(item)),
    Inode: lambda item: object_pb2.ObjectKey(path=item.path),
    Task: lambda item: object_pb2.ObjectKey(task=object_pb2.TaskRef(pid=item.pid)),
    Cgroup: lambda item: object_pb2.ObjectKey(cgroup=_cgroup(item)),
    CgroupAttachment: _attachment,
}


def _given(message: Any, field: str) -> Any:
    return getattr(message, field) if message.HasField(field) else None


def _program_of(message: object_pb2.ProgramRef) -> Program:
    return Program(_given(message, "id"), _given(message, "pin_path"))


def _program_in(message: Any) -> Optional[Program]:
    return _program_of(message.program) if message.HasField("program") else None


def _file_in(message: Any) -> Optional[ProcessFile]:
    file = _given(message, "file")
    return None if file is None else ProcessFile(file.pid, file.fd)


def _map_of(message: map_pb2.MapRef) -> InnerMap:
    ways = (_given(message, way) for way in ("id", "pin_path", "name", "held", "boot_id"))
    return InnerMap(*ways)


def _device_of(message: object_pb2.DeviceValue) -> Device:
    named = message.interface
    interface = Interface(_given(named, "name"), _given(named, "index"))
    return Device(interface, _program_in(message))


def _perf_event_of(message: object_pb2.PerfEventRef) -> PerfEvent:
    if message.HasField("file"):
        return PerfEvent(_file_in(message))
    spec = message.spec
    return PerfEvent(None, spec.type, spec.config, spec.cpu)


def _stack_trace_of(message: object_pb2.StackTrace) -> StackTrace:
    return StackTrace(tuple(_frame_of(frame) for frame in message.frames))


def _frame_of(frame: object_pb2.StackFrame) -> StackFrame:
    place = _given(frame, "build_id")
    return StackFrame(
        address=_given(frame, "address"),
        build_id=None if place is None else place.build_id,
        offset=None if place is None else place.offset,
        symbol=frame.symbol,
        symbol_offset=frame.symbol_offset,
        module=frame.module,
    )


_READ: Dict[str, Callable[[Any], Any]] = {
    "program": _program_of,
    "map": _map_of,
    "cgroup": lambda message: Cgroup(_given(message, "path"), _given(message, "id")),
    "device": _device_of,
    "cpu": lambda message: CpuQueue(message.queue_size, _program_in(message)),
    "socket": lambda message: Socket(_file_in(message), _given(message, "cookie")),
    "perf_event": _perf_event_of,
    "stack_trace": _stack_trace_of,
}
