"""A function whose name begins with an underscore stays off the wire."""

from farcall import functions


def _add(a: int, b: int) -> int:
    return a + b


calc = functions(_add, name="calc")
