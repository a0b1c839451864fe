"""The caller's half of a stream call: a context manager whose block reads the items."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import attrs
import msgspec
from msgspec import Raw

from farcall._calling.contracts import Contracts
from farcall._calling.uploads import SentUploads, open_uploads
from farcall._codec import Codec
from farcall._connection.call import Call, RemoteFailure
from farcall._connection.items import item_codec
from farcall._connection.link import Link
from farcall._connection.streams import Inbox
from farcall._declare import Method
from farcall._failures import decoded
from farcall._protocol.binary import Encoded
from farcall._protocol.credit import DEFAULT_WINDOW
from farcall.errors import InvalidResult, RpcError


@attrs.frozen
class Download:
    """A stream of the peer, before it is called."""

    name: str
    """The wire name."""
    codec: Codec[Any]
    contracts: Contracts
    """What the peer offers, for errors."""
    method: Method | None = None
    """The declared one, whose errors arrive as themselves."""

    def reader(self, link: Link) -> Callable[[Encoded], Any]:
        """Make what reads an item."""
        item = item_codec(link.protocol, self.codec)

        def read(value: Encoded) -> Any:
            return decoded(item, value, name=self.name, at="item")

        return read

    def error(self, error: Exception | None) -> Exception | None:
        """Make the exception to raise for what the stream ended with."""
        if isinstance(error, RemoteFailure):
            found = self.contracts.error_of(error, self.method, name=self.name)
            if isinstance(found, RpcError):
                found.may_have_run = True  # it was open
            return found
        return error

    @contextmanager
    def failing(self) -> Iterator[None]:
        """Raise what the peer answers to the calls of a block as `error` has it."""
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
    download: Download,
    sent: SentUploads,
    trace: str | None = None,
) -> AsyncIterator[Inbox[Any]]:
    """Call a stream of the peer; leaving the block ends it.

    Args:
        link: To the peer.
        download: What is called.
        sent: Its arguments, and uploads among them, which end with the stream.
        trace: The caller's span, if it has one.

    Raises:
        ApplicationError: one of those the method declares, also while iterating.
        RpcError: any other error of the peer, also while iterating.
        InvalidResult: it is no stream, or, while iterating, an item is not of its type.
        ConnectionLost: the link has ended, also while iterating.

    Cancellation:
        Left for whatever reason, the peer is asked to end the stream, and its answer awaited for
        `cancel_grace` at most.
    """
    if not link.is_greeted:
        async with _whole(link, download, sent.params) as items:
            yield items
        return
    credit = DEFAULT_WINDOW.for_receiver()
    inbox = Inbox[Any](download.reader(link), link.account, credit)

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
                _check_stream(pending, download.name)
                try:
                    yield inbox
                finally:
                    inbox.close()
    finally:
        inbox.close()  # it may have got items before anybody was to read them


def _check_stream(pending: Call, name: str) -> None:
    """Refuse the result of a method that is no stream, rather than drop it."""
    if pending.unstarted not in (None, b"null"):
        raise InvalidResult(f"{name}: a result, and no stream; call it")


@asynccontextmanager
async def _whole(link: Link, download: Download, params: bytes | None) -> AsyncIterator[Inbox[Any]]:
    """Ask a plain peer, which answers with an array of all items."""
    with download.failing():
        text = await link.calls.call(download.name, params)
    inbox = Inbox[Any](download.reader(link), link.account)
    inbox.push(_parts(text, download.name))
    inbox.end()
    try:
        yield inbox
    finally:
        inbox.close()


def _parts(text: bytes, name: str) -> list[bytes]:
    try:
        return [bytes(part) for part in msgspec.json.decode(text, type=list[Raw])]
    except msgspec.MsgspecError:
        raise InvalidResult(f"{name}: expected an array of items @ result") from None
