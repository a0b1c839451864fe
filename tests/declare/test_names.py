"""Names on the wire."""

from __future__ import annotations

from typing import Any

import pytest

from farcall import DeclarationError
from farcall._declare.names import check_service_name, wire_names
from farcall._declare.rules import Rule
from farcall._declare.sites import site_of_object

SITE = site_of_object(pytest)


def names(service: str, **parts: Any) -> dict[str, str]:
    return wire_names(service, parts, dict.fromkeys(parts, SITE))


def test_names() -> None:
    """The name of a member stands behind that of its service, if that has one."""
    assert names("Market", quote="quote", buy="purchase") == {
        "quote": "Market.quote",
        "buy": "Market.purchase",
    }
    assert names("", quote="quote") == {"quote": "quote"}


@pytest.mark.parametrize(
    ("service", "part"),
    [
        ("Market", ""),
        ("Market", "a b"),
        ("Market", 3),
        ("", "rpc.quote"),
        ("", "$/quote"),
        ("", "__listMethods"),
        ("rpc", "quote"),
    ],
)
def test_bad_names(service: str, part: object) -> None:
    """A name is some text without spaces, and not one of the protocol's."""
    with pytest.raises(DeclarationError) as caught:
        names(service, quote=part)

    assert caught.value.number == Rule.BAD_NAME


@pytest.mark.parametrize("name", ["", "Market", "market.v2", "rpcs"])
def test_service_names(name: str) -> None:
    """A service may be called by any text without spaces, or not at all."""
    check_service_name(name, SITE)


def test_name_is_taken() -> None:
    """No two members have one name, and the error says who has it."""
    with pytest.raises(DeclarationError, match=r"first is called 'Market.quote' on the wire"):
        names("Market", first="quote", second="quote")
