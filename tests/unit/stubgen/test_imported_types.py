"""Stubs import the types of their user, where these are the same as those of the service."""

from __future__ import annotations

import logging
from decimal import Decimal
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, NewType, TypedDict, TypeVar

import attrs
import pytest

from farcall import ApplicationError, method, service, testing
from farcall.stubgen import StubError, check, render, write
from tests.unit.stubgen import market_square, own_enums, own_models
from tests.unit.stubgen.market_square import Bank, Post, Shop
from tests.unit.stubgen.running import imported

T = TypeVar("T")


def module_of(*classes: Any, name: str = "models", **others: Any) -> ModuleType:
    """Return a module with these names."""
    module = ModuleType(name)
    vars(module).update({each.__name__: each for each in classes}, **others)
    return module


def warnings(service: object, module: ModuleType, caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the warnings about a module that a stub cannot import from."""
    caplog.clear()
    with caplog.at_level(logging.WARNING, "farcall"):
        source = render(service, types=[module])
    assert f"from {module.__name__} import" not in source
    return caplog.messages


def test_a_type_that_is_the_same_is_imported() -> None:
    """The stub imports the same types, also those in their fields, and defines the others."""
    source = render(Bank, types=[own_models])

    assert "from tests.unit.stubgen.own_enums import Currency\n" in source
    assert "from tests.unit.stubgen.own_models import Money, Owner, Trouble\n" in source
    assert "class Money" not in source
    assert "class Broke(Trouble):\n    missing: Money\n" in source
    with imported(source) as stub:
        assert stub.Money is own_models.Money
        assert {"Currency", "Money", "Owner", "Trouble"} <= {*stub.__all__}


async def test_values_of_the_users_own_classes_travel() -> None:
    """Results, arguments and errors are of the user's own classes."""
    with imported(render(Bank, types=[own_models])) as bank:
        async with testing.open_pair(Bank(), bank.BankProxy) as pair:
            money = await pair.client.balance("main")
    with imported(render(Shop, types=[own_models])) as shop:
        async with testing.open_pair(Shop(), shop.ShopProxy) as pair:
            receipt = await pair.client.pay(money.doubled())

    assert money == own_models.Money(Decimal(4), own_enums.Currency.EUR)
    assert receipt.text == "8 EUR of main"


def test_the_module_of_the_service_counts_as_well() -> None:
    """In one code base, a stub imports the classes of the service themselves."""
    with imported(render(Bank, types=[market_square])) as bank:
        assert bank.Money is market_square.Money
        assert bank.Wallet is market_square.Wallet
        assert bank.Page is market_square.Page


def test_a_type_that_differs_is_copied_and_named(caplog: pytest.LogCaptureFixture) -> None:
    """A type of the same name that differs is copied; a warning says in what it differs."""
    source = render(Shop, types=[own_models, module_of(Others.Receipt)])

    assert "class Receipt:\n    text: str\n" in source
    assert caplog.messages == [
        "the stub of Shop does not import models.Receipt, which differs: Receipt.number is not in"
        " the service; Receipt.text is bytes with a default, not str"
    ]


class Side(Enum):
    BUY = "buy"
    SELL = "sell"


Key = NewType("Key", str)


@attrs.frozen
class Box(Generic[T]):
    item: T


@attrs.define
class Refused(ApplicationError):
    code = 7
    side: Side


class Row(TypedDict):
    key: Key
    box: Box[int]


@service
class Desk:
    @method(raises=[Refused])
    async def sort(self, row: Row, side: Side = Side.BUY) -> list[Box[str]]:
        raise Refused(side)


@attrs.frozen
class Another:
    pass


class Others:
    Key = NewType("Key", Another)

    @attrs.define
    class Refused(ApplicationError):
        code = 8
        side: Side
        why: str

    @attrs.frozen
    class Receipt:
        number: int
        text: bytes = b""

    class Box(TypedDict):
        item: int

    class Row(TypedDict):
        key: complex

    class Deal(TypedDict):
        side: LocalSide


def sides(**members: str) -> Any:
    """Return an enum that no module has by its own name."""
    return Enum("Side", members)


LocalSide: Any = sides(BUY="buy", SELL="sell")


class Deal(TypedDict):
    side: Side


@service
class Dealer:
    async def take(self, deal: Deal) -> None: ...


@pytest.mark.parametrize(
    ("cls", "difference"),
    [
        (
            sides(BUY="BUY", HOLD="hold"),
            "Side.BUY is 'BUY', not 'buy'; Side.HOLD is not in the service; Side.SELL is missing",
        ),
        (NewType("Key", int), "Key is a new int, not a new str"),
        (Others.Box, "Box is a TypedDict, not an attrs class[T]"),
        (Others.Refused, "Refused.code is 8, not 7; Refused.why is not in the service"),
        (Others.Key, "the service has no Another"),
        (attrs.make_class("Row", []), "Row is an attrs class, not a TypedDict; "),
        (Others.Row, "Row.key: complex cannot cross the wire"),
    ],
)
def test_each_difference_is_named(
    cls: Any, difference: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The warning names each part that differs, as the user would write it."""
    (message,) = warnings(Desk, module_of(cls), caplog)

    start = f"the stub of Desk does not import models.{cls.__name__}, which differs: "
    assert message.startswith(start + difference)


def test_a_name_for_something_else_is_not_imported(caplog: pytest.LogCaptureFixture) -> None:
    """A name that is no type, or stands for a type of another name, is not imported."""
    for value, problem in [
        (dict[str, int], "Side is no record, error, enum or NewType"),
        (Refused, "Side is no record, error, enum or NewType"),
        (3, "3 cannot cross the wire"),
    ]:
        (message,) = warnings(Desk, module_of(Side=value), caplog)
        assert message.endswith(f"differs: {problem}")


def test_a_class_without_a_place_is_not_imported(caplog: pytest.LogCaptureFixture) -> None:
    """A class in a field that no module has by its name cannot be imported."""
    (message,) = warnings(Dealer, module_of(Others.Deal), caplog)

    assert message.endswith(f"differs: {__name__} has no Side that can be imported")


def test_a_module_exports_what_it_lists() -> None:
    """A module that lists an imported class in ``__all__`` is the one that is imported."""
    facade = module_of(own_models.Money, own_enums.Currency, name="facade", __all__=["Money"])

    source = render(Bank, types=[facade])

    assert "from facade import Money\n" in source
    assert "from tests.unit.stubgen.own_enums import Currency\n" in source


def test_shared_types_may_need_those_of_the_user(tmp_path: Path) -> None:
    """The shared module imports the user's types as well, and keeps them in later runs."""
    own = [own_models]
    *_, shared = write([Bank, Shop], tmp_path, types=own)
    source = shared.read_text()

    assert "from tests.unit.stubgen.own_models import Money, Owner, Trouble\n" in source
    assert "class Money" not in source
    for services in ([Bank], [Shop], [Shop, Bank]):
        assert check(services, tmp_path, types=own) == ""
    write([Post], tmp_path)
    assert check([Shop, Bank], tmp_path, types=own) == ""


def test_a_run_without_the_types_of_the_user_is_refused(tmp_path: Path) -> None:
    """A shared module cannot both import a type for one stub and define it for another."""
    write([Bank, Shop], tmp_path, types=[own_models])

    with pytest.raises(StubError) as caught:
        write([Bank], tmp_path)

    assert str(caught.value) == (
        f"_shared.py imports Currency from {own_enums.__name__}, and would define another Currency"
        f" for Bank and Shop: write all of these stubs with --types {own_enums.__name__}, or all"
        " without"
    )


def test_a_module_without_types_is_refused() -> None:
    """A module that has no type of the services is a mistake."""
    with pytest.raises(StubError) as caught:
        render(Bank, types=[own_models, logging])

    assert str(caught.value) == (
        "logging has no type of Bank: name a module that has one, or leave --types logging out"
    )
