"""How the items of one stream cross: as JSON, or, where they are bytes, as they are."""

from __future__ import annotations

from binascii import b2a_base64
from typing import Generic, TypeVar, cast

import attrs

from farcall._codec import Codec
from farcall._codec.codec import Unknown
from farcall._protocol.binary import FEATURE, Encoded
from farcall._protocol.protocol import Protocol

T = TypeVar("T")


@attrs.frozen
class ItemCodec(Generic[T]):
    """Carries the items of one stream over one connection."""

    codec: Codec[T]
    is_binary: bool
    """Whether items are sent in binary frames; what comes may be either."""

    def encode(self, value: T, at: str) -> bytes:
        """Write an item.

        Raises:
            EncodeError: it is not of the type; names `at`.
        """
        if self.is_binary and isinstance(value, bytes):
            return value
        return self.codec.encode(value, at=at)

    def decode(self, value: Encoded, *, unknown: Unknown, at: str) -> T:
        """Read an item.

        Raises:
            Faults: it is not of the type; names `at`.
        """
        if isinstance(value, bytes):
            return self.codec.decode(value, unknown=unknown, at=at)
        if self.codec.is_bytes:
            return cast("T", value.data)
        # Who reads without a type, or another one, gets what the same bytes are anywhere else.
        return self.codec.decode(_base64(value.data), unknown=unknown, at=at)


def item_codec(protocol: Protocol, codec: Codec[T]) -> ItemCodec[T]:
    """Choose what both sides of a connection understand."""
    return ItemCodec(codec, codec.is_bytes and protocol.has_feature(FEATURE))


def _base64(blob: bytes) -> bytes:
    return b'"%b"' % b2a_base64(blob, newline=False)
