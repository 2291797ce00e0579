"""Single elements and several in one call, on both faces."""

from __future__ import annotations

import pytest
from conftest import Maker

import bpfmapd
import bpfmapd.aio
from bpfmapd import errors


class TestSync:
    def test_reads_what_it_wrote(self, make: Maker) -> None:
        hits = make.numbers()
        hits[7] = 42
        assert hits[7] == 42
        assert hits.get(7) == 42
        assert 7 in hits
        assert 8 not in hits

    def test_raises_a_key_error_where_the_key_is_not_there(self, make: Maker) -> None:
        hits = make.numbers()
        with pytest.raises(KeyError, match="no element with this key") as caught:
            hits[1]
        assert isinstance(caught.value, bpfmapd.KeyNotFound)
        assert caught.value.reason == "ELEMENT_NOT_FOUND"
        assert caught.value.code.name == "NOT_FOUND"
        assert caught.value.metadata["errno"] == "ENOENT"
        with pytest.raises(bpfmapd.KeyNotFound):
            del hits[1]
        assert hits.get(1) is None
        assert hits.get(1, "none") == "none"
        assert hits.take(1, -1) == -1
        assert hits.delete(1) is False

    def test_obeys_the_mode_of_an_update(self, make: Maker) -> None:
        hits = make.numbers()
        with pytest.raises(bpfmapd.KeyNotFound):
            hits.update(1, 1, mode="exist")
        hits.update(1, 1, mode="noexist")
        with pytest.raises(bpfmapd.KeyExists):
            hits.update(1, 2, mode=bpfmapd.UpdateMode.NOEXIST)
        hits.update(1, 3, mode="exist")
        assert hits[1] == 3
        with pytest.raises(ValueError, match="give one of any, noexist, exist"):
            hits.update(1, 3, mode="sometimes")

    def test_takes_an_element_once(self, make: Maker) -> None:
        hits = make.numbers()
        hits[1] = 5
        assert hits.take(1) == 5
        assert hits.take(1) is None

    def test_walks_the_keys(self, make: Maker) -> None:
        hits = make.numbers()
        hits.update_many((key, key) for key in range(10))
        seen, key = [], hits.next_key()
        while key is not None:
            seen.append(key)
            key = hits.next_key(key)
        assert sorted(seen) == list(range(10))

    def test_reads_several_and_leaves_gaps(self, make: Maker) -> None:
        hits = make.numbers()
        assert hits.update_many([(1, 10), (3, 30)]).applied == 2
        assert hits.get_many([1, 2, 3]) == [10, None, 30]
        assert hits.take_many([3, 2]) == [30, None]
        assert hits.get_many([]) == []
        deleted = hits.delete_many([1, 2])
        assert deleted.applied == 1
        assert [(each.index, each.item) for each in deleted.failures] == [(1, 2)]
        with pytest.raises(bpfmapd.KeyNotFound):
            deleted.raise_first()

    def test_says_which_elements_found_no_room(self, make: Maker) -> None:
        hits = make.numbers(max_entries=3)
        result = hits.update_many([(key, key) for key in range(5)], on_error="continue")
        assert result.applied == 3
        assert [each.item for each in result.failures] == [3, 4]
        assert all(isinstance(each.error, bpfmapd.MapFull) for each in result.failures)
        with pytest.raises(bpfmapd.MapFull) as caught:
            hits.update_many([(0, 9), (7, 7), (1, 9)])
        assert caught.value.metadata["index"] == "1"
        assert caught.value.metadata["applied"] == "1"
        assert hits.get_many([0, 1]) == [9, 1]

    def test_refuses_wrong_sizes_whole(self, make: Maker) -> None:
        hits = make(key_size=4, value_size=8)
        with pytest.raises(bpfmapd.SizeMismatch) as caught:
            hits[b"abc"] = b"12345678"
        assert caught.value.reason == "KEY_SIZE_MISMATCH"
        with pytest.raises(bpfmapd.SizeMismatch) as caught:
            hits[b"abcd"] = b"1234567"
        assert caught.value.reason == "VALUE_SIZE_MISMATCH"
        assert caught.value.violations[0].field == "elements.values"
        with pytest.raises(bpfmapd.SizeMismatch, match="key 1 has 3 bytes"):
            hits.update_many([(b"abcd", b"12345678"), (b"abc", b"123456789")])
        with pytest.raises(bpfmapd.SizeMismatch):
            hits.get(b"abcdabcd")
        assert hits.count().count == 0

    def test_refuses_objects_that_do_not_fit(self, make: Maker) -> None:
        hits = make.numbers()
        for key in (-1, 2**32, "seven", 1.5):
            with pytest.raises(bpfmapd.InvalidArgument, match="cannot be encoded"):
                hits[key] = 1  # type: ignore[index]
        with pytest.raises(bpfmapd.InvalidArgument, match="bytes unless the handle has a codec"):
            make(key_size=4, value_size=4)[7] = b"abcd"

    def test_names_an_index_past_the_end(self, make: Maker) -> None:
        slots = make("array", 10, key=int, value=int, value_size=4)
        slots[9] = 1
        with pytest.raises(IndexError) as caught:
            slots[10]
        assert caught.value.reason == "KEY_OUT_OF_RANGE"  # type: ignore[attr-defined]

    def test_tells_that_a_frozen_map_cannot_be_written(self, make: Maker) -> None:
        hits = make.numbers()
        hits[1] = 1
        hits.freeze()
        assert hits.info().frozen is True
        with pytest.raises(errors.MapFrozen):
            hits[1] = 2
        assert hits[1] == 1

    def test_works_queues_stacks_and_bloom_filters(self, make: Maker) -> None:
        queue = make("queue", 3, value=int, value_size=4)
        assert queue.pop() is None
        assert queue.peek() is None
        assert queue.push(1, 2, 3) == 3
        with pytest.raises(bpfmapd.MapFull):
            queue.push(4)
        queue.push(4, overwrite_oldest=True)
        assert queue.peek() == 2
        assert queue.pop() == 2
        assert queue.pop_many(9) == [3, 4]
        stack = make("stack", 3, value=int, value_size=4)
        stack.push(1, 2)
        assert stack.pop_many(2) == [2, 1]
        bloom = make("bloom_filter", 100, value=int, value_size=4)
        bloom.push(7)
        assert bloom.may_contain(7)

    def test_says_that_a_type_lacks_an_operation(self, make: Maker) -> None:
        with pytest.raises(bpfmapd.NotSupported) as caught:
            make.numbers().push(1)
        assert caught.value.reason == "OPERATION_NOT_SUPPORTED"

    def test_asks_anew_when_the_map_is_another_one(
        self, make: Maker, client: bpfmapd.Client, unique: str
    ) -> None:
        client.create_map("hash", 10, key=int, value=int, key_size=4, value_size=8, hold=unique)
        hits = client.map(held=unique, key=int, value=int)
        hits[1] = 1
        client.release(unique)
        client.create_map("hash", 10, key=int, value=int, key_size=8, value_size=4, hold=unique)
        with pytest.raises(bpfmapd.SizeMismatch):
            hits[1] = 1
        hits[2**40] = 5
        assert hits[2**40] == 5
        client.release(unique)

    def test_fails_with_cancelled_on_a_closed_client(self, make: Maker, daemon) -> None:
        held = make.numbers().ref.held
        client = bpfmapd.connect(daemon.address)
        hits = client.map(held=held, key=int, value=int)
        hits[1] = 1
        client.close()
        with pytest.raises(errors.Cancelled):
            hits[1]
        with pytest.raises(errors.Cancelled):
            list(hits)
        with pytest.raises(errors.Cancelled):
            hits.load([(1, 1)])


class TestAsync:
    async def test_reads_what_it_wrote(self, make: Maker, aio_client: bpfmapd.aio.Client) -> None:
        ref = make.numbers().ref
        hits = aio_client.map(held=ref.held, key=int, value=int)
        await hits.update(7, 42)
        assert await hits[7] == 42
        assert await hits.get(8) is None
        assert await hits.get(8, -1) == -1
        with pytest.raises(KeyError):
            await hits[8]
        with pytest.raises(bpfmapd.KeyExists):
            await hits.update(7, 1, mode="noexist")
        assert await hits.take(7) == 42
        assert await hits.take(7) is None
        assert await hits.delete(7) is False
        assert await hits.next_key() is None
        await hits.update_many([(1, 10), (3, 30)])
        assert await hits.get_many([1, 2, 3]) == [10, None, 30]
        assert (await hits.delete_many([1, 2])).applied == 1
        assert await hits.take_many([3, 4]) == [30, None]
        assert (await hits.count()).count == 0

    async def test_makes_and_keeps_maps(
        self, aio_client: bpfmapd.aio.Client, unique: str, daemon
    ) -> None:
        path = f"{daemon.bpffs}/{unique}"
        queue = await aio_client.create_map(
            "queue", 3, name=unique, value=int, value_size=4, hold=unique, lease=60
        )
        assert queue.created is True
        await queue.pin(path)
        await queue.push(1, 2)
        assert await queue.peek() == 1
        assert await queue.pop() == 1
        assert await queue.pop_many(5) == [2]
        assert [hold.name for hold in await aio_client.keep_alive(unique)] == [unique]
        assert (await queue.info(pins=True)).pins == (path,)
        assert [each.name async for each in aio_client.list_maps(name=unique)] == [unique]
        await aio_client.release(unique)
        await aio_client.map(pin=path).hold(unique)
        await aio_client.release(unique)
        await aio_client.unpin(path)
        with pytest.raises(errors.PinNotFound):
            await aio_client.map(pin=path).info()

    async def test_fails_with_cancelled_on_a_closed_client(self, make: Maker, daemon) -> None:
        held = make.numbers().ref.held
        client = bpfmapd.aio.connect(daemon.address)
        hits = client.map(held=held, key=int, value=int)
        await hits.update(1, 1)
        await client.close()
        with pytest.raises(errors.Cancelled):
            await hits[1]
        with pytest.raises(errors.Cancelled):
            await hits.columns()
