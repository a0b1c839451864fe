"""Loading the services named on a command line."""

from __future__ import annotations

import calendar
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from farcall import DeclarationError
from farcall._cli.targets import load
from farcall._declare import Rule, service_of
from farcall.stubgen import StubError

SHOP = """
from farcall import functions, service

@service
class Shop:
    async def buy(self) -> None: ...
    class Corner: ...

def add(a: int) -> int:
    return a

calculator = functions(add, name="calc")
opened = Shop()
number = 3
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Work in a folder of its own; what is imported from there is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    known = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - known:
        del sys.modules[name]


def refusal(target: str) -> str:
    with pytest.raises(StubError) as caught:
        load(target)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", ["Shop", "opened", "calculator"])
def test_services_are_found_in_the_working_directory(project: Path, name: str) -> None:
    """Services of a module in the working directory are loaded by name."""
    (project / "shop_a.py").write_text(SHOP)

    assert service_of(load(f"shop_a:{name}")).spec.methods


def test_the_working_directory_comes_first_once(project: Path) -> None:
    """Loading several services adds the working directory to sys.path once."""
    (project / "shop_b.py").write_text(SHOP)

    load("shop_b:Shop")
    load("shop_b:opened")

    assert sys.path.count(str(project)) == 1
    assert sys.path[0] == str(project)


@pytest.mark.parametrize(
    "target", ["shop", "shop:", ":Shop", "shop.py/x:Shop", ".shop:Shop", "shop:Shop()", ""]
)
def test_a_target_names_module_and_class(target: str) -> None:
    """A target without module or class is refused; the error shows the form."""
    assert refusal(target) == f"{target!r} is not module:Class, such as shop.service:Shop"


def test_a_missing_module_is_named(project: Path) -> None:
    """The error for a missing module says where it was looked for."""
    assert refusal("shop_c:Shop") == (
        f"there is no module shop_c, neither in {project} nor installed"
    )


def test_a_missing_part_of_the_name_is_named(project: Path) -> None:
    """The error for a missing package names the first part that is missing."""
    (project / "shop_d").mkdir()

    assert refusal("shop_d.service.v1:Shop").startswith("there is no module shop_d.service,")
    assert refusal("shop_e.service:Shop").startswith("there is no module shop_e,")


@pytest.mark.parametrize(
    ("path", "target", "hider"),
    [
        ("calendar.py", "calendar:Shop", calendar.__file__),
        ("calendar.py", "calendar:Calendar", calendar.__file__),
        ("calendar/__init__.py", "calendar:Shop", calendar.__file__),
        ("hypothesis/service.py", "hypothesis.service:Shop", hypothesis.__file__),
        ("time.py", "time:Shop", "built into Python"),
    ],
)
def test_a_module_that_another_one_hides_is_named(
    project: Path, path: str, target: str, hider: str
) -> None:
    """Python has imported the other one already, so the file of the user is never read."""
    (project / path).parent.mkdir(exist_ok=True)
    (project / path).write_text(SHOP)
    name = path.partition("/")[0].removesuffix(".py")

    assert refusal(target) == (
        f"{project / path} is hidden by another module called {name} ({hider}): rename yours"
    )


def test_a_folder_without_the_module_hides_nothing(project: Path) -> None:
    """A missing module of an installed package is reported as missing."""
    (project / "calendar").mkdir()

    assert refusal("calendar:Shop") == "calendar has no Shop"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (
            "import nowhere_to_be_found",
            "ModuleNotFoundError: No module named 'nowhere_to_be_found'",
        ),
        (
            "from os import nothing_such",
            "ImportError: cannot import name 'nothing_such' from 'os'",
        ),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("def (:", "SyntaxError: invalid syntax"),
        ("raise KeyError", "KeyError"),
        ("raise ValueError('two\\nlines')", "ValueError: two lines"),
    ],
)
def test_a_module_that_fails_is_another_matter(project: Path, line: str, reason: str) -> None:
    """An exception in a module is reported with the line that raised it."""
    (project / "shop_f.py").write_text(f"\n{line}\n")

    message = refusal("shop_f:Shop")

    assert message.startswith(f"shop_f cannot be imported: {project / 'shop_f.py'}:2: {reason}")


def test_a_missing_attribute_is_named(project: Path) -> None:
    """The error for a missing attribute names it with its dots."""
    (project / "shop_g.py").write_text(SHOP)

    assert refusal("shop_g:Market") == "shop_g has no Market"
    assert refusal("shop_g:Shop.Market") == "shop_g has no Shop.Market"


@pytest.mark.parametrize("name", ["number", "add", "Shop.buy", "Shop.Corner"])
def test_what_is_no_service_is_refused(project: Path, name: str) -> None:
    """A target that is not a service is refused; the error says why."""
    (project / "shop_h.py").write_text(SHOP)

    assert refusal(f"shop_h:{name}") == (
        f"shop_h:{name} is no service: decorate the class with @service"
    )


def test_a_wrong_declaration_speaks_for_itself(project: Path) -> None:
    """A DeclarationError of a module is shown unchanged."""
    (project / "shop_i.py").write_text(SHOP.replace("-> None", ""))

    with pytest.raises(DeclarationError, match="FC101"):
        load("shop_i:Shop")


def test_a_class_that_breaks_the_contract_it_inherits_speaks_for_itself(project: Path) -> None:
    """An undecorated subclass that breaks its contract is shown with its own error."""
    (project / "shop_j.py").write_text(
        SHOP + "class Other(Shop):\n    async def buy(self, n: int) -> int: ...\n"
    )

    with pytest.raises(DeclarationError) as caught:
        load("shop_j:Other")

    assert caught.value.number != Rule.NO_SERVICE
