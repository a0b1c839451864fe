"""The local halves of a stream: what waits to be sent, and what waits to be read."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from farcall._budget import Account, Process
from farcall._protocol.credit import Window
from farcall._streams import ITEM_COST, MOST_WAITING, Inbox, Outbox


def make_account() -> Account:
    return Account(2**30, lambda: None, Process())


class Out:
    """An outbox, and how often it has asked for the writer."""

    def __init__(self, items: int = 4, size: int = 100) -> None:
        self.credit = Window(items, size).for_sender()
        self.woken = 0
        self.account = make_account()
        self.box = Outbox(self.credit, self._wake, self.account)
        self.put: list[bytes] = []

    def _wake(self) -> None:
        self.woken += 1

    async def produce(self, *values: bytes) -> None:
        for value in values:
            await self.box.put(value)
            self.put.append(value)

    def send(self, max_bytes: int = 1000) -> list[bytes]:
        """Take what may be sent, as the writer does."""
        values = self.box.take(max_bytes)
        self.credit.spend(len(values), sum(map(len, values)))
        return values


async def test_a_producer_runs_ahead_as_far_as_the_credit() -> None:
    """What waits is bounded by what the reader takes, and leaves in one message."""
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
    """Items are many or large."""
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
    """What waits has a bound of its own, and its producer goes on when the writer has taken it."""
    out = Out(items=2**53, size=2**53)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(out.produce, *[b"x" * size] * 1000)
        await wait_all_tasks_blocked()

        assert len(out.put) == most - 1
        assert out.account.held == most * (size + ITEM_COST)
        assert len(out.send(size)) == 1
        await wait_all_tasks_blocked()
        assert out.account.held == most * (size + ITEM_COST)
        nursery.cancel_scope.cancel()


async def test_what_waits_is_counted_until_it_is_taken_or_dropped() -> None:
    """At either end."""
    out, inn = Out(items=10), In()
    await out.produce(b"xxx", b"yy")
    inn.box.push([b"111", b"22", b"3"])
    assert (out.account.held, inn.account.held) == (5 + 2 * ITEM_COST, 6)

    out.send(max_bytes=3)
    await anext(inn.box)
    assert (out.account.held, inn.account.held) == (2 + ITEM_COST, 3)

    out.box.close()
    inn.box.close()
    inn.box.push([b"4"])
    assert (out.account.held, inn.account.held) == (0, 0)


async def test_an_item_larger_than_the_window_passes_alone() -> None:
    """When nothing else of its stream is on its way."""
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
    """A large first value goes alone, and small ones go together."""
    out = Out(items=10, size=1000)
    await out.produce(b"x" * 60, b"y" * 30, b"z" * 30)

    assert out.send(max_bytes=100) == [b"x" * 60, b"y" * 30]
    assert out.send(max_bytes=10) == [b"z" * 30]
    assert out.box.is_empty


async def test_a_closed_outbox_lets_its_producer_go() -> None:
    """What waited is dropped."""
    out = Out(items=2)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(out.produce, b"1", b"2", b"3")
        await wait_all_tasks_blocked()
        out.box.close()

    assert out.box.is_closed
    assert out.send() == []


class In:
    """An inbox of numbers, and the sizes that were read of it."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.account = make_account()
        self.box = Inbox(lambda value: int(bytes(value)), self.sizes.append, self.account)

    async def drain(self) -> list[int]:
        return [value async for value in self.box]


async def test_values_are_read_in_order_up_to_the_end() -> None:
    """Each counts as read when it is handed out."""
    inn = In()
    inn.box.push([b"1", b"22"])
    assert await anext(inn.box) == 1
    assert inn.sizes == [1]

    inn.box.push([b"333"])
    inn.box.end()

    assert await inn.drain() == [22, 333]
    assert inn.sizes == [1, 2, 3]
    assert await inn.drain() == []


async def test_an_error_comes_behind_the_values_before_it() -> None:
    """Again and again, for whoever asks again."""
    inn = In()
    inn.box.push([b"1"])
    inn.box.end(ValueError("over"))
    inn.box.end()  # a second end changes nothing

    assert await anext(inn.box) == 1
    for _ in range(2):
        with pytest.raises(ValueError, match="over"):
            await anext(inn.box)


async def test_a_reader_waits_for_values() -> None:
    """And is woken by a value, the end, or the closing."""
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
    """Each value goes to one of them, and the end to all."""
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
    """It raises where it stands, and the next one follows."""
    inn = In()
    inn.box.push([b"x", b"2"])

    with pytest.raises(ValueError, match="invalid literal"):
        await anext(inn.box)
    assert await anext(inn.box) == 2


async def test_reading_is_a_point_of_cancellation() -> None:
    """Also where values wait: nothing is lost by it."""
    inn = In()
    inn.box.push([b"1"])
    with trio.CancelScope() as scope:
        scope.cancel()
        await anext(inn.box)

    assert scope.cancelled_caught
    assert await anext(inn.box) == 1
