"""Parsing functions."""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Annotated, Any

import pytest

from farcall import DeclarationError
from farcall._declare.annotations import Scope
from farcall._declare.functions import ParsedFunction, read_function
from farcall._declare.marks import Marks
from farcall._declare.mistakes import Mistakes
from farcall._declare.rules import Rule


def read(function: Callable[..., Any]) -> ParsedFunction:
    mistakes = Mistakes()
    parsed = read_function(function, function.__name__, Marks(), Scope({}), mistakes)
    mistakes.check()
    return parsed


def logged(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return call


async def quote(self: object, symbol: str, *, at: float = 0.0) -> float:
    """Say what it costs."""
    return 1.0


@pytest.mark.parametrize("function", [quote, logged(quote)])
def test_read(function: Callable[..., Any]) -> None:
    """A function is parsed through wrappers made by functools.wraps."""
    parsed = read(function)
    symbol, at = parsed.parameters

    assert (symbol.name, symbol.role, symbol.annotation) == ("symbol", "either", str)
    assert (at.name, at.role, at.annotation, at.default) == ("at", "keyword", float, 0.0)
    assert not symbol.has_default
    assert at.has_default
    assert parsed.result is float
    assert parsed.is_async
    assert parsed.doc == "Say what it costs."
    assert parsed.site.member == "quote"


def test_without_docstring() -> None:
    """A function without a docstring has doc None."""

    def silent(self: object) -> None: ...

    assert read(silent).doc is None


def test_self_may_be_private() -> None:
    """The first parameter may be called _self or _."""

    def unused(_self: object, symbol: str) -> None: ...

    assert [each.name for each in read(unused).parameters] == ["symbol"]


@asynccontextmanager
async def opened(self: object) -> AsyncIterator[int]:
    yield 1


def no_parameters() -> None: ...


def only_by_name(*, self: object) -> None: ...


def bare_stream(self: object, items: AsyncIterator) -> None: ...  # type: ignore[type-arg]


def sync_generator(self: object) -> Any:
    yield 1


@pytest.mark.parametrize(
    ("function", "rule"),
    [
        (opened, Rule.GENERATOR),
        (sync_generator, Rule.GENERATOR),
        (no_parameters, Rule.NO_SELF),
        (only_by_name, Rule.NO_SELF),
        (bare_stream, Rule.NO_ITEM_TYPE),
    ],
)
def test_refused(function: Callable[..., Any], rule: Rule) -> None:
    """A function that cannot be an endpoint raises with the number of the rule."""
    with pytest.raises(DeclarationError) as caught:
        read(function)

    assert caught.value.number == rule


def plain_items(self: object) -> AsyncIterator[int]:
    raise NotImplementedError


async def generated(self: object) -> AsyncGenerator[int, None]:
    yield 1


def opens_items(self: object) -> AbstractAsyncContextManager[AsyncIterator[int]]:
    raise NotImplementedError


@pytest.mark.parametrize("function", [plain_items, generated, opens_items])
def test_item_of_a_stream(function: Callable[..., Any]) -> None:
    """A stream is read from the generator, or from the context manager that a stub has."""
    parsed = read_function(function, "f", Marks("stream"), Scope({}), Mistakes())

    assert parsed.result is int
    assert parsed.is_stream
    assert parsed.is_async


def uploads(
    self: object,
    name: str,
    rows: AsyncIterable[int],
    notes: Annotated[AsyncIterator[str], "in the margin"],
) -> None: ...


def test_uploads() -> None:
    """The annotation of a parsed upload is that of one item."""
    name, rows, notes = read(uploads).parameters

    assert (rows.is_upload, rows.annotation) == (True, int)
    assert (notes.is_upload, notes.annotation) == (True, str)
    assert not name.is_upload
