"""`@method`, `@local` and `@background` decorate functions."""

from farcall import method, service


@service
class Market:
    limit = method(1000)
