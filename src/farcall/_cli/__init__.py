"""The `farcall` command.

It needs the extra ``cli``; without it the command says how to install it.
"""

from __future__ import annotations

import os
import signal
import sys
from importlib.util import find_spec

from farcall import _starting
from farcall._cli.errors import FAILED, WRONG_USE

EXTRA = ("cyclopts", "psutil", "rich")


def main() -> None:
    """Run the command and exit with its status."""
    try:
        _starting.has_started()
        status = _run()
    except KeyboardInterrupt:
        status = 128 + signal.SIGINT
    sys.exit(status)


def _run() -> int:
    if not all(find_spec(each) for each in EXTRA):
        print("farcall: the command needs an extra: pip install 'farcall[cli]'", file=sys.stderr)
        return WRONG_USE
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        # A path, or a docstring, may have characters that the terminal cannot show.
        reconfigure(errors="backslashreplace")
    try:
        from farcall._cli.app import run  # noqa: PLC0415 - it needs the extra

        status = run()
        sys.stdout.flush()  # here, where `BrokenPipeError` is caught
        return status
    except BrokenPipeError:
        # At exit Python would flush the rest again, and print another error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
