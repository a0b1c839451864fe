"""What is kept off the wire cannot be put on it."""

from farcall import functions, local


@local
def add(a: int, b: int) -> int:
    return a + b


calc = functions(add, name="calc")
