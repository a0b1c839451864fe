"""The table of scalar types."""

from __future__ import annotations

from importlib import import_module
from typing import get_args

import pytest

import farcall
from farcall._contract.definitions import Definitions
from farcall._contract.describe import describe
from farcall._contract.scalars import SCALARS, ScalarName, ScalarType
from farcall._contract.spec import Scalar

ROWS = pytest.mark.parametrize("scalar", SCALARS.values(), ids=list(SCALARS))


def test_every_name_has_a_row() -> None:
    """The table has one row for each name that a contract may have."""
    assert tuple(SCALARS) == get_args(ScalarName)


@ROWS
def test_the_class_is_annotated(scalar: ScalarType) -> None:
    """The class of a row is described as the type of that row."""
    assert describe(scalar.cls, Definitions()) == Scalar(scalar.name)


@ROWS
def test_the_source_names_the_class(scalar: ScalarType) -> None:
    """A stub finds the class of a row under the name in its source."""
    if scalar.name == "none":
        assert scalar.source == "None"
    elif scalar.name == "json":
        assert scalar.source == "farcall.Json"
        assert hasattr(farcall, scalar.python_name)
    else:
        module = import_module(scalar.module or "builtins")
        assert getattr(module, scalar.python_name) is scalar.cls


@ROWS
def test_what_reads_a_type_has_its_forms(scalar: ScalarType) -> None:
    """A type that reads every value of another takes all of its forms in JSON."""
    assert all(set(scalar.forms) <= set(SCALARS[name].forms) for name in scalar.read_by)
