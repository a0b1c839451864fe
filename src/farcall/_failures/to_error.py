"""From an exception to an error: what a peer may know of a failure, and how much of it.

A declared error crosses as itself and an `RpcError` as it is. Anything else may hold what is none
of the peer's business: the peer gets an id, and the log everything. A tree of errors is bounded in
depth and leaves, whoever sends it.
"""

from __future__ import annotations

import logging
import secrets
import traceback
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Final, Protocol, cast

import attrs
import msgspec
import trio

from farcall._codec import ErrorCodec, Faults, encode_untyped
from farcall._limits import exceeded
from farcall._nursery import ends_program, is_cancelled, must_leave
from farcall._protocol.messages import MESSAGES, Error
from farcall.errors import (
    ApplicationError,
    ErrorCode,
    InternalError,
    InvalidArguments,
    RpcError,
    is_of_protocol,
)

MAX_LEVELS: Final = 8
"""Groups in groups, and causes of causes. One group for each nursery on the way is five or so in
deep code, and each costs three levels of the 64 that a JSON text may have."""

MAX_LEAVES: Final = 64
"""Errors in one answer that are no groups; nobody reads more of them."""

BEYOND_LEVELS: Final[Mapping[str, str | int]] = exceeded("levels", MAX_LEVELS)
BEYOND_LEAVES: Final[Mapping[str, str | int]] = exceeded("leaves", MAX_LEAVES)


def parts(group: BaseException) -> tuple[BaseException, ...] | None:
    """Give the exceptions of a group; None for any other exception."""
    if not isinstance(group, BaseExceptionGroup):
        return None
    return cast("BaseExceptionGroup[BaseException]", group).exceptions


def leaves(exc: BaseException, level: int = 1) -> Iterator[BaseException]:
    """Give what crosses as one error each: single exceptions, and groups that are too deep."""
    inside = parts(exc)
    if inside is None or level > MAX_LEVELS:
        yield exc
        return
    for each in inside:
        yield from leaves(each, level + 1)


logger = logging.getLogger("farcall")

MAX_DEBUG_TEXT = 8 * 1024
"""Characters of a traceback: some dozens of frames, of which the last ones tell most."""


class _Spec(Protocol):
    @property
    def wire_name(self) -> str: ...


class Failing(Protocol):
    """What can fail: a method, or a signal."""

    @property
    def spec(self) -> _Spec:
        """Says what it is called."""
        ...

    @property
    def errors(self) -> ErrorCodec:
        """The errors that it declares."""
        ...


def invalid_arguments(faults: Faults) -> InvalidArguments:
    """Make the exception for arguments that are not what the contract says."""
    errors = [{"path": fault.path, "message": fault.message} for fault in faults.errors]
    return InvalidArguments(ErrorCode.INVALID_PARAMS, "Invalid params", {"errors": errors})


def describe(
    exc: BaseException, method: Failing, *, debug: bool = False, is_plain: bool = False
) -> Error:
    """Say what a peer may know of a failure; raises nothing.

    Args:
        exc: What left the handler.
        method: What has failed; says which errors are declared.
        debug: Whether notes and tracebacks travel as well.
        is_plain: Whether the peer is not farcall.
    """
    return _Writer.of(exc, method, debug, is_plain).write(exc)


def redacted(
    exc: BaseException, method: Failing, limit: Mapping[str, str | int] | None = None
) -> InternalError:
    """Tell the peer an id, and the log everything: it may hold what is not the peer's business."""
    id = secrets.token_hex(8)
    try:
        hint = _hint(exc, method)
        logger.error("%s failed (id %s)%s", method.spec.wire_name, id, hint, exc_info=exc)
    except RecursionError:  # which handlers of the log let out
        text = "%s failed (id %s): %r, nested too deep to be shown"
        logger.error(text, method.spec.wire_name, id, type(exc))
    code = ErrorCode.INTERNAL_ERROR
    return InternalError(code, MESSAGES[code], {"id": id, **(limit or {})})


def _hint(exc: BaseException, method: Failing) -> str:
    """Tell the log why an error that was meant for the caller did not reach it."""
    meant = list(islice(leaves(exc), MAX_LEAVES))
    undeclared = dict.fromkeys(
        type(each).__name__
        for each in meant
        if isinstance(each, ApplicationError) and not method.errors.knows(each)
    )
    codes = dict.fromkeys(
        str(each.code)
        for each in meant
        if isinstance(each, RpcError) and is_of_protocol(each.code, is_plain=False)
    )
    hint = ""
    if undeclared and hasattr(method.spec, "raises"):  # a signal has none
        names = ", ".join(undeclared)
        hint += f": {names} is missing in raises=; write raises=[{names}]"
    if codes:
        hint += f": the code {', '.join(codes)} belongs to the protocol; choose another"
    return hint


def unanswered(exc: BaseException, method: Failing) -> BaseException | None:
    """Find what of a failure is not about its call, and has to leave the handler's task.

    That is the end of the program, and the cancellation of a scope around the call. What failed
    beside the latter is logged: nobody is there to be told.
    """
    rest = must_leave(exc)
    if isinstance(rest, trio.Cancelled) and not is_cancelled(exc):
        redacted(exc, method)
    return rest


def without(exc: BaseException, kind: type[BaseException]) -> BaseException | None:
    """Leave out of a failure, which may be a group, what is of some kind; None if that is all.

    A group that is nested deeper than the stack stays whole.
    """
    if not isinstance(exc, BaseExceptionGroup):
        return None if isinstance(exc, kind) else exc
    group = cast("BaseExceptionGroup[BaseException]", exc)
    try:
        return group.split(kind)[1]
    except RecursionError:
        return group


@attrs.define
class _Writer:
    """Writes one tree of errors."""

    method: Failing
    debug: bool
    is_plain: bool
    room: int
    """How many errors may still be written, apart from the one that stands for the rest."""
    is_full: bool = False

    @classmethod
    def of(cls, exc: BaseException, method: Failing, debug: bool, is_plain: bool) -> _Writer:
        has_rest = sum(1 for _ in islice(leaves(exc), MAX_LEAVES + 1)) > MAX_LEAVES
        return cls(method, debug, is_plain, MAX_LEAVES - has_rest)

    def write(self, exc: BaseException, level: int = 1) -> Error:
        """Write one error with all that hangs on it."""
        try:
            return self._told(exc, level) or self._redacted(exc)
        except BaseException as fault:  # a field of the wrong type, data that is no JSON
            if ends_program(fault):
                raise
            return self._redacted(fault)

    def _told(self, exc: BaseException, level: int) -> Error | None:
        if isinstance(exc, ApplicationError) and self.method.errors.knows(exc):
            code, message, data = self.method.errors.encode(exc)
            return _checked(Error(code, message, self._with_extras(data, exc, level)))
        if isinstance(exc, RpcError):
            is_own = level > 1 and self._is_of_protocol(exc)
            return None if is_own else _as_it_is(exc)
        inside = parts(exc)
        if inside is None:
            return None
        if level > MAX_LEVELS:
            return self._redacted(exc, BEYOND_LEVELS)
        return self._group(exc, inside, level)

    def _group(self, group: BaseException, inside: Iterable[BaseException], level: int) -> Error:
        message = self._message(group)
        errors: list[bytes] = []
        for each in inside:
            if self.is_full:
                break
            errors.append(self._part(each, group, level).render())
        data = b'{"errors":[%b]}' % b",".join(errors)
        return Error(int(ErrorCode.GROUP), message, self._with_extras(data, group, level))

    def _part(self, exc: BaseException, group: BaseException, level: int) -> Error:
        is_branch = parts(exc) is not None and level < MAX_LEVELS
        if is_branch and self.room:
            return self.write(exc, level + 1)
        if not self.room:
            self.is_full = True
            return self._redacted(group, BEYOND_LEAVES)
        self.room -= 1
        return self.write(exc, level + 1)

    def _message(self, group: BaseException) -> str:
        """Give the text of a group, which is a secret where all that it holds is one."""
        is_told = any(map(self._is_told, leaves(group)))
        assert isinstance(group, BaseExceptionGroup)
        return group.message if is_told else MESSAGES[ErrorCode.INTERNAL_ERROR]

    def _is_told(self, exc: BaseException) -> bool:
        if isinstance(exc, RpcError):
            return not self._is_of_protocol(exc)
        return self.method.errors.knows(exc)

    def _is_of_protocol(self, exc: RpcError) -> bool:
        return is_of_protocol(exc.code, is_plain=self.is_plain)

    def _redacted(self, exc: BaseException, limit: Mapping[str, str | int] | None = None) -> Error:
        error = _as_it_is(redacted(exc, self.method, limit))
        assert error.data is not None
        return attrs.evolve(error, data=_joined(error.data, self._debug_members(exc)))

    def _with_extras(self, data: bytes, exc: BaseException, level: int) -> bytes:
        return _joined(data, {**self._cause(exc, level), **self._debug_members(exc)})

    def _cause(self, exc: BaseException, level: int) -> dict[str, bytes]:
        cause = exc.__cause__
        if cause is None or level == MAX_LEVELS or not self.method.errors.knows(cause):
            return {}
        return {"cause": self.write(cause, level + 1).render()}

    def _debug_members(self, exc: BaseException) -> dict[str, bytes]:
        if not self.debug:
            return {}
        notes = [str(note)[:MAX_DEBUG_TEXT] for note in getattr(exc, "__notes__", ())]
        members = {"traceback": _text(_traceback(exc)[-MAX_DEBUG_TEXT:])}
        if notes:
            members["notes"] = b"[%b]" % b",".join(map(_text, notes[:MAX_LEAVES]))
        return members


def _traceback(exc: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(exc))
    except RecursionError:
        return f"{type(exc)!r}, nested too deep to be shown"


def _as_it_is(exc: RpcError) -> Error:
    data = None if exc.data is None else encode_untyped(exc.data)
    return _checked(Error(exc.code, exc.message, data))


def _checked(error: Error) -> Error:
    """Find out now whether an error can be written: its code and its text are the handler's."""
    error.render()
    return error


def _joined(data: bytes, members: Mapping[str, bytes]) -> bytes:
    """Add members to an object that has some."""
    more = (b',"%b":%b' % (name.encode(), text) for name, text in members.items())
    return b"%b%b}" % (data.removesuffix(b"}"), b"".join(more))


def _text(text: str) -> bytes:
    # As with the message of an error: what is no Unicode is spelled out.
    return msgspec.json.encode(text.encode(errors="backslashreplace").decode())
