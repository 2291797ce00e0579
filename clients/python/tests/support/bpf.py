"""bpf(2) for tests: programs that write into ring buffers, and what user space sees of a ring."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import platform
import socket
import struct
from typing import Iterator, List, Sequence

_NUMBER = {"x86_64": 321, "aarch64": 280}[platform.machine()]
_PROG_LOAD, _PROG_TEST_RUN, _MAP_GET_FD_BY_ID, _OBJ_GET_INFO_BY_FD = 5, 10, 14, 15
_LINK_CREATE = 28
_SOCKET_FILTER, _XDP = 1, 6
_BPF_XDP, _SKB_MODE, _XDP_DROP = 37, 2, 1
_RINGBUF_OUTPUT = 130
_FP = 10

_libc = ctypes.CDLL(None, use_errno=True)


def _bpf(command: int, attributes: bytes) -> int:
    buffer = ctypes.create_string_buffer(attributes.ljust(128, b"\0"), 128)
    result: int = _libc.syscall(_NUMBER, command, buffer, 128)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def _instruction(code: int, dst: int = 0, src: int = 0, offset: int = 0, value: int = 0) -> bytes:
    return struct.pack("<BBhi", code, src << 4 | dst, offset, value)


_RETURN_ZERO = [_instruction(0xB7), _instruction(0x95)]


def load_program(
    instructions: Sequence[bytes] = tuple(_RETURN_ZERO), kind: int = _SOCKET_FILTER
) -> int:
    """The fd of a program, a socket filter unless another type is named."""
    code = ctypes.create_string_buffer(b"".join(instructions))
    licence = ctypes.create_string_buffer(b"GPL")
    addresses = [ctypes.addressof(code), ctypes.addressof(licence)]
    return _bpf(_PROG_LOAD, struct.pack("<IIQQ", kind, len(instructions), *addresses))


def program_id(fd: int) -> int:
    info = ctypes.create_string_buffer(256)
    _bpf(_OBJ_GET_INFO_BY_FD, struct.pack("<IIQ", fd, 256, ctypes.addressof(info)))
    number: int = struct.unpack_from("<I", info, 4)[0]
    return number


@contextlib.contextmanager
def map_fd(map_id: int) -> Iterator[int]:
    fd = _bpf(_MAP_GET_FD_BY_ID, struct.pack("<I", map_id))
    try:
        yield fd
    finally:
        os.close(fd)


def produce(map_id: int, *records: bytes) -> None:
    """Has a program write records, of up to 256 bytes each, into a ring buffer."""
    with map_fd(map_id) as ring:
        program: List[bytes] = []
        for record in records:
            program += _output(ring, record)
        fd = load_program([*program, *_RETURN_ZERO])
    try:
        packet = ctypes.create_string_buffer(14)
        _bpf(_PROG_TEST_RUN, struct.pack("<IIIIQ", fd, 0, 14, 0, ctypes.addressof(packet)))
    finally:
        os.close(fd)


def _output(ring: int, record: bytes) -> List[bytes]:
    padded = max(8, -(-len(record) // 8) * 8)
    words = struct.unpack(f"<{padded // 4}i", record.ljust(padded, b"\0"))
    return [
        *(
            _instruction(0x62, _FP, 0, 4 * at - padded, word)  # *(u32 *)(fp + ...) = word
            for at, word in enumerate(words)
        ),
        _instruction(0x18, 1, 1, 0, ring),  # r1 = the map, in two instructions
        _instruction(0),
        _instruction(0xBF, 2, _FP),  # r2 = fp - padded
        _instruction(0x07, 2, 0, 0, -padded),
        _instruction(0xB7, 3, 0, 0, len(record)),  # r3 = length
        _instruction(0xB7, 4),  # r4 = no flags
        _instruction(0x85, 0, 0, 0, _RINGBUF_OUTPUT),
    ]


def produced_bytes(map_id: int) -> int:
    """How many bytes were ever written into a user ring buffer, headers included."""
    with (
        map_fd(map_id) as ring,
        mmap.mmap(ring, mmap.PAGESIZE, prot=mmap.PROT_READ, offset=mmap.PAGESIZE) as page,
    ):
        position: int = struct.unpack_from("<Q", page)[0]
        return position


def drop_packets(interface: str) -> int:
    """Has every packet dropped that comes in on an interface of this thread's network namespace,
    until the returned fd is closed."""
    program = load_program([_instruction(0xB7, value=_XDP_DROP), _instruction(0x95)], _XDP)
    try:
        index = socket.if_nametoindex(interface)
        return _bpf(_LINK_CREATE, struct.pack("<IIII", program, index, _BPF_XDP, _SKB_MODE))
    finally:
        os.close(program)
