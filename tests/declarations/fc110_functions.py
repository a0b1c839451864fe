"""Two functions of a service cannot have the same name."""

from farcall import functions


def add(a: int, b: int) -> int:
    return a + b


calc = functions(add, add, name="calc")
