"""The commands: demo, serve, stubs."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import cyclopts
import trio
from cyclopts import Parameter
from rich.console import Console

import farcall
from farcall import stubgen
from farcall._cli.attend import attend
from farcall._declare import service_of
from farcall._nursery import open_owned_nursery

FAILED = 1
WRONG_USE = 2

app = cyclopts.App(
    name="farcall",
    help="Typed remote procedure calls and live signals over WebSocket.",
    version=lambda: version("farcall"),
)


def run(tokens: Sequence[str] | None = None) -> int:
    """Run one command and give its status; what a user did wrong is one line, no traceback."""
    try:
        status = app(tokens, result_action="return_value", exit_on_error=False)
    except cyclopts.CycloptsError:
        return WRONG_USE  # cyclopts has said why
    except (farcall.FarcallError, OSError, ValueError) as error:
        print(f"farcall: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return status if isinstance(status, int) else 0


@app.command
def demo(*, seconds: float = 4.0, port: int = 0, forever: bool = False) -> int:
    """Serve this machine's live figures, and look at them through a generated stub.

    Parameters
    ----------
    seconds
        How long samples are shown.
    port
        To listen at; 0 for any that is free.
    forever
        Keep serving until interrupted.
    """
    from farcall._demo.show import run_demo  # noqa: PLC0415 - the other commands need no psutil

    trio.run(partial(run_demo, Console(), attend, port=port, seconds=seconds, forever=forever))
    return 0


@app.command
def serve(
    services: Annotated[tuple[str, ...], Parameter(negative=())],
    /,
    *,
    port: int = 8765,
    host: str = "127.0.0.1",
) -> int:
    """Serve one or several services until interrupted, then let running calls end.

    Parameters
    ----------
    services
        Each is module:Class or module:object, looked for in the working directory first.
    port
        To listen at; 0 for any that is free.
    host
        The address to listen at.
    """
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    objects = [_instance(target) for target in services]
    trio.run(_serve, objects, port, host)
    return 0


async def _serve(objects: list[object], port: int, host: str) -> None:
    async with open_owned_nursery() as nursery:
        start = partial(farcall.serve, objects, port, host=host)
        server: farcall.Server = await nursery.start(start)
        await nursery.start(attend, server, nursery.cancel_scope)
        print(f"Serving at {server.url}", flush=True)
        await server.wait_closed()
        nursery.cancel_scope.cancel()


def _instance(target: str) -> object:
    found = stubgen.load(target)
    if not isinstance(found, type):
        return found
    try:
        return found()
    except TypeError as error:
        raise ValueError(f"{target} cannot be made without arguments ({error})") from error


@app.command
def stubs(
    services: Annotated[tuple[str, ...], Parameter(negative=())],
    /,
    *,
    output: Annotated[Path, Parameter(alias="-o")] = Path("stubs"),
    check: bool = False,
) -> int:
    """Write the typed client of each service.

    Parameters
    ----------
    services
        Each is module:Class or module:object, looked for in the working directory first.
    output
        The folder to write to.
    check
        Write nothing; show what would change, with status 1 if anything would.
    """
    specs = [service_of(stubgen.load(target)).spec for target in services]
    if check:
        difference = stubgen.check(specs, output)
        print(difference, end="")
        return FAILED if difference else 0
    for path in stubgen.write(specs, output):
        print(path)
    return 0
