"""The error about a type that cannot cross the wire."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["type", "private", "constraint", "name"]
"""Why: the type has no form in JSON, it has a private field, it limits its values, or Python code
cannot use the name of a field."""


class UnsupportedType(Exception):
    """Say that values of a type cannot cross the wire.

    Whoever declares something turns it into a numbered error that names the place.

    Args:
        problem: Why not, such as ``"a list needs the type of its items"``.
        fix: What to write instead.
        path: Where inside of the type, such as ``"Order.items"``; empty for the type itself.
        kind: Which rule it breaks.
    """

    def __init__(self, problem: str, fix: str, path: str = "", *, kind: Kind = "type") -> None:
        super().__init__(problem, fix, path)
        self.problem = problem
        self.fix = fix
        self.path = path
        self.kind: Kind = kind
        self.others: tuple[UnsupportedType, ...] = ()
        """What else is wrong with the same type."""

    def __str__(self) -> str:
        place = f"{self.path}: " if self.path else ""
        return f"{place}{self.problem}; {self.fix}"


def check_faults(faults: Iterable[UnsupportedType]) -> None:
    """Raise everything that was found wrong with a type, as one error.

    Raises:
        UnsupportedType: there is something; it holds the others.
    """
    every = [each for fault in faults for each in (fault, *fault.others)]
    if every:
        for each in every:
            each.others = ()
        every[0].others = tuple(every[1:])
        raise every[0]
