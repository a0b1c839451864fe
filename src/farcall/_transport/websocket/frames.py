"""Messages in one frame, in bytes (RFC 6455, section 5), and nothing else of WebSocket.

Theory of operation. Nearly all that two peers send are messages in one frame, and wsproto, the
engine, takes 20 us for the round trip of such a frame. A `FrameReader` stands before it and takes
what is certainly one whole message. From the first byte of anything else on (a fragment, a control
frame, a frame that is not all here, a wrong bit or length, text that is not UTF-8, a message over
the limit) the engine gets the bytes as they came, until it is between two messages again. So this
is a short cut around the engine, and never a second opinion: everything unusual is judged in one
place.

A large frame that has begun stays here until it is whole, for the engine would copy each of its
pieces several times.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from typing import Final, TypeAlias

from farcall._transport.websocket.heap import keep_memory
from farcall._transport.websocket.socket import LARGE_RECEIVE_BYTES

FIN: Final = 0x80
TEXT: Final = 0x1
BINARY: Final = 0x2
MESSAGES: Final = (FIN | TEXT, FIN | BINARY)
"""First bytes of the frames that are whole messages."""
MASKED: Final = 0x80
SHORT: Final = 125
"""The largest payload whose size fits into the second byte; 126 and 127 announce 2 and 8 more."""

BINARY_MARK: Final = b"\0"
"""A payload that begins with it, as no JSON does, is sent as binary data."""

LARGE: Final = 4096
"""From this size on, a frame that is not whole waits here. The engine finds text that is not UTF-8
before the end of its frame, and smaller frames cost it little."""

KEY_BYTES: Final = 4
KEYS: Final = 128
"""Masking keys made at a time: a system call for each would cost more than the masking."""

SMALL_MASK: Final = 2048
"""Up to this size one large integer masks faster, above it four tables of bytes."""

Mask: TypeAlias = Callable[[bytes | memoryview, bytes], bytes]


def mask(data: bytes | memoryview, key: bytes) -> bytes:
    """Mask, or unmask, a payload.

    "Octet i of the transformed data is the XOR of octet i of the original data with octet at index
    i modulo 4 of the masking key" (section 5.3).
    """
    size = len(data)
    if size <= SMALL_MASK:
        repeated = (key * (size // KEY_BYTES + 1))[:size]
        masked = int.from_bytes(data, "little") ^ int.from_bytes(repeated, "little")
        return masked.to_bytes(size, "little")
    buffer = bytearray(data)
    for index, byte in enumerate(key):
        buffer[index::KEY_BYTES] = buffer[index::KEY_BYTES].translate(_xor_table(byte))
    return bytes(buffer)


@cache
def _xor_table(byte: int) -> bytes:
    return bytes(byte ^ each for each in range(256))


@cache
def find_mask() -> Mask:
    """Return what masks: the C of ``websockets`` if that is installed (the extra ``fast``)."""
    try:
        in_c: Mask = import_module("websockets.speedups").apply_mask
    except ImportError:
        return mask
    return in_c


class FrameWriter:
    """Writes messages as frames.

    Args:
        is_client: "A client MUST mask all frames that it sends to the server", and "a server MUST
            NOT mask any frames that it sends to the client" (section 5.1).
    """

    def __init__(self, *, is_client: bool) -> None:
        self._is_client = is_client
        self._mask = find_mask()
        self._keys = b""
        self._keys_used = 0

    def write(self, payloads: Sequence[bytes]) -> bytes:
        """Return a frame for each payload: binary if that begins with NUL, else text."""
        parts: list[bytes] = []
        for payload in payloads:
            opcode = BINARY if payload[:1] == BINARY_MARK else TEXT
            if self._is_client:
                key = self._fresh_key()
                parts += (_head(opcode, len(payload), MASKED), key, self._mask(payload, key))
            else:
                parts += (_head(opcode, len(payload), 0), payload)
        data = b"".join(parts)
        keep_memory(len(data))
        return data

    def _fresh_key(self) -> bytes:
        """Take the next masking key.

        "The masking key needs to be unpredictable; thus, the masking key MUST be derived from a
        strong source of entropy, and the masking key for a given frame MUST NOT make it simple for
        a server/proxy to predict the masking key for a subsequent frame" (section 5.3).
        """
        if self._keys_used == len(self._keys):
            self._keys, self._keys_used = os.urandom(KEYS * KEY_BYTES), 0
        used = self._keys_used
        self._keys_used = used + KEY_BYTES
        return self._keys[used : used + KEY_BYTES]


def _head(opcode: int, size: int, mask_bit: int) -> bytes:
    """Return what stands before the masking key: that of a final frame, with its payload's size.

    "In all cases, the minimal number of bytes MUST be used to encode the length" (section 5.2).
    """
    if size <= SHORT:
        return bytes((FIN | opcode, mask_bit | size))
    if size < 1 << 16:
        return bytes((FIN | opcode, mask_bit | 126)) + size.to_bytes(2, "big")
    return bytes((FIN | opcode, mask_bit | 127)) + size.to_bytes(8, "big")


class FrameReader:
    """Takes whole messages out of the bytes of a peer.

    Feed it the bytes that came, take messages until there is none, then give the rest to the
    engine. While the engine is in the middle of a message, its next bytes must go to it directly.

    Args:
        is_client: Whether the peer is a server, whose frames are not masked.
        limit: How large a message may be to be taken here, in bytes.
    """

    def __init__(self, *, is_client: bool, limit: int) -> None:
        self._is_masked = not is_client
        self.limit = limit
        """May change at any time; it applies to messages that begin after that."""
        self._mask = find_mask()
        self._data = b""
        self._at = 0
        self._large = bytearray()
        self._head = 0
        self.missing = 0
        """Bytes to come of a large frame that has begun; 0 if none has."""
        self.is_binary = False
        """Whether the message that was taken last is binary."""
        self._is_dropping = False

    @property
    def size(self) -> int:
        """Bytes held of the payload of a large frame that is not whole."""
        return max(0, len(self._large) - self._head) if self.missing else 0

    def feed(self, data: bytes) -> None:
        if self.missing:
            data = self._add(data)
        self._data, self._at = data, 0

    def next_message(self) -> bytes | None:
        """Take the next message, a text only if it is valid UTF-8; None if no whole one is next."""
        if self._large and not self.missing:
            return self._take_large()
        data, at = self._data, self._at
        found = _find_payload(data, at, self._is_masked)
        if found is None:
            return None
        start, size = found
        stop = start + size
        if stop > len(data) or size > self.limit:
            return None
        payload = data[start:stop]
        if self._is_masked:
            payload = self._mask(payload, data[start - KEY_BYTES : start])
        self.is_binary = data[at] == FIN | BINARY
        if not (self.is_binary or payload.isascii() or _is_utf8(payload)):
            return None
        self._at = stop
        return payload

    def _take_large(self) -> bytes | None:
        frame, start = self._large, self._head
        self._large, self._head = bytearray(), 0
        payload = memoryview(frame)[start:]
        key = bytes(frame[start - KEY_BYTES : start])
        message = self._mask(payload, key) if self._is_masked else bytes(payload)
        self.is_binary = frame[0] == FIN | BINARY
        if self.is_binary or message.isascii() or _is_utf8(message):
            return message
        self._data = bytes(frame) + self._data
        return None

    def rest(self) -> bytes:
        """Take what the engine is to read; nothing if a large frame has begun."""
        data, at = self._data, self._at
        self._data, self._at = b"", 0
        if at == len(data):
            return b""
        rest = data[at:] if at else data
        found = _find_payload(rest, 0, self._is_masked)
        if found is None:
            return rest
        start, size = found
        missing = start + size - len(rest)
        if missing <= 0 or not LARGE <= size <= self.limit:
            return rest
        self._head, self.missing = start, missing
        if not self._is_dropping:
            self._large += rest
            keep_memory(max(size, LARGE_RECEIVE_BYTES))
        return b""

    def drop(self) -> None:
        """Hold nothing any more; the rest of a large frame is dropped as it comes."""
        self._is_dropping = True
        self._large = bytearray()

    def _add(self, data: bytes) -> bytes:
        """Add to the large frame that has begun; return what follows it."""
        missing = self.missing
        self.missing = max(0, missing - len(data))
        if not self._is_dropping:
            self._large += data if self.missing else data[:missing]
        return data[missing:]


def _find_payload(data: bytes, at: int, is_masked: bool) -> tuple[int, int] | None:
    """Return where the payload of the frame at `at` begins, and its size.

    None if the frame is not a whole message, breaks a rule, or its head is not all here.
    """
    if len(data) - at < 2:
        return None
    first, second = data[at], data[at + 1]
    at += 2
    # The bit FIN, no reserved bit, text or binary; masked by a client, not by a server.
    if first not in MESSAGES or (second >= MASKED) != is_masked:
        return None
    size = second & ~MASKED
    if size > SHORT:
        width, least = (2, SHORT + 1) if size == 126 else (8, 1 << 16)
        size = int.from_bytes(data[at : at + width], "big")
        at += width
        # "The minimal number of bytes MUST be used to encode the length" (section 5.2).
        if size < least:
            return None
    if is_masked:
        at += KEY_BYTES
    return (at, size) if at <= len(data) else None


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
