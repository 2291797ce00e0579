"""What keys and values can be."""

from __future__ import annotations

import ctypes
import enum
import sys
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Annotated, Any, List, Tuple

import pytest
from conftest import Maker
from hypothesis import given
from hypothesis import strategies as st

import bpfmapd
from bpfmapd import PerCpu, Record, Struct, be16, f64, i16, u8, u16, u32, u64
from bpfmapd._codecs.resolve import codec_of
from bpfmapd.codecs import Int, Site


class Proto(enum.IntEnum):
    TCP = 6
    UDP = 17


@dataclass(frozen=True)
class Flow:
    source: IPv4Address
    port: be16
    proto: Annotated[Proto, u8]


@dataclass
class Inner:
    a: u8
    b: u32


@dataclass
class Stats:
    packets: u64
    small: u8
    inner: Inner
    tag: Annotated[bytes, 3]
    history: Annotated[List[i16], 3]
    ratio: f64
    on: bool


class CStats(ctypes.Structure):
    _fields_ = [
        ("packets", ctypes.c_uint64),
        ("small", ctypes.c_uint8),
        ("inner_a", ctypes.c_uint8),
        ("inner_b", ctypes.c_uint32),
    ]


def site(size: int, order: str = "little", cpus: Tuple[int, ...] = ()) -> Site:
    return Site(size, order, cpus, "values of map t", "values")


def test_lays_dataclasses_out_as_a_c_compiler_does() -> None:
    class C(ctypes.Structure):
        class Inside(ctypes.Structure):
            _fields_ = [("a", ctypes.c_uint8), ("b", ctypes.c_uint32)]

        _fields_ = [
            ("packets", ctypes.c_uint64),
            ("small", ctypes.c_uint8),
            ("inner", Inside),
            ("tag", ctypes.c_uint8 * 3),
            ("history", ctypes.c_int16 * 3),
            ("ratio", ctypes.c_double),
            ("on", ctypes.c_bool),
        ]

    bound = Record(Stats).bind(site(ctypes.sizeof(C), sys.byteorder))
    item = Stats(5, 1, Inner(2, 3), b"abc", [1, -2, 3], 0.5, True)
    data = bound.encode(item)
    same = C.from_buffer_copy(data)
    assert (same.packets, same.small, same.inner.a, same.inner.b) == (5, 1, 2, 3)
    assert (bytes(same.tag), list(same.history)) == (b"abc", [1, -2, 3])
    assert (same.ratio, same.on) == (0.5, True)
    assert bound.decode(data) == item


def test_packs_where_it_is_asked_to() -> None:
    bound = Record(Inner, packed=True).bind(site(5))
    assert bound.encode(Inner(1, 2)) == b"\1\2\0\0\0"


@given(st.integers(0, 2**64 - 1), st.integers(0, 255), st.integers(0, 2**32 - 1))
def test_decodes_what_it_encodes(packets: int, small: int, word: int) -> None:
    @dataclass
    class Item:
        small: u8
        word: u32
        packets: u64

    for order in ("little", "big"):
        bound = Record(Item).bind(site(16, order))
        item = Item(small, word, packets)
        assert bound.decode(bound.encode(item)) == item
        assert list(bound.decode_column(bound.encode(item) * 2, 2)) == [item, item]
        triple = Struct("B3xIQ").bind(site(16, order))
        assert triple.encode((small, word, packets)) == bound.encode(item)
        assert triple.decode(bound.encode(item)) == (small, word, packets)


@given(st.binary(min_size=1, max_size=20), st.booleans(), st.sampled_from(["little", "big"]))
def test_reads_integers_of_any_size(data: bytes, signed: bool, order: Any) -> None:
    bound = Int(signed=signed).bind(site(len(data), order))
    number = int.from_bytes(data, order, signed=signed)
    assert bound.decode(data) == number
    assert bound.encode(number) == data
    assert list(bound.decode_column(data * 3, 3)) == [number] * 3


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (float, "says nothing about bytes"),
        ("Z", "is not a format"),
        (CStats, "CStats has 16"),
        ("QQ", "format 'QQ' has 16"),
        (Inner, r"Inner \(a at 0, b at 4\) has 8"),
        (IPv4Address, "IPv4Address has 4"),
        (IPv6Network, "prefix length and address"),
        ("=I", "leave out '='"),
        (PerCpu(int), "not per-CPU"),
    ],
)
def test_says_why_a_codec_does_not_fit(given: Any, why: str) -> None:
    other = "big" if sys.byteorder == "little" else "little"
    order = other if given == "=I" else "little"
    with pytest.raises(bpfmapd.InvalidArgument, match=why):
        codec_of(given).bind(site(5 if given != "=I" else 4, order))


def test_says_which_field_has_no_width() -> None:
    @dataclass
    class Bare:
        count: int

    with pytest.raises(bpfmapd.InvalidArgument, match=r"Bare.count: int has no width; write u32"):
        Record(Bare).bind(site(4))


def test_says_which_field_does_not_fit() -> None:
    bound = Record(Inner).bind(site(8))
    with pytest.raises(bpfmapd.InvalidArgument, match="field a"):
        bound.encode(Inner(256, 0))
    with pytest.raises(bpfmapd.InvalidArgument, match="it is no Inner"):
        bound.encode(Stats)  # type: ignore[arg-type]


def test_keeps_an_enum_number_that_it_does_not_know() -> None:
    bound = Record(Flow).bind(site(8))
    assert bound.decode(b"\x0a\0\0\1\0\x50\x06\0") == Flow(IPv4Address("10.0.0.1"), 80, Proto.TCP)
    assert bound.decode(b"\x0a\0\0\1\0\x50\x63\0").proto == 99


def test_needs_swapped_ctypes_for_a_host_of_the_other_byte_order() -> None:
    other = "big" if sys.byteorder == "little" else "little"
    with pytest.raises(bpfmapd.InvalidArgument, match="EndianStructure"):
        codec_of(CStats).bind(site(16, other))


class TestOnMaps:
    def test_dataclass_keys_and_ctypes_values(self, make: Maker) -> None:
        flows = make(key=Flow, value=CStats)
        assert (flows.info().key_size, flows.info().value_size) == (8, 16)
        flow = Flow(IPv4Address("10.0.0.1"), 443, Proto.UDP)
        flows[flow] = CStats(7, 1, 2, 3)
        assert flows[flow].packets == 7
        [(key, value)] = flows
        assert (key, value.inner_b) == (flow, 3)

    def test_struct_formats(self, make: Maker) -> None:
        hits = make(key="!I", value="IH2x")
        hits[1] = (2, 3)
        assert hits[1] == (2, 3)
        assert hits.typed(bytes, bytes).next_key() == b"\0\0\0\1"

    def test_addresses_and_networks(self, make: Maker) -> None:
        names = make(key=IPv6Address, value=int, value_size=4)
        names[IPv6Address("2001:db8::1")] = 1
        assert list(names.keys()) == [IPv6Address("2001:db8::1")]
        trie = make("lpm_trie", key=IPv4Network, value=int, value_size=4)
        trie[IPv4Network("10.0.0.0/8")] = 1
        trie[IPv4Network("10.1.0.0/16")] = 2
        assert trie[IPv4Network("10.1.2.3/32")] == 2
        assert trie[IPv4Network("10.9.2.3/32")] == 1
        assert sorted(trie) == [(IPv4Network("10.0.0.0/8"), 1), (IPv4Network("10.1.0.0/16"), 2)]

    def test_initial_elements(self, make: Maker, client: bpfmapd.Client) -> None:
        cpus = client.host_info().possible_cpus
        hits = make(
            "percpu_hash",
            key="I",
            value=PerCpu(u16_pair := Record(Pair)),
            elements=[(1, [Pair(1, 2)] * len(cpus))],
        )
        assert hits[1] == [Pair(1, 2)] * len(cpus)
        assert hits.typed("I", u16_pair, cpu=0)[1] == Pair(1, 2)

    def test_per_cpu_values_in_every_view(self, make: Maker) -> None:
        hits = make("percpu_hash", key="I", value=PerCpu(int), value_size=8)
        cpus = hits.info().cpus
        hits[1] = [10 + cpu for cpu in range(len(cpus))]
        assert hits[1] == [10 + cpu for cpu in range(len(cpus))]
        total = hits.typed("I", int, fold="sum_u64", all_cpus=True)
        assert total[1] == sum(hits[1])
        total[1] = 5
        assert hits[1] == [5] * len(cpus)
        one = hits.typed("I", int, cpu=cpus[-1])
        one[1] = 99
        assert hits[1] == [5] * (len(cpus) - 1) + [99]
        assert list(one) == [(1, 99)]
        assert list(one.keys()) == [1]
        assert total.columns().numpy_values().tolist() == [sum(hits[1])]

    def test_refuses_a_view_that_says_too_little(self, make: Maker) -> None:
        hits = make("percpu_hash", key="I", value=PerCpu(int), value_size=8)
        with pytest.raises(bpfmapd.InvalidArgument, match="give value=PerCpu"):
            hits.typed("I", int)[1]
        with pytest.raises(bpfmapd.InvalidArgument, match="only reads"):
            hits.typed("I", int, fold="max_u64")[1] = 5
        with pytest.raises(bpfmapd.InvalidArgument, match="only writes"):
            hits.typed("I", int, all_cpus=True)[1]
        with pytest.raises(bpfmapd.InvalidArgument, match="cpu excludes"):
            hits.typed("I", int, cpu=0, fold="sum_u64")
        with pytest.raises(bpfmapd.InvalidArgument, match="items for"):
            hits[1] = [1, 2, 3, 4, 5, 6, 7, 8, 9]

    def test_a_codec_of_two_functions(self, make: Maker) -> None:
        text = bpfmapd.Custom(
            lambda text: text.encode().ljust(8, b"\0"), lambda data: data.rstrip(b"\0").decode()
        )
        names = make(key=text, value="I", key_size=8)
        names["eth0"] = 2
        assert list(names) == [("eth0", 2)]
        with pytest.raises(bpfmapd.SizeMismatch):
            names["far too long"] = 1

    def test_asks_for_sizes_that_nothing_tells(self, make: Maker) -> None:
        with pytest.raises(bpfmapd.InvalidArgument, match="give key_size"):
            make(key=int, value="I")


@dataclass
class Pair:
    a: u16
    b: u16
