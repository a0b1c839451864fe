"""The `farcall` command.

The commands need the extra `cli`; without it this module still loads, and says what is missing.
"""

from __future__ import annotations

import sys

EXTRA = ("cyclopts", "rich", "psutil")


def main() -> None:
    """Run the command line; the status of the process is the command's."""
    try:
        from farcall._cli.app import run  # noqa: PLC0415 - it needs the extra
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in EXTRA:
            raise
        print("farcall: the command line needs more: pip install 'farcall[cli]'", file=sys.stderr)
        sys.exit(2)
    sys.exit(run())
