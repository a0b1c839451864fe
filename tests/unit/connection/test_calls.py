"""The calls of one side: in line, sent, settled, cancelled and left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import msgspec
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from farcall import Limits
from farcall._connection.call import RemoteFailure
from farcall._connection.calls import Calls, handling
from farcall._connection.lanes import Lanes
from farcall._connection.send_queue import SendQueue
from farcall._connection.state import Lifecycle
from farcall._protocol.binary import Encoded
from farcall._protocol.credit import Window
from farcall._protocol.messages import Hello, PeerLimits
from farcall._protocol.protocol import Protocol
from farcall._protocol.state import Listener
from farcall._quota import MemoryAccount, ProcessQuota
from farcall._transport.transport import Endpoint
from farcall.errors import Busy, ConnectionLost, EncodeError, InvalidResult, RpcError

HELLO = Hello(limits=PeerLimits(2**20), v=1)


class Side:
    """The calling half of a link, whose peer is the test.

    Args:
        limits: What the peer says that it takes.
        queue: What may wait for the writer.
    """

    def __init__(
        self,
        limits: PeerLimits = HELLO.limits,
        queue: Limits = Limits(),  # noqa: B008 - frozen
    ) -> None:
        self.lifecycle = Lifecycle(Endpoint(local="here", peer="there"))
        self.lifecycle.open()
        self.protocol = Protocol(HELLO, has_dialled=True)
        self.protocol.listener = cast("Listener", self)  # which hears of two things only
        account = MemoryAccount(2**30, lambda: None, ProcessQuota())
        self.lanes = Lanes(lambda: None, lambda: None, SendQueue(queue, account))
        self.calls = Calls(self.lifecycle, self.protocol, self.lanes, cancel_grace=0.5)
        self.strays: list[str] = []
        self._limits = limits

    async def greet(self) -> Side:
        """Say hello, and have the peer respond."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.calls.greet)
            await wait_all_tasks_blocked()
            (hello,) = self.sent()
            self.answer(hello["id"], msgspec.json.decode(Hello(limits=self._limits, v=1).render()))
        return self

    def on_hello(self, hello: Hello, _answer: bytes | None) -> None:
        self.calls.on_hello(hello)

    def on_stray(self, problem: str) -> None:
        self.strays.append(problem)

    def sent(self) -> list[Any]:
        """Have the writer take what waits, and read it."""
        frames = self.lanes.take(trio.current_time())
        return [msgspec.json.decode(frame) for frame in frames]

    def hear(self, message: Any) -> None:
        """Deliver a message of the peer."""
        self.protocol.receive(msgspec.json.encode({"jsonrpc": "2.0", **message}))
        self.calls.advance()

    def answer(self, id: int, result: Any = None) -> None:
        self.hear({"id": id, "result": result})

    def refuse(self, id: int, code: int = 7) -> None:
        self.hear({"id": id, "error": {"code": code, "message": "no", "data": [1]}})

    def start(self, id: int, value: Any = None) -> None:
        self.hear({"method": "rpc.started", "params": {"id": id, "value": value}})

    def give(self, id: int, seq: int, values: Sequence[Any]) -> None:
        self.hear({"method": "rpc.items", "params": {"id": id, "seq": seq, "values": values}})


class Callers:
    """Tasks that call one method each, and the outcomes in order."""

    def __init__(self, side: Side, nursery: trio.Nursery) -> None:
        self.side = side
        self.ends: list[tuple[str, object]] = []
        self._nursery = nursery

    async def begin(
        self, *names: str, params: bytes | None = None, scope: trio.CancelScope | None = None
    ) -> None:
        for name in names:
            self._nursery.start_soon(self._call, name, params, scope or trio.CancelScope())
            await wait_all_tasks_blocked()

    async def _call(self, name: str, params: bytes | None, scope: trio.CancelScope) -> None:
        with scope:
            try:
                self.ends.append((name, await self.side.calls.call(name, params)))
            except Exception as error:  # noqa: BLE001 - for the test to look at
                self.ends.append((name, error))


@pytest.fixture
async def callers(nursery: trio.Nursery) -> Callers:
    return Callers(await Side().greet(), nursery)


def callers_of(side: Side, nursery: trio.Nursery) -> Callers:
    return Callers(side, nursery)


def methods(messages: Sequence[Any]) -> list[str]:
    return [message["method"] for message in messages]


# One call


async def test_a_result_ends_the_wait(callers: Callers) -> None:
    """The caller gets the JSON text of the result unchanged."""
    await callers.begin("ask")
    (request,) = callers.side.sent()
    callers.side.answer(request["id"], [1])
    await wait_all_tasks_blocked()

    assert callers.ends == [("ask", b"[1]")]


async def test_an_error_has_all_that_was_on_the_wire(callers: Callers) -> None:
    """A RemoteFailure has the code, the message and the data as JSON."""
    await callers.begin("ask")
    (request,) = callers.side.sent()
    callers.side.refuse(request["id"])
    await wait_all_tasks_blocked()

    ((_, error),) = callers.ends
    assert isinstance(error, RemoteFailure)
    assert (error.code, error.message, error.data) == (7, "no", b"[1]")


async def test_a_malformed_answer_names_the_method(callers: Callers) -> None:
    """A malformed response ends its call, for no other response will come."""
    await callers.begin("ask")
    (request,) = callers.side.sent()
    callers.side.hear({"id": request["id"]})
    await wait_all_tasks_blocked()

    ((_, error),) = callers.ends
    assert isinstance(error, InvalidResult)
    assert "the answer to ask" in str(error)


async def test_the_end_of_the_link_tells_each_call_whether_it_was_sent(
    nursery: trio.Nursery,
) -> None:
    """A call in the queue or in line was not sent; a settled call keeps its outcome."""
    callers = callers_of(await Side(PeerLimits(2**20, calls=3)).greet(), nursery)
    await callers.begin("settled", "sent")
    settled, _ = callers.side.sent()
    callers.side.answer(settled["id"], 1)
    await callers.begin("queued", "also queued", "in line")

    callers.side.calls.end(callers.side.protocol.cut())
    await wait_all_tasks_blocked()

    assert callers.ends[0] == ("settled", b"1")
    assert {
        name: error.sent for name, error in callers.ends if isinstance(error, ConnectionLost)
    } == {"sent": True, "queued": False, "also queued": False, "in line": False}


async def test_a_call_that_is_cancelled_in_the_queue_leaves_no_trace(callers: Callers) -> None:
    """A call that is cancelled in the queue is never sent, and neither is a cancel."""
    scope = trio.CancelScope()
    await callers.begin("ask", scope=scope)
    scope.cancel()
    await wait_all_tasks_blocked()

    assert callers.side.sent() == []
    assert callers.side.protocol.outgoing == {}
    assert callers.ends == []


async def test_a_call_that_is_cancelled_in_flight_waits_for_the_answer(
    callers: Callers, autojump_clock: MockClock
) -> None:
    """A cancelled caller that finds a result has it, if the result came first."""
    scope = trio.CancelScope()
    await callers.begin("ask", scope=scope)
    (request,) = callers.side.sent()
    scope.cancel()
    await wait_all_tasks_blocked()

    assert callers.side.sent()[0]["params"] == {"id": request["id"], "reason": "caller"}
    callers.side.answer(request["id"], 1)
    await wait_all_tasks_blocked()
    assert callers.ends == [("ask", b"1")]


async def test_a_call_is_abandoned_after_the_grace(
    callers: Callers, autojump_clock: MockClock
) -> None:
    """An abandoned call is in flight until its response comes, which is dropped silently."""
    scope = trio.CancelScope()
    await callers.begin("ask", scope=scope)
    (request,) = callers.side.sent()
    scope.cancel()
    await trio.sleep(1)

    assert callers.ends == []
    assert len(callers.side.protocol.outgoing) == 1
    callers.side.answer(request["id"], 1)
    assert (callers.side.protocol.outgoing, callers.side.strays) == ({}, [])


async def test_a_call_that_runs_out_of_time_in_the_queue_is_not_sent(
    callers: Callers, autojump_clock: MockClock
) -> None:
    """The caller waits for its own deadline, as if the peer had responded."""
    await callers.begin("ask", scope=trio.CancelScope(deadline=trio.current_time() + 1))
    await trio.sleep(2)

    assert callers.side.sent() == []
    assert callers.ends == []


async def test_a_notification_is_not_waited_for(callers: Callers) -> None:
    """A notification is sent, and nothing waits for a response."""
    await callers.side.calls.notify("tell", b"[1]")

    assert callers.side.sent() == [{"jsonrpc": "2.0", "method": "tell", "params": [1]}]


@pytest.mark.parametrize(
    ("data", "is_own"),
    [
        (b'{"by":"caller"}', True),
        (b'{ "by" : "caller", "more": 1 }', True),
        (b'{"by":"server"}', False),
        (b"{}", False),
        (b"[]", False),
        (b"\xff", False),
        (None, False),
    ],
)
def test_whose_deadline_it_was_is_read_however_it_is_written(
    data: bytes | None, is_own: bool
) -> None:
    """The data of an error may have spaces, or members that are not known."""
    assert RemoteFailure(-32002, "Deadline exceeded", data).is_own_deadline is is_own
    assert not RemoteFailure(-32800, "Cancelled", data).is_own_deadline


# In line


async def test_calls_wait_in_order(nursery: trio.Nursery) -> None:
    """Each response sends the oldest call in line, in the same step."""
    callers = callers_of(await Side(PeerLimits(2**20, calls=1)).greet(), nursery)
    await callers.begin("a", "b", "c")
    sent = callers.side.sent()
    order = methods(sent)
    while sent:
        callers.side.answer(sent[0]["id"])
        sent = callers.side.sent()
        order += methods(sent)

    assert order == ["a", "b", "c"]


async def test_calls_leave_in_order_where_many_places_are_freed(nursery: trio.Nursery) -> None:
    """Calls are sent in order, though Trio runs tasks that are woken together in any order."""
    callers = callers_of(await Side(PeerLimits(2**20, calls=20)).greet(), nursery)
    names = [str(number) for number in range(40)]
    await callers.begin(*names)
    first = callers.side.sent()
    for request in first:
        callers.side.answer(request["id"])

    assert methods(first) + methods(callers.side.sent()) == names


async def test_a_later_call_takes_no_place_of_the_line(nursery: trio.Nursery) -> None:
    """A new call does not overtake the line, even before the task of the oldest call has run."""
    callers = callers_of(await Side(PeerLimits(2**20, calls=1)).greet(), nursery)
    await callers.begin("a", "b")
    (a,) = callers.side.sent()
    callers.side.answer(a["id"])
    await callers.begin("c")

    assert methods(callers.side.sent()) == ["b"]


async def test_a_cancelled_call_leaves_the_line(nursery: trio.Nursery) -> None:
    """When a call in line is cancelled, the calls after it move up."""
    callers = callers_of(await Side(PeerLimits(2**20, calls=1)).greet(), nursery)
    scope = trio.CancelScope()
    await callers.begin("a")
    await callers.begin("b", scope=scope)
    await callers.begin("c")
    (a,) = callers.side.sent()
    scope.cancel()
    await wait_all_tasks_blocked()
    callers.side.answer(a["id"])

    assert methods(callers.side.sent()) == ["c"]


async def test_a_call_that_cannot_be_made_holds_up_nothing(nursery: trio.Nursery) -> None:
    """When a call in line cannot be sent, its caller gets the error, and the next call is sent."""
    callers = callers_of(await Side(PeerLimits(1000, calls=1)).greet(), nursery)
    await callers.begin("a")
    await callers.begin("large", params=b'["%b"]' % (b"x" * 2000))
    await callers.begin("c")
    (a,) = callers.side.sent()
    callers.side.answer(a["id"])
    await wait_all_tasks_blocked()

    assert methods(callers.side.sent()) == ["c"]
    assert {name: type(end) for name, end in callers.ends} == {"a": bytes, "large": EncodeError}


async def test_a_large_call_is_not_overtaken_by_small_ones(nursery: trio.Nursery) -> None:
    """Small calls wait behind a large one until the peer has room for its parameters."""
    callers = callers_of(await Side(PeerLimits(2**20, 10, call_bytes=100)).greet(), nursery)
    await callers.begin("a", params=b'["%b"]' % (b"a" * 56))
    await callers.begin("b", params=b'["%b"]' % (b"b" * 36))
    await callers.begin("large", params=b'["%b"]' % (b"l" * 86))
    await callers.begin("small", params=b"[1]")
    a, b = callers.side.sent()
    callers.side.answer(a["id"])
    assert callers.side.sent() == []
    callers.side.answer(b["id"])

    assert methods(callers.side.sent()) == ["large", "small"]


async def test_parameters_that_never_fit_are_refused(nursery: trio.Nursery) -> None:
    """A call whose parameters exceed the limit of the peer by themselves is refused at once."""
    callers = callers_of(await Side(PeerLimits(2**20, call_bytes=10)).greet(), nursery)
    await callers.begin("large", params=b'["%b"]' % (b"x" * 10))

    ((_, error),) = callers.ends
    assert isinstance(error, EncodeError)
    assert str(error) == "the parameters have 14 bytes; the peer takes 10 (its limit call_bytes)"


async def test_calls_wait_for_room_in_the_queue(nursery: trio.Nursery) -> None:
    """When the writer has made room in the queue, the calls in line are sent in order."""
    side = await Side(queue=Limits(queued_messages=2)).greet()
    callers = callers_of(side, nursery)
    await callers.begin("a", "b", "c")

    assert len(side.calls.line) == 1
    assert [methods(side.sent()), methods(side.sent())] == [["a", "b"], ["c"]]


async def test_a_call_back_is_refused_where_it_would_wait_for_its_peer(
    nursery: trio.Nursery,
) -> None:
    """A handler that calls back does not wait for calls of its peer: both might wait for ever."""
    side = await Side(PeerLimits(2**20, calls=1)).greet()
    callers = callers_of(side, nursery)
    await callers.begin("a")
    handling.set(Serving(side.calls))
    await callers.begin("back")

    ((_, error),) = callers.ends
    assert isinstance(error, Busy)
    assert error.data == {"limit": "calls"}
    assert not side.calls.is_calling_back


class Serving:
    """A call of the peer whose handler runs."""

    is_over = False
    cancel_reason = trace = None

    def __init__(self, calls: Calls) -> None:
        self.calls = calls


# Remote tasks


async def test_a_task_tells_of_its_start_on_the_way_to_its_end(
    callers: Callers, nursery: trio.Nursery
) -> None:
    """`on_started` is called before the result is returned, even if both came in one frame."""
    told: list[bytes] = []
    results = in_task(nursery, callers.side, told.append)
    await wait_all_tasks_blocked()
    (request,) = callers.side.sent()
    callers.side.start(request["id"], 1)
    callers.side.answer(request["id"], 2)
    await wait_all_tasks_blocked()

    assert (told, results) == ([b"1"], [b"2"])


async def test_a_task_may_end_without_a_start(callers: Callers, nursery: trio.Nursery) -> None:
    """A remote task that ends without a start never calls `on_started`."""
    told: list[bytes] = []
    results = in_task(nursery, callers.side, told.append)
    await wait_all_tasks_blocked()
    (request,) = callers.side.sent()
    callers.side.refuse(request["id"])
    await wait_all_tasks_blocked()

    assert told == []
    assert [type(result) for result in results] == [RemoteFailure]


async def test_a_start_that_is_refused_ends_the_task(
    callers: Callers, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """If `on_started` raises, the call is cancelled and the error is raised to the caller."""

    def refuse(_value: bytes) -> None:
        raise InvalidResult("not that")

    results = in_task(nursery, callers.side, refuse)
    await wait_all_tasks_blocked()
    (request,) = callers.side.sent()
    callers.side.start(request["id"])
    await trio.sleep(1)

    assert methods(callers.side.sent()) == ["rpc.cancel"]
    assert [str(result) for result in results] == ["not that"]


def in_task(
    nursery: trio.Nursery, side: Side, on_started: Callable[[bytes], None]
) -> list[bytes | Exception]:
    results: list[bytes | Exception] = []

    async def run() -> None:
        try:
            results.append(await side.calls.call("run", None, on_started=on_started))
        except Exception as error:  # noqa: BLE001 - for the test to look at
            results.append(error)

    nursery.start_soon(run)
    return results


# Streams


class Stream:
    """A stream call in a task of its own, and what it received."""

    def __init__(self, side: Side, nursery: trio.Nursery, method: str = "watch") -> None:
        self.side = side
        self.batches: list[tuple[list[Encoded], str | None, int | None]] = []
        self.ends: list[Exception | None] = []
        self.failure: Exception | None = None
        self.has_started = False
        self.left = trio.Event()
        self.credit = Window().for_receiver()
        nursery.start_soon(self._run, method)

    async def _run(self, method: str) -> None:
        try:
            async with self.side.calls.open_stream(
                method,
                None,
                credit=self.credit,
                on_values=self._on_values,
                on_end=self.ends.append,
            ):
                self.has_started = True
                await self.left.wait()
        except Exception as error:  # noqa: BLE001 - for the test to look at
            self.failure = error

    def _on_values(self, values: Sequence[Encoded], cursor: str | None, missed: int | None) -> None:
        self.batches.append((list(values), cursor, missed))


@pytest.fixture
async def stream(nursery: trio.Nursery) -> Stream:
    """A stream call that has been sent; its id is 2."""
    stream = Stream(await Side().greet(), nursery)
    await wait_all_tasks_blocked()
    assert stream.side.sent()[0]["id"] == 2
    return stream


async def test_a_stream_starts_brings_items_and_ends(stream: Stream) -> None:
    """`on_end` is called once, without an error if the stream ends with a result."""
    stream.side.start(2)
    stream.side.give(2, 0, [1, 2])
    await wait_all_tasks_blocked()
    assert (stream.has_started, stream.batches, stream.ends) == (
        True,
        [([b"1", b"2"], None, 0)],
        [],
    )

    stream.side.answer(2)
    assert stream.ends == [None]
    stream.left.set()


async def test_reading_a_stream_grants_more(stream: Stream) -> None:
    """Credit goes to the peer when it is due, and no more once the stream has ended."""
    stream.side.start(2)
    stream.side.give(2, 0, [1, 2])
    stream.credit.use(1)
    assert stream.side.sent() == []

    stream.credit.use(1)
    (message,) = stream.side.sent()
    assert message["method"] == "rpc.credit"
    assert message["params"] == {"id": 2, "items": 34, "bytes": 256 * 1024 + 2}

    stream.side.give(2, 2, [3])
    stream.side.answer(2)
    stream.credit.use(1)
    assert stream.side.sent() == []
    stream.left.set()


async def test_a_stream_that_never_starts_raises_its_error(stream: Stream) -> None:
    """A stream call that fails before it starts raises its error when the block is entered."""
    stream.side.refuse(2)
    await wait_all_tasks_blocked()

    assert not stream.has_started
    assert isinstance(stream.failure, RemoteFailure)
    assert stream.ends == [stream.failure]


async def test_a_stream_that_started_and_failed_has_started(stream: Stream) -> None:
    """A stream that starts and fails in one frame gives its error to `on_end`."""
    stream.side.start(2)
    stream.side.refuse(2)
    await wait_all_tasks_blocked()

    assert stream.has_started
    assert [type(end) for end in stream.ends] == [RemoteFailure]
    stream.left.set()


async def test_items_of_a_stream_that_was_left_are_dropped(
    stream: Stream, autojump_clock: MockClock
) -> None:
    """Items that come after the block was left are dropped."""
    stream.side.start(2)
    await wait_all_tasks_blocked()
    stream.left.set()
    await trio.sleep(1)
    assert methods(stream.side.sent()) == ["rpc.cancel"]
    stream.side.give(2, 0, [1])

    assert stream.batches == []


async def test_a_subscription_does_not_stand_in_line(nursery: trio.Nursery) -> None:
    """Subscriptions are counted apart from calls, and wait for room in the queue alone."""
    side = await Side(PeerLimits(2**20, calls=1)).greet()
    await callers_of(side, nursery).begin("a", "b")
    stream = Stream(side, nursery, "rpc.subscribe")
    await wait_all_tasks_blocked()

    assert methods(side.sent()) == ["a", "rpc.subscribe"]
    side.refuse(3)
    await wait_all_tasks_blocked()
    assert stream.failure is not None


async def test_no_more_subscriptions_are_asked_for_than_the_peer_serves(
    nursery: trio.Nursery,
) -> None:
    """A subscription over the limit of the peer is refused on this side."""
    side = await Side(PeerLimits(2**20, subscriptions=1)).greet()
    first, second = (Stream(side, nursery, "rpc.subscribe") for _ in range(2))
    await wait_all_tasks_blocked()

    failures = [each.failure for each in (first, second) if each.failure is not None]
    assert [type(failure) for failure in failures] == [RpcError]
    assert methods(side.sent()) == ["rpc.subscribe"]
    side.refuse(2)
