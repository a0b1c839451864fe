"""What goes wrong on the way to a stub."""

from __future__ import annotations

from farcall.errors import FarcallError


class StubError(FarcallError):
    """Say in one line why no stub can be written."""
