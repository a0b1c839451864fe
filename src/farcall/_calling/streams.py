"""Calling a stream: a context manager whose block reads the items."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Raw, Struct

from farcall._calling.contracts import Contracts
from farcall._calling.uploads import SentUploads, open_uploads
from farcall._codec import Codec
from farcall._connection.call import RemoteFailure
from farcall._connection.items import item_codec
from farcall._connection.link import Link
from farcall._connection.streams import Inbox
from farcall._declare import Method
from farcall._failures import decoded
from farcall._protocol.binary import Encoded
from farcall._protocol.credit import DEFAULT_WINDOW
from farcall.errors import InvalidResult, RpcError

T = TypeVar("T")


class Download(Struct, Generic[T], frozen=True):
    """A stream of the peer that is to be called."""

    name: str
    """The wire name."""
    codec: Codec[T]
    contracts: Contracts
    """What the peer offers, for errors."""
    method: Method | None = None
    """The declared method, whose errors arrive as themselves; None without a stub."""

    def reader(self, link: Link) -> Callable[[Encoded], T]:
        """Return the function that decodes an item."""
        item = item_codec(link.protocol, self.codec)
        return partial(decoded, item, name=self.name, at="item")

    def error(self, error: Exception | None) -> Exception | None:
        """Return the exception to raise for the error that the stream ended with."""
        if isinstance(error, RemoteFailure):
            found = self.contracts.error_of(error, self.method, name=self.name)
            if isinstance(found, RpcError):
                found.may_have_run = True  # the stream had started
            return found
        return error

    @contextmanager
    def failing(self) -> Iterator[None]:
        """Raise the errors of the peer to the calls of a block as the method declares them."""
        try:
            yield
        except RemoteFailure as failure:
            error = self.contracts.error_of(failure, self.method, name=self.name)
            raise error from error.__cause__


@asynccontextmanager
async def call_stream(
    link: Link,
    method: Method,
    bound: Mapping[str, object],
    contracts: Contracts,
    trace: str | None,
) -> AsyncIterator[Inbox[Any]]:
    """Call a stream with arguments of known types, uploads among them; see `open_download`."""
    download = Download(method.spec.wire_name, method.result, contracts, method)
    async with (
        open_uploads(link, method, bound) as sent,
        open_download(link, download, sent, trace) as items,
    ):
        yield items


@asynccontextmanager
async def open_download(
    link: Link,
    download: Download[T],
    sent: SentUploads,
    trace: str | None = None,
) -> AsyncIterator[Inbox[T]]:
    """Call a stream of the peer; leaving the block ends it.

    Args:
        link: To the peer.
        download: The stream.
        sent: Its arguments, and uploads among them, which end with the stream.
        trace: The caller's span, if it has one.

    Raises:
        ApplicationError: one that the method declares, also while iterating.
        RpcError: any other error of the peer, also while iterating.
        InvalidResult: it is not a stream, or, while iterating, an item is not of its type.
        ConnectionLost: the link has ended, also while iterating.

    Cancellation:
        However the block ends, the peer is asked to end the stream, and its response awaited for
        `cancel_grace` at most.
    """
    if not link.is_greeted:
        async with _whole(link, download, sent.params) as items:
            yield items
        return
    credit = DEFAULT_WINDOW.for_receiver()
    inbox = Inbox[T](download.reader(link), link.account, credit)

    def end(error: Exception | None) -> None:
        inbox.end(download.error(error))
        sent.leave()

    stream = link.calls.open_stream(
        download.name,
        sent.params,
        credit=credit,
        on_values=lambda values, _cursor, _missed: inbox.push(values),
        on_end=end,
        uploads=sent.queues,
        traceparent=trace,
    )
    try:
        with download.failing():
            async with stream as pending:
                if pending.unstarted not in (None, b"null"):
                    problem = "expected a stream, got a result; call it as a method"
                    raise InvalidResult(f"{download.name}: {problem}")
                try:
                    yield inbox
                finally:
                    inbox.close()
    finally:
        inbox.close()  # items may have come although the block has not begun


@asynccontextmanager
async def _whole(
    link: Link, download: Download[T], params: bytes | None
) -> AsyncIterator[Inbox[T]]:
    """Call a stream of a plain peer, which responds with an array of all items."""
    with download.failing():
        text = await link.calls.call(download.name, params)
    try:
        parts = [bytes(part) for part in msgspec.json.decode(text, type=list[Raw])]
    except msgspec.MsgspecError:
        raise InvalidResult(f"{download.name}: expected an array of items @ result") from None
    inbox = Inbox[T](download.reader(link), link.account)
    inbox.push(parts)
    inbox.end()
    try:
        yield inbox
    finally:
        inbox.close()
