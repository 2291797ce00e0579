"""Kernel objects: what keys and values of some map types are.

With the codec "object" (KernelObject), values of PROG_ARRAY are Program, of ARRAY_OF_MAPS and
HASH_OF_MAPS InnerMap (or a handle, when written), of CGROUP_ARRAY Cgroup, of DEVMAP and
DEVMAP_HASH Device, of CPUMAP CpuQueue, of the socket maps Socket, of PERF_EVENT_ARRAY PerfEvent,
of STACK_TRACE StackTrace. Keys of SK_STORAGE are Socket, of INODE_STORAGE Inode, of TASK_STORAGE
Task, of CGRP_STORAGE Cgroup, of CGROUP_STORAGE and PERCPU_CGROUP_STORAGE CgroupAttachment.

The daemon opens what is named for the call: ObjectNotFound where there is no such thing,
InvalidArgument where it is of the wrong kind, ObjectUnsuitable where the map does not take it
now. What is named in two ways, or in none, is refused with InvalidArgument.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Tuple, Union

__all__ = [
    "Cgroup",
    "CgroupAttachment",
    "CpuQueue",
    "Device",
    "InnerMap",
    "Inode",
    "Interface",
    "ObjectKey",
    "ObjectValue",
    "PerfEvent",
    "ProcessFile",
    "Program",
    "Socket",
    "StackFrame",
    "StackTrace",
    "Task",
]


@dataclass(frozen=True)
class Program:
    """A loaded program, named by one of the two; read back by id."""

    id: Optional[int] = None
    """The kernel's program id, valid within a boot."""
    pin: Optional[str] = None
    """Absolute path of its pin, inside one of the host's bpffs roots."""


@dataclass(frozen=True)
class InnerMap:
    """A map inside another one, named as by Client.map(); read back by id."""

    id: Optional[int] = None
    """The kernel's map id, valid within a boot."""
    pin: Optional[str] = None
    """Absolute path of its pin."""
    name: Optional[str] = None
    """Its name, which must be its alone."""
    held: Optional[str] = None
    """The name of a hold of the daemon."""
    boot_id: Optional[str] = None
    """The boot that the id was learnt in."""


@dataclass(frozen=True)
class Cgroup:
    """A cgroup of version 2, named by one of the two. Values cannot be read back."""

    path: Optional[str] = None
    """Below the host's cgroup2 mount, from its root: "/" is the root cgroup."""
    id: Optional[int] = None
    """The inode number of its directory."""


@dataclass(frozen=True)
class Interface:
    """A network interface of the daemon's network namespace, named by one of the two."""

    name: Optional[str] = None
    """Such as "eth0"."""
    index: Optional[int] = None
    """Its index."""


@dataclass(frozen=True)
class Task:
    """A process of the host."""

    pid: int
    """In the daemon's pid namespace."""


@dataclass(frozen=True)
class ProcessFile:
    """A file that a process of the host has open. The daemon takes a copy of the fd."""

    pid: int
    """In the daemon's pid namespace."""
    fd: int
    """The fd's number in that process."""


@dataclass(frozen=True)
class Socket:
    """A socket: written by a process's fd, read back by its cookie."""

    file: Optional[ProcessFile] = None
    """A process's fd."""
    cookie: Optional[int] = None
    """The kernel's socket cookie (SO_COOKIE). Only read."""


@dataclass(frozen=True)
class PerfEvent:
    """A perf event: one that a process has (`file`), or one that the daemon opens on `cpu` and
    keeps as long as the element. Cannot be read back."""

    file: Optional[ProcessFile] = None
    """A process's fd."""
    type: int = 1
    """PERF_TYPE_*: 1 is software."""
    config: int = 10
    """The event within its type: 10 is PERF_COUNT_SW_BPF_OUTPUT."""
    cpu: Optional[int] = None
    """The CPU to count on, which must be online."""


@dataclass(frozen=True)
class Device:
    """An entry of DEVMAP and DEVMAP_HASH."""

    interface: Interface
    """Where frames are redirected to."""
    program: Optional[Program] = None
    """An XDP program that runs on the way out; only with values of 8 bytes."""


@dataclass(frozen=True)
class CpuQueue:
    """An entry of CPUMAP."""

    queue_size: int
    """Frames that the CPU's queue holds: 1 to 16384."""
    program: Optional[Program] = None
    """An XDP program that runs on that CPU; only with values of 8 bytes."""


@dataclass(frozen=True)
class StackFrame:
    """One frame of a stack trace."""

    address: Optional[int]
    """Address of an instruction; None with a build id."""
    build_id: Optional[bytes]
    """With CreateFlag.STACK_BUILD_ID: the file's build id, 20 bytes."""
    offset: Optional[int]
    """With a build id: the offset inside the file, in bytes."""
    symbol: str
    """The kernel's symbol that the address lies in; "" where there is none."""
    symbol_offset: int
    """Bytes from the symbol's start to the address."""
    module: str
    """The kernel module of the symbol; "" for the kernel itself."""


@dataclass(frozen=True)
class StackTrace:
    """A value of STACK_TRACE. Only read."""

    frames: Tuple[StackFrame, ...]
    """Innermost first."""


@dataclass(frozen=True)
class Inode:
    """A key of INODE_STORAGE."""

    path: str
    """Absolute path of the inode in the daemon's file systems."""


@dataclass(frozen=True)
class CgroupAttachment:
    """A key of CGROUP_STORAGE and PERCPU_CGROUP_STORAGE."""

    cgroup: Cgroup
    """The cgroup."""
    attach_type: int = 0
    """How the program is attached (`enum bpf_attach_type`), for keys of 16 bytes."""


ObjectValue = Union[Program, InnerMap, Cgroup, Device, CpuQueue, Socket, PerfEvent, StackTrace]
"""A value that is a kernel object."""
ObjectKey = Union[Socket, Inode, Task, Cgroup, CgroupAttachment]
"""A key that is a kernel object."""
