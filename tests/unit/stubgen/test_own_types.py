"""Stubs import classes that cross as another type."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from farcall import InvalidArguments
from farcall.stubgen import render, write
from farcall.testing import open_pair
from tests.unit.stubgen.coins import Coin, Medal, Mint
from tests.unit.stubgen.running import imported
from tests.unit.stubgen.test_generated import ruff
from tests.unit.stubgen.till import Till

SOURCE = render(Till)


@pytest.mark.parametrize(
    "line",
    [
        "import tests.unit.stubgen.coins\n",
        "import tests.unit.stubgen.till\n",
        "from tests.unit.stubgen import coins_registered as coins_registered\n",
        "    coins: list[tests.unit.stubgen.coins.Coin]\n",
        "    price: Price\n",
        "        encode=tests.unit.stubgen.till.to_cents,\n",
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
