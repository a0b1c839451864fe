"""Types that several services use stand in one module."""

from __future__ import annotations

import ast
import importlib
import os
import sys
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import attrs
import pytest
from msgspec.structs import replace

from farcall import EncodeError, service, testing
from farcall._declare import documented, service_of
from farcall.stubgen import StubError, check, render, write
from farcall.stubgen._module import render_shared
from farcall.stubgen._on_disk import read_shared
from farcall.stubgen._sharing import OnDisk, Stub, share
from tests.unit.stubgen.bazaar import Bazaar
from tests.unit.stubgen.market_square import Bank, Fair, Money, Post, Shop
from tests.unit.stubgen.test_generated import ruff
from tests.unit.stubgen.test_same_aliases import Aliased
from tests.unit.stubgen.test_same_defaults import Shop as Defaults
from tests.unit.stubgen.test_same_records import Shelf

SHARED = ["Account", "Broke", "Currency", "Money", "Owner", "Page", "Trouble", "Wallet"]


@attrs.frozen
class Ticket:
    number: int


@service
class Counter:
    async def draw(self) -> Ticket:
        return Ticket(1)


@service
class Desk:
    async def show(self, ticket: Ticket) -> None: ...


def shared_source(stubs: Sequence[Stub], on_disk: OnDisk) -> str:
    sharing = share(stubs, on_disk, "_shared")
    return render_shared(sharing.spec, sharing.names, sharing.users)


def defined_in(path: Path) -> list[str]:
    """Return the names of classes and assignments in a module, sorted."""
    names = list[str]()
    for each in ast.parse(path.read_text()).body:
        match each:
            case ast.ClassDef(name=name) | ast.AnnAssign(target=ast.Name(id=name)):
                names.append(name)
            case ast.Assign(targets=[ast.Name(id=name)]) if name not in ("__all__", "T"):
                names.append(name)
            case _:
                pass
    return sorted(names)


@pytest.fixture
def stubs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a folder that can be imported as the package ``stubs``."""
    monkeypatch.syspath_prepend(tmp_path)
    before = {*sys.modules}
    for name in [each for each in before if each.partition(".")[0] == "stubs"]:
        monkeypatch.delitem(sys.modules, name)
    yield tmp_path / "stubs"
    for name in {*sys.modules} - before:
        del sys.modules[name]


def stub(name: str) -> ModuleType:
    importlib.invalidate_caches()
    return importlib.import_module(f"stubs.{name}")


def test_shared_types_stand_in_one_module(tmp_path: Path) -> None:
    """The shared module defines each type that two services use, each stub only its own."""
    paths = write([Bank, Shop], tmp_path)

    assert paths == [tmp_path / "bank.py", tmp_path / "shop.py", tmp_path / "_shared.py"]
    assert defined_in(paths[2]) == SHARED
    assert defined_in(paths[0]) == ["BankProxy", "Interest"]
    assert defined_in(paths[1]) == ["Receipt", "ShopProxy"]


def test_the_shared_module_has_the_name_that_is_asked_for(tmp_path: Path) -> None:
    """`shared=` names the module."""
    paths = write([Bank, Shop], tmp_path, shared="types")

    assert paths[2] == tmp_path / "types.py"
    assert "from .types import " in paths[0].read_text()
    assert check([Bank, Shop], tmp_path, shared="types") == ""


def test_services_without_common_types_share_no_module(tmp_path: Path) -> None:
    """Without shared types the stubs are those of `render`, and there is no other module."""
    paths = write([Bank, Post], tmp_path)

    assert [each.read_text() for each in paths] == [render(Bank), render(Post)]
    assert sorted(tmp_path.iterdir()) == paths


def test_both_stubs_export_the_same_class(stubs: Path) -> None:
    """A stub exports all types that its service uses; a shared one is the same in both."""
    write([Bank, Shop], stubs)

    bank, shop, shared = stub("bank"), stub("shop"), stub("_shared")

    assert bank.Money is shop.Money is shared.Money
    assert bank.__all__ == sorted([*SHARED, "BankProxy", "Interest"])
    assert shop.__all__ == sorted({*SHARED, "ShopProxy", "Receipt"} - {"Trouble"})
    assert shared.__all__ == SHARED


async def test_a_result_of_one_service_is_an_argument_of_another(stubs: Path) -> None:
    """`await shop.pay(await bank.balance())` works, and an error of both can be caught."""
    write([Bank, Shop], stubs)
    bank, shop = stub("bank"), stub("shop")

    async with (
        testing.open_pair(Bank(), bank.BankProxy) as first,
        testing.open_pair(Shop(), shop.ShopProxy) as second,
    ):
        receipt = await second.client.pay(await first.client.balance("main"))
        with pytest.raises(bank.Trouble) as caught:
            await second.client.pay(bank.Money(Decimal(12)))

    assert receipt.text == "4 EUR of main"
    assert caught.value.missing == bank.Money(Decimal(2))


async def test_namesakes_of_two_stubs_are_named_with_their_modules(stubs: Path) -> None:
    """A record of another stub, written without a shared module, is refused with both modules."""
    write([Bank], stubs)
    write([Shop], stubs)
    bank, shop = stub("bank"), stub("shop")

    async with testing.open_pair(Shop(), shop.ShopProxy) as pair:
        with pytest.raises(EncodeError, match=r"expected stubs\.shop\.Money, got stubs\.bank\.M"):
            await pair.client.pay(bank.Money(Decimal(1)))


def test_different_types_of_one_name_stay_in_their_own_modules(tmp_path: Path) -> None:
    """`Fair.Receipt` is another class than the `Receipt` of Shop, so neither is shared."""
    write([Fair, Shop, Bank], tmp_path)

    assert "Receipt" in defined_in(tmp_path / "fair.py")
    assert "Receipt" in defined_in(tmp_path / "shop.py")
    assert defined_in(tmp_path / "_shared.py") == SHARED


@pytest.mark.parametrize("services", [[Bank], [Shop], [Shop, Bank], [Fair, Shop, Bank]])
def test_a_run_for_some_services_keeps_the_shared_types(
    tmp_path: Path, services: list[type[Any]]
) -> None:
    """A run for some of the services, in any order, finds all stubs up to date."""
    write([Bank, Fair, Shop], tmp_path)
    before = {path: path.read_text() for path in tmp_path.iterdir()}

    assert check(services, tmp_path) == ""
    write(services, tmp_path)

    assert {path: path.read_text() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("cls", [Aliased, Shelf, Defaults, Bazaar])
def test_each_kind_of_type_is_kept(tmp_path: Path, cls: type[Any]) -> None:
    """A run without the services of shared types writes these types as they were."""
    found = service_of(cls)
    specs = [replace(documented(found), class_name=name) for name in ("One", "Two")]
    path = tmp_path / "_shared.py"
    path.write_text(shared_source([Stub(spec, "", found.types) for spec in specs], OnDisk()))

    assert shared_source([], read_shared(path)) == path.read_text()


def test_another_run_adds_its_types(tmp_path: Path) -> None:
    """A run for other services keeps the shared types that are there, and adds its own."""
    write([Bank, Shop], tmp_path)
    write([Counter, Desk], tmp_path)

    assert defined_in(tmp_path / "_shared.py") == sorted([*SHARED, "Ticket"])
    assert check([Bank, Shop], tmp_path) == check([Counter, Desk], tmp_path) == ""


def test_a_service_joins_those_that_share_a_type(tmp_path: Path) -> None:
    """A service that is written later imports the shared types that it uses."""
    write([Bank, Shop], tmp_path)
    write([Fair], tmp_path)

    assert defined_in(tmp_path / "fair.py") == ["FairProxy", "Receipt"]
    assert f"{Money.__module__}.Money: Bank, Fair, Shop\n" in (tmp_path / "_shared.py").read_text()


def test_a_run_for_others_does_not_read_the_shared_module(tmp_path: Path) -> None:
    """A run without shared types leaves the shared module of other services alone."""
    *_, shared = write([Bank, Shop], tmp_path)
    shared.write_text(shared.read_text() + "1 / 0\n")

    assert check([Counter], tmp_path) != ""
    assert write([Counter], tmp_path) == [tmp_path / "counter.py"]
    assert check([Counter], tmp_path) == ""


def test_only_the_types_of_a_run_are_out_of_date(tmp_path: Path) -> None:
    """A changed type is a difference for the services that use it, and it is written again."""
    *_, shared = write([Bank, Shop], tmp_path)
    right = shared.read_text()
    shared.write_text(right.replace("amount: Decimal", "amount: float"))

    assert check([Counter], tmp_path).startswith(f"--- {os.devnull}\n+++ {tmp_path}/counter.py\n")
    assert check([Counter], tmp_path).count("--- ") == 1
    assert "-    amount: float\n+    amount: Decimal\n" in check([Bank], tmp_path)
    write([Bank], tmp_path)
    assert shared.read_text() == right


def test_a_type_that_one_service_no_longer_uses_stays_for_the_other(tmp_path: Path) -> None:
    """A type stays in the shared module until the stub that imports it is written as well."""
    write([Counter, Desk], tmp_path)
    desk = (tmp_path / "desk.py").read_text()

    write([other_desk()], tmp_path)

    assert "Ticket: Counter\n" in (tmp_path / "_shared.py").read_text()
    assert defined_in(tmp_path / "_shared.py") == ["Ticket"]
    assert (tmp_path / "desk.py").read_text() != desk
    write([Counter], tmp_path)
    assert "Ticket" in defined_in(tmp_path / "counter.py")
    assert not (tmp_path / "_shared.py").exists()


def test_a_shared_module_without_types_is_removed(tmp_path: Path) -> None:
    """When the services share nothing any more, check() reports the module, write() removes it."""
    *_, shared = write([Counter, Desk], tmp_path)
    services = [Counter, other_desk()]

    assert f"--- {shared}\n+++ {os.devnull}\n" in check(services, tmp_path)
    assert write(services, tmp_path) == [tmp_path / "counter.py", tmp_path / "desk.py"]
    assert not shared.exists()
    assert check(services, tmp_path) == ""


def other_desk() -> type[Any]:
    """Return a later version of Desk, which shares nothing with Counter."""

    async def show(self: object, number: int) -> None: ...

    return service(type("Desk", (), {"show": show, "__module__": __name__}))


def test_the_order_of_the_services_does_not_matter(tmp_path: Path) -> None:
    """The modules are the same for any order of the services."""
    write([Bank, Fair, Shop], tmp_path)

    assert check([Shop, Fair, Bank], tmp_path) == ""


def test_the_shared_module_is_formatted(tmp_path: Path) -> None:
    """The stubs and the shared module are formatted as by ruff format, with sorted imports."""
    for path in write([Bank, Shop], tmp_path):
        source = path.read_text()
        assert ruff("format", "--diff", source=source) == ""
        assert ruff("check", "--select=F,I,W,UP,B,C4,PIE,RET", source=source) == ""


def refusal(services: list[Any], folder: Path, **options: Any) -> str:
    before = {path: path.read_bytes() for path in folder.glob("*")}
    for refused in (write, check):
        with pytest.raises(StubError) as caught:
            refused(services, folder, **options)
    assert {path: path.read_bytes() for path in folder.glob("*")} == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_two_shared_types_of_one_name_are_refused(tmp_path: Path) -> None:
    """Two types of one name cannot both be shared; the error says what to do."""

    @attrs.frozen
    class Ticket:
        text: str

    @service
    class Train:
        async def ride(self, ticket: Ticket) -> None: ...

    @service
    class Ferry(Train):
        pass

    home = f"{__name__}.test_two_shared_types_of_one_name_are_refused.<locals>"
    assert refusal([Counter, Desk, Train, Ferry], tmp_path) == (
        f"two types for _shared.py are called Ticket: {__name__}.Ticket, of Counter and Desk, and"
        f" {home}.Ticket, of Ferry and Train: rename one of them, or write the stubs of these"
        " services in separate runs, each with its own --shared"
    )
    write([Counter, Desk], tmp_path)
    assert refusal([Train, Ferry], tmp_path) == (
        f"two types for _shared.py are called Ticket: {__name__}.Ticket, of Counter and Desk, and"
        f" {home}.Ticket, of Ferry and Train: write the stub of Counter and Desk as well if it is"
        " out of date, or rename one of them, or write the stubs of these services in separate"
        " runs, each with its own --shared"
    )
    write([Train, Ferry], tmp_path, shared="_travel")
    assert check([Counter, Desk], tmp_path) == ""
    assert check([Train, Ferry], tmp_path, shared="_travel") == ""


def test_a_shared_module_with_crlf_is_up_to_date(tmp_path: Path) -> None:
    """The shared module may have CRLF line ends, for all of its services and for some."""
    for path in write([Bank, Shop], tmp_path):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))

    assert check([Bank, Shop], tmp_path) == check([Bank], tmp_path) == ""


def test_an_alias_on_disk_cannot_give_way_to_a_field(tmp_path: Path) -> None:
    """An alias that a stub on disk imports cannot be dropped; the error names that stub."""
    *_, shared = write([Counter, Desk], tmp_path)
    source = shared.read_text().replace("\n\n\n@attrs", "\n\n\nnumber: TypeAlias = str\n\n\n@attrs")
    source = source.replace("import attrs", "from typing import TypeAlias\n\nimport attrs")
    shared.write_text(source.replace("\n\ntests", "\n\nnumber: Desk\ntests"))

    assert refusal([Counter], tmp_path) == (
        "_shared.py can no longer have the alias number: write the stub of Desk as well"
    )


def pair_of_services(first: str, second: str) -> list[type[Any]]:
    """Return two services with a class of their own, which has the same name each time."""

    class Ticket(NamedTuple):
        number: int

    async def show(self: object, ticket: Ticket) -> None: ...

    show.__annotations__ = {"ticket": Ticket, "return": None}
    around = {"show": show, "__module__": __name__}
    return [service(type(name, (), around)) for name in (first, second)]


def test_classes_that_a_function_makes_are_told_apart(tmp_path: Path) -> None:
    """Classes with one module and one full name are different types as well."""
    one, other = pair_of_services("One", "Other")
    third, _ = pair_of_services("Third", "Fourth")
    home = f"{__name__}.pair_of_services.<locals>.Ticket"

    *_, shared = write([one, other, third], tmp_path)

    assert f"\n\n{home}: One, Other\n" in shared.read_text()
    assert "Ticket" in defined_in(tmp_path / "third.py")
    assert refusal([one, other, *pair_of_services("Third", "Fourth")], tmp_path).startswith(
        f"two types for _shared.py are called Ticket: {home}, of Fourth and Third,"
        f" and {home} (2), of One and Other: "
    )


@pytest.mark.parametrize("name", ["a.b", "class", "../x", "a-b"])
def test_the_name_of_the_shared_module_can_be_imported(tmp_path: Path, name: str) -> None:
    """A name that Python cannot import is refused."""
    assert refusal([Bank], tmp_path, shared=name) == (
        f"{name!r} cannot be the name of a module: write one such as --shared _shared"
    )


def test_the_shared_module_is_no_stub(tmp_path: Path) -> None:
    """The name of the shared module must not be that of a stub."""
    write([Counter], tmp_path)

    assert refusal([Bank, Shop], tmp_path, shared="shop") == (
        f"{tmp_path}/shop.py is the stub of Shop: choose another name for the shared types"
        " (--shared)"
    )
    assert refusal([Bank, Shop], tmp_path, shared="counter") == (
        f"{tmp_path}/counter.py is no module of shared types that farcall has written, so it stays"
        f" as it is: choose another name (--shared), or remove {tmp_path}/counter.py"
    )


def test_a_shared_module_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """The error for a broken shared module says why, and which stubs to write."""
    *_, shared = write([Bank, Shop], tmp_path)
    shared.write_text(shared.read_text() + "1 / 0\n")

    message = refusal([Bank], tmp_path)

    assert message.startswith(f"{shared} cannot be read ({shared}:")
    assert message.endswith(
        "ZeroDivisionError: division by zero): remove it, and write the stubs of Bank and Shop"
        " together"
    )
