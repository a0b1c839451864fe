"""Fragments of WebSocket messages, joined within limits."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct, field
from wsproto.events import BytesMessage, TextMessage

from farcall._limits import MessageLimit
from farcall._protocol.skipped import END_BYTES, SKIPPED_TIMES, Skipped
from farcall._transport.transport import too_big
from farcall.errors import CloseCode


class Refused(Exception):
    """A message is refused; holds the code and reason for a Close frame."""

    def __init__(self, code: CloseCode, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


class Assembly(Struct):
    """The message that is arriving.

    wsproto hands out what it has of a frame without waiting for the rest. So limits are enforced
    before all bytes are here, and what is here is all that an incomplete message costs.
    """

    message_limit: MessageLimit
    """In bytes; trio-websocket counts characters. It may change at any time."""
    max_fragments: int
    may_skip: Callable[[bytes], bool]
    """Called with the beginning of a message over the limit; see `Receiver.may_skip`."""
    _buffer: bytearray = field(default_factory=bytearray)
    _fragments: int = 0
    _is_begun: bool = False
    _skipped: Skipped | None = None
    """Replaces the buffer once the message is over the limit."""

    @property
    def is_incomplete(self) -> bool:
        """Whether a message has begun and not ended."""
        return self._is_begun

    @property
    def size(self) -> int:
        """Bytes held of an incomplete message."""
        return len(self._buffer) if self._skipped is None else self._skipped.held

    def clear(self) -> None:
        """Drop an incomplete message."""
        self._buffer, self._skipped = bytearray(), None

    def add(self, event: TextMessage | BytesMessage) -> str | bytes | Skipped | None:
        """Add a piece, and return the message if that was the last one.

        Raises:
            Refused: the message is over a limit; add nothing any more.
        """
        is_whole = event.message_finished and not self._is_begun
        if is_whole and _size(event.data) <= self.message_limit.size:
            return bytes(event.data) if isinstance(event, BytesMessage) else event.data
        self._append(event)
        if not event.message_finished:
            return None
        whole, skipped = self._buffer, self._skipped
        self._fragments, self._is_begun = 0, False
        self.clear()
        if skipped is not None:
            return skipped
        return whole.decode() if isinstance(event, TextMessage) else bytes(whole)

    def _append(self, event: TextMessage | BytesMessage) -> None:
        self._is_begun = True
        piece = event.data.encode() if isinstance(event, TextMessage) else event.data
        if self._skipped is not None:
            self._skipped.add(piece)
        else:
            self._buffer += piece
        self._check_size()
        self._fragments += event.frame_finished
        if self._fragments > self.max_fragments:
            problem = f"a message had more than {self.max_fragments} fragments"
            problem = f"{problem} (the limit fragments)"
            raise Refused(CloseCode.POLICY, problem)

    def _check_size(self) -> None:
        limit = self.message_limit
        if self._skipped is None and len(self._buffer) > limit.size:
            if not self.may_skip(bytes(self._buffer[:END_BYTES])):
                raise Refused(CloseCode.TOO_BIG, too_big(limit))
            self._skipped, self._buffer = Skipped.of(self._buffer, limit), bytearray()
        if self._skipped is not None and self._skipped.size > SKIPPED_TIMES * limit.size:
            raise Refused(CloseCode.TOO_BIG, too_big(limit))


def _size(data: str | bytes | bytearray) -> int:
    """Count bytes on the wire; `str.isascii` only reads a flag."""
    if isinstance(data, str) and not data.isascii():
        return len(data.encode())
    return len(data)
