"""The frames that the npm package rpc-websockets sends, as its client and as its server."""

from __future__ import annotations

import json
from typing import Any

import pytest

from farcall._protocol.messages import Error, event
from tests.unit.protocol.pair import ProtocolPair


@pytest.mark.parametrize(
    ("frame", "method", "params"),
    [
        ('{"jsonrpc":"2.0","method":"sum","params":[1,2],"id":1}', "sum", b"[1,2]"),
        ('{"jsonrpc":"2.0","method":"sum","params":{"a":1},"id":1}', "sum", b'{"a":1}'),
        ('{"jsonrpc":"2.0","method":"__listMethods","id":1}', "__listMethods", None),
        ('{"jsonrpc":"2.0","method":"rpc.on","params":["a","b"],"id":1}', "rpc.on", b'["a","b"]'),
        ('{"jsonrpc":"2.0","method":"rpc.off","params":["a"],"id":1}', "rpc.off", b'["a"]'),
        ('{"jsonrpc":"2.0","method":"rpc.login","params":{"u":1},"id":1}', "rpc.login", b'{"u":1}'),
        ('{"jsonrpc":"2.0","method":"sum","params":null,"id":"uuid"}', "sum", None),
    ],
)
def test_its_client_calls(
    plain: ProtocolPair, frame: str, method: str, params: bytes | None
) -> None:
    """Calls of its client are passed on, its internal methods included."""
    ((what, call),) = plain.server.receive(frame)

    assert what == "request"
    assert (call.method, call.params) == (method, params)


@pytest.mark.parametrize(
    "frame",
    ['{"jsonrpc":"2.0","method":"ping","params":null}', '{"jsonrpc":"2.0","method":"ping"}'],
)
def test_its_client_notifies(plain: ProtocolPair, frame: str) -> None:
    """Its client sends null for no params; web3.js sends such a ping every five seconds."""
    assert plain.server.receive(frame) == [("notification", "ping", None, None)]
    assert not plain.server.sent


@pytest.mark.parametrize(
    ("frame", "code", "data"),
    [
        ("not json", -32700, None),
        ("5", -32600, "not an object"),
        ("[]", -32600, "Invalid array"),
        ('{"method":"a","id":1}', -32600, "Invalid JSON RPC version"),
        ('{"jsonrpc":"2.0","method":5,"id":1}', -32600, "Invalid method name"),
        ('{"jsonrpc":"2.0","id":1}', -32600, "Method not specified"),
        ('{"jsonrpc":"2.0","method":"rpc.listMethods","id":1}', -32601, None),
    ],
)
def test_its_client_is_refused_in_its_words(
    plain: ProtocolPair, frame: str, code: int, data: str | None
) -> None:
    """The data of an error is the text that its own server sends, if it has one."""
    plain.server.receive(frame)

    error: Any = json.loads(plain.server.sent.popleft())["error"]
    assert error["code"] == code
    if data is not None:
        assert error["data"] == data


def test_an_event_serves_both_kinds_of_client() -> None:
    """Its client reads `notification`, a JSON-RPC client `method`; params is an array."""
    assert json.loads(event("ticked", b'{"a":1}')) == {
        "jsonrpc": "2.0",
        "method": "ticked",
        "notification": "ticked",
        "params": [{"a": 1}],
    }


@pytest.mark.parametrize(
    ("params", "value"),
    [
        ("[]", b"[]"),
        ("[1]", b"[1]"),
        ('["a","b"]', b'["a","b"]'),
        ('{"a":1}', b'{"a":1}'),
        ("[null]", b"[null]"),
        ("[[1]]", b"[[1]]"),
    ],
)
def test_its_server_emits(plain: ProtocolPair, params: str, value: bytes) -> None:
    """Its events have no `jsonrpc`, and params are an array or an object."""
    assert plain.client.receive(f'{{"notification":"x","params":{params}}}') == [
        ("event", "x", value)
    ]


@pytest.mark.parametrize(
    ("members", "outcome"),
    [
        ('"result":5', ("result", b"5")),
        ('"result":{"x":"ok"}', ("result", b'{"x":"ok"}')),
        ("", ("result", b"null")),
        ('"error":{"code":-32000,"message":"TypeError","data":"x is null"}', ("error", -32000)),
        ('"error":{"code":-32605,"message":"Method forbidden","data":null}', ("error", -32605)),
        ('"error":"just thrown"', ("error", -32000)),
    ],
)
def test_its_server_answers(plain: ProtocolPair, members: str, outcome: tuple[str, object]) -> None:
    """Its response has no result for undefined, and a thrown text as its error."""
    call = plain.client.call("x")
    parts = ['"jsonrpc":"2.0"', members, '"id":1']

    ((what, whose, value),) = plain.client.receive(f"{{{','.join(filter(None, parts))}}}")

    assert whose is call
    assert (what, value.code if isinstance(value, Error) else value) == outcome
    assert call.id not in plain.client.protocol.outgoing


def test_its_server_answers_what_was_no_call(plain: ProtocolPair) -> None:
    """Its errors to unknown notifications, with the id null, end no call."""
    call = plain.client.call("x")

    ((what, _),) = plain.client.receive(
        '{"jsonrpc":"2.0","error":{"code":-32601,"message":"Method not found"},"id":null}'
    )

    assert what == "unclaimed"
    assert call.id in plain.client.protocol.outgoing


def test_its_server_does_not_know_a_hello(plain: ProtocolPair) -> None:
    """It responds to a hello with -32601, and the dialect stays plain."""
    call = plain.client.greet()

    assert plain.client.receive(
        '{"jsonrpc":"2.0","error":{"code":-32601,"message":"Method not found"},"id":1}'
    ) == [("error", call, Error(-32601, "Method not found"))]
    assert not plain.client.protocol.is_greeted
