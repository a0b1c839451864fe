"""The text of each message, and that a peer reads what was written."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Raw

from farcall._json import UnreadableText
from farcall._protocol.binary import binary_items
from farcall._protocol.credit import Window
from farcall._protocol.framing import LAST_COUNT, join
from farcall._protocol.messages import (
    END,
    ITEM_OVERHEAD,
    MESSAGES,
    TEXT_COST,
    TIMEOUT_ROOM,
    Cancel,
    Credit,
    Error,
    Goaway,
    Hello,
    Items,
    PeerLimits,
    Started,
    UploadEnd,
    cancel,
    credit,
    credit_meta,
    error_response,
    event,
    goaway,
    items,
    max_items_size,
    notification,
    read_error,
    read_hello,
    read_meta,
    read_params,
    request,
    response,
    started,
    timeout_meta,
    upload_end,
)
from farcall.errors import ErrorCode
from tests.unit.protocol.pair import Call, Peer, ProtocolPair, Told, make_hello

ROWS: list[tuple[bytes, str]] = [
    (request(b"7", "add", b"[1,2]", END, None), '"id":7,"method":"add","params":[1,2]'),
    (
        request(b'"s1"', "add", b'{"a":1}', END, None),
        '"id":"s1","method":"add","params":{"a":1}',
    ),
    (request(b"7", "now", None, END, None), '"id":7,"method":"now"'),
    (
        request(b"7", "rpc.subscribe", b"{}", credit_meta(32, 262_144), None),
        '"id":7,"method":"rpc.subscribe","params":{},"meta":{"credit":[32,262144]}',
    ),
    (
        request(b"7", "add", None, timeout_meta(1500), "00-a-b-01"),
        '"id":7,"method":"add","traceparent":"00-a-b-01","meta":{"timeout":1500}',
    ),
    (
        request(b"7", "add", b"[1]", END, "00-a-b-01"),
        '"id":7,"method":"add","params":[1],"traceparent":"00-a-b-01"',
    ),
    (notification("log", b"[]", None), '"method":"log","params":[]'),
    (notification("log", None, "00-a"), '"method":"log","traceparent":"00-a"'),
    (notification('"\u00e9\n', None, None), '"method":"\\"\u00e9\\n"'),
    (response(b"7", b'{"price":1.5}'), '"id":7,"result":{"price":1.5}'),
    (response(b'"a"', b"null"), '"id":"a","result":null'),
    (
        error_response(b"7", Error(1, "no such symbol", b'{"code":"Unknown"}')),
        '"id":7,"error":{"code":1,"message":"no such symbol","data":{"code":"Unknown"}}',
    ),
    (
        error_response(b"null", Error.of(ErrorCode.PARSE_ERROR)),
        '"id":null,"error":{"code":-32700,"message":"Parse error"}',
    ),
    (started(b"7", b"{}"), '"method":"rpc.started","params":{"id":7,"value":{}}'),
    (items(b"7", 0, [b"1"]), '"method":"rpc.items","params":{"id":7,"seq":0,"values":[1]}'),
    (items(b"7", 41, []), '"method":"rpc.items","params":{"id":7,"seq":41,"values":[]}'),
    (
        items(b"7", 41, [b"1", b'"x"'], "5b0c.43", 3),
        '"method":"rpc.items","params":'
        '{"id":7,"seq":41,"values":[1,"x"],"cursor":"5b0c.43","missed":3}',
    ),
    (
        items(b"7", 41, [b"1"], missed=None),
        '"method":"rpc.items","params":{"id":7,"seq":41,"values":[1],"missed":null}',
    ),
    (
        items(b'"u1"', 0, [b"1"], is_upload=True),
        '"method":"rpc.items","params":{"upload":"u1","seq":0,"values":[1]}',
    ),
    (
        credit(b"7", 96, 786_432),
        '"method":"rpc.credit","params":{"id":7,"items":96,"bytes":786432}',
    ),
    (
        credit(b'"u1"', 96, 1, is_upload=True),
        '"method":"rpc.credit","params":{"upload":"u1","items":96,"bytes":1}',
    ),
    (upload_end(b'"u1"'), '"method":"rpc.end","params":{"upload":"u1"}'),
    (
        upload_end(b'"u1"', Error(1, "no")),
        '"method":"rpc.end","params":{"upload":"u1","error":{"code":1,"message":"no"}}',
    ),
    (cancel(b"7", "caller"), '"method":"rpc.cancel","params":{"id":7,"reason":"caller"}'),
    (
        goaway(10_000, 500),
        '"method":"rpc.goaway","params":{"grace_ms":10000,"reconnect_after_ms":500}',
    ),
    (
        event("ticked", b'{"a":1}'),
        '"method":"ticked","notification":"ticked","params":[{"a":1}]',
    ),
]


def _name(part: object) -> str:
    return str(part)[17:60] if isinstance(part, bytes) else ""


@pytest.mark.parametrize(("message", "members"), ROWS, ids=_name)
def test_a_message_is_written(message: bytes, members: str) -> None:
    """Each message has exactly the text that the protocol gives it."""
    text = f'{{"jsonrpc":"2.0",{members}}}'

    assert message.decode() == text
    assert json.loads(text)["jsonrpc"] == "2.0"


@pytest.mark.parametrize(
    ("now", "timeout"), [(7.0, 3000), (9.9991, 1), (9.9989, 2), (-(2.0**60), 2**53)]
)
def test_a_timeout_is_what_is_left_when_the_request_leaves_rounded_up(
    pair: ProtocolPair, now: float, timeout: int
) -> None:
    """The timeout is the milliseconds until the deadline, at most 2**53."""
    (text,) = pair.client.send(pair.client.make(deadline=10.0), now=now)

    assert json.loads(text)["meta"] == {"timeout": timeout}


@pytest.mark.parametrize("milliseconds", [0, 1, 1500, 2**53, 2**70])
def test_a_timeout_fits_into_the_room_that_is_kept_for_it(milliseconds: int) -> None:
    """The longest timeout is no longer than the room that is reserved for it."""
    assert len(timeout_meta(milliseconds)) <= TIMEOUT_ROOM
    assert json.loads(b'{"jsonrpc":"2.0"' + timeout_meta(milliseconds))["meta"] == {
        "timeout": min(milliseconds, 2**53)
    }


# Hello


def test_a_hello_names_the_limits_of_its_side() -> None:
    """A hello carries the version, the features, the contracts and the limits."""
    hello = Hello(
        v=1, limits=PeerLimits(1000, 2, 3, 4), features=("zip",), contracts={"Market": "8f1c0a"}
    )

    assert json.loads(hello.render()) == {
        "v": 1,
        "features": ["zip"],
        "contracts": {"Market": "8f1c0a"},
        "limits": {"message": 1000, "calls": 2, "subscriptions": 3, "bundle": 4},
    }
    text = Hello(v=1, limits=PeerLimits(1000, call_bytes=9)).render()
    assert json.loads(text)["limits"]["call_bytes"] == 9


def test_a_hello_is_read_as_it_was_written() -> None:
    """A greeting makes the round trip."""
    hello = make_hello(v=3, features=("zip", "zap"))

    assert read_hello(hello.render()) == hello


def test_members_left_out_of_a_hello_have_their_defaults() -> None:
    """A hello needs only its version."""
    assert read_hello(b'{"v":1}') == Hello(v=1, limits=PeerLimits(None, 1024, 128, 256, None))


def test_limits_left_out_have_their_defaults() -> None:
    """Each limit in a hello may be left out."""
    assert read_hello(b'{"v":1,"limits":{"calls":1}}').limits == PeerLimits(None, calls=1)
    assert read_hello(b'{"v":1,"limits":{"call_bytes":9}}').limits.call_bytes == 9
    assert read_hello(b'{"v":1,"limits":{"message":null,"call_bytes":null}}').limits == PeerLimits()


def test_unknown_members_of_a_hello_are_ignored() -> None:
    """Members of a later version are ignored."""
    text = b'{"v":9,"features":["?"],"more":[1],"limits":{"message":5,"more":{}}}'

    assert read_hello(text) == Hello(v=9, limits=PeerLimits(5), features=("?",))


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
        read_hello(params)


def test_the_size_of_a_hello_is_limited() -> None:
    """A hello is limited in its contracts, its features and the length of names."""

    def read(count: int, length: int) -> Hello:
        names = [f"{number:0{length}}" for number in range(count)]
        contracts = dict.fromkeys(names, "x" * length)
        said = {"v": 1, "features": names, "contracts": contracts}
        return read_hello(msgspec.json.encode(said))

    assert read(1024, 256).size == 3 * 1024 * (256 + TEXT_COST)
    for count, length in ((1025, 256), (1024, 257)):
        with pytest.raises(UnreadableText, match="length <= "):
            read(count, length)
    digests = " ".join(["x" * 64] * 1024)
    hello = b'{"v":1,"contracts":{"":"%b"}}'
    assert read_hello(hello % digests.encode()).contracts[""] == digests
    with pytest.raises(UnreadableText, match="length <= "):
        read_hello(hello % (digests.encode() + b"xx"))


def test_no_subscriptions_are_a_limit_as_well() -> None:
    """A peer may announce that it takes no subscriptions."""
    assert read_hello(b'{"v":1,"limits":{"subscriptions":0}}').limits.subscriptions == 0


# Errors


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (None, b'{"code":-32603,"message":"Internal error"}'),
        ({"id": "x"}, b'{"code":-32603,"message":"Internal error","data":{"id":"x"}}'),
        ([], b'{"code":-32603,"message":"Internal error","data":[]}'),
    ],
)
def test_an_error_of_the_protocol_has_its_own_wording(data: Any, text: bytes) -> None:
    """The message of an error follows from its code; it may have no data."""
    assert Error.of(ErrorCode.INTERNAL_ERROR, data).render() == text


def test_a_message_of_an_error_may_hold_what_json_cannot() -> None:
    """A lone surrogate in the message of an error is replaced."""
    text = Error(1, "no file \udcff").render()

    assert msgspec.json.decode(text)["message"] == "no file ?"


def test_each_code_has_its_wording() -> None:
    """Every code that the protocol itself sends has a message."""
    assert set(MESSAGES) == set(ErrorCode) - {ErrorCode.APPLICATION, ErrorCode.GROUP}


def test_an_error_is_read_as_it_was_written() -> None:
    """An error makes the round trip."""
    error = Error(1, "no", b'{"code":"No"}')

    assert read_error(Raw(error.render()), is_plain=False) == error


# The members of the other messages


@pytest.mark.parametrize(
    ("meta", "window", "timeout"),
    [
        (UNSET, None, None),
        (Raw(b"{}"), None, None),
        (Raw(b'{"timeout":7998}'), None, 7998),
        (Raw(b'{"timeout":0,"credit":null}'), None, 0),
        (Raw(b'{"credit":[1,2],"more":1}'), (1, 2), None),
        (Raw(b'{"credit":[9007199254740992,9007199254740992]}'), (2**53, 2**53), None),
    ],
)
def test_meta_is_read(meta: Any, window: tuple[int, int] | None, timeout: int | None) -> None:
    """A request may open a window, and name the milliseconds for which its caller waits."""
    read = read_meta(meta)

    assert (read.credit, read.timeout) == (window, timeout)


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
    """A window is two positive counts, a timeout a count that may be 0."""
    with pytest.raises(UnreadableText):
        read_meta(Raw(meta))


@pytest.mark.parametrize(
    ("params", "text"),
    [
        (Cancel, b'{"id":7,"reason":"caller","more":1}'),
        (Cancel, b'{"id":7}'),
        (Started, b'{"id":7,"value":{},"more":1}'),
        (Items, b'{"id":7,"seq":0,"values":[1,"x"],"cursor":"c","missed":null,"more":1}'),
        (Items, b'{"id":7,"seq":9007199254740992,"values":[]}'),
        (Credit, b'{"id":7,"items":96,"bytes":786432,"more":1}'),
        (UploadEnd, b'{"upload":"u1","more":1}'),
        (UploadEnd, b'{"upload":"u1","error":{"more":1}}'),
        (Goaway, b'{"more":1}'),
        (Goaway, b'{"grace_ms":1,"reconnect_after_ms":2}'),
    ],
)
def test_parameters_are_read(params: type[msgspec.Struct], text: bytes) -> None:
    """Known members are read, unknown ones ignored."""
    assert isinstance(read_params(msgspec.json.Decoder(params), text), params)


@pytest.mark.parametrize(
    ("params", "text"),
    [
        (Cancel, None),
        (Cancel, b"{}"),
        (Cancel, b"[7]"),
        (Cancel, b'{"id":7,"reason":5}'),
        (Started, b'{"id":7}'),
        (Items, b'{"id":7,"seq":-1,"values":[]}'),
        (Items, b'{"id":7,"seq":1e400,"values":[]}'),
        (Items, b'{"id":7,"seq":0,"values":{}}'),
        (Items, b'{"id":7,"seq":0,"values":[],"missed":-1}'),
        (Items, b'{"id":7,"seq":0,"values":[],"cursor":5}'),
        (Credit, b'{"id":7,"items":96}'),
        (Credit, b'{"id":7,"items":-1,"bytes":1}'),
        (Credit, b'{"id":7,"items":9007199254740993,"bytes":1}'),
        (UploadEnd, b"{}"),
        (Goaway, b'{"grace_ms":"soon"}'),
    ],
)
def test_other_parameters_are_refused(params: type[msgspec.Struct], text: bytes | None) -> None:
    """Parameters with a missing member, or one of a wrong type, are unreadable."""
    with pytest.raises(UnreadableText):
        read_params(msgspec.json.Decoder(params), text)


# What was written is read

UNKNOWN = ["", ',"more":{"id":8,"x":[1]},"":null']


def read_by_client(message: bytes, more: str) -> tuple[Call, list[Told]]:
    """Let a client with a started stream, whose id is 7, read a message."""
    pair = ProtocolPair.greeted()
    while (call := pair.client.call("rpc.subscribe", window=Window())).id != b"7":
        pass
    pair.client.receive(started(b"7", b"{}"))
    return call, pair.client.receive(message[:-1] + more.encode() + b"}")


TO_CLIENT: list[tuple[bytes, Callable[[Call], Told]]] = [
    (response(b"7", b"[1]"), lambda call: ("result", call, b"[1]")),
    (
        error_response(b"7", Error(1, "no", b'{"code":"No"}')),
        lambda call: ("error", call, Error(1, "no", b'{"code":"No"}')),
    ),
    (
        items(b"7", 0, [b"1", b'"x"'], "c", 3),
        lambda call: ("items", call, [b"1", b'"x"'], "c", 3),
    ),
    (items(b"7", 0, [b"1"]), lambda call: ("items", call, [b"1"], None, 0)),
    (items(b"7", 0, [b"1"], missed=None), lambda call: ("items", call, [b"1"], None, None)),
    (goaway(1, 2), lambda _: ("goaway", 1, 2)),
    (event("ticked", b"1"), lambda _: ("event", "ticked", b"[1]")),
    (notification("log", b"[1]", None), lambda _: ("notification", "log", b"[1]", None)),
    (notification("a", None, "00-a"), lambda _: ("notification", "a", None, "00-a")),
]


@pytest.mark.parametrize("more", UNKNOWN)
@pytest.mark.parametrize(("message", "told"), TO_CLIENT, ids=_name)
def test_a_message_to_the_side_that_dialled_is_read(
    message: bytes, told: Callable[[Call], Told], more: str
) -> None:
    """A client reads what a server wrote, and ignores unknown members."""
    call, heard = read_by_client(message, more)

    assert heard == [told(call)]


TO_SERVER: list[tuple[bytes, Callable[[Any], Told]]] = [
    (cancel(b"7", "deadline"), lambda call: ("cancel", call, "deadline")),
    (credit(b"7", 2, 2), lambda call: ("credit", call)),
    (
        notification('"\u00e9\n', None, None),
        lambda _: ("notification", '"\u00e9\n', None, None),
    ),
]


def serving() -> tuple[Peer, Any]:
    """Make a server with a stream under way, whose id is 7."""
    server = ProtocolPair.greeted().server
    text = request(b"7", "rpc.subscribe", b"{}", credit_meta(1, 1), None)
    ((_, call),) = server.receive(text)
    return server, call


@pytest.mark.parametrize("more", UNKNOWN)
@pytest.mark.parametrize(("message", "told"), TO_SERVER, ids=_name)
def test_a_message_to_the_side_that_accepted_is_read(
    message: bytes, told: Callable[[Any], Told], more: str
) -> None:
    """A server reads what a client wrote, and ignores unknown members."""
    server, call = serving()

    assert server.receive(message[:-1] + more.encode() + b"}") == [told(call)]


@pytest.mark.parametrize("more", UNKNOWN)
@pytest.mark.parametrize(
    ("id", "params", "meta", "window", "timeout"),
    [
        (b"8", b"[1,2]", END, None, None),
        (b'"\\u0038"', None, END, None, None),
        (b"8", b"{}", credit_meta(3, 4), Window(3, 4), None),
        (b"8", b"{}", timeout_meta(5000), None, 5000),
    ],
)
def test_a_request_is_read(
    id: bytes,
    params: bytes | None,
    meta: bytes,
    window: Window | None,
    timeout: int | None,
    more: str,
) -> None:
    """A request becomes a call with the same id, method, params, window and timeout."""
    server, _ = serving()
    text = request(id, "add", params, meta, "00-a")

    ((what, call),) = server.receive(text[:-1] + more.encode() + b"}")

    assert what == "request"
    assert (call.id, call.method, call.params) == (id, "add", params)
    assert call.credit == (None if window is None else window.for_sender())
    assert (call.timeout, call.traceparent) == (timeout, "00-a")


@pytest.mark.parametrize("more", UNKNOWN)
def test_a_start_is_read(pair: ProtocolPair, more: str) -> None:
    """A stream starts with the value that was written."""
    call = pair.client.call("rpc.subscribe", window=Window())
    text = started(call.id, b'{"cursor":"c"}')

    assert pair.client.receive(text[:-1] + more.encode() + b"}") == [
        ("started", call, b'{"cursor":"c"}')
    ]


def test_a_reply_to_a_batch_is_read(plain: ProtocolPair) -> None:
    """Each response in a batch ends its own call."""
    first, second = plain.client.call("a"), plain.client.call("b")

    assert plain.client.receive(join([response(b"2", b"5"), response(b"1", b"6")])) == [
        ("result", second, b"5"),
        ("result", first, b"6"),
    ]


# How much fits into one message of items

Make = Callable[[int, Sequence[bytes]], bytes]
CURSOR = "0f0f0f0f.1000"
KINDS: list[tuple[Make, int]] = [
    (lambda seq, values: items(b"7", seq, values), max_items_size(4096, b"7")),
    (
        lambda seq, values: items(b'"u1"', seq, values, is_upload=True),
        max_items_size(4096, b'"u1"', is_upload=True),
    ),
    (
        lambda seq, values: binary_items(b"7", seq, values),
        max_items_size(4096, b"7", is_binary=True),
    ),
    (
        lambda seq, values: items(b"7", seq, values, CURSOR, LAST_COUNT),
        max_items_size(4096, b"7", cursor=CURSOR),
    ),
]
kinds = pytest.mark.parametrize(("make", "room"), KINDS, ids=["down", "up", "binary", "signal"])


@kinds
@pytest.mark.parametrize("seq", [0, LAST_COUNT])
def test_the_largest_item_fits_whatever_its_number(make: Make, room: int, seq: int) -> None:
    """The largest item fits with any sequence number, and a little more would not."""
    assert 4096 - 24 <= len(make(seq, [b"x" * room])) <= 4096


@kinds
@given(sizes=st.lists(st.integers(0, 400), min_size=1, max_size=40))
def test_several_items_fit(make: Make, room: int, sizes: list[int]) -> None:
    """Several items fit if each but the first counts its overhead."""
    while sum(sizes) + ITEM_OVERHEAD * (len(sizes) - 1) > room:
        sizes.pop()

    assert len(make(LAST_COUNT, [b"x" * size for size in sizes])) <= 4096


def test_a_peer_may_take_no_items_at_all() -> None:
    """The size is negative for a limit below an empty message of items."""
    assert max_items_size(40, b"7") < 0
