"""Keywords that stand once for several functions: their types, defaults and mistakes."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, get_type_hints

import attrs
import pytest

import farcall
from farcall._client.options import ClientOptions, ConnectKeywords
from farcall._server.options import ServeKeywords, ServerOptions
from farcall.testing import PairKeywords, PairOptions, open_pair

FUNCTIONS = pytest.mark.parametrize(
    ("function", "keywords", "options"),
    [
        (farcall.serve, ServeKeywords, ServerOptions),
        (farcall.run, ServeKeywords, ServerOptions),
        (farcall.open_server, ServeKeywords, ServerOptions),
        (farcall.connect, ConnectKeywords, ClientOptions),
        (open_pair, PairKeywords, PairOptions),
    ],
)


@FUNCTIONS
def test_types_stand_alike_in_both_declarations(
    function: object, keywords: type, options: type
) -> None:
    """A function takes a keyword of exactly the type that its option has."""
    del function
    types = get_type_hints(options)

    assert get_type_hints(keywords) == {name: types[name] for name in keywords.__annotations__}


@FUNCTIONS
def test_help_shows_each_keyword_with_its_default(
    function: Callable[..., Any], keywords: type, options: type
) -> None:
    """inspect.signature has each keyword, its annotation and its default, and no **keywords."""
    parameters = inspect.signature(function).parameters
    defaults = {field.name: field.default for field in attrs.fields(options)}

    assert "keywords" not in parameters
    for name in keywords.__annotations__:
        assert parameters[name].default == defaults[name]
    assert parameters["limits"].annotation == "Limits"


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"limit": 1}, r"connect\(\) got an unexpected keyword argument 'limit'; write limits=$"),
        ({"xyz": 1}, r"connect\(\) got an unexpected keyword argument 'xyz'$"),
        ({"debug": True}, r"connect\(\) got an unexpected keyword argument 'debug'"),
    ],
)
def test_an_unknown_keyword_is_refused(given: dict[str, Any], problem: str) -> None:
    """The error names the function, and the keyword that was probably meant."""
    with pytest.raises(TypeError, match=problem):
        farcall.connect("ws://127.0.0.1:1", **given)
