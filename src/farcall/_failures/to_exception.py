"""From an error object to an exception: how the caller sees a failure of the peer.

Only classes that the caller's own contract declares are made. Any other error, or one of another
shape, is an `RpcError` with the data unchanged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol, TypeVar, cast

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

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
    """The members that farcall adds to the data of an error, not decoded yet."""

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

    Its cause is set, if it has one; so raise it ``from error.__cause__``. A plain peer knows
    neither groups nor causes: its error is a single one, with the data unchanged.

    Args:
        failure: The error object.
        method: Declares the errors; without it none is declared.
        name: Of the call, for `RpcError.method`.
        is_plain: Whether the peer has not said hello.
    """
    if is_plain:
        error = _of_plain_peer(failure, method)
    else:
        error = _Reader(method).read(failure.code, failure.message, failure.data)
    if isinstance(error, RpcError):
        error.method = name
        # -32602 mostly refuses a call, but an item of an upload is refused while it runs.
        is_item = method is not None and bool(method.uploads)
        error.may_have_run |= (is_item and error.code == ErrorCode.INVALID_PARAMS) or error._member(
            "may_have_run"
        ) is True
    return error


class Decoding(Protocol[T_co, Text_contra]):
    """A codec of whole values, or of items."""

    def decode(self, value: Text_contra, /, *, unknown: Unknown, at: str) -> T_co: ...


def decoded(codec: Decoding[T, Text], value: Text, *, name: str, at: str) -> T:
    """Decode a value of the peer.

    Args:
        codec: Of its type.
        value: The encoded value.
        name: Of the call, or the signal, for the error.
        at: The root of the path in the error: ``result``, ``item``, ``value`` or ``started``.

    Raises:
        InvalidResult: it is not of the type.
    """
    try:
        return codec.decode(value, unknown="ignore", at=at)
    except Faults as faults:
        raise InvalidResult(f"{name}: {faults}") from None


def _of_plain_peer(failure: RemoteFailure, method: Method | None) -> Exception:
    code, message, data = failure.code, failure.message, failure.data
    declared = None if method is None else method.errors.decode(code, message, data)
    if declared is not None:
        return declared
    try:
        value: object = None if data is None else decode_json(data)
    except Faults as faults:
        return _unreadable(code, message, faults)
    return RpcError._of_plain(code, message, value)


class _Reader(Struct):
    """Reads one tree of errors of a peer that may be hostile."""

    method: Method | None
    room: int = MAX_LEAVES
    is_full: bool = False

    def read(self, code: int, message: str, data: bytes | None, level: int = 1) -> Exception:
        """Make one exception, with its cause and its notes."""
        extras = _read(_extras, data) or _Extras()
        is_group = code == ErrorCode.GROUP and isinstance(extras.code, UnsetType)
        exc = self._group(message, extras, level) if is_group else None
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
        """Make a group; None if the peer uses the code of groups for something else."""
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
        # Without room for parts: farcall sends no group as a cause.
        return _Reader(self.method, 0).read(error.code, error.message, _data(error), level + 1)


def _plain(code: int, message: str, data: bytes | None) -> FarcallError:
    try:
        value: object = None if data is None else decode_json(data)
    except Faults as faults:
        return _unreadable(code, message, faults)
    if code == ErrorCode.INTERNAL_ERROR and isinstance(value, dict):
        # They are notes of the exception already.
        members = cast("dict[str, object]", value).items()
        value = {name: each for name, each in members if name not in _DEBUG_MEMBERS}
    return RpcError.of(code, message, value)


def _unreadable(code: int, message: str, faults: Faults) -> InvalidResult:
    return InvalidResult(f"the data of error {code} ({message}): {faults}")


def _beyond(limit: Mapping[str, str | int]) -> RpcError:
    code = ErrorCode.INTERNAL_ERROR
    return RpcError.of(code, MESSAGES[code], dict(limit))


def _debug_notes(extras: _Extras) -> Iterator[str]:
    """Make the notes of an exception from the members of a server with ``debug=True``."""
    yield from (_read(_notes, extras.notes) or [])[:MAX_LEAVES]
    remote = _read(_text, extras.traceback)
    if remote is not None:
        yield f"Traceback of the peer:\n{remote.rstrip()}"


def _data(error: _ErrorObject) -> bytes | None:
    return None if isinstance(error.data, UnsetType) else bytes(error.data)


def _read(decoder: msgspec.json.Decoder[T], text: bytes | Raw | UnsetType | None) -> T | None:
    """Decode a member; None if it is missing or of another shape."""
    if text is None or isinstance(text, UnsetType):
        return None
    try:
        return decode(decoder, text)
    except UnreadableText:
        return None
