"""Records of a stub have the repr, comparison and hash of those of the service."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import NamedTuple

import attrs
import pytest

from farcall import ApplicationError, method, service, stubgen, testing
from farcall._contract.definitions import Definitions
from farcall._contract.describe import describe
from farcall._declare import service_of
from tests.unit.stubgen.running import imported


@attrs.frozen
class Login:
    user: str
    password: str = attrs.field(repr=False)


@attrs.define
class Masked:
    card: str = attrs.field(repr=lambda value: f"...{value[-4:]}")


@attrs.define(repr=False)
class Key:
    text: str


@attrs.define
class Handmade:
    text: str

    def __repr__(self) -> str:
        return "Handmade()"


@attrs.define
class Base:
    name: str


@attrs.define(repr=False)
class Derived(Base):
    text: str


@dataclass
class Token:
    user: str
    text: str = dataclasses.field(repr=False)


@dataclass(repr=False)
class Pin:
    text: str


@dataclass
class HandmadeData:
    text: str

    def __repr__(self) -> str:
        return "HandmadeData()"


class Row(NamedTuple):
    text: str

    def __repr__(self) -> str:
        return "Row()"


@attrs.define
class Denied(ApplicationError):
    user: str
    token: str = attrs.field(repr=False)


@attrs.define(repr=False)
class Refused(ApplicationError):
    token: str


@attrs.define
class Closed(ApplicationError):
    token: str

    def __repr__(self) -> str:
        return "Closed()"


SECRETS = (
    Refused,
    Closed,
    Login,
    Masked,
    Key,
    Handmade,
    Derived,
    Token,
    Pin,
    HandmadeData,
    Row,
    Denied,
)


ONE_FIELD = ("Masked", "Key", "Pin", "Refused", "Closed")


@attrs.define(eq=False)
class Identity:
    a: int


@dataclass(eq=False)
class DataIdentity:
    a: int


@attrs.define(unsafe_hash=True)
class Hashed:
    a: int
    note: str = attrs.field(default="", eq=False)
    tags: list[int] = attrs.field(factory=list, hash=False)


@dataclass(unsafe_hash=True)
class DataHashed:
    a: int
    note: str = dataclasses.field(default="", compare=False)
    tags: list[int] = dataclasses.field(default_factory=list, hash=False)


@attrs.define
class OwnHash:
    a: int
    tags: list[int] = attrs.field(factory=list)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OwnHash) and self.a == other.a

    def __hash__(self) -> int:
        return hash(self.a)


@attrs.frozen(order=True)
class Ranked:
    a: int
    b: int = attrs.field(default=0, order=False)
    c: int = attrs.field(default=0, eq=False)


@dataclass(frozen=True, order=True)
class DataRanked:
    a: int
    c: int = dataclasses.field(default=0, compare=False)


@attrs.define
class Parent:
    a: int


class Child(Parent):
    """Has no decorator of its own."""


@service
class Shelf:
    @method(raises=[Denied, Refused, Closed])
    async def secrets(
        self, a: Login, b: Masked, c: Key, d: Handmade, e: Derived, f: HandmadeData, g: Row
    ) -> Token | None: ...

    async def pin(self) -> Pin | None: ...

    async def identities(self) -> set[Identity]:
        return {Identity(1)}

    async def data_identities(self) -> set[DataIdentity]:
        return {DataIdentity(1)}

    async def hashed(self) -> set[Hashed]:
        return {Hashed(1)}

    async def data_hashed(self) -> frozenset[DataHashed]:
        return frozenset({DataHashed(1)})

    async def own_hash(self) -> set[OwnHash]:
        return {OwnHash(1)}

    async def ranked(self) -> set[Ranked]:
        return {Ranked(1)}

    async def data_ranked(self) -> set[DataRanked]:
        return {DataRanked(1)}

    async def child(self) -> Child | None:
        return Child(1)


@pytest.fixture(scope="module")
def stub() -> Iterator[ModuleType]:
    with imported(stubgen.render(Shelf)) as module:
        yield module


@pytest.mark.parametrize("name", [each.__name__ for each in SECRETS])
def test_a_field_that_the_service_hides_is_hidden(stub: ModuleType, name: str) -> None:
    """A field hidden from the repr at the service is hidden in the stub's records."""
    cls = getattr(stub, name)
    value = cls(*["s3cret"] if name in ONE_FIELD else ["ada", "s3cret"][-_size(cls) :])

    assert "s3cret" not in repr(value) + str(value)


def test_other_fields_are_shown(stub: ModuleType) -> None:
    """Fields that are not hidden are shown in the repr."""
    assert repr(stub.Login("ada", "s3cret")) == "Login(user='ada')"
    assert repr(stub.Token("ada", "s3cret")) == "Token(user='ada')"
    assert repr(stub.Derived("ada", "s3cret")) == "Derived(name='ada')"


@pytest.mark.parametrize(
    "call",
    [
        "identities", "data_identities", "hashed", "data_hashed", "own_hash", "ranked",
        "data_ranked",
    ],
)  # fmt: skip
async def test_a_set_of_records_is_read(stub: ModuleType, call: str) -> None:
    """A record with a hash at the service has one in the stub, so sets of it can be read."""
    async with testing.open_pair(Shelf(), stub.ShelfProxy) as pair:
        (value,) = await getattr(pair.client, call)()

    assert value.a == 1


def test_records_are_equal_as_those_of_the_service(stub: ModuleType) -> None:
    """Records of a stub are equal by the same fields as those of the service."""
    assert stub.Identity(1) != stub.Identity(1)
    assert stub.DataIdentity(1) != stub.DataIdentity(1)
    assert stub.Hashed(1, "x") == stub.Hashed(1, "y")
    assert stub.DataHashed(1, "x") == stub.DataHashed(1, "y")
    assert stub.Ranked(1, 2, 3) == stub.Ranked(1, 2, 4) != stub.Ranked(1, 3, 3)
    assert stub.DataRanked(1, 3) == stub.DataRanked(1, 4)


def test_hashes_are_of_the_same_fields(stub: ModuleType) -> None:
    """Equal records of a stub have equal hashes, as at the service."""
    for cls in (stub.Hashed, stub.DataHashed):
        assert hash(cls(1, "x", [1])) == hash(cls(1, "y", [2]))
    assert hash(stub.OwnHash(1, [1])) == hash(stub.OwnHash(1, [2]))


def test_records_are_ordered_as_those_of_the_service(stub: ModuleType) -> None:
    """Records of a stub are ordered by the same fields as those of the service."""
    assert stub.Ranked(1, 2) <= stub.Ranked(1, 1)
    assert stub.DataRanked(1, 2) <= stub.DataRanked(1, 1)
    with pytest.raises(TypeError):
        assert stub.Hashed(1) < stub.Hashed(2)


def test_a_class_without_a_decorator_of_its_own_is_the_record_it_inherits(
    stub: ModuleType,
) -> None:
    """A subclass that adds methods alone needs no decorator."""
    assert stub.Child(1) == stub.Child(1)


def test_the_contract_of_the_stub_is_that_of_the_service(stub: ModuleType) -> None:
    """The contract read from a stub is that of the service."""
    for spec in service_of(Shelf).spec.definitions:
        definitions = Definitions()
        describe(getattr(stub, spec.name), definitions)

        assert definitions[spec.name] == spec


def _size(cls: type) -> int:
    if hasattr(cls, "_fields"):
        return len(cls._fields)
    return len(attrs.fields(cls)) if attrs.has(cls) else len(dataclasses.fields(cls))
