"""Names that begin with ``rpc.`` belong to JSON-RPC."""

from farcall import method, service


@service(name="")
class Market:
    @method(name="rpc.quote")
    async def quote(self, symbol: str) -> float:
        return 1.0
