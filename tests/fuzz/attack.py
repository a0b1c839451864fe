"""One hostile peer: it sends, waits for the answers that are due, and hangs up."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import attrs
import trio
import trio.testing

from tests.fuzz.broken import Broken
from tests.fuzz.cases import Script

LOST: Final = (trio.BrokenResourceError, trio.ClosedResourceError)

AT_ONCE: Final = 5.0
"""Seconds for an answer that takes a millisecond on an idle machine."""


@attrs.frozen
class Heard:
    """The bytes that a server sent on one connection."""

    said: bytes
    has_hung_up: bool
    """Whether it closed the connection, in good order and before the peer did."""


async def attack(port: int, script: Script, is_answered: Callable[[Heard], bool]) -> Heard:
    """Act as a script says.

    Args:
        port: The port of the server.
        script: The bytes to send, and how to end.
        is_answered: Whether every answer that is due has come, so that the peer may hang up.

    Raises:
        Broken: an answer did not come at once.
    """
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    async with stream, trio.open_nursery() as nursery:
        ear = _Ear(stream)
        nursery.start_soon(ear.listen)
        with suppress(*LOST):
            for number, piece in enumerate(script.pieces):
                await stream.send_all(piece)
                await trio.lowlevel.checkpoint()
                if script.waits and number == 0:
                    await ear.wait_for(_has_a_head)
        await ear.wait_for(is_answered)
        await trio.testing.wait_all_tasks_blocked(0.0005)
        heard = ear.heard
        await _end(stream, script)
        nursery.cancel_scope.cancel()
    return attrs.evolve(heard, said=ear.heard.said)


def _has_a_head(heard: Heard) -> bool:
    return b"\r\n\r\n" in heard.said


async def _end(stream: trio.SocketStream, script: Script) -> None:
    if script.ending == "half":
        with suppress(*LOST):
            await stream.send_eof()
        await trio.testing.wait_all_tasks_blocked(0.0005)
    elif script.ending == "reset":
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class _Ear:
    """Listen to a server to its end."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._said = bytearray()
        self._has_hung_up = self._is_deaf = False
        self._changed = trio.lowlevel.ParkingLot()

    @property
    def heard(self) -> Heard:
        return Heard(bytes(self._said), self._has_hung_up)

    async def listen(self) -> None:
        with suppress(*LOST):
            async for data in self._stream:
                self._said.extend(data)
                self._changed.unpark_all()
            self._has_hung_up = True
        self._is_deaf = True
        self._changed.unpark_all()

    async def wait_for(self, is_answered: Callable[[Heard], bool]) -> None:
        with trio.move_on_after(AT_ONCE):
            while not self._is_deaf and not is_answered(self.heard):
                await self._changed.park()
            return
        raise Broken(f"it said no more than {self.heard}")
