"""The `farcall` command.

It needs the extra ``cli``; without it this module still loads, and says what is missing.
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
    """Run the command line; the status of the process is the command's."""
    try:
        _starting.has_started()
        status = _run()
    except KeyboardInterrupt:
        status = 128 + signal.SIGINT
    sys.exit(status)


def _run() -> int:
    if not all(find_spec(each) for each in EXTRA):
        print("farcall: the command line needs more: pip install 'farcall[cli]'", file=sys.stderr)
        return WRONG_USE
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        # A path, or a docstring, may have letters that the terminal does not know.
        reconfigure(errors="backslashreplace")
    try:
        from farcall._cli.app import run  # noqa: PLC0415 - it needs the extra

        status = run()
        sys.stdout.flush()  # what still waits could not be written, either, where nobody reads
        return status
    except BrokenPipeError:
        # Python would write what it still holds once more at its end, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
