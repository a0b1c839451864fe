"""The monitor of `farcall demo`, to be served by itself."""

from __future__ import annotations

from farcall._demo.service import Monitor

__all__ = ["Monitor"]
