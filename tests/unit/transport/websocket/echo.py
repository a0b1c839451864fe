"""A WebSocket that sends back what it gets, for the Autobahn|Testsuite.

``python -m tests.unit.transport.websocket.echo serve PORT`` is the peer of
``wstest -m fuzzingclient``, and ``call URL`` in place of ``serve PORT`` that of
``wstest -m fuzzingserver``; ``count reports/servers/index.json`` adds its report up.
See docs/conformance.md for how it was run, and what came of it.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

import trio
from wsproto.events import BytesMessage, TextMessage

from farcall._limits import MIB, Limits
from farcall._protocol.skipped import Skipped
from farcall._transport.websocket import WebSocketTransport, connect_websocket
from tests.unit.transport.websocket.sockets import accept

LIMITS = Limits(message=64 * MIB, fragments=1_000_000)
"""The suite sends 16 MiB in pieces of 64 bytes, to measure what that takes."""


class Echo:
    """Sends back what it gets on one link, in the same kind of frame, before it reads on."""

    def __init__(self, transport: WebSocketTransport) -> None:
        self._transport = transport
        self._nursery: trio.Nursery  # from `run`
        self.last = b""

    def on_text(self, text: bytes) -> None:
        self._answer(TextMessage(text.decode()))
        self.last = text

    def on_binary(self, data: bytes) -> None:
        self._answer(BytesMessage(data))

    def may_skip(self, start: bytes) -> bool:
        return False

    def on_skipped(self, message: Skipped) -> None:
        pass

    def on_incomplete(self, size: int) -> None:
        pass

    def on_pong(self, payload: bytes) -> None:
        pass

    def on_rest(self) -> None:
        self._nursery.start_soon(self._send_rest)

    def on_pause(self) -> None:
        pass

    async def run(self) -> None:
        async with trio.open_nursery() as self._nursery:
            await self._transport.run(self)
            self._nursery.cancel_scope.cancel()

    def _answer(self, message: TextMessage | BytesMessage) -> None:
        # `Transport.send_now` takes what begins with NUL for binary, and all else for text.
        connection = self._transport._connection
        if not connection._sender.put(connection._begin_engine()._protocol.send(message)):
            self.on_rest()

    async def _send_rest(self) -> None:
        with suppress(trio.BrokenResourceError):
            await self._transport.send_rest()


async def serve(port: int) -> None:
    """Echo whatever comes to a port."""

    async def handle(stream: trio.SocketStream) -> None:
        await Echo(await accept(stream, LIMITS)).run()

    await trio.serve_tcp(handle, port, host="127.0.0.1")


async def call(url: str) -> None:
    """Go through every case of a fuzzing server."""
    count = json.loads(await _visit(url, "/getCaseCount"))
    for case in range(1, count + 1):
        await _visit(url, f"/runCase?case={case}&agent=farcall")
    await _visit(url, "/updateReports?agent=farcall")


async def _visit(url: str, target: str) -> bytes:
    place = urlsplit(url)
    assert place.hostname is not None
    assert place.port is not None
    stream = await trio.open_tcp_stream(place.hostname, place.port)
    echo = Echo(await connect_websocket(stream, place.netloc, target, limits=LIMITS))
    await echo.run()
    return echo.last


Report: TypeAlias = Mapping[str, Mapping[str, Mapping[str, str | int]]]
"""By agent and case, as the suite writes it."""


def count(report: Report) -> Mapping[int, Counter[str]]:
    """Add up how the cases of each section ended, which are named such as ``6.4.1``."""
    sections: dict[int, Counter[str]] = {}
    for cases in report.values():
        for case, outcome in cases.items():
            section = sections.setdefault(int(case.partition(".")[0]), Counter())
            section[str(outcome["behavior"])] += 1
    return dict(sorted(sections.items()))


def main() -> None:
    verb, where = sys.argv[1:]
    if verb == "serve":
        trio.run(serve, int(where))
    elif verb == "call":
        trio.run(call, where)
    else:
        for section, outcomes in count(json.loads(Path(where).read_text("utf-8"))).items():
            print(section, dict(outcomes))  # noqa: T201 - a command


if __name__ == "__main__":
    main()
