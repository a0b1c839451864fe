"""A second reading of the frames of a client, by RFC 6455 alone.

It is slow and simple, and shares no code with the one that it tests.
"""

from __future__ import annotations

import json
import struct
from codecs import getincrementaldecoder
from collections.abc import Set
from typing import Final

import attrs

from tests.unit.transport.websocket.sockets import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT

MESSAGE: Final = 2**20
FRAGMENTS: Final = 1024
SKIPPED_TIMES: Final = 16
PINGS: Final = 60
"""The limits of a server; RFC 6455 has none."""

KNOWN: Final = {TEXT, BINARY, CLOSE, CONTINUATION, PING, PONG}
DATA: Final = {TEXT, BINARY}
CONTROL: Final = 8
"""Opcodes from this one on are control frames."""

PROTOCOL, INVALID_TEXT, POLICY, TOO_BIG = 1002, 1007, 1008, 1009
ANY: Final = frozenset({PROTOCOL, INVALID_TEXT, POLICY, TOO_BIG})


@attrs.define
class Sent:
    """The frames that came, up to the one that ends the connection."""

    messages: list[bytes] = attrs.field(factory=list[bytes])
    pings: list[bytes] = attrs.field(factory=list[bytes])
    """The payloads of pings that must be answered."""
    codes: Set[int] = frozenset[int]()
    """The codes of the Close frame that is due, any of them; 0 is a Close frame without a code."""
    allowed: Set[int] = frozenset[int]()
    """Codes with which the server may close as well: it need not read all of a large message."""
    is_begun: bool = False
    """Whether any byte came."""
    is_torn: bool = False
    """Whether the last frame is incomplete, so that it may be right or wrong."""

    @property
    def is_over(self) -> bool:
        """Whether the server has to close."""
        return bool(self.codes)


def read_frames(data: bytes) -> Sent:
    """Read frames up to one that is wrong, incomplete, or the last."""
    return _Reader(data).read()


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._sent = Sent()
        self._opcode: int | None = None
        self._fragments = 0
        self._message = b""

    def read(self) -> Sent:
        self._sent.is_begun = bool(self._data)
        while self._at < len(self._data) and not self._sent.codes:
            if not self._frame():
                self._sent.is_torn = True
                break
        return self._sent

    def _take(self, size: int) -> bytes | None:
        taken = self._data[self._at : self._at + size]
        self._at += size
        return taken if len(taken) == size else None

    def _frame(self) -> bool:
        """Read a frame; return False if its end is missing."""
        head = self._take(2)
        if head is None:
            return False
        size = self._size(head[1] & 0x7F)
        mask = self._take(4) if head[1] & 0x80 else b""
        wrong = self._wrong_head(head, size or 0)
        if size is None or mask is None:
            return False
        payload = self._take(size)
        if payload is None:
            return False
        if wrong or not mask:
            self._sent.codes = frozenset({PROTOCOL})
        else:
            self._whole(head[0], _unmasked(payload, mask))
        return True

    def _size(self, short: int) -> int | None:
        if short < 126:
            return short
        taken = self._take(2 if short == 126 else 8)
        return None if taken is None else int.from_bytes(taken, "big")

    def _wrong_head(self, head: bytes, size: int) -> bool:
        opcode, short = head[0] & 0xF, head[1] & 0x7F
        is_final = bool(head[0] & 0x80)
        return (
            bool(head[0] & 0x70)
            or opcode not in KNOWN
            or (opcode >= CONTROL and (not is_final or short > 125))
            or (opcode == CONTINUATION and self._opcode is None)
            or (opcode in DATA and self._opcode is not None)
            or (short == 126 and size < 126)
            or (short == 127 and (size < 2**16 or size >= 2**63))
        )

    def _whole(self, first: int, payload: bytes) -> None:
        opcode = first & 0xF
        if opcode == PING:
            self._ping(payload)
        elif opcode == CLOSE:
            self._sent.codes = _answers_to_close(payload)
        elif opcode != PONG:
            self._piece(opcode, payload, is_final=bool(first & 0x80))

    def _ping(self, payload: bytes) -> None:
        if len(self._sent.pings) == PINGS:
            self._sent.codes = frozenset({POLICY})
        else:
            self._sent.pings.append(payload)

    def _piece(self, opcode: int, payload: bytes, *, is_final: bool) -> None:
        self._opcode = opcode if self._opcode is None else self._opcode
        self._message += payload
        self._fragments += 1
        self._sent.codes = self._wrong_message(is_final)
        if is_final and not self._sent.codes:
            self._sent.messages.append(self._message)
        if is_final:
            self._opcode, self._message, self._fragments = None, b"", 0

    def _wrong_message(self, is_final: bool) -> Set[int]:
        codes: set[int] = set()
        size = len(self._message)
        if size > SKIPPED_TIMES * MESSAGE or (
            is_final and size > MESSAGE and not _is_call(self._message)
        ):
            codes.add(TOO_BIG)
        elif size > MESSAGE:  # its end may hold the id of a call, which is answered
            self._sent.allowed = frozenset({TOO_BIG})
        if self._fragments > FRAGMENTS:
            codes.add(POLICY)
        if self._opcode == TEXT and not _is_text(self._message, is_final):
            codes.add(INVALID_TEXT)
        return codes


def _unmasked(payload: bytes, mask: bytes) -> bytes:
    if mask == bytes(4):
        return payload
    return bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))


def _is_call(message: bytes) -> bool:
    """Return whether a message that is too large has an id under which it is refused."""
    try:
        call = json.loads(message)
    except ValueError:
        return False
    return isinstance(call, dict) and isinstance(call.get("id"), int | str)


def _is_text(data: bytes, is_final: bool) -> bool:
    try:
        getincrementaldecoder("utf-8")().decode(data, is_final)
    except UnicodeDecodeError:
        return False
    return True


def _answers_to_close(payload: bytes) -> Set[int]:
    """Return the codes that may answer a Close frame (RFC 6455, sections 5.5.1 and 7.4)."""
    if not payload:
        return frozenset({0, 1000})
    if len(payload) == 1:
        return frozenset({PROTOCOL})
    (code,) = struct.unpack("!H", payload[:2])
    if not _is_text(payload[2:], is_final=True):
        return frozenset({PROTOCOL, INVALID_TEXT})
    if code < 1000 or code in (1004, 1005, 1006, 1015) or code >= 5000:
        return frozenset({PROTOCOL})
    # Codes from 1012 on may be registered with IANA later.
    return frozenset({code} if code < 1012 or code >= 3000 else {code, PROTOCOL})
