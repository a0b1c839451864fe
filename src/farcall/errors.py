"""Everything farcall raises, in one tree, and the codes errors carry on the wire.

::

    FarcallError
    ├── RpcError(code, message, data)        the peer responded with an error
    │   ├── InvalidArguments                 -32602  .errors: paths and messages
    │   ├── MethodNotFound                   -32601
    │   ├── Forbidden                        -32605, -32606
    │   ├── Busy                             -32003  .retry_after: seconds
    │   ├── ShuttingDown                     -32001
    │   ├── DeadlineExceeded                 -32002
    │   ├── ReplyTooLarge                    -32008
    │   ├── RemoteCancelled                  -32800
    │   └── InternalError                    -32603  .id: where to look in the server's log
    ├── ApplicationError                     declared by a service; crosses as itself
    ├── ConnectionLost(sent)                 the link ended first (also trio.BrokenResourceError)
    ├── ConnectFailed(reason)                no connection could be made  .status, .code
    ├── InvalidResult                        the result does not match the contract
    ├── EncodeError                          a value cannot cross the wire; nothing was sent
    ├── SignalLagged(missed)                 a subscriber was too slow
    ├── SignalGap(missed)                    a subscriber was away
    ├── ContractMismatch                     the stub does not match the server
    ├── NotSupported                         the peer, or this version, does not support it
    ├── Unauthorized                         raise it to refuse a handshake
    └── DeclarationError                     a service breaks a numbered rule
"""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any, ClassVar, cast

import attrs
import trio

from farcall._usage.as_json import as_json, fields_as_json
from farcall._usage.options import check_flag, check_int, check_seconds, check_text, optional


class ErrorCode(IntEnum):
    """The error codes of JSON-RPC 2.0 (section 5.1), of rpc-websockets and of farcall."""

    PARSE_ERROR = -32700
    INVALID_REQUEST = -32600
    METHOD_NOT_FOUND = -32601
    INVALID_PARAMS = -32602
    INTERNAL_ERROR = -32603

    EVENT_NOT_PROVIDED = -32000
    PARAMS_NOT_FOUND = -32604
    METHOD_FORBIDDEN = -32605
    EVENT_FORBIDDEN = -32606

    SHUTTING_DOWN = -32001
    DEADLINE_EXCEEDED = -32002
    BUSY = -32003
    TOO_MANY_SUBSCRIPTIONS = -32006
    REPLY_TOO_LARGE = -32008
    BATCH_TOO_LARGE = -32010
    CANCELLED = -32800

    APPLICATION = 1
    GROUP = 2


PROTOCOL_CODES: frozenset[int] = frozenset({ErrorCode.PARSE_ERROR, *range(-32606, -32599)})
"""The codes by which JSON-RPC 2.0 (section 5.1) and rpc-websockets refuse a call, or report that
its handler failed. A handler cannot respond with one of them."""

FARCALL_CODES: frozenset[int] = frozenset(
    {
        ErrorCode.SHUTTING_DOWN,
        ErrorCode.DEADLINE_EXCEEDED,
        ErrorCode.BUSY,
        ErrorCode.TOO_MANY_SUBSCRIPTIONS,
        ErrorCode.REPLY_TOO_LARGE,
        ErrorCode.BATCH_TOO_LARGE,
    }
)
"""Further codes of farcall, from those that JSON-RPC 2.0 leaves to servers (-32099 to -32000). They
have this meaning only between farcall peers; other servers use the same codes for their own
errors."""


def is_of_protocol(code: int, *, is_plain: bool) -> bool:
    """Tell whether a code belongs to the protocol, so that no handler may use it.

    Args:
        code: Of an error.
        is_plain: Whether one of the two peers is not farcall.
    """
    return code in PROTOCOL_CODES or (code in FARCALL_CODES and not is_plain)


class CloseCode(IntEnum):
    """The WebSocket close codes that farcall sends (RFC 6455, section 7.4)."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    INVALID_TEXT = 1007
    POLICY = 1008
    TOO_BIG = 1009
    INTERNAL = 1011
    SLOW_CONSUMER = 1013


class FarcallError(Exception):
    """Catch every error that farcall itself raises."""

    may_have_run: bool = True
    """Whether the handler may have begun. If False, the call was refused, or not sent, and can be
    repeated safely."""


class RpcError(FarcallError):
    """Report the error that the peer responded with; a handler may raise one to respond with it.

    Code, message and data of a handler's error are sent as they are. On the calling side codes with
    a meaning of their own have the subclasses below.

    Args:
        code: An integer; those in `PROTOCOL_CODES` belong to the protocol, and between farcall
            peers those in `FARCALL_CODES` as well. Raised by a handler they become -32603.
        message: One sentence.
        data: Any JSON value, or None to leave ``data`` out.

    Raises:
        TypeError: the code is not an int, or the message not a str.
        ValueError: the code has more than 64 bits.
    """

    def __init__(self, code: int, message: str, data: object = None) -> None:
        check_int("code", code, least=-sys.maxsize)
        check_text("message", message, may_be_empty=True)
        super().__init__(code, message, data)
        self.code = code
        self.message = message
        self.data: Any = data
        self.may_have_run = code not in _REFUSALS
        self.method: str | None = None
        """The wire name of the call that ended with this error; None on the serving side."""
        self.contract: str | None = None
        """How the contracts of stub and peer differ, if that may be the cause; else None."""

    def __str__(self) -> str:
        call = "" if self.method is None else f"{self.method}: "
        detail = "" if self.data is None else f" {as_json(self.data)}"
        return f"{call}{self.message} ({self.code}){detail}{self._hint}"

    @property
    def _hint(self) -> str:
        return "" if self.contract is None else f"; {self.contract}"

    @staticmethod
    def of(code: int, message: str, data: object = None) -> RpcError:
        """Make an error of the class for `code`, or a plain `RpcError`."""
        return _CLASS_OF_CODE.get(code, RpcError)(code, message, data)

    @staticmethod
    def _of_plain(code: int, message: str, data: object = None) -> RpcError:
        """Make the error of a peer that is not farcall.

        Its codes have meanings of its own, but for those of JSON-RPC 2.0 and rpc-websockets.
        """
        if code in PROTOCOL_CODES:
            return RpcError.of(code, message, data)
        error = RpcError(code, message, data)
        error.may_have_run = True
        return error

    def _member(self, name: str) -> object:
        return _members_of(self.data).get(name)

    def _text(self, name: str) -> str | None:
        found = self._member(name)
        return found if isinstance(found, str) else None


def _members_of(value: object) -> Mapping[str, object]:
    """Give the members of a JSON object; any other value has none."""
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


class InvalidArguments(RpcError):
    """The peer refused the arguments of a call."""

    @classmethod
    def at(cls, path: str, message: str) -> InvalidArguments:
        """Make an error for an interceptor to refuse a call with; a handler declares its own.

        Args:
            path: Where the fault is, such as ``params.symbol``.
            message: What is wrong there.

        Raises:
            TypeError: one of them is not a str.
        """
        check_text("path", path, write='"params.symbol"', may_be_empty=True)
        check_text("message", message, may_be_empty=True)
        data = {"errors": [{"path": path, "message": message}]}
        return cls(int(ErrorCode.INVALID_PARAMS), "Invalid params", data)

    @property
    def errors(self) -> Sequence[Mapping[str, str]]:
        """Each fault as ``{"path": ..., "message": ...}``; empty if the peer sent none."""
        found = self._member("errors")
        # The shape inside of the list is the peer's word.
        return cast("Sequence[Mapping[str, str]]", found) if isinstance(found, list) else ()

    def __str__(self) -> str:
        faults = [_fault_of(each) for each in self.errors]
        if not faults or None in faults:
            return super().__str__()
        call = "" if self.method is None else f"{self.method}: "
        return f"{call}{self.message}: {'; '.join(filter(None, faults))} ({self.code}){self._hint}"


def _fault_of(entry: object) -> str | None:
    """Write one of the faults that a peer lists; None if it has another shape."""
    fault = _members_of(entry)
    path, message = fault.get("path"), fault.get("message")
    return f"{message} @ {path}" if isinstance(path, str) and isinstance(message, str) else None


class MethodNotFound(RpcError):
    """The peer has no such method or signal."""


class Forbidden(RpcError):
    """The caller lacks a permission; `reason` says which."""

    @classmethod
    def because(cls, reason: str) -> Forbidden:
        """Make an error for an interceptor to refuse a call with; a handler declares its own.

        Args:
            reason: One sentence for the caller.

        Raises:
            TypeError: it is not a str.
        """
        check_text("reason", reason, may_be_empty=True)
        return cls(int(ErrorCode.METHOD_FORBIDDEN), reason)

    @property
    def reason(self) -> str | None:
        """What the caller lacks, such as a login or a role, if the peer said so."""
        return self._text("reason")

    def __str__(self) -> str:
        if self.reason is None:
            return super().__str__()
        call = "" if self.method is None else f"{self.method}: "
        return f"{call}{self.message} ({self.code}): {self.reason}"


class Busy(RpcError):
    """The peer has no room for the call now."""

    @classmethod
    def after(cls, seconds: float, message: str = "Busy") -> Busy:
        """Make an error for an interceptor to refuse a call with; a handler declares its own.

        Args:
            seconds: After which the caller may retry, rounded up to milliseconds.
            message: One sentence for the caller.

        Raises:
            TypeError: `seconds` is not a number, or `message` not a str.
            ValueError: `seconds` is below 0, infinite or nan.
        """
        check_seconds("seconds", seconds, may_be_zero=True, may_be_infinite=False)
        data = {"retry_after_ms": math.ceil(seconds * 1000)}
        return cls(int(ErrorCode.BUSY), message, data)

    @property
    def retry_after(self) -> float | None:
        """Seconds after which the caller may retry, if the peer named them."""
        found = self._member("retry_after_ms")
        return found / 1000 if isinstance(found, int | float) else None


class ShuttingDown(RpcError):
    """The peer takes no new calls because it is closing."""

    @property
    def reason(self) -> str | None:
        """Why, if the peer said so: ``the server is shutting down``."""
        return self._text("reason")


class DeadlineExceeded(RpcError):
    """A limit of the server ended the call before the caller's own deadline."""


class ReplyTooLarge(RpcError):
    """The result was larger than a message may be."""


class RemoteCancelled(RpcError):
    """The peer cancelled a call that its caller had not cancelled."""

    @property
    def reason(self) -> str | None:
        """Why, if the peer said so: ``the server is shutting down``."""
        return self._text("reason")


class InternalError(RpcError):
    """A handler failed with an exception that its method does not declare."""

    @property
    def id(self) -> str | None:
        """The id of the exception in the log of the server."""
        return self._text("id")


_REFUSALS: frozenset[int] = frozenset(
    {
        *(PROTOCOL_CODES - {ErrorCode.INTERNAL_ERROR}),
        ErrorCode.SHUTTING_DOWN,
        ErrorCode.BUSY,
        ErrorCode.TOO_MANY_SUBSCRIPTIONS,
        ErrorCode.BATCH_TOO_LARGE,
    }
)
"""Codes of calls that were refused before their handler began."""

_CLASS_OF_CODE: Mapping[int, type[RpcError]] = {
    ErrorCode.INVALID_PARAMS: InvalidArguments,
    ErrorCode.METHOD_NOT_FOUND: MethodNotFound,
    ErrorCode.METHOD_FORBIDDEN: Forbidden,
    ErrorCode.EVENT_FORBIDDEN: Forbidden,
    ErrorCode.BUSY: Busy,
    ErrorCode.SHUTTING_DOWN: ShuttingDown,
    ErrorCode.DEADLINE_EXCEEDED: DeadlineExceeded,
    ErrorCode.REPLY_TOO_LARGE: ReplyTooLarge,
    ErrorCode.CANCELLED: RemoteCancelled,
    ErrorCode.INTERNAL_ERROR: InternalError,
}


class ApplicationError(FarcallError):
    """Derive the errors of a service from this; declared ones arrive as themselves.

    Subclasses are attrs classes, whose fields are sent. `code` is the number in the JSON-RPC error
    object; a class may set it to any number but 2 and those in `PROTOCOL_CODES` and
    `FARCALL_CODES`. Peers that are not farcall get it together with the name of the class, which is
    the ``code`` in the error's ``data``. They compare that name, so keep it when you change the
    class.

    The message is the name and the fields as JSON, without fields that have ``repr=False``. A class
    may define ``__str__`` instead.

    >>> @attrs.define
    ... class OutOfStock(ApplicationError):
    ...     sku: str
    >>> str(OutOfStock("A-1"))
    'OutOfStock: sku=A-1'
    """

    code: ClassVar[int] = ErrorCode.APPLICATION

    _remote_message: str | None = None
    """The message of the peer, for an error that came over the wire."""

    def __reduce__(self) -> tuple[object, ...]:
        # Not by a call with `args`, as for other exceptions: some fields may not be arguments, or
        # only by name. A class with slots has only the fields there.
        cls = type(self)
        names = [field.name for field in attrs.fields(cls)] if attrs.has(cls) else []
        fields = {name: getattr(self, name) for name in names if hasattr(self, name)}
        return _restored, (cls, self.args, {**self.__dict__, **fields})

    def __repr__(self) -> str:
        # Only for a class with `repr=False`: the one of `Exception` would show all arguments.
        return f"{type(self).__name__}()" if attrs.has(type(self)) else super().__repr__()

    def __str__(self) -> str:
        if self._remote_message is not None:
            return self._remote_message
        name = type(self).__name__
        if not attrs.has(type(self)):
            return super().__str__() or name
        fields = ", ".join(f"{field}={value}" for field, value in fields_as_json(self))
        return f"{name}: {fields}" if fields else name


def _restored(
    cls: type[ApplicationError], args: tuple[object, ...], attributes: Mapping[str, object]
) -> ApplicationError:
    """Restore an error that was copied or pickled."""
    error = cls.__new__(cls, *args)
    for name, value in attributes.items():
        object.__setattr__(error, name, value)  # a frozen class refuses an assignment
    return error


class ConnectionLost(FarcallError, trio.BrokenResourceError):
    """The link ended before the response came.

    Args:
        sent: False if nothing of the call was sent, so that it can be repeated safely; True if its
            outcome is unknown.
        reason: How the link ended.
    """

    def __init__(self, reason: str, *, sent: bool) -> None:
        check_text("reason", reason, may_be_empty=True)
        check_flag("sent=", sent)
        super().__init__(reason)
        self.reason = reason
        self.sent = sent
        self.may_have_run = sent

    def __reduce__(self) -> tuple[object, ...]:
        return functools.partial(type(self), sent=self.sent), self.args, self.__dict__

    def __str__(self) -> str:
        outcome = "the outcome of the call is unknown" if self.sent else "the call was not sent"
        return f"{self.reason}; {outcome}"


class ConnectFailed(FarcallError):
    """No connection could be made.

    Args:
        reason: Why, in one sentence.
        status: Of the HTTP response, if there was one; with 401, 403 and 404 a retry is useless.
        code: Of the Close frame, if the server ended the connection at the hello.
    """

    may_have_run = False

    def __init__(self, reason: str, *, status: int | None = None, code: int | None = None) -> None:
        check_text("reason", reason, may_be_empty=True)
        optional(check_int)("status=", status, least=0)
        optional(check_int)("code=", code, least=0)
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.code = code


class InvalidResult(FarcallError):
    """The peer sent a result, or an item, that does not match the contract."""


class EncodeError(FarcallError):
    """A value cannot cross the wire; nothing of it was sent.

    `may_have_run` is True for an item of an upload, whose call was sent before.
    """

    may_have_run = False


class SignalLagged(FarcallError):
    """A subscriber was too slow; the subscription goes on with the next value.

    Args:
        missed: How many values were dropped.
    """

    def __init__(self, missed: int) -> None:
        check_int("missed", missed, least=0)
        super().__init__(missed)
        self.missed = missed

    def __str__(self) -> str:
        return f"{self.missed} values were dropped because the subscriber was too slow"


class SignalGap(FarcallError):
    """Values were emitted while a subscriber was away; it goes on with the next value.

    Args:
        missed: How many, or None if unknown.
    """

    def __init__(self, missed: int | None) -> None:
        optional(check_int)("missed", missed, least=0)
        super().__init__(missed)
        self.missed = missed

    def __str__(self) -> str:
        count = "an unknown number of" if self.missed is None else self.missed
        return f"{count} values were emitted while the subscriber was away"


class ContractMismatch(FarcallError):
    """Calls of a stub can fail, because the server has another contract.

    Or its contract is unknown, because the server does not describe it.
    """

    may_have_run = False


class NotSupported(FarcallError):
    """The peer, or this version of farcall, does not support the request."""

    may_have_run = False


class Unauthorized(FarcallError):
    """The peer may not connect; raise it in ``authenticate``."""

    may_have_run = False


_PARTS = ("number", "where", "member", "problem", "fix")


class DeclarationError(FarcallError, TypeError):
    """A service breaks a rule of declaration; says where, and what to write instead.

    Args:
        number: Of the rule, such as ``"FC101"``; the documentation has a section for each.
        where: File and line of the member.
        member: Such as ``"Market.quote"``.
        problem: What is wrong.
        fix: What to write instead.
        others: Further errors of the same class.
    """

    may_have_run = False

    def __init__(
        self,
        number: str,
        where: str,
        member: str,
        problem: str,
        fix: str,
        others: Sequence[DeclarationError] = (),
    ) -> None:
        for name, text in zip(_PARTS, (number, where, member, problem, fix), strict=True):
            check_text(name, text, may_be_empty=True)
        super().__init__(number, where, member, problem, fix)
        self.others = tuple(others)
        self.number = number
        self.where = where
        self.member = member
        self.problem = problem
        self.fix = fix

    def __str__(self) -> str:
        own = f"{self.where}: {self.number} {self.member}: {self.problem}. {self.fix}."
        return "\n".join([own, *map(str, self.others)])
