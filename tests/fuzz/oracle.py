"""The rules for the bytes of a server: one HTTP response, or a WebSocket with a Close frame.

A `Judge` knows all bytes of one peer. It says which answers are due, so that it notices a silent
server, and checks those that came.
"""

from __future__ import annotations

import re
import struct
from base64 import b64encode
from collections.abc import Iterator
from functools import cached_property
from hashlib import sha1
from typing import Final

import attrs

from tests.fuzz.attack import Heard
from tests.fuzz.broken import Broken
from tests.fuzz.cases import Script
from tests.fuzz.dialogue import Dialogue
from tests.fuzz.sent import ANY, TOO_BIG, Sent, read_frames
from tests.fuzz.tls import check_tls, has_answered_tls
from tests.unit.transport.websocket.sockets import BINARY, CLOSE, PONG, TEXT

INTERNAL: Final = 1011
"""A close code that would be a defect."""

REFUSALS: Final = {400, 401, 403, 404, 405, 426, 431, 501}
"""The statuses of refusals; 501 is for an unknown Transfer-Encoding."""

END_OF_HEAD: Final = re.compile(rb"\r?\n\r?\n")
EMPTY: Final = 0
"""Stands for the code of a Close frame without one."""


@attrs.frozen(slots=False)
class Judge:
    """Judge the bytes that a server sent to one peer."""

    script: Script

    def is_answered(self, heard: Heard) -> bool:
        """Return whether all answers that are due have come."""
        if self.script.is_tls:
            return not self.script.is_right or has_answered_tls(heard.said)
        if b"\r\n\r\n" not in self._data:
            return True
        head, separator, rest = heard.said.partition(b"\r\n\r\n")
        if not separator or not _is_welcome(head):
            return heard.has_hung_up or bool(separator)
        return self._has_answered(rest)

    def _has_answered(self, said: bytes) -> bool:
        frames = list(_frames(said, is_live=True))
        if any(opcode == CLOSE for opcode, _ in frames):
            return True
        if self._sent.is_over:
            return False
        return not self.script.is_right or self._dialogue.is_answered(_payloads(frames))

    def check(self, heard: Heard) -> None:
        """Check all bytes of a server.

        Raises:
            Broken: they break a rule.
        """
        if self.script.is_tls:
            check_tls(heard.said)
        elif heard.said or b"\r\n\r\n" in self._data:
            self._check(heard)

    def _check(self, heard: Heard) -> None:
        head, separator, rest = heard.said.partition(b"\r\n\r\n")
        if not (head.startswith(b"HTTP/1.1 ") and separator):
            raise Broken(f"no HTTP: {heard.said[:100]!r}")
        if not _is_welcome(head):
            check_refusal(head, rest)
            return
        self._check_welcome(head)
        if len(self.script.pieces) == 1 and self._sent.is_begun:
            raise Broken("a welcome for a peer that did not wait for it")
        code = self._check_frames(rest)
        if code is None and heard.has_hung_up:
            raise Broken("it hung up without a Close frame")

    def _check_welcome(self, head: bytes) -> None:
        headers = _headers(head)
        # RFC 6455, section 4.2.2; any other header would agree to something nobody asked for.
        if set(headers) != {"upgrade", "connection", "sec-websocket-accept"}:
            raise Broken(f"a welcome with {headers}")
        key = re.search(
            rb"sec-websocket-key:[ \t]*([^\r\n]*?)[ \t]*\r?\n", self._data, re.IGNORECASE
        )
        if key is None or headers["sec-websocket-accept"] != _token(key[1]):
            raise Broken(f"a welcome for another key: {headers}")

    def _check_frames(self, said: bytes) -> int | None:
        frames = list(_frames(said))
        code = _code_of_close(frames)
        self._check_pongs([payload for opcode, payload in frames if opcode == PONG], code)
        self._dialogue.check(_payloads(frames))
        is_for_what_follows = self._may_read_on and code != INTERNAL
        if code is not None and code not in self._codes() and not is_for_what_follows:
            raise Broken(f"closed with {code}, after {self._sent}")
        if code is None and self._sent.is_over:
            raise Broken(f"not closed after {self._sent}")
        return code

    def _check_pongs(self, pongs: list[bytes], code: int | None) -> None:
        pings, common = self._sent.pings, min(len(pongs), len(self._sent.pings))
        is_more = len(pongs) > common and not self._may_read_on
        if pongs[:common] != pings[:common] or is_more:
            raise Broken(f"pongs {pongs} to {pings}")
        if code in self._sent.codes and len(pongs) < len(pings):
            raise Broken(f"{len(pongs)} pongs to {len(pings)} pings")

    @property
    def _may_read_on(self) -> bool:
        """Whether the server may have read beyond the message that closes the link.

        The Close frame for a message that is too large is sent in the step after its end was read.
        """
        return TOO_BIG in self._sent.codes

    def _codes(self) -> set[int]:
        """Return the codes with which the server may close; never 1011, which would be a defect."""
        sent = self._sent
        may = ANY if sent.is_torn else sent.allowed
        return {*sent.codes, *self._dialogue.codes, *may}

    @cached_property
    def _data(self) -> bytes:
        return self.script.data

    @cached_property
    def _sent(self) -> Sent:
        end = END_OF_HEAD.search(self._data)
        return read_frames(b"" if end is None else self._data[end.end() :])

    @cached_property
    def _dialogue(self) -> Dialogue:
        return Dialogue(self._sent.messages, is_right=self.script.is_right)


def _is_welcome(head: bytes) -> bool:
    return head.startswith(b"HTTP/1.1 101 ")


def check_refusal(head: bytes, body: bytes) -> None:
    """Check an HTTP response that refuses the handshake.

    Raises:
        Broken: the response is not one of farcall's.
    """
    status = int(head.split(b" ", 2)[1])
    headers = _headers(head)
    if status not in REFUSALS:
        raise Broken(f"status {status}")
    if len(body) != int(headers.get("content-length", -1)):
        raise Broken(f"a body of {len(body)} bytes behind {headers}")
    if "close" not in headers.get("connection", "").split(", "):
        raise Broken(f"the connection goes on: {headers}")


def _headers(head: bytes) -> dict[str, str]:
    lines = (line.split(": ", 1) for line in head.decode("ascii").split("\r\n")[1:])
    return {name.lower(): value for name, value in lines}


def _token(key: bytes) -> str:
    return b64encode(sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()).decode()


def _frames(said: bytes, *, is_live: bool = False) -> Iterator[tuple[int, bytes]]:
    """Read the frames of a server, each a whole message; if `is_live`, the last may be cut off."""
    while said:
        whole = _frame(said)
        if whole is None:
            if is_live:
                return
            raise Broken(f"a torn frame: {said[:40]!r}")
        opcode, payload, said = whole
        yield opcode, payload


def _frame(said: bytes) -> tuple[int, bytes, bytes] | None:
    if not said[0] & 0x80 or said[0] & 0x70 or said[1:2] >= b"\x80":
        raise Broken(f"no frame: {said[:20]!r}")
    short, start = said[1] if len(said) > 1 else 127, 2
    if short > 125:
        start = 4 if short == 126 else 10
    if len(said) < start:
        return None
    size = short if short < 126 else int.from_bytes(said[2:start], "big")
    opcode, end = said[0] & 0xF, start + size
    if opcode not in (TEXT, BINARY, PONG, CLOSE) or (opcode >= CLOSE and size > 125):
        raise Broken(f"a frame {opcode} of {size} bytes")
    return (opcode, said[start:end], said[end:]) if len(said) >= end else None


def _payloads(frames: list[tuple[int, bytes]]) -> list[bytes]:
    return [payload for opcode, payload in frames if opcode in (TEXT, BINARY)]


def _code_of_close(frames: list[tuple[int, bytes]]) -> int | None:
    """Return the code of the Close frame, which must be the last frame, or None without one."""
    places = [place for place, (opcode, _) in enumerate(frames) if opcode == CLOSE]
    if not places:
        return None
    if places != [len(frames) - 1]:
        raise Broken("a frame behind the Close frame")
    payload = frames[-1][1]
    if not payload:
        return EMPTY
    payload[2:].decode()
    (code,) = struct.unpack("!H", payload[:2])
    return int(code)
