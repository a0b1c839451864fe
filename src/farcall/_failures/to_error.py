"""From an exception to an error object: what a peer may learn of a failure.

Declared errors and `RpcError` are sent. Any other exception may hold secrets: the peer gets an id,
and the log the exception. The tree of errors has a bounded depth and number of leaves, in both
directions.
"""

from __future__ import annotations

import logging
import secrets
import traceback
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Final, Protocol

import msgspec
import trio
from msgspec import Struct
from msgspec.structs import replace

from farcall._codec import ErrorCodec, Faults, encode_untyped
from farcall._limits import exceeded
from farcall._nursery import ends_program, is_cancelled, is_group, must_leave
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
"""Groups in groups, and causes of causes. Deep code has about five, one for each nursery, and each
costs three of the 64 levels that a JSON text may have."""

MAX_LEAVES: Final = 64
"""Errors in one response, without the groups; a reader needs no more of them."""

BEYOND_LEVELS: Final[Mapping[str, str | int]] = exceeded("levels", MAX_LEVELS)
BEYOND_LEAVES: Final[Mapping[str, str | int]] = exceeded("leaves", MAX_LEAVES)


def parts(group: BaseException) -> tuple[BaseException, ...] | None:
    """Return the exceptions of a group; None for any other exception."""
    return group.exceptions if is_group(group) else None


def leaves(exc: BaseException, level: int = 1) -> Iterator[BaseException]:
    """Iterate over what becomes one error each: single exceptions, and groups that are too deep."""
    inside = parts(exc)
    if inside is None or level > MAX_LEVELS:
        yield exc
        return
    for each in inside:
        yield from leaves(each, level + 1)


logger = logging.getLogger("farcall")

MAX_DEBUG_TEXT: Final = 8 * 1024
"""Characters of a traceback: its last few dozen frames."""


class _Spec(Protocol):
    @property
    def wire_name(self) -> str: ...


class Failing(Protocol):
    """A method, or a signal, with the errors that it declares."""

    @property
    def spec(self) -> _Spec: ...

    @property
    def errors(self) -> ErrorCodec: ...


def invalid_arguments(faults: Faults) -> InvalidArguments:
    """Make the exception for arguments that do not fit the contract."""
    errors = [{"path": fault.path, "message": fault.message} for fault in faults.errors]
    return InvalidArguments(ErrorCode.INVALID_PARAMS, "Invalid params", {"errors": errors})


def describe(
    exc: BaseException, method: Failing, *, debug: bool = False, is_plain: bool = False
) -> Error:
    """Make the error object for a failure.

    Args:
        exc: Raised by the handler.
        method: The method or signal; declares the errors that are sent.
        debug: Whether the peer gets notes and tracebacks.
        is_plain: Whether the peer has not said hello.
    """
    return _Writer.of(exc, method, debug, is_plain).write(exc)


def redacted(
    exc: BaseException, method: Failing, limit: Mapping[str, str | int] | None = None
) -> InternalError:
    """Log an exception that the peer must not see, and make the error with the id of the entry."""
    id = secrets.token_hex(8)
    try:
        hint = _hint(exc, method)
        logger.error("%s failed (id %s)%s", method.spec.wire_name, id, hint, exc_info=exc)
    except RecursionError:  # raised by a handler of the log
        text = "%s failed (id %s): %r, nested too deep to be shown"
        logger.error(text, method.spec.wire_name, id, type(exc))
    code = ErrorCode.INTERNAL_ERROR
    return InternalError(code, MESSAGES[code], {"id": id, **(limit or {})})


def _hint(exc: BaseException, method: Failing) -> str:
    """Say why an error that was meant for the caller was not sent."""
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
    """Return the part of a failure that must leave the handler's task, if there is one.

    That is the end of the program, and the cancellation of a scope around the call. Exceptions
    beside such a cancellation are logged, because no response will have them.
    """
    rest = must_leave(exc)
    if isinstance(rest, trio.Cancelled) and not is_cancelled(exc):
        redacted(exc, method)
    return rest


def without(exc: BaseException, kind: type[BaseException]) -> BaseException | None:
    """Remove exceptions of one kind from a failure, which may be a group; None if none remain.

    A group that is nested deeper than the stack is returned whole.
    """
    if not is_group(exc):
        return None if isinstance(exc, kind) else exc
    try:
        return exc.split(kind)[1]
    except RecursionError:
        return exc


class _Writer(Struct):
    """Writes one tree of errors."""

    method: Failing
    debug: bool
    is_plain: bool
    room: int
    """How many errors may still be written, besides the one that replaces the rest."""
    is_full: bool = False

    @classmethod
    def of(cls, exc: BaseException, method: Failing, debug: bool, is_plain: bool) -> _Writer:
        has_rest = sum(1 for _ in islice(leaves(exc), MAX_LEAVES + 1)) > MAX_LEAVES
        return cls(method, debug, is_plain, MAX_LEAVES - has_rest)

    def write(self, exc: BaseException, level: int = 1) -> Error:
        """Write one error with its members."""
        try:
            return self._sendable(exc, level) or self._redacted(exc)
        except BaseException as fault:  # a field of the wrong type, data that is no JSON
            if ends_program(fault):
                raise
            return self._redacted(fault)

    def _sendable(self, exc: BaseException, level: int) -> Error | None:
        if isinstance(exc, ApplicationError) and self.method.errors.knows(exc):
            code, message, data = self.method.errors.encode(exc)
            return _checked(Error(code, message, self._with_extras(data, exc, level)))
        if isinstance(exc, RpcError):
            is_own = level > 1 and self._is_of_protocol(exc)
            return None if is_own else _error_of(exc)
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
        """Return the message of a group, which is a secret if all of its exceptions are."""
        assert is_group(group)
        is_secret = not any(map(self._is_sendable, leaves(group)))
        return MESSAGES[ErrorCode.INTERNAL_ERROR] if is_secret else group.message

    def _is_sendable(self, exc: BaseException) -> bool:
        if isinstance(exc, RpcError):
            return not self._is_of_protocol(exc)
        return self.method.errors.knows(exc)

    def _is_of_protocol(self, exc: RpcError) -> bool:
        return is_of_protocol(exc.code, is_plain=self.is_plain)

    def _redacted(self, exc: BaseException, limit: Mapping[str, str | int] | None = None) -> Error:
        error = _error_of(redacted(exc, self.method, limit))
        assert error.data is not None
        return replace(error, data=_joined(error.data, self._debug_members(exc)))

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


def _error_of(exc: RpcError) -> Error:
    data = None if exc.data is None else encode_untyped(exc.data)
    return _checked(Error(exc.code, exc.message, data))


def _checked(error: Error) -> Error:
    """Raise if an error cannot be written, because the handler chose its code and its message."""
    error.render()
    return error


def _joined(data: bytes, members: Mapping[str, bytes]) -> bytes:
    """Add members to a JSON object that has some."""
    more = (b',"%b":%b' % (name.encode(), text) for name, text in members.items())
    return b"%b%b}" % (data.removesuffix(b"}"), b"".join(more))


def _text(text: str) -> bytes:
    # As in the message of an error, lone surrogates are escaped.
    return msgspec.json.encode(text.encode(errors="backslashreplace").decode())
