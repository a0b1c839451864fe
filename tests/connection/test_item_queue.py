"""What one stream has to send, in messages that its peer takes."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from farcall._budget import Account, Process
from farcall._connection.item_queue import ITEMS_BYTES, ItemQueue
from farcall._protocol.credit import Window
from farcall._protocol.messages import BinaryItems, Items, Message, Started, UploadEnd
from farcall._protocol.room import items_room

ID = b"7"


class Queue:
    """A queue whose peer takes messages of so many bytes."""

    def __init__(self, limit: int, *, is_binary: bool = False) -> None:
        self._credit = Window(1000, 2**20).for_sender()
        self._is_binary = is_binary
        room = items_room(limit, ID, is_binary=is_binary)
        account = Account(2**30, lambda: None, Process())
        self.real = ItemQueue(self._credit, self._items, lambda _queue: None, room, account)
        self._seq = 0

    def _items(self, values: Sequence[bytes]) -> Message:
        self._credit.spend(len(values), sum(map(len, values)))
        self._seq += len(values)
        make = BinaryItems if self._is_binary else Items
        return make(ID, self._seq - len(values), values)

    async def sizes(self, *values: bytes) -> list[int]:
        """Put values, and give the sizes of the messages that carry them."""
        for value in values:
            await self.real.outbox.put(value)
        sizes: list[int] = []
        while (message := self.real.pop()) is not None:
            sizes.append(len(message.render()))
        return sizes


@pytest.mark.parametrize("is_binary", [False, True])
@pytest.mark.parametrize("size", [1, 9, 99, 400, 1000])
async def test_items_are_joined_as_far_as_the_peer_takes_them(size: int, is_binary: bool) -> None:
    """In one message no larger than it has said, with all that is around them."""
    sizes = await Queue(2048, is_binary=is_binary).sizes(*[b"1" * size] * 200)

    assert 400 < max(sizes) <= 2048


async def test_no_message_of_several_items_holds_up_others_for_long() -> None:
    """However much the peer takes at once."""
    sizes = await Queue(2**24).sizes(*[b"1" * 1000] * 200)

    assert ITEMS_BYTES - 2000 < max(sizes) <= ITEMS_BYTES + 200


async def test_one_item_may_be_as_large_as_the_peer_takes() -> None:
    """It has a message of its own."""
    queue = Queue(2**17)

    sizes = await queue.sizes(b"1", b"1" * queue.real.room, b"1")

    assert [sizes[0] < 200, 2**17 - 20 < sizes[1] <= 2**17, sizes[2] < 200] == [True] * 3


async def test_the_start_goes_first_and_the_end_last() -> None:
    """Whatever was put first; the end is made when it is its turn."""
    queue = Queue(2048).real
    queue.end(lambda: UploadEnd(ID))
    await queue.outbox.put(b"1")
    queue.begin(Started(ID, b"null"))

    assert queue.pop() == Started(ID, b"null")
    assert queue.pop() == Items(ID, 0, [b"1"])
    assert not queue.ended.is_set()
    assert queue.pop() == UploadEnd(ID)
    assert queue.ended.is_set()
    assert queue.pop() is None


async def test_nothing_leaves_while_it_is_held() -> None:
    """The message that names an upload goes first."""
    queue = Queue(2048).real
    queue.is_held = True
    await queue.outbox.put(b"1")

    assert queue.pop() is None
    queue.is_held = False
    assert queue.pop() is not None
