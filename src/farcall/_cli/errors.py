"""The error of a command, and the exit statuses."""

from __future__ import annotations

from farcall.errors import FarcallError

FAILED = 1
WRONG_USE = 2
"""The arguments of the command are wrong."""


class CommandError(FarcallError):
    """A mistake that the user can correct, in one line."""


class WrongUse(CommandError):
    """The same in the arguments of the command, or in its environment."""
