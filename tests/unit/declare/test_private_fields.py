"""Fields with a leading underscore: they cross the wire only under an explicit alias."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, TypedDict

import attrs
import pytest

from farcall import ApplicationError, DeclarationError, EncodeError, method, service, stubgen
from farcall.testing import open_pair


@attrs.define
class Account:
    name: str
    _token: str = attrs.field(init=False, default="s3cret")
    _note: str = attrs.field(default="", alias="note")


@dataclass
class Session:
    user: str
    _token: str = dataclasses.field(init=False, default="s3cret")


Document = TypedDict("Document", {"_id": int, "__v": int})


@service
class Bank:
    async def account(self, account: Account) -> Account:
        return account

    async def session(self, session: Session) -> Session:
        session._token = "changed"
        return session

    async def document(self) -> Document:
        return {"_id": 1, "__v": 2}


def refusal(annotation: Any) -> DeclarationError:
    async def get(self: object) -> Any: ...

    get.__annotations__["return"] = annotation
    with pytest.raises(DeclarationError) as caught:
        service(type("Bank", (), {"get": get, "__module__": __name__}))
    return caught.value


@attrs.define
class AttrsSecret:
    _secret: str


@dataclass
class DataclassSecret:
    __very: str


@attrs.define
class Inherits(AttrsSecret):
    name: str


class Mangled(TypedDict):
    __key: str


class InheritsMangled(Mangled):
    name: str


@pytest.mark.parametrize(
    "annotation",
    [
        AttrsSecret,
        DataclassSecret,
        Inherits,
        Mangled,
        InheritsMangled,
        list[AttrsSecret],
        dict[str, DataclassSecret] | None,
    ],
)
def test_private_field_is_refused(annotation: Any) -> None:
    """A record with a private field is refused, wherever it stands."""
    error = refusal(annotation)

    assert error.number == "FC120"


def test_private_field_of_an_error_is_refused() -> None:
    """A declared error is a record as well."""

    @attrs.define
    class Closed(ApplicationError):
        _reason: str

    with pytest.raises(DeclarationError, match=r"FC120 .*Closed._reason"):

        @service
        class Bank:
            @method(raises=[Closed])
            async def get(self) -> None: ...


async def test_private_field_is_not_written_without_a_type() -> None:
    """An argument of a call without a stub is refused likewise; nothing is sent."""
    async with open_pair(Bank()) as (session, _):
        with pytest.raises(EncodeError, match=r"AttrsSecret._secret"):
            await session.call("Bank.account", AttrsSecret("s3cret"))


async def test_field_out_of_the_constructor_stays_here() -> None:
    """A field with init=False is neither sent nor read."""
    async with open_pair(Bank()) as (session, _):
        answer = await session.call("Bank.session", {"user": "ada"})
        account = await session.call("Bank.account", {"name": "ada"})

    assert answer == {"user": "ada"}
    assert account == {"name": "ada", "note": ""}
    assert "token" not in stubgen.render(Bank)


async def test_private_field_with_a_name_for_the_wire() -> None:
    """An explicit alias is the name under which a private field crosses."""
    async with open_pair(Bank(), Bank) as (bank, _):
        account = await bank.account(Account("ada", "hello"))

    assert account._note == "hello"


async def test_keys_are_what_they_are() -> None:
    """The keys of a typed dictionary are data: underscores are allowed there."""
    async with open_pair(Bank(), Bank) as (bank, _):
        assert await bank.document() == {"_id": 1, "__v": 2}
