"""What peers may put into hello, credit, items and the like."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec import UNSET, Raw

from farcall._limits import DEFAULT_LIMITS
from farcall._protocol.messages import TEXT_COST, Hello, Limits
from farcall._protocol.shapes import (
    CancelShape,
    CreditShape,
    ErrorShape,
    GoawayShape,
    ItemsShape,
    StartedShape,
    read_hello,
    read_meta,
    read_shape,
)
from farcall._protocol.wire import UnreadableText
from tests.protocol.pair import make_hello


def read_hello_of(text: bytes | None) -> Hello:
    return read_hello(text, DEFAULT_LIMITS.message_out)


def encoded(value: Any) -> bytes:
    return msgspec.json.encode(value)


def test_a_hello_is_read_as_it_was_written() -> None:
    """A greeting makes the round trip."""
    hello = make_hello(v=3, features=("zip", "zap"))

    assert read_hello_of(hello.render()) == hello


def test_members_left_out_of_a_hello_have_their_defaults() -> None:
    """The version is all that a greeting must have."""
    assert read_hello_of(b'{"v":1}') == Hello(Limits(16 * 1024 * 1024, 1024, 128, 256))


def test_limits_left_out_have_their_defaults() -> None:
    """Each limit stands for itself; of `call_bytes` nothing is known."""
    assert read_hello_of(b'{"v":1,"limits":{"calls":1}}').limits == Limits(
        16 * 1024 * 1024, calls=1
    )
    assert read_hello_of(b'{"v":1,"limits":{"call_bytes":9}}').limits.call_bytes == 9


def test_unknown_members_of_a_hello_are_ignored() -> None:
    """A later version may say more than this one knows."""
    text = b'{"v":9,"features":["?"],"more":[1],"limits":{"message":5,"more":{}}}'

    assert read_hello_of(text) == Hello(Limits(5), 9, ("?",))


@pytest.mark.parametrize(
    "params",
    [
        None,
        b"[]",
        b"{}",
        b'{"v":0}',
        b'{"v":-1}',
        b'{"v":1.5}',
        b'{"v":"1"}',
        b'{"v":true}',
        b'{"v":null}',
        b'{"v":1e400}',
        b'{"v":%d}' % (2**53 + 1),
        b'{"v":1,"features":"zip"}',
        b'{"v":1,"features":[1]}',
        b'{"v":1,"contracts":[]}',
        b'{"v":1,"contracts":{"Market":1}}',
        b'{"v":1,"limits":[]}',
        b'{"v":1,"limits":{"message":0}}',
        b'{"v":1,"limits":{"message":-1}}',
        b'{"v":1,"limits":{"message":1e3}}',
        b'{"v":1,"limits":{"message":99999999999999999999}}',
        b'{"v":1,"limits":{"calls":0}}',
        b'{"v":1,"limits":{"bundle":0}}',
        b'{"v":1,"limits":{"subscriptions":-1}}',
        b'{"v":1,"limits":{"calls":null}}',
    ],
)
def test_a_malformed_hello_is_refused(params: bytes | None) -> None:
    """Versions and limits are counts; a greeting that says otherwise is none."""
    with pytest.raises(UnreadableText):
        read_hello_of(params)


def test_a_hello_says_no_more_than_can_be_kept() -> None:
    """It stays as long as its connection: so many contracts, with names of so many characters."""

    def read(count: int, length: int) -> Hello:
        names = [f"{number:0{length}}" for number in range(count)]
        contracts = dict.fromkeys(names, "x" * length)
        return read_hello_of(encoded({"v": 1, "features": names, "contracts": contracts}))

    assert read(1024, 256).size == 3 * 1024 * (256 + TEXT_COST)
    for count, length in ((1025, 256), (1024, 257)):
        with pytest.raises(UnreadableText, match="length <= "):
            read(count, length)
    digests = " ".join(["x" * 64] * 1024)
    assert read_hello_of(encoded({"v": 1, "contracts": {"": digests}})).contracts[""] == digests
    with pytest.raises(UnreadableText, match="length <= "):
        read_hello_of(encoded({"v": 1, "contracts": {"": digests + "xx"}}))


def test_no_subscriptions_are_a_limit_as_well() -> None:
    """A peer may take no subscription at all."""
    assert read_hello_of(b'{"v":1,"limits":{"subscriptions":0}}').limits.subscriptions == 0


@pytest.mark.parametrize(
    ("meta", "credit", "timeout"),
    [
        (UNSET, None, None),
        (Raw(b"{}"), None, None),
        (Raw(b'{"timeout":7998}'), None, 7998),
        (Raw(b'{"timeout":0,"credit":null}'), None, 0),
        (Raw(b'{"credit":[1,2],"more":1}'), (1, 2), None),
        (Raw(b'{"credit":[9007199254740992,9007199254740992]}'), (2**53, 2**53), None),
    ],
)
def test_meta_is_read(meta: Any, credit: tuple[int, int] | None, timeout: int | None) -> None:
    """A request may open a window, and name the milliseconds for which its caller waits."""
    read = read_meta(meta)

    assert (read.credit, read.timeout) == (credit, timeout)


@pytest.mark.parametrize(
    "meta",
    [
        b"null",
        b"[]",
        b'{"credit":[1]}',
        b'{"credit":[1,2,3]}',
        b'{"credit":[0,1]}',
        b'{"credit":[1,0]}',
        b'{"credit":[1,-1]}',
        b'{"credit":[1.0,1]}',
        b'{"credit":{"items":1}}',
        b'{"credit":[1,9007199254740993]}',
        b'{"timeout":-1}',
        b'{"timeout":1.5}',
        b'{"timeout":"8"}',
        b'{"timeout":9007199254740993}',
    ],
)
def test_malformed_meta_is_refused(meta: bytes) -> None:
    """A window is two counts above nought, a timeout one that may be nought."""
    with pytest.raises(UnreadableText):
        read_meta(Raw(meta))


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        (CancelShape, b'{"id":7,"reason":"caller","more":1}'),
        (CancelShape, b'{"id":7}'),
        (StartedShape, b'{"id":7,"value":{},"more":1}'),
        (ItemsShape, b'{"id":7,"seq":0,"values":[1,"x"],"cursor":"c","missed":null,"more":1}'),
        (ItemsShape, b'{"id":7,"seq":9007199254740992,"values":[]}'),
        (CreditShape, b'{"id":7,"items":96,"bytes":786432,"more":1}'),
        (GoawayShape, b'{"more":1}'),
        (GoawayShape, b'{"grace_ms":1,"reconnect_after_ms":2}'),
        (ErrorShape, b'{"code":1,"message":"m","data":{"x":1},"more":1}'),
        (ErrorShape, b'{"code":[],"message":{},"data":null}'),
        (ErrorShape, b"{}"),
    ],
)
def test_a_shape_is_read(shape: type[msgspec.Struct], text: bytes) -> None:
    """Known members are read, unknown ones ignored."""
    assert isinstance(read_shape(shape, text), shape)


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        (CancelShape, None),
        (CancelShape, b"{}"),
        (CancelShape, b"[7]"),
        (CancelShape, b'{"id":7,"reason":5}'),
        (StartedShape, b'{"id":7}'),
        (ItemsShape, b'{"id":7,"seq":-1,"values":[]}'),
        (ItemsShape, b'{"id":7,"seq":1e400,"values":[]}'),
        (ItemsShape, b'{"id":7,"seq":0,"values":{}}'),
        (ItemsShape, b'{"id":7,"seq":0,"values":[],"missed":-1}'),
        (ItemsShape, b'{"id":7,"seq":0,"values":[],"cursor":5}'),
        (CreditShape, b'{"id":7,"items":96}'),
        (CreditShape, b'{"id":7,"items":-1,"bytes":1}'),
        (CreditShape, b'{"id":7,"items":9007199254740993,"bytes":1}'),
        (GoawayShape, b'{"grace_ms":"soon"}'),
    ],
)
def test_another_shape_is_refused(shape: type[msgspec.Struct], text: bytes | None) -> None:
    """A member that is missing or has another type makes the whole unreadable."""
    with pytest.raises(UnreadableText):
        read_shape(shape, text)
