"""Properties of every type and every text."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from farcall._codec import Faults, codec_of, decode_json, encode_untyped
from farcall._codec.codec import Codec
from farcall.errors import EncodeError
from tests.unit.codec.cases import JSON, Case, cases

EXAMPLES = settings(max_examples=100)


def check_is_of_type(codec: Codec[Any], value: object) -> None:
    """Check a value by the other half of the codec, which is strict by itself."""
    again = codec.encode(value)
    assert codec.encode(codec.decode(again, unknown="refuse", at="value")) == again


def read_or_fault(codec: Codec[Any], text: bytes) -> None:
    try:
        value = codec.decode(text, unknown="refuse", at="value")
    except Faults as faults:
        check_faults(faults)
    else:
        check_is_of_type(codec, value)


def check_faults(faults: Faults) -> None:
    assert faults.errors
    assert all(fault.path.startswith("value") and fault.message for fault in faults.errors)


@EXAMPLES
@given(cases(), st.data())
def test_round_trip(case: Case, data: st.DataObject) -> None:
    """Every value of every type comes back, and has the same text again."""
    value = data.draw(case.values)
    codec = codec_of(case.annotation)

    text = codec.encode(value)
    back = codec.decode(text, unknown="refuse", at="value")

    assert back == value
    assert codec.encode(back) == text
    assert codec.decode(text, unknown="ignore", at="value") == value


@EXAMPLES
@given(cases(), st.data())
def test_mutated_text(case: Case, data: st.DataObject) -> None:
    """A text with one part exchanged is a value of the type, or a fault."""
    codec = codec_of(case.annotation)
    plain = json.loads(codec.encode(data.draw(case.values)))

    read_or_fault(codec, json.dumps(mutated(plain, data)).encode())


def mutated(plain: Any, data: st.DataObject) -> Any:
    """Exchange one part somewhere, or leave out a member."""
    if isinstance(plain, list) and plain and data.draw(st.booleans()):
        i = data.draw(st.integers(0, len(plain) - 1))
        return [*plain[:i], mutated(plain[i], data), *plain[i + 1 :]]
    if isinstance(plain, dict) and plain and data.draw(st.booleans()):
        key = data.draw(st.sampled_from(list(plain)))
        if data.draw(st.integers(0, 3)) == 0:
            return {name: plain[name] for name in plain if name != key}
        return plain | {key: mutated(plain[key], data)}
    return data.draw(JSON)


@EXAMPLES
@given(cases(), JSON)
def test_any_json(case: Case, plain: object) -> None:
    """Any JSON is a value of the type, or a fault."""
    read_or_fault(codec_of(case.annotation), json.dumps(plain).encode())


@EXAMPLES
@given(cases(depth=1), st.binary(max_size=20) | st.text(max_size=20).map(str.encode))
def test_any_bytes(case: Case, text: bytes) -> None:
    """Any bytes are a value of the type, or a fault."""
    read_or_fault(codec_of(case.annotation), text)


@EXAMPLES
@given(cases(), cases(), st.data())
def test_value_of_another_type(case: Case, other: Case, data: st.DataObject) -> None:
    """A value of another type is written as one of this type, or raises EncodeError."""
    codec = codec_of(case.annotation)
    try:
        text = codec.encode(data.draw(other.values))
    except EncodeError:
        pass
    else:
        check_is_of_type(codec, codec.decode(text, unknown="refuse", at="value"))


@EXAMPLES
@given(JSON)
def test_untyped(plain: object) -> None:
    """JSON comes back without a declared type."""
    assert decode_json(encode_untyped(plain)) == plain
