"""Serve as a process does: the first signal drains the server, the second cuts that short."""

from __future__ import annotations

import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import TypeAlias

import trio

import farcall
from farcall._cli.errors import CommandError
from farcall._nursery import open_owned_nursery

Visit: TypeAlias = Callable[[farcall.Server], Awaitable[None]]


async def serve_until_signal(
    services: Sequence[object], port: int, visit: Visit, *, host: str = "127.0.0.1"
) -> None:
    """Serve until `farcall.Server.shutdown`, SIGINT or SIGTERM, and drain.

    Args:
        services: What to serve.
        port: To listen at; 0 for any that is free.
        visit: Runs beside the server as soon as it listens; cancelled by a signal.
        host: The address to listen at.

    Raises:
        CommandError: it cannot listen there.
        DeclarationError: a name is offered twice.
        SystemExit: a second signal came.
    """
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with open_owned_nursery() as nursery:
            server = await _start(nursery, services, port, host)
            visiting = trio.CancelScope()
            nursery.start_soon(_obey, signals, server, visiting)
            with visiting:
                await visit(server)
            await server.wait_closed()
            nursery.cancel_scope.cancel()


async def _start(
    nursery: trio.Nursery, services: Sequence[object], port: int, host: str
) -> farcall.Server:
    try:
        server: farcall.Server = await nursery.start(
            partial(farcall.serve, services, port, host=host)
        )
    except OSError as error:
        raise CommandError(error.strerror) from error
    return server


async def _obey(
    signals: AsyncIterator[int], server: farcall.Server, visiting: trio.CancelScope
) -> None:
    await anext(signals)
    print("Running calls may end; another signal cuts them short", file=sys.stderr)
    visiting.cancel()
    server.shutdown()
    raise SystemExit(128 + await anext(signals))
