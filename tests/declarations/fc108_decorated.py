"""`@method`, `@local` and `@background` are for functions."""

from farcall import method, service


@service
class Market:
    limit = method(1000)
