"""Error objects of any peer become exceptions."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from farcall import InternalError, InvalidResult, RpcError
from farcall._connection.call import RemoteFailure
from farcall._declare import method_of
from farcall._failures import error_of
from tests.unit.failures.workshop import Broken, Worn, leaves, parts


async def work(self: Any) -> None:
    pass


METHOD = method_of(work, "work", [Broken, Worn])
DATA: dict[str, object] = {"code": "Broken", "fields": {"part": "axle"}}
BROKEN = {"code": 1, "message": "!", "data": DATA}


def arrived(code: int, data: object) -> Exception:
    return error_of(RemoteFailure(code, "!", msgspec.json.encode(data)), METHOD)


def group(*errors: object, **more: object) -> dict[str, Any]:
    return {"code": 2, "message": "g", "data": {"errors": list(errors), **more}}


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {},
        {"errors": []},
        {"errors": {}},
        {"errors": [1]},
        {"errors": [{"code": "x", "message": "y"}]},
        {"errors": [{"code": 1}]},
        {"errors": [BROKEN], "code": "Mine"},
    ],
)
def test_code_2_may_mean_something_else(data: object) -> None:
    """Another peer may use the code of groups for an error of its own; its data stay unchanged."""
    exc = arrived(2, data)

    assert type(exc) is RpcError
    assert (exc.code, exc.data) == (2, data)


def test_a_hostile_group_has_64_leaves_at_most() -> None:
    """At any depth; one more error replaces the rest, and no group is empty."""
    for part in (BROKEN, group(BROKEN, BROKEN), group(BROKEN, BROKEN, BROKEN)):
        errors = [part] * 5_000
        exc = arrived(2, {"errors": errors})
        found = leaves(exc)

        assert len(found) == 65
        assert [type(each) for each in found[:64]] == [Broken] * 64
        assert isinstance(found[64], InternalError)
        assert found[64].data == {"limit": "leaves", "most": 64}


def test_a_hostile_group_is_eight_deep_at_most() -> None:
    """A deeper group is one error without its parts."""
    error: Any = BROKEN
    for _ in range(20):
        error = group(error)

    exc: BaseException = arrived(2, error["data"])

    for _ in range(8):
        (exc,) = parts(exc)
    assert isinstance(exc, InternalError)
    assert exc.data == {"limit": "levels", "most": 8}


def test_a_hostile_row_of_causes_is_cut() -> None:
    """A chain of causes ends at the depth of groups."""
    error: Any = BROKEN
    for _ in range(20):
        error = {**BROKEN, "data": {**DATA, "cause": error}}

    exc: BaseException | None = arrived(1, error["data"])

    count = 0
    while exc is not None:
        exc, count = exc.__cause__, count + 1
    assert count == 8


@pytest.mark.parametrize("cause", [None, 7, {}, {"code": 1}, {"code": 1, "message": None}])
def test_a_cause_that_is_none_is_left_out(cause: object) -> None:
    """A malformed cause is ignored, and the error itself is raised."""
    exc = arrived(1, {**DATA, "cause": cause})

    assert isinstance(exc, Broken)
    assert exc.__cause__ is None


def test_a_frozen_error_has_its_cause_and_its_notes() -> None:
    """A frozen attrs class takes a cause and notes, which are no fields."""
    exc = arrived(1, {"code": "Worn", "fields": {}, "cause": BROKEN, "notes": ["look here"]})

    assert isinstance(exc, Worn)
    assert isinstance(exc.__cause__, Broken)
    assert exc.__notes__ == ["look here"]


@pytest.mark.parametrize("notes", [None, "x", [1], {}])
def test_notes_that_are_none_are_left_out(notes: object) -> None:
    """Malformed notes and tracebacks are ignored."""
    exc = arrived(1, {**DATA, "notes": notes, "traceback": 7})

    assert isinstance(exc, Broken)
    assert not hasattr(exc, "__notes__")


def test_data_that_cannot_be_read_are_no_reason_to_fail() -> None:
    """The exception says that the data of the error could not be read."""
    exc = error_of(RemoteFailure(7, "seven", b"1e999"), METHOD)

    assert isinstance(exc, InvalidResult)
    assert "error 7 (seven)" in str(exc)
