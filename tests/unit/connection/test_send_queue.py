"""The send queue: its order, its size and its room."""

from __future__ import annotations

import trio
from trio.testing import wait_all_tasks_blocked

from farcall import Limits
from farcall._connection.send_queue import Promise, SendQueue
from farcall._quota import MemoryAccount, ProcessQuota


def make_queue(messages: int = 2, size: int = 100) -> SendQueue:
    limits = Limits(queued_messages=messages, queued_bytes=size)
    return SendQueue(limits, MemoryAccount(2**30, lambda: None, ProcessQuota()))


def response(size: int) -> bytes:
    return b"x" * size


class Call:
    """A message that notes when it is taken."""

    def __init__(self, text: bytes, taken: bytes | None = None) -> None:
        self.text = text
        self._taken = text if taken is None else taken

    def take(self, now: float) -> bytes:
        return self._taken


def test_size_is_that_of_the_texts_that_wait() -> None:
    """The size counts the texts, and a message that grows when taken counts as it waited."""
    queue = make_queue(10)
    queue.put(response(100))
    queue.put(Call(b"12345", b"1234567890"))
    assert queue.size == 105

    assert [queue.pop(0), queue.pop(0)] == [response(100), b"1234567890"]
    assert queue.size == 0


def test_what_is_not_to_be_sent_any_more_is_empty() -> None:
    """A message with nothing to send gives its room back like any other."""
    queue = make_queue(2)
    queue.put(Call(b"12345", b""))
    queue.put(response(1))

    assert (queue.pop(0), queue.pop(0), queue.size) == (b"", b"x", 0)
    queue.note_taken()
    assert queue.is_writable


def test_the_account_is_told_once_for_all_that_is_taken() -> None:
    """The account is released once, after all messages of a frame were taken."""
    account = MemoryAccount(2**30, lambda: None, ProcessQuota())
    queue = SendQueue(Limits(), account)
    queue.put(response(1))
    queue.put(response(2))
    held = account.held
    queue.pop(0)
    queue.pop(0)
    assert account.held == held > 3

    queue.note_taken()
    assert account.held == 0


def test_room_by_messages_and_by_bytes() -> None:
    """A queue is full at either limit; the last message may be larger than the room left."""
    by_messages, by_bytes, by_one = make_queue(2, 100), make_queue(9, 100), make_queue(9, 100)
    rooms: list[bool] = []
    for queue, size in [
        (by_messages, 99),
        (by_messages, 0),
        (by_bytes, 99),
        (by_bytes, 1),
        (by_one, 500),
    ]:
        queue.put(response(size))
        rooms.append(queue.is_writable)

    assert rooms == [True, False, True, False, False]


def test_excess_is_what_the_reader_put_in_all_the_same() -> None:
    """The queue exceeds a limit only above it, and by bytes only above one more message."""
    queue = make_queue(2, 100)
    queue.put(response(150))
    queue.put(response(50))
    assert queue.excess(100) is None
    assert queue.excess(99) == "queued_bytes"
    queue.put(response(0))
    assert queue.excess(100) == "queued_messages"


def test_what_is_withdrawn_takes_no_room() -> None:
    """A message is withdrawn by identity, and once."""
    queue = make_queue()
    first, second = Call(b"12345"), Call(b"12345")
    queue.put(first)
    queue.put(second)
    queue.withdraw(second)
    queue.withdraw(second)

    assert (queue.size, len(queue), queue.is_writable) == (5, 1, True)
    assert queue.pop(0) is first.text


def test_a_closed_queue_takes_nothing() -> None:
    """A closed queue drops its messages, and no task waits for room."""
    queue = make_queue(1)
    queue.put(response(5))
    queue.close()
    queue.put(response(5))

    assert (queue.pop(0), queue.size, queue.is_writable) == (None, 0, True)


def test_a_promise_is_kept_when_it_is_taken() -> None:
    """A promise calls its function when it is taken, and never if it is dropped."""
    kept: list[str] = []
    queue = make_queue()
    queue.put(Promise(b"a", lambda: kept.append("a")))
    queue.put(Promise(b"b", lambda: kept.append("b")))
    assert kept == []

    assert queue.pop(0) == b"a"
    queue.close()
    assert kept == ["a"]


def test_room_is_told_before_the_tasks_that_wait_for_it() -> None:
    """`on_writable` is called before waiting tasks go on: calls in line came before them."""
    rooms: list[bool] = []
    queue = make_queue(1)
    queue.on_writable = lambda: rooms.append(queue.is_writable)
    queue.put(response(1))
    queue.pop(0)
    assert rooms == []

    queue.note_taken()
    assert rooms == [True]


async def test_waiting_tasks_go_on_as_there_is_room(nursery: trio.Nursery) -> None:
    """Each message that is taken lets one task go on; the others still wait."""
    queue, came = make_queue(2), list[int]()

    async def put(number: int) -> None:
        await queue.wait_writable()
        queue.put(response(1))
        came.append(number)

    for number in range(5):
        nursery.start_soon(put, number)
        await wait_all_tasks_blocked()
    assert came == [0, 1]
    queue.pop(0)
    queue.note_taken()
    await wait_all_tasks_blocked()
    assert came == [0, 1, 2]
    queue.close()
    await wait_all_tasks_blocked()
    assert sorted(came) == [0, 1, 2, 3, 4]
