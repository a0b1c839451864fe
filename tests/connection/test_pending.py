"""Where outcomes wait for the tasks that want them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from farcall._connection.pending import (
    PendingCall,
    PendingCalls,
    PendingStream,
    PendingTask,
    RemoteFailure,
)
from farcall._protocol.binary import Encoded
from farcall._protocol.events import (
    ErrorReceived,
    ItemsReceived,
    ResultReceived,
    StartedReceived,
    UnreadableAnswer,
)
from farcall._protocol.messages import Request
from farcall._protocol.state import OutgoingCall, Stage
from farcall.errors import InvalidResult


class Stream:
    """A stream call, and what it told."""

    def __init__(self, id: bytes = b"1") -> None:
        self.batches: list[tuple[list[Encoded], str | None, int | None]] = []
        self.ends: list[Exception | None] = []
        call, request = OutgoingCall(id, "watch", Stage.OPEN), Request("watch", None, id)
        self.pending = PendingStream(call, request, self._on_items, self.ends.append)

    def _on_items(self, values: Sequence[Encoded], cursor: str | None, missed: int | None) -> None:
        self.batches.append((list(values), cursor, missed))


def make_pending(id: bytes = b"1", stage: Stage = Stage.OPEN) -> PendingCall:
    return PendingCall(OutgoingCall(id, "ask", stage), Request("ask", None, id))


def table_of(*pendings: PendingCall) -> PendingCalls:
    table = PendingCalls()
    for pending in pendings:
        table.insert(pending)
    return table


def make_task(told: list[bytes]) -> PendingTask:
    call, request = OutgoingCall(b"1", "run", Stage.OPEN), Request("run", None, b"1", deadline=5.0)
    return PendingTask(call, request, told.append)


async def test_a_task_tells_of_its_start_on_the_way_to_its_end(autojump_clock: MockClock) -> None:
    """Even where both came in one frame; its deadline is that of the task from then on."""
    told: list[bytes] = []
    pending = make_task(told)
    table = table_of(pending)
    assert pending.deadline == 5.0
    table.settle(StartedReceived(pending.call, b"1"))
    table.settle(ResultReceived(pending.call, b"2"))

    with trio.fail_at(7.0):
        await pending.follow()

    assert told == [b"1"]
    assert pending.deadline == 7.0
    assert pending.unwrap() == b"2"


async def test_a_task_may_end_without_a_start() -> None:
    """Then there is nothing to tell."""
    told: list[bytes] = []
    pending = make_task(told)
    table_of(pending).settle(ErrorReceived(pending.call, 7, "no", None))

    await pending.follow()

    assert told == []
    assert isinstance(pending.error, RemoteFailure)


async def test_a_start_is_told_once() -> None:
    """Whoever asks for it."""
    told: list[bytes] = []
    pending = make_task(told)
    pending.start(b"1")
    pending.tell_started()
    pending.tell_started()

    assert told == [b"1"]


async def test_a_call_that_wants_no_start_is_not_told() -> None:
    """The protocol would have refused it; a subscription of the same name is another matter."""
    pending = make_pending()
    table_of(pending).settle(StartedReceived(pending.call, b"1"))
    pending.tell_started()

    assert not pending.is_settled


async def test_a_result_ends_the_wait() -> None:
    """The text comes out as it is."""
    pending = make_pending()
    table_of(pending).settle(ResultReceived(pending.call, b"42"))

    assert pending.is_settled
    assert pending.error is None
    assert await pending.wait() == b"42"


async def test_an_error_is_raised_where_the_call_is_waited_for() -> None:
    """With all that was on the wire, and no more."""
    pending = make_pending()
    table_of(pending).settle(ErrorReceived(pending.call, 7, "no", b"[1]"))

    with pytest.raises(RemoteFailure) as caught:
        await pending.wait()
    assert (caught.value.code, caught.value.message, caught.value.data) == (7, "no", b"[1]")
    assert pending.error is caught.value


async def test_an_answer_that_is_none_names_the_method() -> None:
    """Nobody knows what the peer meant."""
    pending = make_pending()
    table_of(pending).settle(UnreadableAnswer(pending.call, "no JSON"))

    with pytest.raises(InvalidResult, match="the answer to ask: no JSON"):
        await pending.wait()


async def test_a_greeting_ends_without_a_result() -> None:
    """The core has used it up."""
    pending = make_pending()
    table = table_of(pending)
    table.succeed(pending.call)
    table.succeed(pending.call)

    assert await pending.wait() == b"null"


def test_what_is_for_nobody_is_dropped() -> None:
    """Its caller has left, or was answered before: the first outcome stays."""
    answered, left = make_pending(b"1"), make_pending(b"2")
    table = table_of(answered, left)
    table.forget(left)
    for pending in (answered, left):
        table.settle(ResultReceived(pending.call, b"1"))
        table.settle(ErrorReceived(pending.call, 7, "late", None))

    assert answered.is_settled
    assert answered.error is None
    assert not left.is_settled


def test_the_end_of_the_link_tells_what_was_sent() -> None:
    """Each call by itself; those that are settled stay as they are."""
    queued, sent, settled = make_pending(b"1", Stage.QUEUED), make_pending(b"2"), make_pending(b"3")
    table = table_of(queued, sent, settled)
    table.settle(ResultReceived(settled.call, b"1"))
    table.end(ValueError)

    assert str(queued.error) == "False"
    assert str(sent.error) == "True"
    assert settled.error is None


async def test_a_cancelled_wait_changes_nothing() -> None:
    """The call can still be waited for, and settled."""
    pending = make_pending()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pending.wait)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()

    assert not pending.is_settled
    table_of(pending).settle(ResultReceived(pending.call, b"1"))
    await pending.wait_settled()
    assert await pending.wait() == b"1"


async def test_a_stream_starts_brings_items_and_ends() -> None:
    """Its end is told once, with no error for a result."""
    stream = Stream()
    call = stream.pending.call
    table = table_of(stream.pending)
    table.settle(StartedReceived(call, b"0"))
    table.settle(ItemsReceived(call, [b"1", b"2"], "here", 3))

    assert await stream.pending.wait_started() == b"0"
    assert stream.batches == [([b"1", b"2"], "here", 3)]
    assert stream.ends == []

    table.settle(ResultReceived(call, b"null"))

    assert stream.ends == [None]


async def test_a_stream_that_never_starts_raises_its_error() -> None:
    """To whoever waits for the start."""
    stream = Stream()
    table_of(stream.pending).settle(ErrorReceived(stream.pending.call, 7, "no", None))

    with pytest.raises(RemoteFailure):
        await stream.pending.wait_started()
    assert stream.ends == [stream.pending.error]


async def test_a_stream_that_started_and_failed_has_started() -> None:
    """Its error is for who reads it, and is told at the end."""
    stream = Stream()
    table = table_of(stream.pending)
    table.settle(StartedReceived(stream.pending.call, b"0"))
    table.settle(ErrorReceived(stream.pending.call, 7, "no", None))

    assert await stream.pending.wait_started() == b"0"
    assert stream.ends == [stream.pending.error]


def test_items_for_nobody_are_dropped() -> None:
    """Of a stream that was left, or of a call that is none."""
    stream, pending = Stream(), make_pending(b"2")
    table = table_of(stream.pending, pending)
    table.forget(stream.pending)
    for call in (stream.pending.call, pending.call):
        table.settle(StartedReceived(call, b"0"))
        table.settle(ItemsReceived(call, [b"1"], None, 0))

    assert stream.batches == []
    assert not pending.is_settled


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
    """Another implementation may put spaces, or other members."""
    assert RemoteFailure(-32002, "Deadline exceeded", data).is_own_deadline is is_own
    assert not RemoteFailure(-32800, "Cancelled", data).is_own_deadline
