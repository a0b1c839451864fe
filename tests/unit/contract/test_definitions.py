"""The named types of a contract."""

from __future__ import annotations

from farcall._contract.definitions import Definitions
from farcall._contract.describe import describe
from farcall._contract.spec import Definition, NewTypeSpec, RecordSpec, Scalar
from farcall.errors import ApplicationError


def test_claim() -> None:
    """A name stands for the first class that claimed it, and later claims return that class."""
    definitions = Definitions()

    assert definitions.claim("A", int) is None
    assert definitions.claim("A", str) is int
    assert definitions.claimed("A") is int
    assert definitions.claimed("B") is None


def test_defined_types_are_a_mapping() -> None:
    """Definitions are found by name, and sorted by name."""
    definitions = Definitions()
    a, b = NewTypeSpec("A", Scalar("int")), NewTypeSpec("B", Scalar("int"))

    definitions.define(b)
    definitions.define(a)

    assert dict(definitions) == {"A": a, "B": b}
    assert len(definitions) == 2
    assert definitions.sorted() == (a, b)


class Trouble(ApplicationError):
    pass


class Undeclared(Trouble):
    pass


class Fire(Undeclared):
    pass


def test_an_error_names_the_nearest_base_that_is_declared() -> None:
    """An error has its nearest declared class as base, in whatever order they were described."""
    definitions = Definitions()
    describe(Fire, definitions)
    assert [_base(each) for each in definitions.sorted()] == [None]

    describe(Trouble, definitions)

    assert [_base(each) for each in definitions.sorted()] == ["Trouble", None]


def _base(spec: Definition) -> str | None:
    assert isinstance(spec, RecordSpec)
    return spec.base
