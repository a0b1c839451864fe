"""Declared errors, which cross with their class and fields."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Raw

from farcall._codec.codec import Codec, codec_of
from farcall._codec.faults import Faults
from farcall._codec.shape import Write
from farcall._codec.text import Convert, FastThenDetailed, decoded, encoded
from farcall._json import is_object
from farcall.errors import ApplicationError, is_of_protocol


class ErrorCodec:
    """Carries the declared errors of one method over the wire.

    It makes exceptions of these classes alone, whatever names a peer sends.

    Args:
        classes: The errors that the method declares.

    Raises:
        UnsupportedType: a field of an error cannot cross the wire.
    """

    def __init__(self, classes: Iterable[type[ApplicationError]]) -> None:
        self._codecs: dict[type[ApplicationError], Codec[Any]] = {
            cls: codec_of(cls) for cls in classes
        }
        self._by_name = {cls.__name__: codec for cls, codec in self._codecs.items()}

    def knows(self, exc: BaseException) -> bool:
        """Tell whether an exception is an instance of a declared class."""
        return isinstance(exc, tuple(self._codecs))

    def encode(self, exc: ApplicationError) -> tuple[int, str, bytes]:
        """Write an exception that this codec knows.

        An instance of a subclass crosses as its nearest declared class.

        Returns:
            The code, the message and the data of the JSON-RPC error.

        Raises:
            EncodeError: a field is not of its type.
        """
        declared = (each for each in self._codecs if isinstance(exc, each))
        cls = max(declared, key=lambda each: len(each.__mro__))
        name = cls.__name__
        fields = self._codecs[cls].writing
        writing = FastThenDetailed(lambda is_detailed: _named(name, fields.way(is_detailed)))
        data = encoded(writing, exc, name)
        # A field cannot hold a lone surrogate; the text of `__str__` can, and gets an escape.
        message = str(self._as(cls, exc)).encode(errors="backslashreplace").decode()
        return int(cls.code), message, data

    def decode(self, code: int, message: str, data: bytes | Raw | None) -> ApplicationError | None:
        """Make the exception; None if the error is not a declared one with its fields.

        The caller then sees the error as the peer sent it.
        """
        if data is None or is_of_protocol(code, is_plain=False):
            return None
        try:
            exc = decoded(FastThenDetailed(self._reader), data, "error.data")
        except Faults:
            return None
        if exc is not None:
            # Not by assignment, which a frozen class refuses.
            object.__setattr__(exc, "_remote_message", message)
        return exc

    def _as(self, cls: type[ApplicationError], exc: ApplicationError) -> ApplicationError:
        """Make an exception of a declared class, without what its subclass adds to the message."""
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
