"""How the items of one stream are sent: as JSON, or bytes as they are, in binary frames."""

from __future__ import annotations

from binascii import b2a_base64
from typing import Generic, TypeVar, cast

from msgspec import Struct

from farcall._codec import Codec
from farcall._codec.codec import Unknown
from farcall._protocol.binary import FEATURE, Encoded
from farcall._protocol.protocol import Protocol

T = TypeVar("T")


class ItemCodec(Struct, Generic[T], frozen=True):
    """Writes and reads the items of one stream over one link."""

    codec: Codec[T]
    is_binary: bool
    """Whether items are sent in binary frames; incoming ones may be either."""

    def encode(self, value: T, at: str) -> bytes:
        """Write an item.

        Raises:
            EncodeError: it is not of its type; names `at`.
        """
        if self.is_binary and isinstance(value, bytes):
            return value
        return self.codec.encode(value, at=at)

    def decode(self, value: Encoded, *, unknown: Unknown, at: str) -> T:
        """Read an item.

        Raises:
            Faults: it is not of its type; names `at`.
        """
        if isinstance(value, bytes):
            return self.codec.decode(value, unknown=unknown, at=at)
        if self.is_binary:
            return cast("T", value.data)
        # A reader without a type, or with another one, gets base64, as bytes are in JSON.
        text = b'"%b"' % b2a_base64(value.data, newline=False)
        return self.codec.decode(text, unknown=unknown, at=at)


def item_codec(protocol: Protocol, codec: Codec[T]) -> ItemCodec[T]:
    """Return the codec of a stream: binary if both sides have the feature."""
    return ItemCodec(codec, codec.is_bytes and protocol.has_feature(FEATURE))
