"""The codec of one type."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import attrs
import pytest

from farcall._codec import Faults, UnsupportedType, codec_of
from farcall.errors import EncodeError


@attrs.frozen
class Quote:
    symbol: str


def test_is_cached() -> None:
    """A type has one codec, which is made once."""
    assert codec_of(list[Quote]) is codec_of(list[Quote])
    assert codec_of(Any) is codec_of(Any)


def test_notes_without_hash() -> None:
    """A type whose notes have no hash has a codec."""
    assert codec_of(Annotated[int, []]).encode(1) == b"1"


def test_types_that_are_equal() -> None:
    """``Literal[1]`` and ``Literal[True]`` do not share a codec."""
    assert codec_of(list[Literal[1]]).encode([1]) == b"[1]"
    assert codec_of(list[Literal[True]]).encode([True]) == b"[true]"


def test_unions_that_are_equal() -> None:
    """A message names the members of a union in the declared order."""
    for annotation, label in ((int | str, "int | str"), (str | int, "str | int")):
        with pytest.raises(EncodeError, match=re.escape(f"expected {label}, got")):
            codec_of(annotation).encode(None)


def test_unsupported() -> None:
    """A type that cannot cross is refused each time."""
    for _ in range(2):
        with pytest.raises(UnsupportedType, match="complex cannot cross the wire"):
            codec_of(complex)


def test_names_the_value() -> None:
    """Errors name the value as the caller of the codec does."""
    codec = codec_of(Quote)

    with pytest.raises(EncodeError, match=r"got int @ result\.symbol$"):
        codec.encode(Quote(1), at="result")  # type: ignore[arg-type]  # the mistake
    with pytest.raises(Faults, match=r"expected str @ params\.quote\.symbol$"):
        codec.decode(b'{"symbol":1}', unknown="refuse", at="params.quote")


def test_unknown_fields() -> None:
    """Unknown fields are refused or ignored, as the option says."""
    codec = codec_of(Quote)

    assert codec.decode(b'{"symbol":"A","x":1}', unknown="ignore", at="a") == Quote("A")
    with pytest.raises(Faults, match=r"unknown field @ a\.x$"):
        codec.decode(b'{"symbol":"A","x":1}', unknown="refuse", at="a")
