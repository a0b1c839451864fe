"""The value that stands for leaving out."""

from __future__ import annotations

from typing import Any, Final, final


@final
class _Omit:
    def __repr__(self) -> str:
        return "farcall.OMIT"

    def __reduce__(self) -> str:
        return "OMIT"  # copies and pickles are the one object


OMIT: Final[Any] = _Omit()
"""An argument, or a field of a record, with this value is not sent; the other side's default
applies. Stubs write it for defaults that have no literal."""
