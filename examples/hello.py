import attrs
import trio

import farcall
from farcall import ApplicationError, Signal, background, method, service


@attrs.frozen
class Quote:
    symbol: str
    price: float


@attrs.define
class UnknownSymbol(ApplicationError):  # travels to the caller with its fields
    symbol: str


@service  # public methods can be called remotely, signals can be subscribed to
class Market:
    """Quotes of a made-up stock exchange."""

    ticked: Signal[Quote] = Signal(key="symbol")

    @method(raises=[UnknownSymbol])
    async def quote(self, symbol: str) -> Quote:
        """Return the price of a symbol."""
        if symbol != "ACME":
            raise UnknownSymbol(symbol)
        return Quote(symbol, 12.5)

    @background  # runs as long as the service is served
    async def tick(self) -> None:
        price = 12.5
        while True:
            price += 0.1
            self.ticked.emit(Quote("ACME", round(price, 2)))
            await trio.sleep(0.1)


async def main() -> None:
    async with (
        farcall.open_server(Market(), 0) as server,
        farcall.connect(server.url, Market) as market,
    ):
        print(await market.quote("ACME"))
        try:
            await market.quote("WXYZ")
        except UnknownSymbol as error:
            print("no such symbol:", error.symbol)
        async with market.ticked.subscribe(key="ACME") as ticks:
            for _ in range(3):
                print(await anext(ticks))


if __name__ == "__main__":
    trio.run(main)
