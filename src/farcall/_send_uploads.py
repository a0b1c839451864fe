"""The caller's half of uploads: async iterables among the arguments of a call.

To a farcall peer each is a stream of its own, whose values a task sends while the call runs; a
plain peer gets an array, once all of it is there.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, nullcontext
from typing import Any, TypeGuard

import attrs
import msgspec
import trio

from farcall._connection.item_queue import ItemQueue
from farcall._connection.link import Link
from farcall._declare import Method
from farcall._items import ItemCodec, item_codec
from farcall._nursery import open_owned_nursery
from farcall._protocol.messages import Error, Message, UploadEnd
from farcall._protocol.room import items_room
from farcall._protocol.uploads import OutgoingUpload
from farcall.errors import EncodeError, ErrorCode, RpcError


@attrs.frozen(eq=False)
class Sending:
    """An upload that is under way."""

    link: Link
    upload: OutgoingUpload
    queue: ItemQueue
    item: ItemCodec[Any]
    path: str

    async def run(self, source: AsyncIterable[Any], fail: Callable[[Exception], None]) -> None:
        """Send all values of `source` and its end, or tell `fail` what it raised.

        Cancelled, it leaves the upload open, whose call is about to end.
        """
        count = 0
        try:
            async with _closing(aiter(source)) as values:
                async for value in values:
                    if not await self._put(value, count):
                        return
                    count += 1
        except Exception as exc:  # noqa: BLE001 - it is raised where the call was made
            self.queue.outbox.close()
            end = UploadEnd(self.upload.id, _why(exc))
            self.queue.end(lambda: end)
            # That cancels the call, and a cancel overtakes; the handler is to know why first.
            await self.queue.ended.wait()
            fail(exc)
            return
        self.queue.end(lambda: UploadEnd(self.upload.id))

    async def _put(self, value: Any, place: int) -> bool:
        """Send a value, and tell whether anybody will take another one."""
        text = self.item.encode(value, f"{self.path}[{place}]")
        if len(text) > self.queue.room:
            raise self._too_large(len(text), place)
        await self.queue.outbox.put(text)
        return not self.queue.outbox.is_closed

    def _too_large(self, size: int, place: int) -> EncodeError:
        problem = f"the item has {size} bytes; the peer takes {self.queue.room} in one message"
        return EncodeError(f"{problem} (its limit message) @ {self.path}[{place}]")

    def forget(self) -> None:
        """Drop what waits: the call has ended, and its uploads with it."""
        self.link.uploads.forget_outgoing(self.upload)
        self.link.protocol.uploads.end_outgoing(self.upload)


def can_repeat(method: Method, bound: Mapping[str, Any]) -> bool:
    """Tell whether the uploads of a call could be sent again: an iterator gives what is left."""
    return not any(isinstance(bound.get(name), AsyncIterator) for name in method.uploads)


@asynccontextmanager
async def open_uploads(
    link: Link, method: Method, bound: Mapping[str, Any]
) -> AsyncIterator[tuple[bytes | None, Sequence[ItemQueue]]]:
    """Send the async iterables among the arguments of a call while a block makes it.

    Args:
        link: To the peer.
        method: What is called.
        bound: Its arguments by name.

    Returns:
        The params of the call as JSON text, and the queues that wait until it has left.

    Raises:
        EncodeError: an argument is no async iterable, or a value of one not of its type.
        Exception: what an iterable raised, as it is, whatever became of the call then.

    Cancellation:
        The iterables are left; async generators among them are closed.
    """
    sources = {name: _checked(name, bound[name]) for name in method.uploads if name in bound}
    if not link.protocol.is_greeted:
        arrays = {name: await _array(method, name, each) for name, each in sources.items()}
        yield method.arguments.write({**bound, **arrays}), ()
        return
    sendings = {name: _open(link, method, name) for name in sources}
    names = {name: {"$stream": _name(each.upload)} for name, each in sendings.items()}
    try:
        params = method.arguments.write({**bound, **names})
        async with _first_failure() as (nursery, fail):
            for name, sending in sendings.items():
                nursery.start_soon(sending.run, sources[name], fail)
            yield params, [sending.queue for sending in sendings.values()]
            nursery.cancel_scope.cancel()
    finally:
        for sending in sendings.values():
            sending.forget()


@asynccontextmanager
async def _first_failure() -> AsyncIterator[tuple[trio.Nursery, Callable[[Exception], None]]]:
    """Give a nursery, and what cancels it with an error that counts more than its consequences.

    The handler of a call whose upload fails is likely to fail as well; the caller gets the cause.
    """
    failures: list[Exception] = []
    try:
        async with open_owned_nursery() as nursery:

            def fail(error: Exception) -> None:
                failures.append(error)
                nursery.cancel_scope.cancel()

            yield nursery, fail
    except Exception:
        if failures:
            raise failures[0] from None
        raise
    if failures:
        raise failures[0]


def _open(link: Link, method: Method, name: str) -> Sending:
    upload = link.protocol.uploads.send()
    item = item_codec(link.protocol, method.uploads[name])

    def items(values: Sequence[bytes]) -> Message:
        return link.protocol.upload_items(upload, values, is_binary=item.is_binary)

    limit = link.protocol.message_limit
    room = items_room(limit, upload.id, is_binary=item.is_binary, is_upload=True)
    queue = ItemQueue(upload.credit, items, link.lanes.put_stream, room)
    link.uploads.send(upload, queue)
    return Sending(link, upload, queue, item, f"params.{name}")


def _name(upload: OutgoingUpload) -> str:
    name: str = msgspec.json.decode(upload.id)
    return name


def _checked(name: str, source: Any) -> AsyncIterable[Any]:
    if _is_iterable(source):
        return source
    raise EncodeError(f"expected async iterable, got {type(source).__name__} @ params.{name}")


def _is_iterable(source: object) -> TypeGuard[AsyncIterable[Any]]:
    return isinstance(source, AsyncIterable)


async def _array(method: Method, name: str, source: AsyncIterable[Any]) -> list[Any]:
    codec = method.uploads[name]
    async with _closing(aiter(source)) as values:
        texts = [codec.encode(value, at=f"params.{name}") async for value in values]
    return [msgspec.json.decode(text) for text in texts]


def _closing(values: AsyncIterator[Any]) -> Any:
    """Close a generator when it is left; other iterators may be used again by their owner."""
    return aclosing(values) if inspect.isasyncgen(values) else nullcontext(values)


def _why(exc: Exception) -> Error:
    """Say to the peer why nothing follows, and no more of what happened here than it needs."""
    if isinstance(exc, RpcError):
        return Error(exc.code, exc.message)
    return Error(ErrorCode.APPLICATION, f"the caller's iterable raised {type(exc).__name__}")
