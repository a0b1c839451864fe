"""Items of bytes in binary frames: a quarter smaller than base64, and several times cheaper.

Both sides name the feature ``binary`` in their hello. A binary frame begins with a NUL byte, which
no JSON text does; then come four bytes with the length of a head (big-endian), the head, and the
values one after another. The head is the JSON of ``rpc.items`` with ``sizes`` in place of
``values``; the same laws hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Final, TypeAlias

import msgspec
from msgspec import Raw, Struct, UnsetType

from farcall._json import UnreadableText, decode
from farcall._protocol.framing import Count, RequestId

FEATURE: Final = "binary"
FEATURES: Final = (FEATURE,)
"""All features beyond version 1."""
BINARY_MARK: Final = b"\0"
"""The first byte of a binary frame; no JSON text begins with it."""
HEAD_LENGTH: Final = 4
"""Bytes of the length of a head."""
_HEAD_AT: Final = len(BINARY_MARK) + HEAD_LENGTH


class Blob(Struct, frozen=True):
    """A value from a binary frame, which is not JSON.

    A subclass of bytes would cost two more copies of the value.
    """

    data: bytes

    def __len__(self) -> int:
        return len(self.data)

    def __bytes__(self) -> bytes:
        return self.data


Encoded: TypeAlias = bytes | Blob
"""A value as it came: JSON text, or bytes."""


class _Head(msgspec.Struct, kw_only=True):
    id: Raw | UnsetType = msgspec.UNSET
    upload: Raw | UnsetType = msgspec.UNSET
    seq: Count
    sizes: list[Count]


_head = msgspec.json.Decoder(_Head)


class BinaryFrame(Struct, frozen=True):
    """What a binary frame holds."""

    id: Raw | UnsetType
    upload: Raw | UnsetType
    seq: int
    values: Sequence[Blob]


def binary_items(
    id: RequestId, seq: int, values: Sequence[bytes], is_upload: bool = False
) -> bytes:
    """Write values of a stream as plain bytes; `seq` is the number of the first."""
    address = b'"upload":' if is_upload else b'"id":'
    sizes = b",".join([b"%d" % len(value) for value in values])
    head = b'{%b%b,"seq":%d,"sizes":[%b]}' % (address, id, seq, sizes)
    return b"".join((BINARY_MARK, len(head).to_bytes(HEAD_LENGTH, "big"), head, *values))


def read_binary(frame: bytes) -> BinaryFrame:
    """Read a frame that begins with `BINARY_MARK`.

    Raises:
        UnreadableText: the head is malformed, or the values have other sizes than it says.
    """
    end = _HEAD_AT + int.from_bytes(frame[len(BINARY_MARK) : _HEAD_AT], "big")
    if len(frame) < end:
        raise UnreadableText("a binary frame that ends within its head")
    head = decode(_head, frame[_HEAD_AT:end])
    if sum(head.sizes) != len(frame) - end:
        raise UnreadableText("a binary frame whose values have other sizes than its head says")
    bounds = pairwise(accumulate(head.sizes, initial=end))
    values = [Blob(frame[begin:end]) for begin, end in bounds]
    return BinaryFrame(head.id, head.upload, head.seq, values)
