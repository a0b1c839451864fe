"""An endpoint is a method of the served object, so it cannot be a class method."""

from farcall import service


@service
class Market:
    @classmethod
    def open(cls) -> str:
        return "open"
