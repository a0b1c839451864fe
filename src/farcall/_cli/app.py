"""The commands: demo, serve, stubs."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
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
from farcall._cli.errors import FAILED, WRONG_USE, CommandError, WrongUse
from farcall._cli.served import prepare
from farcall._cli.serving import ServeOptions, open_targets
from farcall._cli.targets import load, load_module
from farcall._server.run import announce, run_until_signal
from farcall.stubgen._errors import in_one_line


def _not_empty(_: object, path: Path | None) -> None:
    """Refuse an empty text, which `Path` takes for the working directory."""
    if path == Path():
        raise ValueError("It is no path of a file.")


def from_environment(name: str) -> Parameter:
    """Read an option from the environment, too."""
    return Parameter(env_var=f"FARCALL_{name}")


Port: TypeAlias = Annotated[int, Parameter(validator=Number(gte=0, lt=1 << 16))]
File: TypeAlias = Annotated[Path, Parameter(validator=_not_empty)]
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
    except (cyclopts.CycloptsError, WrongUse) as error:
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
def demo(*, seconds: Seconds = 4.0, port: Port = 0, forever: bool = False) -> int:
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

    return trio.run(run_demo, Demo(Console(), port, seconds, forever))


@app.command
def serve(
    services: tuple[str, ...],
    /,
    *,
    port: Annotated[Port | None, from_environment("PORT")] = None,
    host: Annotated[tuple[str, ...], from_environment("HOST")] = ("127.0.0.1",),
    unix: Annotated[File | None, from_environment("UNIX")] = None,
    fd: Annotated[tuple[int, ...], from_environment("FD")] = (),
    tls_cert: Annotated[File | None, from_environment("TLS_CERT")] = None,
    tls_key: Annotated[File | None, from_environment("TLS_KEY")] = None,
    allowed_origin: Annotated[tuple[str, ...], from_environment("ALLOWED_ORIGIN")] = (),
    allowed_host: Annotated[tuple[str, ...], from_environment("ALLOWED_HOST")] = (),
    trusted_proxy: Annotated[tuple[str, ...], from_environment("TRUSTED_PROXY")] = (),
    drain_seconds: Annotated[Seconds | None, from_environment("DRAIN_SECONDS")] = None,
) -> int:
    """Serve an app, or one or several services, until interrupted; then let running calls finish.

    In an environment variable, several values are separated by spaces.

    Parameters
    ----------
    services
        module:app, an App or a function that makes one; or services, each as module:Class or
        module:object. Modules are looked for in the working directory first.
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
    drain_seconds
        Time for running calls after a signal; 10 by default.
    """
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
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
        drain_seconds=drain_seconds,
    )
    keywords = options.keywords()
    opening = open_targets(services, prepare(services), options.port_to_listen, keywords)
    return run_until_signal(opening, announce)


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
