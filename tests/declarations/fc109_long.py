"""The name of a service is short enough for a greeting."""

import farcall


async def quote(symbol: str) -> float:
    return 1.0


market = farcall.functions(quote, name="market" * 50)
