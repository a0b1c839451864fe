"""Serving as a whole program: until a signal.

The first SIGINT, SIGTERM or SIGHUP drains the server, and a second one cuts the drain short.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Final, TypeAlias, Unpack

import attrs
import trio

from farcall._nursery import open_owned_nursery
from farcall._server.app import App
from farcall._server.host import Services
from farcall._server.options import ServeKeywords, ServerOptions
from farcall._server.serve import Serving
from farcall._server.server import Server
from farcall._usage.home import check_may_start
from farcall._usage.keywords import takes

Visit: TypeAlias = Callable[[Server], Awaitable[None]]

SIGNALS: Final = ("SIGINT", "SIGTERM", "SIGHUP")
"""SIGHUP comes when a terminal closes; Windows does not have it."""


@takes(ServeKeywords, ServerOptions)
def run(
    services: App | Services, port: int | None = None, **keywords: Unpack[ServeKeywords]
) -> None:
    """Serve services over WebSocket until a signal, as the whole of a program.

    It prints one line with the URLs. The first SIGINT, SIGTERM or SIGHUP drains: the server accepts
    no more connections, refuses new calls, and gives running ones `drain_seconds` to end. Then this
    function returns. A second signal cuts that short.

    Args:
        services: As for `serve`, as every other argument.
        port: As for `serve`.

    Raises:
        SystemExit: a second signal came; the status is 128 and its number.
        OSError: it cannot listen there; the message says where.
        DeclarationError: an object is no service, or two offer the same name at one path.
        RuntimeError: Trio or asyncio runs already, or this is not the main thread, which alone gets
            signals: use `open_server`.
        TypeError: an argument is of another type, or given to an `App` as well; the message names
            it.
        ValueError: an argument makes no sense, or there is nothing to serve, or nowhere to listen.
        Exception: an exception of a ``@background`` method or of `lifespan`, unchanged.
    """
    serving = Serving.of(run, services, port, keywords)
    check_may_start("farcall.run")
    status = run_until_signal(serving.open(), announce)
    if status:
        raise SystemExit(status)


def run_until_signal(serving: AbstractAsyncContextManager[Server], visit: Visit) -> int:
    """Start Trio, serve until a signal or `Server.shutdown`, and return the process's status.

    Args:
        serving: The server, as `open_server` makes it.
        visit: Runs beside the server as soon as it listens; a signal cancels it. The server goes on
            when it ends.

    Raises:
        BaseException: an exception of `serving` or of `visit`, unchanged.
    """
    try:
        return trio.run(serve_until_signal, serving, visit)
    except KeyboardInterrupt:  # before signals were received, or after
        return 128 + signal.SIGINT


async def announce(server: Server) -> None:
    """Print the URLs of a server, in one line."""
    print(f"Serving at {', '.join(server.urls)}", flush=True)


async def serve_until_signal(serving: AbstractAsyncContextManager[Server], visit: Visit) -> int:
    """Serve until a signal or `Server.shutdown`; see `run_until_signal`."""
    on_interrupt = signal.getsignal(signal.SIGINT)
    try:
        async with open_owned_nursery() as nursery:
            ending = _Ending(nursery.cancel_scope)
            await nursery.start(ending.obey)
            async with serving as server:
                ending.server = server
                with ending.visiting:
                    await visit(server)
                await server.wait_shutdown()
            nursery.cancel_scope.cancel()
    finally:
        signal.signal(signal.SIGINT, on_interrupt)
    return ending.status


@attrs.define(eq=False)
class _Ending:
    """What signals do to a server."""

    everything: trio.CancelScope
    visiting: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    server: Server | None = None
    """It is None until it listens."""
    status: int = 0
    """Of the process."""

    async def obey(self, *, task_status: trio.TaskStatus[None]) -> None:
        with trio.open_signal_receiver(*_numbers()) as signals:
            task_status.started()
            first = await anext(signals)
            if self.server is not None:
                self._drain(self.server, first)
                self.status = 128 + await anext(signals)
        # From here on a signal ends the process, should code that cannot be cancelled hang. The
        # handler of Trio would only cancel once more.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        self.everything.cancel()

    def _drain(self, server: Server, number: int) -> None:
        if number != getattr(signal, "SIGHUP", None):  # the terminal has gone
            print("Running calls may end; another signal cuts them short", file=sys.stderr)
        self.visiting.cancel()
        server.shutdown()


def _numbers() -> Iterator[signal.Signals]:
    """Return the signals to obey; nohup ignores SIGHUP, so that it does not end the process."""
    for name in SIGNALS:
        number: signal.Signals | None = getattr(signal, name, None)
        if number is None:
            continue
        if name != "SIGHUP" or signal.getsignal(number) is not signal.SIG_IGN:
            yield number
