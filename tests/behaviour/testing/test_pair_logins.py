"""`open_pair` with a principal, and with logins under virtual time."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from farcall import Credentials, Forbidden, Principal, Session, auth, current_call, method, service
from farcall.testing import open_pair


@service(protected=True)
class Vault:
    """What only users may see."""

    async def who(self) -> str:
        """Return the name of the user."""
        principal = current_call().principal
        assert principal is not None
        return principal.name

    @method(roles={"admin"})
    async def open(self) -> None:
        """Open the vault."""


async def never(_: Credentials) -> Principal | None:
    raise AssertionError("nobody has to log in")


ADA = Principal("ada", roles=frozenset({"admin"}))


async def test_a_principal_without_a_login() -> None:
    """With `principal=` the client is that user, and `authenticate` is not asked."""
    async with open_pair(Vault(), Vault, principal=ADA, authenticate=never) as (vault, end):
        assert await vault.who() == "ada"
        await vault.open()
        assert end.principal == ADA


async def test_the_roles_of_a_principal_are_checked() -> None:
    """A principal without the role is refused as in production."""
    bob = Principal("bob")
    async with open_pair(Vault(), Vault, principal=bob, authenticate=never) as (vault, _):
        with pytest.raises(Forbidden):
            await vault.open()


async def test_a_principal_must_be_one() -> None:
    """A name in place of a principal is a TypeError that names the option."""
    wrong: Any = "ada"
    with pytest.raises(TypeError, match=r"^principal=.*farcall\.Principal"):
        open_pair(Vault(), Vault, principal=wrong)


async def test_a_password_under_virtual_time(autojump_clock: MockClock) -> None:
    """A login with a password works under virtual time, in which its hash takes no time."""
    users = auth.StaticUsers({"ada": auth.hash_password("enigma", cost=2**10)})
    login = {"name": "ada", "password": "enigma"}
    async with open_pair(Vault(), authenticate=users, login=login) as (session, _):
        assert isinstance(session, Session)
        assert await session.call("Vault.who") == "ada"
        assert trio.current_time() == 0.0
