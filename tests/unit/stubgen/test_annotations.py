"""Writing types as annotations."""

from __future__ import annotations

import pytest

from farcall._contract.scalars import ScalarName
from farcall._contract.spec import (
    ArrayOf,
    EnumMember,
    LiteralOf,
    MapOf,
    Parameter,
    RecordSpec,
    Ref,
    Scalar,
    ServiceSpec,
    TupleOf,
    TypeSpec,
    UnionOf,
)
from farcall.stubgen._annotations import annotation
from farcall.stubgen._layout import flat
from farcall.stubgen._names import Names

INT, STR = Scalar("int"), Scalar("str")


def written(spec: TypeSpec) -> str:
    page = RecordSpec("Page", "attrs", (), ("T",))
    return flat(annotation(spec, Names(ServiceSpec("S", "S", (), (), (page,)))))


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("none", "None"),
        ("bool", "bool"),
        ("bytes", "bytes"),
        ("timedelta", "timedelta"),
        ("uuid", "UUID"),
        ("decimal", "Decimal"),
        ("pureposixpath", "PurePosixPath"),
        ("ipv4address", "IPv4Address"),
        ("zoneinfo", "ZoneInfo"),
        ("json", "farcall.Json"),
    ],
)
def test_types_without_parts(name: ScalarName, source: str) -> None:
    """Scalar types are written by their Python names."""
    assert written(Scalar(name)) == source


@pytest.mark.parametrize(
    ("spec", "source"),
    [
        (ArrayOf("list", INT), "list[int]"),
        (ArrayOf("tuple", INT), "tuple[int, ...]"),
        (ArrayOf("sequence", INT), "Sequence[int]"),
        (TupleOf((INT, STR)), "tuple[int, str]"),
        (TupleOf(()), "tuple[()]"),
        (MapOf("dict", STR, INT), "dict[str, int]"),
        (MapOf("mapping", STR, INT), "Mapping[str, int]"),
        (UnionOf((INT, Scalar("none"))), "int | None"),
        (LiteralOf((1, "a", EnumMember("Side", "BUY"), None)), 'Literal[1, "a", Side.BUY, None]'),
        (Ref("Page", (Parameter("T"),)), "Page[T]"),
        (Ref("Quote"), "Quote"),
    ],
)
def test_types_with_parts(spec: TypeSpec, source: str) -> None:
    """Containers and unions are written as in the service."""
    assert written(spec) == source
