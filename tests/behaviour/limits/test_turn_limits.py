"""A farcall caller waits its turn where its peer has a limit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import farcall
from farcall import Limits, Signal, current_call, local, service
from farcall.testing import open_pair
from tests.ends import cut, raw_server, read_now


@service(name="")
class Counter:
    """A service that counts the calls at work."""

    first: Signal[int] = Signal()
    second: Signal[int] = Signal()

    def __init__(self) -> None:
        self.began: list[int | str] = []
        self.busiest = self.working = 0

    async def work(self, number: int | str) -> int | str:
        self.began.append(number)
        self.working += 1
        self.busiest = max(self.busiest, self.working)
        try:
            await trio.sleep(1)
        finally:
            self.working -= 1
        return number

    async def cling(self) -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(10)

    async def bounce(self, depth: int) -> str:
        """Call the same method of the peer, until it is busy."""
        return await bounce(current_call().connection.proxy(Bouncer), depth)


@service(name="")
class Clinger:
    """A service whose calls take a while."""

    async def cling(self, text: str) -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(10)

    async def say(self, text: str) -> str:
        return text

    async def ask_back(self, text: str) -> str:
        try:
            return await current_call().connection.proxy(Clinger).say(text)
        except farcall.Busy as error:
            return f"{error.data}"


@service(name="")
class Bouncer:
    """The other end, whose handler calls back too."""

    async def bounce(self, depth: int) -> str:
        return await bounce(current_call().connection.proxy(Counter), depth + 1)


async def bounce(peer: Counter | Bouncer, depth: int) -> str:
    try:
        return await peer.bounce(depth)
    except farcall.Busy as error:
        return f"{error.data} at {depth}"


async def test_a_caller_waits_its_turn(autojump_clock: MockClock) -> None:
    """Calls over the server's limit `calls` wait, and begin in order."""
    counter = Counter()
    async with open_pair(counter, limits=Limits(calls=3)) as (session, _):
        results: list[int] = []

        async def call(number: int) -> None:
            results.append(await session.call("work", number))

        async with trio.open_nursery() as nursery:
            for number in range(10):
                nursery.start_soon(call, number)
                await wait_all_tasks_blocked()

    assert (counter.busiest, sorted(results)) == (3, list(range(10)))
    assert counter.began == list(range(10))


async def test_a_caller_cancelled_while_it_waits_sends_nothing(
    autojump_clock: MockClock,
) -> None:
    """A caller that is cancelled while it waits sends nothing."""
    counter = Counter()
    async with open_pair(counter, limits=Limits(calls=1)) as (session, connection):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.call, "work", 1)
            await wait_all_tasks_blocked()
            frames = connection.statistics().frames_in
            with trio.move_on_after(0.5) as scope:
                await session.call("work", 2)

            assert scope.cancelled_caught
            assert connection.statistics().frames_in == frames
        assert counter.began == [1]


@pytest.mark.parametrize("kind", ["call", "stream"])
async def test_a_caller_cancelled_as_its_turn_comes_sends_a_cancel(
    autojump_clock: MockClock, kind: str
) -> None:
    """A caller that is cancelled just after its call was sent cancels that call remotely."""
    async with raw_server(limits=Limits(calls=1)) as (session, server):

        async def stream(name: str) -> None:
            async with session.stream(name):
                pass

        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.call, "first")
            await wait_all_tasks_blocked()
            scope = trio.CancelScope()
            nursery.start_soon(in_scope, scope, session.call if kind == "call" else stream)
            await wait_all_tasks_blocked()
            nursery.start_soon(session.call, "third")
            await wait_all_tasks_blocked()
            (first,) = server.heard()
            read_now(session.connection, result_of(first))
            scope.cancel()
            await wait_all_tasks_blocked()
            second, cancel = flat(server.heard())
            assert (second["method"], cancel["params"]["id"]) == ("second", second["id"])
            await server.send([error_of(second, -32800)])
            await wait_all_tasks_blocked()
            (third,) = server.heard()
            assert third["method"] == "third"
            await server.send([result_of(third)])


def flat(frames: list[Any]) -> list[Any]:
    """Unpack the messages of bundles."""
    return [each for frame in frames for each in (frame if isinstance(frame, list) else [frame])]


def error_of(request: Any, code: int) -> bytes:
    error = {"code": code, "message": "Cancelled"}
    return msgspec.json.encode({"jsonrpc": "2.0", "id": request["id"], "error": error})


async def in_scope(scope: trio.CancelScope, call: Callable[[str], Awaitable[object]]) -> None:
    with scope:
        await call("second")


def result_of(request: Any) -> bytes:
    return msgspec.json.encode({"jsonrpc": "2.0", "id": request["id"], "result": None})


async def test_an_abandoned_call_counts_until_it_is_answered(autojump_clock: MockClock) -> None:
    """An abandoned call counts until it is answered."""
    async with open_pair(Counter(), limits=Limits(calls=1)) as (session, _):
        with trio.move_on_after(1):
            await session.call("cling")
        began = trio.current_time()
        assert session.statistics().calls_out == 1

        await session.call("work", 1)
        assert trio.current_time() - began > 8


async def test_a_call_that_cannot_be_made_lets_the_next_one_go(autojump_clock: MockClock) -> None:
    """A call that cannot be encoded leaves its turn to the next one."""
    counter = Counter()
    limits = Limits(calls=1, message=1000)
    async with open_pair(counter, limits=limits) as (session, _):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.call, "work", 1)
            await wait_all_tasks_blocked()

            async def fail() -> None:
                with pytest.raises(farcall.EncodeError):
                    await session.call("work", "x" * 2000)

            nursery.start_soon(fail)
            await wait_all_tasks_blocked()
            nursery.start_soon(session.call, "work", 2)
        assert counter.began == [1, 2]


async def test_a_caller_that_waits_hears_that_the_link_ends(autojump_clock: MockClock) -> None:
    """A caller that waits gets ConnectionLost with `sent` false when the link ends."""
    async with open_pair(Counter(), limits=Limits(calls=1)) as (session, connection):
        lost: list[bool] = []

        async def call(number: int) -> None:
            with pytest.raises(farcall.ConnectionLost) as caught:
                await session.call("work", number)
            lost.append(caught.value.sent)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(call, 1)
            await wait_all_tasks_blocked()
            nursery.start_soon(call, 2)
            await wait_all_tasks_blocked()
            cut(connection)
        assert sorted(lost) == [False, True]


@pytest.mark.parametrize("calls", [1, 2, 5])
async def test_two_ends_never_wait_for_each_other(autojump_clock: MockClock, calls: int) -> None:
    """A handler that calls its caller back over `calls` gets Busy, so two ends never deadlock."""
    limits = Limits(calls=calls)
    async with open_pair(Counter(), Counter, serves=[Bouncer()], limits=limits) as pair:
        with trio.fail_after(5):
            assert await pair.client.bounce(0) == f"{{'limit': 'calls'}} at {calls}"


async def test_limit_call_bytes_is_known_to_the_client(autojump_clock: MockClock) -> None:
    """A client waits while its parameters would exceed the server's `call_bytes`."""
    counter = Counter()
    text = "x" * 98  # 102 bytes with quotes and brackets
    async with open_pair(counter, limits=Limits(call_bytes=3 * 102)) as (session, connection):
        lengths: list[int] = []

        async def call() -> None:
            lengths.append(len(await session.call("work", text)))

        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(call)
            await wait_all_tasks_blocked()
            assert connection.statistics().calls_in == 3
            with trio.move_on_after(0.5) as scope:
                await session.call("work", 1)
            assert scope.cancelled_caught  # a small call does not overtake

        assert (lengths, counter.busiest) == ([98] * 10, 3)
        assert trio.current_time() - began == 4


async def test_limit_call_bytes_is_too_small_for_one_call(autojump_clock: MockClock) -> None:
    """A call whose parameters alone exceed `call_bytes` fails at once."""
    async with open_pair(Counter(), limits=Limits(call_bytes=100)) as (session, connection):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.call, "work", "x" * 96)
            await wait_all_tasks_blocked()
            frames, began = connection.statistics().frames_in, trio.current_time()
            problem = r"have 101 bytes; the peer takes 100 \(its limit call_bytes\)"
            with pytest.raises(farcall.EncodeError, match=problem):
                await session.call("work", "x" * 97)
            assert (connection.statistics().frames_in, trio.current_time()) == (frames, began)


async def test_limit_call_bytes_counts_for_abandoned_calls(autojump_clock: MockClock) -> None:
    """The parameters of an abandoned call count until it is answered."""
    async with open_pair(Clinger(), limits=Limits(call_bytes=100)) as (session, _):
        with trio.move_on_after(1):
            await session.call("cling", "x" * 80)
        began = trio.current_time()

        await session.call("say", "x" * 80)
        assert trio.current_time() - began > 8


async def test_limit_call_bytes_holds_for_calls_back(autojump_clock: MockClock) -> None:
    """A handler that calls its caller back over `call_bytes` gets Busy; other tasks wait."""
    limits = Limits(call_bytes=100)
    caller = Clinger()
    async with open_pair(Clinger(), Clinger, serves=[caller], limits=limits) as pair:
        peer = pair.connection.proxy(Clinger)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(peer.cling, "x" * 70)
            await wait_all_tasks_blocked()
            assert await pair.client.ask_back("x" * 70) == "{'limit': 'call_bytes'}"
            began = trio.current_time()
            assert await peer.say("x" * 70) == "x" * 70
            assert trio.current_time() - began == 10


async def test_limit_subscriptions_is_known_to_the_client(autojump_clock: MockClock) -> None:
    """A client refuses a subscription over the server's `subscriptions` itself."""
    async with open_pair(Counter(), limits=Limits(subscriptions=1)) as (session, connection):
        async with session.subscribe("first"):
            frames = connection.statistics().frames_in
            with pytest.raises(farcall.RpcError, match="Too many subscriptions") as caught:
                async with session.subscribe("second"):
                    raise AssertionError
            assert (caught.value.code, caught.value.data) == (
                -32006,
                {"limit": "subscriptions", "most": 1},
            )
            assert connection.statistics().frames_in == frames
        async with session.subscribe("second"):
            pass


async def test_no_limit_is_known_of_a_plain_peer(autojump_clock: MockClock) -> None:
    """A client does not wait for a plain server, which refuses the call itself."""
    limits = Limits(calls=1)
    async with open_pair(Counter(), dialect="plain", limits=limits) as (session, _):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.call, "work", 1)
            await wait_all_tasks_blocked()
            with pytest.raises(farcall.RpcError, match="-32003") as caught:
                await session.call("work", 2)
            assert caught.value.data == {"limit": "calls", "retry_after_ms": 100}


@service(name="")
class Slow:
    """A service that records why its handlers were cancelled."""

    def __init__(self) -> None:
        self.done = 0
        self.reasons: list[str | None] = []

    async def wait(self, seconds: float) -> None:
        try:
            await trio.sleep(seconds)
        except trio.Cancelled:
            self.reasons.append(current_call().cancel_reason)
            raise
        self.done += 1


@service(name="")
class Starter:
    """A service that starts work in a nursery that outlives its handlers."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.nursery = nursery

    async def start(self) -> None:
        self.nursery.start_soon(self.work, current_call().connection.proxy(Slow))

    @local
    async def work(self, peer: Slow) -> None:
        await trio.sleep(2)
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(peer.wait, 1)

    async def start_and_leave(self) -> None:
        self.nursery.start_soon(self.leave, current_call().connection.proxy(Slow))

    @local
    async def leave(self, peer: Slow) -> None:
        await trio.sleep(2)
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(peer.wait, 10)
                await trio.sleep(1)
                scope.cancel()


async def test_what_outlives_its_handler_waits_its_turn(autojump_clock: MockClock) -> None:
    """A task that outlives its handler waits its turn."""
    slow = Slow()
    async with trio.open_nursery() as nursery:
        starter = Starter(nursery)
        async with open_pair(starter, Starter, serves=[slow], limits=Limits(calls=1)) as (proxy, _):
            await proxy.start()
            await trio.sleep(10)
    assert slow.done == 3


async def test_what_outlives_its_handler_has_reasons_of_its_own(autojump_clock: MockClock) -> None:
    """A task that outlives its handler cancels with a reason of its own."""
    slow = Slow()
    async with trio.open_nursery() as nursery:
        async with open_pair(Starter(nursery), Starter, serves=[slow]) as (proxy, _):
            with trio.move_on_after(1):
                await proxy.start_and_leave()
            await trio.sleep(10)
    assert slow.reasons == ["caller"]
