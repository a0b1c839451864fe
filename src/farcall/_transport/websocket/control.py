"""Pings and pongs in bytes (RFC 6455, section 5.5), which the heartbeat makes nearly all frames of.

As in `frames`, what is not certainly a whole frame of these is left to the engine.
"""

from __future__ import annotations

import os
from typing import Final, NamedTuple

from farcall._transport.websocket.frames import FIN, KEY_BYTES, MASKED, SHORT, mask

PING: Final = 0x9
PONG: Final = 0xA
_KINDS: Final = (FIN | PING, FIN | PONG)


class Control(NamedTuple):
    """A ping or a pong."""

    opcode: int
    payload: bytes
    rest: bytes
    """The bytes that follow it."""


def take_control(data: bytes, *, is_masked: bool) -> Control | None:
    """Take the ping, or the pong, at the beginning of `data`, if a whole one is there."""
    if len(data) < 2 or data[0] not in _KINDS:
        return None
    size = data[1] & ~MASKED
    start = 2 + KEY_BYTES if is_masked else 2
    stop = start + size
    # "All control frames MUST have a payload length of 125 bytes or less" (section 5.5).
    if (data[1] >= MASKED) != is_masked or size > SHORT or stop > len(data):
        return None
    payload = data[start:stop]
    if is_masked:
        payload = mask(payload, data[2:start])
    return Control(data[0] & ~FIN, payload, data[stop:])


def write_control(opcode: int, payload: bytes, *, is_client: bool) -> bytes:
    """Return a ping, or a pong, as a frame."""
    if not is_client:
        return bytes((FIN | opcode, len(payload))) + payload
    key = os.urandom(KEY_BYTES)
    return bytes((FIN | opcode, MASKED | len(payload))) + key + mask(payload, key)
