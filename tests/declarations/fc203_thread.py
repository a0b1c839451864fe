"""Worker threads are not there yet."""

from farcall import method, service


@service
class Market:
    @method(thread=True)
    def report(self) -> str:
        return "a long one"
