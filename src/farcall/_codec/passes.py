"""One conversion made in two ways: a quick one, and one that tells the place of each fault."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, Generic, TypeAlias, TypeVar

T = TypeVar("T")

Convert: TypeAlias = Callable[[Any], T]


class Passes(Generic[T]):
    """A conversion, quick where all is well.

    Args:
        make: Makes the function, given whether it is to tell places. Where it is not, it may fail
            with any exception at all.
    """

    def __init__(self, make: Callable[[bool], Convert[T]]) -> None:
        self._make = make
        self.quick: Convert[T] = make(False)

    def way(self, is_detailed: bool) -> Convert[T]:
        """Give one of the two, for use inside of another conversion."""
        return self.detailed if is_detailed else self.quick

    @cached_property
    def detailed(self) -> Convert[T]:
        """The function that tells places, made when something fails for the first time.

        It fails with `Mismatch`.
        """
        return self._make(True)
