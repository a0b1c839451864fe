"""Classes whose values cross as another type, by the functions of their author."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from farcall._codec.faults import Mismatch, mismatch, refused
from farcall._codec.records import refusal
from farcall._codec.shape import Shape


class Converted(Struct, frozen=True, eq=False):
    """The shape of such a class. An instance of a subclass crosses as the class."""

    label: str
    cls: type
    wire: Shape
    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]

    def read(self, data: Any, _: object = None) -> Any:
        plain = self.wire.read(data)
        try:
            return self.decode(plain)
        except Exception as error:  # the function is the author's and may raise anything
            raise mismatch(refusal(error, self.label)) from error

    def write(self, value: Any) -> Any:
        if not self.fits(value):
            raise refused(self.label, value)
        try:
            plain = self.encode(value)
        except Exception as error:  # the same
            problem = f"encode raised {type(error).__name__}: {error}"
            raise mismatch(f"expected {self.label}: {problem}") from error
        try:
            return self.wire.write(plain)
        except Mismatch as fault:
            problem = f"encode made another type: {fault.faults[0].message}"
            raise mismatch(f"expected {self.label}: {problem}") from fault

    def fits(self, value: object) -> bool:
        return isinstance(value, self.cls)
