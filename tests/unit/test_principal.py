"""Who a peer is, and what that lets it do."""

from __future__ import annotations

import math
from typing import Any

import pytest

from farcall import Credentials, Principal
from farcall._contract.spec import OPEN, Access
from farcall._principal import authenticated, may, read_credentials

LOCKED = Access(protected=True)
TRADERS = Access(protected=True, roles=frozenset({"trader", "clerk"}))


@pytest.mark.parametrize(
    ("principal", "access", "answer"),
    [
        (None, OPEN, True),
        (None, LOCKED, False),
        (None, TRADERS, False),
        (Principal("ada"), OPEN, True),
        (Principal("ada"), LOCKED, True),
        (Principal("ada"), TRADERS, False),
        (Principal("ada", roles={"trader"}), TRADERS, True),
        (Principal("ada", roles={"trade"}), TRADERS, False),
    ],
)
def test_may(principal: Principal | None, access: Access, answer: bool) -> None:
    """A protected member needs a login; one with roles needs one of them."""
    assert may(principal, access) is answer


def test_a_principal_is_checked() -> None:
    """Roles must be a set of texts, and the name a text."""
    with pytest.raises(TypeError, match=r"write \{'trader'\}"):
        Principal("ada", roles="trader")
    with pytest.raises(TypeError, match="name"):
        Principal(7)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="seconds"):
        Principal("ada", expires_after=math.nan)


def test_a_principal_is_a_value() -> None:
    """Principals can be compared and hashed, whatever their claims are."""
    assert len({Principal("ada", claims={"a": [1]}), Principal("ada", claims={"a": [1]})}) == 1
    assert Principal("ada") != Principal("ada", roles={"trader"})


def test_nothing_secret_is_shown() -> None:
    """The `repr` of credentials and principals shows no secrets and no claims."""
    told = read_credentials({"authorization": "secret", "cookie": "a=secret"}, "t=secret", "secret")

    assert "secret" not in repr(told)
    assert "secret" not in repr(Principal("ada", claims={"token": "secret"}))


def test_credentials_are_read() -> None:
    """Headers, query and cookies are read by name, with the first of several values."""
    headers = {"cookie": 'a=1; b="2";c=x=y ; a=3; d; =e'}

    told = read_credentials(headers, "token=a%20b&token=c&empty=&%ff=1", ["me"])

    assert told.headers is headers
    assert told.query == {"token": "a b", "empty": "", "\ufffd": "1"}
    assert told.cookies == {"a": "1", "b": "2", "c": "x=y", "": "e"}
    assert told.login == ["me"]
    assert read_credentials({}, "") == Credentials()


@pytest.mark.parametrize(
    ("header", "cookies"),
    [
        ("\xa0__Host-id=evil", {"\xa0__Host-id": "evil"}),
        ("\x85id=evil; id=good", {"\x85id": "evil", "id": "good"}),
        ("id\xa0=evil", {"id\xa0": "evil"}),
        ('id="good', {"id": '"good'}),
        ('id=good"', {"id": 'good"'}),
        ('id="', {"id": '"'}),
        ('id=""', {"id": ""}),
        (" \tid=good\t ", {"id": "good"}),
    ],
)
def test_a_cookie_is_taken_as_it_is(header: str, cookies: dict[str, str]) -> None:
    """Names keep characters that browsers keep, and only a full pair of quotes is removed."""
    assert read_credentials({"cookie": header}, "").cookies == cookies


@pytest.mark.parametrize("answer", [True, "ada", {"name": "ada"}])
async def test_another_answer_is_a_defect(answer: Any) -> None:
    """Any other result of `authenticate` raises TypeError."""

    async def authenticate(_: Credentials) -> Principal | None:
        return answer  # type: ignore[no-any-return]

    with pytest.raises(TypeError, match=r"farcall\.Principal or None"):
        await authenticated(authenticate, Credentials())
