"""Limits of calls and subscriptions, each tested at the limit and one above it.

The peers are plain ones, which know no limit and do not wait for their turn.
"""

from __future__ import annotations

import logging
from operator import itemgetter
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from farcall import Credentials, Limits, Principal, Signal, method, service
from farcall.testing import open_pair
from tests.ends import RawClient, raw_client


@service(name="")
class Gate:
    """A service whose calls wait until the gate opens."""

    first: Signal[int] = Signal()
    second: Signal[int] = Signal()
    everywhere: Signal[int] = Signal(broadcast=True)

    def __init__(self) -> None:
        self.opened = trio.Event()
        self.heard: list[str] = []

    async def enter(self, who: str) -> str:
        try:
            await self.opened.wait()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(0.1)  # the clean-up of a cancelled call takes a while
        return who

    @method(oneway=True)
    async def shout(self, who: str) -> None:
        self.heard.append(who)
        await self.opened.wait()

    def add(self, left: int, right: int) -> int:
        return left + right


def call(id: Any, name: str, *params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id, "method": name, "params": list(params)}


def busy(id: Any, limit: str) -> dict[str, Any]:
    data = {"limit": limit, "retry_after_ms": 100}
    error = {"code": -32003, "message": "Busy", "data": data}
    return {"jsonrpc": "2.0", "id": id, "error": error}


def result(id: Any, value: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id, "result": value}


async def open_gate(gate: Gate, client: RawClient) -> list[Any]:
    """Open the gate, and return the responses in the order of their ids."""
    gate.opened.set()
    await trio.sleep(1)
    return sorted(client.heard(), key=itemgetter("id"))


async def test_limit_calls(autojump_clock: MockClock) -> None:
    """A call over the limit `calls` is refused at once, and a finished call makes room."""
    gate = Gate()
    async with raw_client(gate, Limits(calls=2)) as client:
        assert await client.ask(call(1, "enter", "a")) == []
        assert await client.ask(call(2, "enter", "b")) == []
        assert await client.ask(call(3, "enter", "c")) == [busy(3, "calls")]
        assert await open_gate(gate, client) == [result(1, "a"), result(2, "b")]
        await client.ask(call(4, "enter", "d"))
        assert await open_gate(gate, client) == [result(4, "d")]


async def test_limit_calls_counts_until_the_task_has_ended(autojump_clock: MockClock) -> None:
    """A cancelled handler counts toward `calls` until its clean-up has ended."""
    async with raw_client(Gate(), Limits(calls=1)) as client:
        await client.ask(call(1, "enter", "a"))
        cancel = {"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": 1}}
        assert await client.ask(cancel) == []
        assert await client.ask(call(2, "enter", "b")) == [busy(2, "calls")]
        await trio.sleep(1)
        (cancelled,) = client.heard()
        assert cancelled["error"]["code"] == -32800
        assert await client.ask(call(3, "add", 1, 2)) == [result(3, 3)]


async def test_limit_calls_counts_calls_with_a_null_id(autojump_clock: MockClock) -> None:
    """Calls with the id null count toward `calls`."""
    gate = Gate()
    async with raw_client(gate, Limits(calls=1)) as client:
        assert await client.ask(call(None, "enter", "a")) == []
        assert await client.ask(call(None, "enter", "b")) == [busy(None, "calls")]
        assert await open_gate(gate, client) == [result(None, "a")]


@pytest.mark.parametrize(
    ("limits", "limit"),
    [
        (Limits(calls=1), "calls"),
        (Limits(call_bytes=len('["x"]')), "call_bytes"),
        (Limits(process_calls=1), "process_calls"),
        (Limits(process_call_bytes=len('["x"]')), "process_call_bytes"),
    ],
)
async def test_limit_calls_drops_one_way_calls(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture, limits: Limits, limit: str
) -> None:
    """One-way calls over a limit of calls are dropped, counted, and logged once a second."""
    gate = Gate()
    shout = {"jsonrpc": "2.0", "method": "shout", "params": ["x"]}
    with caplog.at_level(logging.WARNING, "farcall"):
        async with raw_client(gate, limits) as client:
            assert await client.ask([shout] * 4) == []
            (link,) = client.host.links
            assert (gate.heard, link.statistics().dropped) == (["x"], 3)
            await trio.sleep(1)
            await client.ask(shout)
            assert link.statistics().dropped == 4

    words = f"memory: dropped %d one-way calls (the limit {limit})"
    assert caplog.messages == [words % 1, words % 3]


async def test_limit_calls_is_checked_before_the_arguments(autojump_clock: MockClock) -> None:
    """An unknown method is reported before the limit `calls`, and wrong arguments after it."""
    async with raw_client(Gate(), Limits(calls=1)) as client:
        await client.ask(call(1, "enter", "a"))
        (unknown,) = await client.ask(call(2, "nothing"))
        assert unknown["error"]["code"] == -32601
        assert await client.ask(call(3, "enter", 7)) == [busy(3, "calls")]


async def test_limit_calls_leaves_subscriptions_out(autojump_clock: MockClock) -> None:
    """Subscriptions do not count toward `calls`."""
    async with open_pair(Gate(), limits=Limits(calls=1)) as (session, _):
        async with session.subscribe("first"), session.subscribe("second"):
            assert await session.call("add", 1, 2) == 3


async def test_limit_call_bytes(autojump_clock: MockClock) -> None:
    """A call is refused if its parameters exceed `call_bytes` together with those in flight."""
    gate = Gate()
    params = len('["aaaa"]')
    async with raw_client(gate, Limits(call_bytes=2 * params)) as client:
        assert await client.ask(call(1, "enter", "aaaa")) == []
        assert await client.ask(call(2, "enter", "aaaab")) == [busy(2, "call_bytes")]
        assert await client.ask(call(3, "enter", "cccc")) == []
        assert await client.ask(call(4, "add", 1, 2)) == [busy(4, "call_bytes")]
        assert await open_gate(gate, client) == [result(1, "aaaa"), result(3, "cccc")]


async def refused_elsewhere(limits: Limits, limit: str) -> None:
    """Fill the limit over two connections, and check that one more call is refused."""
    gate = Gate()
    async with raw_client(gate, limits) as first, raw_client(gate, limits) as second:
        assert await first.ask(call(1, "enter", "a")) == []
        assert await second.ask(call(1, "enter", "b")) == []
        assert await second.ask(call(2, "enter", "c")) == [busy(2, limit)]
        assert await open_gate(gate, first) == [result(1, "a")]
        assert second.heard() == [result(1, "b")]
        assert await first.ask(call(3, "add", 1, 2)) == [result(3, 3)]


async def test_limit_process_calls(autojump_clock: MockClock) -> None:
    """`process_calls` holds for the calls of all connections together."""
    await refused_elsewhere(Limits(process_calls=2), "process_calls")


async def test_a_peer_with_as_many_calls_as_are_left_gets_no_more(
    autojump_clock: MockClock,
) -> None:
    """A few peers cannot hold all of `process_calls`: a peer with fewer calls still has room."""
    gate, limits = Gate(), Limits(process_calls=6)
    async with raw_client(gate, limits) as greedy, raw_client(gate, limits) as other:
        for id in (1, 2, 3):
            assert await greedy.ask(call(id, "enter", "a")) == []
        assert await greedy.ask(call(4, "enter", "a")) == [busy(4, "process_calls")]
        assert await other.ask(call(1, "enter", "b")) == []
        assert await other.ask(call(2, "add", 1, 2)) == [result(2, 3)]


async def test_a_peer_with_as_many_bytes_as_are_left_gets_no_more(
    autojump_clock: MockClock,
) -> None:
    """The same holds for the parameters of calls; a call without any is not concerned."""
    size = len('["a"]')
    gate, limits = Gate(), Limits(process_call_bytes=4 * size)
    async with raw_client(gate, limits) as greedy, raw_client(gate, limits) as other:
        for id in (1, 2):
            assert await greedy.ask(call(id, "enter", "a")) == []
        assert await greedy.ask(call(3, "enter", "a")) == [busy(3, "process_call_bytes")]
        assert await other.ask(call(1, "enter", "b")) == []


async def test_limit_process_call_bytes(autojump_clock: MockClock) -> None:
    """`process_call_bytes` holds for the parameters of all connections together."""
    size = 2 * len('["a"]')
    await refused_elsewhere(Limits(process_call_bytes=size), "process_call_bytes")


async def test_the_calls_of_a_lost_connection_are_given_back(autojump_clock: MockClock) -> None:
    """The calls of a lost connection make room for others."""
    gate, limits = Gate(), Limits(process_calls=1)
    async with raw_client(gate, limits) as first:
        await first.ask(call(1, "enter", "a"))
    async with raw_client(gate, limits) as second:
        assert await second.ask(call(1, "add", 1, 2)) == [result(1, 3)]


async def test_limit_subscriptions(autojump_clock: MockClock) -> None:
    """A subscription over `subscriptions` is refused with -32006; leaving another makes room."""
    error = {
        "code": -32006,
        "message": "Too many subscriptions",
        "data": {"limit": "subscriptions", "most": 1},
    }
    hello = {"v": 1, "limits": {"message": 2**20}}
    async with raw_client(Gate(), Limits(subscriptions=1)) as client:
        await client.ask({"jsonrpc": "2.0", "id": 0, "method": "rpc.hello", "params": hello})
        client.heard()
        subscribe: dict[str, Any] = {"jsonrpc": "2.0", "method": "rpc.subscribe"}
        started = await client.ask(subscribe | {"id": 1, "params": {"signal": "first"}})
        assert started[0]["method"] == "rpc.started"
        refused = await client.ask(subscribe | {"id": 2, "params": {"signal": "second"}})
        assert refused == [{"jsonrpc": "2.0", "id": 2, "error": error}]
        await client.ask({"jsonrpc": "2.0", "method": "rpc.cancel", "params": {"id": 1}})
        (again,) = await client.ask(subscribe | {"id": 3, "params": {"signal": "second"}})
        assert again["method"] == "rpc.started"


async def test_limit_subscriptions_of_a_plain_peer(autojump_clock: MockClock) -> None:
    """A list of events over `subscriptions` is refused whole; broadcasts do not count."""
    async with raw_client(Gate(), Limits(subscriptions=1)) as client:
        (refused,) = await client.ask(call(1, "rpc.on", "first", "second"))
        assert refused["error"]["data"] == {"limit": "subscriptions", "most": 1}
        on = await client.ask(call(2, "rpc.on", "first", "everywhere", "nothing"))
        words = {"first": "ok", "everywhere": "ok", "nothing": "provided event invalid"}
        assert on == [result(2, words)]
        (refused,) = await client.ask(call(3, "rpc.on", "second"))
        assert refused["error"]["code"] == -32006
        await client.ask(call(4, "rpc.off", "first"))
        assert await client.ask(call(5, "rpc.on", "second")) == [result(5, {"second": "ok"})]


async def test_limit_subscriptions_holds_without_an_answer_too(autojump_clock: MockClock) -> None:
    """A notification that subscribes over `subscriptions` is dropped and counted."""
    gate = Gate()
    async with raw_client(gate, Limits(subscriptions=1)) as client:
        on: dict[str, Any] = {"jsonrpc": "2.0", "method": "rpc.on"}
        await client.ask(on | {"params": ["first", "second"]})
        (link,) = client.host.links
        assert link.statistics().dropped == 1
        gate.first.emit(1)
        await wait_all_tasks_blocked()
        assert client.heard() == []
        await client.ask(on | {"params": ["first"]})
        gate.first.emit(2)
        await wait_all_tasks_blocked()
        (event,) = client.heard()
        assert event["params"] == [2]


async def test_limit_call_bytes_holds_for_logins(autojump_clock: MockClock) -> None:
    """The parameters of a login that is not answered yet count toward `call_bytes`."""
    opened = trio.Event()

    async def authenticate(credentials: Credentials) -> Principal | None:
        if credentials.login is not None:
            await opened.wait()
        return None

    async with raw_client(Gate(), Limits(call_bytes=100), authenticate) as client:
        first, second = (call(n, "rpc.login", "x" * 46) for n in (1, 2))  # 50 bytes each
        assert await client.ask(first) == []
        assert await client.ask(second) == []
        assert await client.ask(call(3, "enter")) == [busy(3, "call_bytes")]
        (refused,) = await client.ask(call(4, "rpc.login"))
        assert refused["error"]["data"] == {"limit": "call_bytes"}

        opened.set()
        await wait_all_tasks_blocked()
        assert sorted(frame["id"] for frame in client.heard()) == [1, 2]
        assert await client.ask(call(5, "add", 1, 2)) == [result(5, 3)]
        assert await client.ask(call(6, "rpc.login", "x" * 96)) == [result(6, False)]
