"""The name of a service is part of the hello, so its length is limited."""

import farcall


async def quote(symbol: str) -> float:
    return 1.0


market = farcall.functions(quote, name="market" * 50)
