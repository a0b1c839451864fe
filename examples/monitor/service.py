"""The monitor of `farcall demo`, to serve on its own."""

from __future__ import annotations

from farcall._demo.service import Monitor

__all__ = ["Monitor"]
