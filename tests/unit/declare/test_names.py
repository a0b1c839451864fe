"""Names on the wire."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from farcall import DeclarationError, functions
from farcall._declare.mistakes import Mistakes
from farcall._declare.names import checked_service_name, wire_names
from farcall._declare.rules import Rule
from farcall._declare.sites import Site, site_of_object
from farcall.testing import open_pair

SITE = site_of_object(pytest)


@attrs.frozen
class Member:
    chosen_name: Any
    site: Site = SITE


def names(service: str, **chosen: Any) -> dict[str, str]:
    mistakes = Mistakes()
    members = {attribute: Member(name) for attribute, name in chosen.items()}
    found = wire_names(service, members, mistakes)
    mistakes.check()
    return found


def test_names() -> None:
    """The wire name of a member begins with the name of its service, if that has one."""
    assert names("Market", quote=None) == {"quote": "Market.quote"}
    assert names("", quote=None) == {"quote": "quote"}


def test_chosen_name_is_the_whole_name() -> None:
    """A member can take any name, such as that of a method which a service replaces."""
    assert names("Market", quote=None, buy="textDocument/buy") == {
        "quote": "Market.quote",
        "buy": "textDocument/buy",
    }


@pytest.mark.parametrize(
    ("service", "chosen"),
    [
        ("Market", ""),
        ("Market", "a b"),
        ("Market", 3),
        ("Market", "rpc.quote"),
        ("", "$/quote"),
        ("", "__listMethods"),
        ("rpc", None),
    ],
)
def test_bad_names(service: str, chosen: object) -> None:
    """A name is some text without spaces, and not one of the protocol's."""
    with pytest.raises(DeclarationError) as caught:
        names(service, quote=chosen)

    assert caught.value.number == Rule.BAD_NAME


@pytest.mark.parametrize("name", ["", "Market", "market.v2", "rpcs"])
def test_service_names(name: str) -> None:
    """A service may be called by any text without spaces, or not at all."""
    mistakes = Mistakes()

    assert checked_service_name(name, SITE, mistakes) == name
    mistakes.check()


def test_name_is_taken() -> None:
    """Two members with one wire name are refused; the error names the other one."""
    with pytest.raises(DeclarationError, match=r"first already has the wire name 'Market.quote'"):
        names("Market", first="Market.quote", second="Market.quote")


async def test_a_long_name_greets() -> None:
    """Peers accept a hello with the longest service name that may be declared."""
    longest = functions(quote, name="x" * 256)
    async with open_pair(longest, type(longest), contract="strict") as (market, _):
        assert await market.quote() == 1.0  # type: ignore[attr-defined]  # made by functions()


def test_a_name_too_long_to_greet_with() -> None:
    """A longer service name is refused where it is declared."""
    with pytest.raises(DeclarationError, match=r"FC109 .* has 257 characters"):
        functions(quote, name="x" * 257)


async def quote() -> float:
    return 1.0
