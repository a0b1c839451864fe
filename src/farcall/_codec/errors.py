"""Declared errors: they cross as themselves, with their fields."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Raw

from farcall._codec.codec import Codec, codec_of
from farcall._codec.faults import Faults
from farcall._codec.shape import Write, is_object
from farcall._codec.text import Convert, FastThenDetailed, decoded, encoded
from farcall.errors import ApplicationError, is_of_protocol


class ErrorCodec:
    """Carries the declared errors of one method over the wire.

    Only these classes are ever made: none is looked up by a name that a peer sends.

    Args:
        classes: What the method declares that it raises.

    Raises:
        UnsupportedType: a field of one cannot cross the wire.
    """

    def __init__(self, classes: Iterable[type[ApplicationError]]) -> None:
        self._codecs: dict[type[ApplicationError], Codec[Any]] = {
            cls: codec_of(cls) for cls in classes
        }
        self._by_name = {cls.__name__: codec for cls, codec in self._codecs.items()}

    def knows(self, exc: BaseException) -> bool:
        """Tell whether an exception is of a declared class, or of a subclass of one."""
        return isinstance(exc, tuple(self._codecs))

    def encode(self, exc: ApplicationError) -> tuple[int, str, bytes]:
        """Write an exception that is known.

        Returns:
            The code, the message and the data of the JSON-RPC error. An instance of a subclass
            crosses as the declared class that is nearest to it.

        Raises:
            EncodeError: a field is not of its type.
        """
        cls = self._declared_class(exc)
        name = cls.__name__
        fields = self._codecs[cls].writing
        writing = FastThenDetailed(lambda is_detailed: _named(name, fields.way(is_detailed)))
        data = encoded(writing, exc, name)
        # A lone surrogate in a field's text was refused above; one in `__str__` is spelled out.
        message = str(self._as(cls, exc)).encode(errors="backslashreplace").decode()
        return int(cls.code), message, data

    def decode(self, code: int, message: str, data: bytes | Raw | None) -> ApplicationError | None:
        """Make the exception again; None for what is not one of the declared.

        What names a declared class and does not hold its fields is none of them either: the
        caller then sees the error as the peer sent it.
        """
        if data is None or is_of_protocol(code, is_plain=False):
            return None
        try:
            exc = decoded(FastThenDetailed(self._reader), data, "error.data")
        except Faults:
            return None
        if exc is not None:
            _remember(exc, message)
        return exc

    def _declared_class(self, exc: ApplicationError) -> type[ApplicationError]:
        fitting = [cls for cls in self._codecs if isinstance(exc, cls)]
        return max(fitting, key=lambda cls: len(cls.__mro__))

    def _as(self, cls: type[ApplicationError], exc: ApplicationError) -> ApplicationError:
        """Give an exception without what a subclass adds: that is not declared, so not told."""
        if type(exc) is cls:
            return exc
        codec = self._codecs[cls]
        twin: ApplicationError = codec.decode(codec.encode(exc), unknown="ignore", at="error")
        return twin

    def _reader(self, is_detailed: bool) -> Convert[ApplicationError | None]:
        def read(data: Any) -> ApplicationError | None:
            if not is_object(data) or not isinstance(name := data.get("code"), str):
                return None
            if (codec := self._by_name.get(name)) is None:
                return None
            exc: ApplicationError = codec.tolerant.way(is_detailed)(data.get("fields", {}))
            return exc

        return read


def _named(name: str, write: Write) -> Write:
    return lambda exc: {"code": name, "fields": write(exc)}


def _remember(exc: ApplicationError, message: str) -> None:
    # Not by assignment, which a frozen class refuses.
    object.__setattr__(exc, "_remote_message", message)
