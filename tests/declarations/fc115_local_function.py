"""`@local` keeps a function off the wire, but `functions` puts it on."""

from farcall import functions, local


@local
def add(a: int, b: int) -> int:
    return a + b


calc = functions(add, name="calc")
