"""Write typed clients of services, and compare them with those on disk."""

from __future__ import annotations

from farcall.stubgen._errors import StubError
from farcall.stubgen._files import check, render, write

__all__ = ["StubError", "check", "render", "write"]
