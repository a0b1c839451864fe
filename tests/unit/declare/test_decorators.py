"""`@service`, `functions` and `service_of`: what users write, and the service they get."""

from __future__ import annotations

import enum
from collections.abc import Callable
from functools import cached_property
from typing import Any, ClassVar

import attrs
import pytest

from farcall import DeclarationError, Signal, background, functions, local, method, service
from farcall._contract.spec import Default, Ref, Scalar
from farcall._declare import Rule, service_of, service_of_object


def wire_names(target: object) -> set[str]:
    found = service_of(target)
    return {*found.methods, *found.signals}


def refusal(declare: Callable[[], object]) -> str:
    with pytest.raises(DeclarationError) as caught:
        declare()
    return caught.value.number


def test_public_members_are_endpoints() -> None:
    """Public methods and signals are on the wire; other members are not."""

    @service
    class Market:
        ticked: Signal[float] = Signal()
        limit = 1000
        items = list[int]

        class Side(enum.Enum):
            BUY = "buy"

        async def quote(self, symbol: str) -> float:
            return 1.0

        def symbols(self) -> list[str]:
            return []

        @property
        def is_open(self) -> bool:
            return True

        @cached_property
        def size(self) -> int:
            return 0

        @local
        def reset(self, everything):  # type: ignore[no-untyped-def]  # nobody reads it
            pass

        @local
        @staticmethod
        def opened() -> object:
            return Market()

        async def _quote(self, symbol):  # type: ignore[no-untyped-def]  # nobody reads it
            pass

    assert wire_names(Market) == {"Market.quote", "Market.symbols", "Market.ticked"}


def test_decorator_returns_the_class() -> None:
    """The decorator returns the class itself, with and without parentheses."""

    class Market:
        def quote(self) -> float:
            return 1.0

    assert service(Market) is Market
    assert service(name="Shop")(Market) is Market
    assert service_of(Market).spec.name == "Shop"


def test_spec_of_a_method() -> None:
    """A method's contract holds its arguments, defaults, result, options and docstring."""

    @service
    class Market:
        """Quotes of a pretend exchange."""

        @method(name="shop/purchase")
        async def buy(self, symbol: str, /, count: int = 1, *, limit: float = 0.5) -> str:
            """Buy some.

            And pay.
            """
            return "bought"

    spec = service_of(Market).spec
    (buy,) = spec.methods

    assert (spec.class_name, spec.doc) == ("Market", "Quotes of a pretend exchange.")
    assert (buy.name, buy.wire_name) == ("buy", "shop/purchase")
    assert [each.role for each in buy.arguments] == ["positional", "either", "keyword"]
    assert [each.default for each in buy.arguments] == [None, Default("1"), Default("0.5")]
    assert buy.result == Scalar("str")
    assert buy.doc == "Buy some.\n\nAnd pay."
    assert not buy.inline


def test_method_can_be_called() -> None:
    """A method has codecs for its arguments, its result and its errors."""

    @service
    class Calculator:
        def add(self, a: int, b: int = 1) -> int:
            return a + b

    calculator = Calculator()
    add = service_of(calculator).methods["Calculator.add"]
    params = add.arguments.encode((2,), {"b": 3})
    args, kwargs = add.arguments.decode(params)

    assert add.result.encode(getattr(calculator, add.attribute)(*args, **kwargs)) == b"5"
    assert not add.is_async


def test_bare_names() -> None:
    """An empty name gives bare names."""

    @service(name="")
    class Calculator:
        def add(self, a: int, b: int) -> int:
            return a + b

    assert wire_names(Calculator) == {"add"}


def test_background_is_kept_apart() -> None:
    """A background method is not an endpoint, and may be private."""

    @service
    class Market:
        ticked: Signal[float] = Signal()

        @background
        async def tick(self) -> None: ...

        @background
        async def _tock(self) -> None: ...

    assert service_of(Market).background == ("tick", "_tock")
    assert wire_names(Market) == {"Market.ticked"}


def test_names_around_the_class() -> None:
    """Annotations may use names of the class, or of the function around it."""

    @attrs.frozen
    class Quote:
        price: float

    @service
    class Market:
        @attrs.frozen
        class Order:
            count: int

        async def quote(self, order: Order) -> Quote:
            return Quote(1.0)

    assert service_of(Market).methods["Market.quote"].spec.result == Ref("Quote")
    assert [each.name for each in service_of(Market).spec.definitions] == ["Order", "Quote"]


def test_method_does_not_hide_a_type() -> None:
    """A method called like a type does not hide the type from annotations."""

    @service
    class Market:
        async def list(self) -> list[str]:
            return []

        async def count(self, symbols: list[str]) -> int:  # type: ignore[valid-type]
            return 0

    assert wire_names(Market) == {"Market.list", "Market.count"}


def test_attrs_class() -> None:
    """A service may be an attrs class whose signals are class variables."""

    @service
    @attrs.define
    class Market:
        exchange: str
        on_close: Callable[[], None] = print
        ticked: ClassVar[Signal[float]] = Signal()

        async def quote(self, symbol: str) -> float:
            return 1.0

    assert wire_names(Market("NYSE")) == {"Market.quote", "Market.ticked"}


@service
class Base:
    ticked: Signal[float] = Signal()

    @method(oneway=True)
    async def report(self, price: float) -> None: ...

    @local
    def reset(self) -> None: ...

    async def quote(self, symbol: str) -> float:
        return 1.0


def test_inherited_members_take_the_new_name() -> None:
    """A decorated subclass has the members of its decorated bases, under its own name."""

    @service
    class Market(Base):
        async def buy(self, symbol: str) -> str:
            return "bought"

    assert wire_names(Market) == {
        "Market.ticked",
        "Market.report",
        "Market.quote",
        "Market.buy",
    }


def test_override_keeps_the_marks() -> None:
    """An override without a decorator keeps the options of the base."""

    @service
    class Market(Base):
        async def report(self, price: float) -> None: ...

        def reset(self) -> None: ...

    found = service_of(Market)

    assert found.methods["Market.report"].spec.oneway
    assert "Market.reset" not in found.methods


def test_override_takes_a_member_away() -> None:
    """A decorated subclass can take an inherited member off the wire."""

    @service
    class Market(Base):
        @local
        async def quote(self, symbol: str) -> float:
            return 2.0

        report = None  # type: ignore[assignment]

    assert wire_names(Market) == {"Market.ticked"}


def test_mixin_stays_off_the_wire() -> None:
    """Members of a base that is not decorated are not on the wire."""

    class Mixin:
        async def helper(self, anything):  # type: ignore[no-untyped-def]  # nobody reads it
            pass

    @service
    class Market(Mixin, Base): ...

    assert "Market.helper" not in wire_names(Market)


def test_undecorated_subclass() -> None:
    """An undecorated subclass has the contract of its nearest decorated base."""

    class FakeMarket(Base):
        async def quote(self, symbol: str, *, loudly: bool = False) -> float:
            return 2.0

        async def helper(self, anything):  # type: ignore[no-untyped-def]  # nobody reads it
            pass

    assert service_of(FakeMarket()) is service_of(Base)


def test_signals_are_ready() -> None:
    """A signal encodes its values by the type in the class of its object."""
    base = Base()

    assert service_of(base).signals["Base.ticked"].codec.encode(1.0) == b"1.0"
    assert service_of(base).signals["Base.ticked"].signal is Base.ticked


def test_functions() -> None:
    """Functions make a service object, whose class is named after the service."""

    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    @method(name="times")
    async def multiply(a: int, b: int) -> int:
        return a * b

    found = service_of(calculator := functions(add, multiply, name="desk-calc"))

    assert found.spec.class_name == "DeskCalc"
    assert {*found.methods} == {"desk-calc.add", "times"}
    assert found.methods["desk-calc.add"].spec.doc == "Add two numbers."
    assert getattr(calculator, found.methods["desk-calc.add"].attribute)(2, 3) == 5


def test_functions_with_bare_names() -> None:
    """With an empty service name, functions have bare names."""

    def add(a: int, b: int) -> int:
        return a + b

    found = service_of(functions(add, name=""))

    assert {*found.methods} == {"add"}
    assert found.spec.class_name == "Functions"


def test_no_functions() -> None:
    """functions() without functions raises, and points to the call."""
    with pytest.raises(
        DeclarationError, match=r"test_decorators.py:\d+: FC132 functions\(\): .* Pass at least one"
    ):
        functions(name="calc")


@pytest.mark.parametrize("name", ["rpc", "a b", "$/", " "])
def test_names_of_services(name: str) -> None:
    """A service name that the protocol reserves is refused."""

    def add(a: int, b: int) -> int:
        return a + b

    assert refusal(lambda: functions(add, name=name)) == Rule.BAD_NAME


def test_lambda_is_refused() -> None:
    """functions() refuses a lambda."""
    assert refusal(lambda: functions(lambda: None, name="calc")) == Rule.NO_FUNCTION


@pytest.mark.parametrize("target", [3, "Market", int, object(), print, refusal])
def test_no_service(target: object) -> None:
    """Anything but a decorated class or an object of one is refused."""
    assert refusal(lambda: service_of(target)) == Rule.NO_SERVICE


def test_class_is_not_served() -> None:
    """Serving a class raises; the error says to make an object."""
    assert service_of_object(Base()) is service_of(Base)
    with pytest.raises(DeclarationError, match=r"Serve an instance: Base\(\)\.$"):
        service_of_object(Base)


def test_string_is_no_class() -> None:
    """`@service("name")` and `@method("name")` raise where they are written."""
    wrong: Any = "calc"

    assert refusal(lambda: service(wrong)) == Rule.NO_CLASS
    with pytest.raises(DeclarationError, match=r"Write @service\(name='calc'\)\.$"):
        service(wrong)
    with pytest.raises(DeclarationError, match=r"Write @method\(name='calc'\)\.$"):
        method(wrong)
