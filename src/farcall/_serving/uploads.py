"""The uploads of a call: the handler iterates over items while its caller sends them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, TypeAlias, TypeVar, cast

import msgspec

from farcall._codec import Codec, Faults
from farcall._connection.call import RemoteFailure
from farcall._connection.link import Link
from farcall._failures import error_of
from farcall._json import is_array
from farcall._protocol.binary import Encoded
from farcall.errors import ErrorCode, RpcError, is_of_protocol

T = TypeVar("T")

Refuse: TypeAlias = Callable[[Faults], Exception]
"""Makes the exception for an item that is not of its type."""


class ReceivedUploads:
    """The uploads of one call.

    Args:
        link: The caller's.
        refuse: Makes the exception for an item that is not of its type.
    """

    def __init__(self, link: Link, refuse: Refuse) -> None:
        self._link = link
        self._refuse = refuse
        self._leave: list[Callable[[], None]] = []

    def accept(self, name: str, given: object, codec: Codec[T]) -> AsyncIterator[T]:
        """Make the iterable for the handler.

        Args:
            name: Of the parameter.
            given: Its argument: ``{"$stream": "u1"}``, or an array of a plain peer.
            codec: Of the items.

        Raises:
            Faults: the argument is neither, or an upload of that name is open.
        """
        path = f"params.{name}"
        uploads, read = self._link.uploads, self._reader(path, codec)
        if is_array(given):
            whole = uploads.inbox(read, [msgspec.json.encode(item) for item in given])
            self._leave.append(whole.close)
            return whole
        inbox = uploads.receive(self._id(path, given), read, _raised)
        if inbox is None:
            raise Faults.one(path, "an upload of this name is open already")
        self._leave.append(inbox.leave)
        return inbox

    def end(self) -> None:
        """End them: items that still come are dropped."""
        for leave in self._leave:
            leave()

    def _id(self, path: str, given: object) -> bytes:
        match given:
            case {"$stream": str(name)} if len(cast("dict[str, Any]", given)) == 1:
                if self._link.is_greeted:
                    id = msgspec.json.encode(name)
                    # Limited like the id of a request: it is held, and echoed with each credit.
                    most = self._link.limits.request_id
                    if len(id) > most:
                        problem = f"an id of more than {most} bytes (the limit request_id)"
                        raise Faults.one(path, problem)
                    return id
            case _:
                pass
        raise Faults.one(path, "expected a stream, or an array of its items")

    def _reader(self, path: str, codec: Codec[T]) -> Callable[[Encoded], T]:
        item = self._link.uploads.item_codec(codec)

        def read(value: Encoded) -> T:
            try:
                return item.decode(value, unknown="refuse", at=path)
            except Faults as faults:
                raise self._refuse(faults) from None

        return read


def _raised(failure: RemoteFailure) -> Exception:
    """Make the exception that the handler gets for a failure of the caller's iterable.

    A code of the protocol is replaced: a handler that raised it would seem to be at fault.
    """
    found = error_of(failure)
    if isinstance(found, RpcError) and not is_of_protocol(found.code, is_plain=False):
        return found
    return RpcError(int(ErrorCode.APPLICATION), failure.message)
