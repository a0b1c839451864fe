"""Stubs import classes that cross as another type."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Annotated, TypeAlias

import attrs
import pytest

from farcall import InvalidArguments, Signal, Via, register_type, service, stream
from farcall.stubgen import render, write
from farcall.testing import open_pair
from tests.unit.stubgen import coins_registered
from tests.unit.stubgen.coins import Coin, Medal, Mint
from tests.unit.stubgen.running import imported
from tests.unit.stubgen.test_generated import ruff

assert coins_registered.__doc__
register_type(Medal, str, encode=str, decode=Medal)


def to_cents(price: Decimal) -> int:
    """Write a price."""
    return int(price * 100)


def from_cents(cents: int) -> Decimal:
    """Read a price."""
    return Decimal(cents) / 100


Price: TypeAlias = Annotated[Decimal, Via(int, encode=to_cents, decode=from_cents)]


@attrs.frozen
class Purse:
    """A record with such fields."""

    coins: list[Coin]
    price: Price
    medal: Medal | None = None
    prices: dict[Medal, Price] = attrs.field(factory=dict)


@service
class Till:
    """A service of such values."""

    rang: Signal[Coin] = Signal()

    async def pay(self, purse: Purse, tip: Coin = Coin(0)) -> Purse:  # noqa: B008
        """Take money."""
        return purse

    async def weigh(
        self,
        price: Annotated[Decimal, Via(str, encode=str, decode=lambda text: Decimal(text))],  # noqa: PLW0108
    ) -> Price:
        """Take a price by a function that has no name."""
        return price

    @stream
    async def coins(self) -> AsyncIterator[Coin]:
        """Return two coins."""
        yield Coin(1)
        yield Coin(2)


SOURCE = render(Till)


@pytest.mark.parametrize(
    "line",
    [
        "import tests.unit.stubgen.coins\n",
        "import tests.unit.stubgen.test_own_types\n",
        "from tests.unit.stubgen import coins_registered as coins_registered\n",
        "    coins: list[tests.unit.stubgen.coins.Coin]\n",
        "    price: Price\n",
        "        encode=tests.unit.stubgen.test_own_types.to_cents,\n",
        "tip: tests.unit.stubgen.coins.Coin = farcall.OMIT",
        "    async def weigh(self, price: str) -> Price:\n",
    ],
)
def test_lines(line: str) -> None:
    """A stub imports classes, the modules that register them, and the functions of a note."""
    assert line in SOURCE


def test_style() -> None:
    """Such a stub is formatted, and has no import that linters call unused."""
    assert ruff("format", "--diff", source=SOURCE) == ""
    first_party = "--config", "lint.isort.known-first-party = ['tests']"
    assert ruff("check", "--select=F,I,UP", *first_party, source=SOURCE) == ""


async def test_calls() -> None:
    """A client has the same classes as the server, and the same errors."""
    with imported(SOURCE) as module:
        purse = module.Purse([Coin(1)], Decimal("1.25"), prices={Medal("gold"): Decimal(2)})
        async with open_pair(Till(), module.TillProxy) as (till, _):
            assert await till.pay(purse) == purse
            assert await till.weigh("2.50") == Decimal("2.5")
            async with till.coins() as coins:
                assert [coin async for coin in coins] == [Coin(1), Coin(2)]
    async with open_pair(Till()) as (session, _):
        with pytest.raises(InvalidArguments) as caught:
            await session.call("Till.pay", {"coins": [1, "2"], "price": 3})

    assert caught.value.errors == [{"path": "params[0].coins[1]", "message": "expected int"}]


def test_a_client_registers_the_class(tmp_path: Path) -> None:
    """To import a stub is enough: another process knows the class by it."""
    write([Till], tmp_path)
    code = "import till; from tests.unit.stubgen.coins import Coin; till.TillProxy.__dict__"
    program = f"{code}; from farcall._codec import codec_of; print(codec_of(Coin).encode(Coin(7)))"
    path = [str(tmp_path), *sys.path]
    run = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:] = {path!r}; {program}"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert run.stdout == "b'7'\n"


def test_two_aliases_of_one_name(tmp_path: Path) -> None:
    """Services do not share an alias if its values are converted by other functions."""
    write([Till, Mint], tmp_path)

    for name, functions in (("till", "to_cents"), ("mint", "to_mills")):
        assert functions in (tmp_path / f"{name}.py").read_text()
