"""Access to members, as declared."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from farcall import DeclarationError, Signal, functions, method, service, stream
from farcall._contract.spec import OPEN, Access, MethodSpec, SignalSpec
from farcall._declare import Rule, service_of

LOCKED = Access(protected=True)
TRADERS = Access(protected=True, roles=frozenset({"trader"}))


@service(protected=True)
class Vault:
    changed: Signal[int] = Signal()
    opened: Signal[int] = Signal(protected=False)
    drained: Signal[int] = Signal(roles={"trader"})

    async def count(self) -> int:
        return 1

    @method(protected=False)
    async def hours(self) -> int:
        return 8

    @method(roles={"trader"})
    async def take(self) -> int:
        return 1


def access_of(thing: object) -> dict[str, Access]:
    spec = service_of(thing).spec
    members: list[MethodSpec | SignalSpec] = [*spec.methods, *spec.signals]
    return {each.wire_name: each.access for each in members}


def test_a_member_says_or_its_class_does() -> None:
    """The access of a member comes before that of its class; a role implies a login."""
    assert access_of(Vault) == {
        "Vault.changed": LOCKED,
        "Vault.opened": OPEN,
        "Vault.drained": TRADERS,
        "Vault.count": LOCKED,
        "Vault.hours": OPEN,
        "Vault.take": TRADERS,
    }


def test_members_are_open_by_default() -> None:
    """Without access options, all members of a service are open."""

    @service
    class Market:
        ticked: Signal[float] = Signal()

        async def quote(self) -> float:
            return 1.0

        @method(protected=True)
        async def buy(self) -> None: ...

    assert access_of(Market) == {
        "Market.ticked": OPEN,
        "Market.quote": OPEN,
        "Market.buy": LOCKED,
    }


def test_what_derives_from_a_protected_class_is_protected() -> None:
    """A subclass of a protected service is protected as well, unless it says otherwise."""

    @service
    class Safe(Vault):
        async def paint(self) -> None: ...

    @service(protected=False)
    class Box(Vault):
        async def paint(self) -> None: ...

    assert access_of(Safe)["Safe.count"] == access_of(Safe)["Safe.paint"] == LOCKED
    assert access_of(Box)["Box.count"] == access_of(Box)["Box.paint"] == OPEN
    assert access_of(Box)["Box.take"] == TRADERS


def test_a_protected_class_protects_what_it_inherits() -> None:
    """Members of an open base are protected in a protected subclass."""

    @service
    class Base:
        async def count(self) -> int:
            return 1

    @service(protected=True)
    class Derived(Base):
        async def take(self) -> None: ...

    assert access_of(Base) == {"Base.count": OPEN}
    assert access_of(Derived) == {"Derived.count": LOCKED, "Derived.take": LOCKED}


@pytest.mark.parametrize("options", [None, {}, {"ordered": True}])
def test_an_override_stays_protected(options: dict[str, Any] | None) -> None:
    """An override keeps the role of its base if its decorator has no access options."""

    @service
    class Base:
        @method(roles={"trader"})
        async def take(self) -> None: ...

    async def take(self: object) -> None: ...

    derived = take if options is None else method(**options)(take)
    cls = service(type("Derived", (Base,), {"take": derived}))

    assert access_of(cls) == {"Derived.take": TRADERS}


def test_an_override_may_open_what_was_protected() -> None:
    """An override can open a protected member by its own decorator."""

    @service
    class Base:
        @method(protected=True)
        async def take(self) -> None: ...

    @service
    class Derived(Base):
        @method(protected=False)
        async def take(self) -> None: ...

    assert access_of(Derived) == {"Derived.take": OPEN}


def test_a_stream_says_or_its_class_does() -> None:
    """A stream of a protected class needs a login, unless it is declared open."""

    @service(protected=True)
    class Vault:
        @stream
        async def watch(self) -> AsyncIterator[int]:
            yield 1

        @stream(protected=False)
        async def count(self) -> AsyncIterator[int]:
            yield 1

        @stream(roles={"trader"})
        async def take(self) -> AsyncIterator[int]:
            yield 1

    accesses = {"Vault.watch": LOCKED, "Vault.count": OPEN, "Vault.take": TRADERS}
    assert access_of(Vault) == accesses


def test_functions_may_be_protected() -> None:
    """A function of a service can be protected by its decorator."""

    @method(protected=True)
    async def take() -> None: ...

    assert access_of(functions(take, name="vault")) == {"vault.take": LOCKED}


def test_access_is_not_in_the_digest() -> None:
    """Access is not part of the digest: it can change without a new stub."""

    def make(**options: Any) -> str:
        async def take(self: object) -> None: ...

        cls = service(**options)(type("Vault", (), {"take": take}))
        return service_of(cls).digest

    assert make() == make(protected=True)


@pytest.mark.parametrize("roles", ["trader", ["trader"], {"trader": 1}, {1}, {""}, None])
def test_roles_are_a_set_of_names(roles: Any) -> None:
    """Roles must be a set of names; a str is refused."""
    with pytest.raises(DeclarationError) as caught:
        method(roles=roles)(lambda: None)

    assert caught.value.number == Rule.BAD_ROLES


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"protected": False, "roles": {"trader"}}, Rule.ROLES_IN_THE_OPEN),
        ({"roles": "trader"}, Rule.BAD_ROLES),
        ({"broadcast": True, "protected": True}, Rule.PROTECTED_BROADCAST),
        ({"broadcast": True, "roles": {"trader"}}, Rule.PROTECTED_BROADCAST),
        ({"broadcast": True, "allow": lambda call, key: True}, Rule.PROTECTED_BROADCAST),
        ({"allow": 3}, Rule.BAD_ALLOW),
        ({"allow": lambda call: True}, Rule.BAD_ALLOW),
    ],
)
def test_contradictions_of_a_signal(options: dict[str, Any], rule: Rule) -> None:
    """Contradictory access options are refused when the class is made."""
    with pytest.raises(DeclarationError) as caught:

        @service
        class Market:
            ticked: Signal[int] = Signal(**options)

    assert caught.value.number == rule


def test_a_broadcast_of_a_protected_class_may_be_opened() -> None:
    """A broadcast in a protected class may be declared open."""

    @service(protected=True)
    class Market:
        ticked: Signal[int] = Signal(broadcast=True, protected=False)

    assert access_of(Market) == {"Market.ticked": OPEN}


@pytest.mark.parametrize("allow", [lambda call, key: True, lambda *args: True, max])
def test_what_may_decide(allow: Any) -> None:
    """allow= takes a function of two arguments; one in C without a signature is accepted."""

    @service
    class Market:
        ticked: Signal[int] = Signal(allow=allow)

    assert access_of(Market) == {"Market.ticked": OPEN}
