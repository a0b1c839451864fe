"""From an error to an exception: what a caller sees of a failure at the peer.

Only the classes that the caller's own contract declares are ever made; whatever else the peer
names, or says in a shape of its own, is an `RpcError` with the data as they came.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar, cast

import attrs
import msgspec
from msgspec import UNSET, Raw, UnsetType

from farcall._codec import Faults, decode_json
from farcall._codec.codec import Unknown
from farcall._connection.call import RemoteFailure
from farcall._declare import Method
from farcall._failures.to_error import BEYOND_LEAVES, BEYOND_LEVELS, MAX_LEAVES, MAX_LEVELS
from farcall._json import UnreadableText, decode
from farcall._protocol.messages import MESSAGES
from farcall.errors import ErrorCode, FarcallError, InvalidResult, RpcError

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Text = TypeVar("Text")
Text_contra = TypeVar("Text_contra", contravariant=True)


class _ErrorObject(msgspec.Struct):
    """An error inside of another one."""

    code: int
    message: str
    data: Raw | UnsetType = UNSET


class _Extras(msgspec.Struct):
    """What the data of an error may hold that is not the user's, each still text."""

    code: Raw | UnsetType = UNSET
    errors: Raw | UnsetType = UNSET
    cause: Raw | UnsetType = UNSET
    notes: Raw | UnsetType = UNSET
    traceback: Raw | UnsetType = UNSET


_extras = msgspec.json.Decoder(_Extras)
_errors = msgspec.json.Decoder(list[Raw])
_error = msgspec.json.Decoder(_ErrorObject)
_notes = msgspec.json.Decoder(list[str])
_text = msgspec.json.Decoder(str)
_DEBUG_MEMBERS = ("notes", "traceback")


def error_of(
    failure: RemoteFailure,
    method: Method | None = None,
    *,
    name: str | None = None,
    is_plain: bool = False,
) -> Exception:
    """Make the exception for an error of the peer: a declared one, a group, or an `RpcError`.

    Its cause, where there is one, is set; so raise it ``from error.__cause__``. A plain peer knows
    no groups and no causes: whatever it says is one error, with its data as they came.

    Args:
        failure: As it came.
        method: The caller's contract; without it nothing is declared.
        name: Of the call, which an `RpcError` is to tell.
        is_plain: Whether the peer has not said hello.
    """
    if is_plain:
        error = _of_plain_peer(failure, method)
    else:
        error = _Reader(method).read(failure.code, failure.message, failure.data)
    if isinstance(error, RpcError):
        error.method = name
        error.may_have_run |= _has_begun(error, method)
    return error


class Decoding(Protocol[T_co, Text_contra]):
    """A codec of whole values, or of items."""

    def decode(self, value: Text_contra, /, *, unknown: Unknown, at: str) -> T_co: ...


def decoded(codec: Decoding[T, Text], value: Text, *, name: str, at: str) -> T:
    """Read what the peer gave.

    Args:
        codec: Of its type.
        value: As it came.
        name: Of the call, or the signal, for the error.
        at: What it is: ``result``, ``item``, ``value`` or ``started``.

    Raises:
        InvalidResult: it is not of the type.
    """
    try:
        return codec.decode(value, unknown="ignore", at=at)
    except Faults as faults:
        raise InvalidResult(f"{name}: {faults}") from None


def _has_begun(error: RpcError, method: Method | None) -> bool:
    """Whether a code that mostly refuses a call was said after it had begun."""
    # An item of an upload is refused while the handler reads it; a login ends at any time.
    is_item = method is not None and bool(method.uploads) and error.code == ErrorCode.INVALID_PARAMS
    return is_item or error._member("may_have_run") is True


def _of_plain_peer(failure: RemoteFailure, method: Method | None) -> Exception:
    code, message, data = failure.code, failure.message, failure.data
    declared = None if method is None else method.errors.decode(code, message, data)
    if declared is not None:
        return declared
    try:
        value: Any = None if data is None else decode_json(data)
    except Faults as faults:
        return _unreadable(code, message, faults)
    return RpcError._of_plain(code, message, value)


@attrs.define
class _Reader:
    """Reads one tree of errors, of a peer that may be hostile."""

    method: Method | None
    room: int = MAX_LEAVES
    is_full: bool = False

    def read(self, code: int, message: str, data: bytes | None, level: int = 1) -> Exception:
        """Make one exception, with all that hangs on it."""
        extras = _read(_extras, data) or _Extras()
        exc = self._group(message, extras, level) if _is_group(code, extras) else None
        if exc is None and self.method is not None:
            exc = self.method.errors.decode(code, message, data)
        if exc is None:
            exc = _plain(code, message, data)
        elif (cause := self._cause(extras, level)) is not None:
            exc.__cause__ = cause
        for note in _debug_notes(extras):
            exc.add_note(note)
        return exc

    def _group(self, message: str, extras: _Extras, level: int) -> Exception | None:
        """Make a group; None where the peer means something else by this code."""
        inside = _read(_errors, extras.errors)
        if not inside:
            return None
        if level > MAX_LEVELS:
            return _beyond(BEYOND_LEVELS)
        found = self._parts(inside, level)
        return None if found is None else ExceptionGroup(message, found)

    def _parts(self, texts: Iterable[Raw], level: int) -> Sequence[Exception] | None:
        found: list[Exception] = []
        for text in texts:
            if self.is_full:
                break
            if not self.room:
                self.is_full = True
                found.append(_beyond(BEYOND_LEAVES))
                break
            error = _read(_error, text)
            if error is None:
                return None
            found.append(self._part(error, level + 1))
        return found

    def _part(self, error: _ErrorObject, level: int) -> Exception:
        exc = self.read(error.code, error.message, _data(error), level)
        self.room -= not isinstance(exc, ExceptionGroup)
        return exc

    def _cause(self, extras: _Extras, level: int) -> Exception | None:
        error = _read(_error, extras.cause)
        if error is None or level >= MAX_LEVELS:
            return None
        # Of single errors: a group would be one of its own, and is no cause that farcall sends.
        return _Reader(self.method, 0).read(error.code, error.message, _data(error), level + 1)


def _is_group(code: int, extras: _Extras) -> bool:
    return code == ErrorCode.GROUP and isinstance(extras.code, UnsetType)


def _plain(code: int, message: str, data: bytes | None) -> FarcallError:
    try:
        value: Any = None if data is None else decode_json(data)
    except Faults as faults:
        return _unreadable(code, message, faults)
    if code == ErrorCode.INTERNAL_ERROR and isinstance(value, dict):
        # They are shown as notes, and would only be said twice.
        members = cast("dict[str, Any]", value).items()
        value = {name: each for name, each in members if name not in _DEBUG_MEMBERS}
    return RpcError.of(code, message, value)


def _unreadable(code: int, message: str, faults: Faults) -> InvalidResult:
    return InvalidResult(f"the data of error {code} ({message}): {faults}")


def _beyond(limit: Mapping[str, str | int]) -> RpcError:
    code = ErrorCode.INTERNAL_ERROR
    return RpcError.of(code, MESSAGES[code], dict(limit))


def _debug_notes(extras: _Extras) -> Iterator[str]:
    """Give what a server in debug mode tells besides."""
    yield from (_read(_notes, extras.notes) or [])[:MAX_LEAVES]
    remote = _read(_text, extras.traceback)
    if remote is not None:
        yield f"Traceback of the peer:\n{remote.rstrip()}"


def _data(error: _ErrorObject) -> bytes | None:
    return None if isinstance(error.data, UnsetType) else bytes(error.data)


def _read(decoder: msgspec.json.Decoder[T], text: bytes | Raw | UnsetType | None) -> T | None:
    """Read a member; None for one that is not there, or is of another shape."""
    if text is None or isinstance(text, UnsetType):
        return None
    try:
        return decode(decoder, text)
    except UnreadableText:
        return None
