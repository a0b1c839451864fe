"""The shapes of what peers send beside results: read strictly, unknown members ignored."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Raw, UnsetType

from farcall._protocol.messages import Hello, Limits
from farcall._protocol.wire import UnreadableText, decode

Count = Annotated[int, Meta(ge=0, le=2**53)]
Positive = Annotated[int, Meta(ge=1, le=2**53)]
"""Counts end where JavaScript's integers do."""


MOST_KEPT = 1024
"""Contracts, or features, in a hello: it is kept as long as the connection. More services than
that, at one path, nobody has."""

Name = Annotated[str, Meta(max_length=256)]
"""As long as the id of a request."""

Digests = Annotated[str, Meta(max_length=MOST_KEPT * 65)]
"""One of 64 characters for each service that has the name, with spaces between."""


class LimitsShape(msgspec.Struct):
    """``limits`` of a hello."""

    message: Positive | None = None
    calls: Positive = 1024
    subscriptions: Count = 128
    bundle: Positive = 256
    call_bytes: Positive | None = None


class HelloShape(msgspec.Struct):
    """The parameters of ``rpc.hello``, or its result."""

    v: Positive
    features: Annotated[list[Name], Meta(max_length=MOST_KEPT)] = []
    contracts: Annotated[dict[Name, Digests], Meta(max_length=MOST_KEPT)] = {}
    limits: LimitsShape = msgspec.field(default_factory=LimitsShape)


class MetaShape(msgspec.Struct):
    """``meta`` of a request."""

    credit: tuple[Positive, Positive] | None = None
    timeout: Count | None = None


class CancelShape(msgspec.Struct):
    """The parameters of ``rpc.cancel``."""

    id: Raw
    reason: str = "caller"


class StartedShape(msgspec.Struct):
    """The parameters of ``rpc.started``."""

    id: Raw
    value: Raw


class ItemsShape(msgspec.Struct, kw_only=True):
    """The parameters of ``rpc.items``."""

    id: Raw | UnsetType = msgspec.UNSET
    upload: Raw | UnsetType = msgspec.UNSET
    seq: Count
    values: list[Raw]
    cursor: str | None = None
    missed: Count | None = 0


class CreditShape(msgspec.Struct, kw_only=True):
    """The parameters of ``rpc.credit``."""

    id: Raw | UnsetType = msgspec.UNSET
    upload: Raw | UnsetType = msgspec.UNSET
    items: Count
    bytes: Count


class UploadEndShape(msgspec.Struct):
    """The parameters of ``rpc.end``."""

    upload: Raw
    error: Raw | UnsetType = msgspec.UNSET


class GoawayShape(msgspec.Struct):
    """The parameters of ``rpc.goaway``."""

    grace_ms: Count = 0
    reconnect_after_ms: Count = 0


ShapeT = TypeVar("ShapeT", bound=msgspec.Struct)


@cache
def _decoder(shape: type[Any]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(shape)


def read_shape(shape: type[ShapeT], text: bytes | None) -> ShapeT:
    """Read parameters of a known shape.

    Raises:
        UnreadableText: they have another one; names the member.
    """
    if text is None:
        raise UnreadableText("no params")
    read: ShapeT = decode(_decoder(shape), text)
    return read


def read_hello(text: bytes | None, message_out: int) -> Hello:
    """Read a greeting, under the rules of `read_shape`.

    Args:
        text: Its parameters.
        message_out: What a peer that does not say what it takes is trusted to take.
    """
    read = read_shape(HelloShape, text)
    limits = Limits(
        message=message_out if read.limits.message is None else read.limits.message,
        calls=read.limits.calls,
        subscriptions=read.limits.subscriptions,
        bundle=read.limits.bundle,
        call_bytes=read.limits.call_bytes,
    )
    return Hello(limits, read.v, tuple(read.features), read.contracts)


def read_meta(meta: Raw | UnsetType) -> MetaShape:
    """Read what a request says beside its parameters; under the rules of `read_shape`."""
    return _NO_META if isinstance(meta, UnsetType) else read_shape(MetaShape, bytes(meta))


_NO_META = MetaShape()


class ErrorShape(msgspec.Struct):
    """The error member of a response; every part of it may be missing or strange."""

    code: Any = None
    message: Any = None
    data: Raw = Raw(b"null")
