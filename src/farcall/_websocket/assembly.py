"""Pieces of WebSocket messages put together, within limits."""

from __future__ import annotations

import attrs
from wsproto.events import BytesMessage, TextMessage

from farcall._limits import TransportLimits
from farcall._transport import too_big
from farcall.errors import CloseCode


class Refused(Exception):
    """Say why a message is not taken: what the Close frame should hold."""

    def __init__(self, code: CloseCode, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


@attrs.define
class Assembly:
    """The message that is arriving.

    wsproto hands out what it has of a frame without waiting for the rest, so limits hold before
    the bytes are there, and what is here is all that an incomplete message costs.
    """

    limits: TransportLimits
    """In bytes, where trio-websocket counts characters."""
    _buffer: bytearray = attrs.field(factory=bytearray)
    _fragments: int = 0
    _is_begun: bool = False

    @property
    def is_incomplete(self) -> bool:
        """Whether the end of a message is missing."""
        return self._is_begun

    @property
    def size(self) -> int:
        """What an incomplete message holds, in bytes."""
        return len(self._buffer)

    def clear(self) -> None:
        """Drop an incomplete message, of which nobody wants the rest."""
        self._buffer = bytearray()

    def add(self, event: TextMessage | BytesMessage) -> str | bytes | None:
        """Add a piece, and give out the message if that was the last one.

        Raises:
            Refused: the message is over a limit; nothing may be added any more.
        """
        if event.message_finished and not self._is_begun:
            self._check_size(_size(event.data))
            return _plain(event.data)
        self._append(event)
        return self._complete(event) if event.message_finished else None

    def _append(self, event: TextMessage | BytesMessage) -> None:
        self._is_begun = True
        self._buffer += event.data.encode() if isinstance(event, TextMessage) else event.data
        self._check_size(len(self._buffer))
        self._fragments += event.frame_finished
        most = self.limits.fragments
        if self._fragments > most:
            problem = f"a message had more than {most} fragments (the limit fragments)"
            raise Refused(CloseCode.POLICY, problem)

    def _check_size(self, size: int) -> None:
        if size > self.limits.message:
            raise Refused(CloseCode.TOO_BIG, too_big(self.limits.message))

    def _complete(self, event: TextMessage | BytesMessage) -> str | bytes:
        whole, self._buffer = self._buffer, bytearray()
        self._fragments, self._is_begun = 0, False
        return whole.decode() if isinstance(event, TextMessage) else bytes(whole)


def _size(data: str | bytes | bytearray) -> int:
    """Count bytes on the wire; `str.isascii` is a look at a flag."""
    if isinstance(data, str) and not data.isascii():
        return len(data.encode())
    return len(data)


def _plain(data: str | bytes | bytearray) -> str | bytes:
    return bytes(data) if isinstance(data, bytearray) else data
