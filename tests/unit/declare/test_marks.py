"""The marks that decorators of members put on functions."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import pytest

from farcall import ApplicationError, DeclarationError, background, local, method
from farcall._declare import Rule
from farcall._declare.marks import Marks, marks_of


class Closed(ApplicationError): ...


async def quote(self: object, symbol: str) -> float:
    return 1.0


@pytest.fixture(autouse=True)
def _unmark() -> Any:
    yield
    vars(quote).clear()


def test_no_mark() -> None:
    """A function without a decorator has no marks; neither has another object."""
    assert marks_of(quote) is None
    assert marks_of(3) is None


@pytest.mark.parametrize(
    ("decorator", "marks"),
    [
        (method, Marks("method")),
        (method(), Marks("method")),
        (method(name="q", raises=[Closed]), Marks("method", "q", (Closed,))),
        (method(raises=iter([Closed])), Marks("method", raises=(Closed,))),
        (method(oneway=True), Marks("method", oneway=True)),
        (local, Marks("local")),
        (background, Marks("background")),
    ],
)
def test_mark(decorator: Any, marks: Marks) -> None:
    """A decorator returns its function, with marks on it."""
    assert decorator(quote) is quote
    assert marks_of(quote) == marks


@pytest.mark.parametrize("wrapper", [staticmethod, classmethod, property, cached_property])
def test_mark_on_the_inside(wrapper: Any) -> None:
    """The marks go to the function inside of a staticmethod or classmethod, above or below it."""
    member = wrapper(quote)

    assert local(member) is member
    assert marks_of(member) == marks_of(wrapper(quote)) == Marks("local")


def test_error_listed_twice() -> None:
    """An error listed twice in raises= counts once."""
    marks = marks_of(method(raises=[Closed, Closed])(quote))

    assert marks == Marks("method", raises=(Closed,))


@pytest.mark.parametrize(
    "options",
    [
        {"raises": 3},
        {"raises": [3]},
        {"raises": [[]]},
        {"raises": [ApplicationError]},
        {"raises": Closed},
    ],
)
def test_wrong_errors(options: dict[str, Any]) -> None:
    """raises= takes only classes derived from ApplicationError."""
    with pytest.raises(DeclarationError) as caught:
        method(**options)(quote)

    assert caught.value.number == Rule.BAD_ERROR
