"""Exceptions become error objects."""

from __future__ import annotations

import logging
from typing import Any

import msgspec
import pytest

from farcall import RpcError
from farcall._declare import method_of
from farcall._failures import describe
from farcall._failures.to_error import MAX_DEBUG_TEXT
from tests.unit.failures.workshop import Broken, Worn, caused


async def work(self: Any) -> None:
    pass


METHOD = method_of(work, "work", [Broken, Worn])


def test_errors_hold_error_objects() -> None:
    """A cause, and each part of a group, is an error object itself."""
    broken = caused(Broken("axle"), Worn(1))

    error = describe(ExceptionGroup("two", [broken, RpcError(7, "seven")]), METHOD)

    assert msgspec.json.decode(error.render()) == {
        "code": 2,
        "message": "two",
        "data": {
            "errors": [
                {
                    "code": 1,
                    "message": "Broken: part=axle",
                    "data": {
                        "code": "Broken",
                        "fields": {"part": "axle"},
                        "cause": {
                            "code": 1,
                            "message": "Worn: by=1",
                            "data": {"code": "Worn", "fields": {"by": 1}},
                        },
                    },
                },
                {"code": 7, "message": "seven"},
            ]
        },
    }


@pytest.mark.parametrize("make", [lambda: Broken("axle"), lambda: KeyError("x" * 99_999)])
def test_debug_members_are_bounded_texts(make: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Notes and tracebacks are cut to a length, and are always JSON."""
    caplog.set_level(
        logging.CRITICAL
    )  # the log would hold a lone surrogate, which xdist cannot send
    exc = make()
    for note in ["\ud800", "x" * 99_999]:
        exc.add_note(note)
    exc.__notes__.append(7)

    data = msgspec.json.decode(describe(exc, METHOD, debug=True).data or b"")

    assert data["notes"] == ["\\ud800", "x" * MAX_DEBUG_TEXT, "7"]
    assert len(data["traceback"]) <= MAX_DEBUG_TEXT
