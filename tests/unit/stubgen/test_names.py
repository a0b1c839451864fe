"""Choosing names for a module, none of which the service uses."""

from __future__ import annotations

from farcall._contract.spec import (
    FieldSpec,
    MethodSpec,
    RecordSpec,
    Scalar,
    ServiceSpec,
    SignalSpec,
)
from farcall.stubgen._names import Names

NONE = Scalar("none")


def names_beside(
    *members: str, definitions: tuple[str, ...] = (), variables: tuple[str, ...] = ()
) -> Names:
    """Make the names of a service that has these names already."""
    methods = tuple(MethodSpec(each, each, (), NONE) for each in members)
    records = tuple(RecordSpec(each, "attrs", (), variables) for each in definitions)
    return Names(ServiceSpec("Market", "Market", methods, (), records))


def test_builtins_need_no_import() -> None:
    """Builtins are written by their names, without an import."""
    names = names_beside()

    assert names.builtin("list") == "list"
    assert names.imports() == "from __future__ import annotations"


def test_a_hidden_builtin_is_found_in_its_module() -> None:
    """A builtin that a method hides is written as ``builtins.list``."""
    names = names_beside("list")

    assert names.builtin("list") == "builtins.list"
    assert names.builtin("int") == "int"
    assert "import builtins" in names.imports()


def test_members_of_every_class_hide() -> None:
    """Methods, signals and fields can all hide a builtin."""
    record = RecordSpec("Quote", "attrs", (FieldSpec("int", NONE),))
    names = Names(ServiceSpec("S", "S", (), (SignalSpec("str", "S.str", NONE),), (record,)))

    assert [names.builtin(each) for each in ("int", "str")] == ["builtins.int", "builtins.str"]


def test_a_module_one_of_whose_names_is_taken_is_imported_whole() -> None:
    """If one name of a module is taken, the module is imported instead of its names."""
    names = names_beside("date")

    assert names.standard("datetime") == "datetime.datetime"
    assert names.imports().endswith("\n\nimport datetime")


def test_a_module_whose_own_name_is_taken_gets_another() -> None:
    """A module whose name is taken is imported under a name with an underscore."""
    names = names_beside("farcall", "datetime", "collections", "Mapping")

    assert names.module("farcall") == names.module("farcall") == "farcall_"
    assert names.standard("date") == "datetime_.date"
    assert names.standard("Sequence") == "abc_.Sequence"
    assert names.imports().split("\n\n")[1:] == [
        "import collections.abc as abc_\nimport datetime as datetime_",
        "import farcall as farcall_",
    ]


def test_imports_are_sorted() -> None:
    """Imports are sorted by section, kind, module and name."""
    names = names_beside("int")
    for each in ("UUID", "TypeVar", "Literal", "Mapping"):
        names.standard(each)
    names.builtin("int")
    for each in ("farcall", "attrs"):
        names.module(each)

    assert names.imports().split("\n") == [
        "from __future__ import annotations",
        "",
        "import builtins",
        "from collections.abc import Mapping",
        "from typing import Literal, TypeVar",
        "from uuid import UUID",
        "",
        "import attrs",
        "import farcall",
    ]


def test_a_hidden_definition_has_a_second_name() -> None:
    """Only a definition that a member hides has a second name."""
    names = names_beside("Quote", definitions=("Quote", "Deal"))

    assert (names.defined("Quote"), names.alias("Quote")) == ("Quote_", "Quote_")
    assert (names.defined("Deal"), names.alias("Deal")) == ("Deal", None)


def test_given_names_do_not_meet() -> None:
    """No name is chosen twice."""
    names = names_beside("T", "T_", definitions=("T", "MarketProxy"), variables=("T", "K"))

    assert names.proxy == "MarketProxy_"
    assert names.variables == ("K", "T__")
    assert names.variable("T") == "T__"
    assert names.alias("T") == "T___"


def imports_of(*names: str, module: str = "._shared") -> str:
    """Return the import of these definitions from another module."""
    records = tuple(RecordSpec(each, "attrs", ()) for each in names)
    spec = ServiceSpec("Market", "Market", (), (), records)
    return Names(spec, dict.fromkeys(names, module)).imports().partition("\n\n")[2]


def test_imports_are_sorted_as_ruff_does() -> None:
    """Constants stand before classes, and those before other names; numbers count as numbers."""
    assert imports_of("b", "A10", "a", "A2", "Ab", "AB", "C") == (
        "from ._shared import A2, A10, AB, Ab, C, a, b"
    )


def test_a_long_import_is_broken() -> None:
    """An import that does not fit on a line has a line for each name."""
    names = [f"Quote{number}" for number in range(12)]
    listed = "".join(f"    {each},\n" for each in names)

    assert imports_of(*names) == f"from ._shared import (\n{listed})"


def test_the_shared_module_is_imported_last() -> None:
    """Modules of the user have a section of their own, above the module beside the stub."""
    records = tuple(RecordSpec(each, "attrs", ()) for each in ("A", "B", "C"))
    spec = ServiceSpec("Market", "Market", (), (), records)
    names = Names(spec, {"A": "._shared", "B": "shop.models", "C": "shop.errors"})
    names.module("attrs")

    assert names.imports() == (
        "from __future__ import annotations\n\n"
        "import attrs\n\n"
        "from shop.errors import C\nfrom shop.models import B\n\n"
        "from ._shared import A"
    )


def test_fields_of_imported_records_hide_nothing() -> None:
    """The body of an imported class is in another module, so its members are free here."""
    record = RecordSpec("Quote", "attrs", (FieldSpec("int", NONE),))
    names = Names(ServiceSpec("S", "S", (), (), (record,)), {"Quote": "._shared"})

    assert names.builtin("int") == "int"
