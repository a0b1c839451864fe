"""Sending uploads: async iterables among the arguments of a call.

To a farcall peer each is a stream of its own, whose values a task sends while the call runs. A
plain peer gets an array, after the last value.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeGuard

import trio
from msgspec import Struct, field

from farcall._connection.items import ItemCodec
from farcall._connection.link import Link
from farcall._connection.uploads import UploadOutbox
from farcall._declare import Method
from farcall._nursery import leave_generator, open_owned_nursery
from farcall._protocol.messages import Error
from farcall.errors import EncodeError, ErrorCode, RpcError


class SentUploads(Struct, frozen=True):
    """The arguments of a call, with the uploads among them."""

    params: bytes | None
    """All arguments as JSON text, which names the uploads."""
    queues: Sequence[UploadOutbox] = ()
    """The uploads, whose values wait until the call is sent."""
    leave: Callable[[], None] = lambda: None
    """Stops the iterables, because the call has ended; its block may go on."""


class _CallEndedError(Exception):
    """The call has ended, and its uploads with it."""


class Sending(Struct, frozen=True, eq=False):
    """One upload: the task that sends its values."""

    outbox: UploadOutbox
    item: ItemCodec[Any]
    path: str
    _scope: trio.CancelScope = field(default_factory=trio.CancelScope)

    async def run(self, source: AsyncIterable[object], fail: Callable[[Exception], None]) -> None:
        """Send all values of `source` and its end, or pass to `fail` what it raised.

        Cancelled, it leaves the upload open, for its call is about to end.
        """
        with self._scope:
            try:
                await self._send_all(source)
            except _CallEndedError:
                return
            except Exception as exc:  # noqa: BLE001 - the call raises it
                if isinstance(exc, EncodeError):
                    exc.may_have_run = True  # its call has been sent
                self.outbox.close()
                self.outbox.finish(_why(exc))
                try:
                    # `fail` cancels the call, and a cancel overtakes the items; the handler must
                    # first learn why. If the upload has ended already, this does not wait.
                    await self.outbox.wait_ended()
                finally:
                    fail(exc)

    async def _send_all(self, source: AsyncIterable[object]) -> None:
        values, count = aiter(source), 0
        async for value in values:
            try:
                await self._put(value, count)
            except BaseException as exc:  # noqa: BLE001 - it is raised in the generator
                await _leave(values, exc, self._scope)
                return
            count += 1
        self.outbox.finish()

    async def _put(self, value: object, index: int) -> None:
        """Send a value.

        Raises:
            EncodeError: it is not of its type, or too large.
            _CallEndedError: the call has ended.
        """
        at = f"{self.path}[{index}]"
        text = self.item.encode(value, at)
        if len(text) > self.outbox.room:
            problem = f"the item has {len(text)} bytes; the peer takes {self.outbox.room}"
            raise EncodeError(f"{problem} in one message (its limit message) @ {at}")
        if not self.outbox.put(text):
            await self.outbox.wait_writable()
        if self.outbox.is_closed:
            raise _CallEndedError

    def leave(self) -> None:
        """Stop the iterable and drop the values that wait, because the call has ended."""
        self._scope.cancel()
        self.outbox.leave()


def can_repeat(method: Method, bound: Mapping[str, object]) -> bool:
    """Tell whether the uploads of a call can be sent again; an iterator gives its values once."""
    return not any(isinstance(bound.get(name), AsyncIterator) for name in method.uploads)


class Sources(Struct, eq=False):
    """The iterables of one call, each in a task, and their failure."""

    _nursery: trio.Nursery
    sendings: Mapping[str, Sending]
    """By the parameter that names each."""
    _is_left: bool = False
    failure: Exception | None = None
    """Of the first iterable that raised."""
    has_ended_call: bool = False
    """Whether that ended the call, rather than coming after its end."""

    def begin(self, given: Mapping[str, AsyncIterable[object]]) -> None:
        """Start to iterate."""
        for name, sending in self.sendings.items():
            self._nursery.start_soon(sending.run, given[name], self._fail)

    def _fail(self, error: Exception) -> None:
        self.failure = self.failure or error
        if not self._is_left:
            self.has_ended_call = True
            self._nursery.cancel_scope.cancel()

    def leave(self) -> None:
        """Stop the iterables, because the call has ended.

        What they raise from now on is raised after its block, which may go on.
        """
        self._is_left = True
        for sending in self.sendings.values():
            sending.leave()


@asynccontextmanager
async def open_uploads(
    link: Link, method: Method, bound: Mapping[str, object]
) -> AsyncIterator[SentUploads]:
    """Send the async iterables among the arguments of a call while a block makes it.

    Args:
        link: To the peer.
        method: The method.
        bound: Its arguments by name.

    Raises:
        EncodeError: an argument is not an async iterable, or a value is not of its type.
        Exception: what an iterable raised, as it is, whatever the outcome of the call.

    Cancellation:
        The iterables are stopped, and async generators among them closed.
    """
    given = {name: _checked(name, bound[name]) for name in method.uploads if name in bound}
    others = {name: value for name, value in bound.items() if name not in given}
    if not link.is_greeted:
        arrays = {name: await _array(link, method, name, each) for name, each in given.items()}
        yield SentUploads(method.arguments.write(others, arrays, is_plain=True))
        return
    sendings = {name: _open(link, method, name) for name in given}
    names = {name: each.outbox.reference for name, each in sendings.items()}
    async with _open_sources(sendings) as sources:
        try:
            params = method.arguments.write(others, names)
            sources.begin(given)
            queues = [sending.outbox for sending in sendings.values()]
            yield SentUploads(params, queues, sources.leave)
        finally:
            sources.leave()


@asynccontextmanager
async def _open_sources(sendings: Mapping[str, Sending]) -> AsyncIterator[Sources]:
    """Open the nursery of the iterables; raise their failure rather than its consequences.

    The handler of a call whose upload fails is likely to fail as well; the caller gets the cause.
    """
    sources: Sources | None = None
    try:
        async with open_owned_nursery() as nursery:
            sources = Sources(nursery, sendings)
            yield sources
    except (Exception, trio.Cancelled):
        if sources is None or sources.failure is None:
            raise
        if sources.has_ended_call:
            raise sources.failure from None
        raise sources.failure  # noqa: B904 - beside the other error, as from a ``finally``
    if sources.failure is not None:
        raise sources.failure


def _open(link: Link, method: Method, name: str) -> Sending:
    item = link.uploads.item_codec(method.uploads[name])
    outbox = link.uploads.send(is_binary=item.is_binary)
    return Sending(outbox, item, f"params.{name}")


def _checked(name: str, source: object) -> AsyncIterable[object]:
    if _is_iterable(source):
        return source
    raise EncodeError(f"expected async iterable, got {type(source).__name__} @ params.{name}")


def _is_iterable(source: object) -> TypeGuard[AsyncIterable[object]]:
    return isinstance(source, AsyncIterable)


async def _array(link: Link, method: Method, name: str, source: AsyncIterable[object]) -> bytes:
    """Write all values as one array, which must fit into one message.

    Raises:
        EncodeError: a value is not of its type, or the array is too large.
    """
    protocol, codec, values = link.protocol, method.uploads[name], aiter(source)
    text, count = bytearray(b"["), 0
    with trio.CancelScope() as scope:
        async for value in values:
            try:
                text += codec.encode(value, at=f"params.{name}[{count}]", is_plain=True) + b","
                count += 1
                if len(text) > protocol.message_limit:
                    problem = f"{count} items have {len(text)} bytes; a peer without streams takes"
                    limit = f"{protocol.message_limit} (the limit {protocol.message_limit_name})"
                    raise EncodeError(f"{problem} {limit} @ params.{name}")
            except EncodeError as exc:
                await _leave(values, exc, scope)
    return bytes(text.removesuffix(b",")) + b"]"


async def _leave(
    values: AsyncIterator[object], exc: BaseException, scope: trio.CancelScope
) -> None:
    """Close the iterator if it is a generator; others may be used again by their owner."""
    if not inspect.isasyncgen(values):
        raise exc
    await leave_generator(values, exc, scope)


def _why(exc: Exception) -> Error:
    """Make the error that tells the peer why the upload failed, with no more than it needs."""
    if isinstance(exc, RpcError):
        return Error(exc.code, exc.message)
    return Error(ErrorCode.APPLICATION, f"the caller's iterable raised {type(exc).__name__}")
