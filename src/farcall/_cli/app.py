"""The commands: demo, serve, stubs."""

from __future__ import annotations

import inspect
import logging
import sys
from collections.abc import Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, TypeAlias

import cyclopts
import trio
from cyclopts import Parameter
from cyclopts.validators import Number
from rich.console import Console

import farcall
from farcall import stubgen
from farcall._cli.errors import FAILED, WRONG_USE, CommandError
from farcall._cli.serving import ServeOptions, check_can_be_called, serve_until_signal
from farcall._cli.targets import load, load_module
from farcall.stubgen._errors import in_one_line

Port: TypeAlias = Annotated[int, Parameter(validator=Number(gte=0, lt=1 << 16))]
Seconds: TypeAlias = Annotated[float, Parameter(validator=Number(gte=0))]

app = cyclopts.App(
    name="farcall",
    help="Typed remote procedure calls and live signals over WebSocket.",
    version=lambda: version("farcall"),
    default_parameter=Parameter(negative=()),
)


logger = logging.getLogger("farcall")


def run(tokens: Sequence[str] | None = None) -> int:
    """Run one command and return its status; an error is one line on standard error.

    Args:
        tokens: The arguments of the command; by default those of the process.

    Returns:
        0; 1 if the command failed; or 2 if its arguments are wrong.

    Raises:
        BrokenPipeError: the reader of the output has gone.
    """
    try:
        status = app(tokens, result_action="return_value", exit_on_error=False, print_error=False)
    except cyclopts.CycloptsError as error:
        return _failed(error, WRONG_USE)
    except (CommandError, farcall.DeclarationError, stubgen.StubError) as error:
        return _failed(error, FAILED)
    except BrokenPipeError:
        raise
    except Exception as error:  # of a @background method, or a fault in farcall
        logger.error("the command failed", exc_info=error)
        return _failed(in_one_line(error), FAILED)
    return status if isinstance(status, int) else 0


def _failed(reason: object, status: int) -> int:
    print(f"farcall: {reason}", file=sys.stderr)
    return status


@app.command
def demo(*, seconds: Seconds = 4.0, port: Port = 0, forever: bool = False) -> None:
    """Serve live figures of this machine, and show them through a generated stub.

    Parameters
    ----------
    seconds
        How long to show samples.
    port
        The TCP port; 0 for a free one.
    forever
        Serve until interrupted.
    """
    from farcall._cli.demo import Demo, run_demo  # noqa: PLC0415 - the others need no psutil

    trio.run(run_demo, Demo(Console(), port, seconds, forever))


@app.command
def serve(
    services: tuple[str, ...],
    /,
    *,
    port: Port | None = None,
    host: tuple[str, ...] = ("127.0.0.1",),
    unix: Path | None = None,
    fd: tuple[int, ...] = (),
    tls_cert: Path | None = None,
    tls_key: Path | None = None,
    allowed_origin: tuple[str, ...] = (),
    allowed_host: tuple[str, ...] = (),
    trusted_proxy: tuple[str, ...] = (),
) -> None:
    """Serve one or several services until interrupted, then let running calls finish.

    Parameters
    ----------
    services
        Each is module:Class or module:object, looked for in the working directory first.
    port
        The TCP port; 0 for a free one; 8765 unless there is --unix or --fd.
    host
        The address to listen at; may be given several times.
    unix
        The path of a Unix socket to listen at.
    fd
        The descriptor of an inherited listening socket; may be given several times.
    tls_cert
        The certificate chain for TLS, in PEM.
    tls_key
        Its key, unless it is in the same file.
    allowed_origin
        Web pages that may connect, such as https://example.com; may be given several times.
    allowed_host
        A name of this server, for a proxy on this machine; may be given several times.
    trusted_proxy
        A proxy whose X-Forwarded-For is trusted: an address, a network or "unix"; may be given
        several times.
    """
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    objects = [_instance(target) for target in services]
    check_can_be_called(objects)
    options = ServeOptions(
        port=port,
        host=host,
        unix=unix,
        fd=fd,
        tls_cert=tls_cert,
        tls_key=tls_key,
        allowed_origin=allowed_origin,
        allowed_host=allowed_host,
        trusted_proxy=trusted_proxy,
    )
    keywords = options.keywords()
    trio.run(partial(serve_until_signal, objects, _announce, options.port_to_listen, **keywords))


async def _announce(server: farcall.Server) -> None:
    print(f"Serving at {', '.join(server.urls)}", flush=True)


def _instance(target: str) -> object:
    found = load(target)
    if not isinstance(found, type):
        return found
    try:
        inspect.signature(found).bind()
    except TypeError as error:
        raise CommandError(
            f"{target} needs arguments ({error}); name an object of the class instead"
        ) from error
    try:
        made: object = found()
    except Exception as error:  # the user's constructor may raise anything
        reason = f"{target}() failed: {in_one_line(error)}"
        raise CommandError(reason) from error
    return made


@app.command
def stubs(
    services: tuple[str, ...],
    /,
    *,
    output: Annotated[Path, Parameter(alias="-o")] = Path("stubs"),
    shared: str = "_shared",
    types: tuple[str, ...] = (),
    check: bool = False,
) -> int:
    """Generate the typed client of each service, and a module with the types that they share.

    Parameters
    ----------
    services
        Each is module:Class or module:object, looked for in the working directory first.
    output
        The directory of the stubs.
    shared
        The name of the module with the types that several of the services use.
    types
        A module of yours, such as shop.models; stubs import its types where they are the same as
        those of the service, and do not copy them. May be given several times.
    check
        Write nothing; show the differences, with status 1 if there are any.
    """
    found = [load(target) for target in services]
    modules = [load_module(name) for name in types]
    try:
        if check:
            shown = stubgen.check(found, output, shared=shared, types=modules)
        else:
            paths = stubgen.write(found, output, shared=shared, types=modules)
            shown = "".join(f"{path}\n" for path in paths)
    except OSError as error:
        raise CommandError(f"{error.filename or output}: {error.strerror}") from error
    print(shown, end="")
    return FAILED if check and shown else 0
