"""Which exception comes out of a nursery that is an inner matter."""

from __future__ import annotations

import pytest
import trio

from farcall._nursery import open_owned_nursery


async def fail(error: Exception) -> None:
    raise error


async def test_a_single_error_comes_out_as_itself() -> None:
    """The only error of a body or a task beside cancellations is raised as it is."""
    with pytest.raises(KeyError) as of_body:
        async with open_owned_nursery():
            raise KeyError("body")
    with pytest.raises(KeyError, match="task"):
        async with open_owned_nursery() as nursery:
            nursery.start_soon(fail, KeyError("task"))

    assert of_body.value.__context__ is None


async def test_several_errors_stay_a_group() -> None:
    """Several errors leave the nursery as a group."""
    with pytest.RaisesGroup(KeyError, ValueError):
        async with open_owned_nursery() as nursery:
            nursery.start_soon(fail, KeyError("task"))
            nursery.start_soon(fail, ValueError("task"))


async def test_a_group_of_the_user_stays_whole() -> None:
    """A group that the user raised keeps its layers."""
    with pytest.RaisesGroup(KeyError):
        async with open_owned_nursery():
            raise ExceptionGroup("mine", [KeyError("x")])


async def test_cancellation_passes_through() -> None:
    """A cancellation leaves the nursery as Cancelled, which its scope catches."""
    with trio.CancelScope() as scope:
        async with open_owned_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            scope.cancel()
            with pytest.raises(trio.Cancelled):
                await trio.sleep_forever()

    assert scope.cancelled_caught
