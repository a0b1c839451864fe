"""The handler's half of uploads: what it iterates over while its caller sends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, TypeAlias, cast

import msgspec

from farcall._codec import Codec, Faults
from farcall._codec.shape import is_array
from farcall._connection.link import Link
from farcall._connection.pending import RemoteFailure
from farcall._connection.uploads import UploadReader
from farcall._failures import error_of
from farcall._items import item_codec
from farcall._protocol.binary import Encoded
from farcall._protocol.uploads import IncomingUpload
from farcall._streams import Inbox
from farcall.errors import RESERVED_CODES, ErrorCode, RpcError

Refuse: TypeAlias = Callable[[Faults], Exception]
"""Makes the exception for an item that is not of its type."""


class ReceivedUploads:
    """The uploads of one call.

    Args:
        link: Where they come from.
        refuse: Makes the exception for an item that is not of its type.
    """

    def __init__(self, link: Link, refuse: Refuse) -> None:
        self._link = link
        self._refuse = refuse
        self._open: list[IncomingUpload] = []
        self._inboxes: list[Inbox[Any]] = []

    def accept(self, name: str, given: Any, codec: Codec[Any]) -> AsyncIterator[Any]:
        """Make what the handler iterates over.

        Args:
            name: The parameter.
            given: What stands in its place: ``{"$stream": "u1"}``, or an array of a plain peer.
            codec: Of the items.

        Raises:
            Faults: it is neither, or that upload is open already.
        """
        path = f"params.{name}"
        if is_array(given):
            return self._array(path, given, codec)
        upload = self._link.protocol.uploads.receive(self._id(path, given))
        if upload is None:
            raise Faults.one(path, "an upload of this name is open already")
        self._open.append(upload)
        return self._stream(path, upload, codec)

    def end(self) -> None:
        """Forget them: what still comes is dropped."""
        for upload in self._open:
            self._link.protocol.uploads.end_incoming(upload)
            self._link.uploads.forget_incoming(upload)
        for inbox in self._inboxes:
            inbox.close()

    def _id(self, path: str, given: Any) -> bytes:
        match given:
            case {"$stream": str(name)} if len(cast("dict[str, Any]", given)) == 1:
                if self._link.protocol.is_greeted:
                    return self._checked(path, msgspec.json.encode(name))
            case _:
                pass
        raise Faults.one(path, "expected a stream, or an array of its items")

    def _checked(self, path: str, id: bytes) -> bytes:
        """Refuse a long name as a long id of a request: it is kept, and echoed with each credit."""
        most = self._link.limits.request_id
        if len(id) > most:
            raise Faults.one(path, f"an id of more than {most} bytes (the limit request_id)")
        return id

    def _array(self, path: str, given: list[Any], codec: Codec[Any]) -> AsyncIterator[Any]:
        inbox = self._inbox(path, codec, lambda _size: None)
        inbox.push([msgspec.json.encode(item) for item in given])
        inbox.end()
        return inbox

    def _stream(self, path: str, upload: IncomingUpload, codec: Codec[Any]) -> AsyncIterator[Any]:
        def consume(size: int) -> None:
            credit = self._link.protocol.uploads.consume(upload, size)
            if credit is not None:
                self._link.lanes.put_credit(credit)

        inbox = self._inbox(path, codec, consume)
        reader = UploadReader(inbox.push, lambda error: inbox.end(_raised(error)), inbox.close)
        self._link.uploads.read(upload, reader)
        return inbox

    def _inbox(self, path: str, codec: Codec[Any], on_read: Callable[[int], None]) -> Inbox[Any]:
        item = item_codec(self._link.protocol, codec)

        def read(value: Encoded) -> Any:
            try:
                return item.decode(value, unknown="refuse", at=path)
            except Faults as faults:
                raise self._refuse(faults) from None

        inbox = Inbox(read, on_read, self._link.account)
        self._inboxes.append(inbox)
        return inbox


def _raised(error: Exception | None) -> Exception | None:
    """Make what the handler gets of a caller's own failure.

    A code that the protocol reserves is its word about a call, and nothing that a caller could say
    of its upload: a handler that lets such an error pass would seem to have a defect.
    """
    if not isinstance(error, RemoteFailure):
        return error
    found = error_of(error)
    if isinstance(found, RpcError) and found.code not in RESERVED_CODES:
        return found
    return RpcError(int(ErrorCode.APPLICATION), error.message)
