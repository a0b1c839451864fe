"""So does each name of a function."""

from farcall import functions


def add(a: int, b: int) -> int:
    return a + b


calc = functions(add, add, name="calc")
