"""Limits of what waits for a peer that does not read, each tested at and above the limit."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from typing import Any, Literal

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from farcall import Limits, service, stream
from farcall.testing import open_pair
from tests.ends import RawClient, raw_client
from tests.inside import ITEM_COST, MESSAGE_COST, CloseReason, links_of

KIB = 1024
PIPE = 64 * KIB
"""The bytes that the link in memory holds before a sender has to wait."""
ENVELOPE = len('{"jsonrpc":"2.0","id":1,"result":}')
NOT_FOUND = '{"jsonrpc":"2.0","id":"s0","error":{"code":-32601,"message":"Method not found"}}'


@service(name="")
class Store:
    """A service that returns or streams texts of any size."""

    def __init__(self) -> None:
        self.given = 0
        self.numbers: list[int] = []

    async def number(self, number: int) -> None:
        self.numbers.append(number)

    async def fetch(self, size: int) -> str:
        self.given += 1
        return "x" * size

    async def fetch_later(self, size: int) -> str:
        await trio.sleep(1)
        return "x" * size

    def peek(self, size: int) -> str:
        self.given += 1
        return "x" * size

    async def hang(self) -> None:
        await trio.sleep_forever()

    @stream
    async def flood(self, size: int) -> AsyncIterator[str]:
        while True:
            self.given += 1
            yield "x" * size

    @stream
    async def three(self, size: int) -> AsyncIterator[str]:
        for _ in range(3):
            yield "x" * size
        await trio.sleep(1)

    async def keep(self, items: AsyncIterable[str]) -> None:
        await trio.sleep_forever()


def call(id: Any, name: str, *params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id, "method": name, "params": list(params)}


class Deaf:
    """A peer that sends, and reads nothing until a test says so."""

    def __init__(self, client: RawClient) -> None:
        self.client = client
        (self.link,) = client.host.links

    async def fill(self) -> None:
        """Make the server send until its writer waits for the link."""
        self.client.stop_reading()
        await self.ask(call("full", "fetch", 2 * PIPE), call("stuck", "fetch", 1))
        assert len(self.link.lanes.calls) == 0

    async def ask(self, *messages: Any) -> None:
        for message in messages:
            await self.client.ask(message)

    def held(self) -> int:
        return self.link.account.held

    def ended(self) -> CloseReason | None:
        return self.link.close_reason


async def test_limit_queued_messages(autojump_clock: MockClock) -> None:
    """A peer with more unread responses than `queued_messages` is disconnected with 1013."""
    async with raw_client(Store(), Limits(queued_messages=3)) as client:
        deaf = Deaf(client)
        await deaf.fill()
        await deaf.ask(*[call(n, "nothing") for n in range(3)])
        assert deaf.ended() is None

        await deaf.ask(call(3, "nothing"))
        problem = "too many responses were not read (the limit queued_messages)"
        assert deaf.ended() == CloseReason(1013, problem, remote=False)
        await trio.sleep(20)
        assert deaf.link.is_closed


async def test_limit_queued_messages_has_tasks_wait(autojump_clock: MockClock) -> None:
    """A handler begins only when `queued_messages` has room for its result."""
    store = Store()
    async with raw_client(store, Limits(queued_messages=3, calls=4)) as client:
        deaf = Deaf(client)
        await deaf.fill()
        await deaf.ask(*[call(n, "fetch", 1) for n in range(7)])
        assert store.given == 2 + 3
        assert (len(deaf.link.lanes.calls), len(deaf.link.protocol.incoming)) == (3, 4)
        assert deaf.ended() is None

        client.go_on_reading()
        await trio.sleep(1)
        answers = {frame["id"] for frame in client.heard()}
        assert answers == {"full", "stuck", *range(7)}


async def test_calls_that_wait_for_room_begin_in_order_and_can_be_cancelled(
    autojump_clock: MockClock,
) -> None:
    """Calls that wait for room begin in order, and a cancelled one never begins."""
    store = Store()
    async with raw_client(store, Limits(queued_messages=1)) as client:
        await client.ask(HELLO)
        deaf = Deaf(client)
        await deaf.fill()
        await deaf.ask(*[call(n, "number", n) for n in range(6)])
        cancel = {"jsonrpc": "2.0", "method": "rpc.cancel", "params": {"id": 3}}
        await deaf.ask(cancel)
        assert store.numbers == [0]

        client.go_on_reading()
        await trio.sleep(1)
        assert store.numbers == [0, 1, 2, 4, 5]
        (answer,) = [
            each
            for frame in client.heard()
            for each in (frame if isinstance(frame, list) else [frame])
            if each.get("id") == 3
        ]
        assert answer["error"]["code"] == -32800


async def test_limit_queued_messages_has_inline_methods_wait(autojump_clock: MockClock) -> None:
    """An inline method runs only when `queued_messages` has room for its result."""
    async with raw_client(Store(), Limits(queued_messages=3)) as client:
        deaf = Deaf(client)
        await deaf.fill()
        await deaf.ask(*[call(n, "peek", 1) for n in range(9)])
        assert (len(deaf.link.lanes.calls), deaf.ended()) == (3, None)

        client.go_on_reading()
        await trio.sleep(1)
        assert len(client.heard()) == 2 + 9


async def test_limit_queued_bytes(autojump_clock: MockClock) -> None:
    """Below `queued_bytes` a result of any size is queued; at it the next handler waits."""
    limits = Limits(queued_bytes=1000)
    async with raw_client(Store(), limits) as client:
        deaf = Deaf(client)
        await deaf.fill()
        await deaf.ask(call(1, "fetch", 997 - ENVELOPE))  # the envelope and two quotes
        await deaf.ask(call(2, "fetch", 5000))
        await deaf.ask(call(3, "fetch", 1))
        assert (len(deaf.link.lanes.calls), len(deaf.link.protocol.incoming)) == (2, 1)
        client.go_on_reading()
        await trio.sleep(1)
        assert len(client.heard()) == 2 + 3


@pytest.mark.parametrize(("announced", "most"), [(500, 2**24), (2**53, 500)])
async def test_limit_queued_bytes_holds_for_the_reader(
    announced: int, most: int, autojump_clock: MockClock
) -> None:
    """Errors that the reader sends may exceed `queued_bytes` by one message at most.

    The size of that message is the smaller one of the peer's limit and `message_out`.
    """
    limits = Limits(queued_bytes=1000, message_out=most)
    hello = {"v": 1, "limits": {"message": announced}}
    async with raw_client(Store(), limits) as client:
        await client.ask(call(0, "rpc.hello") | {"params": hello})
        client.heard()
        deaf = Deaf(client)
        client.stop_reading()
        size = len(NOT_FOUND)
        await deaf.ask(*[call(n, "fetch", 400) for n in range(3 + PIPE // 400)])
        at_rest = deaf.link.lanes.calls.size
        assert at_rest >= 1000
        room = (1500 - at_rest) // size
        await deaf.ask(*[call(f"s{n}", "nothing") for n in range(room)])
        assert deaf.ended() is None
        await deaf.ask(call("last", "nothing"))
        problem = "too many responses were not read (the limit queued_bytes)"
        assert deaf.ended() == CloseReason(1013, problem, remote=False)


async def test_limit_queued_bytes_holds_for_unfinished_batches(autojump_clock: MockClock) -> None:
    """Responses that wait for the rest of their batch count toward `queued_bytes`."""
    batch = [call(0, "hang"), *[1] * 200]
    async with raw_client(Store(), Limits(queued_bytes=1000, calls=10_000)) as client:
        deaf = Deaf(client)
        link = deaf.link
        spare = link.protocol.message_limit
        await client.ask(batch)
        one = link.account.held
        assert one == link.protocol.batched > 200 * 50
        fitting = (1000 + spare) // one
        for number in range(1, fitting):
            await client.send_json([call(number, "hang"), *batch[1:]])
        await wait_all_tasks_blocked()
        assert deaf.ended() is None
        await client.ask([call(fitting, "hang"), *batch[1:]])
        problem = "too many responses were not read (the limit queued_bytes)"
        assert deaf.ended() == CloseReason(1013, problem, remote=False)


async def test_limit_process_bytes(autojump_clock: MockClock) -> None:
    """Over `process_bytes`, the connection that holds most is disconnected with 1013."""
    store, limits = Store(), Limits(process_bytes=1_000_000)
    async with raw_client(store, limits) as first, raw_client(store, limits) as second:
        large, small = Deaf(first), Deaf(second)
        for deaf in (large, small):
            await deaf.fill()
        await large.ask(call(1, "fetch", 600_000))
        left = 1_000_000 - large.held() - small.held()
        await small.ask(call(1, "fetch", left - MESSAGE_COST - ENVELOPE - 2))
        assert (large.ended(), small.ended()) == (None, None)
        assert large.held() + small.held() == 1_000_000

        await small.ask(call(2, "fetch", 0))
        problem = "all connections had more than 1000000 bytes waiting (the limit process_bytes)"
        assert large.ended() == CloseReason(1013, problem, remote=False)
        assert small.ended() is None


async def test_results_that_wait_for_room_are_counted(autojump_clock: MockClock) -> None:
    """Results that wait for room count as memory of the connection."""
    async with raw_client(Store(), Limits(queued_messages=1)) as client:
        deaf = Deaf(client)
        await deaf.fill()
        before = deaf.held()
        await deaf.ask(*[call(n, "fetch_later", 998) for n in range(3)])
        await trio.sleep(2)
        assert deaf.held() - before == 3000 + MESSAGE_COST + ENVELOPE

        client.go_on_reading()
        await trio.sleep(1)
        assert deaf.link.account.held == 0


async def test_a_message_is_counted_until_it_is_sent(autojump_clock: MockClock) -> None:
    """A message counts as memory of its connection until the transport has taken all of it."""
    async with raw_client(Store()) as client:
        deaf = Deaf(client)
        await deaf.fill()
        before = deaf.held()
        client.go_on_reading()
        await wait_all_tasks_blocked()
        assert deaf.held() == 0 < before

        client.stop_reading()
        await deaf.ask(call(1, "fetch", 2 * PIPE), call(2, "fetch", 500_000))
        assert len(deaf.link.lanes.calls) == 0
        assert deaf.held() > 500_000


async def test_a_connection_that_is_cut_off_frees_what_it_held(autojump_clock: MockClock) -> None:
    """A peer over `process_bytes` that does not read is disconnected without a Close frame."""
    async with raw_client(Store(), Limits(process_bytes=1_000_000)) as client:
        deaf = Deaf(client)
        await deaf.fill()
        began = trio.current_time()
        await deaf.ask(call(0, "hang"), call(1, "fetch", 1_000_000))
        with trio.fail_after(4):
            await deaf.link.wait_closed()
        assert trio.current_time() == began
        assert deaf.ended() is not None


HELLO = call(0, "rpc.hello") | {"params": {"v": 1}}


async def test_items_that_wait_are_counted_and_bounded(autojump_clock: MockClock) -> None:
    """A stream waits at its bound of unread bytes, however much credit its reader grants."""
    store = Store()
    async with raw_client(store) as client:
        await client.ask(HELLO)
        deaf = Deaf(client)
        await deaf.fill()
        before = deaf.held()
        store.given = 0
        flood = call(1, "flood", 10_000) | {"meta": {"credit": [2**53, 2**53]}}
        await deaf.ask(flood)
        assert store.given == 1 + 256 * KIB // 10_000
        assert deaf.held() - before == store.given * (10_002 + ITEM_COST)


async def test_items_that_are_not_read_are_counted(autojump_clock: MockClock) -> None:
    """Items of uploads that no handler reads count as memory of the connection."""
    async with raw_client(Store(), Limits(process_bytes=1_000_000)) as client:
        await client.ask(HELLO)
        deaf = Deaf(client)
        for number in range(3):
            up = call(number, "keep") | {"params": {"items": {"$stream": f"u{number}"}}}
            items = {"upload": f"u{number}", "seq": 0, "values": ["x" * 400_000]}
            await deaf.ask(up, {"jsonrpc": "2.0", "method": "rpc.items", "params": items})
            assert deaf.held() in ((number + 1) * (400_002 + ITEM_COST), 0)

        problem = "all connections had more than 1000000 bytes waiting (the limit process_bytes)"
        assert deaf.ended() == CloseReason(1013, problem, remote=False)


async def test_items_for_a_plain_peer_are_counted(autojump_clock: MockClock) -> None:
    """The items of a stream to a plain peer count as memory until they are sent."""
    async with raw_client(Store()) as client:
        deaf = Deaf(client)
        await deaf.ask(call(1, "three", 1000), call(2, "three", 1000))
        assert deaf.held() == 2 * (3 * 1002 + 2)

        await trio.sleep(5)
        assert deaf.held() == 0
        answers = {frame["id"]: frame["result"] for frame in client.heard()}
        assert answers == {1: ["x" * 1000] * 3, 2: ["x" * 1000] * 3}


async def test_the_hello_of_a_peer_is_counted(autojump_clock: MockClock) -> None:
    """The hello of a peer counts as memory as long as the connection lives."""
    contracts = {f"service {number}": "x" * 64 for number in range(1000)}
    async with raw_client(Store()) as client:
        await client.ask(call(0, "rpc.hello") | {"params": {"v": 1, "contracts": contracts}})
        assert Deaf(client).held() > 1000 * (64 + len("service 0"))


@service(name="")
class Lazy:
    """A service that reads no item of its upload."""

    async def skip(self, items: AsyncIterable[str]) -> None:
        await trio.sleep(1)

    @stream
    async def three(self) -> AsyncIterator[str]:
        for _ in range(3):
            yield "x" * 1000


@pytest.mark.parametrize("dialect", ["farcall", "plain"])
async def test_items_that_are_not_read_are_dropped_with_their_call(
    dialect: Literal["farcall", "plain"], autojump_clock: MockClock
) -> None:
    """Unread items are dropped when their call ends, at both ends."""

    async def items() -> AsyncIterator[str]:
        yield "x" * 1000

    async with open_pair(Lazy(), Lazy, dialect=dialect) as (lazy, connection):
        (link,) = links_of(connection)
        process = link.account._all  # shared by both ends
        before = process.held
        await lazy.skip(items())
        async with lazy.three():
            await trio.sleep(2)
        assert process.held == before
