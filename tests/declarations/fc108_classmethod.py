"""Endpoints are methods of an object: of the one that is served."""

from farcall import service


@service
class Market:
    @classmethod
    def open(cls) -> str:
        return "open"
