"""List and copy files: the command line of the service.

Run ``FILES_FOLDER=some/folder farcall serve examples.files.service:Files`` in one terminal, and in
another::

    python -m examples.files.client ws://127.0.0.1:8765 ls
    python -m examples.files.client ws://127.0.0.1:8765 put big.iso
    python -m examples.files.client ws://127.0.0.1:8765 get --resume big.iso copy.iso

With ``--resume``, an interrupted copy keeps ``.name.part`` next to its target, and the next copy
continues from there. The exit status is 0 for success, 1 for an error (with one line on standard
error), 2 for a wrong command line, and 128 + n after signal n.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path, PurePosixPath

import trio
from rich.console import Console

import farcall
from examples.files.copying import download, upload
from examples.files.partfile import PartInUse, WrongContent
from examples.files.progress import shown
from stubs.files import (
    BeingWritten,
    ChecksumMismatch,
    FilesProxy,
    IsFolder,
    NotFolder,
    NotFound,
    PathRefused,
    StorageFailed,
)

FAILED = 1


def main(words: Sequence[str] | None = None) -> int:
    """Run one command, and return its exit status."""
    return trio.run(_until_signal, parse(words))


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse a command line, by default that of the process.

    Raises:
        SystemExit: the command line is wrong.
    """
    parser = argparse.ArgumentParser("files", description="List and copy files.")
    parser.add_argument("url", help="of the service, such as ws://127.0.0.1:8765")
    commands = parser.add_subparsers(required=True, metavar="ls|get|put")
    ls = commands.add_parser("ls", help="list a folder")
    ls.add_argument("folder", nargs="?", default="")
    ls.set_defaults(run=_ls)
    get = commands.add_parser("get", help="copy a file to this machine")
    get.add_argument("remote")
    get.add_argument("local", nargs="?", type=Path, default=Path())
    get.set_defaults(run=_get)
    put = commands.add_parser("put", help="copy a file to the service")
    put.add_argument("local", type=Path)
    put.add_argument("remote", nargs="?", default="")
    put.set_defaults(run=_put)
    for command in (get, put):
        command.add_argument(
            "--resume", action="store_true", help="continue an interrupted copy, or allow it later"
        )
    return parser.parse_args(words)


async def _until_signal(options: argparse.Namespace) -> int:
    statuses: list[int] = []
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_obey, signals, statuses, nursery.cancel_scope)
            statuses.append(await run(options))
            nursery.cancel_scope.cancel()
    return statuses[0]


async def _obey(signals: AsyncIterator[int], statuses: list[int], scope: trio.CancelScope) -> None:
    statuses.append(128 + await anext(signals))
    scope.cancel()  # the copy cleans up, as after an error


async def run(options: argparse.Namespace) -> int:
    """Run a command, and return its exit status. Errors are one line on standard error."""
    try:
        async with farcall.connect(options.url, FilesProxy) as files:
            await options.run(files, options)
    except (farcall.FarcallError, PartInUse, WrongContent, OSError, ValueError) as error:
        print(f"files: {_reason(error)}", file=sys.stderr)
        return FAILED
    return 0


async def _ls(files: FilesProxy, options: argparse.Namespace) -> None:
    async with files.entries(options.folder) as entries:
        async for entry in entries:
            mark = "/" if entry.is_folder else ""
            print(f"{entry.size:12} {entry.modified:%Y-%m-%d %H:%M:%S} {entry.path}{mark}")


async def _get(files: FilesProxy, options: argparse.Namespace) -> None:
    local: Path = options.local
    if await trio.Path(local).is_dir():
        local /= PurePosixPath(options.remote).name
    with shown(options.remote, Console(stderr=True)) as progress:
        copied = await download(
            files, options.remote, local, resume=options.resume, progress=progress
        )
    print(f"{local}: {copied.size} bytes, SHA-256 {copied.sha256}")


async def _put(files: FilesProxy, options: argparse.Namespace) -> None:
    local: Path = options.local
    remote = options.remote
    if not remote or remote.endswith("/"):
        remote += local.name
    with shown(local.name, Console(stderr=True)) as progress:
        copied = await upload(files, local, remote, resume=options.resume, progress=progress)
    print(f"{copied.path}: {copied.size} bytes")


def _reason(error: Exception) -> str:
    match error:
        case PathRefused(path=path):
            return f"{path}: refused, not a path in the folder that is served"
        case NotFound(path=path):
            return f"{path}: no such file or folder on the server"
        case IsFolder(path=path):
            return f"{path}: a folder on the server, not a file"
        case NotFolder(path=path):
            return f"{path}: not a folder on the server"
        case ChecksumMismatch(path=path):
            return f"{path}: changed while it was copied, or was damaged; nothing was written"
        case WrongContent():
            return f"{error}: changed while it was copied, or was damaged; nothing was written"
        case BeingWritten(path=name) | PartInUse(args=(name,)):
            return f"{name}: another copy to it is running"
        case StorageFailed(path=path, reason=reason):
            return f"{path}: {reason} (on the server)"
        case OSError(strerror=str(reason), filename=str(name)):
            return f"{name}: {reason}"
        case _:
            return str(error)


if __name__ == "__main__":
    sys.exit(main())
