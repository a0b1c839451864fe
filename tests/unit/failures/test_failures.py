"""The exception of the caller for each exception of a handler."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import farcall
from farcall import InternalError, RpcError, service
from farcall.testing import open_pair
from tests.ends import KINDS, Kind, open_client
from tests.unit.failures.workshop import (
    Broken,
    Mute,
    Secret,
    Workshop,
    Worn,
    caused,
    depth,
    leaves,
    nested,
    parts,
)


async def failure_of(fails_with: Callable[[], object], *, kind: Kind = "memory") -> Exception:
    """Call a handler that fails, check that the link is still usable, and return the exception."""
    async with open_client(kind, Workshop(fails_with)) as session:
        proxy = session.proxy(WorkshopProxy)
        with pytest.raises(Exception) as caught:  # noqa: PT011 - the tests look at it
            await proxy.work()
        assert await proxy.healthy() == "fine"
    return caught.value


class WorkshopProxy(farcall.Proxy, service="Workshop"):
    """The part of a stub that farcall generates."""

    @farcall.endpoint("Workshop.work", raises=[Broken, Worn])
    async def work(self) -> None:
        raise NotImplementedError

    @farcall.endpoint("Workshop.work_inline", raises=[Broken, Worn])
    async def work_inline(self) -> None:
        raise NotImplementedError

    @farcall.endpoint("Workshop.healthy")
    async def healthy(self) -> str:
        raise NotImplementedError


# Causes


@pytest.mark.parametrize("kind", KINDS)
async def test_a_declared_cause_travels(kind: Kind) -> None:
    """It is `__cause__` of the exception, with its own class and its own cause."""
    exc = await failure_of(
        lambda: caused(Broken("axle"), caused(Worn(3), Broken("oil"))), kind=kind
    )

    assert isinstance(exc, Broken)
    assert isinstance(exc.__cause__, Worn)
    assert exc.__cause__.by == 3
    assert isinstance(exc.__cause__.__cause__, Broken)
    assert exc.__suppress_context__


@pytest.mark.parametrize(
    "cause",
    [KeyError("secret"), Secret("secret"), RpcError(7, "secret"), ExceptionGroup("x", [Worn()])],
)
async def test_any_other_cause_stays_where_it_is(cause: Exception) -> None:
    """A cause that the method does not declare is not sent."""
    exc = await failure_of(lambda: caused(Broken("axle"), cause))

    assert isinstance(exc, Broken)
    assert exc.__cause__ is None


async def test_an_endless_row_of_causes_is_cut() -> None:
    """Of two errors that are causes of each other the caller gets eight levels."""

    def loop() -> Exception:
        first, second = Broken("axle"), Worn()
        first.__cause__, second.__cause__ = second, first
        return first

    exc: BaseException | None = await failure_of(loop)

    seen = 0
    while exc is not None:
        exc, seen = exc.__cause__, seen + 1
    assert seen == 8


# Groups


@pytest.mark.parametrize("kind", KINDS)
async def test_a_group_arrives_as_a_group(kind: Kind, caplog: pytest.LogCaptureFixture) -> None:
    """In the same shape: declared errors and RpcError unchanged, all others redacted."""

    def fail() -> Exception:
        inner = ExceptionGroup("inner", [RpcError(7, "as it is", [1]), KeyError("secret")])
        return caused(ExceptionGroup("outer", [Broken("axle"), inner]), Worn(2))

    exc = await failure_of(fail, kind=kind)

    assert "secret" not in repr(exc)
    broken, inner = parts(exc)
    assert isinstance(broken, Broken)
    rpc, redacted = parts(inner)
    assert (rpc.code, rpc.message, rpc.data) == (7, "as it is", [1])
    assert isinstance(redacted, InternalError)
    assert redacted.id is not None
    assert redacted.id in caplog.text
    assert isinstance(exc, ExceptionGroup)
    assert exc.message == "outer"
    assert isinstance(exc.__cause__, Worn)


async def test_callers_take_groups_apart() -> None:
    """``except*`` finds the errors of a group by their classes."""
    found: list[object] = []
    async with open_pair(Workshop(lambda: ExceptionGroup("two", [Broken("axle"), KeyError()]))) as (
        session,
        _,
    ):
        try:
            await session.proxy(WorkshopProxy).work()
        except* Broken as group:
            found += [each.part for each in group.exceptions if isinstance(each, Broken)]
        except* InternalError:
            found.append("internal")
    assert found == ["axle", "internal"]


async def test_a_group_of_one_stays_a_group() -> None:
    """So ``except*`` finds it, whether a nursery had one exception or several."""
    assert isinstance(await failure_of(lambda: nested(1, Broken("axle"))), ExceptionGroup)


async def test_an_untyped_caller_gets_a_group_of_rpc_errors() -> None:
    """Without a contract no class is declared."""
    async with open_pair(Workshop(lambda: nested(1, Broken("axle")))) as (session, _):
        with pytest.RaisesGroup(RpcError) as caught:
            await session.call("Workshop.work")

    (leaf,) = leaves(caught.value)
    assert leaf.data == {"code": "Broken", "fields": {"part": "axle"}}


async def test_the_text_of_a_group_of_secrets_is_one_too() -> None:
    """The message of a group is redacted if all of its errors are undeclared."""
    exc = await failure_of(lambda: ExceptionGroup("secret", [KeyError("secret")]))

    assert isinstance(exc, ExceptionGroup)
    assert exc.message == "Internal error"


async def test_groups_are_eight_deep_at_most() -> None:
    """A deeper group is one error without its parts."""
    at_limit = await failure_of(lambda: nested(8, Broken("axle")))
    beyond = await failure_of(lambda: nested(9, Broken("axle")))

    assert (depth(at_limit), depth(beyond)) == (8, 8)
    assert isinstance(leaves(at_limit)[0], Broken)
    (leaf,) = leaves(beyond)
    assert isinstance(leaf, InternalError)
    assert leaf.data["limit"] == "levels"


@pytest.mark.parametrize("is_flat", [True, False])
async def test_groups_have_64_leaves_at_most(is_flat: bool) -> None:
    """If there are more, the last one replaces the rest."""

    def fail(count: int) -> Exception:
        errors = [Broken(str(number)) for number in range(count)]
        if is_flat:
            return ExceptionGroup("many", errors)
        return ExceptionGroup("many", [ExceptionGroup("one", [each]) for each in errors])

    at_limit = leaves(await failure_of(lambda: fail(64)))
    beyond = leaves(await failure_of(lambda: fail(1000)))

    assert all(isinstance(each, Broken) for each in at_limit)
    assert len(at_limit) == len(beyond) == 64
    assert all(isinstance(each, Broken) for each in beyond[:63])
    rest = beyond[-1]
    assert isinstance(rest, InternalError)
    assert rest.data["limit"] == "leaves"


async def test_reserved_codes_stay_redacted_inside_of_groups() -> None:
    """Inside of a group, too, they would mean this call instead of another."""
    exc = await failure_of(lambda: nested(2, farcall.Busy(-32003, "secret")))

    (leaf,) = leaves(exc)
    assert isinstance(leaf, InternalError)
    assert "secret" not in repr(exc)


# Debug mode


def annotated(error: Exception) -> Exception:
    error.add_note("look here")
    return error


@pytest.mark.parametrize(
    "make",
    [lambda: Broken("axle"), lambda: Worn(1), lambda: KeyError("k"), lambda: nested(1, Worn())],
)
async def test_notes_and_tracebacks_travel_in_debug_mode_alone(
    make: Callable[[], Exception],
) -> None:
    """The caller gets them as notes of the exception."""
    async with open_pair(Workshop(lambda: annotated(make())), debug=True) as (session, _):
        with pytest.raises(Exception) as told:  # noqa: PT011 - the notes are looked at
            await session.proxy(WorkshopProxy).work()
    silent = await failure_of(lambda: annotated(make()))

    note, traceback = told.value.__notes__
    assert note == "look here"
    assert traceback.startswith("Traceback of the peer:\n")
    assert "workshop.py" in traceback
    assert "workshop.py" not in str(told.value)
    assert not hasattr(silent, "__notes__")


async def test_debug_mode_changes_nothing_of_an_rpc_error() -> None:
    """The data of an RpcError are the handler's, and are sent unchanged."""
    async with open_pair(Workshop(lambda: RpcError(7, "x", {"a": 1})), debug=True) as (session, _):
        with pytest.raises(RpcError) as caught:
            await session.call("Workshop.work")
    assert caught.value.data == {"a": 1}


# Whatever it is, it is answered


class Odd(BaseException):
    """A BaseException that is neither an error nor the end of the program."""


def recursing() -> object:
    return recursing()


@pytest.mark.parametrize(
    "fails_with",
    [
        lambda: Mute("axle"),
        lambda: Broken(7),  # type: ignore[arg-type]  # a field that cannot cross
        lambda: RpcError("x", "y"),  # type: ignore[arg-type]  # a code that is none
        lambda: RpcError(7, 8),  # type: ignore[arg-type]  # a text that is none
        GeneratorExit,
        Odd,
        StopAsyncIteration,
        StopIteration,
        recursing,
    ],
)
async def test_what_cannot_be_told_is_answered_all_the_same(
    fails_with: Callable[[], object], caplog: pytest.LogCaptureFixture
) -> None:
    """With an id that is also in the log; the link is still usable."""
    exc = await failure_of(fails_with)

    assert isinstance(exc, InternalError)
    assert exc.id is not None
    assert exc.id in caplog.text


async def test_a_plain_def_is_answered_as_well() -> None:
    """It runs in the reader's task, which survives the exception."""
    async with open_pair(Workshop(Odd)) as (session, _):
        with pytest.raises(InternalError):
            await session.proxy(WorkshopProxy).work_inline()
        assert await session.proxy(WorkshopProxy).healthy() == "fine"


async def test_what_is_no_error_is_answered_inside_of_a_group() -> None:
    """Any BaseException in a group is answered, but for the end of the program."""
    exc = await failure_of(lambda: BaseExceptionGroup("odd", [Odd(), Broken("axle")]))

    assert [type(each) for each in parts(exc)] == [InternalError, Broken]
    assert isinstance(exc, ExceptionGroup)


async def test_a_cancellation_that_was_kept_is_answered() -> None:
    """A Cancelled whose scope has ended is answered, because no scope would catch it."""

    def keep() -> BaseException:
        return kept[0]

    kept: list[BaseException] = []
    with trio.CancelScope() as scope:
        scope.cancel()
        try:
            await trio.lowlevel.checkpoint()
        except trio.Cancelled as cancelled:
            kept.append(cancelled)
    assert isinstance(await failure_of(keep), InternalError)


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
async def test_the_end_of_the_program_passes(end: type[BaseException]) -> None:
    """KeyboardInterrupt and SystemExit in a handler end the server."""

    async def run() -> None:
        async with open_pair(Workshop(end)) as (session, _):
            with pytest.raises(farcall.ConnectionLost):
                await session.call("Workshop.work")

    with pytest.raises(end):
        await run()


async def test_an_error_beside_a_cancellation_is_heard_alone(autojump_clock: MockClock) -> None:
    """If a cancelled handler also raises an error, the caller gets the error."""
    async with open_pair(Workshop(lambda: Broken("axle"))) as (session, _):
        proxy = session.proxy(UntilCancelled)
        with pytest.RaisesGroup(pytest.RaisesExc(Broken)):
            with trio.move_on_after(1):
                await proxy.work()


class UntilCancelled(farcall.Proxy, service="Workshop"):
    @farcall.endpoint("Workshop.work_until_cancelled", raises=[Broken])
    async def work(self) -> None:
        raise NotImplementedError


async def test_an_error_beside_the_end_of_the_link_is_logged(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """No response can be sent, and the connection itself has not failed."""
    async with open_pair(Workshop(lambda: KeyError("lost"))) as (session, connection):
        async with trio.open_nursery() as nursery:

            async def call() -> None:
                with pytest.raises(farcall.ConnectionLost):
                    await session.call("Workshop.work_until_cancelled")

            nursery.start_soon(call)
            await wait_all_tasks_blocked()
            connection._link.abort(1011, "pulled")

    assert "lost" in caplog.text


@service
class Results:
    """Its methods return values that cannot be encoded."""

    async def wrong(self) -> list[int]:
        return ["secret"]  # type: ignore[list-item]  # the mistake

    async def endless(self) -> farcall.Json:
        result: list[object] = []
        result.append(result)
        return result  # type: ignore[return-value]  # the mistake

    async def surrogate(self) -> str:
        return "\ud800"


@pytest.mark.parametrize("name", ["wrong", "endless", "surrogate"])
async def test_a_result_that_cannot_be_encoded_is_answered(name: str) -> None:
    """The caller gets an internal error: the handler is at fault."""
    async with open_pair(Results()) as (session, _):
        with pytest.raises(InternalError):
            await session.call(f"Results.{name}")


async def test_an_error_that_is_too_large_is_answered() -> None:
    """With -32008, like a result that is too large."""
    exc = await failure_of(lambda: Broken("x" * (17 * 2**20)))
    assert isinstance(exc, farcall.ReplyTooLarge)
