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
from farcall._cli.serving import Place, check_can_be_called, serve_until_signal
from farcall._cli.targets import load
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
    """Run one command and give its status; what goes wrong is one line on the error stream.

    Args:
        tokens: The words behind ``farcall``; those of the process, if left out.

    Returns:
        0, 1 where the command failed, or 2 where its words are at fault.

    Raises:
        BrokenPipeError: whoever read the output has gone.
    """
    try:
        status = app(tokens, result_action="return_value", exit_on_error=False, print_error=False)
    except cyclopts.CycloptsError as error:
        return _failed(error, WRONG_USE)
    except (CommandError, farcall.DeclarationError, stubgen.StubError) as error:
        return _failed(error, FAILED)
    except BrokenPipeError:
        raise
    except Exception as error:  # of a @background method, or a mistake of ours
        logger.error("the command failed", exc_info=error)
        return _failed(in_one_line(error), FAILED)
    return status if isinstance(status, int) else 0


def _failed(reason: object, status: int) -> int:
    print(f"farcall: {reason}", file=sys.stderr)
    return status


@app.command
def demo(*, seconds: Seconds = 4.0, port: Port = 0, forever: bool = False) -> None:
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
    """Serve one or several services until interrupted, then let running calls end.

    Parameters
    ----------
    services
        Each is module:Class or module:object, looked for in the working directory first.
    port
        To listen at; 0 for any that is free; 8765 unless there is --unix or --fd.
    host
        The address to listen at; may be given several times.
    unix
        The path of a Unix socket to listen at.
    fd
        The descriptor of an inherited socket that listens; may be given several times.
    tls_cert
        The certificate chain for TLS, in PEM.
    tls_key
        Its key, unless it is in the same file.
    allowed_origin
        Whose pages may connect, such as https://example.com; may be given several times.
    allowed_host
        A name of this server, for a proxy on this machine; may be given several times.
    trusted_proxy
        An address, a network or "unix" whose X-Forwarded-For counts; may be given several times.
    """
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    objects = [_instance(target) for target in services]
    check_can_be_called(objects)
    place = Place(
        port,
        host,
        unix,
        fd,
        tls_cert,
        tls_key,
        allowed_origin,
        allowed_host,
        trusted_proxy,
    )
    trio.run(partial(serve_until_signal, objects, _announce, **place.options()))


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
            f"{target} cannot be made without arguments: {error}; name an object of it instead"
        ) from error
    try:
        made: object = found()
    except Exception as error:  # the constructor is the user's and may raise anything
        reason = f"{target} cannot be made: {in_one_line(error)}"
        raise CommandError(reason) from error
    return made


@app.command
def stubs(
    services: tuple[str, ...],
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
    found = [load(target) for target in services]
    try:
        shown = stubgen.check(found, output) if check else _written(found, output)
    except OSError as error:
        raise CommandError(f"{error.filename or output}: {error.strerror}") from error
    print(shown, end="")
    return FAILED if check and shown else 0


def _written(services: Sequence[object], output: Path) -> str:
    return "".join(f"{path}\n" for path in stubgen.write(services, output))
