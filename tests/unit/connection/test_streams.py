"""The two ends of a stream: the outbox of its sender and the inbox of its reader."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from farcall._connection.lanes import Lanes
from farcall._connection.send_queue import SendQueue
from farcall._connection.streams import ITEM_COST, ITEMS_BYTES, MOST_WAITING, Inbox, Outbox
from farcall._limits import DEFAULT_LIMITS
from farcall._protocol.binary import binary_items
from farcall._protocol.credit import Window
from farcall._protocol.messages import items, max_items_size, started, upload_end
from farcall._quota import MemoryAccount, ProcessQuota

ID = b"7"


def make_account() -> MemoryAccount:
    return MemoryAccount(2**30, lambda: None, ProcessQuota())


class Out:
    """An outbox, and the messages that its writer takes."""

    def __init__(self, items: int = 4, size: int = 100, room: int = 1000) -> None:
        self.credit = Window(items, size).for_sender()
        self.account = make_account()
        queue = SendQueue(DEFAULT_LIMITS, self.account)
        self.lanes = Lanes(lambda: None, lambda: None, queue)
        self.box = Outbox(self.credit, self._write, room, self.lanes, self.account)
        self.put: list[bytes] = []

    def _write(self, values: Sequence[bytes]) -> bytes:
        self.credit.spend(len(values), sum(map(len, values)))
        return b"|".join(values)

    async def produce(self, *values: bytes) -> None:
        for value in values:
            if not self.box.put(value):
                await self.box.wait_writable()
            self.put.append(value)

    def send(self) -> list[bytes]:
        """Take the values of the next message, as the writer does."""
        message = self.box.pop()
        return [] if message is None else message.split(b"|")


async def test_a_producer_runs_ahead_as_far_as_the_credit() -> None:
    """A producer can put as many items as there is credit for."""
    out = Out(items=4)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(out.produce, *[b"%d" % number for number in range(9)])
        await wait_all_tasks_blocked()

        assert out.put == [b"0", b"1", b"2"]
        assert out.send() == [b"0", b"1", b"2", b"3"]
        await wait_all_tasks_blocked()
        assert out.send() == []

        out.credit.grant(8, 1000)
        out.box.on_credit()
        await wait_all_tasks_blocked()
        assert out.send() == [b"4", b"5", b"6", b"7"]
        nursery.cancel_scope.cancel()


async def test_bytes_bound_a_producer_as_well() -> None:
    """The credit of bytes bounds a producer too."""
    out = Out(items=100, size=10)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(out.produce, b"x" * 4, b"y" * 4, b"z" * 4, b"")
        await wait_all_tasks_blocked()

        assert out.put == [b"xxxx", b"yyyy"]
        assert out.send() == [b"xxxx", b"yyyy"]
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("size", "most"), [(1, MOST_WAITING.items), (10_000, MOST_WAITING.size // 10_000 + 1)]
)
async def test_credit_without_end_bounds_nothing(size: int, most: int) -> None:
    """Without a bound of credit, the outbox has a bound of its own."""
    out = Out(items=2**53, size=2**53, room=size)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(out.produce, *[b"x" * size] * 1000)
        await wait_all_tasks_blocked()

        assert len(out.put) == most - 1
        assert out.account.held == most * (size + ITEM_COST)
        assert len(out.send()) == 1
        await wait_all_tasks_blocked()
        assert out.account.held == most * (size + ITEM_COST)
        nursery.cancel_scope.cancel()


async def test_what_waits_is_counted_until_it_is_taken_or_dropped() -> None:
    """Waiting items count until they are taken or dropped, at both ends."""
    out, inn = Out(items=10, room=3), In()
    await out.produce(b"xxx", b"yy")
    inn.box.push([b"111", b"22", b"3"])
    assert (out.account.held, inn.account.held) == (5 + 2 * ITEM_COST, 6 + 3 * ITEM_COST)

    out.send()
    await anext(inn.box)
    assert (out.account.held, inn.account.held) == (2 + ITEM_COST, 3 + 2 * ITEM_COST)

    out.box.close()
    inn.box.close()
    inn.box.push([b"4"])
    assert (out.account.held, inn.account.held) == (0, 0)


async def test_an_item_larger_than_the_window_passes_alone() -> None:
    """An item larger than the window is sent when nothing else is in flight."""
    out = Out(items=4, size=10)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(out.produce, b"a", b"x" * 50, b"b")
        await wait_all_tasks_blocked()

        assert out.send() == [b"a"]
        assert out.send() == []
        out.credit.grant(5, 11)
        out.box.on_credit()
        assert out.send() == [b"x" * 50]
        assert out.send() == []
        nursery.cancel_scope.cancel()


async def test_one_message_holds_about_as_much_as_it_should() -> None:
    """Small items share a message, up to the size of the first item that fills it."""
    out = Out(items=10, size=1000, room=100)
    await out.produce(b"x" * 60, b"y" * 30, b"z" * 30)

    assert out.send() == [b"x" * 60, b"y" * 30]
    assert out.send() == [b"z" * 30]
    assert out.send() == []


async def test_a_closed_outbox_lets_its_producer_go() -> None:
    """Closing an outbox drops its items and wakes its producer."""
    out = Out(items=2)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(out.produce, b"1", b"2", b"3")
        await wait_all_tasks_blocked()
        out.box.close()

    assert out.box.is_closed
    assert out.send() == []


class In:
    """An inbox of numbers that records the credit it grants."""

    def __init__(self, window: Window | None = None) -> None:
        self.grants: list[tuple[int, int]] = []
        self.account = make_account()
        self.credit = None if window is None else window.for_receiver()
        if self.credit is not None:
            self.credit.on_due = self._grant
        self.box = Inbox(lambda value: int(bytes(value)), self.account, self.credit)

    def receive(self, *values: bytes) -> None:
        """Receive values in one message."""
        if self.credit is not None:
            assert self.credit.receive([len(value) for value in values])
        self.box.push(values)

    def _grant(self, is_late: bool) -> None:
        assert self.credit is not None
        self.grants.append(self.credit.grant())

    async def drain(self) -> list[int]:
        return [value async for value in self.box]


async def test_values_are_read_in_order_up_to_the_end() -> None:
    """Values are read in order, up to the end."""
    inn = In()
    inn.box.push([b"1", b"22"])
    assert await anext(inn.box) == 1

    inn.box.push([b"333"])
    inn.box.end()

    assert await inn.drain() == [22, 333]
    assert await inn.drain() == []


async def test_credit_is_granted_once_half_of_the_window_is_read() -> None:
    """Credit is granted once half of the window has been read."""
    inn = In(Window(4, 100))
    inn.receive(b"1", b"22")
    inn.receive(b"333", b"4")

    assert await anext(inn.box) == 1
    assert inn.grants == []
    assert await anext(inn.box) == 22
    assert inn.grants == [(6, 103)]


async def test_a_stream_that_has_ended_needs_no_credit() -> None:
    """A stream that has ended grants no more credit."""
    inn = In(Window(2, 100))
    inn.receive(b"1", b"2")
    inn.box.end()

    assert await inn.drain() == [1, 2]
    assert inn.grants == []


async def test_an_error_comes_behind_the_values_before_it() -> None:
    """An error is raised after the values before it, each time the stream is read."""
    inn = In()
    inn.box.push([b"1"])
    inn.box.end(ValueError("over"))
    inn.box.end()  # a second end changes nothing

    assert await anext(inn.box) == 1
    for _ in range(2):
        with pytest.raises(ValueError, match="over"):
            await anext(inn.box)


async def test_a_reader_waits_for_values() -> None:
    """A waiting reader is woken by a value or by closing the inbox."""
    inn = In()
    got: list[object] = []

    async def read() -> None:
        got.append(await anext(inn.box))
        with pytest.raises(trio.ClosedResourceError):
            await anext(inn.box)
        got.append("closed")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await wait_all_tasks_blocked()
        inn.box.push([b"1"])
        await wait_all_tasks_blocked()
        inn.box.close()
    assert got == [1, "closed"]
    inn.box.push([b"2"])
    with pytest.raises(trio.ClosedResourceError):
        await anext(inn.box)


async def test_several_readers_share_the_values(autojump_clock: MockClock) -> None:
    """Each value goes to one of several readers, and the end to all."""
    inn = In()
    got: list[int] = []
    over: list[str] = []

    async def read(name: str) -> None:
        async for value in inn.box:
            got.append(value)  # noqa: PERF401 - in the order in which they come
        over.append(name)

    async with trio.open_nursery() as nursery:
        nursery.cancel_scope.deadline = trio.current_time() + 1
        for name in "abc":
            nursery.start_soon(read, name)
            await wait_all_tasks_blocked()
        for number in range(10):
            inn.box.push([b"%d" % number])
            await wait_all_tasks_blocked()
        inn.box.end()
    assert got == list(range(10))
    assert sorted(over) == ["a", "b", "c"]


async def test_a_value_that_cannot_be_read_is_one_of_many() -> None:
    """A value that cannot be decoded raises in its place, and the next one follows."""
    inn = In()
    inn.box.push([b"x", b"2"])

    with pytest.raises(ValueError, match="invalid literal"):
        await anext(inn.box)
    assert await anext(inn.box) == 2


async def test_reading_is_a_point_of_cancellation() -> None:
    """Reading is a checkpoint, and a cancelled read loses no value."""
    inn = In()
    inn.box.push([b"1"])
    with trio.CancelScope() as scope:
        scope.cancel()
        await anext(inn.box)

    assert scope.cancelled_caught
    assert await anext(inn.box) == 1


class Messages:
    """An outbox whose peer takes messages of a limited size."""

    def __init__(self, limit: int, *, is_binary: bool = False) -> None:
        self._credit = Window(1000, 2**20).for_sender()
        self._is_binary = is_binary
        room = max_items_size(limit, ID, is_binary=is_binary)
        account = make_account()
        lanes = Lanes(lambda: None, lambda: None, SendQueue(DEFAULT_LIMITS, account))
        self.box = Outbox(self._credit, self._write, room, lanes, account)
        self._seq = 0

    def _write(self, values: Sequence[bytes]) -> bytes:
        self._credit.spend(len(values), sum(map(len, values)))
        seq, self._seq = self._seq, self._seq + len(values)
        make = binary_items if self._is_binary else items
        return make(ID, seq, values)

    def sizes(self, *values: bytes) -> list[int]:
        """Put values, and return the sizes of the messages that carry them."""
        for value in values:
            self.box.put(value)
        sizes: list[int] = []
        while (message := self.box.pop()) is not None:
            sizes.append(len(message))
        return sizes


@pytest.mark.parametrize("is_binary", [False, True])
@pytest.mark.parametrize("size", [1, 9, 99, 400, 1000])
async def test_items_are_joined_as_far_as_the_peer_takes_them(size: int, is_binary: bool) -> None:
    """Items are joined in messages that stay within the peer's limit."""
    sizes = Messages(2048, is_binary=is_binary).sizes(*[b"1" * size] * 200)

    assert 400 < max(sizes) <= 2048


async def test_no_message_of_several_items_holds_up_others_for_long() -> None:
    """Messages of several items stay small, whatever the peer's limit."""
    sizes = Messages(2**24).sizes(*[b"1" * 1000] * 200)

    assert ITEMS_BYTES - 2000 < max(sizes) <= ITEMS_BYTES + 200


async def test_one_item_may_be_as_large_as_the_peer_takes() -> None:
    """An item of the peer's limit has a message of its own."""
    queue = Messages(2**17)

    sizes = queue.sizes(b"1", b"1" * queue.box.room, b"1")

    assert [sizes[0] < 200, 2**17 - 20 < sizes[1] <= 2**17, sizes[2] < 200] == [True] * 3


async def test_the_start_goes_first_and_the_end_last() -> None:
    """The start is sent first and the end last."""
    box = Messages(2048).box
    box.end(lambda: upload_end(ID))
    box.put(b"1")
    box.begin(started(ID, b"null"))

    assert box.pop() == started(ID, b"null")
    assert box.pop() == items(ID, 0, [b"1"])
    with pytest.raises(trio.TooSlowError), trio.fail_after(0):
        await box.wait_ended()
    assert box.pop() == upload_end(ID)
    await box.wait_ended()
    assert box.pop() is None


async def test_nothing_leaves_while_it_is_held() -> None:
    """Items are held back until their request has been sent."""
    box = Messages(2048).box
    box.is_held = True
    box.put(b"1")

    assert box.pop() is None
    box.is_held = False
    assert box.pop() is not None
