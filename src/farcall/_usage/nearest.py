"""The name that was meant by a misspelt one."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that resembles a wrong one most; None if none does."""
    from difflib import get_close_matches  # noqa: PLC0415 - few programs misspell a name

    return next(iter(get_close_matches(name, list(known), n=1)), None)
