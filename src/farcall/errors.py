"""Everything farcall raises, in one tree, and the codes errors carry on the wire.

::

    FarcallError
    ├── RpcError(code, message, data)        the peer answered with an error
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
    ├── ConnectFailed(reason)                no link could be made  .status, .code
    ├── InvalidResult                        the answer is not what the contract promises
    ├── EncodeError                          a value cannot cross the wire; nothing was sent
    ├── SignalLagged(missed)                 a subscriber was too slow
    ├── SignalGap(missed)                    a subscriber was away
    ├── ContractMismatch                     stub and server disagree
    ├── NotSupported                         the peer, or this version, cannot do that
    ├── Unauthorized                         raise it to refuse a handshake
    └── DeclarationError                     a service is declared wrongly; numbered
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

from farcall._usage.options import check_flag, check_int, check_seconds, check_text, optional
from farcall._usage.plain import shown, shown_fields


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
"""What JSON-RPC 2.0 (section 5.1) and rpc-websockets say of a call itself: that it was refused, or
that its handler failed. No handler answers with one of them."""

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
"""What farcall says besides, of those that JSON-RPC 2.0 leaves to servers (-32099 to -32000). They
have this meaning between farcall peers alone; servers of plain JSON-RPC use the same codes for
errors of their own."""


def is_of_protocol(code: int, *, is_plain: bool) -> bool:
    """Say whether a code tells something about a call itself, and nothing that a handler may say.

    Args:
        code: Of an error.
        is_plain: Whether one of both ends is not farcall.
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
    """Whether the handler may have begun. False where it has certainly not: the call was refused,
    or never sent, and repeating it is safe."""


class RpcError(FarcallError):
    """Report an error that the peer answered with, or answer with one.

    A handler may raise it; code, message and data then go out as they are. On the calling side
    the classes below it stand for the codes that have a meaning of their own.

    Args:
        code: An integer; those of `PROTOCOL_CODES` belong to the protocol, and between farcall
            peers those of `FARCALL_CODES` as well. Raised by a handler they become -32603.
        message: One sentence.
        data: Any JSON value, or None for no ``data`` member.

    Raises:
        TypeError: the code is no int, or the message no str.
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
        """The wire name of the call that the peer answered with it; None where it is raised."""
        self.contract: str | None = None
        """How the stub's contract differs from the peer's, where that may be why; else None."""

    def __str__(self) -> str:
        call = "" if self.method is None else f"{self.method}: "
        detail = "" if self.data is None else f" {shown(self.data)}"
        return f"{call}{self.message} ({self.code}){detail}{self._hint}"

    @property
    def _hint(self) -> str:
        return "" if self.contract is None else f"; {self.contract}"

    @staticmethod
    def of(code: int, message: str, data: object = None) -> RpcError:
        """Make the error whose class stands for `code`, or a plain `RpcError`."""
        return _CLASS_OF_CODE.get(code, RpcError)(code, message, data)

    @staticmethod
    def _of_plain(code: int, message: str, data: object = None) -> RpcError:
        """Make the error for what a peer said that is not farcall.

        Its codes are its own, but for those of JSON-RPC 2.0 and of rpc-websockets.
        """
        if code in PROTOCOL_CODES:
            return RpcError.of(code, message, data)
        error = RpcError(code, message, data)
        error.may_have_run = True
        return error

    def _member(self, name: str) -> object:
        return _members_of(self.data).get(name)


def _members_of(value: object) -> Mapping[str, object]:
    """Give the members of a JSON object; any other value has none."""
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


class InvalidArguments(RpcError):
    """Say that the peer refused the arguments of a call."""

    @classmethod
    def at(cls, path: str, message: str) -> InvalidArguments:
        """Make one for an interceptor to refuse a call with; a handler declares errors of its own.

        Args:
            path: Where the fault is, such as ``params.symbol``.
            message: What is wrong there.

        Raises:
            TypeError: one of them is no str.
        """
        check_text("path", path, write='"params.symbol"', may_be_empty=True)
        check_text("message", message, may_be_empty=True)
        data = {"errors": [{"path": path, "message": message}]}
        return cls(int(ErrorCode.INVALID_PARAMS), "Invalid params", data)

    @property
    def errors(self) -> Sequence[Mapping[str, str]]:
        """Each fault as ``{"path": ..., "message": ...}``; empty when the peer gave none."""
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
    """Write one of the faults that a peer lists; None for what has another shape."""
    fault = _members_of(entry)
    path, message = fault.get("path"), fault.get("message")
    return f"{message} @ {path}" if isinstance(path, str) and isinstance(message, str) else None


class MethodNotFound(RpcError):
    """Say that the peer has no such method, or signal."""


class Forbidden(RpcError):
    """Say that the caller may not do that; `reason` tells what it lacks."""

    @classmethod
    def because(cls, reason: str) -> Forbidden:
        """Make one for an interceptor to refuse a call with; a handler declares errors of its own.

        Args:
            reason: One sentence for the caller.

        Raises:
            TypeError: it is no str.
        """
        check_text("reason", reason, may_be_empty=True)
        return cls(int(ErrorCode.METHOD_FORBIDDEN), reason)

    @property
    def reason(self) -> str | None:
        """What the caller lacks, such as a login or a role, where the peer told."""
        found = self._member("reason")
        return found if isinstance(found, str) else None

    def __str__(self) -> str:
        if self.reason is None:
            return super().__str__()
        call = "" if self.method is None else f"{self.method}: "
        return f"{call}{self.message} ({self.code}): {self.reason}"


class Busy(RpcError):
    """Say that the peer has no room for the call now."""

    @classmethod
    def after(cls, seconds: float, message: str = "Busy") -> Busy:
        """Make one for an interceptor to refuse a call with; a handler declares errors of its own.

        Args:
            seconds: After which a new try makes sense, rounded up to milliseconds.
            message: One sentence for the caller.

        Raises:
            TypeError: they are no number and no str.
            ValueError: the seconds are below 0, infinite or nan.
        """
        check_seconds("seconds", seconds, may_be_zero=True, may_be_infinite=False)
        data = {"retry_after_ms": math.ceil(seconds * 1000)}
        return cls(int(ErrorCode.BUSY), message, data)

    @property
    def retry_after(self) -> float | None:
        """Seconds after which a new try makes sense, where the peer named them."""
        found = self._member("retry_after_ms")
        return found / 1000 if isinstance(found, int | float) else None


class ShuttingDown(RpcError):
    """Say that the peer takes no new calls because it is closing."""

    @property
    def reason(self) -> str | None:
        """Why, where the peer told: ``the server is shutting down``."""
        reason = self._member("reason")
        return reason if isinstance(reason, str) else None


class DeadlineExceeded(RpcError):
    """Say that a limit of the server ended the call before the caller's own deadline."""


class ReplyTooLarge(RpcError):
    """Say that the result was larger than a message may be."""


class RemoteCancelled(RpcError):
    """Say that the peer cancelled a call which its caller had not cancelled."""

    @property
    def reason(self) -> str | None:
        """Why, where the peer told: ``the server is shutting down``."""
        reason = self._member("reason")
        return reason if isinstance(reason, str) else None


class InternalError(RpcError):
    """Say that a handler failed with an exception that its method does not declare."""

    @property
    def id(self) -> str | None:
        """The id under which the server logged the exception."""
        found = self._member("id")
        return found if isinstance(found, str) else None


_REFUSALS: frozenset[int] = frozenset(
    {
        *(PROTOCOL_CODES - {ErrorCode.INTERNAL_ERROR}),
        ErrorCode.SHUTTING_DOWN,
        ErrorCode.BUSY,
        ErrorCode.TOO_MANY_SUBSCRIPTIONS,
        ErrorCode.BATCH_TOO_LARGE,
    }
)
"""Codes that are said in place of a call, before its handler has begun."""

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
    """Derive the errors of a service from this; declared ones cross the wire as themselves.

    Subclasses are attrs classes; their fields travel. `code` is the number in the JSON-RPC error
    object and may be set by the class, to any but 2 and those of `PROTOCOL_CODES` and
    `FARCALL_CODES`. Peers that are not farcall see it together with the class's name, which is the
    ``code`` in the error's ``data``. They compare that name, so keep it when you change the class.

    The message is the name and the fields as JSON, without those that have ``repr=False``. A class
    that defines ``__str__`` writes its own.

    >>> @attrs.define
    ... class OutOfStock(ApplicationError):
    ...     sku: str
    >>> str(OutOfStock("A-1"))
    'OutOfStock: sku=A-1'
    """

    code: ClassVar[int] = ErrorCode.APPLICATION

    _remote_message: str | None = None
    """What the peer said, for an error that came over the wire."""

    def __reduce__(self) -> tuple[object, ...]:
        # Not by a call with `args`, as other exceptions: some fields may be no arguments, or may be
        # given by name alone. A class with slots keeps only the fields in them.
        cls = type(self)
        names = [field.name for field in attrs.fields(cls)] if attrs.has(cls) else []
        fields = {name: getattr(self, name) for name in names if hasattr(self, name)}
        return _restored, (cls, self.args, {**self.__dict__, **fields})

    def __repr__(self) -> str:
        # Only of a class with `repr=False`: other exceptions would show all arguments.
        return f"{type(self).__name__}()" if attrs.has(type(self)) else super().__repr__()

    def __str__(self) -> str:
        if self._remote_message is not None:
            return self._remote_message
        name = type(self).__name__
        if not attrs.has(type(self)):
            return super().__str__() or name
        fields = ", ".join(f"{field}={value}" for field, value in shown_fields(self))
        return f"{name}: {fields}" if fields else name


def _restored(
    cls: type[ApplicationError], args: tuple[object, ...], attributes: Mapping[str, object]
) -> ApplicationError:
    """Make an error again that was copied or pickled."""
    error = cls.__new__(cls, *args)
    for name, value in attributes.items():
        object.__setattr__(error, name, value)  # a frozen class refuses an assignment
    return error


class ConnectionLost(FarcallError, trio.BrokenResourceError):
    """Say that the link ended before the answer came.

    Args:
        sent: False when nothing of the call has left, so that repeating it is safe; True when
            its outcome is unknown.
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
    """Say that no connection could be made, and why.

    Args:
        reason: One sentence.
        status: Of HTTP, where the server answered with one: 401, 403 and 404 tell that another
            try makes no sense.
        code: Of the Close frame, where the server ended the connection at the hello.
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
    """Say that what the peer sent is not what the contract promises."""


class EncodeError(FarcallError):
    """Say that a value cannot cross the wire; nothing of it was sent.

    `may_have_run` is True where it is an item of an upload, whose call had been sent.
    """

    may_have_run = False


class SignalLagged(FarcallError):
    """Say that a subscriber was too slow; the subscription goes on with the next value.

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
    """Say that values were emitted while a subscriber was away; it goes on with the next one.

    Args:
        missed: How many, or None where nobody knows.
    """

    def __init__(self, missed: int | None) -> None:
        optional(check_int)("missed", missed, least=0)
        super().__init__(missed)
        self.missed = missed

    def __str__(self) -> str:
        count = "an unknown number of" if self.missed is None else self.missed
        return f"{count} values were emitted while the subscriber was away"


class ContractMismatch(FarcallError):
    """Say that calls of a stub can fail, because the server has another contract.

    Or that nobody can tell, because the server does not say what it offers.
    """

    may_have_run = False


class NotSupported(FarcallError):
    """Say that the peer, or this version of farcall, cannot do what was asked."""

    may_have_run = False


class Unauthorized(FarcallError):
    """Say that the peer may not connect."""

    may_have_run = False


_PARTS = ("number", "where", "member", "problem", "fix")


class DeclarationError(FarcallError, TypeError):
    """Say which rule of declaration a service breaks, where, and how to mend it.

    Args:
        number: Of the rule, such as ``"FC101"``; each has its place in the documentation.
        where: File and line of the member.
        member: Such as ``"Market.quote"``.
        problem: What is wrong.
        fix: What to write instead.
        others: What else is wrong with the same class.
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
