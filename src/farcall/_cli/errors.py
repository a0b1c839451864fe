"""What goes wrong in a command, and the status it leaves."""

from __future__ import annotations

from farcall.errors import FarcallError

FAILED = 1
WRONG_USE = 2
"""The words on the command line are at fault, as most commands have it."""


class CommandError(FarcallError):
    """Say in one line what the user can mend."""
