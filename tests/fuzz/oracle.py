"""What a server may say, whatever it was told: one HTTP answer, or a WebSocket that ends well."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any, Final

from tests.websocket.sockets import BINARY, CLOSE, PING, PONG, TEXT

CLOSE_CODES: Final = {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1013, *range(3000, 5000)}
"""Not 1011: it would be a defect of ours. The peer's own codes come back to it."""


class Broken(AssertionError):
    """The server said what it may not."""


def check_answer(said: bytes, *, has_hung_up: bool = False) -> None:
    """Check all that a server said on one connection.

    Args:
        said: Its bytes.
        has_hung_up: Whether it did so by itself, which on a WebSocket takes a Close frame.

    Raises:
        Broken: it is not what a server says.
    """
    if not said:
        return
    head, separator, rest = said.partition(b"\r\n\r\n")
    if not (head.startswith(b"HTTP/1.1 ") and separator):
        raise Broken(f"no HTTP: {said[:100]!r}")
    if head.startswith(b"HTTP/1.1 101 "):
        is_closed = _check_frames(rest)
        if has_hung_up and not is_closed:
            raise Broken("it hung up without a Close frame")
    else:
        _check_http(head, rest)


def _check_http(head: bytes, body: bytes) -> None:
    lines = head.decode("ascii").split("\r\n")
    status = int(lines[0].split(" ")[1])
    headers = dict(line.split(": ", 1) for line in lines[1:])
    if not (400 <= status < 500 or status == 501):  # h11's word for a strange Transfer-Encoding
        raise Broken(f"status {status}")
    if body and len(body) != int(headers["Content-Length"]):
        raise Broken(f"a body of {len(body)} bytes behind {headers}")


def _check_frames(said: bytes) -> bool:
    """Check frames, and tell whether the last one was a Close frame."""
    is_closed = False
    for opcode, payload in _frames(said):
        if is_closed:
            raise Broken("a frame behind the Close frame")
        if opcode == CLOSE:
            is_closed = True
            _check_close(payload)
        elif opcode == TEXT:
            _check_text(payload)
        elif opcode not in (PING, PONG) or len(payload) > 125:
            raise Broken(f"a frame {opcode} of {len(payload)} bytes")
    return is_closed


def _frames(said: bytes) -> Iterator[tuple[int, bytes]]:
    while said:
        if len(said) < 2 or not said[0] & 0x80 or said[0] & 0x70 or said[1] & 0x80:
            raise Broken(f"no frame: {said[:20]!r}")
        opcode, size, start = said[0] & 0xF, said[1], 2
        assert opcode != BINARY
        if size == 126:
            size, start = struct.unpack("!H", said[2:4])[0], 4
        elif size == 127:
            size, start = struct.unpack("!Q", said[2:10])[0], 10
        if len(said) < start + size:
            raise Broken(f"a torn frame: {said[:40]!r}")
        yield opcode, said[start : start + size]
        said = said[start + size :]


def _check_close(payload: bytes) -> None:
    if not payload:
        return
    (code,) = struct.unpack("!H", payload[:2])
    payload[2:].decode()
    if code not in CLOSE_CODES:
        raise Broken(f"closed with {code}: {payload[2:]!r}")


def _check_text(payload: bytes) -> None:
    message = json.loads(payload.decode(), parse_constant=_refuse)
    for each in message if isinstance(message, list) else [message]:
        _check_message(each)


def _refuse(constant: str) -> Any:
    raise Broken(f"{constant} is no JSON")


def _check_message(message: dict[str, Any]) -> None:
    if message["jsonrpc"] != "2.0":
        raise Broken(f"no JSON-RPC: {message}")
    if "method" in message:
        if "result" in message or "error" in message:
            raise Broken(f"both question and answer: {message}")
    elif ("result" in message) == ("error" in message) or "id" not in message:
        raise Broken(f"no answer: {message}")
