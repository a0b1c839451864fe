"""What waits for the writer: its order, its size, its room."""

from __future__ import annotations

import trio
from trio.testing import wait_all_tasks_blocked

from farcall import Limits
from farcall._budget import Account, Process
from farcall._connection.send_queue import SendQueue
from farcall._protocol.messages import BatchReply, Error, ErrorResponse, Goaway, Request, Response


def make_queue(messages: int = 2, size: int = 100) -> SendQueue:
    limits = Limits(queued_messages=messages, queued_bytes=size)
    return SendQueue(limits, Account(2**30, lambda: None, Process()))


def response(size: int) -> Response:
    return Response(b"1", b"x" * size)


def test_size_is_that_of_what_users_wrote() -> None:
    """The envelope is written when a message is taken, and does not wait."""
    queue = make_queue(10)
    queue.put(response(1))
    queue.put(Request("name", b"x" * 10))
    queue.put(Request("name"))
    queue.put(ErrorResponse(b"1", Error(1, "x" * 100, b"x" * 1000)))
    queue.put(BatchReply([b"x" * 10000, b"x" * 10000]))
    queue.put(Goaway(1, 1))

    assert queue.size == 1 + 10 + 1100 + 20000
    while queue.pop():
        pass
    assert queue.size == 0


def test_room_by_messages_and_by_bytes() -> None:
    """A queue is full at either limit, and a message may be larger than what is left."""
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
        rooms.append(queue.has_room)

    assert rooms == [True, False, True, False, False]


def test_excess_is_what_the_reader_put_in_all_the_same() -> None:
    """At the limit there is none yet; and the bytes leave room for one large message."""
    queue = make_queue(2, 100)
    queue.put(response(150))
    queue.put(response(50))
    assert queue.excess(100) is None
    assert queue.excess(99) == "queued_bytes"
    queue.put(response(0))
    assert queue.excess(100) == "queued_messages"


def test_what_is_withdrawn_takes_no_room() -> None:
    """It is found by itself, not by being like another one; and once only."""
    queue = make_queue()
    first, second = Request("same", b"12345"), Request("same", b"12345")
    queue.put(first)
    queue.put(second)
    queue.withdraw(second)
    queue.withdraw(second)

    assert (queue.size, len(queue)) == (5, 1)
    assert queue.pop() is first


def test_a_closed_queue_takes_nothing() -> None:
    """What waited is dropped, and nobody has to wait for room."""
    queue = make_queue(1)
    queue.put(response(5))
    queue.close()
    queue.put(response(5))

    assert (queue.pop(), queue.size, queue.has_room) == (None, 0, True)


async def test_those_who_wait_get_the_room_that_there_is(nursery: trio.Nursery) -> None:
    """One message taken lets one in; the rest go on waiting, and none is forgotten."""
    queue, came = make_queue(2), list[int]()

    async def put(number: int) -> None:
        await queue.wait_room()
        queue.put(response(0))
        came.append(number)

    for number in range(5):
        nursery.start_soon(put, number)
        await wait_all_tasks_blocked()
    assert came == [0, 1]
    queue.pop()
    await wait_all_tasks_blocked()
    assert came == [0, 1, 2]
    queue.close()
    await wait_all_tasks_blocked()
    assert sorted(came) == [0, 1, 2, 3, 4]
