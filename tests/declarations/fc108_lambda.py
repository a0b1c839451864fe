"""A lambda has no annotations, so it cannot be an endpoint."""

from farcall import service


@service
class Market:
    quote = lambda self, symbol: 1.0  # noqa: E731
